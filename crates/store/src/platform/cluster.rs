//! The embedded default: a private PostgreSQL cluster in the data directory, from the machine's own programs.
//!
//! It listens on a Unix socket only, knows users by the socket's peer, and outlives this process: a `kill -9`
//! of dancu leaves the server running, and the next start finds it.

use std::fs::{DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::Error;
use crate::platform::binaries::Binaries;
use crate::platform::layout::Layout;
use crate::platform::logins::{self, Logins};
use crate::platform::os_user::Users;

/// The cluster's superuser: makes the logins and the database, and does no work.
pub(super) const SUPERUSER: &str = "dancu";
const SOCKET_FILE: &str = ".s.PGSQL.5432";
/// `sun_path` holds 104 bytes on macOS and 108 on Linux, and PostgreSQL adds ".lock" to a sibling's name
/// only.
const SOCKET_PATH_LIMIT: usize = 100;
const LOCK_WAIT: Duration = Duration::from_secs(120);
const STALE_WAIT: Duration = Duration::from_secs(5);

/// What the cluster's data is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on the disk before it is acknowledged.
    Full,
    /// For tests: `fsync` is off, so a power cut may destroy the cluster (a killed process may not).
    Disposable,
}

/// A running private cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    data: PathBuf,
    home: PathBuf,
    socket_dir: PathBuf,
    durability: Durability,
    /// Whether the server was not running before.
    started: bool,
}

impl Cluster {
    /// Makes the cluster under `data` if there is none, starts it if it is not running, and returns how to
    /// reach it. Blocking: seconds at the first start, milliseconds when the server runs. Safe when several
    /// processes start at once.
    ///
    /// # Errors
    /// No programs, no permission, a full disk, a lost cluster, another layout: each with what to do.
    pub fn start(data: &Path, durability: Durability) -> Result<Cluster, Error> {
        let data = make_data_dir(data)?;
        let _lock = lock(&data)?;
        let mut layout = Layout::load(&data)?;
        let (home, users) = choose_home(&data, &mut layout)?;
        let pgdata = home.join("pgdata");
        if layout.cluster_made && !pgdata.join("PG_VERSION").is_file() {
            return Err(Error::ClusterVanished { cluster: pgdata, file: Layout::path(&data) });
        }
        let socket_dir = make_socket_dir(&home, &users)?;
        if !layout.cluster_made {
            init(&home, &users)?;
            layout.cluster_made = true;
            layout.save(&data)?;
        }
        let mut cluster = Cluster { data, home, socket_dir, durability, started: false };
        let ident_changed = cluster.write_ident(&users)?;
        if !cluster.is_live() {
            cluster.start_server(&users, durability)?;
            cluster.started = true;
        } else if ident_changed {
            cluster.pg_ctl(&users, &["reload"])?;
        }
        Ok(cluster)
    }

    /// Wakes the checkpointer of a server that was started by this and takes connections by now: it has slept
    /// since before the log was read, and would see an operator's `archive_timeout` after a quarter of an
    /// hour. Blocking.
    ///
    /// # Errors
    /// When `pg_ctl` fails.
    pub(crate) fn wake(&self) -> Result<(), Error> {
        if !self.started {
            return Ok(());
        }
        let users = Users::resolve(&self.pgdata())?;
        self.pg_ctl(&users, &["reload"])
    }

    /// Stops the server, rolling back what is open. For the end of a demo or a test run: other dancu
    /// processes on the same data directory lose their connections. Blocking; nothing happens if the server
    /// is not running.
    ///
    /// # Errors
    /// When `pg_ctl` fails.
    pub fn stop(&self) -> Result<(), Error> {
        let _lock = lock(&self.data)?;
        if !self.is_live() {
            return Ok(());
        }
        let users = Users::resolve(&self.pgdata())?;
        self.pg_ctl(&users, &["stop", "-m", "fast", "-w", "-t", "60"])
    }

    /// Whether the server is gone and nobody stopped it: in order it removes the file with its process id.
    pub(crate) fn has_died(&self) -> bool {
        !self.is_live() && self.server_pid().is_some()
    }

    /// As [`Cluster::start`], with what this one was started with. `None` when it is running: another process
    /// was faster.
    pub(crate) fn start_again(&self) -> Result<Option<Cluster>, Error> {
        let again = Cluster::start(&self.data, self.durability)?;
        Ok(again.started.then_some(again))
    }

    /// Whether the server accepts connections on its socket.
    pub fn is_live(&self) -> bool {
        UnixStream::connect(self.socket_dir.join(SOCKET_FILE)).is_ok()
    }

    /// The directory that holds the cluster: `postgres` in the data directory, unless the server's user could
    /// not enter that.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The process id of the server, for tests that kill it.
    pub fn server_pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.pgdata().join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// How the program connects to a database of this cluster.
    pub fn logins(&self, database: &str) -> Logins {
        Logins::by_name(&self.connect_options(database))
    }

    /// How its administrator connects to a database of this cluster. Takes nothing from the environment's
    /// `PG…` variables.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(5432)
            .ssl_mode(PgSslMode::Disable)
            .username(SUPERUSER)
            .database(database)
    }

    pub(super) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn pgdata(&self) -> PathBuf {
        self.home.join("pgdata")
    }

    /// Who may connect: this process's user and the server's, as any of the logins.
    fn write_ident(&self, users: &Users) -> Result<bool, Error> {
        let mut people = vec![&users.server.name];
        if users.is_root() {
            people.push(&users.me.name);
        }
        let logins = [SUPERUSER, logins::OWNER, logins::WORK, logins::PAGES, logins::SCOPED];
        let mut text = String::new();
        for person in people {
            logins.iter().for_each(|login| text.push_str(&format!("dancu \"{person}\" {login}\n")));
        }
        let path = self.pgdata().join("pg_ident.conf");
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        // A cluster once started by root keeps root's line, so that root and the owner can take turns.
        if text.lines().all(|line| old.lines().any(|l| l == line)) {
            return Ok(false);
        }
        write_file(&path, &text, users)?;
        Ok(true)
    }

    fn start_server(&self, users: &Users, durability: Durability) -> Result<(), Error> {
        let settings = settings(&self.socket_dir, durability);
        write_file(&self.pgdata().join("dancu.conf"), &settings, users)?;
        let log = self.home.join("server.log");
        let deadline = Instant::now() + STALE_WAIT;
        loop {
            let log_before = std::fs::metadata(&log).map(|m| m.len()).unwrap_or(0);
            let log_arg = log.to_string_lossy().into_owned();
            // pg_ctl puts the server into its own session. Ten minutes, because recovery after a crash in a
            // bulk load replays up to max_wal_size.
            let outcome = self.pg_ctl(users, &["start", "-w", "-t", "600", "-l", &log_arg]);
            let Err(error) = outcome else { return Ok(()) };
            if self.is_live() {
                return Ok(());
            }
            let said = log_after(&log, log_before);
            // After a kill -9 the old server or its children may live for a moment and hold its memory, its
            // pid file or, where that was brought back from a backup, its socket.
            let stale = said.contains("lock file") || said.contains("shared memory block");
            if stale && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            return Err(match error {
                Error::Program { .. } if said.contains("No space left on device") => {
                    Error::DiskFull { context: said }
                }
                Error::Program { program, .. } if !said.is_empty() => {
                    Error::Program { program, output: said }
                }
                other => other,
            });
        }
    }

    fn pg_ctl(&self, users: &Users, args: &[&str]) -> Result<(), Error> {
        let pgdata = self.pgdata();
        let binaries = Binaries::find(&pgdata, Some(made_by(&pgdata)?))?;
        let mut command = users.command(&binaries.program("pg_ctl"));
        let output = command.arg("-D").arg(&pgdata).args(args).output();
        check("pg_ctl", output)
    }
}

/// Whether the data directory has a private cluster. Makes nothing.
///
/// # Errors
/// A data file that cannot be read, or of another layout.
pub fn has_cluster(data: &Path) -> Result<bool, Error> {
    Ok(Layout::load(data)?.cluster_made)
}

/// Makes the data directory if it is not there, with the rights that a cluster in it needs, and returns its
/// full path.
///
/// # Errors
/// [`Error::File`].
pub fn make_data_dir(data: &Path) -> Result<PathBuf, Error> {
    let me_is_root = Users::resolve(Path::new("/nonexistent"))?.is_root();
    // Root's data directory must let the server's user pass to the cluster below it, and show it nothing.
    let mode = if me_is_root { 0o711 } else { 0o700 };
    DirBuilder::new().recursive(true).mode(mode).create(data).map_err(Error::file("creating", data))?;
    data.canonicalize().map_err(Error::file("opening", data))
}

/// Serialises starting and stopping between processes. The lock goes with the process, so `kill -9` frees it.
fn lock(data: &Path) -> Result<File, Error> {
    let path = data.join("postgres.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::file("opening", &path))?;
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::Error(e)) => return Err(Error::file("locking", &path)(e)),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(Error::StartLock { dir: data.to_owned(), waited_s: LOCK_WAIT.as_secs() });
            }
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Where the cluster lives. `<data>/postgres`, unless this process is root and its unprivileged server user
/// cannot pass a directory above (a checkout in /root, say): then a directory of its own in /var/lib,
/// remembered in dancu.json.
fn choose_home(data: &Path, layout: &mut Layout) -> Result<(PathBuf, Users), Error> {
    if layout.cluster_made {
        let home = layout.cluster.clone().unwrap_or_else(|| data.join("postgres"));
        let users = Users::resolve(&home.join("pgdata"))?;
        if home.is_dir() && !users.can_enter(&home) {
            return Err(Error::Directory {
                reason: format!("user {} cannot enter it or a directory above it", users.server.name),
                path: home,
            });
        }
        return Ok((home, users));
    }
    let beside = data.join("postgres");
    let users = Users::resolve(&beside.join("pgdata"))?;
    make_private_dir(&beside, &users)?;
    if users.can_enter(&beside) {
        layout.cluster = None;
        return Ok((beside, users));
    }
    // Not an error if it stays: it is empty, and its name tells the operator where one would look first.
    let _ = std::fs::remove_dir(&beside);
    let home = match &layout.cluster {
        Some(home) => home.clone(),
        None => Path::new("/var/lib").join(format!("dancu-{}", uuid::Uuid::now_v7().simple())),
    };
    make_private_dir(&home, &users)?;
    if !users.can_enter(&home) {
        return Err(Error::Directory {
            path: beside,
            reason: format!(
                "user {} cannot pass a directory above it (nor {}); use a --data directory such as \
                 /var/lib/dancu",
                users.server.name,
                home.display()
            ),
        });
    }
    tracing::warn!(
        data = %data.display(),
        cluster = %home.display(),
        "the database user cannot enter the data directory: the database is kept elsewhere"
    );
    layout.cluster = Some(home.clone());
    layout.save(data)?;
    Ok((home, users))
}

fn make_private_dir(dir: &Path, users: &Users) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::file("creating", dir))?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(Error::file("closing", dir))?;
    users.give(dir)
}

/// The socket's directory: in the cluster's home, or a short one in /tmp when the path would not fit a socket
/// address or would need quoting in PostgreSQL's list syntax.
fn make_socket_dir(home: &Path, users: &Users) -> Result<PathBuf, Error> {
    let beside = home.join("socket");
    let full = beside.join(SOCKET_FILE);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-+".contains(b);
    let name = full.as_os_str().as_encoded_bytes();
    if name.len() <= SOCKET_PATH_LIMIT && name.iter().all(plain) {
        make_private_dir(&beside, users)?;
        return Ok(beside);
    }
    let digest = Sha256::digest(home.as_os_str().as_encoded_bytes());
    let hex: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let short = Path::new("/tmp").join(format!("dancu-{hex}"));
    match DirBuilder::new().mode(0o700).create(&short) {
        Ok(()) => users.give(&short)?,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(Error::file("creating", &short)(e)),
    }
    // Anyone may write to /tmp: a directory that is not ours could hold an impostor's socket.
    let found = std::fs::symlink_metadata(&short).map_err(Error::file("opening", &short))?;
    if !found.is_dir() || found.uid() != users.server.uid || found.mode() & 0o077 != 0 {
        return Err(Error::Directory {
            path: short,
            reason: "it belongs to somebody else; remove it, or use a shorter --data path".to_owned(),
        });
    }
    Ok(short)
}

/// Makes the cluster in a directory that takes its name only when it is complete.
fn init(home: &Path, users: &Users) -> Result<(), Error> {
    let pgdata = home.join("pgdata");
    let partial = home.join("pgdata.partial");
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(Error::file("removing", &partial))?;
    }
    // A crash between the rename and dancu.json leaves a complete cluster.
    if pgdata.join("PG_VERSION").is_file() {
        return Ok(());
    }
    let binaries = Binaries::find(&pgdata, None)?;
    let initdb = |locale: &str| {
        let mut command = users.command(&binaries.program("initdb"));
        command.args(["-U", SUPERUSER, "-A", "peer", "-E", "UTF8", locale]);
        check("initdb", command.arg("-D").arg(&partial).output())
    };
    match initdb("--locale=C.UTF-8") {
        // macOS before 15 has no C.UTF-8.
        Err(Error::Program { output, .. }) if output.contains("invalid locale") => initdb("--locale=C")?,
        other => other?,
    }
    let hba =
        "# Written by dancu: no network, and the socket knows its peer.\nlocal all all peer map=dancu\n";
    write_file(&partial.join("pg_hba.conf"), hba, users)?;
    let conf = partial.join("postgresql.conf");
    let mut text = std::fs::read_to_string(&conf).map_err(Error::file("reading", &conf))?;
    text.push_str("\n# Settings of dancu, rewritten at each start; put your own below this line.\n");
    text.push_str("include 'dancu.conf'\n");
    write_file(&conf, &text, users)?;
    write_file(&partial.join("dancu.conf"), "", users)?;
    std::fs::rename(&partial, &pgdata).map_err(Error::file("naming", &pgdata))
}

/// A small server that also takes bulk loads: WAL is compressed and checkpoints are rare. The log gets no
/// statements, parameters or DETAIL lines, because those quote personal data.
fn settings(socket_dir: &Path, durability: Durability) -> String {
    let safe = if durability == Durability::Full { "on" } else { "off" };
    format!(
        "listen_addresses = ''\n\
         unix_socket_directories = '{}'\n\
         unix_socket_permissions = 0700\n\
         max_connections = 200\n\
         shared_buffers = 256MB\n\
         work_mem = 16MB\n\
         maintenance_work_mem = 256MB\n\
         random_page_cost = 1.1\n\
         jit = off\n\
         fsync = {safe}\n\
         full_page_writes = {safe}\n\
         synchronous_commit = {safe}\n\
         wal_compression = on\n\
         min_wal_size = 256MB\n\
         max_wal_size = 4GB\n\
         checkpoint_timeout = 15min\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         log_statement = none\n\
         log_min_error_statement = panic\n\
         log_error_verbosity = terse\n\
         log_parameter_max_length_on_error = 0\n",
        socket_dir.display()
    )
}

pub(super) fn made_by(pgdata: &Path) -> Result<u32, Error> {
    let file = pgdata.join("PG_VERSION");
    let text = std::fs::read_to_string(&file).map_err(Error::file("reading", &file))?;
    text.trim()
        .parse()
        .map_err(|_| Error::Directory { path: file, reason: "it is not a version number".to_owned() })
}

/// Replaces a file of the cluster, owned by the server's user. By renaming, so that a link planted there is
/// replaced and not followed.
fn write_file(path: &Path, text: &str, users: &Users) -> Result<(), Error> {
    let new = path.with_extension("new");
    if let Err(e) = std::fs::remove_file(&new)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Error::file("removing", &new)(e));
    }
    let mut file = File::create_new(&new).map_err(Error::file("creating", &new))?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(Error::file("closing", &new))?;
    file.write_all(text.as_bytes()).map_err(Error::file("writing", &new))?;
    file.sync_all().map_err(Error::file("writing", &new))?;
    users.give(&new)?;
    std::fs::rename(&new, path).map_err(Error::file("writing", path))
}

fn check(program: &str, output: std::io::Result<Output>) -> Result<(), Error> {
    let output = output.map_err(|e| Error::Program { program: program.to_owned(), output: e.to_string() })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if said.contains("No space left on device") {
        return Err(Error::DiskFull { context: program.to_owned() });
    }
    Err(Error::Program { program: program.to_owned(), output: said })
}

/// Why the embedded server of this data directory fell, in its own words, when its log ends with a reason:
/// for the reader of an [`Error::Disconnected`]. Lines about an earlier life of the server are no reason.
pub fn last_words(data: &Path) -> Option<String> {
    const ENOUGH: usize = 16 * 1024;
    let layout = Layout::load(data).ok()?;
    let home = layout.cluster.unwrap_or_else(|| data.join("postgres"));
    let bytes = std::fs::read(home.join("server.log")).ok()?;
    let end = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(ENOUGH)..]).into_owned();
    let life = end.rfind("listening on Unix socket").map_or(end.as_str(), |at| &end[at..]);
    let reason = |line: &&str| line.contains("No space left on device") || line.contains("PANIC:");
    life.lines().rfind(reason).map(str::to_owned)
}

/// What the server wrote to its log since `from`.
fn log_after(log: &Path, from: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    String::from_utf8_lossy(&bytes[from..]).trim().to_owned()
}
