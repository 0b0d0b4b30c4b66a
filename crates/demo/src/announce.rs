//! Where to look at a demonstration, and as whom.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use rand::rngs::StdRng;

use crate::{prepare, receipts};
use centre::Centre;
use domain::Clock;
use domain::clock::SystemClock;
use domain::unit::UnitTable;

/// Makes the demonstration's accounts and prints where to go.
///
/// # Errors
/// A data directory without a demonstration, or accounts that cannot be written.
pub async fn announce(centre: &Centre, address: SocketAddr) -> Result<()> {
    let district = prepare::district_of(centre).await?;
    let mut rng: StdRng = rand::make_rng();
    let units = UnitTable::official_2021();
    let now = SystemClock.now();
    let accounts = web::accounts::create_demo(&centre.db, units, district, &centre.place.data, now, &mut rng)
        .await
        .context("the demonstration's accounts")?;
    println!();
    println!("open       http://{address}/");
    for account in accounts {
        println!(
            "sign in    {:<11} {:<13} {} ({})",
            account.login,
            account.password,
            account.role.code(),
            account.unit
        );
    }
    receipts::print(&centre.place.data);
    println!("stop       Ctrl-C");
    Ok(())
}
