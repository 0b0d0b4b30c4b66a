//! People are written by events: what is recorded, what is refused, and that the row is their fold.

use sqlx::Row;
use time::macros::date;
use time::{Duration, OffsetDateTime};

use crate::people::{
    AT, ELSEWHERE, HOME, correction, day, enter, event, merge, moved, number, person, resident, split,
    with_units,
};
use domain::field::{Change, Field, Part};
use domain::id::{ImportId, PersonId};
use domain::person::{Event, Kind, Origin, PinGround, Refusal, Status};
use domain::{Actor, Pin};
use store::register::pins::holder_of_pin;
use store::register::record::{CivilEvent, Happening, NewPerson, Recorded, Refused};
use store::register::{check_folds, person_as_of, record, register};
use testkit::FreshDatabase;

async fn write(db: &FreshDatabase, at: OffsetDateTime, events: &[CivilEvent]) -> Recorded {
    let mut tx = db.begin().await.unwrap();
    let recorded = record(&mut tx, at, events).await.unwrap();
    store::commit(tx).await.unwrap();
    recorded
}

/// Records one event and says why it was refused, if it was.
async fn one(db: &FreshDatabase, hours: i64, event: CivilEvent) -> Result<(), Refused> {
    let recorded = write(db, AT + Duration::hours(hours), &[event]).await;
    match recorded.refused.into_iter().next() {
        None => Ok(()),
        Some((_, refused)) => Err(refused),
    }
}

async fn sound(db: &FreshDatabase) {
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(check_folds(&mut conn).await.unwrap(), []);
}

async fn status(db: &FreshDatabase, id: PersonId) -> Status {
    let row = sqlx::query("SELECT status, same_as FROM person WHERE person_id = $1")
        .bind(id.uuid())
        .fetch_one(db.admin())
        .await
        .unwrap();
    let same_as: Option<uuid::Uuid> = row.get("same_as");
    Status::from_columns(row.get("status"), same_as.map(PersonId::from_uuid)).unwrap()
}

async fn pin_of(db: &FreshDatabase, id: PersonId) -> Option<String> {
    let mut conn = db.work().acquire().await.unwrap();
    let pin: Option<String> = sqlx::query_scalar("SELECT pin FROM person WHERE person_id = $1")
        .bind(id.uuid())
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    if let Some(pin) = &pin {
        assert_eq!(holder_of_pin(&mut conn, pin).await.unwrap(), Some(id), "the number has another holder");
    }
    pin
}

/// Everything that is stored of people, to see that nothing changed.
async fn everything(db: &FreshDatabase) -> Vec<String> {
    let mut rows = Vec::new();
    for table in ["person", "person_event", "person_fact", "civil_event", "pin"] {
        let sql = format!("SELECT to_jsonb(t)::text AS row FROM {table} t ORDER BY row");
        let found: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(db.admin()).await.unwrap();
        rows.extend(found);
    }
    rows
}

#[tokio::test]
async fn a_correction_keeps_what_it_displaced_and_both_are_read_by_day_and_by_what_was_known() {
    let db = with_units().await;
    enter(&db, &[(1, HOME, Some(1))]).await;
    let religion = |value| correction(1, Field::Religion, value);
    let mut first = event("a", 1, religion("3"));
    let Happening::People(told) = &mut first.what else { unreachable!() };
    let Event::Corrected { since, .. } = &mut told[0].1 else { unreachable!() };
    *since = Some(day("2020"));
    assert_eq!(one(&db, 1, first).await, Ok(()));
    let facts: Vec<(i32, String, Option<String>, Option<i32>)> =
        sqlx::query_as("SELECT version, field, value, valid_from FROM person_fact ORDER BY version")
            .fetch_all(db.admin())
            .await
            .unwrap();
    let religion_fact =
        |version, value: &str, from| (version, "religion".to_owned(), Some(value.to_owned()), from);
    assert_eq!(facts, [religion_fact(1, "0", None), religion_fact(2, "3", Some(20_200_000))]);
    let mut conn = db.work().acquire().await.unwrap();
    let mut told = async |on, hours| {
        let known_at = AT + Duration::hours(hours);
        let record = person_as_of(&mut conn, person(1), on, known_at).await.unwrap();
        record.map(|record| record.religion)
    };
    assert_eq!(told(date!(2021 - 01 - 01), 1).await, Some(3));
    assert_eq!(told(date!(2019 - 12 - 31), 1).await, Some(0), "before it had effect");
    assert_eq!(told(date!(2021 - 01 - 01), 0).await, Some(0), "before it was known");
    assert_eq!(told(date!(2021 - 01 - 01), -1).await, None, "before the registration");
    drop(conn);
    // Undone, the register says what it said before, and still tells what was believed in between.
    assert_eq!(one(&db, 2, event("b", 1, vec![(person(1), Event::Reversed { version: 2 })])).await, Ok(()));
    let mut conn = db.work().acquire().await.unwrap();
    let now = person_as_of(&mut conn, person(1), date!(2021 - 04 - 06), AT + Duration::hours(2)).await;
    assert_eq!(now.unwrap().unwrap(), resident(Some(1)));
    let believed = person_as_of(&mut conn, person(1), date!(2021 - 04 - 06), AT + Duration::hours(1)).await;
    assert_eq!(believed.unwrap().unwrap().religion, 3);
    let reverses: Vec<Option<uuid::Uuid>> =
        sqlx::query_scalar("SELECT reverses FROM civil_event WHERE kind = 'reversed'")
            .fetch_all(db.admin())
            .await
            .unwrap();
    assert_eq!(reverses, [Some(event("a", 1, Vec::new()).event_id.uuid())]);
    let unknown = person_as_of(&mut conn, person(9), date!(2021 - 04 - 06), AT).await;
    assert_eq!(unknown.unwrap(), None);
    sound(&db).await;
}

#[tokio::test]
async fn every_kind_of_event_moves_the_row() {
    let db = with_units().await;
    enter(&db, &[(1, HOME, Some(1)), (2, HOME, None)]).await;
    let told = |name: &str, who: u8, told: Event| event(name, 1, vec![(person(who), told)]);
    let assigned = |n, origin| Event::PinAssigned { pin: number(n), origin };
    assert_eq!(one(&db, 1, told("died", 1, Event::Died)).await, Ok(()));
    assert_eq!(status(&db, person(1)).await, Status::Dead);
    let refused = one(&db, 2, event("late", 1, moved(1, "21550"))).await;
    let dead = Refusal::NotNow { kind: Kind::Moved, status: Status::Dead };
    assert_eq!(refused, Err(Refused::Life(dead)));
    assert_eq!(one(&db, 2, told("undone", 1, Event::DeathUndone)).await, Ok(()));
    assert_eq!(one(&db, 3, told("missing", 1, Event::DeclaredMissing)).await, Ok(()));
    assert_eq!(status(&db, person(1)).await, Status::Missing);
    assert_eq!(one(&db, 4, told("found", 1, Event::Found)).await, Ok(()));
    assert_eq!(status(&db, person(1)).await, Status::Alive);
    assert_eq!(one(&db, 5, event("moved", 1, moved(1, "21550"))).await, Ok(()));
    let path: String = sqlx::query_scalar("SELECT DISTINCT unit_path FROM person_event WHERE person_id = $1")
        .bind(person(1).uuid())
        .fetch_one(db.admin())
        .await
        .unwrap();
    assert_eq!(path, ELSEWHERE, "the history is seen where the person is");
    // One event of one person in two steps: the number is replaced.
    let replaced = vec![
        (person(1), Event::PinEnded { ground: PinGround::EntryError }),
        (person(1), assigned(7, Origin::Reestablished)),
    ];
    assert_eq!(one(&db, 6, event("replaced", 1, replaced)).await, Ok(()));
    assert_eq!(pin_of(&db, person(1)).await.as_deref(), Some(number(7).as_str()));
    let ended: (Option<String>, bool) =
        sqlx::query_as("SELECT ended_reason, ended_at IS NOT NULL FROM pin WHERE pin = $1")
            .bind(number(1).as_str())
            .fetch_one(db.admin())
            .await
            .unwrap();
    assert_eq!(ended, (Some("entry_error".to_owned()), true));
    // A cancelled number is never somebody else's.
    assert_eq!(
        one(&db, 7, told("given", 2, assigned(1, Origin::Allocated))).await,
        Err(Refused::NumberTaken)
    );
    assert_eq!(one(&db, 7, told("given", 2, assigned(8, Origin::Allocated))).await, Ok(()));
    assert_eq!(one(&db, 8, event("name", 1, correction(2, Field::Name, "Lê Thị Khác"))).await, Ok(()));
    let folded: String = sqlx::query_scalar("SELECT name_fold FROM person WHERE person_id = $1")
        .bind(person(2).uuid())
        .fetch_one(db.admin())
        .await
        .unwrap();
    assert_eq!(folded, "LE THI KHAC");
    assert_eq!(
        one(&db, 9, event("back", 1, vec![(person(2), Event::Reversed { version: 3 })])).await,
        Ok(())
    );
    let rearranged = Event::Readdressed { permanent: "18562".parse().unwrap(), current: None };
    assert_eq!(one(&db, 10, told("rearranged", 2, rearranged)).await, Ok(()));
    assert_eq!(one(&db, 10, merge("merge", 1, 2)).await, Ok(()));
    assert_eq!(one(&db, 11, split("split", 1, 2)).await, Ok(()));
    let mut kinds: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT kind FROM person_event").fetch_all(db.admin()).await.unwrap();
    let mut all: Vec<String> = Kind::ALL.iter().map(|kind| kind.code().to_owned()).collect();
    kinds.sort_unstable();
    all.sort_unstable();
    assert_eq!(kinds, all);
    sound(&db).await;
}

#[tokio::test]
async fn a_split_gives_every_number_back_as_it_was() {
    let db = with_units().await;
    enter(&db, &[(1, HOME, None), (2, ELSEWHERE, Some(2)), (3, HOME, Some(3))]).await;
    assert_eq!(one(&db, 1, merge("a", 1, 2)).await, Ok(()));
    assert_eq!(
        (pin_of(&db, person(1)).await, pin_of(&db, person(2)).await),
        (Some(number(2).as_str().to_owned()), None)
    );
    assert_eq!(status(&db, person(2)).await, Status::Merged { into: person(1) });
    // Both have a number: that of the record that ends is nobody's.
    assert_eq!(one(&db, 2, merge("b", 3, 1)).await, Ok(()));
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(holder_of_pin(&mut conn, number(2).as_str()).await.unwrap(), None);
    drop(conn);
    sound(&db).await;
    let later = one(&db, 3, split("c", 1, 2)).await;
    assert_eq!(later, Err(Refused::Life(Refusal::KeptIsMerged { into: person(3) })));
    assert_eq!(one(&db, 3, split("d", 3, 1)).await, Ok(()));
    assert_eq!(one(&db, 4, split("c", 1, 2)).await, Ok(()), "refused before, and sent again under its id");
    let pins = [pin_of(&db, person(1)).await, pin_of(&db, person(2)).await, pin_of(&db, person(3)).await];
    assert_eq!(pins, [None, Some(number(2).as_str().to_owned()), Some(number(3).as_str().to_owned())]);
    let ended: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pin WHERE ended_at IS NOT NULL OR ended_reason IS NOT NULL")
            .fetch_one(db.admin())
            .await
            .unwrap();
    assert_eq!(ended, 0);
    sound(&db).await;
}

#[tokio::test]
async fn what_is_refused_changes_nothing_and_the_rest_of_the_list_goes_on() {
    let db = with_units().await;
    enter(&db, &[(1, HOME, Some(1)), (2, HOME, Some(2)), (3, HOME, Some(3))]).await;
    assert_eq!(one(&db, 1, merge("merge", 2, 3)).await, Ok(()));
    let before = everything(&db).await;
    let wedding = vec![
        (person(1), Event::Corrected { changes: spouse("Lê Văn Khác"), since: None }),
        // Of a merged record nothing is recorded, and so nothing of the other spouse either.
        (person(3), Event::Corrected { changes: spouse("Nguyễn Thị Hoa"), since: None }),
    ];
    let half = Event::PinAssigned { pin: number(9), origin: Origin::Merged { from: person(2) } };
    let unknown_unit = vec![(person(1), moved(1, "99999").remove(0).1)];
    let future = CivilEvent { legal_on: day("07/04/2021"), ..event("g", 1, vec![(person(1), Event::Died)]) };
    let taken = Event::PinAssigned { pin: number(2), origin: Origin::Allocated };
    let free = Event::PinAssigned { pin: number(50), origin: Origin::Allocated };
    let refused = [
        (event("a", 1, wedding), Refused::Life(Refusal::Merged { kind: Kind::Corrected, into: person(2) })),
        (event("b", 1, vec![(person(1), half)]), Refused::HalfOfAPair),
        (event("c", 1, Vec::new()), Refused::Nobody),
        (event("d", 1, unknown_unit), Refused::UnitUnknown("99999".parse().unwrap())),
        (event("e", 1, vec![(person(8), Event::Died)]), Refused::Life(Refusal::NotRegistered(Kind::Died))),
        (future, Refused::Life(Refusal::Future(Kind::Died))),
        (event("h", 1, vec![(person(1), taken)]), Refused::Life(Refusal::HasNumber)),
        (event("i", 1, vec![(person(1), free)]), Refused::Life(Refusal::HasNumber)),
        (merge("j", 1, 1), Refused::Life(Refusal::SamePerson)),
    ];
    let (mut events, expected): (Vec<CivilEvent>, Vec<_>) =
        refused.into_iter().map(|(event, refused)| (event.clone(), (event.event_id, refused))).unzip();
    let recorded = write(&db, AT, &events).await;
    assert_eq!(recorded, Recorded { applied: 0, repeated: 0, refused: expected.clone() });
    assert_eq!(everything(&db).await, before);
    events.insert(4, event("good", 1, correction(1, Field::Religion, "3")));
    let recorded = write(&db, AT + Duration::hours(2), &events).await;
    assert_eq!((recorded.applied, recorded.refused), (1, expected));
    sound(&db).await;
}

fn spouse(name: &str) -> Vec<Change> {
    vec![Change { field: Field::Spouse, part: Part::Name, value: Some(name.to_owned()) }]
}

#[tokio::test]
async fn a_repeat_answers_as_the_first_and_changes_nothing() {
    let db = with_units().await;
    enter(&db, &[(1, HOME, Some(1)), (2, HOME, None), (3, HOME, Some(3))]).await;
    let events = [
        event("a", 1, correction(1, Field::Religion, "3")),
        event("b", 1, moved(1, "21550")),
        merge("c", 2, 3),
        split("d", 2, 3),
        event("a", 1, correction(1, Field::Religion, "3")),
    ];
    let first = write(&db, AT + Duration::hours(1), &events).await;
    assert_eq!(first, Recorded { applied: 4, repeated: 1, refused: vec![] });
    let stored = everything(&db).await;
    let again = write(&db, AT + Duration::hours(2), &events).await;
    assert_eq!(again, Recorded { applied: 0, repeated: 5, refused: vec![] });
    assert_eq!(everything(&db).await, stored);
    // The same id with something else, or for somebody else, is an error of its sender.
    for other in [
        event("a", 1, vec![(person(1), Event::Died)]),
        event("a", 1, correction(2, Field::Religion, "3")),
        CivilEvent { legal_on: day("01/03/2021"), ..event("a", 1, correction(1, Field::Religion, "3")) },
    ] {
        assert_eq!(one(&db, 3, other).await, Err(Refused::OtherEvent));
    }
    assert_eq!(everything(&db).await, stored);
    // Registrations: the same form again, another form under the same person, a number that is somebody's.
    let record = resident(Some(1));
    let new = |who: u8, hash: &'static [u8; 32]| NewPerson {
        person_id: person(who),
        record: &record,
        name_fold: "NGUYEN THI HOA",
        unit_path: HOME,
        form_no: "1",
        form_hash: hash,
    };
    let list = [new(1, &[1; 32]), new(1, &[9; 32]), new(7, &[7; 32])];
    let mut tx = db.begin().await.unwrap();
    let file = ImportId::derive(AT, &[b"another file"]);
    let outcome = register(&mut tx, file, &Actor::Centre, AT, &list).await.unwrap();
    store::commit(tx).await.unwrap();
    assert_eq!((outcome.registered, outcome.repeated), (0, 1));
    let refused = [(person(1), Refused::Life(Refusal::AlreadyRegistered)), (person(7), Refused::NumberTaken)];
    assert_eq!(outcome.refused, refused);
    assert_eq!(everything(&db).await, stored);
    sound(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_lose_no_event() {
    let db = with_units().await;
    enter(&db, &[(1, HOME, Some(1)), (2, HOME, None), (3, HOME, None)]).await;
    let database = store::Database::clone(&db);
    let mut writers = Vec::new();
    for writer in 0..4_u8 {
        let database = database.clone();
        writers.push(tokio::spawn(async move {
            for round in 0..10_u8 {
                let name = format!("{writer}-{round}");
                let household = correction(1, Field::Household, &name);
                let pin = Pin::compose(42, domain::Sex::Female, 1990, 100).unwrap();
                let wanted = Event::PinAssigned { pin, origin: Origin::Allocated };
                let who = person(2 + writer % 2);
                // In opposite orders, so that locks taken as the list names them would deadlock.
                let mut events = vec![
                    event(&name, 1, household),
                    event(&format!("{name} number"), 1, vec![(who, wanted)]),
                ];
                if writer % 2 == 1 {
                    events.reverse();
                }
                let mut tx = database.begin().await.unwrap();
                let recorded = record(&mut tx, AT + Duration::hours(1), &events).await.unwrap();
                store::commit(tx).await.unwrap();
                assert!(recorded.refused.iter().all(|(id, _)| *id != event(&name, 1, Vec::new()).event_id));
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let version: i32 = sqlx::query_scalar("SELECT version FROM person WHERE person_id = $1")
        .bind(person(1).uuid())
        .fetch_one(db.admin())
        .await
        .unwrap();
    assert_eq!(version, 41, "a registration and forty corrections");
    let holders: i64 =
        sqlx::query_scalar("SELECT count(*) FROM person WHERE pin IS NOT NULL AND person_id <> $1")
            .bind(person(1).uuid())
            .fetch_one(db.admin())
            .await
            .unwrap();
    assert_eq!(holders, 1, "one number has one holder");
    sound(&db).await;
}

#[tokio::test]
async fn thousands_in_one_call_are_as_good_as_one_by_one() {
    let db = with_units().await;
    let people: Vec<PersonId> = (0..3_000_u32).map(|n| PersonId::derive(AT, &[&n.to_be_bytes()])).collect();
    let record_of_all = resident(None);
    let forms: Vec<String> = people.iter().map(PersonId::to_string).collect();
    let new: Vec<NewPerson<'_>> = people
        .iter()
        .zip(&forms)
        .map(|(id, form_no)| NewPerson {
            person_id: *id,
            record: &record_of_all,
            name_fold: "NGUYEN THI HOA",
            unit_path: HOME,
            form_no,
            form_hash: &[0; 32],
        })
        .collect();
    let mut tx = db.begin().await.unwrap();
    let file = ImportId::derive(AT, &[b"file"]);
    assert_eq!(register(&mut tx, file, &Actor::Centre, AT, &new).await.unwrap().registered, 3_000);
    let mut events = Vec::new();
    for (index, id) in people.iter().enumerate() {
        let pin = number(1_000 + index as u32);
        let given = Event::PinAssigned { pin, origin: Origin::Allocated };
        events.push(event(&format!("given {index}"), 1, vec![(*id, given)]));
        let Event::Moved { permanent, current } = moved(1, "21550").remove(0).1 else { unreachable!() };
        events.push(event(&format!("moved {index}"), 1, vec![(*id, Event::Moved { permanent, current })]));
    }
    let recorded = record(&mut tx, AT, &events).await.unwrap();
    store::commit(tx).await.unwrap();
    assert_eq!((recorded.applied, recorded.refused), (6_000, vec![]));
    sound(&db).await;
}

#[tokio::test]
async fn a_row_that_is_not_the_fold_is_found_and_takes_no_event() {
    for (who, change) in [
        (1, "UPDATE person SET religion = 5 WHERE version = 2"),
        (1, "UPDATE person SET status = 2 WHERE version = 2"),
        (1, "UPDATE person_fact SET value = '7' WHERE version = 2"),
        (1, "DELETE FROM person_fact WHERE version = 1"),
        (
            1,
            "DELETE FROM person_event WHERE version = 1 AND person_id IN (SELECT person_id FROM person \
                 WHERE version = 2)",
        ),
        (1, "UPDATE person_event SET detail = NULL WHERE version = 2"),
        (2, "UPDATE person SET status = 2 WHERE version = 1"),
        (2, "UPDATE person SET pin = NULL WHERE version = 1"),
        (
            2,
            "UPDATE person_event SET version = 2 WHERE person_id IN (SELECT person_id FROM person WHERE \
                 version = 1)",
        ),
        (2, "UPDATE pin SET ended_at = now() WHERE pin = '042190000002'"),
    ] {
        let db = with_units().await;
        enter(&db, &[(1, HOME, Some(1)), (2, HOME, Some(2))]).await;
        assert_eq!(one(&db, 1, event("a", 1, correction(1, Field::Religion, "3"))).await, Ok(()));
        sound(&db).await;
        sqlx::query(change).execute(db.admin()).await.unwrap();
        let mut conn = db.work().acquire().await.unwrap();
        assert_eq!(check_folds(&mut conn).await.unwrap(), [person(who)], "{change}");
        drop(conn);
        if who == 1 {
            let answer = one(&db, 2, event("b", 1, correction(1, Field::Marital, "2"))).await;
            assert_eq!(answer, Err(Refused::Unsound(person(1))), "{change}");
        }
    }
}
