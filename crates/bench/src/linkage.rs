//! `dancu bench linkage`: our engine and Splink on the same registers, back to back, and search in a resident
//! register.

mod measure;
mod score;
mod search;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use linkage::batch::Block;
use simulate::register::{Entry, Plan, generate};
use ui::say;

/// The version that is measured; another one may be given with `--splink`.
const SPLINK: &str = "splink==5.0.0";
const SPLINK_SCRIPT: &str = include_str!("../benches/splink_dedupe.py");

/// What `dancu bench linkage` is told.
#[derive(Debug, Args)]
pub struct Options {
    /// Numbers of records, one register each.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000,3000000")]
    records: Vec<usize>,
    #[arg(long, default_value_t = 2026)]
    seed: u64,
    /// A Python that has Splink; without it, one is installed below the data directory.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Measure our engine alone.
    #[arg(long)]
    without_splink: bool,
    /// Records of the register in which single searches are measured; 0 for none.
    #[arg(long, default_value_t = 3_000_000)]
    search: usize,
    /// Write `register-N.parquet` and `register-N.csv` with `truth-N.csv` into this directory, and measure
    /// nothing.
    #[arg(long)]
    only_write: Option<PathBuf>,
    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures our linkage and Splink on the same registers, and prints and writes the figures.
///
/// # Errors
///
/// When a register cannot be written, or a measured program fails.
pub fn run(data: &Path, options: &Options) -> Result<()> {
    if let Some(folder) = &options.only_write {
        return write_registers(folder, options);
    }
    let folder = data.join("bench-linkage");
    std::fs::create_dir_all(&folder)?;
    let python = if options.without_splink { None } else { Some(python(&folder, options)?) };
    let mut runs = Vec::new();
    for &records in &options.records {
        let register = folder.join(format!("register-{records}.parquet"));
        let people = write_register(&register, records, options.seed)?;
        let ours = measure_ours(&folder, &register, &people)?;
        print(records, "dancu", &ours);
        let splink = match &python {
            Some(python) => Some(measure_splink(&folder, &register, &people, python)?),
            None => None,
        };
        if let Some(splink) = &splink {
            print(records, "splink", splink);
        }
        runs.push(json!({ "records": people.len(), "dancu": ours, "splink": splink }));
        std::fs::remove_file(&register)?;
    }
    let search = if options.search > 0 { Some(search::measure(options.search, options.seed)?) } else { None };
    if let Some(search) = &search {
        say!("search: {search:#}");
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let report = json!({
        "benchmark": "linkage", "cores": cores, "seed": options.seed, "splink_version": SPLINK,
        "runs": runs, "search": search,
    });
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

fn print(records: usize, engine: &str, run: &Value) {
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let part = |name: &str| {
        let at = &run[name];
        let [f1, precision, recall] = ["f1", "precision", "recall"].map(|figure| number(&at[figure]));
        format!("{name}: F1 {f1:.4} (P {precision:.4}, R {recall:.4})")
    };
    say!(
        "{records:>9} {engine:<7} {:>7.2} s {:>7.2} s of processor {:>6.0} MB  {}  {}  clusters: F1 {:.4}",
        number(&run["wall_s"]),
        number(&run["cpu_s"]),
        number(&run["peak_mb"]),
        part("at_0.95"),
        part("best"),
        number(&run["cluster_f1"])
    );
}

fn measure_ours(folder: &Path, register: &Path, people: &[u64]) -> Result<Value> {
    let (pairs, clusters) = (folder.join("dancu-pairs.csv"), folder.join("dancu-clusters.csv"));
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["link", "dedupe"]).arg(register).arg("--out").arg(&pairs).arg("--clusters").arg(&clusters);
    let usage = measure::run(&mut command)?;
    score::score(&usage, &pairs, &clusters, people)
}

fn measure_splink(folder: &Path, register: &Path, people: &[u64], python: &Path) -> Result<Value> {
    let script = folder.join("splink_dedupe.py");
    std::fs::write(&script, SPLINK_SCRIPT)?;
    let (pairs, clusters) = (folder.join("splink-pairs.csv"), folder.join("splink-clusters.csv"));
    let mut command = Command::new(python);
    command.arg(&script).arg(register).arg(&pairs).arg(&clusters);
    let usage = measure::run(&mut command)?;
    score::score(&usage, &pairs, &clusters, people)
}

/// A Python with Splink, made once.
fn python(folder: &Path, options: &Options) -> Result<PathBuf> {
    if let Some(python) = &options.python {
        return Ok(python.clone());
    }
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    if !venv.join("splink-installed").exists() {
        for (what, command) in [
            ("python3 -m venv", Command::new("python3").args(["-m", "venv"]).arg(&venv)),
            ("pip install", Command::new(&python).args(["-m", "pip", "install", "--quiet", SPLINK])),
        ] {
            let status =
                command.status().with_context(|| format!("`{what}` cannot be run; install python3"))?;
            anyhow::ensure!(status.success(), "`{what}` failed; give a Python that has Splink with --python");
        }
        std::fs::write(venv.join("splink-installed"), SPLINK)?;
    }
    Ok(python)
}

fn write_registers(folder: &Path, options: &Options) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for &records in &options.records {
        let name = |kind: &str, extension: &str| folder.join(format!("{kind}-{records}.{extension}"));
        write_register(&name("register", "csv"), records, options.seed)?;
        let people = write_register(&name("register", "parquet"), records, options.seed)?;
        let mut truth = csv::Writer::from_path(name("truth", "csv"))?;
        truth.write_record(["rec_id", "person_id"])?;
        for (row, person) in people.iter().enumerate() {
            truth.write_record([rec_id(row), person.to_string()])?;
        }
        truth.flush()?;
    }
    Ok(())
}

/// Writes a register; gives the person of each row.
fn write_register(path: &Path, records: usize, seed: u64) -> Result<Vec<u64>> {
    let mut writer = recordfile::Writer::create(path)?;
    let mut people = Vec::with_capacity(records);
    let mut written = Ok(());
    generate(&Plan::new(records, seed), |part| {
        let block = block(&part, people.len());
        people.extend(part.iter().map(|entry| entry.person));
        if written.is_ok() {
            written = writer.write(&block);
        }
    });
    written?;
    writer.finish()?;
    Ok(people)
}

fn rec_id(row: usize) -> String {
    format!("R{row:08}")
}

fn row_of(rec_id: &str) -> Option<usize> {
    rec_id.strip_prefix('R')?.parse().ok()
}

fn sex(entry: &Entry) -> Option<linkage::Sex> {
    entry.sex.map(|sex| match sex {
        domain::Sex::Male => linkage::Sex::Male,
        domain::Sex::Female => linkage::Sex::Female,
    })
}

fn block(entries: &[Entry], first: usize) -> Block {
    let mut block = Block::default();
    for (at, entry) in entries.iter().enumerate() {
        block.rec_id.push(&rec_id(first + at));
        block.full_name.push(&entry.full_name);
        block.sex.push(sex(entry));
        block.birth.push((entry.birth_day, entry.birth_month, entry.birth_year));
        block.ethnicity.push(&format!("{:02}", entry.ethnicity));
        block.birth_province.push(&entry.birth_province);
        block.hometown.push(&entry.hometown);
        block.residence.push(&entry.residence);
        block.address_line.push(&entry.address_line);
        block.father_name.push(&entry.father_name);
        block.mother_name.push(&entry.mother_name);
    }
    block
}
