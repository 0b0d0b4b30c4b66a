//! What a child process takes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Time between two looks at the child's memory. The kernel keeps the peak, so that only what is added in the
/// last milliseconds of its life is missed.
const LOOK: Duration = Duration::from_millis(5);
/// Ticks per second in which Linux tells processor time (`sysconf(_SC_CLK_TCK)` is 100 wherever it runs).
const TICKS: f64 = 100.0;

pub(crate) struct Usage {
    pub wall_s: f64,
    pub cpu_s: f64,
    pub peak_mb: f64,
}

/// Runs a command to its end. Its messages go to our standard error.
pub fn run(command: &mut Command) -> Result<Usage> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (before, begun) = (children_cpu_s()?, Instant::now());
    let mut child =
        command.stdout(Stdio::null()).spawn().with_context(|| format!("`{name}` cannot be started"))?;
    let mut peak_kb = 0;
    let status = loop {
        peak_kb = peak_kb.max(peak_memory_kb(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let wall_s = begun.elapsed().as_secs_f64();
    anyhow::ensure!(status.success(), "`{name}` failed ({status}); its messages are above");
    Ok(Usage { wall_s, cpu_s: children_cpu_s()? - before, peak_mb: peak_kb as f64 / 1024.0 })
}

fn peak_memory_kb(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time of all children that have ended: fields 16 and 17 of `/proc/self/stat` (proc(5)).
fn children_cpu_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")
        .context("processor time is read from /proc: run on Linux")?;
    // The program's name, in parentheses, may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(13) + ticks(14)) / TICKS)
}
