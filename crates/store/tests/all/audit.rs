//! The audit chains on a real database: appending from many sides, and finding every kind of tampering.

use serde_json::json;
use sqlx::AssertSqlSafe;
use time::macros::datetime;

use domain::Actor;
use store::Database;
use store::audit::{self, Break, Entry, Verdict};
use testkit::fresh_database;

fn entry(subject: &str, n: usize) -> Entry {
    Entry {
        at: datetime!(2021-03-01 08:00:00.123456789 +7) + time::Duration::seconds(n as i64),
        actor: Actor::Centre,
        action: "card.handed_over".to_owned(),
        subject: subject.to_owned(),
        unit_path: "52/540/21550/".to_owned(),
        detail: json!({ "z": n, "a": "ơ ư" }),
    }
}

async fn verdict(db: &Database) -> Verdict {
    let mut tx = db.begin().await.unwrap();
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await.unwrap();
    audit::verify(&mut tx).await.unwrap()
}

/// Ten rows of one subject, so that they are in one chain; returns the chain.
async fn ten_rows(db: &Database) -> i16 {
    let mut tx = db.begin().await.unwrap();
    let entries: Vec<Entry> = (0..10).map(|n| entry("card:1", n)).collect();
    audit::append_all(&mut tx, &entries).await.unwrap();
    let heads = audit::heads(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(verdict(db).await, Verdict::Intact { rows: 10 });
    heads.iter().find(|h| h.seq == 10).unwrap().chain
}

#[tokio::test]
async fn rows_are_appended_with_their_transaction_or_not_at_all() {
    let db = fresh_database().await;
    assert_eq!(verdict(&db).await, Verdict::Intact { rows: 0 });
    let mut tx = db.begin().await.unwrap();
    audit::append(&mut tx, &entry("card:1", 0)).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(verdict(&db).await, Verdict::Intact { rows: 0 });
    ten_rows(&db).await;
}

#[tokio::test]
async fn writers_at_once_keep_every_chain_whole() {
    let db = fresh_database().await;
    let write = async |writer: usize| {
        for n in 0..15 {
            let mut tx = db.begin().await.unwrap();
            // Each transaction touches several chains, in another order each time.
            let entries: Vec<Entry> =
                (0..5).map(|k| entry(&format!("card:{}", (writer * 7 + n * 3 + k * 11) % 40), n)).collect();
            audit::append_all(&mut tx, &entries).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    tokio::join!(write(0), write(1), write(2), write(3));
    assert_eq!(verdict(&db).await, Verdict::Intact { rows: 4 * 15 * 5 });
}

#[tokio::test]
async fn every_kind_of_tampering_is_found_at_its_row() {
    let check = async |sql: &str, seq: i64, how: Break| {
        let db = fresh_database().await;
        let chain = ten_rows(&db).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(db.admin()).await.unwrap();
        assert_eq!(verdict(&db).await, Verdict::Broken { chain, seq, how }, "{sql}");
    };
    check("UPDATE audit SET actor = 'account:8' WHERE seq = 4", 4, Break::Altered).await;
    check("UPDATE audit SET at = at + interval '1 microsecond' WHERE seq = 1", 1, Break::Altered).await;
    check("UPDATE audit SET unit_path = action, action = unit_path WHERE seq = 9", 9, Break::Altered).await;
    check("UPDATE audit SET detail = '{\"a\":\"ơ ư\", \"z\":2}' WHERE seq = 3", 3, Break::Altered).await;
    check("DELETE FROM audit WHERE seq = 5", 5, Break::Missing).await;
    check("DELETE FROM audit WHERE seq > 7", 8, Break::Missing).await;
    check("DELETE FROM audit", 1, Break::Missing).await;
    check("UPDATE audit SET hash = sha256('x') WHERE seq = 6", 6, Break::Altered).await;
    check("UPDATE audit SET prev_hash = sha256('x') WHERE seq = 6", 6, Break::Unlinked).await;
    check("UPDATE audit_head SET seq = 9 WHERE seq = 10", 10, Break::Head).await;
    check("UPDATE audit_head SET hash = sha256('x') WHERE seq = 10", 10, Break::Head).await;
    check("DELETE FROM audit_head WHERE seq = 10", 1, Break::Head).await;
    check(
        "INSERT INTO audit (chain, seq, at, actor, action, subject, unit_path, detail, prev_hash, hash)
         SELECT chain, 11, at, actor, action, subject, unit_path, detail, hash, hash FROM audit \
         WHERE seq = 10",
        11,
        Break::Head,
    )
    .await;
    // The two rows changed places: the earlier one is the first that does not follow.
    check(
        "UPDATE audit SET seq = -seq + 15 + 1000 WHERE seq IN (7, 8); UPDATE audit SET seq = seq - 1000 \
         WHERE seq > 1000",
        7,
        Break::Unlinked,
    )
    .await;
}
