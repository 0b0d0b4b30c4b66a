//! What each login may do to cases of correction: a unit reads its own, pages and work add and go on, and
//! nobody writes over what was asked or done.

use super::*;

const TABLES: [&str; 3] = ["correction_case", "correction_item", "correction_action"];

/// A case in each of the two provinces.
async fn two_cases() -> FreshDatabase {
    let db = two_people().await;
    for (n, path) in [(1, HERE), (2, ELSEWHERE)] {
        let id = format!("00000000-0000-0000-0000-00000000000{n}");
        let sql = format!(
            "INSERT INTO correction_case (case_id, kind, person_id, source, state, requested_by, opened_at, \
             actions, unit_path) VALUES ('{id}', 'correction', '{id}', 'citizen', 'requested', 'centre', \
             now(), 1, '{path}'); \
             INSERT INTO correction_item (case_id, field, part, register_value, claimed_value, outcome, \
             unit_path) VALUES ('{id}', 'name', 'whole', 'A', 'B', 'open', '{path}'); \
             INSERT INTO correction_action (case_id, seq, action, at, actor, desk, action_id, detail, \
             unit_path) VALUES ('{id}', 1, 'request', now(), 'centre', 'clerk', '{id}', '{{}}', '{path}')"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
    }
    db
}

#[tokio::test]
async fn a_unit_reads_its_own_cases_alone_and_writes_none() {
    let db = two_cases().await;
    for (path, seen) in [(HERE, 1), (ELSEWHERE, 1), ("42/", 1), ("52/541/", 0)] {
        let mut tx = db.scoped(&UnitScope::parse(path).unwrap()).await.unwrap();
        for table in TABLES {
            let elsewhere =
                format!("SELECT count(*) FROM {table} WHERE NOT starts_with(unit_path, '{path}')");
            let own = format!("SELECT count(*) FROM {table}");
            assert_eq!(said(&mut tx, &elsewhere).await, Ok(0), "{table} {path}");
            assert_eq!(said(&mut tx, &own).await, Ok(seen), "{table} {path}");
        }
    }
    // On a connection of its own, which proves no unit and which nothing holds to reading.
    let mut conn = PgConnection::connect_with(&db.logins().scoped.unwrap()).await.unwrap();
    for table in TABLES {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(said(&mut conn, &count).await, Ok(0), "{table}");
        for attack in [
            format!("INSERT INTO {table} SELECT * FROM {table}"),
            format!("UPDATE {table} SET unit_path = '{HERE}'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table} CASCADE"),
        ] {
            assert_eq!(said(&mut conn, &attack).await, Err("42501".to_owned()), "{attack}");
        }
    }
    conn.close().await.unwrap();
}

#[tokio::test]
async fn what_was_asked_and_done_is_written_over_by_nobody() {
    let db = two_cases().await;
    for login in [db.logins().pages, db.logins().work] {
        let mut conn = PgConnection::connect_with(&login).await.unwrap();
        for attack in [
            "UPDATE correction_case SET person_id = gen_random_uuid()",
            "UPDATE correction_case SET opened_at = now()",
            "UPDATE correction_case SET source = 'clerk'",
            "UPDATE correction_case SET requested_by = 'centre'",
            "DELETE FROM correction_case",
            "UPDATE correction_item SET register_value = 'B'",
            "UPDATE correction_item SET claimed_value = 'C'",
            "UPDATE correction_item SET field = 'sex'",
            "DELETE FROM correction_item",
            "UPDATE correction_action SET actor = 'centre'",
            "UPDATE correction_action SET detail = '{}'",
            "DELETE FROM correction_action",
            "TRUNCATE correction_action",
        ] {
            assert_eq!(said(&mut conn, attack).await, Err("42501".to_owned()), "{attack}");
        }
        // Where a unit went its cases go with it, which is the worker's to do.
        let elsewhere = said(&mut conn, "UPDATE correction_case SET unit_path = unit_path").await;
        assert_eq!(elsewhere.is_ok(), login.get_username() == db.logins().work.get_username());
        // What an act moves on may be moved on; that a case without a paper is applied may not be said.
        let moved = "UPDATE correction_case SET state = 'taken', owner = 'centre', actions = actions + 1";
        said(&mut conn, moved).await.unwrap();
        said(&mut conn, "UPDATE correction_item SET outcome = 'granted', granted_value = 'B'").await.unwrap();
        let applied = "UPDATE correction_case SET state = 'applied', closed_at = now()";
        assert_eq!(said(&mut conn, applied).await, Err("23514".to_owned()));
        assert_eq!(
            said(&mut conn, "UPDATE correction_case SET state = 'withdrawn'").await,
            Err("23514".to_owned())
        );
        conn.close().await.unwrap();
    }
}
