//! The adjudicator's desk: which cases wait, two records side by side with the reasons, and the decision by
//! two people.

mod side;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use uuid::Uuid;

use crate::error::Error;
use crate::extract::{Path, Query};
use crate::form::form_field;
use crate::frame::{page, unit_of_path};
use crate::pages::actor::Actors;
use crate::pages::choices::{self, Barred, Candidate, Offer};
use crate::pages::evidence::{self, Shown};
use crate::pages::{PageSize, Tab, id, not_shown, note_read};
use crate::session::Who;
use crate::state::AppState;
use domain::Actor;
use domain::id::{CaseId, PersonId};
use resolve::cases::{Act, ActKind, Command, Done, Refusal, Sheet, Stage};
use store::cases::pages::CaseStage;
use store::cases::{Case, CaseAction};
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;
use ui::record::{Compared, compare};

use self::side::{Party, Side, parties, side};

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
    /// Whose decision it is that stands, and how far it is; empty for an open case.
    standing: &'static str,
    /// What was decided so far.
    decision: String,
    /// Why what stands cannot be carried out any more, or not be taken back.
    obstacle: &'static str,
    /// Two disagreed: a third must propose or confirm.
    needs_third: bool,
    history: Vec<ActionLine>,
    offers: Vec<Offer>,
    barred: Vec<Barred>,
    /// What the reader may do now, the usual first.
    acts: Vec<ActButton>,
    /// Whoever does one of these must say why.
    needs_reason: bool,
    /// To accept the application takes a paper.
    needs_paper: bool,
    hint: &'static str,
    command: String,
    version: i16,
    /// Why, in the words that were typed and not written yet.
    note: String,
    message: &'static str,
    refusal: &'static str,
}

/// A button of the form.
struct ActButton {
    value: &'static str,
    label: &'static str,
    class: &'static str,
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
    /// What the reader has just done.
    done: Option<ActKind>,
    refusal: &'static str,
    beside: Option<&'a str>,
    typed: Typed,
}

/// What the form was sent with, for drawing it again.
#[derive(Default)]
struct Typed {
    act: Option<ActKind>,
    /// The version of the case that the form was drawn at.
    version: Option<i16>,
    decision: String,
    note: String,
    /// Made when the form was first drawn: the same form sent twice is one command.
    command: Option<Uuid>,
}

impl Typed {
    fn read(body: &[u8]) -> Typed {
        let field = |name| form_field(body, name).unwrap_or_default();
        Typed {
            act: ActKind::from_code(&field("viec")),
            version: field("ban").parse().ok(),
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
    let line = |row: &Case| CaseLine {
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
    let done = ActKind::ALL.into_iter().find(|kind| filter.kq.as_deref() == Some(result(*kind)));
    let view = View { done, beside: filter.ben.as_deref(), ..View::default() };
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
    let sheet = read(state, who, case_id).await?;
    let case = &sheet.case;
    let lang = ui.lang;
    let mut tx = state.db.scoped(&who.scope).await?;
    let candidates = choices::candidates(&mut tx, lang, &sheet).await?;
    let (left, mut right) = parties(case);
    let chosen = view.beside.and_then(|text| text.parse::<PersonId>().ok());
    let chosen = chosen.filter(|chosen| candidates.iter().any(|c| c.person == *chosen && c.name.is_some()));
    if let Some(chosen) = chosen.filter(|_| case.application_id.is_some()) {
        right = Party::Person(chosen, "case.side.person");
    }
    let beside = right.person();
    let (left, left_record) = side(state, who, &mut tx, lang, left).await?;
    let (right, right_record) = side(state, who, &mut tx, lang, right).await?;
    drop(tx);
    let sides = [case.application_id.map(|id| id.uuid()), case.other_application_id.map(|id| id.uuid())];
    let people = [case.person_id.map(|id| id.uuid()), case.other_person_id.map(|id| id.uuid())];
    let things = sides.into_iter().chain(people).chain([chosen.map(|id| id.uuid())]).flatten().collect();
    note_read(state, who, "case.read", format!("case:{case_id}"), &case.unit_path, things).await?;
    let mut said_by: Vec<String> = sheet.said.iter().map(|action| action.actor.to_string()).collect();
    said_by.extend(evidence::officers(&sheet.evidence));
    let actors = Actors::load(state, said_by.iter().map(String::as_str)).await?;
    let mut shown = evidence::in_words(lang, &sheet.evidence);
    shown.rest.extend(evidence::officers_by_name(lang, &sheet.evidence, &actors));
    let compared = compare(lang, left_record.as_ref(), right_record.as_ref(), |_, left, right| {
        left.to_uppercase() != right.to_uppercase()
    });
    let action = format!("/ho-so-xet/{case_id}");
    let me = who.actor();
    let acts = acts(lang, &sheet, &me);
    let proposes = sheet.may(ActKind::Propose, &me).is_ok();
    let decision = sheet.standing.stage.decision();
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
        shown,
        standing: standing(lang, &sheet, &me),
        decision: decision
            .map(|decision| choices::in_words(lang, &sheet, &candidates, decision))
            .unwrap_or_default(),
        obstacle: sheet
            .obstacle
            .map(|obstacle| ui.code("case.obstacle", obstacle.code()))
            .unwrap_or_default(),
        needs_third: sheet.standing.parties.is_some()
            && !matches!(sheet.standing.stage, Stage::Closed { .. }),
        history: sheet.said.iter().map(|action| action_line(lang, &actors, action)).collect(),
        offers: match proposes {
            true => choices::offers(lang, &sheet, &candidates, &view.typed.decision),
            false => Vec::new(),
        },
        barred: match proposes {
            true => choices::barred(lang, &sheet, &candidates),
            false => Vec::new(),
        },
        needs_reason: sheet.may(ActKind::Reopen, &me).is_ok(),
        needs_paper: proposes && sheet.needs_paper(),
        hint: hint(lang, &sheet, &me),
        acts,
        candidates: match case.application_id {
            Some(_) => candidates.iter().map(|c| candidate_line(lang, &action, c, beside)).collect(),
            None => Vec::new(),
        },
        back: chosen.is_some().then(|| action.clone()),
        action,
        command: view.typed.command.unwrap_or_else(|| state.random_id()).to_string(),
        version: sheet.standing.version,
        note: view.typed.note,
        message: message(lang, &sheet, view.done),
        refusal: view.refusal,
        ui,
    })
}

/// The case, if the reader sees it.
async fn read(state: &AppState, who: &Who, case: CaseId) -> Result<Sheet, Error> {
    match resolve::cases::read(&state.db, &who.scope, case).await? {
        Some(sheet) => Ok(sheet),
        None => Err(not_shown(state, who, format!("case:{case}")).await),
    }
}

/// How a page's address says what was done.
const fn result(kind: ActKind) -> &'static str {
    match kind {
        ActKind::Propose => "cho",
        ActKind::Confirm => "xong",
        ActKind::Disagree => "khac",
        ActKind::Withdraw => "rut",
        ActKind::Reopen => "lai",
    }
}

/// What was done, as long as nobody did anything since.
fn message(lang: Lang, sheet: &Sheet, done: Option<ActKind>) -> &'static str {
    let Some(done) = done else { return "" };
    match sheet.said.last().is_some_and(|latest| latest.action == done.code()) {
        true => lang.text(&format!("case.message.{}", done.code())),
        false => lang.text("case.message.before"),
    }
}

fn standing(lang: Lang, sheet: &Sheet, me: &Actor) -> &'static str {
    match &sheet.standing.stage {
        Stage::Open => "",
        Stage::Proposed { by, .. } if by == me => lang.text("case.proposed_by_you"),
        Stage::Proposed { .. } => lang.text("case.proposed"),
        Stage::Closed { .. } => lang.text("case.decided"),
    }
}

fn acts(lang: Lang, sheet: &Sheet, me: &Actor) -> Vec<ActButton> {
    let mut acts: Vec<ActButton> = ActKind::ALL
        .into_iter()
        .filter(|kind| sheet.may(*kind, me).is_ok())
        .map(|kind| ActButton {
            value: kind.code(),
            label: lang.text(&format!("case.act.{}", kind.code())),
            class: "button second",
        })
        .collect();
    if let Some(first) = acts.first_mut() {
        first.class = "button";
    }
    acts
}

/// What follows from the reader's acts, or why there are none.
fn hint(lang: Lang, sheet: &Sheet, me: &Actor) -> &'static str {
    let refused = |kind| sheet.may(kind, me).err();
    lang.text(match (&sheet.standing.stage, refused(ActKind::Confirm)) {
        (Stage::Open, _) => "case.four_eyes",
        (Stage::Closed { .. }, _) if refused(ActKind::Reopen).is_none() => "case.hint.reopen",
        (Stage::Closed { .. }, _) => "case.is_closed",
        (Stage::Proposed { .. }, Some(Refusal::OwnProposal)) => "case.own",
        (Stage::Proposed { .. }, Some(Refusal::NeedsThird)) => "case.refusal.needs_third",
        (Stage::Proposed { .. }, Some(Refusal::Obstacle(_))) => "case.hint.obstacle",
        (Stage::Proposed { .. }, _) => "case.hint.disagree",
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

fn action_line(lang: Lang, actors: &Actors, action: &CaseAction) -> ActionLine {
    ActionLine {
        what: lang.text(&format!("case.action.{}", action.action)),
        decision: lang.text(&format!("decision.{}", action.decision)),
        who: actors.name(lang, &action.actor.to_string()),
        at: format::moment(action.at),
        machine: format::machine(action.at),
        note: action.note.clone().unwrap_or_default(),
    }
}

/// Takes what an adjudicator does about a case. The case must lie inside the reader's unit; all other rules
/// are
/// `resolve`'s.
pub(crate) async fn act(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(case_id): Path,
    body: Bytes,
) -> Result<Response, Error> {
    let case: CaseId = id(&case_id)?;
    let sheet = read(&state, &who, case).await?;
    let typed = Typed::read(&body);
    let command_id = typed.command.ok_or(Error::BadForm("the command has no id"))?;
    let version = typed.version.ok_or(Error::BadForm("the form does not say which version it is of"))?;
    let kind = typed.act.ok_or(Error::BadForm("the form does not say what to do"))?;
    let act = match kind {
        ActKind::Confirm => Act::Confirm,
        ActKind::Disagree => Act::Disagree,
        ActKind::Withdraw => Act::Withdraw,
        ActKind::Reopen => Act::Reopen,
        ActKind::Propose => {
            let mut tx = state.db.scoped(&who.scope).await?;
            let candidates = choices::candidates(&mut tx, ui.lang, &sheet).await?;
            drop(tx);
            match choices::read(&typed.decision, &sheet, &candidates) {
                Some(decision) => Act::Propose(decision),
                None => {
                    let view =
                        View { refusal: ui.t("case.refusal.nothing_chosen"), typed, ..View::default() };
                    let drawn = draw(&state, &who, ui, &case_id, view).await?;
                    return Ok((StatusCode::BAD_REQUEST, drawn).into_response());
                }
            }
        }
    };
    let command = Command {
        id: command_id,
        case,
        by: &Actor::Account(who.account),
        seen: Some(version),
        reason: Some(&typed.note),
        at: state.campaign.now(),
    };
    let (status, refusal) = match resolve::cases::act(&state.db, &command, &act).await {
        Ok(Done { .. }) => {
            return Ok(Redirect::to(&format!("/ho-so-xet/{case}?kq={}", result(kind))).into_response());
        }
        Err(resolve::Error::Refused { refusal, .. }) => refused(ui.lang, refusal),
        Err(error) => {
            tracing::error!(case.id = %case, %error, "what was decided about a case could not be written");
            (StatusCode::SERVICE_UNAVAILABLE, ui.t("case.refusal.unavailable"))
        }
    };
    let drawn = draw(&state, &who, ui, &case_id, View { refusal, typed, ..View::default() }).await?;
    Ok((status, drawn).into_response())
}

/// How a refusal is answered, and in which words.
fn refused(lang: Lang, refusal: Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::NoReason => (StatusCode::BAD_REQUEST, lang.text("case.refusal.no_reason")),
        Refusal::NoPaper => (StatusCode::BAD_REQUEST, lang.text("case.refusal.no_paper")),
        Refusal::Obstacle(obstacle) => {
            (StatusCode::CONFLICT, lang.text(&format!("case.obstacle.{}", obstacle.code())))
        }
        other => (StatusCode::CONFLICT, lang.text(&format!("case.refusal.{}", other.code()))),
    }
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
