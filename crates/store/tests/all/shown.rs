//! What an account was shown is counted once each, however many pages are asked for at once; and the
//! questions
//! to the trail.

use time::macros::{date, datetime};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use domain::id::PersonId;
use store::shown::{self, Hours, Work};
use store::trail::{self, Question, Reader, Turn};
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

/// A list in pages, forth and back, of one unit; each of them is a row that says so.
#[tokio::test]
async fn the_trail_of_a_unit_is_read_in_pages_both_ways() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let id = Uuid::from_u128(7);
    let rows: Vec<audit::Entry> = (0..25)
        .map(|n| audit::Entry {
            // Several in the same moment, in several chains.
            at: NOW + Duration::seconds(n / 4),
            actor: "printer".parse().unwrap(),
            action: "person.read".to_owned(),
            subject: if n % 2 == 0 { format!("person:{id}") } else { format!("person:{n}") },
            unit_path: if n % 5 == 0 { "52/540/" } else { "42/445/18562/" }.to_owned(),
            detail: serde_json::json!({ "n": n }),
        })
        .collect();
    audit::append_all(&mut tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
    let (by, scope) = ("station".parse().unwrap(), UnitScope::parse("42/445").unwrap());
    let reader = Reader { by: &by, scope: &scope, address: Some("203.0.113.9"), at: NOW };
    let question = Question { action: Some("person"), limit: 8, ..Question::default() };
    let numbers = |part: &trail::Part| -> Vec<i64> {
        part.rows.iter().map(|row| row.detail["n"].as_i64().unwrap()).collect()
    };
    let first = trail::read(&db, &reader, &question, Turn::Newest).await.unwrap();
    let older = Turn::OlderThan(first.rows.last().unwrap().mark());
    let second = trail::read(&db, &reader, &question, older).await.unwrap();
    let older = Turn::OlderThan(second.rows.last().unwrap().mark());
    let third = trail::read(&db, &reader, &question, older).await.unwrap();
    assert_eq!(
        [&first, &second, &third].map(|part| (part.newer, part.older)),
        [(false, true), (true, true), (true, false)]
    );
    let mut all: Vec<i64> = [&first, &second, &third].into_iter().flat_map(&numbers).collect();
    assert_eq!(all.len(), 20, "each once: {all:?}");
    all.sort_unstable();
    assert_eq!(all, (0..25).filter(|n| n % 5 != 0).collect::<Vec<i64>>(), "those of the unit");
    let newer = Turn::NewerThan(third.rows.first().unwrap().mark());
    assert_eq!(trail::read(&db, &reader, &question, newer).await.unwrap().rows, second.rows);
    let newer = Turn::NewerThan(second.rows.first().unwrap().mark());
    let back = trail::read(&db, &reader, &question, newer).await.unwrap();
    assert_eq!((&back.rows, back.newer), (&first.rows, false));
    // An id alone is everything that has it; another unit's rows are not among them.
    let bare = id.to_string();
    let of_id = Question { subject: Some(&bare), limit: 50, ..Question::default() };
    let found = trail::read(&db, &reader, &of_id, Turn::Newest).await.unwrap();
    assert_eq!(found.rows.len(), (0..25).filter(|n| n % 2 == 0 && n % 5 != 0).count());
    let written: Vec<(String, String, serde_json::Value)> = sqlx::query_as(
        "SELECT actor, unit_path, detail FROM audit WHERE action = 'audit.listed' ORDER BY seq",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    assert_eq!(written.len(), 6, "each reading is a row");
    let (actor, unit, detail) = &written[5];
    assert_eq!((actor.as_str(), unit.as_str()), ("station", "42/445/"));
    assert_eq!((&detail["question"]["subject"], &detail["address"]), (&bare.into(), &"203.0.113.9".into()));
}
