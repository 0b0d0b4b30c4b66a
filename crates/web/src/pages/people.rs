//! Finding a person, and one person's record with its history, applications and cards.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::extract::{Path, Query};
use crate::frame::{page, unit_name};
use crate::looked::{self, Look, Standing};
use crate::pages::actor::Actors;
use crate::pages::{PageSize, id, not_shown, reason, record};
use crate::session::{Role, Who};
use crate::state::AppState;
use domain::application::State as Stage;
use domain::card::CardState;
use domain::clock::day_in_vietnam;
use domain::date::vietnamese;
use domain::id::PersonId;
use domain::person::Status;
use domain::text::fold_ascii;
use domain::{Field, PartialDate, Pin};
use register::EventKind;
use store::applications::pages::ApplicationHit;
use store::cards::pages::CardHit;
use store::register::corrections::pages::open_by_person;
use store::register::pages::PeopleQuery;
use store::register::pages::PersonHit;
use store::register::timeline::{TimelineRow, timeline};
use time::Date;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;
use ui::record::{Fact, label, name_in_list};

const PAGE: PageSize = PageSize(50);

#[derive(Template)]
#[template(path = "people.html")]
struct SearchPage {
    ui: Frame,
    name: String,
    pin: String,
    year: String,
    asked: bool,
    /// A field that could not be understood.
    wrong: &'static str,
    people: Vec<PersonLine>,
    summary: String,
}

struct PersonLine {
    href: String,
    name: String,
    birth: String,
    sex: &'static str,
    pin: String,
    place: String,
    status: &'static str,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonTemplate {
    ui: Frame,
    name: String,
    status: &'static str,
    is_alive: bool,
    pin: String,
    birth: String,
    same_as: Option<String>,
    identity: Vec<Fact>,
    places: Vec<Fact>,
    family: Vec<Fact>,
    form: String,
    /// What was just recorded.
    message: String,
    /// Whether the reader records events, and where.
    new_event: Option<String>,
    /// Where a case of correction is opened, and the one that is open.
    new_case: Option<String>,
    open_case: Option<String>,
    action: String,
    /// The day as of which the record is read, and the day on which it was known, as they were asked.
    on: String,
    known: String,
    as_of: String,
    wrong_day: bool,
    events: Vec<EventLine>,
    applications: Vec<ApplicationLine>,
    cards: Vec<CardLine>,
}

struct EventLine {
    what: &'static str,
    /// The fields that it changed.
    fields: String,
    /// When it has effect, as its paper says.
    effect: String,
    recorded: String,
    machine: String,
    who: String,
    paper: String,
    scan: Option<String>,
}

/// One line of a list of applications, on several pages.
pub(crate) struct ApplicationLine {
    pub href: String,
    pub name: String,
    pub kind: &'static str,
    pub state: &'static str,
    pub state_class: &'static str,
    pub since: String,
    pub captured: String,
    pub unit: String,
    pub differs: usize,
}

/// One line of a list of cards, on several pages.
pub(crate) struct CardLine {
    pub href: String,
    pub number: String,
    pub state: &'static str,
    pub state_class: &'static str,
    pub issued: String,
    pub expires: String,
}

#[derive(Deserialize)]
pub(crate) struct Question {
    ten: Option<String>,
    so: Option<String>,
    nam: Option<String>,
}

/// As of which day a record is asked for, and as known on which.
#[derive(Default, Deserialize)]
pub(crate) struct AsOf {
    ngay: Option<String>,
    biet: Option<String>,
    /// The kind of event that was just recorded.
    ghi: Option<String>,
}

pub(crate) async fn search(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Query(question): Query<Question>,
) -> Result<Response, Error> {
    // Neither a name nor a row of the audit trail has control characters.
    let text = |field: &Option<String>| {
        let typed = field.as_deref().unwrap_or("").trim().chars();
        typed.filter(|c| !c.is_control()).take(100).collect::<String>()
    };
    let (name, pin, year) = (text(&question.ten), text(&question.so), text(&question.nam));
    let asked = !(name.is_empty() && pin.is_empty() && year.is_empty());
    let birth_year = year.parse::<i16>().ok().filter(|year| (1850..2400).contains(year));
    let parsed_pin = Pin::parse(&pin);
    let wrong = match (&parsed_pin, birth_year) {
        (Err(_), _) if !pin.is_empty() => ui.t("people.wrong_pin"),
        (_, None) if !year.is_empty() => ui.t("people.wrong_year"),
        _ => "",
    };
    let mut hits = Vec::new();
    if asked && wrong.is_empty() {
        let holder = match parsed_pin {
            Ok(pin) => {
                Some(store::register::pins::holder_of_pin(&mut *state.db.read().await?, pin.as_str()).await?)
            }
            Err(_) => None,
        };
        // A PIN that nobody holds finds nobody; no PIN leaves the question open.
        if holder != Some(None) {
            let query = PeopleQuery {
                name_fold: (!name.is_empty()).then(|| fold_ascii(&name)),
                birth_year,
                person_id: holder.flatten(),
                limit: PAGE.asked(),
            };
            let mut tx = state.db.scoped(&who.scope).await?;
            hits = store::register::pages::people(&mut tx, &query).await?;
            drop(tx);
        }
    }
    let more = PAGE.cut(&mut hits);
    if asked && wrong.is_empty() {
        let question = json!({ "name": name, "pin": pin, "year": year });
        let ids = hits.iter().map(|hit| hit.person_id).collect();
        looked::note(&state, &who, Look::list(&who, "people.searched", question, ids)).await?;
    }
    let shown = format::count(ui.lang, hits.len() as i64);
    let summary = if more { "people.more" } else { "page.results" };
    let summary = ui.lang.fill(summary, &[("n", &shown)]);
    let people = hits.iter().map(|hit| line(&state, ui.lang, hit)).collect::<Result<_, Error>>()?;
    page(&SearchPage { ui, name, pin, year, asked: asked && wrong.is_empty(), wrong, people, summary })
}

fn line(state: &AppState, lang: Lang, hit: &PersonHit) -> Result<PersonLine, Error> {
    let standing = hit.standing()?;
    Ok(PersonLine {
        href: format!("/cu-dan/{}", hit.person_id),
        name: name_in_list(&hit.full_name),
        birth: hit.birth_date()?.to_string(),
        sex: lang.text(&format!("sex.{}", hit.sex_value()?.code())),
        pin: hit.pin.clone().unwrap_or_default(),
        place: place(state, &hit.permanent_detail, &hit.permanent_unit),
        status: if standing == Status::Alive { "" } else { status_text(lang, standing) },
    })
}

fn status_text(lang: Lang, standing: Status) -> &'static str {
    lang.text(&format!("person.status.{}", standing.code()))
}

fn place(state: &AppState, detail: &str, unit: &str) -> String {
    let unit = unit_name(state, unit);
    if detail.is_empty() { unit } else { format!("{detail}, {unit}") }
}

pub(crate) async fn show(
    State(state): State<AppState>,
    who: Who,
    ui: Frame,
    Path(person_id): Path,
    Query(asked): Query<AsOf>,
) -> Result<Response, Error> {
    let person_id: PersonId = id(&person_id)?;
    let subject = format!("person:{person_id}");
    // Before the page's own transaction: a page that held two connections could wait for itself.
    let standing = looked::standing(&state, &who, person_id).await?;
    let mut tx = state.db.scoped(&who.scope).await?;
    let Some(person) = store::register::pages::person(&mut tx, person_id).await? else {
        drop(tx);
        return Err(not_shown(&state, &who, subject).await);
    };
    let reason = match standing {
        Standing::Unsaid => return reason::ask(ui, person_id, reason::Typed::default()),
        Standing::Reason(reason) => Some(reason),
        Standing::AtHand => None,
    };
    let applications = store::applications::pages::applications_of(&mut tx, person_id).await?;
    let open_case = open_by_person(&mut tx, &[person_id]).await?.remove(&person_id);
    let ids: Vec<_> = applications.iter().map(|a| a.application_id).collect();
    let cards = store::cards::pages::cards_of_applications(&mut tx, &ids).await?;
    let view = View::of(&asked);
    let described = match view.days {
        None => record::of_person(&state, &mut tx, ui.lang, person_id).await?,
        Some(days) => record::as_of(&state, &mut tx, ui.lang, person_id, days).await?,
    };
    drop(tx);
    // The person was let through above; papers of where somebody lived before come along.
    let mut conn = state.db.read().await?;
    let events = timeline(&mut conn, person_id).await?;
    drop(conn);
    let mut question = json!({});
    if let Some(reason) = reason {
        question["reason"] = json!(reason);
    }
    if view.days.is_some() {
        question["on"] = json!(view.on);
        question["known"] = json!(view.known);
    }
    let look = Look {
        action: "person.read",
        subject,
        unit_path: &person.unit_path,
        question,
        things: vec![person_id.uuid()],
    };
    looked::note(&state, &who, look).await?;
    let actors = Actors::load(&state, events.iter().map(|event| event.actor.as_str())).await?;
    let (lang, standing) = (ui.lang, person.standing()?);
    let described = described.unwrap_or_default();
    let recorded = asked.ghi.as_deref().and_then(EventKind::from_code);
    page(&PersonTemplate {
        message: recorded.map_or_else(String::new, |kind| {
            lang.fill("event.recorded", &[("kind", lang.text(&format!("event.kind.{}", kind.code())))])
        }),
        new_event: (who.role == Role::Clerk).then(|| format!("/cu-dan/{person_id}/su-kien/moi")),
        new_case: (who.role == Role::Clerk).then(|| format!("/cu-dan/{person_id}/cai-chinh/moi")),
        open_case: open_case
            .filter(|_| matches!(who.role, Role::Clerk | Role::Commander))
            .map(|case| format!("/cai-chinh/{case}")),
        action: format!("/cu-dan/{person_id}"),
        as_of: view.said(lang),
        wrong_day: view.is_wrong,
        on: view.on,
        known: view.known,
        name: person.full_name.clone(),
        status: status_text(lang, standing),
        is_alive: standing == Status::Alive,
        pin: person.pin.clone().unwrap_or_default(),
        birth: described.get(Field::Birth).to_owned(),
        same_as: person.same_as.map(|id| format!("/cu-dan/{id}")),
        identity: described.facts(lang, Field::Name, Field::Blood),
        places: described.facts(lang, Field::BirthRegistration, Field::Current),
        family: described.facts(lang, Field::Father, Field::Relation),
        form: lang
            .fill("person.form", &[("form", &person.form_no), ("date", &format::moment(person.recorded_at))]),
        events: events
            .iter()
            .map(|event| event_line(lang, &actors, person_id, event))
            .collect::<Result<_, Error>>()?,
        applications: applications.iter().map(|hit| application_line(&state, lang, hit)).collect(),
        cards: cards.iter().map(|hit| card_line(lang, hit)).collect(),
        ui,
    })
}

/// As of which days a record is shown.
#[derive(Default)]
struct View {
    on: String,
    known: String,
    /// `None` for the record as it is now.
    days: Option<(Date, Date)>,
    is_wrong: bool,
}

impl View {
    fn of(asked: &AsOf) -> View {
        let text = |text: &Option<String>| -> String {
            text.as_deref().unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(10).collect()
        };
        let (on, known) = (text(&asked.ngay), text(&asked.biet));
        let day = |text: &str| PartialDate::parse(text).ok().map(PartialDate::latest);
        let is_wrong = [&on, &known].iter().any(|text| !text.is_empty() && day(text).is_none());
        let is_asked = [&on, &known].iter().any(|text| !text.is_empty());
        let or_now = |text: &str| day(text).unwrap_or(Date::MAX);
        let days = (is_asked && !is_wrong).then(|| (or_now(&on), or_now(&known)));
        View { on, known, days, is_wrong }
    }

    fn said(&self, lang: Lang) -> String {
        match (self.days, self.on.is_empty(), self.known.is_empty()) {
            (None, ..) | (_, true, true) => String::new(),
            (_, false, true) => lang.fill("person.as_of.on", &[("on", &self.on)]),
            (_, true, false) => lang.fill("person.as_of.known", &[("known", &self.known)]),
            (_, false, false) => lang.fill("person.as_of.both", &[("on", &self.on), ("known", &self.known)]),
        }
    }
}

fn event_line(
    lang: Lang,
    actors: &Actors,
    person: PersonId,
    event: &TimelineRow,
) -> Result<EventLine, Error> {
    let effect = match event.legal_on {
        Some(packed) => PartialDate::from_packed(packed).map(|day| day.to_string()),
        None => Ok(vietnamese(day_in_vietnam(event.at))),
    };
    let wrong = |_| store::Error::Inconsistent {
        table: "person_event",
        row: person.to_string(),
        reason: "legal_on is not a date".to_owned(),
    };
    let fields = event.fields.iter().filter_map(|code| Field::from_code(code));
    let fields: Vec<&str> = fields.map(|field| label(lang, field)).collect();
    let paper = match (&event.paper_kind, &event.paper_number, &event.paper_authority, event.paper_issued_on)
    {
        (Some(kind), Some(number), Some(authority), Some(day)) => {
            let kind = lang.text(&format!("paper.kind.{kind}"));
            let day = vietnamese(day);
            let values = [
                ("kind", kind),
                ("number", number.as_str()),
                ("authority", authority.as_str()),
                ("day", day.as_str()),
            ];
            lang.fill("event.paper_line", &values)
        }
        _ => String::new(),
    };
    Ok(EventLine {
        what: lang.text(&format!("event.{}", event.kind)),
        fields: fields.join(", "),
        effect: effect.map_err(wrong)?,
        recorded: format::moment(event.recorded_at),
        machine: format::machine(event.recorded_at),
        who: actors.name(lang, &event.actor),
        paper,
        scan: event
            .scan_type
            .as_ref()
            .and(event.document_id)
            .map(|id| format!("/cu-dan/{person}/giay-to/{id}")),
    })
}

pub(crate) fn application_line(state: &AppState, lang: Lang, hit: &ApplicationHit) -> ApplicationLine {
    ApplicationLine {
        href: format!("/ho-so/{}", hit.application_id),
        name: named(lang, hit.name.as_deref()),
        kind: lang.text(&format!("kind.{}", hit.kind)),
        state: lang.text(&format!("state.{}", hit.state)),
        state_class: state_class(&hit.state),
        since: format::moment(hit.state_since),
        captured: format::moment(hit.captured_at),
        unit: unit_name(state, &hit.unit_code),
        differs: hit.differs.as_ref().map_or(0, Vec::len),
    }
}

/// The name of an applicant in a list; an application that is not opened yet has none.
pub(crate) fn named(lang: Lang, name: Option<&str>) -> String {
    name.map_or_else(|| lang.text("application.not_opened").to_owned(), name_in_list)
}

pub(crate) fn card_line(lang: Lang, hit: &CardHit) -> CardLine {
    CardLine {
        href: format!("/the/{}", hit.card_id),
        number: hit.number.clone(),
        state: lang.text(&format!("card.state.{}", hit.state)),
        state_class: card_class(hit.state),
        issued: format::date(hit.issued_on),
        expires: hit.expires_on.map_or_else(|| lang.text("card.no_expiry").to_owned(), format::date),
    }
}

/// How a state is shown: on its way, done, waiting for somebody, ended.
pub(crate) fn state_class(state: &str) -> &'static str {
    match Stage::from_code(state) {
        Some(Stage::HandedOver) => "good",
        Some(Stage::Rejected) => "ended",
        Some(Stage::InCase) => "wait",
        Some(
            Stage::Captured
            | Stage::Received
            | Stage::Accepted
            | Stage::Batched
            | Stage::Printed
            | Stage::ToDistrict
            | Stage::AtDistrict
            | Stage::ToUnit
            | Stage::AtUnit,
        ) => "way",
        None => "",
    }
}

pub(crate) fn card_class(state: CardState) -> &'static str {
    match state {
        CardState::Active => "good",
        CardState::Suspended => "wait",
        CardState::Spoiled | CardState::Replaced | CardState::Expired | CardState::Revoked => "ended",
        CardState::Intended | CardState::Signed | CardState::Personalised => "way",
    }
}
