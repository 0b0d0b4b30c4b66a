//! `dancu bench fingerprint`: how sure and how fast comparison and search are.

mod accuracy;
mod bozorth;
mod search;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use fingerprint::Template;
use ui::say;

/// One impression of a finger.
pub struct Print {
    /// Of which database and finger.
    pub finger: (u32, u32),
    pub template: Template,
}

/// What `dancu bench fingerprint` is told.
#[derive(Debug, Args)]
pub struct Options {
    /// A folder of real templates: `<extractor>/DB<n>/<finger>_<impression>.iso`. Without it synthetic prints
    /// alone are compared, and the benchmark says so.
    #[arg(long)]
    prints: Option<PathBuf>,
    /// Numbers of people for the exhaustive search with four fingers, each larger than the one before. A
    /// million take 3.6 to 4.8 GB and some two minutes of processor time to make.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000")]
    people: Vec<usize>,
    /// Numbers of people for the gallery with ten fingers. A million take 8.3 GB and at least eight minutes
    /// of processor time to make.
    #[arg(long, value_delimiter = ',', default_value = "20000,100000")]
    gallery: Vec<usize>,
    /// Searches for people who are enrolled, and as many for strangers, at each size.
    #[arg(long, default_value_t = 100)]
    searches: usize,
    #[arg(long, default_value_t = 2026)]
    seed: u64,
    /// The program built from `crates/bench/benches/bozorth3`, to compare the same pairs with NIST's bozorth3
    /// in the same run.
    #[arg(long)]
    bozorth3: Option<PathBuf>,
    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures how well and how fast fingerprints are compared and searched, and prints and writes the figures.
///
/// # Errors
///
/// When the folder of prints, another matcher or the file for the figures cannot be used.
pub fn run(options: &Options) -> Result<()> {
    let synthetic = accuracy::synthetic();
    let mut accuracy = vec![accuracy::measure("synthetic", &synthetic, options.bozorth3.as_deref())?];
    match &options.prints {
        Some(folder) => {
            for extractor in accuracy::extractors(folder)? {
                let prints = accuracy::real(&folder.join(&extractor))?;
                accuracy.push(accuracy::measure(&extractor, &prints, options.bozorth3.as_deref())?);
            }
        }
        None => say!(
            "only synthetic prints are compared; --prints names a folder of real ones: \
             <extractor>/DB<n>/<finger>_<impression>.iso"
        ),
    }
    let stages = search::stages();
    print(&stages);
    let mut searches = Vec::new();
    for &people in &options.gallery {
        searches.push(search::gallery(people, options.searches, options.seed)?);
        searches.iter().skip(searches.len() - 1).for_each(print);
    }
    for &people in &options.people {
        searches.push(search::exhaustive(people, options.searches, options.seed)?);
        searches.iter().skip(searches.len() - 1).for_each(print);
    }
    let growth = search::growth(&searches);
    growth.iter().for_each(print);
    let report = json!({
        "benchmark": "fingerprint", "accuracy": accuracy, "stages": stages, "searches": searches,
        "growth": growth,
    });
    if let Some(path) = &options.json {
        write(path, &report)?;
    }
    Ok(())
}

fn write(path: &Path, report: &Value) -> Result<()> {
    std::fs::write(path, serde_json::to_vec_pretty(report)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn print(value: &Value) {
    say!("{value:#}");
}

/// Processor time of this thread, so that a busy machine does not spoil the figures (Linux; elsewhere the
/// figures are zero).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
