//! Values that commands take.

use anyhow::{Context, Result};
use time::Date;
use time::macros::format_description;

/// A day as yyyy-mm-dd.
pub fn date(text: &str) -> Result<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .with_context(|| format!("`{text}` is not a day; days are written yyyy-mm-dd"))
}
