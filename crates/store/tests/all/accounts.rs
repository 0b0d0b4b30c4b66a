//! Accounts, sessions and saved progress.

use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use store::accounts::{self, Account};
use store::sessions::{self, Session};
use store::{UnitScope, progress};
use testkit::fresh_database;

const T0: OffsetDateTime = datetime!(2021-03-01 08:00 UTC);

fn account(n: u128, login: &str) -> Account {
    Account {
        id: Uuid::from_u128(n),
        login: login.to_owned(),
        role: "commander".to_owned(),
        scope: UnitScope::parse("52/540").unwrap(),
        display_name: "Chỉ huy".to_owned(),
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
        created_at: T0,
        disabled_at: None,
    }
}

fn session(account: &Account, token: u8) -> Session {
    Session {
        token_hash: [token; 32],
        account_id: account.id,
        csrf_secret: [9; 32],
        created_at: T0,
        expires_at: T0 + Duration::hours(8),
    }
}

#[tokio::test]
async fn an_account_is_found_by_login_in_any_case_and_is_unique() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let one = account(1, "lan");
    accounts::insert(&mut tx, &one).await.unwrap();
    assert_eq!(accounts::by_login(&mut tx, "LAN").await.unwrap(), Some(one.clone()));
    assert_eq!(accounts::by_login(&mut tx, "minh").await.unwrap(), None);
    accounts::insert(&mut tx, &account(2, "anh")).await.unwrap();
    let logins: Vec<String> = accounts::all(&mut tx).await.unwrap().into_iter().map(|a| a.login).collect();
    assert_eq!(logins, ["anh", "lan"]);
    let error = accounts::insert(&mut tx, &account(3, "Lan")).await.unwrap_err();
    assert!(error.violates("account_login_key"), "{error}");
}

#[tokio::test]
async fn a_session_ends_by_time_by_signing_out_and_with_its_account() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let one = account(1, "lan");
    accounts::insert(&mut tx, &one).await.unwrap();
    for token in 1..=3 {
        sessions::insert(&mut tx, &session(&one, token)).await.unwrap();
    }
    let found = sessions::find(&mut tx, &[1; 32], T0).await.unwrap();
    assert_eq!(found, Some((session(&one, 1), one.clone())));
    assert_eq!(sessions::find(&mut tx, &[1; 32], T0 + Duration::hours(8)).await.unwrap(), None);
    assert_eq!(sessions::find(&mut tx, &[8; 32], T0).await.unwrap(), None);

    assert!(sessions::delete(&mut tx, &[1; 32]).await.unwrap());
    assert!(!sessions::delete(&mut tx, &[1; 32]).await.unwrap());
    assert_eq!(sessions::find(&mut tx, &[1; 32], T0).await.unwrap(), None);

    assert!(accounts::set_password(&mut tx, one.id, "$argon2id$other").await.unwrap());
    assert_eq!(sessions::find(&mut tx, &[2; 32], T0).await.unwrap(), None);

    sessions::insert(&mut tx, &session(&one, 4)).await.unwrap();
    assert!(accounts::disable(&mut tx, one.id, T0).await.unwrap());
    assert!(!accounts::disable(&mut tx, one.id, T0).await.unwrap());
    assert_eq!(sessions::find(&mut tx, &[4; 32], T0).await.unwrap(), None);
    assert_eq!(accounts::by_login(&mut tx, "lan").await.unwrap().unwrap().disabled_at, Some(T0));
}

#[tokio::test]
async fn expired_sessions_are_removed() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let one = account(1, "lan");
    accounts::insert(&mut tx, &one).await.unwrap();
    sessions::insert(&mut tx, &session(&one, 1)).await.unwrap();
    let longer = Session { expires_at: T0 + Duration::days(2), ..session(&one, 2) };
    sessions::insert(&mut tx, &longer).await.unwrap();
    assert_eq!(sessions::delete_expired(&mut tx, T0 + Duration::DAY).await.unwrap(), 1);
    assert!(sessions::find(&mut tx, &[2; 32], T0).await.unwrap().is_some());
}

#[test]
fn secrets_are_not_printed() {
    let one = account(1, "lan");
    let text = format!("{one:?} {:?}", session(&one, 77));
    for secret in ["argon2", "77", "lan", "9, 9"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn progress_is_kept_by_key() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    assert_eq!(progress::load(&mut tx, "day").await.unwrap(), None);
    progress::save(&mut tx, "day", &json!(1)).await.unwrap();
    progress::save(&mut tx, "day", &json!({ "n": 2 })).await.unwrap();
    assert_eq!(progress::load(&mut tx, "day").await.unwrap(), Some(json!({ "n": 2 })));
}
