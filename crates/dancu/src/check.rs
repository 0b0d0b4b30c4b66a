//! `dancu check`: whether the rows of the register, of applications and of cards are what their histories say.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::output::{Ending, Form, Table};
use centre::{Place, upkeep};
use store::{Database, OpenOptions};
use ui::say;

/// [`Ending::Good`] when all are, [`Ending::Bad`] when some are not; those are named by their ids.
pub async fn run(place: &Place, form: Form) -> Result<ExitCode> {
    let options = OpenOptions { data_dir: place.data.clone(), database_url: place.database_url.clone() };
    let db = Database::open(&options).await?;
    db.check_schema().await?;
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
