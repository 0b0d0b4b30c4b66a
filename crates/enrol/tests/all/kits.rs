//! Kits are registered once, revoked for a reason, and what a revoked one sends is refused.

use sqlx::Row;
use time::Duration;

use crate::support::*;
use domain::Actor;
use domain::id::AccountId;
use domain::unit::Units;
use enrol::intake::receive;
use enrol::kits::{Came, NewKit, confirm, id_of, register, revoke};
use packet::message::Outcome;
use store::Database;
use store::applications::officers::insert;

fn new_kit(kit: &TestKit, name: &str) -> NewKit {
    NewKit { kit_id: kit.id, name: name.to_owned(), unit: "445".parse().unwrap(), public_key: kit.public() }
}

async fn registered(db: &Database, kit: &NewKit) -> Result<Came, String> {
    let units = Units::latest();
    register(db, units, kit, &Actor::Centre, DAY).await.map_err(|error| error.to_string())
}

async fn revoked(db: &Database, name: &str, reason: &str) -> Result<Came, String> {
    let units = Units::latest();
    let (one, other) = (account("one"), account("other"));
    let proposed = revoke(db, units, name, reason, &one, DAY).await.map_err(|error| error.to_string())?;
    confirm(db, units, name, None, &other, DAY).await.map_err(|error| error.to_string())?;
    Ok(proposed)
}

pub(crate) fn account(name: &str) -> Actor {
    Actor::Account(AccountId::derive(DAY, &[name.as_bytes()]))
}

async fn rows(db: &Database) -> i64 {
    let sql = "SELECT count(*) FROM audit WHERE action LIKE 'kit.%'";
    sqlx::query(sql).fetch_one(db.work()).await.unwrap().get(0)
}

#[tokio::test]
async fn a_kit_is_registered_once_and_its_key_is_its_own() {
    let db = testkit::fresh_database().await;
    let (one, other) = (TestKit::new(1), TestKit::new(2));
    assert_eq!(registered(&db, &new_kit(&one, "445-01")).await, Ok(Came::Now));
    assert_eq!(registered(&db, &new_kit(&one, "445-01")).await, Ok(Came::Before));
    assert_eq!(rows(&db).await, 1);
    let key_taken = registered(&db, &new_kit(&one, "445-02")).await.unwrap_err();
    assert!(key_taken.contains("this key is registered, as kit 445-01"), "{key_taken}");
    let name_taken = registered(&db, &new_kit(&other, "445-01")).await.unwrap_err();
    assert!(name_taken.contains("this name is registered, with another key"), "{name_taken}");
    for name in ["", "a b", "máy", &"x".repeat(65)] {
        assert!(registered(&db, &new_kit(&other, name)).await.unwrap_err().contains("named by"), "{name}");
    }
    let nowhere = NewKit { unit: "999".parse().unwrap(), ..new_kit(&other, "999-01") };
    assert_eq!(registered(&db, &nowhere).await.unwrap_err(), "there is no unit 999");
    assert_eq!(id_of(&one.public()), id_of(&one.public()));
    assert_ne!(id_of(&one.public()), id_of(&other.public()));
}

#[tokio::test]
async fn what_a_revoked_kit_sends_is_set_aside_and_what_it_sent_stays() {
    let db = testkit::fresh_database().await;
    sqlx::query(
        "INSERT INTO unit (code, valid_from, level, kind, name, parent, path) \
         VALUES ('18562', '2004-01-01', 3, 'thị trấn', 'Thạch Hà', '445', '42/445/18562/')",
    )
    .execute(db.admin())
    .await
    .unwrap();
    let kit = TestKit::new(1);
    registered(&db, &new_kit(&kit, "445-01")).await.unwrap();
    let mut conn = db.begin().await.unwrap();
    insert(&mut conn, &crate::intake::credential(&kit)).await.unwrap();
    conn.commit().await.unwrap();
    let send = async |number: u64| {
        let packets = vec![kit.packet(number, number)];
        receive(&db, packets, DAY + Duration::HOUR, &receipt_signer()).await.unwrap().receipt.items[0].outcome
    };
    assert_eq!(send(1).await, Outcome::Accepted);
    assert!(revoked(&db, "445-01", " ").await.unwrap_err().contains("a reason has"));
    assert!(revoked(&db, "445-09", "lost").await.unwrap_err().contains("dancu kit list"));
    assert_eq!(revoked(&db, "445-01", "lost").await, Ok(Came::Now));
    assert_eq!(revoked(&db, "445-01", "lost").await, Ok(Came::Before));
    assert_eq!(rows(&db).await, 3, "registered, proposed, revoked");
    assert_eq!(send(2).await, Outcome::Accepted, "it is kept, and the kit may forget it");
    let set_aside: Vec<String> = sqlx::query_scalar("SELECT quarantined FROM packet WHERE kit_seq = 2")
        .fetch_all(db.admin())
        .await
        .unwrap();
    assert_eq!(set_aside, ["kit_revoked"]);
    assert_eq!(send(1).await, Outcome::Accepted, "a repeat is answered as the first was");
    assert!(registered(&db, &new_kit(&kit, "445-01")).await.unwrap_err().contains("was revoked"));
}
