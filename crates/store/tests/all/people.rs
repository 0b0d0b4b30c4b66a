//! A small register for tests.

#![allow(dead_code, reason = "each test binary uses its part")]

use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;

use domain::field::{Change, Field, Part};
use domain::id::{EventId, ImportId, PersonId};
use domain::person::Event;
use domain::record::Place;
use domain::unit::Units;
use domain::{Actor, PartialDate, Pin, ResidentRecord, Sex};
use store::register::record::{CivilEvent, Happening, NewPerson};
use testkit::FreshDatabase;

pub const AT: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);
pub const HOME: &str = "42/445/18562/";
pub const ELSEWHERE: &str = "52/540/21550/";

pub fn person(number: u8) -> PersonId {
    PersonId::derive(AT, &[&[number]])
}

pub fn number(n: u32) -> Pin {
    Pin::compose(42, Sex::Female, 1990, n).unwrap()
}

pub fn day(text: &str) -> PartialDate {
    PartialDate::parse(text).unwrap()
}

/// Everybody's record but for the number.
pub fn resident(pin: Option<u32>) -> ResidentRecord {
    ResidentRecord { pin: pin.map(number), marital: Some(1), ..testkit::resident() }
}

/// An empty register with the official units.
pub async fn with_units() -> FreshDatabase {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    store::register::units::load_units(&mut tx, Units::latest()).await.unwrap();
    store::commit(tx).await.unwrap();
    db
}

/// Registers these people: number, path and personal number of each.
pub async fn enter(db: &FreshDatabase, people: &[(u8, &str, Option<u32>)]) {
    let mut tx = db.begin().await.unwrap();
    for (who, path, pin) in people {
        let mut record = resident(*pin);
        record.permanent.unit = path.trim_end_matches('/').rsplit('/').next().unwrap().parse().unwrap();
        let new = NewPerson {
            person_id: person(*who),
            record: &record,
            name_fold: "NGUYEN THI HOA",
            unit_path: path,
            form_no: &who.to_string(),
            form_hash: &[*who; 32],
        };
        let file = ImportId::derive(AT, &[b"file"]);
        let outcome = store::register::register(&mut tx, file, &Actor::Centre, AT, &[new]).await.unwrap();
        assert_eq!(outcome.registered, 1);
    }
    store::commit(tx).await.unwrap();
}

/// An event under an id that follows from its name, with effect on a day of April.
pub fn event(name: &str, april: u8, people: Vec<(PersonId, Event)>) -> CivilEvent {
    CivilEvent {
        event_id: EventId::derive(AT, &[name.as_bytes()]),
        what: Happening::People(people),
        legal_on: PartialDate::new(2021, Some(4), Some(april)).unwrap(),
        document_id: None,
        case_id: None,
        actor: Actor::Centre,
    }
}

/// A merge of `drop` into `keep`.
pub fn merge(name: &str, keep: u8, drop: u8) -> CivilEvent {
    let reason = json!({ "by": "test" });
    let what = Happening::Merge { keep: person(keep), drop: person(drop), reason };
    CivilEvent { what, ..event(name, 1, Vec::new()) }
}

/// The end of that merge.
pub fn split(name: &str, kept: u8, dropped: u8) -> CivilEvent {
    let what = Happening::Split { kept: person(kept), dropped: person(dropped) };
    CivilEvent { what, ..event(name, 1, Vec::new()) }
}

pub fn correction(who: u8, field: Field, value: &str) -> Vec<(PersonId, Event)> {
    let changes = vec![Change { field, part: Part::Whole, value: Some(value.to_owned()) }];
    vec![(person(who), Event::Corrected { changes, since: None })]
}

pub fn moved(who: u8, unit: &str) -> Vec<(PersonId, Event)> {
    let permanent = Place { unit: unit.parse().unwrap(), detail: "Thôn 2".to_owned() };
    vec![(person(who), Event::Moved { permanent, current: None })]
}
