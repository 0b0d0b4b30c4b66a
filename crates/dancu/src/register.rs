//! `dancu register`: people with two records, and one person's record.

mod quality;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::cli::Operator;
use crate::output;
use centre::{Installation, Place, work};
use domain::field::Field;
use domain::id::PersonId;
use domain::unit::Units;
use domain::{Pin, UnitCode};
use store::UnitScope;
use store::audit::{self, Entry};
use ui::i18n::Lang;
use ui::record::Described;
use ui::{say, tell};

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
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
    /// How right, whole, clean and alive (đúng, đủ, sạch, sống) the register is: looks at everybody by the
    /// rules of quality, and tells how many keep each. Stopped, it goes on where it was.
    Quality(quality::Options),
    /// A person's record, with what happened to it. Reading it is a row of the audit trail.
    Show {
        /// The person's id in the register, or the personal number (12 digits).
        person: String,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    let centre = Installation::open(place).await?;
    match command {
        Command::Dedupe { unit, json, operator } => dedupe(&centre, *unit, *json, operator).await,
        Command::Quality(options) => quality::run(&centre, options).await,
        Command::Show { person, json, operator } => show(&centre, person, *json, operator).await,
    }
}

async fn dedupe(
    centre: &Installation,
    unit: Option<UnitCode>,
    json: bool,
    operator: &Operator,
) -> Result<()> {
    let by = operator.actor(centre).await?;
    let scope = match unit {
        Some(unit) => {
            let path = Units::latest().path(unit).context("a unit of the list has a path")?;
            UnitScope::parse(&path)?
        }
        None => UnitScope::everything(),
    };
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

async fn show(centre: &Installation, person: &str, json: bool, operator: &Operator) -> Result<()> {
    let by = operator.actor(centre).await?;
    let mut tx = centre.db.begin().await?;
    let id = match (person.parse::<PersonId>(), Pin::parse(person)) {
        (Ok(id), _) => id,
        (_, Ok(pin)) => store::register::pins::holder_of_pin(&mut tx, pin.as_str())
            .await?
            .context("nobody in the register has this personal number")?,
        _ => bail!("a person is named by the id in the register, or by the personal number (12 digits)"),
    };
    let missing = || format!("there is no person {id} in the register");
    let page = store::register::pages::person(&mut tx, id).await?.with_context(missing)?;
    let records = store::register::people::records(&mut tx, &[id]).await?;
    let (_, record) = records.into_iter().next().with_context(missing)?;
    let events = store::register::changes::person_events(&mut tx, id).await?;
    let read = Entry {
        at: centre.clock.now(),
        actor: by.clone(),
        action: "person.read".to_owned(),
        subject: format!("person:{id}"),
        unit_path: page.unit_path.clone(),
        detail: Value::Object(serde_json::Map::new()),
    };
    audit::append(&mut tx, &read).await?;
    store::commit(tx).await?;
    if json {
        let told = events.iter().map(|event| {
            Ok(json!({ "version": event.version, "event": event.kind, "at": event.at.format(&Rfc3339)?,
                "actor": event.actor }))
        });
        return output::print_json(&json!({
            "person": id, "status": page.status, "same_as": page.same_as, "version": page.version,
            "form": page.form_no, "record": serde_json::to_value(&record)?,
            "events": told.collect::<Result<Vec<Value>>>()?,
        }));
    }
    let described = Described::new(Units::latest(), Lang::En, &record);
    say!("person     {id}, version {}", page.version);
    if let Some(survivor) = page.same_as {
        say!("merged     into {survivor}");
    }
    for field in Field::ALL {
        let value = described.get(field);
        if !value.is_empty() {
            say!("{:<20} {value}", ui::record::label(Lang::En, field));
        }
    }
    for event in &events {
        say!("{:<20} {} by {}", event.kind, event.at.format(&Rfc3339)?, event.actor);
    }
    Ok(())
}
