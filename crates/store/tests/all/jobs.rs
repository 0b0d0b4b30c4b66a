//! Jobs on a real database: leases, retries, dead letters, idempotency.

use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use store::jobs::{self, Failed, NewJob};
use store::{Database, Error};
use testkit::fresh_database;

const T0: OffsetDateTime = datetime!(2021-03-01 08:00 +7);
const LEASE: Duration = Duration::minutes(1);

fn job(n: u128, key: Option<&str>) -> NewJob {
    NewJob {
        id: Uuid::from_u128(n),
        queue: "resolve".to_owned(),
        idempotency_key: key.map(str::to_owned),
        payload: json!({ "application": n.to_string() }),
        run_at: T0,
        max_attempts: 3,
    }
}

async fn enqueue(db: &Database, job: &NewJob) -> bool {
    let mut tx = db.begin().await.unwrap();
    let new = jobs::enqueue(&mut tx, job, T0).await.unwrap();
    tx.commit().await.unwrap();
    new
}

async fn claim(db: &Database, limit: i64, now: OffsetDateTime) -> Vec<jobs::Claimed> {
    jobs::claim(db.work(), "resolve", "worker-1", limit, LEASE, now).await.unwrap()
}

#[tokio::test]
async fn a_job_is_enqueued_and_completed_with_its_transaction_or_not_at_all() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    jobs::enqueue(&mut tx, &job(1, None), T0).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(claim(&db, 10, T0).await, []);

    enqueue(&db, &job(1, None)).await;
    let held = claim(&db, 10, T0).await.remove(0);
    assert_eq!((held.attempt, &held.payload), (1, &json!({ "application": "1" })));
    let mut tx = db.begin().await.unwrap();
    jobs::complete(&mut tx, &held, T0).await.unwrap();
    tx.rollback().await.unwrap();
    let again = claim(&db, 10, T0 + LEASE).await.remove(0);
    assert_eq!(again.attempt, 2);
    let mut tx = db.begin().await.unwrap();
    jobs::complete(&mut tx, &again, T0).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&db, 10, T0 + Duration::days(1)).await, []);
}

#[tokio::test]
async fn workers_at_once_never_hold_the_same_job() {
    let db = fresh_database().await;
    let all: Vec<NewJob> = (0..200).map(|n| job(n, None)).collect();
    let mut tx = db.begin().await.unwrap();
    assert_eq!(jobs::enqueue_all(&mut tx, &all, T0).await.unwrap(), 200);
    tx.commit().await.unwrap();
    let worker = async || {
        let mut held = Vec::new();
        loop {
            let some = claim(&db, 7, T0).await;
            if some.is_empty() {
                return held;
            }
            held.extend(some.into_iter().map(|j| j.id));
        }
    };
    let (mut a, b, c) = tokio::join!(worker(), worker(), worker());
    a.extend(b);
    a.extend(c);
    a.sort();
    assert_eq!(a, all.iter().map(|j| j.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lost_lease_cannot_complete_fail_or_extend() {
    let db = fresh_database().await;
    enqueue(&db, &job(1, None)).await;
    let mut slow = claim(&db, 1, T0).await.remove(0);
    assert_eq!(claim(&db, 1, T0 + LEASE - Duration::SECOND).await, [], "the lease holds");
    let mut quick = claim(&db, 1, T0 + LEASE).await.remove(0);
    let later = T0 + LEASE * 2;
    let mut tx = db.begin().await.unwrap();
    let lost = jobs::complete(&mut tx, &slow, later).await;
    assert!(matches!(lost, Err(Error::LeaseLost { job }) if job == slow.id));
    drop(tx);
    assert!(matches!(jobs::fail(db.work(), &slow, "late", later).await, Err(Error::LeaseLost { .. })));
    assert!(matches!(jobs::extend(db.work(), &mut slow, later).await, Err(Error::LeaseLost { .. })));

    jobs::extend(db.work(), &mut quick, later + LEASE).await.unwrap();
    assert_eq!(claim(&db, 1, later).await, [], "the extended lease holds");
    let mut tx = db.begin().await.unwrap();
    jobs::complete(&mut tx, &quick, later).await.unwrap();
}

#[tokio::test]
async fn a_failing_job_waits_longer_each_time_then_is_dead_and_can_be_revived() {
    let db = fresh_database().await;
    enqueue(&db, &job(1, None)).await;
    let mut now = T0;
    for wait in [5, 10] {
        let held = claim(&db, 1, now).await.remove(0);
        let expected = now + Duration::seconds(wait);
        let outcome = jobs::fail(db.work(), &held, "the index is not built", now).await.unwrap();
        assert_eq!(outcome, Failed::RetryAt(expected));
        assert_eq!(claim(&db, 1, expected - Duration::SECOND).await, []);
        now = expected;
    }
    let held = claim(&db, 1, now).await.remove(0);
    assert_eq!(jobs::fail(db.work(), &held, "the index is not built", now).await.unwrap(), Failed::Dead);
    assert_eq!(claim(&db, 1, now + Duration::days(9)).await, []);
    assert_eq!(jobs::depth(db.work(), "resolve", now).await.unwrap().dead, 1);

    let mut tx = db.begin().await.unwrap();
    assert!(jobs::revive(&mut tx, held.id, now).await.unwrap());
    assert!(!jobs::revive(&mut tx, held.id, now).await.unwrap(), "it is not dead any more");
    tx.commit().await.unwrap();
    assert_eq!(claim(&db, 1, now).await[0].attempt, 1);
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_dead_after_its_last_attempt() {
    let db = fresh_database().await;
    enqueue(&db, &job(1, None)).await;
    let mut now = T0;
    for attempt in 1..=3 {
        assert_eq!(claim(&db, 1, now).await[0].attempt, attempt);
        now += LEASE;
    }
    assert_eq!(claim(&db, 1, now).await, []);
    let depth = jobs::depth(db.work(), "resolve", now).await.unwrap();
    assert_eq!((depth.due, depth.later, depth.dead), (0, 0, 1));
}

/// Two workers that enqueue one job in the same instant may meet at either of its two keys.
#[tokio::test]
async fn a_job_whose_id_is_there_already_is_the_same_job() {
    let db = fresh_database().await;
    assert!(enqueue(&db, &job(1, Some("packet 7"))).await);
    assert!(!enqueue(&db, &job(1, Some("packet 8"))).await);
    assert!(!enqueue(&db, &job(1, None)).await);
    assert_eq!(claim(&db, 10, T0).await.len(), 1);
}

#[tokio::test]
async fn an_idempotency_key_holds_after_the_job_is_done_and_pruned() {
    let db = fresh_database().await;
    assert!(enqueue(&db, &job(1, Some("packet 7"))).await);
    assert!(!enqueue(&db, &job(2, Some("packet 7"))).await);
    let other = NewJob { queue: "report".to_owned(), ..job(3, Some("packet 7")) };
    assert!(enqueue(&db, &other).await, "keys are by queue");
    assert!(enqueue(&db, &job(4, None)).await);
    for held in claim(&db, 10, T0).await {
        let mut tx = db.begin().await.unwrap();
        jobs::complete(&mut tx, &held, T0).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(jobs::prune(db.work(), T0 + Duration::DAY).await.unwrap(), 1, "the one without a key");
    assert!(!enqueue(&db, &job(5, Some("packet 7"))).await);
}
