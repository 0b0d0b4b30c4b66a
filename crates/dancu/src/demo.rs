//! `dancu demo`: a simulated campaign, and then its pages.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::live;
use centre::Place;
use demo::{Demonstration, Until};
use domain::UnitCode;
use ui::{say, terminal};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The district, by its code (GSO list of 2021) or its name.
    #[arg(long, default_value = "445", value_parser = crate::cli::district)]
    district: UnitCode,
    /// Residents of the district: 1,000 to 3,000,000.
    #[arg(long, default_value = "20000", value_parser = people)]
    people: u32,
    /// Everything that happens follows from it.
    #[arg(long, default_value_t = 2021)]
    seed: u64,
    /// How far the campaign goes: `middle`, a day on which work is left for everybody; `end`, when everything
    /// is done; or the end of a day (yyyy-mm-dd). Without it, `middle`, and with --exit `end`.
    #[arg(long, value_name = "WHEN", value_parser = until)]
    until: Option<Until>,
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

fn until(text: &str) -> Result<Until> {
    match text {
        "middle" => Ok(Until::Middle),
        "end" => Ok(Until::End),
        day => {
            let day = crate::cli::date(day).context("--until takes `middle`, `end` or a day")?;
            Ok(Until::Day(day))
        }
    }
}

fn people(text: &str) -> Result<u32, String> {
    let people = terminal::count(text)?;
    if demo::PEOPLE.contains(&people) {
        return Ok(people);
    }
    let (least, most) = (demo::PEOPLE.start(), demo::PEOPLE.end());
    Err(format!("a demonstration is of {least} to {most} people, not of {people}"))
}

/// Runs the campaign, prints what came of it, and serves the pages unless told to end.
pub async fn run(place: &Place, options: &Options) -> Result<()> {
    ensure!(
        !options.leave_cards || matches!(options.until, Some(Until::Day(_))),
        "--leave-cards leaves the cards of a day: name it with --until yyyy-mm-dd"
    );
    let campaign = demo::Options {
        district: options.district,
        people: options.people,
        seed: options.seed,
        until: options.until.unwrap_or(if options.exit { Until::End } else { Until::Middle }),
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
        "the custody ledger does not hold; the differing applications are listed on the commander's page and \
         in the summary"
    );
    if options.exit {
        server.stop();
    } else {
        if campaign.until == Until::Middle {
            say!("go on      work is left for everybody; to see the end, stop and add --until end");
        }
        demo::announce(&centre, &server.base_url()).await?;
        let keeping = live::keep_database(&centre);
        let served = server.until_stopped().await;
        keeping.abort();
        served?;
        say!("stopping");
    }
    centre.db.stop().await?;
    Ok(())
}
