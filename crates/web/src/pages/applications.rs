//! Applications: the list, and one application with its way, its differences and the reasons of its
//! resolution.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::extract::{Path, Query};
use crate::frame::{page, unit_full, unit_name};
use crate::looked::{self, Look};
use crate::pages::actor::{Actors, is_centre};
use crate::pages::evidence::{self, Shown};
use crate::pages::people::{ApplicationLine, CardLine, application_line, card_line, state_class};
use crate::pages::record;
use crate::pages::{PageSize, id, not_shown, note_read};
use crate::session::{Role, Who};
use crate::state::AppState;
use domain::application::{Action, State as Stage};
use domain::id::ApplicationId;
use domain::unit::UnitLevel;
use domain::{Field, UnitCode};
use store::UnitScope;
use store::applications::Step;
use store::applications::find;
use store::applications::pages::ApplicationsQuery;
use store::applications::timeline;
use store::register::corrections::pages::open_by_person;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;
use ui::place;
use ui::record::{Compared, compare};

const PAGE: PageSize = PageSize(50);

#[derive(Template)]
#[template(path = "applications.html")]
struct ListPage {
    ui: Frame,
    title: String,
    /// Every state, for the form; empty when the list is given by a difference of the ledger.
    states: Vec<StateOption>,
    under: String,
    applications: Vec<ApplicationLine>,
    summary: String,
    next: Option<String>,
}

struct StateOption {
    code: &'static str,
    label: &'static str,
    selected: bool,
}

#[derive(Template)]
#[template(path = "application.html")]
struct OnePage {
    ui: Frame,
    name: String,
    kind: &'static str,
    state: &'static str,
    state_class: &'static str,
    unit: String,
    person_href: Option<String>,
    steps: Vec<StepLine>,
    compared: Vec<Compared>,
    has_register: bool,
    differing: usize,
    resolution: Option<Resolution>,
    cards: Vec<CardLine>,
    cases: Vec<CaseLine>,
    /// An open correction of the person's data, with its page for those who may open it.
    correction: Option<Option<String>>,
}

struct StepLine {
    what: &'static str,
    at: String,
    machine: String,
    who: String,
    late: String,
    reason: String,
    current: bool,
}

struct Resolution {
    outcome: &'static str,
    weight: String,
    probability: String,
    at: String,
    shown: Shown,
}

struct CaseLine {
    /// Only adjudicators may open it.
    href: Option<String>,
    kind: &'static str,
    decided: bool,
}

#[derive(Deserialize)]
pub(crate) struct Filter {
    #[serde(rename = "trang-thai")]
    state: Option<String>,
    duoi: Option<String>,
    /// A difference of this identity of the ledger.
    chenh: Option<String>,
    /// The last application of the page before.
    sau: Option<String>,
}

pub(crate) async fn list(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    let under = match filter.duoi.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => {
            let scope = UnitScope::parse(path).ok().filter(|scope| who.scope.covers(scope.as_str()));
            Some(scope.ok_or(Error::NotFound)?)
        }
        None => None,
    };
    let stage = filter.state.as_deref().and_then(Stage::from_code);
    let after: Option<ApplicationId> = filter.sau.as_deref().map(id).transpose()?;
    let scope = under.clone().unwrap_or_else(|| who.scope.clone());
    let (ids, title) = match filter.chenh.as_deref() {
        Some(code) => {
            let (ids, label) = differences(&state, ui.lang, &scope, code).await?;
            (Some(ids), ui.lang.fill("applications.differences", &[("what", label)]))
        }
        None => (None, ui.t("applications.title").to_owned()),
    };
    let query = ApplicationsQuery { state: stage, under: under.clone(), ids, after, limit: PAGE.asked() };
    let mut tx = state.db.scoped(&who.scope).await?;
    let mut hits = store::applications::pages::applications(&mut tx, &query).await?;
    drop(tx);
    let more = PAGE.cut(&mut hits);
    let question = json!({
        "state": stage.map(Stage::code), "under": under.as_ref().map(UnitScope::as_str),
        "differs": query.ids.as_ref().and(filter.chenh.as_deref()), "after": after.map(|id| id.to_string()),
    });
    let shown = hits.iter().map(|hit| hit.application_id).collect();
    looked::note(&state, &who, Look::list(&who, "applications.listed", question, shown)).await?;
    let parameter =
        |name: &str, value: Option<&str>| value.map(|v| format!("&{name}={v}")).unwrap_or_default();
    let next = hits.last().filter(|_| more).map(|last| {
        format!(
            "/ho-so?sau={}{}{}{}",
            last.application_id,
            parameter("trang-thai", stage.map(Stage::code)),
            parameter("duoi", under.as_ref().map(UnitScope::as_str)),
            parameter("chenh", query.ids.as_ref().and(filter.chenh.as_deref())),
        )
    });
    let option = |s: Stage| StateOption {
        code: s.code(),
        label: ui.code("state", s.code()),
        selected: stage == Some(s),
    };
    page(&ListPage {
        title,
        states: if query.ids.is_none() { Stage::ALL.map(option).into_iter().collect() } else { Vec::new() },
        under: under.map(|scope| scope.as_str().to_owned()).unwrap_or_default(),
        summary: ui.lang.fill("page.results", &[("n", &format::count(ui.lang, hits.len() as i64))]),
        applications: hits.iter().map(|hit| application_line(&state, ui.lang, hit)).collect(),
        next,
        ui,
    })
}

/// The applications on which an identity of the ledger fails, and the identity's name.
async fn differences(
    state: &AppState,
    lang: Lang,
    scope: &UnitScope,
    code: &str,
) -> Result<(Vec<ApplicationId>, &'static str), Error> {
    let identities = report::ledger(&mut *state.db.read().await?, scope).await?;
    let found = identities.into_iter().find(|identity| identity.code == code).ok_or(Error::NotFound)?;
    let ids = found.differences.iter().map(|difference| difference.application).collect();
    Ok((ids, lang.text(&format!("ledger.{}", found.code))))
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(application_id): Path,
) -> Result<Response, Error> {
    let application_id: ApplicationId = id(&application_id)?;
    let subject = format!("application:{application_id}");
    let mut tx = state.db.scoped(&who.scope).await?;
    let Some(application) = find(&mut tx, application_id).await? else {
        drop(tx);
        return Err(not_shown(&state, &who, subject).await);
    };
    let steps = timeline(&mut tx, application_id).await?;
    let declared = store::applications::pages::declared(&mut tx, application_id).await?;
    let person_id = application.person_id.or(application.claimed_person_id);
    let right = match person_id {
        Some(person_id) => record::of_person(&state, &mut tx, ui.lang, person_id).await?,
        None => None,
    };
    let cards = store::cards::pages::cards_of_application(&mut tx, application_id).await?;
    let cases = store::cases::pages::cases_of(&mut tx, application_id).await?;
    let correction = match application.person_id {
        Some(person) => open_by_person(&mut tx, &[person]).await?.remove(&person),
        None => None,
    };
    drop(tx);
    let resolution =
        store::cases::resolutions::resolution(&mut *state.db.read().await?, application_id).await?;
    let shown = vec![application_id.uuid()];
    note_read(&state, &who, "application.read", subject, &application.unit_path, shown).await?;
    let actors = Actors::load(&state, steps.iter().map(|step| step.actor.as_str())).await?;
    let lang = ui.lang;
    let left = declared.as_ref().and_then(|declared| record::of_declared(&state, lang, &declared.record));
    // What counts as a difference was decided at intake; the page only shows it.
    let differing = declared.map(|declared| declared.differs).unwrap_or_default();
    let compared = compare(lang, left.as_ref(), right.as_ref(), |field, _, _| {
        differing.iter().any(|d| d == field.code())
    });
    let unnamed = || lang.text("application.not_opened").to_owned();
    page(&OnePage {
        name: left.as_ref().map_or_else(unnamed, |left| left.get(Field::Name).to_owned()),
        kind: lang.text(&format!("kind.{}", application.kind.code())),
        state: lang.text(&format!("state.{}", application.state.code())),
        state_class: state_class(application.state.code()),
        unit: unit_full(&state, &application.unit.to_string()),
        person_href: person_id.filter(|_| right.is_some()).map(|person| format!("/cu-dan/{person}")),
        steps: step_lines(lang, &steps, &Whose::new(&state, &actors, application.unit)),
        differing: compared.iter().filter(|row| row.differs).count(),
        has_register: right.is_some(),
        compared,
        resolution: resolution.map(|row| Resolution {
            outcome: lang.text(&format!("outcome.{}", row.outcome)),
            weight: row.weight.map(|w| evidence::decimal(lang, w.into())).unwrap_or_default(),
            probability: row.probability.map(|p| probability(lang, p)).unwrap_or_default(),
            at: format::moment(row.decided_at),
            shown: evidence::show(lang, &row.evidence),
        }),
        cards: cards.iter().map(|hit| card_line(lang, hit)).collect(),
        cases: cases
            .into_iter()
            .map(|(case_id, kind, decided)| CaseLine {
                href: (who.role == Role::Adjudicator).then(|| format!("/ho-so-xet/{case_id}")),
                kind: lang.text(&format!("case.kind.{kind}")),
                decided,
            })
            .collect(),
        correction: correction.map(|case| {
            let may_read = matches!(who.role, Role::Clerk | Role::Commander);
            may_read.then(|| format!("/cai-chinh/{case}"))
        }),
        ui,
    })
}

/// A probability that is not quite one is not shown as one.
fn probability(lang: Lang, p: f32) -> String {
    let p = f64::from(p);
    let (low, high) = if lang == Lang::Vi { ("< 0,1%", "> 99,9%") } else { ("< 0.1%", "> 99.9%") };
    match p {
        p if p > 0.999 => high.to_owned(),
        p if p < 0.001 => low.to_owned(),
        p => format::percent(lang, (p * 1000.0) as i64),
    }
}

/// Who stands behind the steps of one application.
struct Whose<'a> {
    actors: &'a Actors,
    unit: String,
    district: String,
}

impl Whose<'_> {
    fn new<'a>(state: &AppState, actors: &'a Actors, unit: UnitCode) -> Whose<'a> {
        let district = state.units().chain(unit).find(|above| above.code.level() == UnitLevel::District);
        let name = unit_name(state, &unit.to_string());
        Whose {
            actors,
            district: district.map_or_else(|| name.clone(), |d| place::at_head(&d.in_sentence())),
            unit: name,
        }
    }

    /// What happens at a district or at the unit that hands the card over is theirs, whoever wrote it down.
    fn say(&self, lang: Lang, step: &Step) -> String {
        let place = match step.action {
            Action::DistrictReceive | Action::Forward => Some(&self.district),
            Action::UnitReceive | Action::HandoverFail | Action::HandOver => Some(&self.unit),
            Action::Capture
            | Action::Receive
            | Action::OpenCase
            | Action::Reject
            | Action::Accept
            | Action::Reopen
            | Action::Batch
            | Action::Print
            | Action::Spoil
            | Action::Dispatch => None,
        };
        let name = self.actors.name(lang, &step.actor);
        match place {
            Some(place) if is_centre(&step.actor) => place.clone(),
            Some(place) => format!("{place} · {name}"),
            None => name,
        }
    }
}

fn step_lines(lang: Lang, steps: &[Step], whose: &Whose<'_>) -> Vec<StepLine> {
    let last = steps.len().saturating_sub(1);
    let line = |(index, step): (usize, &Step)| {
        let delay = step.recorded_at - step.at;
        StepLine {
            what: lang.text(&format!("action.{}", step.action.code())),
            at: format::moment(step.at),
            machine: format::machine(step.at),
            who: whose.say(lang, step),
            // A kit's day reaches the centre later: worth showing when it took longer than an hour.
            late: if delay > time::Duration::hours(1) {
                lang.fill("application.recorded", &[("at", &format::moment(step.recorded_at))])
            } else {
                String::new()
            },
            reason: step.detail.as_ref().map(|detail| reason(lang, detail)).unwrap_or_default(),
            current: index == last,
        }
    };
    steps.iter().enumerate().map(line).collect()
}

/// Why an action was taken: its code, and for an invalid packet each problem's.
fn reason(lang: Lang, detail: &serde_json::Value) -> String {
    let code =
        |value: &serde_json::Value| value.get("code").and_then(|code| code.as_str().map(str::to_owned));
    let problems = detail.get("problems").and_then(|problems| problems.as_array());
    let mut codes: Vec<String> = problems.into_iter().flatten().filter_map(code).collect();
    if codes.is_empty() {
        codes.extend(code(detail));
    }
    codes.dedup();
    let known = |code: &String| match lang.find(&format!("reason.{code}")) {
        Some(text) => text.to_owned(),
        None => code.replace('_', " "),
    };
    codes.iter().map(known).collect::<Vec<_>>().join("; ")
}
