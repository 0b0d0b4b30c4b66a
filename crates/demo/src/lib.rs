#![doc = include_str!("../README.md")]
// A closed pipe ends a program quietly: `ui::say!`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod adjudicate;
mod announce;
mod campaign;
mod duties;
mod kits;
mod middle;
mod prepare;
mod progress;
mod receipts;
mod staff;
mod summary;
mod world;

use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::{Result, ensure};
use time::macros::datetime;
use time::{Date, OffsetDateTime};

use campaign::Campaign;
use centre::upkeep::{self, Round};
use centre::{Centre, Kits, Photos, Place};
use domain::UnitCode;
use domain::clock::VirtualClock;
use domain::unit::Units;
use progress::Stages;
use web::{AppState, Server, Settings};

pub use announce::announce;
pub use summary::Summary;

/// The campaign begins here, whatever the target's profile says of its first day.
const BEGIN: OffsetDateTime = datetime!(2021-02-15 08:00 +7);
/// The last day of the officers' credentials: thirty weeks later, after the end of any campaign here.
const CREDENTIALS_END: OffsetDateTime = datetime!(2021-09-13 08:00 +7);

/// How many residents a demonstration can have.
pub const PEOPLE: RangeInclusive<u32> = 1_000..=3_000_000;

/// Which district, and how far.
#[derive(Debug, Clone)]
pub struct Options {
    /// Code of the district (GSO list of 2021).
    pub district: UnitCode,
    /// Residents of the district: 1,000 to 3,000,000.
    pub people: u32,
    /// Everything that happens follows from it.
    pub seed: u64,
    /// How far the campaign goes.
    pub until: Until,
    /// The cards of the last day stay signed and unprinted, to be written by hand.
    pub leave_cards: bool,
}

/// How far a campaign goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To a day in its middle, on which work is left for everybody.
    Middle,
    /// To the end of this day.
    Day(Date),
    /// Until everything is done.
    End,
}

/// A campaign that was run.
pub struct Demonstration {
    /// What it came to.
    pub summary: Summary,
    /// The centre that it was run on.
    pub centre: Centre,
    /// The pages of the centre, which are served until they are told to stop.
    pub server: Server,
}

/// The whole campaign, with the centre's pages and the kits' desk on this port (0 takes any that is free).
/// Prints each stage as it goes, and what came of it all.
///
/// # Errors
/// A port in use, a data directory that holds another demonstration, or whatever a stage answers. What was
/// committed is safe, and the same call goes on from there.
pub async fn simulate_district(place: &Place, options: &Options, port: u16) -> Result<Demonstration> {
    let units = Units::on(BEGIN.date());
    ensure!(
        !units.leaves_of(options.district).is_empty(),
        "there is no district {}; `dancu demo --district` takes a code of the list of 2021, such as 445 for \
         Thạch Hà",
        options.district
    );
    ensure!(
        PEOPLE.contains(&options.people),
        "a demonstration is of {} to {} people, not of {}",
        PEOPLE.start(),
        PEOPLE.end(),
        options.people
    );
    let target = prepare::province_target(units, options.district);
    if let Until::Day(day) = options.until {
        ensure!(
            day >= target.starts_on,
            "the campaign begins on {}; `--until {day}` is before it: name that day or a later one",
            target.starts_on
        );
    }
    let clock = Arc::new(VirtualClock::at(BEGIN));
    let mut stages = Stages::begin(options);
    // The port is taken before anything else, so that a port in use is told at once and not after the
    // campaign.
    let listener = web::listen(port).await?;
    let centre = stages
        .run("database", async {
            let centre = prepare::open(place, clock.clone()).await?;
            Ok((centre, 1))
        })
        .await?;
    stages.watch_server(centre.db.cluster().and_then(|cluster| cluster.server_pid()));
    let state = AppState::of_installation(
        centre.db.clone(),
        Arc::clone(&centre.clock),
        Arc::new(Photos(centre.clone())),
        Arc::new(Kits(centre.clone())),
        Settings { specimen: true, kits_are_here: true, ..Settings::default() },
    );
    let server = Server::start(listener, state)?;
    let mut campaign = Campaign::prepare(centre.clone(), clock, options, &mut stages).await?;
    campaign.run_days(&server.base_url(), &mut stages).await?;
    stages
        .run("quality", async {
            let looked = upkeep::work_off(&centre.db, &[Round::Quality], centre.clock.now()).await?;
            Ok(((), looked as u64))
        })
        .await?;
    let summary = stages.run_last(|stages| summary::measure(&campaign, stages)).await?;
    receipts::write(&campaign).await?;
    summary::print(&summary, &campaign);
    Ok(Demonstration { summary, centre, server })
}
