//! The form by which a clerk opens a case: from a person's page, or in one step from what a rule of quality
//! found.

use std::collections::BTreeMap;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ADDRESS, words};
use crate::error::Error;
use crate::extract::{Path, Query};
use crate::form::form_fields;
use crate::frame::page;
use crate::looked::{self, Look, Standing};
use crate::pages::events::{fields, typed::value};
use crate::pages::{id, not_shown, reason, record};
use crate::session::Who;
use crate::state::AppState;
use domain::correction::Source;
use domain::id::{CorrectionId, PersonId};
use domain::unit::Units;
use domain::{Field, PartialDate};
use register::ChangeText;
use register::cases::{self, Acting, CaseError, NewCase};
use register::quality::Rule;
use store::register::corrections::pages::open_by_person;
use store::register::pages::PersonPage;
use ui::frame::Frame;
use ui::record::Fact;

/// The path of the form.
pub(crate) const PATH: &str = "/cu-dan/{person_id}/cai-chinh/moi";
/// Values that one form takes.
const ROWS: usize = 3;
/// Characters of a field that are read.
const MOST: usize = 2_000;

#[derive(Template)]
#[template(path = "correction_ask.html")]
struct AskPage {
    ui: Frame,
    name: String,
    pin: String,
    birth: String,
    back: String,
    action: String,
    case_id: String,
    /// The rule that found it, and what it says.
    rule: &'static str,
    rule_says: &'static str,
    /// A case that is open already.
    open: Option<String>,
    faults: Vec<String>,
    sources: Vec<(&'static str, &'static str, bool)>,
    source_ref: String,
    fields: Vec<(String, String)>,
    rows: Vec<Row>,
    facts: Vec<Fact>,
    reason: String,
}

struct Row {
    number: usize,
    field: String,
    value: String,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    /// The rule of quality that found it.
    luat: Option<String>,
}

/// The person whom the form is about, if the reader may see it and has said why. What a rule found is a
/// reason by itself, as long as it is found.
enum Subject {
    Open(Box<PersonPage>, Value),
    AsksWhy,
}

async fn subject(
    state: &AppState,
    who: &Who,
    person: PersonId,
    rule: Option<Rule>,
) -> Result<Subject, Error> {
    let standing = looked::standing(state, who, person).await?;
    let mut scoped = state.db.scoped(&who.scope).await?;
    let found = store::register::pages::person(&mut scoped, person).await?;
    let is_found = match rule {
        Some(rule) => store::register::quality::is_open(&mut scoped, person, rule.code()).await?,
        None => false,
    };
    drop(scoped);
    let Some(found) = found else { return Err(not_shown(state, who, format!("person:{person}")).await) };
    Ok(match (standing, rule) {
        (_, Some(rule)) if is_found => Subject::Open(Box::new(found), json!({ "rule": rule.code() })),
        (Standing::Unsaid, _) => Subject::AsksWhy,
        (Standing::Reason(reason), _) => Subject::Open(Box::new(found), json!({ "reason": reason })),
        (Standing::AtHand, _) => Subject::Open(Box::new(found), json!({})),
    })
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(person_id): Path,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let person: PersonId = id(&person_id)?;
    let rule = asked.luat.as_deref().and_then(Rule::from_code);
    let (found, question) = match subject(&state, &who, person, rule).await? {
        Subject::Open(found, question) => (found, question),
        Subject::AsksWhy => return reason::ask(ui, person, reason::Typed::default()),
    };
    let look = Look {
        action: "person.read",
        subject: format!("person:{person}"),
        unit_path: &found.unit_path,
        question,
        things: vec![person.uuid()],
    };
    looked::note(&state, &who, look).await?;
    let typed = Typed::of_rule(rule);
    draw(&state, &who, ui, &found, Vec::new(), typed).await
}

/// Takes the form: opens the case, or says what is wrong with it.
pub(crate) async fn open(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(person_id): Path,
    body: Bytes,
) -> Result<Response, Error> {
    let person: PersonId = id(&person_id)?;
    let typed = Typed::read(&body);
    let (found, question) = match subject(&state, &who, person, typed.rule()).await? {
        Subject::Open(found, question) => (found, question),
        Subject::AsksWhy => return reason::ask(ui, person, reason::Typed::default()),
    };
    let case_id = typed.case_id().ok_or(Error::BadForm("a form without the id of its case"))?;
    let by = who.by().ok_or(Error::Forbidden)?;
    let mut note = Map::new();
    note.insert("address".to_owned(), json!(who.address));
    note.insert("question".to_owned(), question);
    let acting = Acting { scope: &who.scope, by: &by, now: state.campaign.now(), note };
    let (source, source_ref) = match typed.rule() {
        Some(rule) => (Source::QualityRule.code(), rule.code()),
        None => (typed.get("nguon"), typed.get("nguon-ct")),
    };
    let new = NewCase {
        case_id,
        person: person.to_string(),
        source: source.to_owned(),
        source_ref: source_ref.to_owned(),
        claims: typed.claims(state.units()),
        reason: typed.get("ly-do").to_owned(),
    };
    match cases::open_case(&state.db, &acting, &new).await {
        Ok(_) => Ok(Redirect::to(&format!("{ADDRESS}/{case_id}?kq=request")).into_response()),
        Err(CaseError::Refused(faults)) => {
            let faults = faults.iter().map(|fault| words::fault(&ui, fault)).collect();
            let drawn = draw(&state, &who, ui, &found, faults, typed).await?;
            Ok((StatusCode::BAD_REQUEST, drawn).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// What was typed, by the names of the fields.
#[derive(Default)]
struct Typed(BTreeMap<String, String>);

impl Typed {
    fn read(body: &[u8]) -> Typed {
        let cut = |text: String| text.trim().chars().take(MOST).collect::<String>();
        Typed(form_fields(body).map(|(name, text)| (name.to_owned(), cut(text))).collect())
    }

    /// The form as a rule begins it: with the fields that it looks at.
    fn of_rule(rule: Option<Rule>) -> Typed {
        let Some(rule) = rule else { return Typed::default() };
        let mut texts = BTreeMap::from([("luat".to_owned(), rule.code().to_owned())]);
        let asked = rule.text().fields.iter().filter(|field| **field != Field::Pin);
        for (field, number) in asked.take(ROWS).zip(1..) {
            let part = field.parts()[0];
            texts.insert(format!("truong-{number}"), format!("{}.{}", field.code(), part.code()));
        }
        Typed(texts)
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn rule(&self) -> Option<Rule> {
        Rule::from_code(self.get("luat"))
    }

    fn case_id(&self) -> Option<CorrectionId> {
        self.get("ma").parse().ok()
    }

    fn claims(&self, units: Units<'_>) -> Vec<ChangeText> {
        let row = |row: usize| {
            let (field, part) = self.get(&format!("truong-{row}")).split_once('.')?;
            let typed = self.get(&format!("gia-tri-{row}"));
            // A row of which only the field is chosen asks for nothing; that a value goes out is said.
            let empties = self.get(&format!("bo-{row}")) == "1";
            (empties || !typed.is_empty()).then(|| ChangeText {
                field: field.to_owned(),
                part: part.to_owned(),
                value: if empties { String::new() } else { value(units, field, part, typed) },
            })
        };
        (1..=ROWS).filter_map(row).collect()
    }
}

async fn draw(
    state: &AppState,
    who: &Who,
    ui: Frame,
    found: &PersonPage,
    faults: Vec<String>,
    typed: Typed,
) -> Result<Response, Error> {
    let person = PersonId::from_uuid(found.person_id);
    let mut scoped = state.db.scoped(&who.scope).await?;
    let described = record::of_person(state, &mut scoped, ui.lang, person).await?.unwrap_or_default();
    let open = open_by_person(&mut scoped, &[person]).await?.remove(&person);
    drop(scoped);
    let birth: PartialDate = found.birth_date()?;
    let rule = typed.rule();
    let chosen = match typed.get("nguon") {
        "" => Source::Citizen.code(),
        code => code,
    };
    page(&AskPage {
        name: found.full_name.clone(),
        pin: found.pin.clone().unwrap_or_default(),
        birth: birth.to_string(),
        back: format!("/cu-dan/{person}"),
        action: format!("/cu-dan/{person}/cai-chinh/moi"),
        case_id: typed.case_id().unwrap_or_else(|| CorrectionId::from_uuid(state.random_id())).to_string(),
        rule: rule.map_or("", Rule::code),
        rule_says: rule.map_or("", |rule| crate::pages::quality::says(ui.lang, rule)),
        open: open.map(|case| format!("{ADDRESS}/{case}")),
        faults,
        sources: [Source::Citizen, Source::Clerk, Source::Officer, Source::AgencyList]
            .map(|source| {
                (source.code(), ui.code("correction.source", source.code()), source.code() == chosen)
            })
            .into(),
        source_ref: typed.get("nguon-ct").to_owned(),
        fields: fields(&ui),
        rows: (1..=ROWS)
            .map(|number| Row {
                number,
                field: typed.get(&format!("truong-{number}")).to_owned(),
                value: typed.get(&format!("gia-tri-{number}")).to_owned(),
            })
            .collect(),
        facts: described.facts(ui.lang, Field::Name, Field::Relation),
        reason: typed.get("ly-do").to_owned(),
        ui,
    })
}
