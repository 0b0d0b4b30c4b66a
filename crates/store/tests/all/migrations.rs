//! Migrating: installations of before go on, several at once do it once, and a migration that fails leaves
//! nothing.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use time::macros::datetime;

use domain::id::{ApplicationId, CaseId, PersonId};
use store::{Database, Error};
use testkit::{FreshDatabase, fresh_database};

const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

/// The same in SQL.
const AT: &str = "2021-04-06 01:00Z";

/// The last version that was applied as one message a file.
const WHOLE_FILES: i64 = 12;

/// An empty database: what `fresh_database` gives is migrated.
async fn empty() -> FreshDatabase {
    let db = fresh_database().await;
    sqlx::raw_sql(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION dancu_owner; \
         GRANT USAGE ON SCHEMA public TO PUBLIC",
    )
    .execute(db.admin())
    .await
    .unwrap();
    assert_eq!(db.schema_version().await.unwrap(), 0);
    db
}

async fn as_owner(db: &FreshDatabase) -> PgConnection {
    PgConnection::connect_with(&db.logins().owner.unwrap()).await.unwrap()
}

/// This program's migrations as `sqlx` itself reads and applies them.
async fn sqlx_migrator(last: i64) -> Migrator {
    let all = Migrator::new(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))).await.unwrap();
    Migrator::with_migrations(all.iter().filter(|m| m.version <= last).cloned().collect())
}

async fn written(db: &FreshDatabase) -> Vec<(i64, String, bool, Vec<u8>)> {
    sqlx::query_as("SELECT version, description, success, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(db.admin())
        .await
        .unwrap()
}

/// Rows of version 12, of two communes.
async fn people_of_before(db: &FreshDatabase) {
    for (number, path) in [(1_u8, "42/445/18562/"), (2, "52/540/21550/")] {
        let person = PersonId::derive(NOW, &[&[number]]).uuid();
        let application = ApplicationId::derive(NOW, &[&[number]]).uuid();
        let case = CaseId::derive(NOW, &[&[number]]).uuid();
        let sql = format!(
            "INSERT INTO person (person_id, full_name, name_fold, sex, birth, ethnicity, religion, \
             nationality, \
                                 permanent_unit, permanent_detail, unit_path, form_no, form_hash, import_id, \
             recorded_at) VALUES ('{person}', 'A', 'A', 1, 19900000, 1, 0, 'VNM', '18562', '', '{path}', \
             '{number}', '', \
                     '{person}', '{AT}'); \
             INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor) \
             VALUES ('{person}', 1, 'registered', '{AT}', '{AT}', 'centre'); \
             INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, \
             unit_path, \
                                      captured_at) \
             VALUES ('{application}', '{person}', 'new', 'captured', '{AT}', 1, '18562', '{path}', '{AT}'); \
             INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor) \
             VALUES ('{application}', 1, 'capture', '{AT}', '{AT}', 'kit:a'); \
             INSERT INTO application_record (application_id, record, differs) \
             VALUES ('{application}', '{{}}', '{{}}'); \
             INSERT INTO case_file (case_id, kind, person_id, evidence, unit_path, opened_at, due_at) \
             VALUES ('{case}', 'register_duplicate', '{person}', '{{}}', '{path}', '{AT}', '{AT}'); \
             INSERT INTO case_action (case_id, seq, action, at, actor, decision) \
             VALUES ('{case}', 1, 'propose', '{AT}', 'account:a', 'same_person')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
    }
}

#[tokio::test]
async fn an_installation_that_sqlx_migrated_goes_on() {
    let db = empty().await;
    let mut connection = as_owner(&db).await;
    sqlx_migrator(WHOLE_FILES).await.run(&mut connection).await.unwrap();
    drop(connection);
    assert_eq!(written(&db).await.len() as i64, WHOLE_FILES);
    people_of_before(&db).await;
    db.migrate().await.unwrap();
    db.check_schema().await.unwrap();
    // The histories are seen where they belong.
    for (path, expected) in [("42/445", 1), ("52", 1), ("01", 0), ("", 2)] {
        let scope = match path {
            "" => store::UnitScope::everything(),
            path => store::UnitScope::parse(path).unwrap(),
        };
        let mut tx = db.scoped(&scope).await.unwrap();
        for table in ["person_event", "application_action", "application_record", "case_action"] {
            let sql = format!("SELECT count(*) FROM {table}");
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(seen, expected, "{table} in {path}");
        }
    }
}

/// A history of before: number of the person, pin of the record, version, status and the record it was merged
/// into.
async fn history_of_before(
    db: &FreshDatabase,
    who: u8,
    (pin, status, same_as): (Option<&str>, i16, Option<u8>),
    events: &[(&str, Option<String>)],
) {
    let id = |number: u8| PersonId::derive(NOW, &[&[number]]).uuid();
    let quoted =
        |value: Option<String>| value.map_or_else(|| "NULL".to_owned(), |value| format!("'{value}'"));
    let person = id(who);
    let pin = quoted(pin.map(str::to_owned));
    let same_as = quoted(same_as.map(|other| id(other).to_string()));
    let version = events.len() + 1;
    let mut sql = format!(
        "INSERT INTO person (person_id, full_name, name_fold, sex, birth, ethnicity, religion, nationality, \
         permanent_unit, \
                             permanent_detail, unit_path, form_no, form_hash, import_id, recorded_at, pin, \
                             status, same_as, version) \
         VALUES ('{person}', 'Lê A', 'LE A', 2, 19900000, 1, 0, 'VNM', '18562', '', '42/445/18562/', \
         '{who}', '', \
                 '{person}', '{AT}', {pin}, {status}, {same_as}, {version}); \
         INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor) \
         VALUES ('{person}', 1, 'registered', '{AT}', '{AT}', 'centre');"
    );
    for (index, (kind, detail)) in events.iter().enumerate() {
        let version = index + 2;
        let detail = quoted(detail.clone());
        // Both records of a pair are written in one instant.
        sql.push_str(&format!(
            "INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor, detail) \
             VALUES ('{person}', {version}, '{kind}', '2021-04-{version:02}', '2021-04-{version:02}', \
             'centre', {detail});"
        ));
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
}

async fn number_of_before(db: &FreshDatabase, pin: &str, who: u8, source: &str, ended_at: Option<&str>) {
    let person = PersonId::derive(NOW, &[&[who]]).uuid();
    let ended = ended_at.map_or_else(|| "NULL".to_owned(), |at| format!("'{at}'"));
    let sql = format!(
        "INSERT INTO pin (pin, person_id, source, assigned_at, ended_at) \
         VALUES ('{pin}', '{person}', '{source}', '{AT}', {ended})"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
}

#[tokio::test]
async fn histories_of_before_can_be_folded_and_go_on() {
    let db = empty().await;
    let mut connection = as_owner(&db).await;
    sqlx_migrator(WHOLE_FILES).await.run(&mut connection).await.unwrap();
    drop(connection);
    let id = |number: u8| PersonId::derive(NOW, &[&[number]]);
    let pin = |number: u8| format!("0421900000{number:02}");
    let into = |other: u8, moved: bool| {
        ("merged", Some(format!(r#"{{"into": "{}", "pin_moved": {moved}, "reason": {{}}}}"#, id(other))))
    };
    let from = |other: u8| ("split", Some(format!(r#"{{"from": "{}"}}"#, id(other))));
    let assigned = || ("pin_assigned", None);
    // Allocated. Moved by a merge. Ended by a merge. The same two, taken apart again. Merged without numbers.
    // A number that moved twice. One that came with a record, went back with it, and another that was
    // allocated then.
    history_of_before(&db, 1, (Some(&pin(1)), 1, None), &[assigned()]).await;
    history_of_before(&db, 2, (Some(&pin(3)), 1, None), &[assigned()]).await;
    history_of_before(&db, 3, (None, 3, Some(2)), &[into(2, true)]).await;
    history_of_before(&db, 4, (Some(&pin(4)), 1, None), &[]).await;
    history_of_before(&db, 5, (None, 3, Some(4)), &[into(4, false)]).await;
    history_of_before(&db, 6, (Some(&pin(16)), 1, None), &[assigned(), from(7), assigned()]).await;
    history_of_before(&db, 7, (Some(&pin(7)), 1, None), &[into(6, true), from(6)]).await;
    history_of_before(&db, 8, (Some(&pin(8)), 1, None), &[]).await;
    history_of_before(&db, 9, (Some(&pin(9)), 1, None), &[into(8, false), from(8)]).await;
    history_of_before(&db, 10, (None, 1, None), &[]).await;
    history_of_before(&db, 11, (None, 3, Some(10)), &[into(10, false)]).await;
    history_of_before(&db, 12, (None, 3, Some(13)), &[into(13, true)]).await;
    history_of_before(&db, 13, (None, 3, Some(14)), &[assigned(), into(14, true)]).await;
    history_of_before(&db, 14, (Some(&pin(12)), 1, None), &[("pin_assigned", None)]).await;
    for (number, holder, source) in [
        (1, 1, "allocated"),
        (3, 2, "form"),
        (4, 4, "form"),
        (16, 6, "allocated"),
        (7, 7, "form"),
        (8, 8, "form"),
        (9, 9, "form"),
        (12, 14, "form"),
    ] {
        number_of_before(&db, &pin(number), holder, source, None).await;
    }
    number_of_before(&db, &pin(5), 5, "form", Some("2021-04-02")).await;
    // The second merge of the number that moved twice was a day later.
    let later = "UPDATE person_event SET at = '2021-04-03', recorded_at = '2021-04-03' WHERE person_id = $1 \
                 AND version = 2";
    sqlx::query(later).bind(id(14).uuid()).execute(db.admin()).await.unwrap();
    db.migrate().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    assert_eq!(store::register::check_folds(&mut tx).await.unwrap(), []);
    // What was merged then is split now, number and all.
    for (kept, dropped) in [(14, 13), (13, 12), (2, 3), (4, 5)] {
        store::register::merging::split_people(
            &mut tx,
            id(dropped),
            id(kept),
            &domain::Actor::Centre,
            datetime!(2026-01-01 00:00 UTC),
        )
        .await
        .unwrap();
    }
    assert_eq!(store::register::check_folds(&mut tx).await.unwrap(), []);
    let mut pins: Vec<(uuid::Uuid, Option<String>)> =
        sqlx::query_as("SELECT person_id, pin FROM person").fetch_all(&mut *tx).await.unwrap();
    let mut expected: Vec<(uuid::Uuid, Option<String>)> = [
        (1, Some(1)),
        (2, None),
        (3, Some(3)),
        (4, Some(4)),
        (5, Some(5)),
        (6, Some(16)),
        (7, Some(7)),
        (8, Some(8)),
        (9, Some(9)),
        (10, None),
        (11, None),
        (12, Some(12)),
        (13, None),
        (14, None),
    ]
    .into_iter()
    .map(|(who, number)| (id(who).uuid(), number.map(pin)))
    .collect();
    pins.sort();
    expected.sort();
    assert_eq!(pins, expected);
}

#[tokio::test]
async fn what_is_written_down_is_what_sqlx_would_have_written() {
    let db = empty().await;
    db.migrate().await.unwrap();
    let ours = written(&db).await;
    let times: Vec<i64> = sqlx::query_scalar("SELECT execution_time FROM _sqlx_migrations")
        .fetch_all(db.admin())
        .await
        .unwrap();
    assert!(times.iter().all(|time| *time > 0), "{times:?}");
    let all = sqlx_migrator(i64::MAX).await;
    // It finds nothing to do and nothing to complain of.
    let mut connection = as_owner(&db).await;
    all.run(&mut connection).await.unwrap();
    drop(connection);
    assert_eq!(written(&db).await, ours);
    let other = empty().await;
    let mut connection = as_owner(&other).await;
    all.run(&mut connection).await.unwrap();
    drop(connection);
    assert_eq!(written(&other).await, ours);
    other.migrate().await.unwrap();
    assert_eq!(written(&other).await, ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_migrate_once() {
    let db = empty().await;
    let attempts: Vec<_> = (0..3)
        .map(|_| {
            let db = Database::clone(&db);
            tokio::spawn(async move { db.migrate().await })
        })
        .collect();
    for attempt in attempts {
        attempt.await.unwrap().unwrap();
    }
    // Each is there once, up to the last; a number may have been passed over.
    let rows = written(&db).await;
    assert!(rows.is_sorted_by(|one, next| one.0 < next.0));
    assert_eq!(rows.last().map(|row| row.0), Some(store::known_version()));
    db.check_schema().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_and_can_be_tried_again() {
    let db = empty().await;
    let mut connection = as_owner(&db).await;
    sqlx_migrator(WHOLE_FILES).await.run(&mut connection).await.unwrap();
    drop(connection);
    people_of_before(&db).await;
    // In the way of a command in the middle of version 13.
    sqlx::raw_sql("ALTER TABLE case_action ADD COLUMN unit_path text").execute(db.admin()).await.unwrap();
    let error = db.migrate().await.unwrap_err();
    assert!(matches!(&error, Error::Migration(text) if text.starts_with("version 13: ")), "{error}");
    assert_eq!(written(&db).await.len() as i64, WHOLE_FILES);
    let locks: i64 = sqlx::query_scalar("SELECT count(*) FROM meta").fetch_one(db.admin()).await.unwrap();
    assert_eq!(locks, 0, "what the version had done before is undone");
    sqlx::raw_sql("ALTER TABLE case_action DROP COLUMN unit_path").execute(db.admin()).await.unwrap();
    db.migrate().await.unwrap();
    db.check_schema().await.unwrap();
}

#[tokio::test]
async fn an_edited_or_unfinished_migration_is_named() {
    let db = fresh_database().await;
    let check = async |change: &'static str, said: &str| {
        let mut tx = db.admin().begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let error = db.migrate().await.unwrap_err();
        assert!(matches!(&error, Error::Migration(text) if text.contains(said)), "{error}");
    };
    check("UPDATE _sqlx_migrations SET success = false WHERE version = 3", "3").await;
    check("UPDATE _sqlx_migrations SET success = true, checksum = '' WHERE version = 3", "3").await;
}
