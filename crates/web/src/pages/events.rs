//! A civil event of one person: the form, what will happen, and the recording. What is right and what is
//! wrong with an event, crate `register` says.

pub(crate) mod typed;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, json};

use self::typed::{ROWS, Typed};
use crate::error::Error;
use crate::extract::{Path, Query};
use crate::frame::{page, unit_name};
use crate::looked::{self, Look, Standing};
use crate::pages::{id, not_shown, reason};
use crate::session::Who;
use crate::state::AppState;
use domain::Field;
use domain::clock::day_in_vietnam;
use domain::date::vietnamese;
use domain::field::Part;
use domain::id::{DocumentId, EventId, PersonId};
use register::paper::{self, PaperKind};
use register::{CardEffect, Effects, EventKind, Fault, NewEvent, PaperText, Request};
use store::register::pages::PersonPage;
use store::register::timeline::{TimelineRow, timeline};
use ui::format;
use ui::frame::Frame;
use ui::record::label;

/// The path of the form, whose body may hold a scan.
pub(crate) const PATH: &str = "/cu-dan/{person_id}/su-kien/moi";
/// Bytes of a form with a scan at most: the scan, and the text around it.
pub(crate) const MOST_FORM: usize = register::scan::MOST_BYTES + 64 * 1024;

#[derive(Template)]
#[template(path = "event.html")]
struct FormPage {
    ui: Frame,
    name: String,
    pin: String,
    birth: String,
    back: String,
    action: String,
    kind: &'static str,
    kind_label: &'static str,
    /// Nothing is chosen yet: the kinds to choose from.
    kinds: Vec<(String, &'static str, &'static str)>,
    event_id: String,
    faults: Vec<Line>,
    effects: Vec<String>,
    asks_changes: bool,
    asks_since: bool,
    asks_place: bool,
    asks_event: bool,
    needs_paper: bool,
    papers: Vec<Choice>,
    fields: Vec<(String, String)>,
    rows: Vec<Row>,
    events: Vec<(String, String)>,
    typed: Typed,
    most_mib: usize,
}

/// A fault, with the field that it leads to.
struct Line {
    anchor: &'static str,
    text: String,
}

struct Choice {
    code: &'static str,
    label: &'static str,
    chosen: bool,
}

struct Row {
    number: usize,
    field: String,
    value: String,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    loai: Option<String>,
}

/// The person whom the form is about, if the reader may see it and has said why.
enum Subject {
    Open(Box<PersonPage>, Option<String>),
    AsksWhy,
}

async fn subject(state: &AppState, who: &Who, person: PersonId) -> Result<Subject, Error> {
    let standing = looked::standing(state, who, person).await?;
    let mut tx = state.db.scoped(&who.scope).await?;
    let found = store::register::pages::person(&mut tx, person).await?;
    drop(tx);
    let Some(found) = found else { return Err(not_shown(state, who, format!("person:{person}")).await) };
    Ok(match standing {
        Standing::Unsaid => Subject::AsksWhy,
        Standing::Reason(reason) => Subject::Open(Box::new(found), Some(reason)),
        Standing::AtHand => Subject::Open(Box::new(found), None),
    })
}

/// The form, or the kinds to choose from.
pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(person_id): Path,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let person: PersonId = id(&person_id)?;
    let (found, reason) = match subject(&state, &who, person).await? {
        Subject::Open(found, reason) => (found, reason),
        Subject::AsksWhy => return reason::ask(ui, person, reason::Typed::default()),
    };
    let look = Look {
        action: "person.read",
        subject: format!("person:{person}"),
        unit_path: &found.unit_path,
        question: reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason })),
        things: vec![person.uuid()],
    };
    looked::note(&state, &who, look).await?;
    let kind = asked.loai.as_deref().and_then(EventKind::from_code);
    let faults = Vec::new();
    draw(&state, &who, ui, &found, View { kind, faults, typed: Typed::default() }).await
}

/// Takes the form: records the event, or says what is wrong with it.
pub(crate) async fn record(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(person_id): Path,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    let person: PersonId = id(&person_id)?;
    let (found, reason) = match subject(&state, &who, person).await? {
        Subject::Open(found, reason) => (found, reason),
        Subject::AsksWhy => return reason::ask(ui, person, reason::Typed::default()),
    };
    let typed = Typed::read(&headers, &body).await?;
    drop(body);
    let event_id = typed.event_id().ok_or(Error::BadForm("a form without the id of its event"))?;
    let event = typed.event(event_id, person, state.units());
    let mut note = Map::new();
    note.insert("address".to_owned(), json!(who.address));
    note.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
    let actor = who.actor();
    let request = Request {
        scope: &who.scope,
        actor: &actor,
        now: state.campaign.now(),
        event: &event,
        scan: typed.scan.as_deref(),
        note,
    };
    let is_confirmed = typed.is_confirmed();
    let answered = if is_confirmed {
        register::apply(&state.db, &request).await
    } else {
        register::preview(&state.db, &request).await
    };
    let mut lines = match answered {
        Ok(_) if is_confirmed => {
            let to = format!("/cu-dan/{person}?ghi={}", event.kind);
            return Ok(Redirect::to(&to).into_response());
        }
        Ok(_) => Vec::new(),
        Err(register::Error::Refused(faults)) => in_words(&ui, &faults),
        Err(error) => return Err(error.into()),
    };
    if !is_confirmed {
        lines.push(Line { anchor: "xac-nhan", text: ui.t("event.not_confirmed").to_owned() });
    }
    let view = View { kind: typed.kind(), faults: lines, typed };
    let drawn = draw(&state, &who, ui, &found, view).await?;
    Ok((StatusCode::BAD_REQUEST, drawn).into_response())
}

/// A paper's scan, as a file to keep.
pub(crate) async fn scan(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path((person_id, document_id)): Path<(String, String)>,
) -> Result<Response, Error> {
    let (person, document): (PersonId, DocumentId) = (id(&person_id)?, id(&document_id)?);
    let (found, reason) = match subject(&state, &who, person).await? {
        Subject::Open(found, reason) => (found, reason),
        Subject::AsksWhy => return reason::ask(ui, person, reason::Typed::default()),
    };
    let mut conn = state.db.read().await?;
    let scan = store::register::papers::scan(&mut conn, person, document).await?;
    drop(conn);
    let Some((media, bytes)) = scan else {
        return Err(not_shown(&state, &who, format!("document:{document}")).await);
    };
    let look = Look {
        action: "document.read",
        subject: format!("person:{person}"),
        unit_path: &found.unit_path,
        question: json!({ "document": document, "reason": reason }),
        things: vec![person.uuid()],
    };
    looked::note(&state, &who, look).await?;
    let ending = match media.as_str() {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        _ => "pdf",
    };
    // A file to keep and no page: what somebody scanned is not drawn on this site's address.
    let kept = format!("attachment; filename=\"giay-to.{ending}\"");
    Ok(([(header::CONTENT_TYPE, media), (header::CONTENT_DISPOSITION, kept)], bytes).into_response())
}

/// What the form shows beside the person.
struct View {
    kind: Option<EventKind>,
    faults: Vec<Line>,
    typed: Typed,
}

async fn draw(
    state: &AppState,
    who: &Who,
    ui: Frame,
    found: &PersonPage,
    view: View,
) -> Result<Response, Error> {
    let person = PersonId::from_uuid(found.person_id);
    let action = format!("/cu-dan/{person}/su-kien/moi");
    let View { kind, mut faults, typed } = view;
    let mut effects = Vec::new();
    if let Some(kind) = kind {
        let (foreseen, against) = foresee(state, who, &ui, person, kind).await?;
        effects = foreseen;
        if faults.is_empty() {
            faults = against;
        }
    }
    let is = |of: &[EventKind]| kind.is_some_and(|kind| of.contains(&kind));
    let events = if is(&[EventKind::Reversed]) { reversible(state, &ui, person).await? } else { Vec::new() };
    let event_id = typed.event_id().unwrap_or_else(|| EventId::from_uuid(state.random_id()));
    let chosen = match typed.get("giay-loai") {
        "" => kind.map(usual_paper),
        code => PaperKind::from_code(code),
    };
    page(&FormPage {
        name: found.full_name.clone(),
        pin: found.pin.clone().unwrap_or_default(),
        birth: found.birth_date()?.to_string(),
        back: format!("/cu-dan/{person}"),
        kinds: EventKind::ALL
            .map(|kind| {
                let code = kind.code();
                (format!("{action}?loai={code}"), ui.code("event.kind", code), ui.code("event.about", code))
            })
            .into(),
        kind: kind.map_or("", EventKind::code),
        kind_label: kind.map_or("", |kind| ui.code("event.kind", kind.code())),
        event_id: event_id.to_string(),
        asks_changes: is(&[EventKind::Corrected, EventKind::Supplemented]),
        asks_since: is(&[EventKind::Corrected]),
        asks_place: is(&[EventKind::Moved]),
        asks_event: is(&[EventKind::Reversed]),
        needs_paper: kind.is_some_and(paper::is_needed),
        papers: PaperKind::ALL
            .map(|paper| Choice {
                code: paper.code(),
                label: ui.code("paper.kind", paper.code()),
                chosen: chosen == Some(paper),
            })
            .into(),
        fields: fields(&ui),
        rows: (1..=ROWS)
            .map(|number| Row {
                number,
                field: typed.get(&format!("truong-{number}")).to_owned(),
                value: typed.get(&format!("gia-tri-{number}")).to_owned(),
            })
            .collect(),
        most_mib: register::scan::MOST_BYTES / (1024 * 1024),
        action,
        faults,
        effects,
        events,
        typed,
        ui,
    })
}

const fn usual_paper(kind: EventKind) -> PaperKind {
    match kind {
        EventKind::Died => PaperKind::DeathExtract,
        EventKind::DeathUndone | EventKind::DeclaredMissing | EventKind::Found => PaperKind::CourtDecision,
        EventKind::Corrected | EventKind::Supplemented => PaperKind::CivilStatus,
        EventKind::Moved => PaperKind::Residence,
        EventKind::Reversed => PaperKind::Verification,
    }
}

/// What an event of this kind will do to this person, and what stands against it, whatever is typed.
async fn foresee(
    state: &AppState,
    who: &Who,
    ui: &Frame,
    person: PersonId,
    kind: EventKind,
) -> Result<(Vec<String>, Vec<Line>), Error> {
    let values_decide = match kind {
        EventKind::Died | EventKind::DeathUndone | EventKind::DeclaredMissing | EventKind::Found => false,
        EventKind::Corrected | EventKind::Supplemented | EventKind::Moved | EventKind::Reversed => true,
    };
    if values_decide {
        return Ok((vec![ui.code("event.will", kind.code()).to_owned()], Vec::new()));
    }
    let (event_id, now) = (EventId::from_uuid(state.random_id()), state.campaign.now());
    let today = vietnamese(day_in_vietnam(now));
    let paper = PaperText {
        kind: PaperKind::Other.code().to_owned(),
        number: event_id.to_string(),
        authority: "-".to_owned(),
        issued_on: today.clone(),
    };
    let event = NewEvent {
        legal_on: today,
        paper: Some(paper),
        ..NewEvent::new(event_id, &person.to_string(), kind.code())
    };
    let (scope, actor) = (&who.scope, who.actor());
    let request = Request { scope, actor: &actor, now, event: &event, scan: None, note: Map::new() };
    match register::preview(&state.db, &request).await {
        Ok(outcome) => {
            let mut lines = vec![ui.code("event.will", kind.code()).to_owned()];
            lines.extend(effects_in_words(state, ui, &outcome.effects));
            Ok((lines, Vec::new()))
        }
        Err(register::Error::Refused(faults)) => Ok((Vec::new(), in_words(ui, &faults))),
        Err(error) => Err(error.into()),
    }
}

fn effects_in_words(state: &AppState, ui: &Frame, effects: &Effects) -> Vec<String> {
    let mut lines = Vec::new();
    if effects.invitations_withdrawn > 0 {
        lines.push(ui.t("event.effect.invitation").to_owned());
    }
    for (_, effect) in &effects.cards {
        let key = match effect {
            CardEffect::Blocked => "event.effect.blocked",
            CardEffect::Reinstated => "event.effect.reinstated",
            CardEffect::Held => "event.effect.held",
            CardEffect::Freed => "event.effect.freed",
        };
        lines.push(ui.t(key).to_owned());
    }
    for counted in &effects.counted {
        let key = if counted.delta < 0 { "event.effect.counted_less" } else { "event.effect.counted_more" };
        let unit = unit_name(state, &counted.unit.to_string());
        lines.push(ui.lang.fill(key, &[("unit", &unit)]));
    }
    lines
}

/// Faults in words, each with the field of the form that it is about.
fn in_words(ui: &Frame, faults: &[Fault]) -> Vec<Line> {
    let line = |fault: &Fault| {
        let words = ui.code("event.fault", fault.code());
        let (anchor, of) = match fault.place() {
            "legal_on" => ("hieu-luc", ui.t("event.legal_on")),
            "paper.kind" => ("giay-loai", ui.t("event.paper_kind")),
            "paper.number" => ("giay-so", ui.t("event.paper_number")),
            "paper.authority" => ("giay-noi", ui.t("event.paper_authority")),
            "paper.issued_on" => ("giay-ngay", ui.t("event.paper_day")),
            "scan" => ("tep", ui.t("event.scan")),
            "since" => ("tu-khi", ui.t("event.since")),
            "changes" => ("truong-1", ui.t("event.changes")),
            "to" => ("thuong-tru", ui.t("event.to")),
            "reverses" => ("su-kien", ui.t("event.reverses")),
            "permanent" => ("thuong-tru", label(ui.lang, Field::Permanent)),
            "current" => ("hien-tai", label(ui.lang, Field::Current)),
            place => match Field::from_code(place) {
                Some(field) => ("truong-1", label(ui.lang, field)),
                None => ("noi-dung", ""),
            },
        };
        let text = if of.is_empty() { words.to_owned() } else { format!("{of}: {words}") };
        Line { anchor, text }
    };
    faults.iter().map(line).collect()
}

/// The values that can be changed, by their codes.
pub(crate) fn fields(ui: &Frame) -> Vec<(String, String)> {
    let named = |(field, part): (Field, Part)| {
        let label = label(ui.lang, field);
        let text = match part {
            Part::Whole => label.to_owned(),
            Part::Unit | Part::Detail | Part::Name | Part::Pin => {
                format!("{label}: {}", ui.code("event.part", part.code()))
            }
        };
        (format!("{}.{}", field.code(), part.code()), text)
    };
    Field::ALL
        .into_iter()
        .filter(|field| *field != Field::Pin)
        .flat_map(|field| field.parts().iter().map(move |part| (field, *part)))
        .map(named)
        .collect()
}

/// The events of this person that can be taken back, the newest first.
async fn reversible(state: &AppState, ui: &Frame, person: PersonId) -> Result<Vec<(String, String)>, Error> {
    let mut conn = state.db.read().await?;
    let rows = timeline(&mut conn, person).await?;
    let taken_back: Vec<i32> = rows.iter().filter_map(|row| row.takes_back).collect();
    let can = |row: &&TimelineRow| {
        matches!(row.kind.as_str(), "corrected" | "moved") && !taken_back.contains(&row.version)
    };
    let told = |row: &TimelineRow| {
        let fields = row.fields.iter().filter_map(|code| Field::from_code(code));
        let fields: Vec<&str> = fields.map(|field| label(ui.lang, field)).collect();
        let what = ui.code("event", &row.kind);
        let at = format::moment(row.recorded_at);
        Some((row.event_id?.to_string(), format!("{what} ({}), {at}", fields.join(", "))))
    };
    Ok(rows.iter().filter(can).filter_map(told).collect())
}
