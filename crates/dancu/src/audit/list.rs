//! `dancu audit list` and `anomalies`: what is in the trail, for whoever supervises.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use time::{Date, Duration, OffsetDateTime, Time};

use super::when;
use crate::cli::{self, Operator};
use crate::output::{Ending, Form, Table};
use centre::Installation;
use domain::clock::{SystemClock, VIETNAM};
use domain::{Actor, Clock};
use store::audit::Entry;
use store::trail::{self, Question};
use store::{UnitScope, accounts};
use ui::{tell, terminal};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ListOptions {
    /// On what: `person:ID`, `application:ID`, `card:ID`, `account:ID`.
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
    let reader = options.operator.actor(centre).await?;
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
        limit: i64::from(options.limit) + 1,
    };
    let mut tx = centre.db.begin().await?;
    let mut rows = trail::list(&mut tx, &question).await?;
    let asked = json!({
        "subject": options.subject, "actor": actor, "action": options.action,
        "from": options.from.map(|day| day.to_string()), "to": options.to.map(|day| day.to_string()),
    });
    note(&mut tx, &reader, asked, SystemClock.now()).await?;
    store::commit(tx).await?;
    let more = rows.len() > options.limit as usize;
    rows.truncate(options.limit as usize);
    let mut table =
        Table::new("rows", &["at", "actor", "action", "subject", "unit", "detail", "chain", "row"]);
    for row in rows {
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
    if more {
        tell!("dancu: there are more rows; ask for more with --limit, or for fewer days");
    }
    Ok(Ending::Good.into())
}

async fn note(
    tx: &mut store::PgConnection,
    reader: &Actor,
    question: serde_json::Value,
    now: OffsetDateTime,
) -> Result<()> {
    let entry = Entry {
        at: now,
        actor: reader.clone(),
        action: "audit.listed".to_owned(),
        subject: "audit".to_owned(),
        unit_path: String::new(),
        detail: json!({ "question": question }),
    };
    Ok(store::audit::append(tx, &entry).await?)
}

/// An actor as it stands in the trail: the account of a login, or what was typed.
async fn actor_of(centre: &Installation, text: &str) -> Result<String> {
    let is_actor = text.contains(':') || text.parse::<Actor>().is_ok();
    if is_actor {
        return Ok(text.to_owned());
    }
    let mut conn = centre.db.read().await?;
    let account = accounts::by_login(&mut conn, text).await?;
    let account = account.with_context(|| {
        format!("there is no account `{text}`; `dancu account list` names those there are")
    })?;
    Ok(format!("account:{}", account.id))
}

/// Prints what was unusual on a day.
pub(crate) async fn anomalies(centre: &Installation, options: &AnomalyOptions) -> Result<ExitCode> {
    let day = options.day.unwrap_or_else(|| SystemClock.today());
    ensure!((2000..2200).contains(&day.year()), "{day} is no day of an audit trail");
    let scope = match options.unit {
        Some(unit) => {
            let path = domain::unit::Units::latest().path(unit);
            UnitScope::parse(&path.with_context(|| format!("there is no unit {unit}"))?)?
        }
        None => UnitScope::everything(),
    };
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
