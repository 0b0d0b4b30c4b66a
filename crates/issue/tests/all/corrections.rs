//! A card waits while a correction of what it shows is open, and goes on by itself with the register's value.

use time::macros::date;
use time::{Duration, OffsetDateTime};

use crate::common::*;
use domain::correction::{By, Case, CaseAction, Claim, Desk, Source, case_next};
use domain::field::{Change, Field, Part};
use domain::id::{AccountId, ActId, CorrectionId, EventId, PersonId};
use domain::person::Event;
use domain::profile::{Correction, Profile};
use domain::{Actor, PartialDate, Pin, ResidentRecord, Sex};
use issue::{Face, open_batch};
use store::Database;
use store::register::corrections::{self, ActionRow, CaseRow};
use store::register::record::{CivilEvent, Happening, record as record_event};

fn clerk() -> By {
    By { actor: Actor::Account(AccountId::derive(NOW, &[b"clerk"])), desk: Desk::Clerk }
}

/// Opens a case about one field of somebody.
async fn ask(db: &Database, person: PersonId, field: Field, at: OffsetDateTime) -> CaseRow {
    let claim = Claim {
        field,
        part: Part::Whole,
        register_value: Some("A".to_owned()),
        claimed_value: Some("B".to_owned()),
    };
    let action = CaseAction::Request { kind: Correction::Correction, items: vec![claim] };
    let row = CaseRow {
        case_id: CorrectionId::derive(at, &[person.uuid().as_bytes(), field.code().as_bytes()]),
        person_id: person,
        source: Source::Citizen,
        source_ref: None,
        case: case_next(None, &clerk(), &action).unwrap(),
        due_on: None,
        opened_at: at,
        closed_at: None,
        unit_path: scope().as_str().to_owned(),
    };
    let mut tx = db.begin().await.unwrap();
    corrections::put(&mut tx, &row, &done(&row.case, action, at)).await.unwrap();
    store::commit(tx).await.unwrap();
    row
}

fn done(case: &Case, action: CaseAction, at: OffsetDateTime) -> ActionRow {
    let action_id = ActId::derive(at, &[&case.actions.to_be_bytes()]);
    ActionRow { seq: case.actions, action, at, by: clerk(), action_id, event_id: None, reason: None }
}

/// Ends a case without a paper.
async fn withdraw(db: &Database, row: CaseRow, at: OffsetDateTime) {
    let case = case_next(Some(&row.case), &clerk(), &CaseAction::Withdraw).unwrap();
    let action = done(&case, CaseAction::Withdraw, at);
    let row = CaseRow { case, closed_at: Some(at), ..row };
    let mut tx = db.begin().await.unwrap();
    corrections::advance(&mut tx, &row, &action).await.unwrap();
    assert_eq!(corrections::check_folds(&mut tx).await.unwrap(), []);
    store::commit(tx).await.unwrap();
}

/// The register says another name and birth.
async fn correct(db: &Database, person: PersonId, values: &[(Field, &str)]) {
    let change = |(field, value): &(Field, &str)| Change {
        field: *field,
        part: Part::Whole,
        value: Some((*value).to_owned()),
    };
    let event = Event::Corrected { changes: values.iter().map(change).collect(), since: None };
    let civil = CivilEvent {
        event_id: EventId::derive(NOW, &[person.uuid().as_bytes()]),
        what: Happening::People(vec![(person, event)]),
        legal_on: PartialDate::from_date(date!(2021 - 03 - 20)),
        document_id: None,
        case_id: None,
        actor: Actor::Centre,
    };
    let mut tx = db.begin().await.unwrap();
    assert_eq!(record_event(&mut tx, NOW + Duration::hours(1), &[civil]).await.unwrap().applied, 1);
    store::commit(tx).await.unwrap();
}

fn serial_of(person: PersonId, attempt: u32) -> u32 {
    let id = person.uuid().into_bytes();
    u32::from_be_bytes([0, id[13], id[14], id[15]]).wrapping_add(attempt)
}

async fn batch(db: &Database) -> Vec<(PersonId, String, String)> {
    let now = NOW + Duration::hours(9);
    let authority = authority(db).await;
    open_batch(db, &authority, &scope(), DISTRICT, 100, &serial_of, now).await.unwrap();
    let rows: Vec<(uuid::Uuid, String, String)> =
        sqlx::query_as("SELECT person_id, face->>'name', pin FROM card ORDER BY number")
            .fetch_all(db.work())
            .await
            .unwrap();
    rows.into_iter().map(|(person, name, pin)| (PersonId::from_uuid(person), name, pin)).collect()
}

#[tokio::test]
async fn a_card_waits_for_the_correction_of_what_it_shows_and_goes_on_by_itself() {
    let db = testkit::fresh_database().await;
    let people = [0; 3].map(|_| (record(Sex::Female, "10/05/1999"), None::<Pin>));
    let all = register(&db, 0, &people).await;
    let waits = ask(&db, all[0].person, Field::Name, NOW + Duration::minutes(1)).await;
    ask(&db, all[1].person, Field::Marital, NOW + Duration::minutes(1)).await;
    let cards = batch(&db).await;
    let made: Vec<PersonId> = cards.iter().map(|(person, ..)| *person).collect();
    assert_eq!(made, [all[1].person, all[2].person], "what no card shows holds none");
    assert_eq!(state(&db, all[0].application).await, "accepted");
    assert_eq!(batch(&db).await.len(), 2, "it waits as long as the case is open");
    let register = [(Field::Name, "Lê Thị Đúng"), (Field::Religion, "1")];
    correct(&db, all[0].person, &register).await;
    withdraw(&db, waits, NOW + Duration::hours(2)).await;
    let cards = batch(&db).await;
    let (person, name, _) = &cards[2];
    assert_eq!((*person, name.as_str()), (all[0].person, "LÊ THỊ ĐÚNG"));
    // The religion is as it was captured: no case was about it.
    let religions: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT face->>'religion' FROM card").fetch_all(db.work()).await.unwrap();
    assert_eq!(religions.len(), 1, "{religions:?}");
}

#[tokio::test]
async fn a_number_is_drawn_from_what_was_decided() {
    let db = testkit::fresh_database().await;
    let all = register(&db, 0, &[(record(Sex::Female, "10/05/1999"), None)]).await;
    let waits = ask(&db, all[0].person, Field::Birth, NOW + Duration::minutes(1)).await;
    correct(&db, all[0].person, &[(Field::Birth, "01/02/2003")]).await;
    withdraw(&db, waits, NOW + Duration::hours(2)).await;
    let cards = batch(&db).await;
    assert_eq!(&cards[0].2[3..6], "303", "a woman of this century, born in 2003");
}

#[tokio::test]
async fn what_was_decided_before_the_capture_is_in_what_was_captured() {
    let db = testkit::fresh_database().await;
    let all = register(&db, 0, &[(record(Sex::Female, "10/05/1999"), None)]).await;
    let before = ask(&db, all[0].person, Field::Name, NOW - Duration::days(9)).await;
    withdraw(&db, before, NOW - Duration::days(8)).await;
    correct(&db, all[0].person, &[(Field::Name, "Lê Thị Đúng")]).await;
    assert_eq!(batch(&db).await[0].1, "NGUYỄN THỊ MẪU");
}

/// The list says of each field what a card does with it.
#[test]
fn the_list_of_fields_is_what_a_card_is_made_of() {
    let day = date!(2021 - 04 - 20);
    let listed = Profile::official().card_fields(day).unwrap();
    let pin = Pin::parse("042199123456").unwrap();
    let before = record(Sex::Female, "10/05/1999");
    let face = |record: &ResidentRecord| Face::new(record, pin, day).unwrap();
    for field in Field::ALL.into_iter().filter(|field| *field != Field::Pin) {
        let values: &[(Part, &str)] = match field {
            Field::Name => &[(Part::Whole, "Lê Thị Khác")],
            Field::Sex => &[(Part::Whole, "1")],
            Field::Birth => &[(Part::Whole, "11/05/1999")],
            Field::Pin => &[],
            Field::OldId => &[(Part::Whole, "183456789")],
            Field::Ethnicity => &[(Part::Whole, "2")],
            Field::Religion => &[(Part::Whole, "1")],
            Field::Nationality => &[(Part::Whole, "LAO")],
            Field::Marital => &[(Part::Whole, "2")],
            Field::Blood => &[(Part::Whole, "A")],
            Field::BirthRegistration | Field::NativePlace => &[(Part::Whole, "21550")],
            Field::Permanent => &[(Part::Detail, "Thôn Hai")],
            Field::Current => &[(Part::Unit, "21550"), (Part::Detail, "Thôn Hai")],
            Field::Father | Field::Mother | Field::Spouse => &[(Part::Name, "Lê Khác")],
            Field::Household => &[(Part::Whole, "H1")],
            Field::Relation => &[(Part::Whole, "2")],
        };
        let change =
            |(part, value): &(Part, &str)| Change { field, part: *part, value: Some((*value).to_owned()) };
        let changes: Vec<Change> = values.iter().map(change).collect();
        let after = before.with(&changes).unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_ne!(after, before, "{field}");
        assert_eq!(face(&after) != face(&before), listed.contains(&field), "{field}");
    }
}
