//! Migrating: installations of before go on, several at once do it once, and a migration that fails leaves nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use domain::id::{ApplicationId, CaseId, PersonId};
use sqlx::migrate::Migrator;
use store::{Database, Error};
use testkit::{FreshDatabase, fresh_database};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

/// The same in SQL.
const AT: &str = "2021-04-06 01:00Z";

/// The last version that was applied as one message a file.
const WHOLE_FILES: i64 = 12;

/// An empty database: what `fresh_database` gives is migrated.
async fn empty() -> FreshDatabase {
    let db = fresh_database().await;
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC")
        .execute(db.work())
        .await
        .unwrap();
    assert_eq!(db.schema_version().await.unwrap(), 0);
    db
}

/// This program's migrations as `sqlx` itself reads and applies them.
async fn sqlx_migrator(last: i64) -> Migrator {
    let all = Migrator::new(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))).await.unwrap();
    Migrator::with_migrations(all.iter().filter(|m| m.version <= last).cloned().collect())
}

async fn written(db: &Database) -> Vec<(i64, String, bool, Vec<u8>)> {
    sqlx::query_as("SELECT version, description, success, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(db.work())
        .await
        .unwrap()
}

/// Rows of version 12, of two communes.
async fn people_of_before(db: &Database) {
    for (number, path) in [(1_u8, "42/445/18562/"), (2, "52/540/21550/")] {
        let person = PersonId::derive(NOW, &[&[number]]).uuid();
        let application = ApplicationId::derive(NOW, &[&[number]]).uuid();
        let case = CaseId::derive(NOW, &[&[number]]).uuid();
        let sql = format!(
            "INSERT INTO person (person_id, full_name, name_fold, sex, birth, ethnicity, religion, nationality, \
                                 permanent_unit, permanent_detail, unit_path, form_no, form_hash, import_id, recorded_at) \
             VALUES ('{person}', 'A', 'A', 1, 19900000, 1, 0, 'VNM', '18562', '', '{path}', '{number}', '', \
                     '{person}', '{AT}'); \
             INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor) \
             VALUES ('{person}', 1, 'registered', '{AT}', '{AT}', 'centre'); \
             INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, unit_path, \
                                      captured_at) \
             VALUES ('{application}', '{person}', 'new', 'captured', '{AT}', 1, '18562', '{path}', '{AT}'); \
             INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor) \
             VALUES ('{application}', 1, 'capture', '{AT}', '{AT}', 'kit:a'); \
             INSERT INTO application_record (application_id, record, differs) VALUES ('{application}', '{{}}', '{{}}'); \
             INSERT INTO case_file (case_id, kind, person_id, evidence, unit_path, opened_at, due_at) \
             VALUES ('{case}', 'register_duplicate', '{person}', '{{}}', '{path}', '{AT}', '{AT}'); \
             INSERT INTO case_action (case_id, seq, action, at, actor, decision) \
             VALUES ('{case}', 1, 'propose', '{AT}', 'account:a', 'same_person')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db.work()).await.unwrap();
    }
}

#[tokio::test]
async fn an_installation_that_sqlx_migrated_goes_on() {
    let db = empty().await;
    let mut connection = db.work().acquire().await.unwrap();
    sqlx_migrator(WHOLE_FILES).await.run(&mut *connection).await.unwrap();
    drop(connection);
    assert_eq!(db.schema_version().await.unwrap(), WHOLE_FILES);
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

#[tokio::test]
async fn what_is_written_down_is_what_sqlx_would_have_written() {
    let db = empty().await;
    db.migrate().await.unwrap();
    let ours = written(&db).await;
    let times: Vec<i64> =
        sqlx::query_scalar("SELECT execution_time FROM _sqlx_migrations").fetch_all(db.work()).await.unwrap();
    assert!(times.iter().all(|time| *time > 0), "{times:?}");
    let all = sqlx_migrator(i64::MAX).await;
    // It finds nothing to do and nothing to complain of.
    let mut connection = db.work().acquire().await.unwrap();
    all.run(&mut *connection).await.unwrap();
    drop(connection);
    assert_eq!(written(&db).await, ours);
    let other = empty().await;
    let mut connection = other.work().acquire().await.unwrap();
    all.run(&mut *connection).await.unwrap();
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
    assert_eq!(written(&db).await.len() as i64, store::known_version());
    db.check_schema().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_and_can_be_tried_again() {
    let db = empty().await;
    let mut connection = db.work().acquire().await.unwrap();
    sqlx_migrator(WHOLE_FILES).await.run(&mut *connection).await.unwrap();
    drop(connection);
    people_of_before(&db).await;
    // In the way of a command in the middle of version 13.
    sqlx::raw_sql("ALTER TABLE case_action ADD COLUMN unit_path text").execute(db.work()).await.unwrap();
    let error = db.migrate().await.unwrap_err();
    assert!(matches!(&error, Error::Migration(text) if text.starts_with("version 13: ")), "{error}");
    assert_eq!(db.schema_version().await.unwrap(), WHOLE_FILES);
    let locks: i64 = sqlx::query_scalar("SELECT count(*) FROM meta").fetch_one(db.work()).await.unwrap();
    assert_eq!(locks, 0, "what the version had done before is undone");
    sqlx::raw_sql("ALTER TABLE case_action DROP COLUMN unit_path").execute(db.work()).await.unwrap();
    db.migrate().await.unwrap();
    db.check_schema().await.unwrap();
}

#[tokio::test]
async fn an_edited_or_unfinished_migration_is_named() {
    let db = fresh_database().await;
    let check = async |change: &'static str, said: &str| {
        let mut tx = db.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let error = db.migrate().await.unwrap_err();
        assert!(matches!(&error, Error::Migration(text) if text.contains(said)), "{error}");
    };
    check("UPDATE _sqlx_migrations SET success = false WHERE version = 3", "3").await;
    check("UPDATE _sqlx_migrations SET success = true, checksum = '' WHERE version = 3", "3").await;
}
