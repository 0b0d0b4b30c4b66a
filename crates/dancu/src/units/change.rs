//! `dancu unit apply`: a new list of units takes the place of the old one.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use time::Date;

use crate::cli::{self, Operator};
use crate::output::{self, Ending, Form, Table};
use centre::Installation;
use domain::unit::{UnitLevel, Units};
use register::units::{self, BATCH, Change, Preview};
use store::UnitScope;
use store::register::rearranged::waiting;
use ui::{say, tell, terminal};

/// A map of the whole country is half a megabyte.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The map: which old unit goes where. Without it, the one that the program has for this day.
    map: Option<PathBuf>,
    /// The day from which the new list holds (yyyy-mm-dd).
    #[arg(long, value_name = "DAY", value_parser = cli::date)]
    effective: Date,
    /// Change nothing: tell how many people go where, which units are divided, and who must be asked.
    #[arg(long)]
    check: bool,
    /// Only the people of this province, by its code or name in the old list. Every province has its turn
    /// before the installation works by the new list.
    #[arg(long, value_name = "PROVINCE")]
    under: Option<String>,
    /// People of one transaction at most.
    #[arg(long, value_name = "PEOPLE", default_value_t = BATCH, value_parser = terminal::count)]
    batch: u32,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(centre: &Installation, options: &Options) -> Result<ExitCode> {
    let change = match &options.map {
        Some(path) => {
            let text = cli::text_of(path, MOST_BYTES)?;
            Change::read(options.effective, &text)
        }
        None => Change::shipped(options.effective),
    };
    let change = match change {
        Err(units::Error::Map(faults)) => {
            for fault in &faults {
                tell!("{fault}");
            }
            bail!("the map has {} faults, and nothing was changed", faults.len());
        }
        other => other?,
    };
    let scope = match &options.under {
        None => UnitScope::everything(),
        Some(name) => {
            let province = change.before.named(name, Some(UnitLevel::Province))?;
            UnitScope::parse(&change.before.path(province).context("a province has a path")?)?
        }
    };
    if options.check {
        check(centre, &change, &scope, options.form).await
    } else {
        apply(centre, &change, &scope, options).await
    }
}

async fn check(centre: &Installation, change: &Change, scope: &UnitScope, form: Form) -> Result<ExitCode> {
    let found = units::preview(&centre.db, change, scope).await?;
    let mut table = Table::new("divided", &["code", "name", "people", "by_hamlet", "ask", "parts"]);
    for unit in found.units.iter().filter(|unit| unit.is_divided()) {
        let parts: Vec<String> = unit.successors.iter().map(|code| change.after.told(*code)).collect();
        table.push([
            unit.code.to_string().into(),
            change.before.full_name(unit.code).unwrap_or_default().into(),
            unit.people.into(),
            unit.by_hamlet.into(),
            unit.ask.into(),
            parts.join("; ").into(),
        ]);
    }
    if form.json {
        let mut document = table.as_json();
        for (name, value) in totals(change, &found) {
            document[name] = value;
        }
        output::print_json(&document)?;
    } else {
        say!("change     {} by {}", change.effective_on, decree(change));
        say!("people     {} in {} old units", found.people(), found.units.len());
        say!("whole      {} units go whole", found.units.len() - found.divided());
        say!("divided    {} units; {} people by their hamlet", found.divided(), found.by_hamlet());
        say!("ask        {} people must be asked", found.ask());
        for one in &found.campaigns {
            say!("campaign   {} from {} is under way; close it first", one.unit_code, one.starts_on);
        }
        if found.divided() > 0 {
            table.print(form)?;
        }
    }
    let is_open = found.ask() > 0 || !found.campaigns.is_empty();
    Ok(if is_open { Ending::Open } else { Ending::Good }.into())
}

fn decree(change: &Change) -> &str {
    if change.decree.is_empty() { "a decree that the program does not know" } else { &change.decree }
}

fn totals(change: &Change, found: &Preview) -> [(&'static str, Value); 8] {
    let campaigns = found.campaigns.iter().map(|one| one.unit_code.as_str()).collect::<Vec<_>>();
    [
        ("effective_on", change.effective_on.to_string().into()),
        ("decree", change.decree.as_str().into()),
        ("people", found.people().into()),
        ("units", found.units.len().into()),
        ("units_divided", found.divided().into()),
        ("by_hamlet", found.by_hamlet().into()),
        ("ask", found.ask().into()),
        ("campaigns", json!(campaigns)),
    ]
}

async fn apply(
    centre: &Installation,
    change: &Change,
    scope: &UnitScope,
    options: &Options,
) -> Result<ExitCode> {
    let by = options.operator.actor(centre).await?;
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let asked = std::sync::Arc::clone(&stop);
    let listening = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            asked.store(true, Ordering::Relaxed);
        }
    });
    let (begun, mut last) = (Instant::now(), None);
    let told = |progress: &units::Progress| {
        // A line a unit, and not a line a batch.
        if !options.form.json && last != Some(progress.unit) && progress.units_done.is_multiple_of(20) {
            last = Some(progress.unit);
            tell!("{} of {} units, {} people", progress.units_done, progress.units, progress.moved);
        }
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    // When the centre learned of it is real time, whatever campaign was simulated here.
    let now = centre.clock.now();
    let done = units::apply(&centre.db, change, scope, &by, now, options.batch, told).await?;
    listening.abort();
    let seconds = begun.elapsed().as_secs_f64();
    // Those of earlier runs wait too.
    let mut conn = centre.db.read().await?;
    let waiting: i64 = waiting::counts(&mut conn).await?.iter().map(|(_, people)| people).sum();
    drop(conn);
    if options.form.json {
        output::print_json(&json!({
            "effective_on": change.effective_on.to_string(), "moved": done.moved, "waiting": waiting,
            "units": done.units, "units_left": done.units_left, "finished": done.finished,
            "accounts": done.things.accounts, "kits": done.things.kits,
            "applications": done.things.applications, "cases": done.things.cases,
            "boxes": done.things.boxes, "seconds": seconds,
        }))?;
    } else {
        say!("moved      {} people from {} units in {seconds:.1} s", done.moved, done.units);
        say!("asked      {waiting} questions wait for an answer; see `dancu unit waiting`");
        say!(
            "with them  {} accounts, {} kits, {} applications, {} cases, {} boxes",
            done.things.accounts,
            done.things.kits,
            done.things.applications,
            done.things.cases,
            done.things.boxes
        );
        if done.units_left > 0 {
            say!("left       {} units; run the command again, it goes on", done.units_left);
        } else if done.finished {
            let adopted = Units::latest().day() >= change.effective_on;
            say!("finished   this installation works by the new list{}", restart(adopted));
        } else {
            say!("left       other provinces have people in old units; apply the change to them");
        }
    }
    let is_whole = done.units_left == 0 && waiting == 0;
    Ok(if is_whole { Ending::Good } else { Ending::Open }.into())
}

const fn restart(adopted: bool) -> &'static str {
    if adopted { "" } else { "; start `dancu serve` and `dancu work` again" }
}
