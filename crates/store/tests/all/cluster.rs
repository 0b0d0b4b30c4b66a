//! The embedded cluster: real servers in real directories, killed and started together.
//!
//! Root and an ordinary user take different ways; run these tests as both.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use store::{Cluster, Database, DatabaseUrl, Durability, Error, Logins, OpenOptions};

/// A data directory that stops its server and removes everything when the test ends, also by panic.
struct Data {
    dir: tempfile::TempDir,
    sub: PathBuf,
}

impl Data {
    fn new(sub: impl AsRef<Path>) -> Data {
        let dir = tempfile::tempdir().unwrap();
        // tempfile makes its directories 0700; as root, the server's user must pass.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Data { sub: dir.path().join(sub), dir }
    }

    fn start(&self) -> Cluster {
        Cluster::start(&self.sub, Durability::Disposable).unwrap()
    }

    fn options(&self) -> OpenOptions {
        OpenOptions { data_dir: self.sub.clone(), database_url: None }
    }

    fn recorded_home(&self) -> Option<PathBuf> {
        let text = std::fs::read_to_string(self.sub.join("dancu.json")).ok()?;
        let json: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(json["cluster"].as_str()?.into())
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let home = self.recorded_home();
        let pgdata = home.clone().unwrap_or_else(|| self.sub.join("postgres")).join("pgdata");
        if pgdata.join("postmaster.pid").exists()
            && let Ok(cluster) = Cluster::start(&self.sub, Durability::Disposable)
        {
            let _ = cluster.stop();
        }
        if let Some(home) = home {
            let _ = std::fs::remove_dir_all(home);
        }
        let _ = std::fs::set_permissions(self.dir.path(), PermissionsExt::from_mode(0o755));
    }
}

fn kill_9(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

async fn count(db: &Database) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM sim_progress WHERE key = 'a'")
        .fetch_one(db.work())
        .await
        .unwrap()
}

#[tokio::test]
async fn what_was_committed_survives_kill_9_of_the_server() {
    let data = Data::new("data");
    let db = Database::open(&data.options()).await.unwrap();
    db.migrate().await.unwrap();
    sqlx::query("INSERT INTO sim_progress (key, value) VALUES ('a', '1')").execute(db.work()).await.unwrap();
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(db.work()).await.unwrap();
    let commit: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(db.work()).await.unwrap();
    assert_eq!((fsync.as_str(), commit.as_str()), ("on", "on"));
    let cluster = db.cluster().unwrap().clone();
    let pid = cluster.server_pid().unwrap();
    kill_9(pid);
    // Its children notice a moment later; then every connection is lost.
    let killed = Instant::now();
    let error = loop {
        match sqlx::query("SELECT 1").execute(db.work()).await {
            Err(error) => break Error::from(error),
            Ok(_) => assert!(killed.elapsed() < Duration::from_secs(5), "the killed server still answers"),
        }
    };
    assert!(error.is_disconnected(), "{error}");
    assert!(!cluster.is_live());

    // The stale pid file and the dying children do not stop the next start, and the old pools work again.
    let again = Database::open(&data.options()).await.unwrap();
    assert_ne!(again.cluster().unwrap().server_pid(), Some(pid));
    assert_eq!(count(&again).await, 1);
    assert_eq!(count(&db).await, 1);

    // Stopped and started, it is the same database; stopping twice is nothing.
    again.stop().await.unwrap();
    again.stop().await.unwrap();
    assert!(!cluster.is_live());
    let third = Database::open(&data.options()).await.unwrap();
    assert_eq!(count(&third).await, 1);
}

#[tokio::test]
async fn a_server_that_is_stopping_is_waited_for_and_started_again() {
    let data = Data::new("data");
    let db = Database::open(&data.options()).await.unwrap();
    let pid = db.cluster().unwrap().server_pid().unwrap();
    // SIGTERM is the smart shutdown: the server turns new sessions away and stays until the last one ends, so
    // that the moment between the two lasts as long as this test wants.
    let session = db.work().acquire().await.unwrap();
    assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
    let options = data.options();
    let opening = tokio::spawn(async move { Database::open(&options).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!opening.is_finished(), "a server that stops was taken for one that runs");
    drop(session.detach());
    let again = opening.await.unwrap().unwrap();
    assert_ne!(again.cluster().unwrap().server_pid(), Some(pid));
    assert_eq!(again.schema_version().await.unwrap(), 0);
}

#[tokio::test]
async fn a_live_server_is_reused_and_has_no_tcp_listener() {
    let data = Data::new("data");
    let one = data.start();
    let pid = one.server_pid();
    assert!(pid.is_some());
    assert_eq!(data.start().server_pid(), pid);
    let admin = testkit::administrator(one.connect_options("postgres"));
    let tcp: String = sqlx::query_scalar("SHOW listen_addresses").fetch_one(&admin).await.unwrap();
    assert_eq!(tcp, "");
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(&admin).await.unwrap();
    assert_eq!(encoding, "UTF8");
    let mode = std::fs::metadata(one.home().join("pgdata")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// Runs in a process of its own for the tests below: starts the cluster in the directory it is given, and
/// stays.
#[test]
#[ignore = "a helper process of other tests"]
fn helper_that_starts_and_stays() {
    let data = std::env::var("DANCU_TEST_DATA").unwrap();
    let cluster = Cluster::start(Path::new(&data), Durability::Disposable).unwrap();
    let said = Path::new(&data).join(format!("started-{}", std::process::id()));
    std::fs::write(said, cluster.server_pid().unwrap().to_string()).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

fn helper(data: &Data) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "cluster::helper_that_starts_and_stays"])
        .env("DANCU_TEST_DATA", &data.sub)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

fn server_of(data: &Data, helper: &std::process::Child) -> u32 {
    let file = data.sub.join(format!("started-{}", helper.id()));
    let begun = Instant::now();
    loop {
        match std::fs::read_to_string(&file) {
            Ok(pid) if !pid.is_empty() => return pid.parse().unwrap(),
            _ => assert!(begun.elapsed() < Duration::from_secs(50), "the helper did not start a server"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn two_processes_that_start_at_once_share_one_server_which_outlives_both() {
    let data = Data::new("data");
    let mut helpers = [helper(&data), helper(&data)];
    let servers = [server_of(&data, &helpers[0]), server_of(&data, &helpers[1])];
    assert_eq!(servers[0], servers[1]);
    for helper in &mut helpers {
        kill_9(helper.id());
        helper.wait().unwrap();
    }
    // The lock died with its holders, and the server did not.
    let cluster = data.start();
    assert_eq!(cluster.server_pid(), Some(servers[0]));
    assert!(cluster.is_live());
}

#[test]
fn a_long_path_gets_a_short_socket_directory() {
    let data = Data::new(format!("{}/{}", "x".repeat(80), "a b'c"));
    let cluster = data.start();
    assert!(cluster.is_live());
    let socket = cluster.connect_options("postgres").get_socket().unwrap().clone();
    assert!(socket.starts_with("/tmp"), "{}", socket.display());
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o700);
    cluster.stop().unwrap();

    // Somebody else's directory in its place is refused: it could hold an impostor's socket.
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o777)).unwrap();
    let error = Cluster::start(&data.sub, Durability::Disposable).unwrap_err();
    assert!(matches!(&error, Error::Directory { path, .. } if *path == socket), "{error}");
    std::fs::remove_dir_all(&socket).unwrap();
    assert!(data.start().is_live());
    let _ = data.start().stop();
    let _ = std::fs::remove_dir_all(&socket);
}

#[tokio::test]
async fn a_data_directory_the_servers_user_cannot_reach_gets_its_cluster_elsewhere() {
    if !is_root() {
        // An ordinary user is the server's user: whatever it can open, the server can.
        return;
    }
    let data = Data::new("home/checkout/data");
    std::fs::set_permissions(data.dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let db = Database::open(&data.options()).await.unwrap();
    db.migrate().await.unwrap();
    let home = db.cluster().unwrap().home().to_owned();
    assert!(home.starts_with("/var/lib"), "{}", home.display());
    assert_eq!(data.recorded_home(), Some(home.clone()));
    db.stop().await.unwrap();
    let db = Database::open(&data.options()).await.unwrap();
    assert_eq!(db.cluster().unwrap().home(), home);
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_lost_cluster_and_a_lost_database_are_not_replaced_by_empty_ones() {
    let data = Data::new("data");
    let db = Database::open(&data.options()).await.unwrap();
    db.close().await;
    let cluster = db.cluster().unwrap().clone();
    let admin = testkit::administrator(cluster.connect_options("postgres"));
    sqlx::raw_sql("DROP DATABASE dancu WITH (FORCE)").execute(&admin).await.unwrap();
    let error = Database::open(&data.options()).await.unwrap_err();
    assert!(matches!(&error, Error::DatabaseMissing { name } if name == "dancu"), "{error}");

    cluster.stop().unwrap();
    std::fs::remove_dir_all(cluster.home()).unwrap();
    let error = Database::open(&data.options()).await.unwrap_err();
    assert!(matches!(error, Error::ClusterVanished { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("dancu.json") && message.contains("backup"), "{message}");
}

#[tokio::test]
async fn another_layout_is_refused_before_anything_is_touched() {
    let data = Data::new("data");
    std::fs::create_dir(&data.sub).unwrap();
    std::fs::write(data.sub.join("dancu.json"), r#"{"layout": 9}"#).unwrap();
    let error = Database::open(&data.options()).await.unwrap_err();
    assert!(matches!(error, Error::DataLayout { found: 9, known: store::LAYOUT, .. }), "{error}");
    assert!(!data.sub.join("postgres").exists());
}

#[test]
fn a_first_start_that_was_cut_short_is_begun_again() {
    let data = Data::new("data");
    let partial = data.sub.join("postgres/pgdata.partial");
    std::fs::create_dir_all(&partial).unwrap();
    std::fs::write(partial.join("PG_VERSION"), "15").unwrap();
    assert!(data.start().is_live());
    assert!(!partial.exists());
}

#[tokio::test]
async fn a_bad_address_is_refused_without_repeating_it() {
    let url = DatabaseUrl { own: "mysql://u:hunter2@h/d".to_owned(), scoped: None, owner: None };
    let options = OpenOptions { data_dir: "unused".into(), database_url: Some(url) };
    let text = match Database::open(&options).await {
        Err(error) => format!("{error} {error:?} {options:?}"),
        Ok(_) => panic!("it is not a PostgreSQL address"),
    };
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("postgres://"), "{text}");
}

#[tokio::test]
async fn an_owner_on_a_server_without_the_logins_is_told_what_to_ask_for_and_that_is_enough() {
    let data = Data::new("data");
    let cluster = data.start();
    let admin = testkit::administrator(cluster.connect_options("postgres"));
    // The ident map lets the same operating-system user in under one more, plain name.
    let ident = cluster.home().join("pgdata/pg_ident.conf");
    let map = std::fs::read_to_string(&ident).unwrap();
    std::fs::write(&ident, format!("{map}{}", map.replace(" dancu_owner\n", " clerk\n"))).unwrap();
    for sql in ["CREATE ROLE clerk LOGIN", "CREATE DATABASE theirs OWNER clerk", "SELECT pg_reload_conf()"] {
        sqlx::raw_sql(sql).execute(&admin).await.unwrap();
    }
    let named = |name: &str| cluster.connect_options("theirs").username(name);
    let logins = Logins { owner: Some(named("clerk")), work: named("clerk"), ..cluster.logins("theirs") };
    let begun = Instant::now();
    let error = loop {
        match Database::connect(logins.clone(), store::PoolSizes::default()).await.unwrap_err() {
            Error::Sql(_) => assert!(begun.elapsed() < Duration::from_secs(10), "it is not let in"),
            error => break error,
        }
    };
    // To work as the owner is refused; the owner is for migrating.
    assert!(matches!(error, Error::LoginTooPowerful { power: "owns the tables", .. }), "{error}");
    for sql in ["CREATE ROLE another LOGIN", "GRANT CONNECT ON DATABASE theirs TO another"] {
        sqlx::raw_sql(sql).execute(&admin).await.unwrap();
    }
    std::fs::write(
        &ident,
        format!(
            "{map}{0}{1}",
            map.replace(" dancu_owner\n", " clerk\n"),
            map.replace(" dancu_owner\n", " another\n")
        ),
    )
    .unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&admin).await.unwrap();
    let logins = Logins { work: named("another"), pages: named("another"), ..logins };
    let db = loop {
        match Database::connect(logins.clone(), store::PoolSizes::default()).await {
            Ok(db) => break db,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{error}"),
        }
    };
    let error = db.migrate().await.unwrap_err();
    let advice = error.to_string();
    assert!(matches!(error, Error::LoginsMissing { .. }), "{advice}");
    let (_, sql) = advice.split_once("run: ").unwrap();
    let (sql, _) = sql.split_once(" Each").unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&admin).await.unwrap();
    db.migrate().await.unwrap();
    let db =
        Database::connect(Logins { owner: None, ..cluster.logins("theirs") }, store::PoolSizes::default())
            .await
            .unwrap();
    db.scoped(&store::UnitScope::everything()).await.unwrap();
    // Nothing is left to do, so that nobody asks for the owner.
    db.migrate().await.unwrap();
}
