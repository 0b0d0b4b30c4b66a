//! `dancu import`: files of population forms into the register.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use time::Date;

use centre::{Centre, Place};
use collect::ImportOptions;
use domain::Clock;
use domain::clock::SystemClock;

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// CSV or QCVN 109:2017 XML; a rejects file that was corrected is a CSV like any other.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the annotated rejects are written; beside each file when it is not given.
    #[arg(long)]
    rejects: Option<PathBuf>,
    /// The day by which units and births are judged (yyyy-mm-dd); today when it is not given.
    #[arg(long, value_parser = crate::cli::date)]
    collected_on: Option<Date>,
    /// Only read and judge the files: no database is opened and nothing is written.
    #[arg(long)]
    check: bool,
}

/// Exit code 0 when every row of every file is in the register, 2 when some were rejected.
pub async fn run(place: &Place, options: &Options) -> Result<ExitCode> {
    if options.check {
        return check(options);
    }
    let centre = Centre::open(place).await?;
    collect::load_units(&centre.db).await?;
    let mut all_accepted = true;
    for file in &options.files {
        let beside = file.parent().map(PathBuf::from).unwrap_or_default();
        let mut import = ImportOptions::new(options.rejects.clone().unwrap_or(beside));
        import.collected_on = options.collected_on;
        let begun = Instant::now();
        let shows = std::io::stderr().is_terminal();
        let mut show = |progress: &collect::Progress| {
            if shows {
                let rate = progress.done.rows_read as f64 / begun.elapsed().as_secs_f64().max(1e-3);
                eprint!("\r{}: {} rows, {:.0} rows/s   ", file.display(), progress.done.rows_read, rate);
                let _ = std::io::stderr().flush();
            }
            ControlFlow::Continue(())
        };
        let summary = collect::import(&centre.db, file, &import, centre.clock.as_ref(), &mut show)
            .await
            .map_err(|error| about(file, error))?;
        if shows {
            eprintln!();
        }
        let counts = summary.counts;
        let seconds = begun.elapsed().as_secs_f64().max(1e-3);
        let read_now = counts.rows_read - summary.resumed_after_row.min(counts.rows_read);
        println!(
            "{}: {} read, {} accepted, {} repeated, {} rejected; {:.0} rows/s{}",
            file.display(),
            counts.rows_read,
            counts.rows_accepted,
            counts.rows_repeated,
            counts.rows_rejected,
            read_now as f64 / seconds,
            if summary.already_done { " (imported before; nothing was done)" } else { "" }
        );
        if let Some(rejects) = &summary.rejects_file {
            println!("  rejects with their errors: {}", rejects.display());
            println!("  correct them and run: dancu import {}", rejects.display());
        }
        all_accepted &= counts.rows_rejected == 0;
    }
    Ok(if all_accepted { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Says which file it was, unless the error does.
fn about(file: &Path, error: collect::Error) -> anyhow::Error {
    match error {
        collect::Error::File { .. } | collect::Error::Changed { .. } => error.into(),
        other => anyhow::Error::from(other).context(file.display().to_string()),
    }
}

/// What each file is worth by itself. Exit codes as those of an import.
fn check(options: &Options) -> Result<ExitCode> {
    let day = options.collected_on.unwrap_or_else(|| SystemClock.today());
    let mut all_sound = true;
    for file in &options.files {
        let check = collect::check_file(file, day).map_err(|error| about(file, error))?;
        println!(
            "{}: {} read, {} sound, {} faulty",
            file.display(),
            check.rows,
            check.sound,
            check.rows - check.sound
        );
        for (code, count) in &check.faults {
            println!("  {count:>7} {}", code.as_str());
        }
        for (row, fault) in &check.first {
            println!("  row {row}: {fault}");
        }
        let told = check.first.len() as u64;
        let all: u64 = check.faults.values().sum();
        if all > told {
            println!("  and {} more; an import writes all of them to a rejects file", all - told);
        }
        all_sound &= check.rows == check.sound;
    }
    Ok(if all_sound { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
