//! `dancu check`: whether the rows of the register, of applications and of cards are what their histories
//! say.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::output::{Ending, Form, Table};
use centre::{Installation, Place, upkeep};
use ui::say;

/// [`Ending::Good`] when all are, [`Ending::Bad`] when some are not; those are named by their ids.
pub async fn run(place: &Place, form: Form) -> Result<ExitCode> {
    let Installation { db, .. } = Installation::open(place).await?;
    let unsound = upkeep::check_records(&db).await?;
    if unsound.count() == 0 && !form.json {
        say!("sound: each record is what its history says");
        return Ok(Ending::Good.into());
    }
    let mut table = Table::new("unsound", &["kind", "id"]);
    for person in &unsound.people {
        table.push([json!("person"), json!(person)]);
    }
    for application in &unsound.applications {
        table.push([json!("application"), json!(application)]);
    }
    for card in &unsound.cards {
        table.push([json!("card"), json!(card)]);
    }
    table.print(form)?;
    Ok(if unsound.count() == 0 { Ending::Good } else { Ending::Bad }.into())
}
