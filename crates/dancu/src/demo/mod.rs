//! `dancu demo`: a district's campaign on the code that `serve`, `import`, `work` and the kits use, under a virtual clock.
//!
//! Everything that happens follows from the seed, and every step may be done again: a run that was killed goes on with the
//! day on which it stopped and ends with the same summary.

mod adjudicate;
mod campaign;
mod duties;
mod kits;
mod prepare;
mod progress;
pub mod receipts;
mod summary;
mod world;

pub use summary::Summary;

use crate::serve;
use anyhow::{Context, Result, ensure};
use campaign::Campaign;
use centre::{Centre, Place};
use domain::UnitCode;
use domain::clock::VirtualClock;
use domain::unit::UnitTable;
use progress::Stages;
use std::path::PathBuf;
use std::sync::Arc;
use time::macros::datetime;
use time::{Date, OffsetDateTime};
use web::Server;

/// The campaign begins here, whatever the target's profile says of its first day.
const BEGIN: OffsetDateTime = datetime!(2021-02-15 08:00 +7);

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Code of the district (GSO list of 2021).
    #[arg(long, default_value = "445")]
    pub district: UnitCode,
    /// Residents of the district: 1,000 to 3,000,000.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..=3_000_000))]
    pub people: u32,
    /// Everything that happens follows from it.
    #[arg(long, default_value_t = 2021)]
    pub seed: u64,
    /// Stop the campaign at the end of this day (yyyy-mm-dd) instead of when everything is done.
    #[arg(long, value_parser = crate::cli::date)]
    pub until: Option<Date>,
    /// Leave the cards of the last day signed and unprinted, to be written by hand with `dancu card personalise`.
    #[arg(long, requires = "until")]
    pub leave_cards: bool,
    /// Where the pages are served.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// End when the campaign is done instead of serving the pages.
    #[arg(long)]
    pub exit: bool,
    /// Write a JSON summary to this file.
    #[arg(long)]
    pub summary: Option<PathBuf>,
}

/// Runs the campaign, prints what came of it, and serves the pages unless told to end.
pub async fn run(place: &Place, options: &Options) -> Result<()> {
    let (summary, centre, server) = simulate_district(place, options, !options.exit).await?;
    if let Some(path) = &options.summary {
        summary::write(&summary, path).with_context(|| format!("the summary {}", path.display()))?;
    }
    ensure!(
        summary.ledger.holds,
        "the custody ledger does not hold; the differing applications are listed on the commander's page and in the summary"
    );
    if options.exit {
        server.stop();
        centre.db.stop().await?;
        return Ok(());
    }
    serve::announce(&centre, options.district, server.address()).await?;
    server.until_stopped().await?;
    println!("stopping");
    centre.db.stop().await?;
    Ok(())
}

/// The whole campaign. Returns what it came to, the centre, and the running server.
pub async fn simulate_district(
    place: &Place,
    options: &Options,
    serves_pages: bool,
) -> Result<(Summary, Centre, Server)> {
    let units = UnitTable::official_2021();
    ensure!(
        !units.leaves_of(options.district).is_empty(),
        "there is no district {}; `dancu demo --district` takes a code of the list of 2021, such as 445 for Thạch Hà",
        options.district
    );
    let clock = Arc::new(VirtualClock::at(BEGIN));
    let mut stages = Stages::begin(options);
    // The port is taken before anything else, so that a port in use is told at once and not after the campaign.
    let listener = web::listen(if serves_pages { options.port } else { 0 }).await?;
    let centre = stages
        .run("database", async {
            let centre = Centre::open(place, clock.clone()).await?;
            Ok((centre, 1))
        })
        .await?;
    let server = Server::start(listener, serve::state(&centre, true))?;
    let mut campaign = Campaign::prepare(centre.clone(), clock, options, &mut stages).await?;
    campaign.run_days(&server.base_url(), &mut stages).await?;
    let summary = stages.run_last(|stages| summary::measure(&campaign, stages)).await?;
    receipts::write(&campaign).await?;
    summary::print(&summary, &campaign);
    Ok((summary, centre, server))
}
