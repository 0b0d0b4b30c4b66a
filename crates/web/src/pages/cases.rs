//! The adjudicator's desk: which cases wait, two records side by side with the reasons, and the decision by two people.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use domain::id::{ApplicationId, CaseId, PersonId};
use serde::Deserialize;
use store::PgConnection;
use store::web_read::{self, CasePage, CaseStage};
use uuid::Uuid;

use crate::error::Error;
use crate::format;
use crate::i18n::Lang;
use crate::pages::evidence::{self, Shown};
use crate::pages::record::{self, Compared, Described};
use crate::pages::{cards, id, not_shown, note_read};
use crate::routes::form_field;
use crate::session::Who;
use crate::state::{AppState, CaseDecision, CaseOutcome, CaseRefusal, Decision};
use crate::ui::{Ui, page, unit_of_path};

const PAGE: i64 = 100;
const NOTE_CHARS: usize = 2_000;

#[derive(Template)]
#[template(path = "cases.html")]
struct ListPage {
    ui: Ui,
    tabs: Vec<Tab>,
    cases: Vec<CaseLine>,
}

struct Tab {
    href: &'static str,
    label: &'static str,
    count: String,
    current: bool,
}

struct CaseLine {
    href: String,
    kind: &'static str,
    unit: String,
    opened: String,
    due: String,
    overdue: bool,
    decision: &'static str,
}

#[derive(Template)]
#[template(path = "case.html")]
struct OnePage {
    ui: Ui,
    action: String,
    kind: &'static str,
    why: &'static str,
    unit: String,
    opened: String,
    due: String,
    overdue: bool,
    left: Side,
    right: Side,
    compared: Vec<Compared>,
    shown: Shown,
    candidates: Vec<Candidate>,
    /// What was decided so far; empty for an open case.
    decision: &'static str,
    note: String,
    closed: bool,
    /// The reader decided this case: somebody else must confirm.
    own: bool,
    choices: Vec<Choice>,
    command: String,
    message: &'static str,
    refusal: &'static str,
}

/// One of the two records.
struct Side {
    title: &'static str,
    href: Option<String>,
    photo: Option<String>,
    /// There is such a record, but the reader may not see it.
    hidden: bool,
}

/// Somebody of the register who was in question.
struct Candidate {
    href: Option<String>,
    name: String,
    weight: String,
}

struct Choice {
    code: &'static str,
    label: &'static str,
    text: &'static str,
    checked: bool,
}

#[derive(Deserialize)]
pub(crate) struct Filter {
    xem: Option<String>,
    /// What came of a decision.
    kq: Option<String>,
}

pub(crate) async fn list(
    State(state): State<AppState>,
    who: Who,
    ui: Ui,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let stage = match filter.xem.as_deref() {
        Some("cho") => CaseStage::Unconfirmed,
        Some("xong") => CaseStage::Closed,
        _ => CaseStage::Open,
    };
    let mut tx = state.db.scoped(&who.scope).await?;
    let rows = web_read::cases(&mut tx, stage, PAGE).await?;
    let (open, unconfirmed, closed) = web_read::case_counts(&mut tx).await?;
    drop(tx);
    let now = state.campaign.now();
    let tab = |href, label, count: i64, of| Tab { href, label, count: ui.n(&count), current: stage == of };
    let tabs = vec![
        tab("/ho-so-xet", ui.t("cases.open"), open, CaseStage::Open),
        tab("/ho-so-xet?xem=cho", ui.t("cases.unconfirmed"), unconfirmed, CaseStage::Unconfirmed),
        tab("/ho-so-xet?xem=xong", ui.t("cases.closed"), closed, CaseStage::Closed),
    ];
    let line = |row: &CasePage| CaseLine {
        href: format!("/ho-so-xet/{}", row.case_id),
        kind: ui.code("case.kind", &row.kind),
        unit: unit_of_path(&state, &row.unit_path).unwrap_or_default(),
        opened: format::moment(row.opened_at),
        due: format::moment(row.due_at),
        overdue: row.confirmed_by.is_none() && row.due_at < now,
        decision: row.decision.as_deref().map(|code| ui.code("decision", code)).unwrap_or_default(),
    };
    let cases = rows.iter().map(line).collect();
    page(&ListPage { tabs, cases, ui })
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Ui,
    Path(case_id): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let message = match filter.kq.as_deref() {
        Some("cho") => ui.t("case.message.waits"),
        Some("xong") => ui.t("case.message.closed"),
        _ => "",
    };
    draw(&state, &who, ui, &case_id, message, "").await
}

async fn draw(
    state: &AppState,
    who: &Who,
    ui: Ui,
    case_id: &str,
    message: &'static str,
    refusal: &'static str,
) -> Result<Response, Error> {
    let case_id: CaseId = id(case_id)?;
    let subject = format!("case:{case_id}");
    let mut tx = state.db.scoped(&who.scope).await?;
    let Some(case) = web_read::case(&mut tx, case_id).await? else {
        drop(tx);
        return Err(not_shown(state, who, subject).await);
    };
    let lang = ui.lang;
    let (left, right) = parties(&case);
    let (left, left_record) = side(state, &mut tx, lang, left).await?;
    let (right, right_record) = side(state, &mut tx, lang, right).await?;
    let candidates = candidates(&mut tx, lang, &case).await?;
    drop(tx);
    note_read(state, who, "case.read", subject, &case.unit_path).await?;
    let compared = record::compare(lang, left_record.as_ref(), right_record.as_ref(), |_, left, right| {
        left.to_uppercase() != right.to_uppercase()
    });
    let decided = case.decision.as_deref().and_then(Decision::from_code);
    let own = case.decided_by.as_deref() == Some(&who.actor());
    page(&OnePage {
        action: format!("/ho-so-xet/{case_id}"),
        kind: ui.code("case.kind", &case.kind),
        why: ui.code("case.why", &case.kind),
        unit: unit_of_path(state, &case.unit_path).unwrap_or_default(),
        opened: format::moment(case.opened_at),
        due: format::moment(case.due_at),
        overdue: case.confirmed_by.is_none() && case.due_at < state.campaign.now(),
        left,
        right,
        compared,
        shown: evidence::show(lang, &case.evidence),
        decision: case.decision.as_deref().map(|code| ui.code("decision", code)).unwrap_or_default(),
        note: case.note.clone().unwrap_or_default(),
        closed: case.confirmed_by.is_some(),
        own,
        candidates,
        choices: fitting(&case, decided)
            .into_iter()
            .map(|decision| Choice {
                code: decision.code(),
                label: ui.code("decision", decision.code()),
                text: ui.code("decision.text", decision.code()),
                checked: decided == Some(decision),
            })
            .collect(),
        command: state.random_id().to_string(),
        message,
        refusal,
        ui,
    })
}

async fn candidates(scoped: &mut PgConnection, lang: Lang, case: &CasePage) -> Result<Vec<Candidate>, Error> {
    let found = evidence::candidates(&case.evidence);
    let ids: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
    let names = web_read::names(scoped, &ids).await?;
    let candidate = |(id, weight): &(Uuid, f64)| Candidate {
        href: names.contains_key(id).then(|| format!("/cu-dan/{id}")),
        name: names.get(id).map_or_else(|| lang.text("case.hidden").to_owned(), |(name, _)| name.clone()),
        weight: evidence::decimal(lang, *weight),
    };
    Ok(found.iter().map(candidate).collect())
}

/// What the form offers: to the first adjudicator what can be meant by this case, to the second what the first decided.
/// The desk judges whether it fits.
fn fitting(case: &CasePage, decided: Option<Decision>) -> Vec<Decision> {
    if let Some(decided) = decided {
        return vec![decided];
    }
    let of_register = case.application_id.is_none();
    let is_offered = |decision: &Decision| match decision {
        Decision::SamePerson => of_register || case.other_application_id.is_some(),
        Decision::DifferentPeople => of_register || case.person_id.is_some(),
        Decision::Link => !of_register && case.person_id.is_some(),
        Decision::Reject => !of_register,
    };
    Decision::ALL.into_iter().filter(is_offered).collect()
}

/// One party of a case.
enum Party {
    Application(ApplicationId),
    Person(PersonId),
    Nobody,
}

/// Whom the case sets side by side: two applications, an application and a register record, or two register records.
fn parties(case: &CasePage) -> (Party, Party) {
    let application = |id: Option<Uuid>| id.map(|id| Party::Application(ApplicationId::from_uuid(id)));
    let person = |id: Option<Uuid>| id.map(|id| Party::Person(PersonId::from_uuid(id)));
    let mut found = [
        application(case.application_id),
        application(case.other_application_id),
        person(case.person_id),
        person(case.other_person_id),
    ]
    .into_iter()
    .flatten();
    (found.next().unwrap_or(Party::Nobody), found.next().unwrap_or(Party::Nobody))
}

async fn side(
    state: &AppState,
    scoped: &mut PgConnection,
    lang: Lang,
    party: Party,
) -> Result<(Side, Option<Described>), Error> {
    match party {
        Party::Application(id) => {
            let title = lang.text("case.side.application");
            let visible = store::application::find(scoped, id).await?.is_some();
            if !visible {
                return Ok((Side { title, href: None, photo: None, hidden: true }, None));
            }
            let declared = web_read::declared(scoped, id).await?;
            let described = declared.and_then(|declared| record::of_declared(state, lang, &declared.record));
            let photo = cards::photo(state, id).await.map(|jpeg| cards::data_uri(&jpeg));
            Ok((Side { title, href: Some(format!("/ho-so/{id}")), photo, hidden: false }, described))
        }
        Party::Person(id) => {
            let title = lang.text("case.side.person");
            let person = web_read::person(scoped, id).await?;
            let described =
                person.as_ref().map(|person| record::of_person(state, lang, person)).transpose()?;
            let href = person.is_some().then(|| format!("/cu-dan/{id}"));
            Ok((Side { title, hidden: href.is_none(), href, photo: None }, described))
        }
        Party::Nobody => {
            Ok((Side { title: lang.text("case.side.nobody"), href: None, photo: None, hidden: false }, None))
        }
    }
}

/// Takes the decision to the desk. The case must lie inside the reader's unit; all other rules are the desk's.
pub(crate) async fn decide(
    State(state): State<AppState>,
    who: Who,
    ui: Ui,
    Path(case_id): Path<String>,
    body: Bytes,
) -> Result<Response, Error> {
    let parsed: CaseId = id(&case_id)?;
    let mut tx = state.db.scoped(&who.scope).await?;
    let visible = web_read::case(&mut tx, parsed).await?.is_some();
    drop(tx);
    if !visible {
        return Err(not_shown(&state, &who, format!("case:{parsed}")).await);
    }
    let field = |name| form_field(&body, name).unwrap_or_default();
    let decision =
        Decision::from_code(&field("quyet-dinh")).ok_or(Error::BadForm("no decision was chosen"))?;
    let command = field("lenh").parse().map_err(|_| Error::BadForm("the command has no id"))?;
    let note: String = field("ly-do").trim().chars().take(NOTE_CHARS).collect();
    let request = CaseDecision { case_id: parsed, decision, account: who.account, note, command };
    let refusal = match state.cases.decide(request).await {
        Ok(outcome) => {
            let result = match outcome {
                CaseOutcome::AwaitsConfirmation => "cho",
                CaseOutcome::Closed => "xong",
            };
            return Ok(Redirect::to(&format!("/ho-so-xet/{parsed}?kq={result}")).into_response());
        }
        Err(CaseRefusal::SameEyes) => ui.t("case.refusal.same_eyes"),
        Err(CaseRefusal::AlreadyClosed) => ui.t("case.refusal.already_closed"),
        Err(CaseRefusal::DoesNotFit) => ui.t("case.refusal.does_not_fit"),
        Err(CaseRefusal::Contradicts) => ui.t("case.refusal.contradicts"),
        Err(CaseRefusal::Unavailable) => ui.t("case.refusal.unavailable"),
    };
    let drawn = draw(&state, &who, ui, &case_id, "", refusal).await?;
    Ok((StatusCode::CONFLICT, drawn).into_response())
}
