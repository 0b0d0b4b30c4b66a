//! `dancu unit`: the units of the country, by code, name and day, and the changes that the law makes to them.

mod change;
mod waiting;

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;
use time::Date;

use crate::cli;
use crate::output::{Ending, Form, Table};
use centre::{Installation, Place};
use domain::UnitCode;
use domain::unit::{Unit, UnitLevel, UnitTable, Units};
use store::register::rearranged;
use ui::{say, terminal};

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// The provinces, or the units directly below one: code, level, name.
    List {
        /// The unit whose parts are listed, by its code or name; the whole country when it is not given.
        unit: Option<String>,
        /// As the law has them on this day (yyyy-mm-dd); as this installation has them when it is not given.
        #[arg(long, value_name = "DAY", value_parser = cli::date)]
        on: Option<Date>,
        #[command(flatten)]
        form: Form,
    },
    /// The units whose name contains a text, with or without marks and kind; those of just that name first.
    Find {
        /// A name or a part of one, such as thach ha; its words need no quotation marks.
        #[arg(required = true)]
        name: Vec<String>,
        /// At most so many.
        #[arg(long, default_value = "50", value_parser = terminal::count)]
        limit: u32,
        #[command(flatten)]
        form: Form,
    },
    /// Which unit bears a code on a day, and which ones bore it on others.
    Show {
        /// The code: 2 digits for a province, 3 for a district, 5 for a commune.
        code: UnitCode,
        /// The day (yyyy-mm-dd); as this installation has it when it is not given.
        #[arg(long, value_name = "DAY", value_parser = cli::date)]
        on: Option<Date>,
        #[command(flatten)]
        form: Form,
    },
    /// Take over a new list of units: everybody goes to the unit that took the old one's place. Stopped, it
    /// goes on where it was.
    Apply(change::Options),
    /// Who must be asked in which part of a divided unit they live, and which units wait for a successor.
    /// Names of people are read, which is a row of the audit trail.
    Waiting(waiting::Options),
    /// Take an answer: where somebody lives, or who takes over what a divided unit had.
    Settle(waiting::Settle),
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<ExitCode> {
    match command {
        Command::List { unit, on, form } => list(unit.as_deref(), *on, *form)?,
        Command::Find { name, limit, form } => {
            let units = Units::latest();
            print(units, &units.search(&name.join(" "), *limit as usize), *form)?;
        }
        Command::Show { code, on, form } => show(*code, *on, *form)?,
        Command::Apply(options) => return change::run(&Installation::open(place).await?, options).await,
        Command::Waiting(options) => waiting::run(&Installation::open(place).await?, options).await?,
        Command::Settle(settle) => waiting::settle(&Installation::open(place).await?, settle).await?,
    }
    Ok(Ending::Good.into())
}

/// Makes the process work by the list that the installation has taken over, if there is one. Returns whether
/// that is another list than the first: values of the command line are then read again.
pub(crate) async fn adopt(place: &Place) -> bool {
    let reached = async {
        if !centre::installation::is_there(place).ok()? {
            return None;
        }
        // Whatever is wrong with the installation, the command itself tells.
        let installation = Installation::open(place).await.ok()?;
        let mut conn = installation.db.read().await.ok()?;
        rearranged::reached(&mut conn).await.ok()?
    };
    match reached.await {
        Some(first) => Units::adopt(first),
        None => false,
    }
}

fn of_day(on: Option<Date>) -> Result<Units<'static>> {
    Ok(match on {
        Some(day) => UnitTable::within(day)?,
        None => Units::latest(),
    })
}

fn list(unit: Option<&str>, on: Option<Date>, form: Form) -> Result<()> {
    let units = of_day(on)?;
    let found: Vec<&Unit> = match unit {
        None => units.level(UnitLevel::Province).collect(),
        Some(unit) => {
            let code = units.named(unit, None)?;
            units.children(code).into_iter().filter_map(|code| units.get(code)).collect()
        }
    };
    print(units, &found, form)
}

fn print(units: Units<'_>, found: &[&Unit], form: Form) -> Result<()> {
    if found.is_empty() && !form.json {
        say!("none       no unit fits; `dancu unit list` begins with the provinces");
        return Ok(());
    }
    let mut table = Table::new("units", &["code", "level", "name"]);
    for unit in found {
        let name = units.full_name(unit.code).unwrap_or_default();
        table.push([unit.code.to_string().into(), unit.code.level().as_str().into(), name.into()]);
    }
    table.print(form)
}

fn show(code: UnitCode, on: Option<Date>, form: Form) -> Result<()> {
    let day = on.unwrap_or_else(|| Units::latest().day());
    let bears = match on {
        Some(day) => Some(UnitTable::bearer(code, day)?),
        None => Units::latest().get(code),
    };
    let mut table = Table::new("units", &["from", "to", "name", "below", "asked"]);
    for unit in UnitTable::history(code) {
        let units = UnitTable::official().on(unit.valid_from);
        let above = unit.parent.and_then(|parent| units.full_name(parent));
        table.push([
            unit.valid_from.to_string().into(),
            unit.valid_to.map_or(Value::Null, |end| end.to_string().into()),
            unit.full_name().into(),
            above.map_or(Value::Null, Value::from),
            bears.is_some_and(|one| one.valid_from == unit.valid_from).into(),
        ]);
    }
    if bears.is_none() && !form.json {
        let told = if day == Date::MAX { "today".to_owned() } else { format!("on {day}") };
        say!("none       no unit of this installation bears the code {code} {told}");
    }
    table.print(form)
}
