//! Each kind of event changes the record as it says, and the same event again changes nothing.

use time::macros::date;
use time::{Duration, OffsetDateTime};

use crate::world::{
    AT, HOME, NOW, at, change, corrected, decided, died, everything, moved, path, person, pin, reversed,
    send, sound, status, world,
};
use domain::ResidentRecord;
use domain::person::Status;
use register::{NewEvent, known_on, preview};
use store::UnitScope;
use store::register::{people, person_as_of};
use testkit::FreshDatabase;

async fn record(db: &FreshDatabase, who: u32) -> ResidentRecord {
    let mut conn = db.work().acquire().await.unwrap();
    people::records(&mut conn, &[person(who)]).await.unwrap().remove(0).1
}

async fn believed(db: &FreshDatabase, on: time::Date, known: OffsetDateTime) -> Option<ResidentRecord> {
    let mut conn = db.work().acquire().await.unwrap();
    person_as_of(&mut conn, person(1), on, known).await.unwrap()
}

#[tokio::test]
async fn a_death_is_recorded_and_undone() {
    let db = world().await;
    let outcome = at(&db, 0, &died("a", 1, "12/2021")).await.unwrap();
    assert_eq!((outcome.person, outcome.version, outcome.repeated), (person(1), 2, false));
    assert_eq!(status(&db, 1).await, Status::Dead.code());
    assert_eq!(at(&db, 1, &decided("b", 1, "death_undone")).await.unwrap().version, 3);
    assert_eq!(status(&db, 1).await, Status::Alive.code());
    sound(&db).await;
}

#[tokio::test]
async fn somebody_is_declared_missing_and_found() {
    let db = world().await;
    at(&db, 0, &decided("a", 1, "declared_missing")).await.unwrap();
    assert_eq!(status(&db, 1).await, Status::Missing.code());
    at(&db, 1, &decided("b", 1, "found")).await.unwrap();
    assert_eq!(status(&db, 1).await, Status::Alive.code());
    sound(&db).await;
}

#[tokio::test]
async fn values_are_corrected_since_a_day_or_always_and_read_as_of_a_day_and_as_known() {
    let db = world().await;
    at(&db, 0, &corrected("a", 1, &[("name", "Nguyễn Thị Hòa"), ("ethnicity", "02")])).await.unwrap();
    let mut since = corrected("b", 1, &[("religion", "1")]);
    since.since = Some("01/2021".to_owned());
    at(&db, 48, &since).await.unwrap();
    let now = record(&db, 1).await;
    assert_eq!((now.name.as_str(), now.ethnicity, now.religion), ("Nguyễn Thị Hòa", 2, 1));
    let told = believed(&db, date!(2020 - 12 - 31), NOW + Duration::hours(48)).await.unwrap();
    assert_eq!((told.name.as_str(), told.religion), ("Nguyễn Thị Hòa", 0), "before it had effect");
    let known = known_on(date!(2021 - 04 - 21));
    let told = believed(&db, date!(2021 - 04 - 22), known).await.unwrap();
    assert_eq!((told.name.as_str(), told.religion), ("Nguyễn Thị Hòa", 0), "before it was known");
    let told = believed(&db, date!(2021 - 04 - 22), NOW - Duration::seconds(1)).await.unwrap();
    assert_eq!(told.name.as_str(), "Nguyễn Thị Hoa", "before the first was known");
    assert_eq!(believed(&db, date!(2021 - 04 - 22), AT - Duration::seconds(1)).await, None);
    sound(&db).await;
}

#[tokio::test]
async fn what_was_missing_is_supplemented_without_a_paper() {
    let db = world().await;
    let mut event = NewEvent { paper: None, since: None, ..decided("a", 1, "supplemented") };
    event.changes = vec![change("old_id", "183456789"), change("father.name", "Nguyễn Văn Cha")];
    at(&db, 0, &event).await.unwrap();
    let now = record(&db, 1).await;
    assert_eq!(now.old_id.unwrap().as_str(), "183456789");
    assert_eq!(now.father.unwrap().name.as_str(), "Nguyễn Văn Cha");
    sound(&db).await;
}

#[tokio::test]
async fn whoever_moves_is_seen_where_they_live_and_is_named_by_the_personal_number() {
    let db = world().await;
    let mut event = moved("a", 1, "21550");
    event.person = pin(1).as_str().to_owned();
    event.to.as_mut().unwrap().current_unit = "18562".to_owned();
    at(&db, 0, &event).await.unwrap();
    let now = record(&db, 1).await;
    assert_eq!(now.permanent.unit.to_string(), "21550");
    assert_eq!(now.current.unwrap().unit.to_string(), "18562");
    let there: String = sqlx::query_scalar("SELECT unit_path FROM person WHERE person_id = $1")
        .bind(person(1).uuid())
        .fetch_one(db.admin())
        .await
        .unwrap();
    assert_eq!(there, path("21550"));
    let gone = at(&db, 1, &reversed("b", 1, "a")).await;
    assert_eq!(crate::world::codes(gone), [("person", "no_person")], "another unit's by now");
    let there = UnitScope::parse(&path("21550")).unwrap();
    send(&db, &there, NOW + Duration::hours(2), &reversed("b", 1, "a"), None).await.unwrap();
    assert_eq!(record(&db, 1).await, crate::world::resident(1, HOME), "undone, everything is as it was");
    sound(&db).await;
}

#[tokio::test]
async fn a_correction_is_taken_back_by_the_id_of_its_event() {
    let db = world().await;
    at(&db, 0, &corrected("a", 1, &[("name", "Nguyễn Thị Hòa")])).await.unwrap();
    at(&db, 1, &reversed("b", 1, "a")).await.unwrap();
    assert_eq!(record(&db, 1).await, crate::world::resident(1, HOME));
    let of_another = at(&db, 2, &reversed("c", 3, "a")).await;
    assert_eq!(crate::world::codes(of_another), [("reverses", "no_event")]);
    sound(&db).await;
}

#[tokio::test]
async fn the_same_event_again_is_answered_as_before_and_another_under_its_id_is_refused() {
    let db = world().await;
    let event = corrected("a", 1, &[("name", "Nguyễn Thị Hòa")]);
    let first = at(&db, 0, &event).await.unwrap();
    at(&db, 1, &died("b", 1, "1/2021")).await.unwrap();
    let before = everything(&db).await;
    let again = at(&db, 2, &event).await.unwrap();
    assert_eq!((again.event_id, again.person, again.version), (first.event_id, first.person, first.version));
    assert!(again.repeated && !first.repeated);
    let mut others = vec![corrected("a", 1, &[("name", "Nguyễn Thị Hồng")]), died("a", 1, "2/2021")];
    others.push(corrected("a", 3, &[("name", "Nguyễn Thị Hòa")]));
    others.push(NewEvent { since: Some("2020".to_owned()), ..event.clone() });
    others.push(NewEvent { legal_on: "17/04/2021".to_owned(), ..event.clone() });
    let mut paper = event.clone();
    paper.paper.as_mut().unwrap().number = "other".to_owned();
    others.push(paper);
    for other in &others {
        let faults = at(&db, 3, other).await.expect_err("it is another event");
        assert!(faults.contains(&register::Fault::OtherEvent), "{faults:?}");
    }
    assert_eq!(everything(&db).await, before);
    sound(&db).await;
}

#[tokio::test]
async fn the_same_event_sent_twice_at_once_is_recorded_once() {
    let db = world().await;
    let event = died("a", 1, "1/2021");
    let (one, other) = tokio::join!(at(&db, 0, &event), at(&db, 0, &event));
    let mut repeated = [one.unwrap().repeated, other.unwrap().repeated];
    repeated.sort_unstable();
    assert_eq!(repeated, [false, true]);
    sound(&db).await;
}

#[tokio::test]
async fn a_preview_says_what_would_be_done_and_does_nothing() {
    let db = world().await;
    let event = died("a", 1, "1/2021");
    let before = everything(&db).await;
    let request = register::Request {
        scope: &crate::world::home(),
        actor: &domain::Actor::Centre,
        now: NOW,
        event: &event,
        scan: None,
        note: serde_json::Map::new(),
    };
    let outcome = preview(&db, &request).await.unwrap();
    assert_eq!((outcome.version, outcome.repeated), (2, false));
    assert_eq!(everything(&db).await, before);
}

#[tokio::test]
async fn every_event_is_a_row_of_the_audit_trail() {
    let db = world().await;
    at(&db, 0, &died("a", 1, "1/2021")).await.unwrap();
    let (action, subject, path, detail): (String, String, String, serde_json::Value) =
        sqlx::query_as("SELECT action, subject, unit_path, detail FROM audit")
            .fetch_one(db.admin())
            .await
            .unwrap();
    assert_eq!((action.as_str(), path.as_str()), ("register.died", HOME));
    assert_eq!(subject, format!("person:{}", person(1)));
    assert_eq!(detail["event"], serde_json::json!(crate::world::event_id("a")));
}
