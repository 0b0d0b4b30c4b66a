//! A small register with a campaign, invitations and cards.

use serde_json::{Map, json};
use time::macros::{date, datetime};
use time::{Date, Duration, OffsetDateTime};

use domain::application::{Action, Kind};
use domain::card::CardAction;
use domain::deadline::{Deadline, Wording};
use domain::id::{ApplicationId, CardId, EventId, ImportId, KitId, PersonId, SlotId};
use domain::record::Place;
use domain::unit::Units;
use domain::{Actor, PartialDate, Pin, ResidentRecord, Sex};
use register::{ChangeText, Destination, Error, Fault, NewEvent, Outcome, PaperText, Request};
use store::UnitScope;
use store::applications::{self, NewApplication, Transition};
use store::cards::{IntendedCard, SignedCard, record};
use store::plan::campaigns::CampaignRow;
use store::plan::{InvitationRow, KitRow, SlotRow};
use store::register::record::NewPerson;
use testkit::FreshDatabase;

/// When the people were registered.
pub const AT: OffsetDateTime = datetime!(2021-03-01 08:00 +7);
/// When the events are recorded.
pub const NOW: OffsetDateTime = datetime!(2021-04-20 10:00 +7);
pub const TODAY: Date = date!(2021 - 04 - 20);
pub const HOME: &str = "42/445/18562/";
pub const ELSEWHERE: &str = "52/540/21550/";

pub fn person(number: u32) -> PersonId {
    PersonId::derive(AT, &[&number.to_be_bytes()])
}

pub fn pin(number: u32) -> Pin {
    Pin::compose(42, Sex::Female, 1990, number).unwrap()
}

pub fn event_id(name: &str) -> EventId {
    EventId::derive(AT, &[name.as_bytes()])
}

pub fn home() -> UnitScope {
    UnitScope::parse("42/445").unwrap()
}

/// Everybody's record but for the number.
pub fn resident(number: u32, path: &str) -> ResidentRecord {
    let unit = path.trim_end_matches('/').rsplit('/').next().unwrap().parse().unwrap();
    ResidentRecord {
        birth: PartialDate::parse("15/03/1990").unwrap(),
        pin: Some(pin(number)),
        marital: Some(1),
        permanent: Place { unit, detail: "Thôn 1".to_owned() },
        ..testkit::resident()
    }
}

/// Person 1 at home, person 2 in another province, person 3 at home.
pub async fn world() -> FreshDatabase {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    store::register::units::load_units(&mut tx, Units::latest()).await.unwrap();
    store::commit(tx).await.unwrap();
    enter(&db, &[(1, HOME), (2, ELSEWHERE), (3, HOME)]).await;
    db
}

/// Registers these people.
pub async fn enter(db: &FreshDatabase, people: &[(u32, &str)]) {
    let mut tx = db.begin().await.unwrap();
    for (number, path) in people {
        let record = resident(*number, path);
        let new = NewPerson {
            person_id: person(*number),
            record: &record,
            name_fold: "NGUYEN THI HOA",
            unit_path: path,
            form_no: &number.to_string(),
            form_hash: &[7; 32],
        };
        let file = ImportId::derive(AT, &[b"file"]);
        let done = store::register::register(&mut tx, file, &Actor::Centre, AT, &[new]).await.unwrap();
        assert_eq!(done.registered, 1);
    }
    store::commit(tx).await.unwrap();
}

/// A campaign of the home's district under way.
pub async fn campaign(db: &FreshDatabase) {
    let mut tx = db.begin().await.unwrap();
    let row = CampaignRow {
        unit: "445".parse().unwrap(),
        unit_path: "42/445/".to_owned(),
        starts_on: date!(2021 - 03 - 01),
        deadline: Deadline { date: date!(2021 - 06 - 10), wording: Wording::Before },
        amount: None,
        opened_at: AT,
        opened_by: "centre".to_owned(),
    };
    store::plan::campaigns::put(&mut tx, &row).await.unwrap();
    store::commit(tx).await.unwrap();
}

/// Seats these people in one slot with this many seats, from the first on.
pub async fn invite(db: &FreshDatabase, people: &[u32], capacity: i16) {
    let kit_id = KitId::derive(AT, &[b"kit"]);
    let (slot_id, unit_code) = (SlotId::derive(AT, &[b"slot"]), "18562".to_owned());
    let kit = KitRow {
        kit_id,
        name: "kit 1".to_owned(),
        unit_code: unit_code.clone(),
        public_key: Vec::new(),
        registered_at: AT,
    };
    let slot = SlotRow {
        slot_id,
        kit_id,
        unit_code,
        unit_path: HOME.to_owned(),
        site: "UBND".to_owned(),
        day: date!(2021 - 05 - 03),
        shift: 1,
        round: 1,
        starts_at: datetime!(2021-05-03 08:00 +7),
        minutes: 240,
        capacity,
    };
    let seats: Vec<InvitationRow> = people
        .iter()
        .zip(1..)
        .map(|(number, seat)| InvitationRow {
            person_id: person(*number),
            round: 1,
            slot_id,
            slot_capacity: capacity,
            seat,
            unit_path: HOME.to_owned(),
        })
        .collect();
    let mut tx = db.begin().await.unwrap();
    store::plan::register_kits(&mut tx, &[kit]).await.unwrap();
    store::plan::put_slots(&mut tx, &[slot]).await.unwrap();
    store::plan::put_invitations(&mut tx, &seats, AT).await.unwrap();
    store::commit(tx).await.unwrap();
}

/// A card of this person that is printed, and in force if it was handed over.
pub async fn card(db: &FreshDatabase, number: u32, handed_over: bool) -> CardId {
    let unit = "18562".parse().unwrap();
    let application_id = ApplicationId::derive(AT, &[b"application", &number.to_be_bytes()]);
    let card_id = CardId::derive(AT, &[b"card", &number.to_be_bytes()]);
    let new = NewApplication {
        application_id,
        kit_id: KitId::derive(AT, &[b"kit"]),
        kind: Kind::New,
        unit,
        unit_path: HOME.to_owned(),
        captured_at: AT,
        kit_clock_at: None,
        actor: Actor::Centre,
    };
    let step = |action| Transition {
        application_id,
        action,
        at: AT,
        actor: Actor::Centre,
        reference: None,
        detail: None,
    };
    let mut tx = db.begin().await.unwrap();
    applications::create(&mut tx, AT, &[new]).await.unwrap();
    let way = [Action::Receive, Action::Accept, Action::Batch, Action::Print].map(step);
    assert!(applications::record(&mut tx, AT, &way).await.unwrap().refused.is_empty());
    let card = IntendedCard {
        card_id,
        number: format!("{number:010}"),
        application_id,
        person_id: person(number),
        pin: pin(number).as_str().to_owned(),
        issued_on: TODAY,
        expires_on: None,
        ds_serial: "01".to_owned(),
        token_sha256: card_id.uuid().as_bytes().to_vec(),
        face: json!(null),
        unit_code: "18562".to_owned(),
        unit_path: HOME.to_owned(),
    };
    record::intend(&mut tx, std::slice::from_ref(&card), &Actor::Centre, AT).await.unwrap();
    let signed = SignedCard {
        card_id,
        token_sha256: card.token_sha256,
        dg1: Vec::new(),
        dg13: Vec::new(),
        sod: Vec::new(),
        qr: String::new(),
    };
    assert_eq!(record::sign(&mut tx, "01", &[signed], &Actor::Centre, AT).await.unwrap(), 1);
    let act = |action| record::Transition { card_id, action, at: AT, actor: Actor::Centre };
    let mut acts = vec![act(CardAction::Personalise)];
    acts.extend(handed_over.then(|| act(CardAction::HandOver)));
    assert!(record::record(&mut tx, AT, &acts).await.unwrap().refused.is_empty());
    store::commit(tx).await.unwrap();
    card_id
}

pub async fn card_state(db: &FreshDatabase, card: CardId) -> String {
    let sql = "SELECT state FROM card WHERE card_id = $1";
    sqlx::query_scalar(sql).bind(card.uuid()).fetch_one(db.admin()).await.unwrap()
}

/// An extract of the register of deaths.
pub fn extract(number: &str) -> PaperText {
    paper("death_extract", number)
}

pub fn paper(kind: &str, number: &str) -> PaperText {
    PaperText {
        kind: kind.to_owned(),
        number: number.to_owned(),
        authority: "UBND xã Thạch Khê".to_owned(),
        issued_on: "19/04/2021".to_owned(),
    }
}

/// A death on the 18th, by an extract of this number.
pub fn died(name: &str, who: u32, number: &str) -> NewEvent {
    NewEvent {
        legal_on: "18/04/2021".to_owned(),
        paper: Some(extract(number)),
        ..NewEvent::new(event_id(name), &person(who).to_string(), "died")
    }
}

/// Another kind of event of the 19th, with a court's decision.
pub fn decided(name: &str, who: u32, kind: &str) -> NewEvent {
    NewEvent {
        legal_on: "19/04/2021".to_owned(),
        paper: Some(paper("court_decision", name)),
        ..NewEvent::new(event_id(name), &person(who).to_string(), kind)
    }
}

/// A correction that always was so.
pub fn corrected(name: &str, who: u32, values: &[(&str, &str)]) -> NewEvent {
    NewEvent {
        changes: values.iter().map(|(field, value)| change(field, value)).collect(),
        since: Some("always".to_owned()),
        paper: Some(paper("civil_status", name)),
        ..decided(name, who, "corrected")
    }
}

/// One value; `field.part` where the field has parts.
pub fn change(field: &str, value: &str) -> ChangeText {
    let (field, part) = field.split_once('.').unwrap_or((field, ""));
    ChangeText { field: field.to_owned(), part: part.to_owned(), value: value.to_owned() }
}

pub fn moved(name: &str, who: u32, unit: &str) -> NewEvent {
    let to = Destination {
        permanent_unit: unit.to_owned(),
        permanent_detail: "Thôn 2".to_owned(),
        ..Destination::default()
    };
    NewEvent {
        legal_on: "19/04/2021".to_owned(),
        to: Some(to),
        ..NewEvent::new(event_id(name), &person(who).to_string(), "moved")
    }
}

pub fn reversed(name: &str, who: u32, of: &str) -> NewEvent {
    NewEvent {
        legal_on: "20/04/2021".to_owned(),
        reverses: Some(event_id(of)),
        ..NewEvent::new(event_id(name), &person(who).to_string(), "reversed")
    }
}

/// Records an event so many hours after ten o'clock, by somebody who sees the home's district.
pub async fn at(db: &FreshDatabase, hours: i64, event: &NewEvent) -> Result<Outcome, Vec<Fault>> {
    send(db, &home(), NOW + Duration::hours(hours), event, None).await
}

pub async fn with_scan(db: &FreshDatabase, event: &NewEvent, scan: &[u8]) -> Result<Outcome, Vec<Fault>> {
    send(db, &home(), NOW, event, Some(scan)).await
}

pub async fn send(
    db: &FreshDatabase,
    scope: &UnitScope,
    now: OffsetDateTime,
    event: &NewEvent,
    scan: Option<&[u8]>,
) -> Result<Outcome, Vec<Fault>> {
    let request = Request { scope, actor: &Actor::Centre, now, event, scan, note: Map::new() };
    match register::apply(db, &request).await {
        Ok(outcome) => Ok(outcome),
        Err(Error::Refused(faults)) => Err(faults),
        Err(error) => panic!("{error}"),
    }
}

/// The codes of faults, each with its place.
pub fn codes(outcome: Result<Outcome, Vec<Fault>>) -> Vec<(&'static str, &'static str)> {
    let faults = outcome.expect_err("it is refused");
    faults.iter().map(|fault| (fault.place(), fault.code())).collect()
}

pub async fn status(db: &FreshDatabase, who: u32) -> i16 {
    let sql = "SELECT status FROM person WHERE person_id = $1";
    sqlx::query_scalar(sql).bind(person(who).uuid()).fetch_one(db.admin()).await.unwrap()
}

/// Everything that an event can change, to see that nothing did.
pub async fn everything(db: &FreshDatabase) -> Vec<String> {
    let mut rows = Vec::new();
    for table in [
        "person",
        "person_event",
        "person_fact",
        "civil_event",
        "pin",
        "legal_document",
        "document_scan",
        "denominator_entry",
        "invitation",
        "card",
        "card_action",
        "audit",
    ] {
        let sql = format!("SELECT to_jsonb(t)::text AS row FROM {table} t ORDER BY row");
        let found: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(db.admin()).await.unwrap();
        rows.extend(found);
    }
    rows
}

pub async fn sound(db: &FreshDatabase) {
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(store::register::check_folds(&mut conn).await.unwrap(), []);
    assert_eq!(store::cards::history::check_folds(&mut conn).await.unwrap(), []);
}

pub async fn count(db: &FreshDatabase, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(db.admin()).await.unwrap()
}

/// The path of a unit today.
pub fn path(unit: &str) -> String {
    Units::latest().path(unit.parse().unwrap()).unwrap()
}
