//! Where to look at a demonstration, and as whom.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use rand::rngs::StdRng;

use crate::{prepare, receipts};
use centre::Centre;
use domain::clock::SystemClock;
use domain::unit::UnitTable;
use domain::{Clock, UnitCode};
use web::accounts::DemoAccount;

/// Makes the demonstration's accounts and prints where to go.
///
/// # Errors
/// A data directory without a demonstration, or accounts that cannot be written.
pub async fn announce(centre: &Centre, address: SocketAddr) -> Result<()> {
    let district = prepare::district_of(centre).await?;
    let accounts = accounts(centre, district).await?;
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

/// Makes the demonstration's accounts, or finds them: of a campaign that is run, and of one that is shown.
///
/// # Errors
/// Accounts that cannot be written.
pub async fn accounts(centre: &Centre, district: UnitCode) -> Result<Vec<DemoAccount>> {
    let mut rng: StdRng = rand::make_rng();
    let (units, now) = (UnitTable::official_2021(), SystemClock.now());
    web::accounts::create_demo(&centre.db, units, district, &centre.place.data, now, &mut rng)
        .await
        .context("the demonstration's accounts")
}
