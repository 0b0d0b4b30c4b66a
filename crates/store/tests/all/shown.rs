//! What an account was shown is counted once each, however many pages are asked for at once; and the
//! questions
//! to the trail.

use time::macros::{date, datetime};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use domain::id::PersonId;
use store::shown::{self, Hours, Work};
use store::trail::{self, Question};
use store::{UnitScope, audit};
use testkit::fresh_database;

const DAY: Date = date!(2026 - 01 - 15);
const NOW: OffsetDateTime = datetime!(2026-01-15 08:00 +7);

#[tokio::test]
async fn pages_at_once_count_each_person_once_and_none_is_lost() {
    let db = fresh_database().await;
    let account = Uuid::from_u128(1);
    let page = async |first: u128| {
        let mut tx = db.begin().await.unwrap();
        let things: Vec<Uuid> = (first..first + 50).map(Uuid::from_u128).collect();
        let count = shown::count(&mut tx, account, DAY, &things).await.unwrap();
        tx.commit().await.unwrap();
        count
    };
    let counts = tokio::join!(page(0), page(25), page(50), page(0));
    assert_eq!([counts.0, counts.1, counts.2, counts.3].into_iter().max(), Some(100));
    assert_eq!(page(25).await, 100, "they were shown before");
    // What is taken back was not shown.
    let mut tx = db.begin().await.unwrap();
    assert_eq!(shown::count(&mut tx, account, DAY, &[Uuid::from_u128(900)]).await.unwrap(), 101);
    tx.rollback().await.unwrap();
    assert_eq!(page(0).await, 100);
    let mut tx = db.begin().await.unwrap();
    shown::prune(&mut tx, DAY.next_day().unwrap()).await.unwrap();
    assert_eq!(shown::count(&mut tx, account, DAY, &[Uuid::nil()]).await.unwrap(), 1);
}

#[tokio::test]
async fn the_trail_is_asked_by_subject_actor_action_and_day() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let entry = |action: &str, detail| audit::Entry {
        at: NOW,
        actor: "printer".parse().unwrap(),
        action: action.to_owned(),
        subject: "person:1".to_owned(),
        unit_path: String::new(),
        detail,
    };
    let said = serde_json::json!({ "reason": "request", "session": "a" });
    let entries = [entry("person.reason", said), entry("person.read", serde_json::json!({}))];
    audit::append_all(&mut tx, &entries).await.unwrap();
    let count = async |tx: &mut store::PgConnection, question: Question<'_>| {
        trail::list(tx, &Question { limit: 10, ..question }).await.unwrap().len()
    };
    let asked = |action| Question { action: Some(action), ..Question::default() };
    assert_eq!(count(&mut tx, asked("person")).await, 2);
    assert_eq!(count(&mut tx, asked("person.read")).await, 1);
    assert_eq!(count(&mut tx, asked("pers")).await, 0);
    assert_eq!(count(&mut tx, Question { from: Some(NOW + Duration::SECOND), ..asked("person") }).await, 0);
    assert_eq!(count(&mut tx, Question { to: Some(NOW), ..asked("person") }).await, 0);
    for (session, since, expected) in [
        ("a", NOW - Duration::MINUTE, Some("request")),
        ("b", NOW - Duration::MINUTE, None),
        ("a", NOW, None),
    ] {
        let found = trail::reason(&mut tx, "person:1", "printer", session, since).await.unwrap();
        assert_eq!(found.as_deref(), expected);
    }
    let everything = UnitScope::everything();
    for work in [Work::Cases, Work::Applications] {
        let person = PersonId::derive(NOW, &[b"nobody"]);
        assert!(!shown::is_at_hand(&mut tx, &everything, person, work, DAY).await.unwrap());
    }
    let hours = Hours { day: DAY, begins: NOW, ends: NOW, opens: NOW, closes: NOW };
    assert_eq!(shown::account_days(&mut tx, &everything, &hours).await.unwrap(), []);
    assert_eq!(shown::refused_sign_ins(&mut tx, NOW, NOW, 1).await.unwrap(), []);
}
