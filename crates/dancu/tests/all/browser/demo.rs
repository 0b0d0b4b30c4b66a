//! The real program as a child process, with a campaign of its own.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{signal, stop};

/// A thousand people take half a minute on two free cores; this is for a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(900);

/// An account that the demo printed.
#[derive(Debug, Clone)]
pub struct Account {
    pub login: String,
    pub password: String,
    /// Code of the role.
    pub role: String,
    /// "Thị trấn …, Huyện …, Tỉnh …".
    pub unit: String,
}

/// A running `dancu demo`. Ends with the value, together with its PostgreSQL server and its files.
pub struct Demo {
    child: Child,
    data: TempDir,
    /// Without a slash at the end.
    pub base: String,
    pub accounts: Vec<Account>,
    /// Receipt codes, each with the code of the state in which its application is.
    pub receipts: Vec<(String, String)>,
}

impl Demo {
    /// Runs the campaign with these options and waits until the pages are served.
    pub fn start(options: &[&str]) -> Demo {
        // Root's PostgreSQL server runs as another user, who must be able to pass through.
        let data = tempfile::Builder::new()
            .prefix("dancu-browser-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a scratch directory can be made");
        let mut child = Command::new(env!("CARGO_BIN_EXE_dancu"))
            .arg("demo")
            .args(options)
            .args(["--port", "0", "--data"])
            .arg(data.path().join("data"))
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo has built the program");
        let out = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut demo = Demo { child, data, base: String::new(), accounts: Vec::new(), receipts: Vec::new() };
        let start = Instant::now();
        loop {
            let line = lines
                .recv_timeout(PATIENCE.saturating_sub(start.elapsed()))
                .expect("the demo serves its pages in time; what it said last is above");
            let (key, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match key {
                "open" => demo.base = rest.trim().trim_end_matches('/').to_owned(),
                "receipt" => {
                    let (code, state) =
                        rest.trim().split_once(' ').expect("a receipt has a code and a state");
                    demo.receipts.push((code.to_owned(), state.trim().to_owned()));
                }
                "sign" => demo.accounts.extend(account(&line)),
                "stop" => return demo,
                _ => println!("{line}"),
            }
        }
    }

    /// A place of its own beside the demonstration's data.
    pub fn place(&self, name: &str) -> String {
        self.data.path().join(name).display().to_string()
    }

    /// Another command on the demonstration's data, while it serves. What it prints.
    pub fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dancu"));
        command.args(args).arg("--data").arg(self.data.path().join("data")).env_remove("DATABASE_URL");
        let output = command.output().expect("cargo has built the program");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Sets packets aside, as the intake does with those that it cannot open and those of a revoked kit: in a
    /// campaign of honest kits the pages of supervision would have nothing to show.
    pub fn set_packets_aside(&self) {
        let sql = "UPDATE packet p SET quarantined_at = now(), quarantined = \
                       CASE n WHEN 1 THEN 'not_opened' ELSE 'kit_revoked' END \
                   FROM (SELECT packet_id, row_number() OVER (ORDER BY received_at, packet_id) AS n \
                         FROM packet) numbered \
                   WHERE p.packet_id = numbered.packet_id AND n <= 3";
        let data_dir = self.data.path().join("data");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        runtime.block_on(async {
            let options = store::OpenOptions { data_dir, database_url: None };
            let db = store::Database::open(&options).await.expect("the demonstration's server answers");
            let cluster = db.cluster().expect("the server is the demonstration's own");
            let admin = testkit::administrator(cluster.connect_options("dancu"));
            sqlx::query(sql).execute(&admin).await.expect("the administrator may do it");
            db.close().await;
        });
    }

    pub fn account(&self, login: &str) -> &Account {
        let found = self.accounts.iter().find(|account| account.login == login);
        found.unwrap_or_else(|| panic!("the demo prints an account {login}"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        stop(&mut self.child, Duration::from_secs(90));
        // A demo that was stopped in the middle of its campaign leaves its server behind.
        let pid_file = self.data.path().join("data/postgres/pgdata/postmaster.pid");
        let pid = || std::fs::read_to_string(&pid_file).ok()?.lines().next()?.trim().parse().ok();
        if let Some(pid) = pid() {
            signal(pid, "INT");
            let start = Instant::now();
            while pid_file.exists() && start.elapsed() < Duration::from_secs(30) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// `sign in    LOGIN  PASSWORD  ROLE (UNIT)`
fn account(line: &str) -> Option<Account> {
    let (words, unit) = line.strip_prefix("sign in")?.split_once('(')?;
    let mut words = words.split_whitespace().map(str::to_owned);
    Some(Account {
        login: words.next()?,
        password: words.next()?,
        role: words.next()?,
        unit: unit.trim_end().strip_suffix(')')?.to_owned(),
    })
}
