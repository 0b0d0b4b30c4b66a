//! The row "nothing" of the list of attacks: the embedded database server dies at night, and nobody is there
//! who would type a command.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::keyholder::Running;
use crate::support::{Data, succeeded};

/// How long it is waited for what should come by itself.
const PATIENCE: Duration = Duration::from_secs(90);
/// Several looks of whoever watches the server.
const SEVERAL_LOOKS: Duration = Duration::from_secs(9);

fn installed(name: &str) -> Data {
    let data = Data::new(name);
    succeeded(&data.run(&["migrate"]));
    succeeded(&data.run(&["keys", "init"]));
    data
}

fn signal(how: &str, pid: &str) {
    assert!(Command::new("kill").args([how, pid]).status().unwrap().success());
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it was waited for in vain: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn is_ready(serving: &Running) -> bool {
    let base = serving.words("open")[1].trim_end_matches('/').to_owned();
    ureq::get(format!("{base}/readyz")).call().is_ok()
}

/// Kills the server and waits until another one is there.
fn another_server_comes(data: &Data) {
    let dead = data.server_pid().unwrap();
    signal("-KILL", &dead);
    until("another server", || data.server_pid().is_some_and(|pid| pid != dead));
}

#[test]
fn a_killed_database_is_started_again_by_whoever_serves_the_pages() {
    let data = installed("died-serve");
    let serving = Running::until(&data, &["serve", "--port", "0"], "open");
    assert!(is_ready(&serving));
    for _ in 0..2 {
        another_server_comes(&data);
        until("the pages", || is_ready(&serving));
    }
}

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_killed_database_is_started_again_by_whoever_works_or_holds_the_keys() {
    let data = installed("died-work");
    for args in [&["work"][..], &["keyholder"]] {
        let mut command = data.command(args);
        let mut worker = Worker(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let socket = data.0.join("run/keyholder.sock");
        until("the worker", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        another_server_comes(&data);
        assert!(worker.0.try_wait().unwrap().is_none(), "{args:?} ended with its database");
    }
}

#[test]
fn a_database_that_somebody_stopped_in_order_stays_stopped() {
    let data = installed("died-stopped");
    let serving = Running::until(&data, &["serve", "--port", "0"], "open");
    signal("-INT", &data.server_pid().unwrap());
    until("the end of the server", || data.server_pid().is_none());
    std::thread::sleep(SEVERAL_LOOKS);
    assert_eq!(data.server_pid(), None);
    assert!(!is_ready(&serving));
}
