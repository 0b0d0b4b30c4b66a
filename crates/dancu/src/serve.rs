//! The pages and the kits' desk of a centre.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use rand::rngs::StdRng;

use centre::{Centre, Kits, Photos};
use domain::Clock;
use domain::UnitCode;
use domain::clock::SystemClock;
use domain::unit::UnitTable;
use web::{AppState, Settings};

/// What the pages work on. `specimen` marks drawn cards as made for people who do not exist.
pub fn state(centre: &Centre, specimen: bool) -> AppState {
    AppState::of_installation(
        centre.db.clone(),
        Arc::clone(&centre.clock),
        Arc::new(Photos(centre.clone())),
        Arc::new(Kits(centre.clone())),
        Settings { specimen, ..Settings::default() },
    )
}

/// Makes the demonstration's accounts and prints where to go.
pub async fn announce(centre: &Centre, district: UnitCode, address: SocketAddr) -> Result<()> {
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
    crate::demo::receipts::print(&centre.place.data);
    println!("stop       Ctrl-C");
    Ok(())
}
