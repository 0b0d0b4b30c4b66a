//! Opening the database, and the three ways into it: transactions that write, connections that only read, and
//! scoped transactions, which read one unit's rows. Pages have connections of their own for each.

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool, Postgres, Transaction};

use crate::platform::address::{OWNER_URL, OpenOptions, SCOPED_URL};
use crate::platform::binaries::MINIMUM_MAJOR;
use crate::platform::cluster::{Cluster, Durability, has_cluster};
use crate::platform::layout::Layout;
use crate::platform::logins::{self, Logins};
use crate::platform::migrate::{self, known_version};
use crate::platform::proof::{Challenge, ScopeKey};
use crate::{Error, UnitScope};

/// The database in the embedded cluster.
const DATABASE: &str = "dancu";

/// How long a starting server (recovery after a crash) is waited for.
const STARTING_WAIT: Duration = Duration::from_secs(60);

/// How often the embedded server is started when it goes away while it is being opened.
const START_ATTEMPTS: u32 = 3;

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
    owner: Option<PgConnectOptions>,
    scope_key: Arc<RwLock<Option<Arc<ScopeKey>>>>,
    cluster: Option<Cluster>,
}

/// The connections of one kind of user.
#[derive(Debug, Clone)]
struct Pools {
    write: PgPool,
    read: PgPool,
    scoped: Option<PgPool>,
}

impl Pools {
    fn new(options: &PgConnectOptions, scoped: Option<&PgConnectOptions>, name: &str, size: u32) -> Pools {
        let pool = || PgPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(15));
        let named =
            |options: &PgConnectOptions, ends| options.clone().application_name(&format!("{name}{ends}"));
        // Whoever reads outside a transaction commits each statement by itself. A write that strayed there
        // would be half of a change, so that the server is told to refuse it.
        let read = pool().after_connect(|conn, _| {
            Box::pin(async move {
                conn.execute("SET default_transaction_read_only = on").await?;
                Ok(())
            })
        });
        // Whether the server is there shows when the transaction begins, which is tried again: a question
        // more would cost each page a round trip.
        let proved = pool().test_before_acquire(false);
        Pools {
            write: pool().connect_lazy_with(named(options, "")),
            read: read.connect_lazy_with(named(options, "-read")),
            scoped: scoped.map(|options| proved.connect_lazy_with(named(options, "-scoped"))),
        }
    }

    async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
        if let Some(scoped) = &self.scoped {
            scoped.close().await;
        }
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
            return Database::connect(url.logins()?, PoolSizes::default()).await;
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
        let mut db = Database::connect(cluster.logins(DATABASE), PoolSizes::default()).await?;
        let connected = cluster.clone();
        blocking(move || connected.wake()).await?;
        db.cluster = Some(cluster);
        Ok(db)
    }

    /// Connects to a database that exists.
    ///
    /// # Errors
    /// [`Error::Disconnected`], [`Error::DatabaseMissing`], [`Error::ServerTooOld`];
    /// [`Error::LoginTooPowerful`], before anything is done.
    pub async fn connect(logins: Logins, sizes: PoolSizes) -> Result<Database, Error> {
        let mut first = connect_patiently(&logins.work).await?;
        let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
            .fetch_one(&mut first)
            .await?;
        let checked = logins.check(&mut first).await;
        first.close().await?;
        if u32::try_from(version / 10_000).unwrap_or(0) < MINIMUM_MAJOR {
            return Err(Error::ServerTooOld { found: version / 10_000, minimum: MINIMUM_MAJOR });
        }
        checked?;
        let scoped = logins.scoped.as_ref();
        Ok(Database {
            own: Pools::new(&logins.work, scoped, "dancu-work", sizes.work),
            pages: Pools::new(&logins.pages, scoped, "dancu-web", sizes.pages),
            owner: logins.owner,
            scope_key: Arc::default(),
            cluster: None,
        })
    }

    /// The same database by the connections that are kept for pages: all that is done with what this returns
    /// takes those, so that a page waits for no worker, whatever it calls.
    #[must_use]
    pub fn for_pages(&self) -> Database {
        Database { own: self.pages.clone(), ..self.clone() }
    }

    /// The pool of those who write, as the login `dancu_work`, or `dancu_pages` for pages: units do not hold
    /// it, what it may do to each table does (`ROLES.md`).
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
    /// tables that are granted to `dancu_scoped`, which is its login. A statement may take 15 s.
    ///
    /// # Errors
    /// When no connection can be had; [`Error::LoginNotGiven`]; the schema is not migrated.
    pub async fn scoped(&self, scope: &UnitScope) -> Result<Transaction<'static, Postgres>, Error> {
        let pool = self.own.scoped.as_ref();
        let pool = pool.ok_or(Error::LoginNotGiven { login: logins::SCOPED, variable: SCOPED_URL })?;
        let known = self.scope_key.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let key = match known {
            Some(key) => key,
            None => self.load_scope_key().await?,
        };
        let (mut tx, challenge) = begin_challenged(pool).await?;
        if key.prove(&mut tx, challenge, scope).await? {
            return Ok(tx);
        }
        // Another key: the database was restored from a backup since.
        if self.load_scope_key().await?.prove(&mut tx, challenge, scope).await? {
            return Ok(tx);
        }
        Err(Error::Inconsistent {
            table: "scope_key",
            row: "its only one".to_owned(),
            reason: "the server does not take what is proved with it".to_owned(),
        })
    }

    async fn load_scope_key(&self) -> Result<Arc<ScopeKey>, Error> {
        let mut conn = self.own.read.acquire().await?;
        let key = Arc::new(ScopeKey::load(&mut conn).await?);
        *self.scope_key.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(Arc::clone(&key));
        Ok(key)
    }

    /// Brings the schema to this program's version. Safe when several processes do it at once.
    ///
    /// # Errors
    /// [`Error::SchemaTooNew`]; [`Error::LoginNotGiven`], where there is something to do;
    /// [`Error::LoginsMissing`]; [`Error::Migration`] when a migration fails or one that was applied has been
    /// edited since.
    pub async fn migrate(&self) -> Result<(), Error> {
        let found = match &self.owner {
            Some(owner) => {
                let mut conn = connect_patiently(owner).await?;
                let found = version(&mut conn).await?;
                conn.close().await?;
                found
            }
            None => self.schema_version().await?,
        };
        let known = known_version();
        match (found.cmp(&known), &self.owner) {
            (std::cmp::Ordering::Greater, _) => Err(Error::SchemaTooNew { found, known }),
            // Also where nothing is missing: what was applied may have been edited since.
            (_, Some(owner)) => migrate::run(owner).await,
            (std::cmp::Ordering::Equal, None) => Ok(()),
            (std::cmp::Ordering::Less, None) => {
                Err(Error::LoginNotGiven { login: logins::OWNER, variable: OWNER_URL })
            }
        }
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

    /// The version of the schema in the database; 0 when it is empty, or was stopped before the logins got
    /// their rights.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn schema_version(&self) -> Result<i64, Error> {
        version(&mut *self.own.read.acquire().await?).await
    }

    /// Brings up to date what the server knows of the tables' sizes and values, and of which pages need no
    /// look at single rows. The server does it by itself after a while; whoever has just written a whole
    /// register does not want to wait for it.
    ///
    /// # Errors
    /// When the server cannot be reached; [`Error::LoginNotGiven`], because only the owner may.
    pub async fn vacuum_analyze(&self) -> Result<(), Error> {
        let owner = self.owner.as_ref();
        let owner = owner.ok_or(Error::LoginNotGiven { login: logins::OWNER, variable: OWNER_URL })?;
        let mut conn = connect_patiently(owner).await?;
        sqlx::raw_sql("VACUUM ANALYZE").execute(&mut conn).await?;
        conn.close().await?;
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

async fn version(conn: &mut PgConnection) -> Result<i64, Error> {
    let readable: Option<bool> =
        sqlx::query_scalar("SELECT has_table_privilege(to_regclass('_sqlx_migrations')::oid, 'SELECT')")
            .fetch_one(&mut *conn)
            .await?;
    if readable != Some(true) {
        return Ok(0);
    }
    let version = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
    Ok(sqlx::query_scalar(version).fetch_one(conn).await?)
}

/// Makes logins and database in a cluster that is new. That is all the superuser does: afterwards nobody
/// connects as that one.
async fn ensure_database(cluster: &Cluster) -> Result<(), Error> {
    let data = cluster.data().to_owned();
    let mut layout = Layout::load(&data)?;
    if layout.databases.iter().any(|d| d == DATABASE) {
        return Ok(());
    }
    let mut admin = connect_patiently(&cluster.connect_options("postgres")).await?;
    logins::make_logins(&mut admin).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut admin)
        .await?;
    if !exists {
        let made = sqlx::query("CREATE DATABASE dancu OWNER dancu_owner").execute(&mut admin).await;
        match made.map_err(Error::from) {
            Ok(_) => {}
            // Another process made it first: 42P04, or 23505 when both were at it in the same instant.
            Err(Error::Sql(sql)) if sql.code == "42P04" || sql.code == "23505" => {}
            Err(e) => return Err(e),
        }
    }
    layout.databases.push(DATABASE.to_owned());
    layout.save(&data)?;
    admin.close().await?;
    Ok(())
}

/// Begins a transaction, and learns what has to be proved for it. A connection that was lost while nobody
/// used it is given up for another.
async fn begin_challenged(pool: &PgPool) -> Result<(Transaction<'static, Postgres>, Challenge), Error> {
    let mut lost = 0;
    loop {
        let begun = async {
            let mut tx = pool.begin().await?;
            let challenge = Challenge::of(&mut tx).await?;
            Ok::<_, Error>((tx, challenge))
        };
        match begun.await {
            Err(error)
                if error.is_disconnected()
                    && pool.size() > 0
                    && lost < pool.options().get_max_connections() =>
            {
                lost += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Connects, waiting while the server says that it is starting up, recovering or shutting down (57P03).
pub(super) async fn connect_patiently(options: &PgConnectOptions) -> Result<PgConnection, Error> {
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

/// Does what blocks where it keeps nobody waiting.
pub(crate) async fn blocking<T: Send + 'static>(
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
