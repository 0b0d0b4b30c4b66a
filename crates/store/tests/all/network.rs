//! A database on another machine: the test plays whoever sits on the line between, the row "the network" of
//! the list of attacks. The server is a real one with a certificate; openssl makes the certificates.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use sqlx::{Connection, PgConnection};

use store::{Cluster, Database, DatabaseUrl, Durability, Error, OpenOptions};
use testkit::certificates::Authority;

/// A server of one test, that listens under TLS on a loopback address of its own.
struct Server {
    dir: tempfile::TempDir,
    cluster: Cluster,
    address: String,
}

impl Server {
    /// `name` is whose certificate it shows, if not its own.
    async fn start(authority: &Authority, name: Option<&str>) -> Server {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let cluster = Cluster::start(&dir.path().join("data"), Durability::Disposable).unwrap();
        let id = std::process::id();
        let address = format!("127.{}.{}.{}", 100 + (id >> 16) % 100, (id >> 8) % 256, id % 254 + 1);
        let pgdata = cluster.home().join("pgdata");
        let own = format!("IP:{address}");
        let leaf = authority.server("database", name.unwrap_or(&own));
        let owner = std::fs::metadata(&pgdata).unwrap();
        for (from, name) in [(&leaf.certificate, "server.crt"), (&leaf.key, "server.key")] {
            let to = pgdata.join(name);
            std::fs::copy(from, &to).unwrap();
            std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).unwrap();
            chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        append(&pgdata.join("postgresql.conf"), &format!("listen_addresses = '{address}'\nssl = on\n"));
        // The clear is let in too: it is we who must not use it.
        append(&pgdata.join("pg_hba.conf"), "host all all 127.0.0.0/8 trust\n");
        cluster.stop().unwrap();
        let cluster = Cluster::start(&dir.path().join("data"), Durability::Disposable).unwrap();
        let mut admin = PgConnection::connect_with(&cluster.connect_options("postgres")).await.unwrap();
        store::make_logins(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        Server { dir, cluster, address }
    }

    async fn open(&self, query: &str) -> Result<Database, Error> {
        let url = format!("postgres://dancu_work@{}/postgres{query}", self.address);
        let url = DatabaseUrl { own: url, scoped: None, owner: None };
        Database::open(&OpenOptions { data_dir: self.dir.path().join("none"), database_url: Some(url) }).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.cluster.stop();
        let _ = std::fs::remove_dir_all(self.cluster.home());
    }
}

fn append(path: &Path, text: &str) {
    let mut whole = std::fs::read_to_string(path).unwrap();
    whole.push_str(text);
    std::fs::write(path, whole).unwrap();
}

async fn is_private(db: &Database) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    sqlx::query_scalar(sql).fetch_one(db.work()).await.unwrap()
}

fn query(mode: &str, ca: &Path) -> String {
    format!("?sslmode={mode}&sslrootcert={}", ca.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_reads_nothing_that_is_said_to_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new(&folder.path().join("ours"));
    let theirs = Authority::new(&folder.path().join("theirs"));
    let server = Server::start(&ours, None).await;
    let db = server.open(&query("verify-full", &ours.certificate)).await.unwrap();
    assert!(is_private(&db).await);
    db.close().await;
    // A certificate of somebody else's authority, and one of ours under another name.
    assert!(server.open(&query("verify-full", &theirs.certificate)).await.is_err());
    drop(server);
    let server = Server::start(&ours, Some("DNS:elsewhere.example")).await;
    assert!(server.open(&query("verify-full", &ours.certificate)).await.is_err());
    let db = server.open(&query("require", &ours.certificate)).await.unwrap();
    assert!(is_private(&db).await, "it is there, on this machine");
    db.close().await;
    // A server elsewhere is not spoken to in the clear, nor under TLS with whomever: it is refused before
    // anything is sent, so that nobody need listen there.
    for (mode, host) in [("disable", "192.0.2.1"), ("prefer", "db.example"), ("require", "192.0.2.1")] {
        let url = format!("postgres://dancu:secret@{host}/dancu{}", query(mode, &ours.certificate));
        let here = || "postgres:///dancu".to_owned();
        // Whichever login it is of.
        for (variable, urls) in [
            ("DATABASE_URL", DatabaseUrl { own: url.clone(), scoped: None, owner: None }),
            ("DANCU_SCOPED_URL", DatabaseUrl { own: here(), scoped: Some(url.clone()), owner: None }),
            ("DANCU_OWNER_URL", DatabaseUrl { own: here(), scoped: None, owner: Some(url.clone()) }),
        ] {
            let options = OpenOptions { data_dir: PathBuf::from("none"), database_url: Some(urls) };
            let said = Database::open(&options).await.unwrap_err().to_string();
            assert!(said.contains("sslmode=verify-full") && !said.contains("secret"), "{said}");
            assert!(said.contains(variable), "{said}");
        }
    }
}
