//! One case: what is asked beside what the register states, what was done, and what may be done now.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, json};

use super::typed::{AS_ASKED, OTHER_VALUE, REFUSED, Typed};
use super::{ADDRESS, words};
use crate::error::Error;
use crate::extract::{Path, Query};
use crate::frame::{own_unit, page};
use crate::looked::{self, Look};
use crate::pages::actor::Actors;
use crate::pages::{id, not_shown};
use crate::session::{Role, Who};
use crate::state::AppState;
use domain::correction::{CaseAction, Desk, Outcome, Verb, may};
use domain::date::vietnamese;
use domain::id::{ActId, CorrectionId};
use register::cases::{self, Act, Acting, CaseError, What, days_late};
use register::paper::PaperKind;
use store::register::corrections::{self, ActionRow, CaseRow};
use store::register::pages::PersonPage;
use store::register::papers::{self, PaperRow};
use ui::format;
use ui::frame::Frame;

/// The path of one case, whose form may hold a scan.
pub(crate) const PATH: &str = "/cai-chinh/{correction_id}";

#[derive(Template)]
#[template(path = "correction.html")]
struct OnePage {
    ui: Frame,
    fields: String,
    name: String,
    birth: String,
    pin: String,
    /// The register's page, for those who may open it.
    person: Option<String>,
    state: &'static str,
    class: &'static str,
    /// Who has to do what now, in a sentence.
    waits: String,
    unit: String,
    source: String,
    opened: String,
    owner: String,
    due: String,
    late: String,
    verified: bool,
    message: &'static str,
    faults: Vec<String>,
    items: Vec<ItemLine>,
    paper: String,
    scan: Option<String>,
    history: Vec<ActionLine>,
    acts: Vec<ActForm>,
    action: String,
    command: String,
    version: u16,
    papers: Vec<(&'static str, &'static str, bool)>,
    colleagues: Vec<(String, String)>,
    most_mib: usize,
    typed: Typed,
}

struct ItemLine {
    number: usize,
    label: String,
    register: String,
    claimed: String,
    outcome: &'static str,
    granted: String,
    answer: String,
    typed: String,
}

struct ActionLine {
    what: &'static str,
    who: String,
    desk: &'static str,
    at: String,
    machine: String,
    to: String,
    reason: String,
}

/// What may be done now, as a form.
struct ActForm {
    code: &'static str,
    label: &'static str,
    about: &'static str,
    needs_reason: bool,
    needs_confirm: bool,
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    /// What was just done.
    kq: Option<String>,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(case): Path,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let case = read(&state, &who, id(&case)?).await?;
    let done = asked.kq.as_deref().and_then(Verb::from_code);
    let message = done.map_or("", |verb| ui.code("correction.done", verb.code()));
    draw(&state, &who, ui, &case, View { message, ..View::default() }).await
}

/// Takes a form: does what it says, or says what stands against it.
pub(crate) async fn act(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(case): Path,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    let row = read(&state, &who, id(&case)?).await?;
    let typed = Typed::read(&headers, &body).await?;
    drop(body);
    let verb = typed.verb().ok_or(Error::BadForm("a form about a case that says nothing to do"))?;
    let action_id = typed.action_id().ok_or(Error::BadForm("a form without the id of its act"))?;
    let seen = typed.seen().ok_or(Error::BadForm("a form that does not say what was read"))?;
    let by = who.by().ok_or(Error::Forbidden)?;
    if needs_confirm(verb) && !typed.is_confirmed() {
        let faults = vec![ui.t("correction.not_confirmed").to_owned()];
        let drawn = draw(&state, &who, ui, &row, View { faults, typed, ..View::default() }).await?;
        return Ok((StatusCode::BAD_REQUEST, drawn).into_response());
    }
    let (paper, answers) = (typed.paper(), typed.answers(&row.case, state.units()));
    let what = match verb {
        Verb::Request => return Err(Error::BadForm("a case is opened elsewhere")),
        Verb::Take => What::Take { verifies: typed.get("xac-minh") == "1" },
        Verb::IssuePaper => {
            What::IssuePaper { paper: &paper, scan: typed.scan.as_deref(), answers: &answers }
        }
        Verb::Apply => What::Apply,
        Verb::Refuse => What::Refuse,
        Verb::Withdraw => What::Withdraw,
        Verb::Reassign => {
            What::Reassign { to: typed.to().ok_or(Error::BadForm("a case is given to nobody"))? }
        }
    };
    let mut note = Map::new();
    note.insert("address".to_owned(), json!(who.address));
    let acting = Acting { scope: &who.scope, by: &by, now: state.campaign.now(), note };
    let act = Act { case_id: row.case_id, action_id, seen: Some(seen), what, reason: typed.get("ly-do") };
    match cases::act_on_case(&state.db, &acting, &act).await {
        Ok(_) => {
            let to = format!("{ADDRESS}/{}?kq={}", row.case_id, verb.code());
            Ok(Redirect::to(&to).into_response())
        }
        Err(CaseError::Refused(faults)) => {
            let faults = faults.iter().map(|fault| words::fault(&ui, fault)).collect();
            // Read anew: somebody may have gone on with it.
            let row = read(&state, &who, row.case_id).await?;
            let drawn = draw(&state, &who, ui, &row, View { faults, typed, ..View::default() }).await?;
            Ok((StatusCode::BAD_REQUEST, drawn).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// The scan of a case's paper, as a file to keep.
pub(crate) async fn scan(
    State(state): State<AppState>,
    who: Who,
    Path(case): Path,
) -> Result<Response, Error> {
    let row = read(&state, &who, id(&case)?).await?;
    let mut conn = state.db.read().await?;
    let found = papers::scan_of_case(&mut conn, row.case_id).await?;
    drop(conn);
    let Some((media, bytes)) = found else {
        return Err(not_shown(&state, &who, format!("correction:{}", row.case_id)).await);
    };
    look(&state, &who, &row, "document.read").await?;
    let ending = match media.as_str() {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        _ => "pdf",
    };
    let kept = format!("attachment; filename=\"giay-to.{ending}\"");
    Ok(([(header::CONTENT_TYPE, media), (header::CONTENT_DISPOSITION, kept)], bytes).into_response())
}

/// The case, if the reader sees it.
async fn read(state: &AppState, who: &Who, case: CorrectionId) -> Result<CaseRow, Error> {
    let mut scoped = state.db.scoped(&who.scope).await?;
    let found = corrections::read(&mut scoped, case).await?;
    drop(scoped);
    match found {
        Some(row) => Ok(row),
        None => Err(not_shown(state, who, format!("correction:{case}")).await),
    }
}

async fn look(state: &AppState, who: &Who, row: &CaseRow, action: &'static str) -> Result<(), Error> {
    let (subject, things) = (format!("correction:{}", row.case_id), vec![row.person_id.uuid()]);
    let look = Look { action, subject, unit_path: &row.unit_path, question: json!({}), things };
    looked::note(state, who, look).await
}

/// What cannot be undone, or goes to somebody else, is confirmed.
const fn needs_confirm(verb: Verb) -> bool {
    match verb {
        Verb::Request | Verb::Take => false,
        Verb::IssuePaper | Verb::Apply | Verb::Refuse | Verb::Withdraw | Verb::Reassign => true,
    }
}

/// What the page shows beside the case.
#[derive(Default)]
struct View {
    message: &'static str,
    faults: Vec<String>,
    typed: Typed,
}

async fn draw(state: &AppState, who: &Who, ui: Frame, row: &CaseRow, view: View) -> Result<Response, Error> {
    let mut scoped = state.db.scoped(&who.scope).await?;
    let person = store::register::pages::person(&mut scoped, row.person_id).await?;
    let history = corrections::history(&mut scoped, row.case_id).await?;
    let paper = match row.case.document {
        Some(document) => papers::read(&mut scoped, document).await?,
        None => None,
    };
    drop(scoped);
    look(state, who, row, "correction.read").await?;
    let mut said_by: Vec<String> = history.iter().map(|done| done.by.actor.to_string()).collect();
    said_by.extend(history.iter().filter_map(|done| given_to(&done.action)));
    said_by.extend(row.case.owner.iter().map(ToString::to_string));
    let actors = Actors::load(state, said_by.iter().map(String::as_str)).await?;
    let by = who.by();
    let may_do = |verb: Verb| by.as_ref().is_some_and(|by| may(Some(&row.case), by, verb).is_ok());
    let colleagues = if may_do(Verb::Reassign) { colleagues(state, row).await? } else { Vec::new() };
    // What has nobody to go to is not offered.
    let is_offered = |verb: &Verb| may_do(*verb) && (*verb != Verb::Reassign || !colleagues.is_empty());
    let today = state.campaign.today();
    let lang = ui.lang;
    let View { message, faults, typed } = view;
    let fields: Vec<&str> = labels(row, &ui);
    let is_open = row.case.state.is_open();
    let born = person.as_ref().map(PersonPage::birth_date).transpose()?;
    let unit = own_unit(state, &row.unit_path);
    page(&OnePage {
        fields: fields.join(", "),
        name: person
            .as_ref()
            .map_or_else(|| ui.t("correction.elsewhere").to_owned(), |p| p.full_name.clone()),
        birth: born.map(|day| day.to_string()).unwrap_or_default(),
        pin: person.as_ref().and_then(|p| p.pin.clone()).unwrap_or_default(),
        person: (person.is_some() && Role::STAFF.contains(&who.role))
            .then(|| format!("/cu-dan/{}", row.person_id)),
        state: ui.code("correction.state", row.case.state.code()),
        class: words::class(row.case.state),
        waits: if is_open {
            lang.fill(&format!("correction.waits.{}", row.case.state.code()), &[("unit", &unit)])
        } else {
            String::new()
        },
        unit,
        source: source(&ui, row),
        opened: format::moment(row.opened_at),
        owner: row.case.owner.as_ref().map(|o| actors.name(lang, &o.to_string())).unwrap_or_default(),
        due: row.due_on.map(format::date).unwrap_or_default(),
        late: if is_open { words::late(&ui, days_late(row.due_on, today)) } else { String::new() },
        verified: row.case.kind == domain::profile::Correction::CorrectionVerified,
        message,
        faults,
        items: items(state, &ui, row, &typed),
        paper: paper.as_ref().map(|paper| paper_line(&ui, paper)).unwrap_or_default(),
        scan: paper
            .as_ref()
            .and_then(|paper| paper.scan.as_ref())
            .map(|_| format!("{ADDRESS}/{}/giay-to", row.case_id)),
        history: history.iter().map(|done| action_line(&ui, &actors, done)).collect(),
        acts: Verb::ALL.into_iter().filter(is_offered).map(|verb| act_form(&ui, verb)).collect(),
        action: format!("{ADDRESS}/{}", row.case_id),
        command: typed.action_id().unwrap_or_else(|| ActId::from_uuid(state.random_id())).to_string(),
        version: row.case.actions,
        papers: PaperKind::ALL.map(|kind| paper_choice(&ui, kind, &typed)).into(),
        colleagues,
        most_mib: register::scan::MOST_BYTES / (1024 * 1024),
        typed,
        ui,
    })
}

fn labels(row: &CaseRow, ui: &Frame) -> Vec<&'static str> {
    let mut labels = Vec::new();
    for (field, _) in row.case.items.keys() {
        let label = ui::record::label(ui.lang, *field);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

fn source(ui: &Frame, row: &CaseRow) -> String {
    let source = ui.code("correction.source", row.source.code());
    match &row.source_ref {
        None => source.to_owned(),
        Some(of) => {
            let rule = register::quality::Rule::from_code(of).map(|rule| {
                let (vi, en) = &rule.text().says;
                match ui.lang {
                    ui::i18n::Lang::Vi => vi.as_str(),
                    ui::i18n::Lang::En => en.as_str(),
                }
            });
            format!("{source}: {}", rule.unwrap_or(of))
        }
    }
}

fn items(state: &AppState, ui: &Frame, row: &CaseRow, typed: &Typed) -> Vec<ItemLine> {
    let line = |((key, item), number): ((&(_, _), &domain::correction::Item), usize)| {
        let value = |value: &Option<String>| words::value(state, ui.lang, *key, value.as_deref());
        let answer = typed.get(&format!("tra-loi-{number}"));
        ItemLine {
            number,
            label: words::of_item(ui.lang, key.0, key.1),
            register: value(&item.register_value),
            claimed: value(&item.claimed_value),
            outcome: ui.code("correction.outcome", item.outcome.code()),
            granted: match &item.outcome {
                Outcome::Granted(granted) | Outcome::Applied(granted) => value(granted),
                Outcome::Open | Outcome::Refused => String::new(),
            },
            answer: if [AS_ASKED, OTHER_VALUE, REFUSED].contains(&answer) {
                answer.to_owned()
            } else {
                String::new()
            },
            typed: typed.get(&format!("gia-tri-{number}")).to_owned(),
        }
    };
    row.case.items.iter().zip(1..).map(line).collect()
}

fn given_to(action: &CaseAction) -> Option<String> {
    match action {
        CaseAction::Reassign { to } => Some(to.to_string()),
        _ => None,
    }
}

fn action_line(ui: &Frame, actors: &Actors, done: &ActionRow) -> ActionLine {
    ActionLine {
        what: ui.code("correction.did", done.action.verb().code()),
        who: actors.name(ui.lang, &done.by.actor.to_string()),
        desk: ui.code("correction.desk", done.by.desk.code()),
        at: format::moment(done.at),
        machine: format::machine(done.at),
        to: given_to(&done.action).map(|to| actors.name(ui.lang, &to)).unwrap_or_default(),
        reason: done.reason.clone().unwrap_or_default(),
    }
}

fn act_form(ui: &Frame, verb: Verb) -> ActForm {
    ActForm {
        code: verb.code(),
        label: ui.code("correction.do", verb.code()),
        about: ui.code("correction.about", verb.code()),
        needs_reason: verb.needs_reason(),
        needs_confirm: needs_confirm(verb),
    }
}

fn paper_choice(ui: &Frame, kind: PaperKind, typed: &Typed) -> (&'static str, &'static str, bool) {
    let chosen = match typed.get("giay-loai") {
        "" => PaperKind::CivilStatus,
        code => PaperKind::from_code(code).unwrap_or(PaperKind::CivilStatus),
    };
    (kind.code(), ui.code("paper.kind", kind.code()), kind == chosen)
}

fn paper_line(ui: &Frame, paper: &PaperRow) -> String {
    let (kind, day) = (ui.code("paper.kind", &paper.kind), vietnamese(paper.issued_on));
    let values = [
        ("kind", kind),
        ("number", paper.number.as_str()),
        ("authority", paper.authority.as_str()),
        ("day", day.as_str()),
    ];
    ui.lang.fill("event.paper_line", &values)
}

/// Those of the justice office to whom the case may be given: as an actor, and by name.
async fn colleagues(state: &AppState, row: &CaseRow) -> Result<Vec<(String, String)>, Error> {
    let mut conn = state.db.read().await?;
    let accounts = store::accounts::of_role(&mut conn, Desk::Justice.code()).await?;
    drop(conn);
    let is_theirs = |scope: &store::UnitScope| scope.covers(&row.unit_path);
    Ok(accounts
        .into_iter()
        .filter(|(_, _, scope)| is_theirs(scope))
        .map(|(id, name, scope)| {
            let actor = domain::Actor::Account(domain::id::AccountId::from_uuid(id));
            (actor, format!("{name} · {}", own_unit(state, scope.as_str())))
        })
        .filter(|(actor, _)| row.case.owner.as_ref() != Some(actor))
        .map(|(actor, name)| (actor.to_string(), name))
        .collect())
}
