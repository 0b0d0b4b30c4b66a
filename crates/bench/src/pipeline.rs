//! `dancu bench pipeline`: what the stages take, and how that grows.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use centre::Place;
use demo::{Demonstration, Until};
use domain::UnitCode;
use ui::say;

/// What `dancu bench pipeline` is told.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Code of the district (GSO list of 2021).
    #[arg(long, default_value = "445")]
    district: UnitCode,
    /// Numbers of people, one run each.
    #[arg(long, value_delimiter = ',', default_value = "2000,20000,200000")]
    people: Vec<u32>,
    #[arg(long, default_value_t = 2021)]
    seed: u64,
    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Runs a whole campaign for each number of people, each in a directory of its own below the data directory.
///
/// # Errors
///
/// When a directory exists already, or a campaign fails.
pub async fn run(place: &Place, options: &Options) -> Result<()> {
    let Options { district, people, seed, json: out } = options;
    std::fs::create_dir_all(&place.data)?;
    let mut runs = Vec::new();
    for &count in people {
        let folder = place.data.join(format!("bench-{count}"));
        anyhow::ensure!(!folder.exists(), "{} exists from another run; remove it first", folder.display());
        let sync_before_us = fdatasync_p50_us(&place.data)?;
        let part = Place { data: folder.clone(), database_url: place.database_url.clone() };
        let options = demo::Options {
            district: *district,
            people: count,
            seed: *seed,
            until: Until::End,
            leave_cards: false,
        };
        let begun = Instant::now();
        let Demonstration { summary, centre, server } = demo::simulate_district(&part, &options, 0).await?;
        let seconds = begun.elapsed().as_secs_f64();
        server.stop();
        centre.db.stop().await?;
        let sync_after_us = fdatasync_p50_us(&place.data)?;
        runs.push((count, seconds, summary, sync_before_us, sync_after_us));
        remove(&folder)?;
    }
    let report = report(&runs);
    print(&report);
    if let Some(path) = out {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

type Run = (u32, f64, demo::Summary, u64, u64);

/// Per stage: seconds and people/s at each size, and the exponent of growth between neighbouring sizes, which
/// is 1 for a cost in proportion to the people and a little more for n·log n.
fn report(runs: &[Run]) -> Value {
    let sizes: Vec<Value> = runs
        .iter()
        .map(|(count, seconds, summary, before, after)| {
            let stages: Vec<Value> = summary
                .stages
                .iter()
                .map(|stage| {
                    let rate = f64::from(*count) / stage.seconds.max(1e-9);
                    json!({
                        "name": stage.name, "seconds": stage.seconds, "people_per_second": rate.round(),
                        "program_cpu": stage.program_cpu, "database_cpu": stage.database_cpu,
                    })
                })
                .collect();
            json!({
                "people": count, "seconds": (seconds * 10.0).round() / 10.0, "stages": stages,
                "fdatasync_p50_us": { "before": before, "after": after },
                "duplicates": summary.duplicates, "ledger_holds": summary.ledger.holds,
            })
        })
        .collect();
    let mut growth = Vec::new();
    for pair in runs.windows(2) {
        let ((small, _, few, ..), (large, _, many, ..)) = (&pair[0], &pair[1]);
        let people = (f64::from(*large) / f64::from(*small)).ln();
        // What n·log n makes of these two sizes.
        let n_log_n = people + (f64::from(*large).ln() / f64::from(*small).ln()).ln();
        for stage in &many.stages {
            if let Some(before) = few.stages.iter().find(|s| s.name == stage.name)
                && before.seconds > 0.05
                && stage.seconds > 0.0
            {
                let exponent = (stage.seconds / before.seconds).ln() / people;
                growth.push(json!({
                    "stage": stage.name, "from": small, "to": large,
                    "exponent": (exponent * 100.0).round() / 100.0,
                    "n_log_n": ((n_log_n / people) * 100.0).round() / 100.0,
                }));
            }
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({ "benchmark": "pipeline", "cores": cores, "runs": sizes, "growth": growth })
}

fn print(report: &Value) {
    for run in report["runs"].as_array().into_iter().flatten() {
        say!(
            "\n{} people: {} s, fdatasync p50 {} µs before and {} µs after",
            run["people"],
            run["seconds"],
            run["fdatasync_p50_us"]["before"],
            run["fdatasync_p50_us"]["after"]
        );
        for stage in run["stages"].as_array().into_iter().flatten() {
            say!(
                "  {:<12} {:>9.1} s {:>10} people/s, processor {:>8.1} s, database {:>8.1} s",
                stage["name"].as_str().unwrap_or_default(),
                stage["seconds"].as_f64().unwrap_or_default(),
                stage["people_per_second"],
                stage["program_cpu"].as_f64().unwrap_or_default(),
                stage["database_cpu"].as_f64().unwrap_or_default()
            );
        }
    }
    say!("\ngrowth (1.00 is proportional)");
    for line in report["growth"].as_array().into_iter().flatten() {
        say!(
            "  {:<12} {:>7} to {:>7}: exponent {:>5}, n·log n would be {}",
            line["stage"].as_str().unwrap_or_default(),
            line["from"],
            line["to"],
            line["exponent"],
            line["n_log_n"]
        );
    }
}

/// Median time of an fdatasync of 8 KiB on the disk that holds `folder`, in microseconds: what a commit costs
/// at least.
pub(crate) fn fdatasync_p50_us(folder: &Path) -> Result<u64> {
    let path = folder.join("fdatasync.probe");
    let mut file: File = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
    let block = [0x5A; 8192];
    let mut took = Vec::new();
    for _ in 0..101 {
        file.write_all(&block)?;
        let begun = Instant::now();
        file.sync_data().with_context(|| format!("fdatasync failed on {}", path.display()))?;
        took.push(begun.elapsed().as_micros() as u64);
    }
    drop(file);
    std::fs::remove_file(&path)?;
    took.sort_unstable();
    Ok(took[took.len() / 2])
}

/// Removes a finished run's directory. A cluster whose home is elsewhere (see `store`) stays behind.
fn remove(folder: &Path) -> Result<()> {
    std::fs::remove_dir_all(folder).with_context(|| format!("{}", folder.display()))
}
