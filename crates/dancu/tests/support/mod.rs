//! The program as its user runs it, in a data directory of its own.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A data directory of one test, with its server stopped and its files removed at the end.
pub struct Data(pub PathBuf);

impl Data {
    pub fn new(name: &str) -> Data {
        Data::at(std::env::temp_dir().join(format!("dancu-test-{name}-{}", std::process::id())))
    }

    pub fn at(folder: PathBuf) -> Data {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Data(folder)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dancu"));
        command.args(args).arg("--data").arg(&self.0).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The process id of the private database server, when there is one.
    pub fn server_pid(&self) -> Option<String> {
        let text = fs::read_to_string(self.0.join("postgres/pgdata/postmaster.pid")).ok()?;
        text.lines().next().map(str::to_owned)
    }

    pub fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Some(pid) = self.server_pid() {
            let _ = Command::new("kill").args(["-INT", &pid]).status();
            std::thread::sleep(Duration::from_millis(500));
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn demo(data: &Data, people: u32, seed: u64) -> Command {
    let (people, seed) = (people.to_string(), seed.to_string());
    let summary = data.summary();
    data.command(&[
        "demo",
        "--exit",
        "--people",
        &people,
        "--seed",
        &seed,
        "--summary",
        summary.to_str().unwrap(),
    ])
}

/// A campaign that nobody disturbed: what came of it, and how long it took. It runs once for all tests that
/// compare with it, of these people and this seed.
pub fn calm() -> &'static (Value, Duration) {
    static CALM: OnceLock<(Value, Duration)> = OnceLock::new();
    CALM.get_or_init(|| {
        let data = Data::new("calm");
        let begun = Instant::now();
        succeeded(&demo(&data, CALM_PEOPLE, CALM_SEED).output().unwrap());
        (outcome(&data.summary()), begun.elapsed())
    })
}

/// Of [`calm`].
pub const CALM_PEOPLE: u32 = 1_000;
pub const CALM_SEED: u64 = 29;

pub fn succeeded(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The summary without what tells of one run only.
pub fn outcome(path: &Path) -> Value {
    let mut summary: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    summary.as_object_mut().unwrap().remove("stages").unwrap();
    summary
}

/// That the command failed, and what it said.
pub fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it should have failed: {}", String::from_utf8_lossy(&output.stdout));
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// That the command ended with this code and said this, on either stream, without a panic.
pub fn ended(output: &Output, code: i32, said: &str) {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&both);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "`{said}` is missing in: {text}");
}
