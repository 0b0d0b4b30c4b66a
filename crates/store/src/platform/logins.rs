//! The logins of the database, each with what its work needs and nothing else
//! (`docs/decisions/0031-database-roles.md`). `ROLES.md` says what each may do.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::Error;

/// Owns the schema. Used to migrate.
pub const OWNER: &str = "dancu_owner";
/// Commands and jobs.
pub const WORK: &str = "dancu_work";
/// What pages do outside a scope: sessions, the trail, what adjudicators decide.
pub const PAGES: &str = "dancu_pages";
/// Reads the rows of one unit, in transactions that prove it.
pub const SCOPED: &str = "dancu_scoped";

const ALL: [&str; 4] = [OWNER, WORK, PAGES, SCOPED];

/// How the database is reached, and as whom.
#[derive(Debug, Clone)]
pub struct Logins {
    pub work: PgConnectOptions,
    pub pages: PgConnectOptions,
    /// `None` when it was not said; whoever then asks for a scope is told.
    pub scoped: Option<PgConnectOptions>,
    /// `None` when it was not said; whoever then has something to migrate is told.
    pub owner: Option<PgConnectOptions>,
}

impl Logins {
    /// All of them under their own names, where the server knows them without passwords, or by one.
    pub fn by_name(options: &PgConnectOptions) -> Logins {
        let named = |name| options.clone().username(name);
        Logins {
            work: named(WORK),
            pages: named(PAGES),
            scoped: Some(named(SCOPED)),
            owner: Some(named(OWNER)),
        }
    }

    fn at_run_time(&self) -> Vec<String> {
        let options = [Some(&self.work), Some(&self.pages), self.scoped.as_ref()];
        let mut names: Vec<String> =
            options.into_iter().flatten().map(|options| options.get_username().to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Refuses logins that can do more than the program does.
    ///
    /// # Errors
    /// [`Error::LoginTooPowerful`]; those of the server.
    pub async fn check(&self, conn: &mut PgConnection) -> Result<(), Error> {
        check(conn, &self.at_run_time(), Used::AtRunTime).await
    }
}

/// For what a login is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    AtRunTime,
    ToMigrate,
}

/// Refuses logins of these names that are too powerful, by themselves or by what they are members of.
pub(super) async fn check(conn: &mut PgConnection, names: &[String], used: Used) -> Result<(), Error> {
    let found: Option<(String, String)> = sqlx::query_as(
        "SELECT l.rolname::text, CASE WHEN r.rolsuper THEN 'superuser' \
                WHEN r.rolbypassrls THEN 'bypassrls' WHEN r.rolcreaterole THEN 'createrole' \
                WHEN r.rolreplication THEN 'replication' WHEN r.rolname LIKE 'pg\\_%' THEN 'server' \
                ELSE 'owner' END \
         FROM pg_roles l JOIN pg_roles r ON pg_has_role(l.oid, r.oid, 'MEMBER') \
         WHERE l.rolname = ANY ($1) \
           AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication \
                OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files', \
                                 'pg_write_server_files', 'pg_read_all_data', 'pg_write_all_data') \
                OR $2 AND r.oid IN (SELECT datdba FROM pg_database WHERE datname = current_database() \
                                    UNION ALL SELECT relowner FROM pg_class \
                                    WHERE oid = to_regclass('public._sqlx_migrations'))) \
         ORDER BY r.rolsuper DESC, r.rolbypassrls DESC, r.rolcreaterole DESC, r.rolreplication DESC LIMIT 1",
    )
    .bind(names)
    .bind(used == Used::AtRunTime)
    .fetch_optional(conn)
    .await?;
    let Some((login, power)) = found else { return Ok(()) };
    let power = match power.as_str() {
        "superuser" => "is a superuser of the server",
        "bypassrls" => "passes by row-level security (BYPASSRLS)",
        "createrole" => "may make roles (CREATEROLE)",
        "replication" => "may copy the whole server (REPLICATION)",
        "server" => "may read all tables, or files and programs of the server",
        _ => "owns the tables",
    };
    Err(Error::LoginTooPowerful { login, power })
}

/// Makes the four logins of a server, and takes from them what they must not have. Whoever asks must be its
/// administrator. They belong to the whole server, so another database may have them already.
///
/// # Errors
/// Those of the server.
pub async fn make_logins(admin: &mut PgConnection) -> Result<(), Error> {
    // Two who do it in the same instant hinder each other. The lock ends with the transaction.
    let mut tx = admin.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('dancu logins'))").execute(&mut *tx).await?;
    let there: Vec<String> =
        sqlx::query_scalar("SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1)")
            .bind(ALL)
            .fetch_all(&mut *tx)
            .await?;
    for name in ALL {
        let verb = if there.iter().any(|found| found == name) { "ALTER" } else { "CREATE" };
        let sql =
            format!("{verb} ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    // The first migration asks for it.
    sqlx::raw_sql("GRANT dancu_scoped TO dancu_owner").execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// What an administrator types to make them for whoever migrates.
pub(super) fn statements(owner: &str) -> String {
    let made: Vec<String> = [WORK, PAGES, SCOPED].map(|name| format!("CREATE ROLE {name} LOGIN;")).into();
    format!("{} GRANT {SCOPED} TO \"{owner}\";", made.join(" "))
}

/// Which of those that the migrations name are missing.
pub(super) async fn are_missing(conn: &mut PgConnection) -> Result<bool, Error> {
    let named: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1)")
        .bind([WORK, PAGES, SCOPED])
        .fetch_one(conn)
        .await?;
    Ok(named < 3)
}

/// Lets in nobody but the logins, and gives room for temporary tables to whoever loads in bulk. It is of the
/// database and not of its tables, so that a copy of the database has to be told again.
///
/// # Errors
/// Those of the server; whoever asks must own the database.
pub async fn close_to_others(conn: &mut PgConnection) -> Result<(), Error> {
    let sql = "DO $$ BEGIN \
         EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()); \
         EXECUTE format('GRANT CONNECT ON DATABASE %I TO dancu_work, dancu_pages, dancu_scoped', \
                        current_database()); \
         EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO dancu_work', current_database()); \
         END $$";
    sqlx::raw_sql(sql).execute(conn).await?;
    Ok(())
}
