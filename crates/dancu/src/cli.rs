//! Values that commands take.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use time::Date;
use time::macros::format_description;

use centre::Installation;
use domain::unit::{UnitLevel, Units};
use domain::{Actor, UnitCode};
use store::UnitScope;

/// A day as yyyy-mm-dd.
pub(crate) fn date(text: &str) -> Result<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .with_context(|| format!("`{text}` is not a day; days are written yyyy-mm-dd"))
}

/// A unit, by its code or its name.
pub(crate) fn unit(text: &str) -> Result<UnitCode> {
    Ok(Units::latest().named(text, None)?)
}

/// A district, by its code or its name; under a list that has none, a unit of any level.
pub(crate) fn district(text: &str) -> Result<UnitCode> {
    let units = Units::latest();
    let district = units.level(UnitLevel::District).next().map(|_| UnitLevel::District);
    Ok(units.named(text, district)?)
}

/// The rows of a unit; without one, all.
pub(crate) fn scope(unit: Option<UnitCode>) -> Result<UnitScope> {
    let Some(unit) = unit else { return Ok(UnitScope::everything()) };
    let path = Units::latest().path(unit).context("a unit of the list has a path")?;
    Ok(UnitScope::parse(&path)?)
}

/// Who acts.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Operator {
    /// The login of whoever does this, for the audit trail; without it, the centre.
    #[arg(long, env = "DANCU_OPERATOR", value_name = "LOGIN")]
    operator: Option<String>,
}

impl Operator {
    /// The actor in the audit trail.
    ///
    /// # Errors
    /// No such account, or a disabled one; a database that does not answer.
    pub async fn actor(&self, centre: &Installation) -> Result<Actor> {
        crate::stock::actor(centre, self.operator.as_deref()).await
    }
}

/// The text of a file, or of standard input where the file is `-`; at most so many bytes.
pub(crate) fn text_of(path: &Path, most: u64) -> Result<String> {
    let mut text = String::new();
    let reading = || format!("{}", path.display());
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most + 1).read_to_string(&mut text).context("standard input")?
    } else {
        fs::File::open(path)
            .with_context(reading)?
            .take(most + 1)
            .read_to_string(&mut text)
            .with_context(reading)?
    };
    ensure!(read as u64 <= most, "{} is longer than {most} bytes; it is something else", path.display());
    Ok(text)
}
