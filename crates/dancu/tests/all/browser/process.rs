//! Child processes that end with the test, also when it fails.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Asks the process to end (SIGTERM) and waits; ends it by force when the patience is over.
pub fn stop(child: &mut Child, patience: Duration) {
    signal(child.id(), "TERM");
    let start = Instant::now();
    while start.elapsed() < patience {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // Both fail only if it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Sends a signal by its name. Says whether there was such a process.
pub fn signal(pid: u32, name: &str) -> bool {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).output();
    sent.is_ok_and(|output| output.status.success())
}
