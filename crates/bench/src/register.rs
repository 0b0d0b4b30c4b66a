//! `dancu bench register`: a province's register is read in, changed, asked and looked over; the import
//! beside a bare COPY of the same file by PostgreSQL's own client.

mod asked;
mod events;
mod loading;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Date, OffsetDateTime};

use crate::pipeline::fdatasync_p50_us;
use centre::{Installation, Place};
use domain::UnitCode;
use domain::id::PersonId;
use domain::unit::Units;
use loading::Loaded;
use store::{Database, UnitScope};
use ui::{say, terminal};

/// The register's present.
const NOW: OffsetDateTime = datetime!(2021-04-20 09:30 +7);
const TODAY: Date = NOW.date();

/// What `dancu bench register` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// People in the register.
    #[arg(long, default_value = "3000000", value_parser = terminal::count)]
    people: u32,
    /// Events that are recorded in it.
    #[arg(long, default_value = "20000", value_parser = terminal::count)]
    events: u32,
    /// Questions of each kind.
    #[arg(long, default_value = "500", value_parser = terminal::count)]
    questions: u32,
    /// Code of the province (GSO list of 2021).
    #[arg(long, default_value = "38")]
    province: UnitCode,
    #[arg(long, default_value_t = 2021)]
    seed: u64,
    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Somebody of the register, as questions ask for people.
#[derive(Clone)]
struct Resident {
    id: PersonId,
    pin: Option<String>,
    /// In capitals without marks.
    name_fold: String,
}

/// Measures the register, and prints and writes the figures.
///
/// # Errors
/// When the database cannot be made, a form or an event is refused, or the figures cannot be written.
pub async fn run(place: &Place, options: &Options) -> Result<()> {
    ensure!(
        options.people > 0 && options.events > 0 && options.questions > 0,
        "there must be somebody, and something to record and to ask"
    );
    ensure!(
        place.database_url.is_none(),
        "the register is measured on a database of its own: leave DATABASE_URL out"
    );
    fs::create_dir_all(&place.data)?;
    let folder = place.data.join("bench-register");
    ensure!(!folder.exists(), "{} exists from another run; remove it first", folder.display());
    let of_its_own = Place { data: folder.join("centre"), database_url: None };
    let installation = Installation::make(&of_its_own).await?;
    let outcome = measure(&installation.db, &folder, options).await;
    installation.db.stop().await?;
    let report = outcome?;
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{}", path.display()))?;
    }
    fs::remove_dir_all(&folder).with_context(|| format!("{}", folder.display()))
}

async fn measure(db: &Database, folder: &Path, options: &Options) -> Result<Value> {
    let synced = fdatasync_p50_us(folder)?;
    let path = Units::latest().path(options.province).context("the list has no such province")?;
    let scope = UnitScope::parse(&path)?;
    let (file, residents) = loading::written(folder, options).await?;
    let Loaded { rows, bare, import, peak_mib } = loading::load(db, folder, &file).await?;
    let [bare_rate, import_rate] = [bare, import].map(|took| rows as f64 / took.as_secs_f64());
    say!("import     {import_rate:.0} people a second, a bare COPY {bare_rate:.0}, {peak_mib} MiB at most");
    let recorded = events::record(db, &scope, &residents, options.events).await?;
    say!("events     {:.0} a second", f64::from(options.events) / recorded.took.as_secs_f64());
    let asked = asked::ask(db, &scope, &residents, &recorded.people, options.questions as usize).await?;
    for (what, took) in &asked {
        say!(
            "{what:<10} {:.2} ms in the median, {:.2} ms at the 99th percentile",
            ms(took, 0.5),
            ms(took, 0.99)
        );
    }
    let begun = Instant::now();
    let looked = register::quality::look_over(db, &scope, TODAY, false, |_, _| ()).await?;
    let quality = begun.elapsed();
    say!(
        "quality    {} people in {:.1} s, {} findings",
        looked.people,
        quality.as_secs_f64(),
        looked.findings
    );
    let mut report = json!({
        "benchmark": "register", "people": rows, "events": options.events, "questions": options.questions,
        "import_per_second": import_rate.round(), "copy_per_second": bare_rate.round(),
        "import_ratio": hundredths(import_rate / bare_rate), "import_peak_mb": peak_mib,
        "events_per_second": (f64::from(options.events) / recorded.took.as_secs_f64()).round(),
        "quality_seconds": hundredths(quality.as_secs_f64()), "quality_findings": looked.findings,
        "fdatasync_p50_us": synced,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
    });
    for (what, took) in &asked {
        report[format!("{what}_p50_ms")] = json!(hundredths(ms(took, 0.5)));
        report[format!("{what}_p99_ms")] = json!(hundredths(ms(took, 0.99)));
    }
    Ok(report)
}

/// Of times in ascending order.
fn ms(took: &[Duration], share: f64) -> f64 {
    took[((took.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1_000.0
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
