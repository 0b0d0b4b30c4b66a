//! `dancu demo`: a simulated campaign, and then its pages.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use time::Date;

use centre::Place;
use demo::Demonstration;
use domain::UnitCode;

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Code of the district (GSO list of 2021).
    #[arg(long, default_value = "445")]
    district: UnitCode,
    /// Residents of the district: 1,000 to 3,000,000.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..=3_000_000))]
    people: u32,
    /// Everything that happens follows from it.
    #[arg(long, default_value_t = 2021)]
    seed: u64,
    /// Stop the campaign at the end of this day (yyyy-mm-dd) instead of when everything is done.
    #[arg(long, value_parser = crate::cli::date)]
    until: Option<Date>,
    /// Leave the cards of the last day signed and unprinted, to be written by hand with `dancu card
    /// personalise`.
    #[arg(long, requires = "until")]
    leave_cards: bool,
    /// Where the pages are served.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// End when the campaign is done instead of serving the pages.
    #[arg(long)]
    exit: bool,
    /// Write a JSON summary to this file.
    #[arg(long)]
    summary: Option<PathBuf>,
}

/// Runs the campaign, prints what came of it, and serves the pages unless told to end.
pub async fn run(place: &Place, options: &Options) -> Result<()> {
    let campaign = demo::Options {
        district: options.district,
        people: options.people,
        seed: options.seed,
        until: options.until,
        leave_cards: options.leave_cards,
    };
    // Nobody looks at the pages of a run that ends by itself: its port need not be one that they know.
    let port = if options.exit { 0 } else { options.port };
    let Demonstration { summary, centre, server } = demo::simulate_district(place, &campaign, port).await?;
    if let Some(path) = &options.summary {
        summary.write(path)?;
    }
    ensure!(
        summary.ledger.holds,
        "the custody ledger does not hold; the differing applications are listed on the commander's page and in the summary"
    );
    if options.exit {
        server.stop();
    } else {
        demo::announce(&centre, server.address()).await?;
        server.until_stopped().await?;
        println!("stopping");
    }
    centre.db.stop().await?;
    Ok(())
}
