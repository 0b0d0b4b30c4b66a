//! Opening the database, and the three ways into it: transactions that write, connections that only read, and
//! scoped transactions, which read one unit's rows. Pages have connections of their own for each.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Postgres, Transaction};

use crate::platform::binaries::MINIMUM_MAJOR;
use crate::platform::cluster::{Cluster, Durability, has_cluster};
use crate::platform::layout::Layout;
use crate::platform::migrate::{self, known_version};
use crate::{Error, UnitScope};

/// The database in the embedded cluster.
const DATABASE: &str = "dancu";

/// How long a starting server (recovery after a crash) is waited for.
const STARTING_WAIT: Duration = Duration::from_secs(60);

/// How often the embedded server is started when it goes away while it is being opened.
const START_ATTEMPTS: u32 = 3;

/// Where the database is.
#[derive(Clone)]
pub struct OpenOptions {
    /// The data directory; holds the embedded cluster unless `database_url` is given.
    pub data_dir: PathBuf,
    /// The address of a server to use instead of the embedded cluster. May hold a password, so it is never
    /// printed.
    pub database_url: Option<String>,
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOptions")
            .field("data_dir", &self.data_dir)
            .field("database_url", &self.database_url.as_ref().map(|_| "…"))
            .finish()
    }
}

/// How many connections may be open at once, for those who write and as many again for those who only read.
#[derive(Debug, Clone, Copy)]
pub struct PoolSizes {
    /// Connections for commands and jobs.
    pub work: u32,
    /// Connections for pages, apart so that a busy worker cannot starve them: see [`Database::for_pages`].
    pub pages: u32,
}

impl Default for PoolSizes {
    fn default() -> PoolSizes {
        PoolSizes { work: 16, pages: 12 }
    }
}

/// The centre's database. Cloning shares the pools.
#[derive(Debug, Clone)]
pub struct Database {
    own: Pools,
    pages: Pools,
    cluster: Option<Cluster>,
}

/// The connections of one kind of user.
#[derive(Debug, Clone)]
struct Pools {
    write: PgPool,
    read: PgPool,
}

impl Pools {
    fn new(options: &PgConnectOptions, name: &str, size: u32) -> Pools {
        let pool = || PgPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(15));
        let named = |ends: &str| options.clone().application_name(&format!("{name}{ends}"));
        // Whoever reads outside a transaction commits each statement by itself. A write that strayed there
        // would be half of a change, so that the server is told to refuse it.
        let read = pool().after_connect(|conn, _| {
            Box::pin(async move {
                conn.execute("SET default_transaction_read_only = on").await?;
                Ok(())
            })
        });
        Pools { write: pool().connect_lazy_with(named("")), read: read.connect_lazy_with(named("-read")) }
    }

    async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
    }
}

impl Database {
    /// Opens the database: starts or finds the embedded cluster and makes the database in it, or connects to
    /// `database_url`. Does not migrate: see [`Database::migrate`] and [`Database::check_schema`].
    ///
    /// # Errors
    /// See [`Cluster::start`]; [`Error::DatabaseMissing`] when the database was there before and is gone.
    pub async fn open(options: &OpenOptions) -> Result<Database, Error> {
        if let Some(url) = &options.database_url {
            // The driver takes any scheme.
            if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
                let reason = "it begins with something else".to_owned();
                return Err(Error::DatabaseUrl { reason });
            }
            let connect = PgConnectOptions::from_str(url)
                .map_err(|e| Error::DatabaseUrl { reason: redacted_reason(&e) })?;
            if let Some(reason) = readable_on_the_way(&connect) {
                return Err(Error::DatabaseUrl { reason });
            }
            return Database::connect(connect, PoolSizes::default()).await;
        }
        let mut attempt = 1;
        loop {
            match Database::open_embedded(&options.data_dir).await {
                // A program killed while it stopped the server leaves one that still answers and is gone a
                // moment later.
                Err(error) if error.is_disconnected() && attempt < START_ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// As [`Database::open`], where there is an installation: in a directory that has none, nothing is made.
    ///
    /// # Errors
    /// [`Error::NoInstallation`]; those of [`Database::open`].
    pub async fn open_existing(options: &OpenOptions) -> Result<Database, Error> {
        if options.database_url.is_none() && !has_cluster(&options.data_dir)? {
            let dir = std::path::absolute(&options.data_dir).unwrap_or_else(|_| options.data_dir.clone());
            return Err(Error::NoInstallation { dir });
        }
        Database::open(options).await
    }

    async fn open_embedded(data: &Path) -> Result<Database, Error> {
        let data = data.to_owned();
        let cluster = blocking(move || Cluster::start(&data, Durability::Full)).await?;
        ensure_database(&cluster).await?;
        let mut db = Database::connect(cluster.connect_options(DATABASE), PoolSizes::default()).await?;
        db.cluster = Some(cluster);
        Ok(db)
    }

    /// Connects to a database that exists.
    ///
    /// # Errors
    /// [`Error::Disconnected`], [`Error::DatabaseMissing`], [`Error::ServerTooOld`].
    pub async fn connect(options: PgConnectOptions, sizes: PoolSizes) -> Result<Database, Error> {
        let mut first = connect_patiently(&options).await?;
        let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
            .fetch_one(&mut first)
            .await?;
        first.close().await?;
        if u32::try_from(version / 10_000).unwrap_or(0) < MINIMUM_MAJOR {
            return Err(Error::ServerTooOld { found: version / 10_000, minimum: MINIMUM_MAJOR });
        }
        Ok(Database {
            own: Pools::new(&options, "dancu-work", sizes.work),
            pages: Pools::new(&options, "dancu-web", sizes.pages),
            cluster: None,
        })
    }

    /// The same database by the connections that are kept for pages: all that is done with what this returns
    /// takes those, so that a page waits for no worker, whatever it calls.
    #[must_use]
    pub fn for_pages(&self) -> Database {
        Database { own: self.pages.clone(), ..self.clone() }
    }

    /// The pool of those who write. Its user owns the tables, so row-level security does not apply.
    pub fn work(&self) -> &PgPool {
        &self.own.write
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        Ok(self.own.write.begin().await?)
    }

    /// A connection for reading: each statement sees what is committed when it begins, and one that writes or
    /// locks a row is refused. Nothing is begun and nothing has to be ended.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn read(&self) -> Result<PoolConnection<Postgres>, Error> {
        Ok(self.own.read.acquire().await?)
    }

    /// Begins a read-only transaction that sees one instant of the database, however long it reads.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin_snapshot(&self) -> Result<Transaction<'static, Postgres>, Error> {
        let mut tx = self.own.read.begin().await?;
        let isolation = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        sqlx::query(isolation).execute(&mut *tx).await?;
        Ok(tx)
    }

    /// Begins a read-only transaction that sees only rows whose `unit_path` is inside `scope`, and only
    /// tables that are granted to `dancu_scoped`. A statement may take 15 s.
    ///
    /// # Errors
    /// When no connection can be had, or the role is missing (schema not migrated).
    pub async fn scoped(&self, scope: &UnitScope) -> Result<Transaction<'static, Postgres>, Error> {
        let mut tx = self.own.read.begin().await?;
        // A plan that was made for one reader's unit is not another's: for a commune an index is right, for a
        // province it may be the whole table.
        // Literals, not set_config(): Citus sends SET LOCAL on to its workers, and not the effects of a
        // function. UnitScope admits no character that could leave the literal.
        let sql = format!(
            "SET TRANSACTION READ ONLY; SET LOCAL ROLE dancu_scoped; \
             SET LOCAL app.unit_path = '{}'; SET LOCAL statement_timeout = '15s'; \
             SET LOCAL plan_cache_mode = force_custom_plan",
            scope.as_str()
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        Ok(tx)
    }

    /// Brings the schema to this program's version. Safe when several processes do it at once.
    ///
    /// # Errors
    /// [`Error::SchemaTooNew`]; [`Error::RoleNotPermitted`]; [`Error::Migration`] when a migration fails or
    /// one that was applied has been edited since.
    pub async fn migrate(&self) -> Result<(), Error> {
        let found = self.schema_version().await?;
        let known = known_version();
        if found > known {
            return Err(Error::SchemaTooNew { found, known });
        }
        migrate::run(&self.own.write).await
    }

    /// Checks that the schema is exactly the one this program needs, without changing it.
    ///
    /// # Errors
    /// [`Error::SchemaTooNew`] or [`Error::SchemaTooOld`], naming both versions.
    pub async fn check_schema(&self) -> Result<(), Error> {
        let found = self.schema_version().await?;
        let known = known_version();
        match found.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(Error::SchemaTooNew { found, known }),
            std::cmp::Ordering::Less => Err(Error::SchemaTooOld { found, known }),
        }
    }

    /// The version of the schema in the database; 0 when it is empty.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn schema_version(&self) -> Result<i64, Error> {
        let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&self.own.read)
            .await?;
        if !exists {
            return Ok(0);
        }
        let version =
            sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.own.read)
                .await?;
        Ok(version)
    }

    /// Brings up to date what the server knows of the tables' sizes and values, and of which pages need no
    /// look at single rows. The server does it by itself after a while; whoever has just written a whole
    /// register does not want to wait for it.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn vacuum_analyze(&self) -> Result<(), Error> {
        sqlx::raw_sql("VACUUM ANALYZE").execute(&self.own.write).await?;
        Ok(())
    }

    /// The embedded cluster, if this database is in one that [`Database::open`] started or found.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Closes the pools; the server goes on running.
    pub async fn close(&self) {
        self.own.close().await;
        self.pages.close().await;
    }

    /// Closes the pools and stops the embedded cluster, if there is one. For the end of a demo.
    ///
    /// # Errors
    /// See [`Cluster::stop`].
    pub async fn stop(&self) -> Result<(), Error> {
        self.close().await;
        match self.cluster.clone() {
            Some(cluster) => blocking(move || cluster.stop()).await,
            None => Ok(()),
        }
    }
}

/// Commits; the error is the store's, so that callers need no mapping of their own.
///
/// # Errors
/// When the server refuses or is gone: the transaction's work is then undone.
pub async fn commit(tx: Transaction<'static, Postgres>) -> Result<(), Error> {
    tx.commit().await?;
    Ok(())
}

/// Waits until no other transaction holds the lock of this name, and holds it until this one ends.
///
/// It is a row of table `meta` and not an advisory lock, which every server of a distributed database keeps
/// for itself.
///
/// # Errors
/// Those of the database; no row of that name.
pub(crate) async fn lock(tx: &mut PgConnection, name: &'static str) -> Result<(), Error> {
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM meta WHERE key = $1 FOR UPDATE")
        .bind(name)
        .fetch_optional(tx)
        .await?;
    found.map(drop).ok_or_else(|| Error::Inconsistent {
        table: "meta",
        row: name.to_owned(),
        reason: "a migration wrote it, and it is gone".to_owned(),
    })
}

/// Whether the database answers.
pub async fn ping(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(conn).await?;
    Ok(())
}

async fn ensure_database(cluster: &Cluster) -> Result<(), Error> {
    let mut admin = connect_patiently(&cluster.connect_options("postgres")).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut admin)
        .await?;
    let data = cluster.data().to_owned();
    let mut layout = Layout::load(&data)?;
    let recorded = layout.databases.iter().any(|d| d == DATABASE);
    if !exists {
        if recorded {
            return Err(Error::DatabaseMissing { name: DATABASE.to_owned() });
        }
        match sqlx::query("CREATE DATABASE dancu").execute(&mut admin).await.map_err(Error::from) {
            Ok(_) => {}
            // Another process made it first: 42P04, or 23505 when both were at it in the same instant.
            Err(Error::Sql(sql)) if sql.code == "42P04" || sql.code == "23505" => {}
            Err(e) => return Err(e),
        }
    }
    if !recorded {
        layout.databases.push(DATABASE.to_owned());
        layout.save(&data)?;
    }
    admin.close().await?;
    Ok(())
}

/// Connects, waiting while the server says that it is starting up, recovering or shutting down (57P03).
async fn connect_patiently(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let deadline = Instant::now() + STARTING_WAIT;
    loop {
        match PgConnection::connect_with(options).await {
            Ok(connection) => return Ok(connection),
            Err(sqlx::Error::Database(e))
                if e.code().as_deref() == Some("57P03") && Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Why a connection would be read, or led elsewhere, by whoever stands between.
///
/// `require` and `verify-ca` do not do: the driver takes any certificate for the one, and for the other any
/// that a public authority gave for whatever name.
fn readable_on_the_way(options: &PgConnectOptions) -> Option<String> {
    let host = options.get_host();
    let is_here = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_private = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    (!is_here && !is_private).then(|| {
        "the server is another machine, and what is said to it can be read on the way: add \
         ?sslmode=verify-full&sslrootcert=FILE with the certificate of the server's authority"
            .to_owned()
    })
}

/// A parser's message without the address it quotes.
fn redacted_reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(e) if !e.to_string().contains("://") => e.to_string(),
        _ => "it could not be parsed".to_owned(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Disconnected { reason: "the program is shutting down".to_owned() }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_is_spoken_to_under_tls_with_its_name_checked() {
        let check = |url: &str, refused: bool| {
            let options = PgConnectOptions::from_str(url).unwrap();
            assert_eq!(readable_on_the_way(&options).is_some(), refused, "{url}");
        };
        for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
            check(&format!("postgres://u@db.example/dancu?sslmode={mode}"), true);
            check(&format!("postgres://u@192.0.2.1/dancu?sslmode={mode}"), true);
            check(&format!("postgres://u@localhost/dancu?sslmode={mode}"), false);
        }
        check("postgres://u@db.example/dancu", true);
        check("postgres://u@localhost.example/dancu", true);
        check("postgres://u@localhost/dancu?host=192.0.2.1", true);
        check("postgres://u@localhost/dancu?hostaddr=192.0.2.1", true);
        check("postgres://u@db.example/dancu?sslmode=verify-full", false);
        check("postgres://u@127.0.0.1/dancu", false);
        check("postgres:///dancu?host=/run/postgresql", false);
    }
}
