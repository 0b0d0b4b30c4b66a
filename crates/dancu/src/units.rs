//! `dancu unit`: the units of the country, by code and name.

use anyhow::Result;

use crate::output::{Form, Table};
use domain::UnitCode;
use domain::unit::{Unit, UnitLevel, Units};
use ui::{say, terminal};

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// The provinces, or the units directly below one: code, level, name.
    List {
        /// The unit whose parts are listed, by its code or name; the whole country when it is not given.
        #[arg(value_parser = crate::cli::unit)]
        unit: Option<UnitCode>,
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
}

pub(crate) fn run(command: &Command) -> Result<()> {
    let units = Units::latest();
    let (found, form): (Vec<&Unit>, Form) = match command {
        Command::List { unit: None, form } => (units.level(UnitLevel::Province).collect(), *form),
        Command::List { unit: Some(code), form } => {
            (units.children(*code).into_iter().filter_map(|code| units.get(code)).collect(), *form)
        }
        Command::Find { name, limit, form } => (units.search(&name.join(" "), *limit as usize), *form),
    };
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
