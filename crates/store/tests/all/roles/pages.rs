//! What the login of pages may do, and what it may do to cards.

use super::*;

/// What pages have a login for is not what the work is done with.
#[tokio::test]
async fn a_login_of_pages_cannot_do_the_work() {
    let db = two_people().await;
    let mut conn = PgConnection::connect_with(&db.logins().pages).await.unwrap();
    for attack in [
        "INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at) \
         VALUES (gen_random_uuid(), 'k', '18562', '', now())",
        "INSERT INTO account (id, login, role, unit_path, display_name, password_hash, created_at) \
         VALUES (gen_random_uuid(), 'me', 'commander', '', 'me', '', now())",
        "UPDATE account SET password_hash = ''",
        "UPDATE account SET role = 'commander'",
        "SELECT sealed FROM packet",
        "SELECT wrapped_key FROM packet",
        "INSERT INTO packet (packet_id) VALUES (gen_random_uuid())",
        "UPDATE packet SET wrapped_key = NULL",
        "UPDATE officer_credential SET not_after = now()",
        "UPDATE card SET dg1 = NULL",
        "INSERT INTO card (card_id) VALUES (gen_random_uuid())",
        "DELETE FROM card",
        "INSERT INTO certificate (serial) VALUES ('1')",
        "SELECT wrapped_key FROM blank_box",
        "UPDATE recording SET seal = 1",
        "CREATE TEMPORARY TABLE mine (a int)",
        "SELECT scope_path()",
    ] {
        assert_eq!(said(&mut conn, attack).await, Err("42501".to_owned()), "{attack}");
    }
    conn.close().await.unwrap();
}

/// A clerk's event blocks a card and frees it (docs/decisions/0037-civil-events.md). Of all other cards and
/// actions pages change nothing.
#[tokio::test]
async fn a_login_of_pages_blocks_a_card_and_frees_it_and_does_no_more() {
    let db = two_people().await;
    let states = domain::card::CardState::ALL.map(domain::card::CardState::code);
    for (n, state) in states.iter().enumerate() {
        let sql = format!(
            "INSERT INTO card (card_id, number, application_id, person_id, pin, state, actions, issued_on, \
             ds_serial, token_sha256, face, unit_code, unit_path, intended_at) \
             VALUES ('00000000-0000-0000-0000-0000000001{n:02}', '{n}', \
             '00000000-0000-0000-0000-000000000001', gen_random_uuid(), '', '{state}', 1, now(), '1', \
             sha256('{n}'), '{{}}', '18562', '{HERE}', now())"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
    }
    let mut conn = PgConnection::connect_with(&db.logins().pages).await.unwrap();
    for to in states.iter().filter(|to| !["active", "suspended"].contains(to)) {
        let attack = format!("UPDATE card SET state = '{to}' WHERE state = 'active'");
        assert_eq!(said(&mut conn, &attack).await, Err("42501".to_owned()), "{attack}");
    }
    // Cards that are neither in force nor suspended are not there for it.
    said(&mut conn, "UPDATE card SET actions = 9").await.unwrap();
    let touched: Vec<String> = sqlx::query_scalar("SELECT state FROM card WHERE actions = 9 ORDER BY state")
        .fetch_all(db.admin())
        .await
        .unwrap();
    assert_eq!(touched, ["active", "suspended"]);
    for (action, reason, expect) in [
        ("suspend", "'holder_died'", Ok(-1)),
        ("reinstate", "'cleared'", Ok(-1)),
        ("suspend", "'lost'", Err("42501")),
        ("reinstate", "'found'", Err("42501")),
        ("revoke", "'holder_died'", Err("42501")),
        ("hand_over", "NULL", Err("42501")),
        ("intend", "NULL", Err("42501")),
    ] {
        let attack = format!(
            "INSERT INTO card_action (application_id, card_id, seq, action, at, recorded_at, actor, reason, \
             unit_path) VALUES (gen_random_uuid(), gen_random_uuid(), 1, '{action}', now(), now(), 'centre', \
             {reason}, '{HERE}')"
        );
        assert_eq!(said(&mut conn, &attack).await, expect.map_err(str::to_owned), "{attack}");
    }
    conn.close().await.unwrap();
}
