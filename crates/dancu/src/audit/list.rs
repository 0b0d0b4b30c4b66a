//! `dancu audit list` and `anomalies`: what is in the trail, for whoever supervises.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use time::{Date, Duration, Time};

use super::when;
use crate::cli::{self, Operator};
use crate::output::{Ending, Form, Table};
use centre::Installation;
use domain::Clock;
use domain::clock::{SystemClock, VIETNAM};
use store::UnitScope;
use store::trail::{self, Question, Reader, Turn};
use ui::{tell, terminal};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ListOptions {
    /// On what: `person:ID`, `application:ID`, `card:ID`, `account:ID`; an ID alone is all of them.
    #[arg(long)]
    subject: Option<String>,
    /// By whom: a login, or an actor as it stands in the trail, such as `centre` or `kit:ID`.
    #[arg(long)]
    actor: Option<String>,
    /// What: `person.read`, or `person` for everything that begins so.
    #[arg(long)]
    action: Option<String>,
    /// From this day on, in Vietnam.
    #[arg(long, value_parser = cli::date)]
    from: Option<Date>,
    /// Up to this day, and with it.
    #[arg(long, value_parser = cli::date)]
    to: Option<Date>,
    /// At most so many rows.
    #[arg(long, default_value = "200", value_parser = terminal::count)]
    limit: u32,
    #[command(flatten)]
    operator: Operator,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AnomalyOptions {
    /// The day, in Vietnam; today without it.
    #[arg(long, value_parser = cli::date)]
    day: Option<Date>,
    /// Only accounts of this unit and of those in it, by code or name.
    #[arg(long, value_parser = cli::unit)]
    unit: Option<domain::UnitCode>,
    #[command(flatten)]
    form: Form,
}

/// Prints the rows that are asked for. That they were read is a row of the trail too.
pub(crate) async fn list(centre: &Installation, options: &ListOptions) -> Result<ExitCode> {
    let by = options.operator.actor(centre).await?;
    let actor = match &options.actor {
        Some(text) => Some(actor_of(centre, text).await?),
        None => None,
    };
    let begins = |day: Date| day.with_time(Time::MIDNIGHT).assume_offset(VIETNAM);
    let question = Question {
        subject: options.subject.as_deref(),
        actor: actor.as_deref(),
        action: options.action.as_deref(),
        from: options.from.map(begins),
        to: options.to.map(|day| begins(day).saturating_add(Duration::DAY)),
        limit: i64::from(options.limit),
    };
    let everything = UnitScope::everything();
    let reader = Reader { by: &by, scope: &everything, address: None, at: SystemClock.now() };
    let part = trail::read(&centre.db, &reader, &question, Turn::Newest).await?;
    let mut table =
        Table::new("rows", &["at", "actor", "action", "subject", "unit", "detail", "chain", "row"]);
    for row in part.rows {
        table.push([
            when(row.at).into(),
            row.actor.into(),
            row.action.into(),
            row.subject.into(),
            row.unit_path.into(),
            row.detail,
            row.chain.into(),
            row.seq.into(),
        ]);
    }
    table.print(options.form)?;
    if part.older {
        tell!("dancu: there are more rows; ask for more with --limit, or for fewer days");
    }
    Ok(Ending::Good.into())
}

/// An actor as it stands in the trail: the account of a login, or what was typed.
async fn actor_of(centre: &Installation, text: &str) -> Result<String> {
    let actor = trail::actor_of(&mut *centre.db.read().await?, text).await?;
    actor.with_context(|| format!("there is no account `{text}`; `dancu account list` names those there are"))
}

/// Prints what was unusual on a day.
pub(crate) async fn anomalies(centre: &Installation, options: &AnomalyOptions) -> Result<ExitCode> {
    let day = options.day.unwrap_or_else(|| SystemClock.today());
    ensure!((2000..2200).contains(&day.year()), "{day} is no day of an audit trail");
    let scope = cli::scope(options.unit)?;
    let found = report::anomalies(&mut *centre.db.read().await?, &scope, day).await?;
    let mut table = Table::new("anomalies", &["anomaly", "who", "role", "count", "usual"]);
    for unusual in found {
        table.push([
            unusual.anomaly.code().into(),
            unusual.who.into(),
            unusual.role.into(),
            unusual.count.into(),
            unusual.usual.into(),
        ]);
    }
    table.print(options.form)?;
    Ok(Ending::Good.into())
}
