//! The histories say where they are seen, and agree with what they are the history of.

use time::OffsetDateTime;
use time::macros::datetime;

use domain::application::{Action, Kind};
use domain::id::{ApplicationId, CaseId, EventId, ImportId, KitId, PacketId, PersonId};
use domain::person::Event;
use domain::record::Place;
use domain::unit::Units;
use domain::{Actor, PartialDate, Pin, ResidentRecord, Sex};
use store::applications::content::{Opened, store_opened};
use store::applications::{NewApplication, Transition, create, record};
use store::cases::{self, CaseAction, NewCase, open_cases};
use store::register::merging::{Merge, lock_people, merge_people, split_people};
use store::register::pins::allocate_pins;
use store::register::record::{CivilEvent, Happening, NewPerson};
use store::register::units::load_units;
use store::{Database, PgConnection, UnitScope};

const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);
const HOME: &str = "42/445/18562/";
const ELSEWHERE: &str = "52/540/21550/";

fn person(number: u8) -> PersonId {
    PersonId::derive(NOW, &[&[number]])
}

fn resident(pin: Option<&str>) -> ResidentRecord {
    let pin = pin.map(|pin| Pin::parse(pin).unwrap());
    ResidentRecord { sex: Sex::Male, pin, ..testkit::resident() }
}

async fn registered(tx: &mut PgConnection, number: u8, path: &str, pin: Option<&str>) {
    let record = resident(pin);
    let new = NewPerson {
        person_id: person(number),
        record: &record,
        name_fold: "NGUYEN THI HOA",
        unit_path: path,
        form_no: &number.to_string(),
        form_hash: &[number; 32],
    };
    let file = ImportId::derive(NOW, &[b"file"]);
    let outcome = store::register::register(tx, file, &Actor::Centre, NOW, &[new]).await.unwrap();
    assert_eq!(outcome.registered, 1);
}

/// Rows of a history whose path is not that of the row they belong to, and how many rows there are.
async fn astray(tx: &mut PgConnection, history: &str, of: &str, key: &str) -> (i64, i64) {
    let sql = format!(
        "SELECT count(*) FILTER (WHERE h.unit_path IS DISTINCT FROM o.unit_path), count(*) \
         FROM {history} h LEFT JOIN {of} o USING ({key})"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(tx).await.unwrap()
}

async fn events_seen(db: &Database, scope: &str) -> i64 {
    let mut tx = db.scoped(&UnitScope::parse(scope).unwrap()).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM person_event").fetch_one(&mut *tx).await.unwrap()
}

#[tokio::test]
async fn whatever_happens_to_a_person_is_seen_where_the_person_is() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    registered(&mut tx, 1, HOME, None).await;
    registered(&mut tx, 2, ELSEWHERE, Some("042090000002")).await;
    registered(&mut tx, 3, HOME, None).await;
    let given =
        allocate_pins(&mut tx, &[(person(3), Pin::parse("042090000003").unwrap())], NOW).await.unwrap();
    assert_eq!(given.given.len(), 1);
    lock_people(&mut tx, &[person(1), person(2)]).await.unwrap();
    let merge = Merge { keep: person(1), drop: person(2), moves_pin: true, reason: serde_json::json!({}) };
    merge_people(&mut tx, &[merge], &Actor::Centre, NOW).await.unwrap();
    split_people(&mut tx, person(2), person(1), &Actor::Centre, NOW).await.unwrap();
    // Three registrations, a number for the third, and number and end of the merge and of its end.
    assert_eq!(astray(&mut tx, "person_event", "person", "person_id").await, (0, 8));
    load_units(&mut tx, Units::latest()).await.unwrap();
    let place = Place { unit: "21550".parse().unwrap(), detail: "Thôn 2".to_owned() };
    let moved = CivilEvent {
        event_id: EventId::derive(NOW, &[b"move"]),
        what: Happening::People(vec![(person(1), Event::Moved { permanent: place, current: None })]),
        legal_on: PartialDate::parse("01/04/2021").unwrap(),
        document_id: None,
        case_id: None,
        actor: Actor::Centre,
    };
    let outcome = store::register::record(&mut tx, NOW, &[moved]).await.unwrap();
    assert_eq!((outcome.applied, outcome.refused), (1, vec![]));
    assert_eq!(astray(&mut tx, "person_event", "person", "person_id").await, (0, 9));
    // Each number that came, went or came back, and both parts of the residence, with what they displaced.
    assert_eq!(astray(&mut tx, "person_fact", "person", "person_id").await, (0, 12));
    store::commit(tx).await.unwrap();
    // Whoever moved took the history along.
    assert_eq!((events_seen(&db, "42").await, events_seen(&db, "52").await), (2, 7));
}

#[tokio::test]
async fn whatever_happens_to_an_application_is_seen_where_the_application_is() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let ids = [1_u8, 2].map(|number| ApplicationId::derive(NOW, &[&[number]]));
    let new: Vec<NewApplication> = ids
        .iter()
        .zip([HOME, ELSEWHERE])
        .map(|(id, path)| NewApplication {
            application_id: *id,
            kit_id: KitId::derive(NOW, &[b"kit"]),
            kind: Kind::New,
            unit: "18562".parse().unwrap(),
            unit_path: path.to_owned(),
            captured_at: NOW,
            kit_clock_at: None,
            actor: Actor::Kit(KitId::derive(NOW, &[b"kit"])),
        })
        .collect();
    create(&mut tx, NOW, &new).await.unwrap();
    let received: Vec<Transition> = ids
        .iter()
        .rev()
        .map(|id| Transition {
            application_id: *id,
            action: Action::Receive,
            at: NOW,
            actor: Actor::Centre,
            reference: None,
            detail: None,
        })
        .collect();
    record(&mut tx, NOW, &received).await.unwrap();
    let opened = |application_id: ApplicationId, number: u8| Opened {
        packet_id: PacketId::derive(NOW, &[&[number]]),
        application_id,
        wrapped_key: vec![0; 88],
        record: serde_json::json!({}),
        differs: Vec::new(),
        claimed_person_id: None,
        receipt_hash: [number; 32],
    };
    store_opened(&mut tx, &[opened(ids[1], 1), opened(ids[0], 2)]).await.unwrap();
    assert_eq!(astray(&mut tx, "application_action", "application", "application_id").await, (0, 4));
    assert_eq!(astray(&mut tx, "application_record", "application", "application_id").await, (0, 2));
    let nobodys = opened(ApplicationId::derive(NOW, &[b"none"]), 3);
    let error = store_opened(&mut tx, &[nobodys]).await.unwrap_err();
    assert!(matches!(error, store::Error::Inconsistent { table: "application", .. }), "{error}");
}

#[tokio::test]
async fn whatever_is_said_about_a_case_is_seen_where_the_case_is() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    for (number, path) in [(1_u8, HOME), (2, ELSEWHERE)] {
        let case_id = CaseId::derive(NOW, &[&[number]]);
        let case = NewCase {
            case_id,
            kind: "register_duplicate",
            application_id: None,
            other_application_id: None,
            person_id: Some(person(1)),
            other_person_id: Some(person(2)),
            evidence: serde_json::json!({}),
            unit_path: path.to_owned(),
            due_at: NOW,
        };
        open_cases(&mut tx, &[case], NOW).await.unwrap();
        for (seq, action) in [(1, "propose"), (2, "confirm"), (3, "reopen")] {
            let action = CaseAction {
                seq,
                action: action.to_owned(),
                at: NOW,
                actor: Actor::Centre,
                decision: "same_person".to_owned(),
                decided_person_id: None,
                decision_code: None,
                note: None,
                command_id: None,
            };
            cases::record(&mut tx, case_id, &action, None).await.unwrap();
        }
    }
    assert_eq!(astray(&mut tx, "case_action", "case_file", "case_id").await, (0, 6));
}

/// Tables whose rows say where something was when it happened, or by whose units a campaign was counted: they
/// stay when units are rearranged (docs/decisions/0040-units-change.md).
const STAYS: [&str; 9] = [
    "area",
    "audit",
    "campaign",
    "civil_event",
    "denominator_entry",
    "document_scan",
    "invitation",
    "legal_document",
    "slot",
];

/// A table that is new says what becomes of its rows when units are rearranged.
#[tokio::test]
async fn every_table_with_a_unit_is_known_to_the_change_of_units() {
    let db = testkit::fresh_database().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND column_name = 'unit_path' ORDER BY 1",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    let sources = concat!(
        include_str!("../../src/register/rearranged.rs"),
        include_str!("../../src/register/rearranged/things.rs"),
        include_str!("../../src/register/record/write.rs")
    );
    // The row of a person is written whole, as its events fold.
    let goes = |table: &str| {
        if table == "person" {
            return true;
        }
        let update = format!("UPDATE {table} ");
        sources
            .split(update.as_str())
            .skip(1)
            .any(|rest| rest.split(';').next().unwrap().contains("unit_path"))
    };
    let unknown: Vec<&String> =
        tables.iter().filter(|table| goes(table) == STAYS.contains(&table.as_str())).collect();
    assert!(unknown.is_empty(), "move them, or say that they stay: {unknown:?}");
}
