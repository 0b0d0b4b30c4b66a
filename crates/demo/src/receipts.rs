//! A few receipt codes for trying the public page: in a real campaign only the citizen's printed receipt has
//! them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Result;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::campaign::Campaign;
use domain::application::State;
use packet::ReceiptCode;
use store::report::scoring;
use ui::say;

const FILE: &str = "demo-receipts.txt";

/// Writes one code for each state that applications stand in, with the state.
pub async fn write(campaign: &Campaign) -> Result<()> {
    let mut conn = campaign.centre.db.read().await?;
    let outcomes = scoring::outcomes(&mut conn, &campaign.scope).await?;
    drop(conn);
    let mut lines = String::new();
    for state in State::ALL {
        // The code is the first thing that a capture draws.
        let found = outcomes.iter().find(|row| row.state == state);
        if let Some((truth, number)) =
            found.and_then(|row| campaign.world.by_application.get(&row.application_id))
        {
            let mut rng = ChaCha20Rng::from_seed(campaign.world.draws.capture_seed(*truth, *number));
            lines += &format!("{} {state}\n", ReceiptCode::generate(&mut rng).grouped());
        }
    }
    let path = campaign.centre.place.data.join(FILE);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    file.write_all(lines.as_bytes())?;
    Ok(())
}

/// Prints the codes of the last run, if there was one.
pub fn print(data: &Path) {
    for line in fs::read_to_string(data.join(FILE)).unwrap_or_default().lines() {
        say!("receipt    {line}");
    }
}
