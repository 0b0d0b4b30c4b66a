//! `dancu unit waiting` and `settle`: what no map decides.

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::cli::Operator;
use crate::output::{Form, Table};
use centre::Installation;
use domain::UnitCode;
use domain::id::PersonId;
use domain::unit::UnitTable;
use register::Whom;
use register::units::{Answer, candidates, settle_person, settle_unit};
use store::UnitScope;
use store::audit::{self, Entry};
use store::register::rearranged::waiting::{self, Residence};
use store::register::rearranged::{self, ChangeRow};
use ui::say;

/// Questions that are told at most.
const MOST_LISTED: i64 = 10_000;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The units that wait for a successor, and how many people of each wait: no names are read.
    #[arg(long)]
    units: bool,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Settle {
    /// The person's id in the register or personal number; or the code of a unit of the list before.
    what: String,
    /// The code of the new unit.
    #[arg(long, value_name = "CODE")]
    to: UnitCode,
    /// The answer is about the current residence, not about the permanent one.
    #[arg(long)]
    current: bool,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(centre: &Installation, options: &Options) -> Result<()> {
    if options.units {
        return units(centre, options.form).await;
    }
    let by = options.operator.actor(centre).await?;
    let mut tx = centre.db.begin().await?;
    let open = waiting::open(&mut tx, MOST_LISTED, None).await?;
    let read = Entry {
        at: centre.clock.now(),
        actor: by,
        action: "register.units_waiting".to_owned(),
        subject: "units:waiting".to_owned(),
        unit_path: String::new(),
        detail: json!({ "people": open.len() }),
    };
    audit::append(&mut tx, &read).await?;
    let mut table = Table::new("waiting", &["person", "residence", "from", "name", "address", "parts"]);
    for row in open {
        let from: UnitCode = row.from_code.parse()?;
        let parts = candidates(&mut tx, row.effective_on, from).await?;
        let parts: Vec<String> = parts.iter().map(UnitCode::to_string).collect();
        table.push([
            row.person_id.to_string().into(),
            row.part.into(),
            row.from_code.into(),
            row.full_name.into(),
            row.detail.unwrap_or_default().into(),
            parts.join(" ").into(),
        ]);
    }
    store::commit(tx).await?;
    table.print(options.form)
}

async fn last_change(centre: &Installation) -> Result<ChangeRow> {
    let mut conn = centre.db.read().await?;
    let begun = rearranged::changes(&mut conn).await?.pop();
    begun.context("no change of units was applied here; `dancu unit apply --check` looks at one")
}

async fn units(centre: &Installation, form: Form) -> Result<()> {
    let change = last_change(centre).await?;
    let before = change.effective_on.previous_day().unwrap_or(change.effective_on);
    let before = UnitTable::official().on(before);
    let mut conn = centre.db.read().await?;
    let columns = &["code", "name", "people", "moved", "ask", "finished", "successor", "candidates"];
    let mut table = Table::new("units", columns);
    for unit in rearranged::old_units(&mut conn, change.effective_on, "").await? {
        if unit.successor.is_some() && unit.asked == 0 {
            continue;
        }
        let code: UnitCode = unit.code.parse()?;
        let parts = candidates(&mut conn, change.effective_on, code).await?;
        let parts: Vec<String> = parts.iter().map(UnitCode::to_string).collect();
        table.push([
            unit.code.into(),
            before.full_name(code).unwrap_or_default().into(),
            unit.people.into(),
            unit.moved.into(),
            unit.asked.into(),
            unit.finished_at.is_some().into(),
            unit.successor.into(),
            parts.join(" ").into(),
        ]);
    }
    table.print(form)
}

pub(super) async fn settle(centre: &Installation, settle: &Settle) -> Result<()> {
    let by = settle.operator.actor(centre).await?;
    let now = centre.clock.now();
    if let Ok(unit) = settle.what.parse::<UnitCode>() {
        let day = last_change(centre).await?.effective_on;
        let taken = settle_unit(&centre.db, &by, now, (day, unit), settle.to).await?;
        say!(
            "settled    {unit} goes to {}: {} accounts, {} kits, {} applications, {} cases, {} boxes",
            settle.to,
            taken.accounts,
            taken.kits,
            taken.applications,
            taken.cases,
            taken.boxes
        );
        return Ok(());
    }
    let person = whom(centre, &settle.what).await?;
    let residence = if settle.current { Residence::Current } else { Residence::Permanent };
    let scope = UnitScope::everything();
    let answer = Answer { scope: &scope, actor: &by, now, person, residence, to: settle.to };
    settle_person(&centre.db, &answer).await?;
    say!("settled    {person} lives in {}", settle.to);
    Ok(())
}

async fn whom(centre: &Installation, what: &str) -> Result<PersonId> {
    match register::find(what) {
        Some(Whom::Id(id)) => Ok(id),
        Some(Whom::Pin(pin)) => {
            let mut conn = centre.db.read().await?;
            let holder = store::register::pins::holder_of_pin(&mut conn, pin.as_str()).await?;
            holder.context("nobody in the register has this personal number")
        }
        None => bail!("name a person by the id or the personal number, or a unit by its old code"),
    }
}
