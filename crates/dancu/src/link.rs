//! `dancu link`: which records of a file, or of two, are of one person?

mod model;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use rayon::prelude::*;

use linkage::batch::{Collector, Linker, Register, RowPair, Trained, clusters};
use ui::{say, tell};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Find the records of one file (CSV or Parquet) that are of one person.
    Dedupe {
        file: PathBuf,
        #[command(flatten)]
        options: Options,
        /// Write `rec_id,cluster_id` for every record: pairs from `--cluster-probability` on, without chains
        /// through records that contradict each other.
        #[arg(long)]
        clusters: Option<PathBuf>,
        #[arg(long, default_value_t = 0.5)]
        cluster_probability: f64,
    },
    /// Find the records of file A that are of the same person as a record of file B.
    Pairs {
        a: PathBuf,
        b: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// Show field by field why two records of a file weigh what they weigh.
    Explain {
        file: PathBuf,
        /// Their `rec_id`s.
        left: String,
        right: String,
        /// Parameters that an earlier run saved; without them they are learnt from the file.
        #[arg(long)]
        model: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to write `left_id,right_id,weight,probability`, likeliest first.
    #[arg(long)]
    out: PathBuf,
    /// Leave out pairs that are less likely.
    #[arg(long, default_value_t = 0.01)]
    min_probability: f64,
    /// Parameters: read from this file if it exists, else learnt from the records and saved there.
    #[arg(long)]
    model: Option<PathBuf>,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Dedupe { file, options, clusters: out, cluster_probability } => {
            check_probability(*cluster_probability)?;
            let cluster = |register: &Register, pairs: &[RowPair]| -> Result<()> {
                let Some(path) = out else { return Ok(()) };
                let first = clusters(register, pairs, *cluster_probability);
                write_whole(path, |out| write_clusters(out, register, &first))?;
                tell!("{} written", path.display());
                Ok(())
            };
            link(&[file], options, cluster)
        }
        Command::Pairs { a, b, options } => link(&[a, b], options, |_, _| Ok(())),
        Command::Explain { file, left, right, model } => explain(file, left, right, model.as_deref()),
    }
}

fn check_probability(probability: f64) -> Result<()> {
    anyhow::ensure!(
        (0.0..=1.0).contains(&probability),
        "{probability} is not a probability; give one from 0 to 1"
    );
    Ok(())
}

/// `cluster` makes of the pairs what else is asked for, while they are being written.
fn link(
    files: &[&PathBuf],
    options: &Options,
    cluster: impl FnOnce(&Register, &[RowPair]) -> Result<()> + Send,
) -> Result<()> {
    check_probability(options.min_probability)?;
    // Better now than after the work.
    let saved = options.model.as_deref().filter(|path| path.exists()).map(model::load).transpose()?;
    let begun = Instant::now();
    let lap = |what: String| tell!("{:>8.1} s  {what}", begun.elapsed().as_secs_f64());
    let register = read(files, &lap)?;
    let linker = Linker::new(&register);
    lap(format!("{} pairs to weigh", linker.candidates()));
    let trained = match saved {
        Some(trained) => trained,
        None => {
            let trained = linker.learn(&Trained::default());
            if let Some(path) = &options.model {
                write_whole(path, |out| model::save(out, &trained))?;
            }
            lap("parameters learnt".to_owned());
            trained
        }
    };
    let mut pairs = linker.pairs(&trained, options.min_probability);
    pairs.sort_by(|x, y| y.weight.total_cmp(&x.weight).then((x.left, x.right).cmp(&(y.left, y.right))));
    drop(linker);
    let (written, clustered) = rayon::join(
        || write_whole(&options.out, |out| write_pairs(out, &register, &pairs)),
        || cluster(&register, &pairs),
    );
    written.and(clustered)?;
    lap(format!("{} pairs in {}", pairs.len(), options.out.display()));
    Ok(())
}

/// Reads one file, or two of which only pairs between them count.
fn read(files: &[&PathBuf], lap: &impl Fn(String)) -> Result<Register> {
    /// Records between two lines of progress.
    const STEP: usize = 1_000_000;
    let mut collector = Collector::new();
    for (at, path) in files.iter().enumerate() {
        if at > 0 {
            collector.begin_second();
        }
        let (before, mut next) = (collector.len(), collector.len() + STEP);
        let faults = recordfile::read(path, |block| {
            collector.add(block);
            if collector.len() >= next {
                lap(format!("{} records", collector.len()));
                next += STEP;
            }
        })
        .with_context(|| format!("{}", path.display()))?;
        lap(format!("{} records in {}", collector.len() - before, path.display()));
        if let Some((row, column)) = faults.first {
            tell!(
                "{}: {} values could not be read and count as missing; the first is in row {row}, field \
                 `{column}`",
                path.display(),
                faults.count
            );
        }
    }
    Ok(collector.finish())
}

fn write_pairs(out: &mut impl Write, register: &Register, pairs: &[RowPair]) -> Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["left_id", "right_id", "weight", "probability"])?;
    for pair in pairs {
        let (weight, probability) = (format!("{:.4}", pair.weight), format!("{:.6}", pair.probability));
        out.write_record([register.id(pair.left), register.id(pair.right), &weight, &probability])?;
    }
    out.flush()?;
    Ok(())
}

fn write_clusters(out: &mut impl Write, register: &Register, first: &[u32]) -> Result<()> {
    /// Rows that are put down side by side, and how many of them are held at once.
    const ROWS: usize = 1 << 16;
    const PARTS: usize = 8;
    out.write_all(b"rec_id,cluster_id\n")?;
    for (at, some) in first.chunks(PARTS * ROWS).enumerate() {
        let parts: Vec<Result<Vec<u8>>> = some
            .par_chunks(ROWS)
            .enumerate()
            .map(|(part, first)| {
                let start = (at * PARTS + part) * ROWS;
                let mut lines = csv::Writer::from_writer(Vec::with_capacity(32 * ROWS));
                for (row, &first) in (start as u32..).zip(first) {
                    lines.write_record([register.id(row), register.id(first)])?;
                }
                Ok(lines.into_inner()?)
            })
            .collect();
        for part in parts {
            out.write_all(&part?)?;
        }
    }
    Ok(())
}

/// The file appears whole or not at all.
fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let written = || -> Result<()> {
        let mut out = BufWriter::new(File::create(&part)?);
        write(&mut out)?;
        out.into_inner()?.sync_data()?;
        std::fs::rename(&part, path)?;
        Ok(())
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

fn explain(file: &PathBuf, left: &str, right: &str, saved: Option<&Path>) -> Result<()> {
    let begun = Instant::now();
    let register = read(&[file], &|what| tell!("{:>8.1} s  {what}", begun.elapsed().as_secs_f64()))?;
    let trained = match saved {
        Some(path) => model::load(path)?,
        None => Linker::new(&register).learn(&Trained::default()),
    };
    let row = |id: &str| {
        register.rows_of(id).first().copied().with_context(|| format!("no record has the rec_id `{id}`"))
    };
    let explained = register.explain(&trained, row(left)?, row(right)?);
    let mut sum = 0.0;
    say!("{:<16}{:<28}{:>8}{:>10}", "field", "level", "bits", "sum");
    for step in &explained.fields {
        sum += step.weight;
        say!("{:<16}{:<28}{:>+8.2}{:>+10.2}", step.field.code(), step.level, step.weight, sum);
    }
    say!("probability of being one person: {:.6}", explained.probability);
    Ok(())
}
