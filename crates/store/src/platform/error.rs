//! What can go wrong between the program and its database, in words an operator can act on.

use std::path::PathBuf;

use sqlx::postgres::PgDatabaseError;
use uuid::Uuid;

/// An error of the store. Neither `Display` nor `Debug` carries the values of rows: PostgreSQL puts key
/// values into the DETAIL of an error and input values into the message of class 22, and both may be personal
/// data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No PostgreSQL server programs of a usable version were found.
    #[error(
        "PostgreSQL {minimum} or newer was not found{looked}. Install it with: {install}   \
         (or set PG_BIN to the directory of its `initdb`, or DATABASE_URL to a server to use instead)"
    )]
    BinariesNotFound { minimum: u32, looked: String, install: &'static str },
    /// The server that was pointed at is too old.
    #[error(
        "the database server is PostgreSQL {found}, and dancu needs {minimum} or newer: upgrade the server, \
         or point DATABASE_URL at another"
    )]
    ServerTooOld { found: i32, minimum: u32 },
    /// The cluster on disk was made by a major version whose programs are not installed.
    #[error(
        "the database in {} was made by PostgreSQL {made_by}, which is not installed (found: {found}). \
         Install PostgreSQL {made_by}, or move the data over with pg_upgrade", dir.display()
    )]
    ClusterVersion { dir: PathBuf, made_by: u32, found: String },
    /// `initdb`, `pg_ctl` or another server program failed.
    #[error("{program} failed: {output}")]
    Program { program: String, output: String },
    /// The data directory was written by another layout version.
    #[error(
        "{} has data layout {found}, and this program knows layout {known}. {}", file.display(),
        if found < known {
            "It was made before the first release and cannot be carried over: begin anew in another --data \
             directory, and read the old one with the program that wrote it"
        } else {
            "Use the release of dancu that wrote it, or another --data directory"
        }
    )]
    DataLayout { file: PathBuf, found: u32, known: u32 },
    /// The layout file exists and cannot be read.
    #[error("{} is not a dancu data file ({reason}). Restore it from a backup, or use another --data \
             directory", file.display())]
    DataFile { file: PathBuf, reason: String },
    /// The data directory says there is a cluster, and there is none.
    #[error(
        "the database directory {} has vanished. Restore it from a backup; to begin again with an empty \
         database instead, remove {}", cluster.display(), file.display()
    )]
    ClusterVanished { cluster: PathBuf, file: PathBuf },
    /// A command that makes none was run where there is no installation.
    #[error(
        "there is no installation of dancu in {}, and nothing was made there. Name its directory with --data \
         or DANCU_DATA; to make a new one, run `dancu migrate` and `dancu keys init`, or see one with `dancu \
         demo`", dir.display()
    )]
    NoInstallation { dir: PathBuf },
    /// The server cannot use the directory.
    #[error("the database server cannot use {}: {reason}", path.display())]
    Directory { path: PathBuf, reason: String },
    /// Another process held the start lock for too long.
    #[error("another dancu process has been starting or stopping the database in {} for more than {waited_s} \
             s", dir.display())]
    StartLock { dir: PathBuf, waited_s: u64 },
    /// A file operation failed.
    #[error("{doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    /// The disk that holds the database is full (SQLSTATE 53100, or ENOSPC).
    #[error(
        "the disk that holds the database is full: free some space; what was committed is safe ({context})"
    )]
    DiskFull { context: String },
    /// The database does not exist on its server (SQLSTATE 3D000).
    #[error(
        "the database {name} does not exist on its server: it was dropped or the address is wrong. Restore \
         it from a backup, or correct DATABASE_URL"
    )]
    DatabaseMissing { name: String },
    /// The address of the database cannot be parsed. The address itself is left out: it may hold a password.
    #[error("{variable} is not a PostgreSQL address such as postgres://user@host/dancu: {reason}")]
    DatabaseUrl { variable: &'static str, reason: String },
    /// The connection was lost or refused.
    #[error("the database server cannot be reached: {reason}")]
    Disconnected { reason: String },
    /// The schema is newer than the program.
    #[error(
        "the database schema is at version {found}, and this program knows versions up to {known}. \
         Use a newer dancu, or restore the backup taken before the upgrade"
    )]
    SchemaTooNew { found: i64, known: i64 },
    /// The schema is older than the program.
    #[error("the database schema is at version {found}, and this program needs {known}. Run `dancu migrate`")]
    SchemaTooOld { found: i64, known: i64 },
    /// The logins that the migrations give rights to are not there.
    #[error(
        "the server does not know the program's logins. Ask its administrator to run: {statements} Each \
         needs a way to sign in, such as a password"
    )]
    LoginsMissing { statements: String },
    /// A login of the program can do more than its work.
    #[error(
        "the database login {login} {power}, and the program does not work under such a login: one mistake \
         would open everything. Use the logins that docs/operations.md names, \"Which database\""
    )]
    LoginTooPowerful { login: String, power: &'static str },
    /// The address under which another login reaches the database was not given.
    #[error("this needs the database login {login}: give its address in {variable}")]
    LoginNotGiven { login: &'static str, variable: &'static str },
    /// A migration failed.
    #[error("migration failed: {0}")]
    Migration(String),
    /// The server reported an error on a statement.
    #[error("{0}")]
    Sql(SqlError),
    /// The driver reported an error (decoding, protocol, pool).
    #[error("database driver: {0}")]
    Driver(String),
    /// A job's lease ran out before the worker finished, and another worker may have it.
    #[error(
        "the lease on job {job} ended before the work did: the work was rolled back and will be done again"
    )]
    LeaseLost { job: Uuid },
    /// A row passed to a bulk load has another number of values than the statement has columns.
    #[error("bulk load: row {row} has {found} values for {expected} columns")]
    CopyFields { row: u64, expected: usize, found: usize },
    /// A stored row contradicts what the program holds to be true.
    #[error("inconsistent data in {table} at {row}: {reason}")]
    Inconsistent { table: &'static str, row: String, reason: String },
    /// A unit scope was not well formed.
    #[error("not a unit path: expected area codes each followed by `/`, such as `52/540/21550/`")]
    UnitScope,
}

/// An error the server reported, without the values it quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// The five-character SQLSTATE (PostgreSQL documentation, appendix A).
    pub code: String,
    /// The server's message; empty for class 22, whose messages quote input.
    pub message: String,
    /// The constraint that was violated.
    pub constraint: Option<String>,
    /// The table it concerns.
    pub table: Option<String>,
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "database error {}", self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match (&self.table, &self.constraint) {
            (Some(table), Some(constraint)) => write!(f, " ({table}, {constraint})"),
            (Some(table), None) => write!(f, " ({table})"),
            _ => Ok(()),
        }
    }
}

impl Error {
    /// Whether the server went away or refused: the command may succeed later, on a new connection.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Error::Disconnected { .. })
    }

    /// Whether the server asks for the transaction to be run again: serialization failure (40001) or
    /// deadlock (40P01).
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Sql(sql) if sql.code == "40001" || sql.code == "40P01")
    }

    /// Whether the error may lie in what was to be written, so that less of it may be written: not when the
    /// server is gone, has no room or stops.
    pub fn blames_content(&self) -> bool {
        // Classes of appendix A: connection, rollback, resources, locks, operator, system.
        let others = ["08", "40", "53", "55", "57", "58"];
        matches!(self, Error::Inconsistent { .. })
            || self.sqlstate().is_some_and(|state| !others.iter().any(|class| state.starts_with(class)))
    }

    /// Whether the named unique or exclusion constraint was violated.
    pub fn violates(&self, constraint: &str) -> bool {
        let Error::Sql(sql) = self else { return false };
        sql.code.starts_with("23") && sql.constraint.as_deref() == Some(constraint)
    }

    /// The SQLSTATE, when the server reported one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Error::Sql(sql) => Some(&sql.code),
            Error::DiskFull { .. } => Some("53100"),
            Error::DatabaseMissing { .. } => Some("3D000"),
            _ => None,
        }
    }

    /// For `map_err` on a file operation: ENOSPC becomes `DiskFull`.
    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull => {
                Error::DiskFull { context: format!("{doing} {}", path.display()) }
            }
            _ => Error::File { doing, path, source },
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        match error {
            sqlx::Error::Database(inner) => match inner.try_downcast_ref::<PgDatabaseError>() {
                Some(pg) => from_server(pg),
                None => Error::Driver(inner.message().to_owned()),
            },
            sqlx::Error::Io(e) => Error::Disconnected { reason: e.to_string() },
            sqlx::Error::PoolTimedOut => {
                Error::Disconnected { reason: "no connection became free in time".to_owned() }
            }
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Error::Disconnected { reason: "the connection pool is closed".to_owned() }
            }
            // A decoding error may quote the value it could not decode: the column's name is enough.
            sqlx::Error::ColumnDecode { index, .. } => {
                Error::Driver(format!("column {index} holds a value of another shape than expected"))
            }
            sqlx::Error::Decode(_) => Error::Driver("a value has another shape than expected".to_owned()),
            sqlx::Error::Encode(_) => Error::Driver("a parameter could not be encoded".to_owned()),
            other => Error::Driver(other.to_string()),
        }
    }
}

/// A row that contradicts the program, by its id; never with its values.
pub(crate) fn inconsistent(table: &'static str, row: Uuid, reason: &str) -> Error {
    Error::Inconsistent { table, row: row.to_string(), reason: reason.to_owned() }
}

fn from_server(pg: &PgDatabaseError) -> Error {
    let code = pg.code();
    match code {
        "53100" => Error::DiskFull { context: pg.message().to_owned() },
        "3D000" => {
            let name = pg.message().split('"').nth(1).unwrap_or("that was asked for").to_owned();
            Error::DatabaseMissing { name }
        }
        // Class 08: connection exception. 57P01–57P05: shutdown, crash, starting up, dropped, idle timeout.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => {
            Error::Disconnected { reason: pg.message().to_owned() }
        }
        _ if code.starts_with("08") => Error::Disconnected { reason: pg.message().to_owned() },
        _ => Error::Sql(SqlError {
            code: code.to_owned(),
            message: if code.starts_with("22") { String::new() } else { pg.message().to_owned() },
            constraint: pg.constraint().map(str::to_owned),
            table: pg.table().map(str::to_owned),
        }),
    }
}

/// Runs a whole transaction again, up to five times, while the server asks for it (SQLSTATE 40001, 40P01).
///
/// `is_retryable` says which errors of the caller's own type come from [`Error::is_retryable`]; `transaction`
/// must begin its own transaction each time.
///
/// # Errors
/// The last error, or the first that is not retryable.
pub async fn retry<T, E, Fut>(
    is_retryable: impl Fn(&E) -> bool,
    mut transaction: impl FnMut() -> Fut,
) -> Result<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    const ATTEMPTS: u32 = 5;
    let mut attempt = 1;
    loop {
        match transaction().await {
            Err(e) if attempt < ATTEMPTS && is_retryable(&e) => {
                tokio::time::sleep(std::time::Duration::from_millis(5 << attempt)).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}
