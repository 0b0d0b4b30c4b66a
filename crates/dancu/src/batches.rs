//! `dancu batch`: production batches, and the results that come back with them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::cli::{self, Operator};
use crate::output::{self, Ending, Form, Table};
use centre::{Installation, Place};
use issue::results::{self, Recorded};
use store::cards::batches::{self as rows, BatchLine};
use ui::{say, tell, terminal};

/// A row has some 60 bytes, and a batch fewer than ten thousand rows.
const MOST_FILE_BYTES: u64 = 2 * 1024 * 1024;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// The batches, the newest first: number, district, cards, what came of them.
    List {
        /// Only those whose results are not in.
        #[arg(long)]
        waiting: bool,
        /// At most so many.
        #[arg(long, default_value = "1000", value_parser = terminal::count)]
        limit: u32,
        #[command(flatten)]
        form: Form,
    },
    /// The cards of a batch with their results.
    Show {
        /// The batch's number.
        number: i64,
        #[command(flatten)]
        form: Form,
    },
    /// Record what the printer made of a batch. Nothing is written unless every card of the batch is named,
    /// once. Run again it answers as the first time.
    Results(ResultsOptions),
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ResultsOptions {
    /// The printer's file: card_number,outcome,reason,blank_serial, a card a line; the outcome is printed or
    /// spoiled, reason and serial number may be left out. `-` is standard input.
    #[arg(required_unless_present = "all_printed")]
    file: Option<PathBuf>,
    /// Instead of a file: every card of the batch came out good.
    #[arg(long, conflicts_with = "file", requires = "batch")]
    all_printed: bool,
    /// The batch's number; without it, the batch of the first card in the file.
    #[arg(long)]
    batch: Option<i64>,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

/// Results end with [`Ending::Good`] when they are recorded, with [`Ending::Bad`] when they do not fit.
pub(crate) async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    let centre = Installation::open(place).await?;
    match command {
        Command::List { waiting, limit, form } => list(&centre, *waiting, *limit, *form).await?,
        Command::Show { number, form } => show(&centre, *number, *form).await?,
        Command::Results(options) => return record(&centre, options).await,
    }
    Ok(Ending::Good.into())
}

async fn list(centre: &Installation, waiting: bool, limit: u32, form: Form) -> Result<()> {
    let mut conn = centre.db.read().await?;
    let batches = rows::list(&mut conn, waiting, limit.into()).await?;
    if batches.is_empty() && !form.json {
        say!("none       {}", if waiting { "no batch waits for results" } else { "no batch was made yet" });
        return Ok(());
    }
    let columns = &["batch", "unit", "cards", "state", "printed", "spoiled", "opened_at"];
    let mut table = Table::new("batches", columns);
    for batch in batches {
        table.push([
            batch.number.into(),
            batch.unit_code.clone().into(),
            batch.size.into(),
            state(&batch).into(),
            batch.printed.into(),
            batch.spoiled.into(),
            batch.opened_at.format(&Rfc3339)?.into(),
        ]);
    }
    table.print(form)
}

/// Where a batch stands.
fn state(batch: &BatchLine) -> &'static str {
    match batch {
        BatchLine { printed: Some(_), .. } => "done",
        BatchLine { unsigned: 1.., .. } => "unsigned",
        _ => "signed",
    }
}

async fn show(centre: &Installation, number: i64, form: Form) -> Result<()> {
    let mut conn = centre.db.read().await?;
    let batch = rows::by_number(&mut conn, number)
        .await?
        .with_context(|| format!("there is no batch {number}; `dancu batch list` names those there are"))?;
    let columns = &["position", "card_number", "card", "application", "state", "outcome", "reason", "blank"];
    let mut table = Table::new("cards", columns);
    for item in rows::results(&mut conn, batch.batch_id).await? {
        table.push([
            item.position.into(),
            item.number.into(),
            item.card_id.to_string().into(),
            item.application_id.to_string().into(),
            item.state.code().into(),
            item.outcome.into(),
            item.reason.into(),
            item.blank.into(),
        ]);
    }
    table.print(form)
}

async fn record(centre: &Installation, options: &ResultsOptions) -> Result<ExitCode> {
    let (by, now) = (options.operator.actor(centre).await?, centre.clock.now());
    let recorded = match (&options.file, options.batch) {
        (Some(file), batch) => {
            let Some(rows) = read(file, options.json)? else { return Ok(Ending::Bad.into()) };
            results::record_sheet(&centre.db, batch, &rows, &by, now).await?
        }
        (None, Some(batch)) => results::record_all_printed(&centre.db, batch, &by, now).await?,
        (None, None) => bail!("give a file of results, or --batch with --all-printed"),
    };
    match recorded {
        Recorded::Batch { batch, printed, spoiled, before } => {
            if options.json {
                output::print_json(&json!({
                    "batch": batch, "printed": printed, "spoiled": spoiled, "repeated": before,
                    "differences": [],
                }))?;
            } else {
                let word = if before { "unchanged" } else { "recorded" };
                say!("{word:<10} batch {batch}: {printed} printed, {spoiled} spoiled");
            }
            Ok(Ending::Good.into())
        }
        Recorded::Differs { batch, differences } => {
            if options.json {
                let told = differences.iter().map(|found| {
                    json!({
                        "line": found.line, "card_number": found.number, "code": found.code,
                        "what": found.what,
                    })
                });
                output::print_json(&json!({ "batch": batch, "differences": told.collect::<Vec<Value>>() }))?;
            } else {
                for found in &differences {
                    let place = found.line.map_or("left out".to_owned(), |line| format!("line {line}"));
                    say!("{place:<10} {}: {}", found.number, found.what);
                }
                say!("DIFFERS    batch {batch}: {} differences; nothing was recorded", differences.len());
            }
            Ok(Ending::Bad.into())
        }
    }
}

/// The rows of a results file; `None`, and every fault told, when some cannot be read.
fn read(file: &Path, json: bool) -> Result<Option<Vec<results::ResultRow>>> {
    let text = cli::text_of(file, MOST_FILE_BYTES)?;
    let faults = match results::parse(&text) {
        Ok(rows) => return Ok(Some(rows)),
        Err(faults) => faults,
    };
    if json {
        let told = faults.iter().map(|fault| json!({ "line": fault.line, "what": fault.what }));
        output::print_json(&json!({ "faults": told.collect::<Vec<Value>>() }))?;
    } else {
        for fault in &faults {
            tell!("dancu: {}, line {}: {}", file.display(), fault.line, fault.what);
        }
        tell!("dancu: {} lines cannot be read; nothing was recorded", faults.len());
    }
    Ok(None)
}
