//! `dancu import`: files of population forms into the register.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};
use time::Date;

use crate::output::{self, Ending};
use centre::{Installation, Place};
use collect::ImportOptions;
use domain::Clock;
use domain::clock::SystemClock;
use ui::{say, tell};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
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
    /// Print what became of each file as one JSON document.
    #[arg(long)]
    json: bool,
}

/// [`Ending::Good`] when every row of every file is in the register, [`Ending::Open`] when some were
/// rejected.
pub async fn run(place: &Place, options: &Options) -> Result<ExitCode> {
    if options.check {
        return check(options);
    }
    let centre = Installation::open(place).await?;
    collect::load_units(&centre.db).await?;
    let mut all_accepted = true;
    let mut told: Vec<Value> = Vec::new();
    for file in &options.files {
        let beside = file.parent().map(PathBuf::from).unwrap_or_default();
        let mut import = ImportOptions::new(options.rejects.clone().unwrap_or(beside));
        import.collected_on = options.collected_on;
        let begun = Instant::now();
        let shows = std::io::stderr().is_terminal();
        let mut show = |progress: &collect::Progress| {
            if shows {
                let rate = progress.done.rows_read as f64 / begun.elapsed().as_secs_f64().max(1e-3);
                // A terminal that went away is no reason to stop the import.
                let mut terminal = std::io::stderr();
                let rows = progress.done.rows_read;
                let _ = write!(terminal, "\r{}: {rows} rows, {rate:.0} rows/s   ", file.display());
                let _ = terminal.flush();
            }
            ControlFlow::Continue(())
        };
        let summary = collect::import(&centre.db, file, &import, centre.clock.as_ref(), &mut show)
            .await
            .map_err(|error| about(file, error))?;
        if shows {
            tell!("");
        }
        let counts = summary.counts;
        let seconds = begun.elapsed().as_secs_f64().max(1e-3);
        let read_now = counts.rows_read - summary.resumed_after_row.min(counts.rows_read);
        all_accepted &= counts.rows_rejected == 0;
        if options.json {
            told.push(json!({
                "file": file.display().to_string(),
                "read": counts.rows_read,
                "accepted": counts.rows_accepted,
                "repeated": counts.rows_repeated,
                "rejected": counts.rows_rejected,
                "imported_before": summary.already_done,
                "rejects_file": summary.rejects_file.as_ref().map(|path| path.display().to_string()),
            }));
            continue;
        }
        say!(
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
            say!("  rejects with their errors: {}", rejects.display());
            say!("  correct them and run: dancu import {}", rejects.display());
        }
    }
    if options.json {
        output::print_json(&json!({ "files": told }))?;
    }
    Ok(if all_accepted { Ending::Good } else { Ending::Open }.into())
}

/// Says which file it was, unless the error does.
fn about(file: &Path, error: collect::Error) -> anyhow::Error {
    match error {
        collect::Error::File { .. } | collect::Error::Changed { .. } => error.into(),
        other => anyhow::Error::from(other).context(file.display().to_string()),
    }
}

/// What each file is worth by itself. Ends as an import does.
fn check(options: &Options) -> Result<ExitCode> {
    let day = options.collected_on.unwrap_or_else(|| SystemClock.today());
    let mut all_sound = true;
    let mut told: Vec<Value> = Vec::new();
    for file in &options.files {
        let check = collect::check_file(file, day).map_err(|error| about(file, error))?;
        all_sound &= check.rows == check.sound;
        if options.json {
            let faults: serde_json::Map<String, Value> =
                check.faults.iter().map(|(code, count)| (code.as_str().to_owned(), json!(count))).collect();
            told.push(json!({
                "file": file.display().to_string(),
                "read": check.rows,
                "sound": check.sound,
                "faulty": check.rows - check.sound,
                "faults": faults,
            }));
            continue;
        }
        say!(
            "{}: {} read, {} sound, {} faulty",
            file.display(),
            check.rows,
            check.sound,
            check.rows - check.sound
        );
        for (code, count) in &check.faults {
            say!("  {count:>7} {}", code.as_str());
        }
        for (row, fault) in &check.first {
            say!("  row {row}: {fault}");
        }
        let shown = check.first.len() as u64;
        let all: u64 = check.faults.values().sum();
        if all > shown {
            say!("  and {} more; an import writes all of them to a rejects file", all - shown);
        }
    }
    if options.json {
        output::print_json(&json!({ "files": told }))?;
    }
    Ok(if all_sound { Ending::Good } else { Ending::Open }.into())
}
