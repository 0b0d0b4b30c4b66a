//! `dancu register`: civil events, cases of correction, people with two records, and one person's record.

mod case;
mod event;
mod quality;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use time::Date;
use time::format_description::well_known::Rfc3339;

use crate::cli::{self, Operator};
use crate::output::{self, Ending};
use centre::{Installation, Place, work};
use domain::field::Field;
use domain::id::PersonId;
use domain::unit::Units;
use domain::{PartialDate, ResidentRecord, UnitCode};
use register::Whom;
use store::PgConnection;
use store::audit::{self, Entry};
use store::register::timeline::{TimelineRow, timeline};
use ui::i18n::Lang;
use ui::record::Described;
use ui::{say, tell};

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Cases of correction: what the justice office is asked, and what became of it.
    #[command(subcommand)]
    Case(case::Command),
    /// Find people who are in the register twice: what is certain is merged, what is not becomes a case. Run
    /// again, it looks at who came or changed since; stopped, it goes on where it was.
    Dedupe {
        /// Only the people of this unit, by its code or name.
        #[arg(long, value_parser = crate::cli::unit)]
        unit: Option<UnitCode>,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Record civil events with their papers: deaths, corrections, moves, and what takes them back.
    Event(event::Options),
    /// How right, whole, clean and alive (đúng, đủ, sạch, sống) the register is: looks at everybody by the
    /// rules of quality, and tells how many keep each. Stopped, it goes on where it was.
    Quality(quality::Options),
    /// A person's record, with what happened to it. Reading it is a row of the audit trail.
    Show {
        /// The person's id in the register, or the personal number (12 digits).
        person: String,
        /// As the record was on this day (yyyy-mm-dd); as it is now when it is not given.
        #[arg(long, value_parser = crate::cli::date)]
        on: Option<Date>,
        /// As it was known at the end of this day.
        #[arg(long, value_parser = crate::cli::date)]
        known: Option<Date>,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    let centre = Installation::open(place).await?;
    match command {
        Command::Case(command) => case::run(&centre, command).await?,
        Command::Event(options) => return event::run(&centre, options).await,
        Command::Dedupe { unit, json, operator } => dedupe(&centre, *unit, *json, operator).await?,
        Command::Quality(options) => quality::run(&centre, options).await?,
        Command::Show { person, on, known, json, operator } => {
            show(&centre, person, (*on, *known), *json, operator).await?;
        }
    }
    Ok(Ending::Good.into())
}

async fn dedupe(
    centre: &Installation,
    unit: Option<UnitCode>,
    json: bool,
    operator: &Operator,
) -> Result<()> {
    let by = operator.actor(centre).await?;
    let scope = cli::scope(unit)?;
    if !json {
        tell!("reading the register …");
    }
    let found = work::dedupe_register(centre, &scope, &by).await?;
    if json {
        let merged = found.merged.iter().map(|(kept, dropped)| json!({ "kept": kept, "dropped": dropped }));
        return output::print_json(&json!({
            "pairs": found.pairs, "merged": merged.collect::<Vec<Value>>(), "cases": found.cases,
            "known_cases": found.known_cases, "left": found.left,
        }));
    }
    for (kept, dropped) in &found.merged {
        say!("merged     {dropped} into {kept}");
    }
    say!("looked at  {} pairs of records that may be one person's", found.pairs);
    say!("merged     {} records", found.merged.len());
    say!(
        "asked      {} new cases, {} that were open before; see `dancu case list`",
        found.cases,
        found.known_cases
    );
    say!("left       {} pairs that are two people by their facts", found.left);
    Ok(())
}

async fn show(
    centre: &Installation,
    person: &str,
    (on, known): (Option<Date>, Option<Date>),
    json: bool,
    operator: &Operator,
) -> Result<()> {
    let by = operator.actor(centre).await?;
    let mut tx = centre.db.begin().await?;
    let id = match register::find(person) {
        Some(Whom::Id(id)) => id,
        Some(Whom::Pin(pin)) => store::register::pins::holder_of_pin(&mut tx, pin.as_str())
            .await?
            .context("nobody in the register has this personal number")?,
        None => bail!("a person is named by the id in the register, or by the personal number (12 digits)"),
    };
    let missing = || format!("there is no person {id} in the register");
    let page = store::register::pages::person(&mut tx, id).await?.with_context(missing)?;
    let record = record_of(&mut tx, id, on, known).await?;
    let record = record.context("on that day nothing was known of this person yet")?;
    let events = timeline(&mut tx, id).await?;
    let mut asked = serde_json::Map::new();
    asked.extend(on.map(|day| ("on".to_owned(), json!(day.to_string()))));
    asked.extend(known.map(|day| ("known".to_owned(), json!(day.to_string()))));
    let read = Entry {
        at: centre.clock.now(),
        actor: by.clone(),
        action: "person.read".to_owned(),
        subject: format!("person:{id}"),
        unit_path: page.unit_path.clone(),
        detail: Value::Object(asked),
    };
    audit::append(&mut tx, &read).await?;
    store::commit(tx).await?;
    if json {
        return output::print_json(&json!({
            "person": id, "status": page.status, "same_as": page.same_as, "version": page.version,
            "form": page.form_no, "on": on.map(|day| day.to_string()),
            "known": known.map(|day| day.to_string()), "record": serde_json::to_value(&record)?,
            "events": events.iter().map(told).collect::<Result<Vec<Value>>>()?,
        }));
    }
    let described = Described::new(Units::latest(), Lang::En, &record);
    say!("person     {id}, version {}", page.version);
    if let Some(survivor) = page.same_as {
        say!("merged     into {survivor}");
    }
    if let Some(day) = on {
        say!("as of      {day}");
    }
    if let Some(day) = known {
        say!("as known   {day}");
    }
    for field in Field::ALL {
        let value = described.get(field);
        if !value.is_empty() {
            say!("{:<20} {value}", ui::record::label(Lang::En, field));
        }
    }
    for event in &events {
        say!(
            "{:<20} with effect on {}, recorded {} by {}{}",
            event.kind,
            effect_on(event)?,
            event.recorded_at.format(&Rfc3339)?,
            event.actor,
            paper(event)
        );
    }
    Ok(())
}

/// The record now, or on a day, or as it was known then; `None` before the registration.
async fn record_of(
    tx: &mut PgConnection,
    id: PersonId,
    on: Option<Date>,
    known: Option<Date>,
) -> Result<Option<ResidentRecord>> {
    if on.is_none() && known.is_none() {
        let records = store::register::people::records(tx, &[id]).await?;
        return Ok(records.into_iter().next().map(|(_, record)| record));
    }
    let known_at = register::known_on(known.unwrap_or(Date::MAX));
    Ok(store::register::person_as_of(tx, id, on.unwrap_or(Date::MAX), known_at).await?)
}

/// The day of effect as the paper says it.
fn effect_on(event: &TimelineRow) -> Result<String> {
    Ok(match event.legal_on {
        Some(packed) => PartialDate::from_packed(packed)?.to_string(),
        None => PartialDate::from_date(domain::clock::day_in_vietnam(event.at)).to_string(),
    })
}

fn paper(event: &TimelineRow) -> String {
    let parts = [&event.paper_kind, &event.paper_number, &event.paper_authority];
    let parts: Vec<&str> = parts.into_iter().filter_map(|part| part.as_deref()).collect();
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}

fn told(event: &TimelineRow) -> Result<Value> {
    let paper = event.document_id.map(|id| {
        json!({ "document": id, "kind": event.paper_kind, "number": event.paper_number,
            "authority": event.paper_authority,
            "issued_on": event.paper_issued_on.map(|day| day.to_string()), "scan": event.scan_type })
    });
    Ok(json!({
        "version": event.version, "event": event.kind, "event_id": event.event_id,
        "legal_on": effect_on(event)?, "at": event.at.format(&Rfc3339)?,
        "recorded_at": event.recorded_at.format(&Rfc3339)?, "actor": event.actor,
        "fields": event.fields, "takes_back": event.takes_back, "paper": paper,
    }))
}
