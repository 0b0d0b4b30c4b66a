//! Rounds that may wait are done once, by whoever comes first, and one that fails stays in sight.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use centre::upkeep::{self, Round};
use store::Database;
use store::jobs::QueueDepth;

/// A Tuesday in Vietnam, and still a Monday in Greenwich.
const TUESDAY: OffsetDateTime = datetime!(2021-03-08 18:00 UTC);

async fn work_off(db: &Database, at: OffsetDateTime) -> usize {
    upkeep::work_off(db, &Round::ALL, at).await.unwrap()
}

#[tokio::test]
async fn a_round_is_done_once_a_day_by_whoever_comes_first() {
    let db = testkit::fresh_database().await;
    let (one, other) = tokio::join!(work_off(&db, TUESDAY), work_off(&db, TUESDAY));
    assert_eq!(one + other, Round::ALL.len(), "{one} and {other}");
    assert_eq!(work_off(&db, TUESDAY + Duration::hours(22)).await, 0, "it is still Tuesday");
    assert_eq!(
        work_off(&db, TUESDAY + Duration::hours(23)).await,
        2,
        "cards end and people are looked at every day"
    );
    assert_eq!(work_off(&db, TUESDAY + Duration::days(6)).await, 3, "and records are checked every week");
}

#[tokio::test]
async fn a_round_that_fails_is_tried_again_and_then_left_in_sight() {
    let db = testkit::fresh_database().await;
    // An action of a card that is not there: no history can be compared with a row.
    sqlx::query(
        "INSERT INTO card_action (application_id, card_id, seq, action, at, recorded_at, actor, reason, \
         unit_path) \
         VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'revoke', now(), now(), 'centre', 'lost', '')",
    )
    .execute(db.admin())
    .await
    .unwrap();
    assert_eq!(upkeep::check_records(&db).await.unwrap().cards.len(), 1);
    assert_eq!(work_off(&db, TUESDAY).await, 2, "the other rounds are done");
    let depth = |at| upkeep::depth(&db, at);
    assert_eq!(depth(TUESDAY).await.unwrap(), QueueDepth { due: 0, later: 1, dead: 0 });
    let mut at = TUESDAY;
    for _ in 0..8 {
        at += Duration::hours(1);
        work_off(&db, at).await;
    }
    assert_eq!(depth(at).await.unwrap().dead, 1);
    // What was wrong is put right, but nobody said so: the next week's round is another one.
    sqlx::query("DELETE FROM card_action").execute(db.admin()).await.unwrap();
    assert_eq!(work_off(&db, TUESDAY + Duration::days(7)).await, 3);
}
