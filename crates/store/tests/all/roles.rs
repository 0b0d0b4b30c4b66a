//! The row "the program's database login" of the list of attacks: the tests play whoever has found a way to
//! say SQL of their own on one of the program's connections.

mod corrections;
mod pages;

use std::collections::BTreeMap;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use store::{Database, Error, Logins, PoolSizes, UnitScope};
use testkit::{FreshDatabase, fresh_database};

const HERE: &str = "42/445/18562/";
const ELSEWHERE: &str = "52/540/21550/";

/// Two people in two provinces, with what the register, the applications and the trail hold of them.
async fn two_people() -> FreshDatabase {
    let db = fresh_database().await;
    for (n, path) in [(1, HERE), (2, ELSEWHERE)] {
        let id = format!("00000000-0000-0000-0000-00000000000{n}");
        let hash = format!("decode(repeat('0{n}', 32), 'hex')");
        let sql = format!(
            "INSERT INTO person (person_id, full_name, name_fold, sex, birth, ethnicity, religion, \
             nationality, permanent_unit, permanent_detail, unit_path, form_no, form_hash, import_id, \
             recorded_at) VALUES ('{id}', 'A', 'A', 1, 19900000, 1, 0, 'VNM', '18562', '', '{path}', '{n}', \
             '', '{id}', now()); \
             INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor, unit_path) \
             VALUES ('{id}', 1, 'registered', now(), now(), 'centre', '{path}'); \
             INSERT INTO person_fact (person_id, version, field, part, value, valid_from, event_id, \
             unit_path) VALUES ('{id}', 1, 'pin', '', '1', 19900000, '{id}', '{path}'); \
             INSERT INTO civil_event (event_id, kind, legal_on, unit_path, actor, recorded_at) \
             VALUES ('{id}', 'registered', 19900000, '{path}', 'centre', now()); \
             INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, \
             unit_path, captured_at) VALUES ('{id}', '{id}', 'new', 'captured', now(), 1, '18562', '{path}', \
             now()); \
             INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor, unit_path) \
             VALUES ('{id}', 1, 'capture', now(), now(), 'kit:a', '{path}'); \
             INSERT INTO application_record (application_id, record, differs, unit_path) \
             VALUES ('{id}', '{{}}', '{{}}', '{path}'); \
             INSERT INTO case_file (case_id, kind, person_id, evidence, unit_path, opened_at, due_at) \
             VALUES ('{id}', 'register_duplicate', '{id}', '{{}}', '{path}', now(), now()); \
             INSERT INTO case_action (case_id, seq, action, at, actor, decision, unit_path) \
             VALUES ('{id}', 1, 'propose', now(), 'account:a', 'same_person', '{path}'); \
             INSERT INTO audit (chain, seq, at, actor, action, subject, unit_path, detail, prev_hash, hash) \
             VALUES (0, {n}, now(), 'centre', 'a', 'b', '{path}', '{{}}', {hash}, {hash}); \
             INSERT INTO recording (kind, recording_id, recorded_at, actions, digest) \
             VALUES ('application', '{id}', now(), 1, {hash})"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
    }
    db
}

/// What a statement said on this connection: the SQLSTATE of its refusal, or the number that it gave.
async fn said(conn: &mut PgConnection, sql: &str) -> Result<i64, String> {
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut *conn).await;
    match rows {
        Ok(rows) => Ok(rows.last().and_then(|row| sqlx::Row::try_get(row, 0).ok()).unwrap_or(-1)),
        Err(error) => {
            let error = Error::from(error);
            Err(error.sqlstate().map_or_else(|| error.to_string(), str::to_owned))
        }
    }
}

const COUNT: &str = "SELECT count(*) FROM person";

#[tokio::test]
async fn the_programs_database_login_cannot_leave_its_unit() {
    let db = two_people().await;
    let scope = UnitScope::parse(HERE).unwrap();
    // What is said, how many of the two people are seen then, or which refusal is met.
    for (attack, seen) in [
        ("", Ok(1)),
        ("RESET ROLE", Ok(1)),
        ("SET ROLE NONE", Ok(1)),
        ("SET ROLE dancu_owner", Err("42501")),
        ("SET ROLE dancu_work", Err("42501")),
        ("SET ROLE dancu_pages", Err("42501")),
        ("SET SESSION AUTHORIZATION dancu_owner", Err("42501")),
        ("SET SESSION AUTHORIZATION DEFAULT", Ok(1)),
        ("RESET SESSION AUTHORIZATION", Ok(1)),
        ("SET row_security = off", Err("42501")),
        ("SET app.unit_path = ''", Ok(0)),
        ("SET app.unit_path = '*'", Ok(0)),
        ("SET app.unit_path = '52/'", Ok(0)),
        ("SET app.unit_path = '42/'", Ok(0)),
        ("SET LOCAL app.unit_path = '52/540/21550/'", Ok(0)),
        ("SET app.unit_mac = ''", Ok(0)),
        ("RESET app.unit_path", Ok(0)),
        ("RESET ALL", Ok(0)),
        ("COMMIT", Ok(0)),
        ("ROLLBACK; BEGIN", Ok(0)),
        ("SET search_path = pg_temp, public", Ok(1)),
        // The code does not outlive its transaction, and is none for another process or unit.
        ("COMMIT; BEGIN; SET LOCAL app.unit_path = '{HERE}'; SET LOCAL app.unit_mac = '{CODE}'", Ok(0)),
        ("SET app.unit_path = '*'; SET app.unit_mac = '{CODE}'", Ok(0)),
    ] {
        let mut tx = db.scoped(&scope).await.unwrap();
        let code: String =
            sqlx::query_scalar("SELECT current_setting('app.unit_mac')").fetch_one(&mut *tx).await.unwrap();
        assert_eq!(code.len(), 64);
        let attack = attack.replace("{CODE}", &code).replace("{HERE}", HERE);
        let outcome = match said(&mut tx, &attack).await {
            Ok(_) => said(&mut tx, COUNT).await,
            refused => refused,
        };
        assert_eq!(outcome, seen.map_err(str::to_owned), "{attack}");
    }
}

#[tokio::test]
async fn the_programs_database_login_cannot_change_its_unit_while_it_reads() {
    let db = two_people().await;
    let mut tx = db.scoped(&UnitScope::parse(HERE).unwrap()).await.unwrap();
    for widen in ["", "*", "52/"] {
        for sql in [
            "SELECT count(*) FROM person p, \
             (SELECT set_config('app.unit_path', '{}', true) OFFSET 0) x WHERE x IS NOT NULL",
            "WITH x AS MATERIALIZED (SELECT set_config('app.unit_path', '{}', true) AS s) \
             SELECT count(*) FROM x JOIN person ON s IS NOT NULL",
            "SELECT count(*) FILTER (WHERE unit_path LIKE '52/%') FROM person \
             WHERE set_config('app.unit_path', '{}', true) IS NOT NULL",
        ] {
            let seen = said(&mut tx, &sql.replace("{}", widen)).await.unwrap();
            assert!(seen <= 1, "{sql} with {widen}");
            let elsewhere = "SELECT count(*) FROM person WHERE unit_path LIKE '52/%'";
            assert_eq!(said(&mut tx, elsewhere).await, Ok(0), "{sql} with {widen}");
        }
    }
}

/// Whoever reads the statements of another connection, which the server shows to the same login, cannot use
/// what proves that one's unit.
#[tokio::test]
async fn the_programs_database_login_cannot_take_anothers_scope() {
    let db = two_people().await;
    let mut country = db.scoped(&UnitScope::everything()).await.unwrap();
    assert_eq!(said(&mut country, COUNT).await, Ok(2));
    let code: String =
        sqlx::query_scalar("SELECT current_setting('app.unit_mac')").fetch_one(&mut *country).await.unwrap();
    let mut tx = db.scoped(&UnitScope::parse(HERE).unwrap()).await.unwrap();
    let take = format!("SET LOCAL app.unit_path = '*'; SET LOCAL app.unit_mac = '{code}'");
    said(&mut tx, &take).await.unwrap();
    assert_eq!(said(&mut tx, COUNT).await, Ok(0));
    assert_eq!(said(&mut country, COUNT).await, Ok(2));
    // Nor can it make one: the key is not for it.
    assert_eq!(said(&mut tx, "SELECT inner_pad FROM scope_key").await, Err("42501".to_owned()));
}

#[tokio::test]
async fn the_programs_database_login_sees_nothing_where_no_unit_is_said() {
    let db = two_people().await;
    let mut conn = PgConnection::connect_with(&db.logins().scoped.unwrap()).await.unwrap();
    for sql in [COUNT, "SELECT count(*) FROM application", "SELECT count(*) FROM case_file"] {
        assert_eq!(said(&mut conn, sql).await, Ok(0), "{sql}");
    }
    conn.close().await.unwrap();
}

/// Each login, with what it is told to do and the refusal that it must meet.
const ATTACKS: &[&str] = &[
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY unit (code) FROM PROGRAM 'echo 1'",
    "COPY (SELECT 1) TO '{file}'",
    "COPY unit (code) FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '{file}')",
    "CREATE TABLE mine (a int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION file_fdw",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER ROLE {me} SUPERUSER",
    "ALTER ROLE {me} BYPASSRLS",
    "GRANT dancu_owner TO {me}",
    "GRANT UPDATE ON audit TO {me}; UPDATE audit SET actor = 'nobody'",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT pg_reload_conf()",
    "SET log_statement = 'all'",
    "SET session_replication_role = replica",
    "SET ROLE dancu_owner",
    "SET SESSION AUTHORIZATION dancu_owner",
    "ALTER TABLE person DISABLE ROW LEVEL SECURITY",
    "DROP POLICY person_scope ON person",
    "CREATE POLICY mine ON person USING (true)",
    "CREATE OR REPLACE FUNCTION scope_path() RETURNS text LANGUAGE sql AS $$ SELECT ''::text $$",
    "CREATE TRIGGER mine BEFORE INSERT ON audit FOR EACH ROW \
     EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "DROP TABLE audit",
    "UPDATE audit SET actor = 'nobody'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "DO $$ BEGIN LOCK TABLE audit; END $$",
    "UPDATE application_action SET actor = 'nobody'",
    "DELETE FROM application_action",
    "TRUNCATE application_action",
    "UPDATE card_action SET actor = 'nobody'",
    "DELETE FROM card_action",
    "UPDATE case_action SET actor = 'nobody'",
    "DELETE FROM case_action",
    "UPDATE person_event SET actor = 'nobody'",
    "DELETE FROM person_event",
    "UPDATE person_fact SET value = '1'",
    "DELETE FROM person_fact",
    "UPDATE civil_event SET actor = 'nobody'",
    "DELETE FROM civil_event",
    "UPDATE recording SET digest = digest",
    "DELETE FROM recording",
    "DELETE FROM audit_head",
    "INSERT INTO audit_head (chain, seq, hash) VALUES (99, 1, decode(repeat('00', 32), 'hex'))",
    "UPDATE application SET captured_at = now()",
    "DELETE FROM application",
    "DELETE FROM person",
    "UPDATE kit SET public_key = ''",
    "DELETE FROM certificate",
    "UPDATE scope_key SET inner_pad = outer_pad",
    "INSERT INTO scope_key (inner_pad, outer_pad) SELECT '', ''",
    "UPDATE _sqlx_migrations SET checksum = ''",
    "DELETE FROM meta",
];

#[tokio::test]
async fn the_programs_database_login_cannot_do_more_than_its_work() {
    let db = two_people().await;
    let logins = db.logins();
    let file = std::env::temp_dir().join(format!("dancu-was-here-{}", uuid::Uuid::now_v7()));
    for options in [logins.work, logins.pages, logins.scoped.unwrap()] {
        let me = options.get_username().to_owned();
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        for attack in ATTACKS {
            let attack = attack.replace("{me}", &me).replace("{file}", file.to_str().unwrap());
            let outcome = said(&mut conn, &attack).await;
            assert_eq!(outcome, Err("42501".to_owned()), "{me}: {attack}");
        }
        conn.close().await.unwrap();
    }
    assert!(!file.exists());
    let rows = "SELECT count(*) FROM audit WHERE actor = 'centre'";
    let left: i64 = sqlx::query_scalar(rows).fetch_one(db.admin()).await.unwrap();
    assert_eq!(left, 2);
}

/// Table to what each login may do, as `ROLES.md` says.
fn documented() -> BTreeMap<String, [String; 3]> {
    let mut tables = BTreeMap::new();
    for line in include_str!("../../ROLES.md").lines().filter(|l| l.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [table, work, pages, scoped] = cells[..] else { panic!("{line}") };
        if table != "table" {
            let twice = tables.insert(table.to_owned(), [work, pages, scoped].map(str::to_owned));
            assert_eq!(twice, None, "{table} stands there twice");
        }
    }
    tables
}

/// The same of the catalogue. Rights on columns are given where the table has none of the kind.
const GRANTED: &str = "\
    SELECT c.relname::text, r.rolname, \
           coalesce(string_agg(p.name || coalesce(x.columns, ''), ', ' ORDER BY p.n) \
                    FILTER (WHERE x.whole OR x.columns IS NOT NULL), '') \
    FROM pg_class c \
    CROSS JOIN unnest(ARRAY['dancu_work', 'dancu_pages', 'dancu_scoped']) AS r (rolname) \
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) \
               WITH ORDINALITY AS p (name, n) \
    CROSS JOIN LATERAL ( \
        SELECT has_table_privilege(r.rolname, c.oid, p.name) AS whole, \
               ' (' || string_agg(a.attname, ', ' ORDER BY a.attname) || ')' AS columns \
        FROM (SELECT) one LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
             AND NOT a.attisdropped AND p.name NOT IN ('DELETE', 'TRUNCATE', 'TRIGGER') \
             AND NOT has_table_privilege(r.rolname, c.oid, p.name) \
             AND has_column_privilege(r.rolname, c.oid, a.attnum, \
                                      CASE WHEN p.name IN ('DELETE', 'TRUNCATE', 'TRIGGER') THEN 'SELECT' \
                                           ELSE p.name END)) x \
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
    GROUP BY 1, 2";

#[tokio::test]
async fn what_each_login_may_do_to_each_table_is_written_down() {
    let db = fresh_database().await;
    let rows: Vec<(String, String, String)> = sqlx::query_as(GRANTED).fetch_all(db.admin()).await.unwrap();
    let mut found: BTreeMap<String, [String; 3]> = BTreeMap::new();
    for (table, login, may) in rows {
        let cells = found.entry(table).or_default();
        let at = ["dancu_work", "dancu_pages", "dancu_scoped"].iter().position(|name| *name == login);
        cells[at.unwrap()] = may;
    }
    let written = documented();
    for (table, may) in &found {
        assert_eq!(written.get(table), Some(may), "ROLES.md on {table}, and what the database says");
    }
    assert_eq!(written.len(), found.len(), "ROLES.md has tables that are not there");
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c, aclexplode(c.relacl) a \
         WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = 0 \
         UNION ALL SELECT p.proname::text FROM pg_proc p \
         WHERE p.pronamespace = 'public'::regnamespace \
               AND has_function_privilege('public', p.oid, 'EXECUTE') \
         UNION ALL SELECT datname::text \
             FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) \
             WHERE datname = current_database() AND grantee = 0",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    assert_eq!(open, [""; 0], "everybody may use these");
    let loose: Vec<String> = sqlx::query_scalar(
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef \
         AND NOT coalesce(proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    assert_eq!(loose, [""; 0], "these run with the owner's rights and look for names where the caller says");
}

/// Every table that the scoped login may read and that belongs to units shows those of one unit; the others
/// stand here.
#[tokio::test]
async fn every_table_shows_a_scoped_login_its_unit_only() {
    let db = two_people().await;
    let readable: Vec<(String, bool)> = sqlx::query_as(
        "SELECT c.relname::text, EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid \
                                         AND attname = 'unit_path' AND NOT attisdropped) \
         FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') \
           AND (has_table_privilege('dancu_scoped', c.oid, 'SELECT') \
                OR has_any_column_privilege('dancu_scoped', c.oid, 'SELECT')) ORDER BY 1",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    let (by_unit, whole): (Vec<_>, Vec<_>) = readable.into_iter().partition(|(_, has_path)| *has_path);
    assert_eq!(whole.iter().map(|(table, _)| table.as_str()).collect::<Vec<_>>(), ["unit"]);
    assert!(by_unit.len() >= 11, "the tables are not found: {by_unit:?}");
    for (table, _) in by_unit {
        fill(&db, &table).await;
        for (scope, here, elsewhere) in
            [(HERE, 1, 0), ("42", 1, 0), (ELSEWHERE, 0, 1), ("79", 0, 0), ("4", 0, 0), ("", 1, 1)]
        {
            let mut tx = db.scoped(&UnitScope::parse(scope).unwrap()).await.unwrap();
            for (path, expected) in [(HERE, here), (ELSEWHERE, elsewhere)] {
                let sql = format!("SELECT least(count(*), 1) FROM {table} WHERE unit_path = '{path}'");
                let seen = said(&mut tx, &sql).await;
                assert_eq!(seen, Ok(expected), "{table}: rows of {path} for a reader of {scope:?}");
            }
        }
    }
}

/// Sees to it that the table has a row of each unit; cards are not among what the two people have.
async fn fill(db: &FreshDatabase, table: &str) {
    let has =
        format!("SELECT count(DISTINCT unit_path) FROM {table} WHERE unit_path IN ('{HERE}', '{ELSEWHERE}')");
    let units: i64 = sqlx::query_scalar(AssertSqlSafe(has.clone())).fetch_one(db.admin()).await.unwrap();
    if units == 2 {
        return;
    }
    // Rows of no meaning: values of each column's type, without the table's constraints.
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT attname::text, CASE attname WHEN 'unit_path' THEN 'p' \
                WHEN 'card_id' THEN 'gen_random_uuid()' ELSE CASE typname \
                WHEN 'text' THEN 'p' WHEN 'uuid' THEN 'gen_random_uuid()' WHEN 'date' THEN 'now()::date' \
                WHEN 'timestamptz' THEN 'now()' WHEN 'bytea' THEN 'p::bytea' WHEN 'jsonb' THEN '''{}''' \
                WHEN 'bool' THEN 'true' ELSE '1' END END \
         FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = $1::regclass AND attnum > 0 \
           AND NOT attisdropped AND attnotnull",
    )
    .bind(table)
    .fetch_all(db.admin())
    .await
    .unwrap();
    let constraints: Vec<String> = sqlx::query_scalar(
        "SELECT conname::text FROM pg_constraint WHERE conrelid = $1::regclass AND contype IN ('c', 'f')",
    )
    .bind(table)
    .fetch_all(db.admin())
    .await
    .unwrap();
    let (names, values): (Vec<String>, Vec<String>) = columns.into_iter().unzip();
    let dropped: String =
        constraints.iter().map(|c| format!("ALTER TABLE {table} DROP CONSTRAINT {c};")).collect();
    let sql = format!(
        "{dropped} INSERT INTO {table} ({}) SELECT {} FROM unnest(ARRAY['{HERE}', '{ELSEWHERE}']) AS p",
        names.join(", "),
        values.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
    let units: i64 = sqlx::query_scalar(AssertSqlSafe(has)).fetch_one(db.admin()).await.unwrap();
    assert_eq!(units, 2, "{table} has no rows to look for");
}

/// The program does not begin to work under a login that could do everything.
#[tokio::test]
async fn the_programs_database_login_cannot_be_an_administrators() {
    let db = fresh_database().await;
    let connect = async |change: fn(&mut Logins, PgConnectOptions), by: &PgConnectOptions| {
        let mut logins = db.logins();
        change(&mut logins, by.clone());
        Database::connect(logins, PoolSizes::default()).await
    };
    let admin = db.connect_options();
    let owner = db.logins().owner.unwrap();
    type Change = fn(&mut Logins, PgConnectOptions);
    let changes: [Change; 3] = [
        |logins, by| logins.work = by,
        |logins, by| logins.pages = by,
        |logins, by| logins.scoped = Some(by),
    ];
    for change in changes {
        for (by, why) in [(&admin, "is a superuser of the server"), (&owner, "owns the tables")] {
            let error = connect(change, by).await.unwrap_err();
            assert!(matches!(&error, Error::LoginTooPowerful { .. }), "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
    // Who migrates owns what is made, and what a superuser owns is done with a superuser's rights.
    let by_admin = connect(|logins, by| logins.owner = Some(by), &admin).await.unwrap();
    let error = by_admin.migrate().await.unwrap_err();
    assert!(matches!(&error, Error::LoginTooPowerful { .. }), "{error}");

    let name = format!("powerful_{}", uuid::Uuid::now_v7().simple());
    let mut conn = db.admin().acquire().await.unwrap();
    for (right, why) in [
        ("BYPASSRLS", "passes by row-level security"),
        ("CREATEROLE", "may make roles"),
        ("REPLICATION", "may copy the whole server"),
        ("IN ROLE pg_execute_server_program", "files and programs"),
        ("IN ROLE pg_read_all_data", "may read all tables"),
    ] {
        // Not a login itself, but what the work's login is a member of: in a transaction that nobody sees.
        let mut tx = conn.begin().await.unwrap();
        let sql = format!("CREATE ROLE {name} {right}; GRANT {name} TO dancu_work");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
        let error = db.logins().check(&mut tx).await.unwrap_err();
        assert!(error.to_string().contains(why) && error.to_string().contains("dancu_work"), "{error}");
        tx.rollback().await.unwrap();
    }
}

/// A restored database has the key of its backup.
#[tokio::test]
async fn a_process_goes_on_with_the_key_of_a_restored_database() {
    let db = two_people().await;
    let scope = UnitScope::parse(HERE).unwrap();
    db.scoped(&scope).await.unwrap();
    sqlx::raw_sql("UPDATE scope_key SET inner_pad = outer_pad").execute(db.admin()).await.unwrap();
    let mut tx = db.scoped(&scope).await.unwrap();
    assert_eq!(said(&mut tx, COUNT).await, Ok(1));
}

/// Connections that the server closed while nobody used them cost a reader nothing.
#[tokio::test]
async fn a_scope_is_had_after_the_server_closed_every_connection() {
    let db = two_people().await;
    let scope = UnitScope::parse(HERE).unwrap();
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(db.scoped(&scope).await.unwrap());
    }
    drop(open);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND usename = 'dancu_scoped'";
    let ended: i64 = sqlx::query_scalar(end).fetch_one(db.admin()).await.unwrap();
    assert!(ended >= 1);
    let mut tx = db.scoped(&scope).await.unwrap();
    assert_eq!(said(&mut tx, COUNT).await, Ok(1));
}
