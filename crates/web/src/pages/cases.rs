//! The adjudicator's desk: which cases wait, two records side by side with the reasons, and the decision by two people.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use uuid::Uuid;

use crate::error::Error;
use crate::extract::{Path, Query};
use crate::frame::{page, unit_of_path};
use crate::pages::actor::Actors;
use crate::pages::choices::{self, Candidate, Choice};
use crate::pages::evidence::{self, Shown};
use crate::pages::record;
use crate::pages::{PageSize, Tab, cards, id, not_shown, note_read};
use crate::routes::form_field;
use crate::session::Who;
use crate::state::AppState;
use domain::id::{ApplicationId, CaseId, PersonId};
use store::PgConnection;
use store::cases::pages::CaseActionRow;
use store::cases::pages::CasePage;
use store::cases::pages::CaseStage;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;
use ui::record::{Compared, Described, compare};

const PAGE: PageSize = PageSize(100);
const NOTE_CHARS: usize = 2_000;

#[derive(Template)]
#[template(path = "cases.html")]
struct ListPage {
    ui: Frame,
    tabs: Vec<Tab>,
    cases: Vec<CaseLine>,
    cut_off: bool,
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
    ui: Frame,
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
    candidates: Vec<CandidateLine>,
    /// The way back to the two that the case sets side by side, when another was chosen.
    back: Option<String>,
    /// What was decided so far; empty for an open case.
    decision: String,
    history: Vec<ActionLine>,
    closed: bool,
    /// The reader decided this case: somebody else must confirm.
    own: bool,
    choices: Vec<Choice>,
    command: String,
    /// Why, in the words that were typed and not written yet.
    note: String,
    message: &'static str,
    refusal: &'static str,
}

/// One of the two records.
struct Side {
    title: &'static str,
    href: Option<String>,
    photo: Option<String>,
    /// What the photo shows, for those who do not see it.
    alt: String,
    /// There is such a record, but the reader may not see it.
    hidden: bool,
}

/// Somebody of the register who was in question.
struct CandidateLine {
    href: Option<String>,
    name: String,
    weight: String,
    /// Sets this person beside the application; `None` for whom stands there already.
    beside: Option<String>,
}

/// What somebody did about the case.
struct ActionLine {
    what: &'static str,
    decision: &'static str,
    who: String,
    at: String,
    machine: String,
    note: String,
}

#[derive(Deserialize)]
pub(crate) struct Filter {
    xem: Option<String>,
    /// What came of a decision.
    kq: Option<String>,
    /// Whom to set beside the application.
    ben: Option<String>,
}

/// What one reading of a case shows beside the case itself.
#[derive(Default)]
struct View<'a> {
    message: &'static str,
    refusal: &'static str,
    beside: Option<&'a str>,
    typed: Typed,
}

/// What the form was sent with, for drawing it again.
#[derive(Default)]
struct Typed {
    decision: String,
    note: String,
    /// Made when the form was first drawn: the same form sent twice is one command.
    command: Option<Uuid>,
}

impl Typed {
    fn read(body: &[u8]) -> Typed {
        let field = |name| form_field(body, name).unwrap_or_default();
        Typed {
            decision: field("quyet-dinh"),
            note: field("ly-do").trim().chars().take(NOTE_CHARS).collect(),
            command: field("lenh").parse().ok(),
        }
    }
}

pub(crate) async fn list(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let stage = match filter.xem.as_deref() {
        Some("cho") => CaseStage::Unconfirmed,
        Some("xong") => CaseStage::Closed,
        _ => CaseStage::Open,
    };
    let mut tx = state.db.scoped(&who.scope).await?;
    let mut rows = store::cases::pages::cases(&mut tx, stage, PAGE.asked()).await?;
    let cut_off = PAGE.cut(&mut rows);
    let (open, unconfirmed, closed) = store::cases::pages::case_counts(&mut tx).await?;
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
    page(&ListPage { tabs, cases, cut_off, ui })
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(case_id): Path,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let message = match filter.kq.as_deref() {
        Some("cho") => ui.t("case.message.waits"),
        Some("xong") => ui.t("case.message.closed"),
        _ => "",
    };
    let view = View { message, beside: filter.ben.as_deref(), ..View::default() };
    draw(&state, &who, ui, &case_id, view).await
}

async fn draw(
    state: &AppState,
    who: &Who,
    ui: Frame,
    case_id: &str,
    view: View<'_>,
) -> Result<Response, Error> {
    let case_id: CaseId = id(case_id)?;
    let subject = format!("case:{case_id}");
    let mut tx = state.db.scoped(&who.scope).await?;
    let Some(case) = store::cases::pages::case(&mut tx, case_id).await? else {
        drop(tx);
        return Err(not_shown(state, who, subject).await);
    };
    let lang = ui.lang;
    let candidates = choices::candidates(&mut tx, lang, &case).await?;
    let (left, mut right) = parties(&case);
    let chosen = view.beside.and_then(|text| text.parse::<PersonId>().ok());
    let chosen = chosen.filter(|chosen| candidates.iter().any(|c| c.person == *chosen && c.name.is_some()));
    if let Some(chosen) = chosen.filter(|_| case.application_id.is_some()) {
        right = Party::Person(chosen, "case.side.person");
    }
    let standing = right.person();
    let (left, left_record) = side(state, &mut tx, lang, left).await?;
    let (right, right_record) = side(state, &mut tx, lang, right).await?;
    let actions = store::cases::pages::case_actions(&mut tx, case_id).await?;
    drop(tx);
    note_read(state, who, "case.read", subject, &case.unit_path).await?;
    let actors = Actors::load(state, actions.iter().map(|action| action.actor.as_str())).await?;
    let compared = compare(lang, left_record.as_ref(), right_record.as_ref(), |_, left, right| {
        left.to_uppercase() != right.to_uppercase()
    });
    let action = format!("/ho-so-xet/{case_id}");
    page(&OnePage {
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
        decision: choices::decided_in_words(lang, &case, &candidates),
        history: actions.iter().map(|action| action_line(lang, &actors, action)).collect(),
        closed: case.confirmed_by.is_some(),
        own: case.decided_by.as_deref() == Some(&who.actor()),
        choices: choices::choices(lang, &case, &candidates, &view.typed.decision),
        candidates: match case.application_id {
            Some(_) => candidates.iter().map(|c| candidate_line(lang, &action, c, standing)).collect(),
            None => Vec::new(),
        },
        back: chosen.is_some().then(|| action.clone()),
        action,
        command: view.typed.command.unwrap_or_else(|| state.random_id()).to_string(),
        note: view.typed.note,
        message: view.message,
        refusal: view.refusal,
        ui,
    })
}

fn candidate_line(
    lang: Lang,
    case: &str,
    candidate: &Candidate,
    standing: Option<PersonId>,
) -> CandidateLine {
    let person = candidate.person;
    let visible = candidate.name.is_some();
    CandidateLine {
        href: visible.then(|| format!("/cu-dan/{person}")),
        name: candidate.name.clone().unwrap_or_else(|| lang.text("case.hidden").to_owned()),
        weight: candidate.weight.clone(),
        beside: (visible && standing != Some(person)).then(|| format!("{case}?ben={person}#beside")),
    }
}

fn action_line(lang: Lang, actors: &Actors, action: &CaseActionRow) -> ActionLine {
    ActionLine {
        what: lang.text(&format!("case.action.{}", action.action)),
        decision: lang.text(&format!("decision.{}", action.decision)),
        who: actors.name(lang, &action.actor),
        at: format::moment(action.at),
        machine: format::machine(action.at),
        note: action.note.clone().unwrap_or_default(),
    }
}

/// One party of a case, with the key of its title.
enum Party {
    Application(ApplicationId, &'static str),
    Person(PersonId, &'static str),
    Nobody,
}

impl Party {
    fn person(&self) -> Option<PersonId> {
        match self {
            Party::Person(person, _) => Some(*person),
            Party::Application(..) | Party::Nobody => None,
        }
    }
}

/// Whom the case sets side by side: two applications, an application and a register record, or two register records.
fn parties(case: &CasePage) -> (Party, Party) {
    let application =
        |id: Option<Uuid>, title| id.map(|id| Party::Application(ApplicationId::from_uuid(id), title));
    let person = |id: Option<Uuid>, title| id.map(|id| Party::Person(PersonId::from_uuid(id), title));
    let of_register = case.application_id.is_none();
    let first = if of_register { "case.side.first" } else { "case.side.person" };
    let mut found = [
        application(case.application_id, "case.side.application"),
        application(case.other_application_id, "case.side.earlier"),
        person(case.person_id, first),
        person(case.other_person_id, "case.side.second"),
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
    let empty = |title: &'static str| Side {
        title: lang.text(title),
        href: None,
        photo: None,
        alt: lang.fill("case.photo", &[("what", lang.text(title))]),
        hidden: false,
    };
    match party {
        Party::Application(id, title) => {
            let visible = store::applications::find(scoped, id).await?.is_some();
            if !visible {
                return Ok((Side { hidden: true, ..empty(title) }, None));
            }
            let declared = store::applications::pages::declared(scoped, id).await?;
            let described = declared.and_then(|declared| record::of_declared(state, lang, &declared.record));
            let photo = cards::photo(state, id).await.map(|jpeg| cards::data_uri(&jpeg));
            Ok((Side { href: Some(format!("/ho-so/{id}")), photo, ..empty(title) }, described))
        }
        Party::Person(id, title) => {
            let described = record::of_person(state, scoped, lang, id).await?;
            let href = described.is_some().then(|| format!("/cu-dan/{id}"));
            Ok((Side { hidden: href.is_none(), href, ..empty(title) }, described))
        }
        Party::Nobody => Ok((empty("case.side.nobody"), None)),
    }
}

/// Takes an adjudicator's decision. The case must lie inside the reader's unit; all other rules are `resolve`'s.
pub(crate) async fn decide(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(case_id): Path,
    body: Bytes,
) -> Result<Response, Error> {
    let parsed: CaseId = id(&case_id)?;
    let mut tx = state.db.scoped(&who.scope).await?;
    let Some(case) = store::cases::pages::case(&mut tx, parsed).await? else {
        drop(tx);
        return Err(not_shown(&state, &who, format!("case:{parsed}")).await);
    };
    let candidates = choices::candidates(&mut tx, ui.lang, &case).await?;
    drop(tx);
    let typed = Typed::read(&body);
    typed.command.ok_or(Error::BadForm("the command has no id"))?;
    let Some(decision) = choices::read(&typed.decision, &case, &candidates) else {
        let view = View { refusal: ui.t("case.refusal.nothing_chosen"), typed, ..View::default() };
        let drawn = draw(&state, &who, ui, &case_id, view).await?;
        return Ok((StatusCode::BAD_REQUEST, drawn).into_response());
    };
    let note = Some(typed.note.as_str()).filter(|note| !note.is_empty());
    let now = state.campaign.now();
    let refusal = match resolve::act(&state.db, parsed, &who.actor(), &decision, note, now).await {
        Ok(outcome) => {
            let result = match outcome {
                resolve::CaseOutcome::AwaitsConfirmation => "cho",
                resolve::CaseOutcome::Closed => "xong",
            };
            return Ok(Redirect::to(&format!("/ho-so-xet/{parsed}?kq={result}")).into_response());
        }
        Err(resolve::Error::SameEyes(_)) => ui.t("case.refusal.same_eyes"),
        Err(resolve::Error::AlreadyClosed(_)) => ui.t("case.refusal.already_closed"),
        Err(resolve::Error::DoesNotFit { .. }) => ui.t("case.refusal.does_not_fit"),
        Err(resolve::Error::Contradicts(_)) => ui.t("case.refusal.contradicts"),
        Err(error) => {
            tracing::error!(case.id = %parsed, %error, "a decision could not be written");
            ui.t("case.refusal.unavailable")
        }
    };
    let drawn = draw(&state, &who, ui, &case_id, View { refusal, typed, ..View::default() }).await?;
    Ok((StatusCode::CONFLICT, drawn).into_response())
}

/// The case with the form as it was sent, for a reader whose session did not draw it. Nothing is decided.
pub(crate) async fn again(
    state: &AppState,
    who: &Who,
    ui: Frame,
    case_id: &str,
    body: &[u8],
) -> Result<Response, Error> {
    let view = View { refusal: ui.t("case.refusal.lapsed"), typed: Typed::read(body), ..View::default() };
    let drawn = draw(state, who, ui, case_id, view).await?;
    Ok((StatusCode::FORBIDDEN, drawn).into_response())
}
