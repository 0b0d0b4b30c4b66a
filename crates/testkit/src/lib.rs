#![doc = include_str!("../README.md")]

pub mod certificates;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use domain::record::Place;
use domain::{PartialDate, PersonName, ResidentRecord, Sex};
use store::{Cluster, Database, Durability, Logins, PoolSizes};

/// A resident of whom no more is known than must be: a test says what it is about, and leaves the rest.
pub fn resident() -> ResidentRecord {
    ResidentRecord {
        name: PersonName::parse("Nguyễn Thị Hoa").expect("a name"),
        sex: Sex::Female,
        birth: PartialDate::parse("1990").expect("a year"),
        pin: None,
        old_id: None,
        ethnicity: 1,
        religion: 0,
        nationality: "VNM".to_owned(),
        marital: None,
        blood: None,
        birth_registration: None,
        native_place: None,
        permanent: Place { unit: "18562".parse().expect("a code"), detail: "Thôn 1".to_owned() },
        current: None,
        father: None,
        mother: None,
        spouse: None,
        household: None,
        relation_to_head: None,
    }
}

/// A migrated database of one test, dropped with this value.
///
/// Use it as a [`Database`]: `db.work()`, `db.scoped(…)`, which have the program's logins and no more than
/// their rights. What the program must not do, [`FreshDatabase::admin`] does.
#[derive(Debug)]
pub struct FreshDatabase {
    database: Database,
    admin: PgPool,
    name: String,
    server: Server,
}

impl FreshDatabase {
    /// The database's name on its server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its administrator connects to it.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.server.connect_options(&self.name)
    }

    /// How the program connects to it, for a test that needs a connection outside the pools.
    pub fn logins(&self) -> Logins {
        self.server.logins(&self.name)
    }

    /// Its administrator, a superuser: for a test that looks or tampers where the program may not.
    pub fn admin(&self) -> &PgPool {
        &self.admin
    }
}

impl Deref for FreshDatabase {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let name = self.name.clone();
        // Drop cannot wait on the test's own runtime; a failure only leaves a database for the next run to
        // remove.
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                let _ = runtime.block_on(drop_database(&server, &name));
            }
        });
        let _ = dropper.join();
    }
}

/// Makes a new, migrated, empty database for one test: on the server of `DATABASE_URL` (whose user is its
/// administrator) if that is set, else in a cluster in the target directory that all test binaries share.
///
/// # Panics
/// When there is no PostgreSQL to use, with the error that says what to install.
pub async fn fresh_database() -> FreshDatabase {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server().await;
    let template = template(&server).await.unwrap_or_else(|e| panic!("test template database: {e}"));
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("t_{}_{number}_{}", std::process::id(), uuid::Uuid::now_v7().simple());
    let mut admin = admin(&server).await.unwrap_or_else(|e| panic!("test server: {e}"));
    execute(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template} OWNER dancu_owner"))
        .await
        .unwrap_or_else(|e| panic!("test database: {e}"));
    let _ = admin.close().await;
    let admin = administrator(server.connect_options(&name));
    let mut first = admin.acquire().await.unwrap_or_else(|e| panic!("test database: {e}"));
    store::close_to_others(&mut first).await.unwrap_or_else(|e| panic!("test database: {e}"));
    drop(first);
    let database = Database::connect(server.logins(&name), PoolSizes { work: 8, pages: 4 })
        .await
        .unwrap_or_else(|e| panic!("test database: {e}"));
    FreshDatabase { database, admin, name, server }
}

/// Few connections as whom these options name, usually an administrator.
pub fn administrator(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(3).connect_lazy_with(options)
}

/// The cluster that [`fresh_database`] uses when `DATABASE_URL` is not set: started if need be, and left
/// running for the next test binary.
///
/// # Errors
/// See [`Cluster::start`].
pub fn test_cluster() -> Result<Cluster, store::Error> {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    if let Some(cluster) = CLUSTER.get() {
        return Ok(cluster.clone());
    }
    let cluster = Cluster::start(&test_data_dir(), Durability::Disposable)?;
    Ok(CLUSTER.get_or_init(|| cluster).clone())
}

/// `testkit-` and the data layout in the cargo target directory, which `cargo clean` removes; in the
/// temporary directory for a program that lies elsewhere. A target directory outlives a layout.
fn test_data_dir() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    match target {
        Some(target) => target.join(format!("testkit-{}", store::LAYOUT)),
        None => std::env::temp_dir().join(format!("dancu-testkit-{}", store::LAYOUT)),
    }
}

#[derive(Debug, Clone)]
enum Server {
    Embedded(Cluster),
    Given(Box<PgConnectOptions>),
}

impl Server {
    fn connect_options(&self, database: &str) -> PgConnectOptions {
        match self {
            Server::Embedded(cluster) => cluster.connect_options(database),
            Server::Given(options) => options.as_ref().clone().database(database),
        }
    }

    fn logins(&self, database: &str) -> Logins {
        let options = self.connect_options(database);
        match self {
            Server::Embedded(_) => Logins::by_name(&options),
            Server::Given(_) => Logins::by_name(&options.password(PASSWORD)),
        }
    }
}

/// Of the logins on a server that was given.
const PASSWORD: &str = "of-the-tests";

async fn server() -> Server {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        let options = PgConnectOptions::from_str(&url)
            .unwrap_or_else(|_| panic!("DATABASE_URL is not a PostgreSQL address"));
        return Server::Given(Box::new(options));
    }
    let started = tokio::task::spawn_blocking(test_cluster).await;
    match started {
        Ok(Ok(cluster)) => Server::Embedded(cluster),
        Ok(Err(e)) => panic!("test cluster: {e}"),
        Err(e) => panic!("test cluster: {e}"),
    }
}

async fn admin(server: &Server) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect_with(&server.connect_options("postgres")).await
}

async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

/// The name of the migrated database that others are copied from; made by whoever comes first. Its name
/// follows from the migrations, so an edited migration gets a new one.
async fn template(server: &Server) -> Result<String, Box<dyn std::error::Error>> {
    static DONE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    DONE.get_or_try_init(|| make_template(server)).await.cloned()
}

async fn make_template(server: &Server) -> Result<String, Box<dyn std::error::Error>> {
    let digest = Sha256::digest(store::migrations_checksum());
    let key: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("dancu_template_{key}");
    let mut admin = admin(server).await?;
    // Held until this connection closes: one process makes the template, the others wait for it.
    sqlx::query("SELECT pg_advisory_lock(hashtext('dancu test template'))").execute(&mut admin).await?;
    remove_leftovers(server, &mut admin).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut admin)
        .await?;
    if !exists {
        store::make_logins(&mut admin).await?;
        if let Server::Given(_) = server {
            for login in ["owner", "work", "pages", "scoped"] {
                execute(&mut admin, format!("ALTER ROLE dancu_{login} PASSWORD '{PASSWORD}'")).await?;
            }
        }
        // It takes its name only when it is complete.
        let making = format!("{name}_making");
        execute(&mut admin, format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)")).await?;
        execute(&mut admin, format!("CREATE DATABASE {making} OWNER dancu_owner")).await?;
        let database = Database::connect(server.logins(&making), PoolSizes { work: 2, pages: 1 }).await?;
        let migrated = database.migrate().await;
        database.close().await;
        migrated?;
        execute(&mut admin, format!("ALTER DATABASE {making} RENAME TO {name}")).await?;
    }
    admin.close().await?;
    Ok(name)
}

/// Drops databases of test processes that no longer live. Only in the embedded cluster: another server may
/// serve other machines, whose processes cannot be seen from here.
async fn remove_leftovers(server: &Server, admin: &mut PgConnection) -> Result<(), sqlx::Error> {
    if !matches!(server, Server::Embedded(_)) || !Path::new("/proc/self").exists() {
        return Ok(());
    }
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE 't\\_%'")
            .fetch_all(&mut *admin)
            .await?;
    for name in names {
        let process = name.split('_').nth(1).unwrap_or_default();
        if !process.is_empty() && !Path::new("/proc").join(process).exists() {
            execute(admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        }
    }
    Ok(())
}

async fn drop_database(server: &Server, name: &str) -> Result<(), sqlx::Error> {
    let mut admin = admin(server).await?;
    execute(&mut admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    admin.close().await
}
