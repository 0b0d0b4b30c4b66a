//! The commands of a running installation: `serve`, `work`, `migrate`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use time::Time;

use crate::lost;
use centre::{Centre, Kits, Photos, Place, work};
use domain::clock::{SystemClock, VirtualClock};
use domain::id::PersonId;
use domain::unit::UnitTable;
use domain::{Clock, UnitCode};
use store::{Database, OpenOptions, UnitScope};
use web::{AppState, Server, Settings};

#[derive(Debug, Clone, clap::Args)]
pub struct ServeOptions {
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

#[derive(Debug, Clone, clap::Args)]
pub struct WorkOptions {
    /// The districts for which cards are made; without it packets are opened and resolved, and no cards are made.
    #[arg(long)]
    district: Vec<UnitCode>,
    /// End when there is nothing left to do, instead of waiting for more.
    #[arg(long)]
    once: bool,
}

/// How long `work` rests when there was nothing to do.
const REST: Duration = Duration::from_secs(2);
/// How long it waits for a database that is gone.
const RECONNECT: Duration = Duration::from_secs(5);

pub async fn serve(place: &Place, options: &ServeOptions) -> Result<()> {
    let listener = web::listen(options.port).await?;
    let centre = open(place).await?;
    let demonstration = demo_run(&centre).await?;
    let server = Server::start(
        listener,
        AppState::of_installation(
            centre.db.clone(),
            Arc::clone(&centre.clock),
            Arc::new(Photos(centre.clone())),
            Arc::new(Kits(centre.clone())),
            Settings { specimen: demonstration.is_some(), ..Settings::default() },
        ),
    )?;
    match demonstration {
        Some(_) => demo::announce(&centre, server.address()).await?,
        None => println!("open       {}/", server.base_url()),
    }
    server.until_stopped().await?;
    println!("stopping");
    Ok(())
}

pub async fn work(place: &Place, options: &WorkOptions) -> Result<()> {
    let centre = open(place).await?;
    let mut identities = work::load_identities(&centre, &UnitScope::everything()).await?;
    loop {
        match work_round(&centre, &mut identities, options).await {
            Ok(true) => {}
            Ok(false) if options.once => return Ok(()),
            Ok(false) => tokio::time::sleep(REST).await,
            Err(error) if !options.once && lost::is_lost(&error) => {
                tracing::warn!("the database is gone; trying again in {} s", RECONNECT.as_secs());
                tokio::time::sleep(RECONNECT).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn work_round(
    centre: &Centre,
    identities: &mut resolve::Identities,
    options: &WorkOptions,
) -> Result<bool> {
    let mut busy = work::round(centre, identities).await?;
    let rng: Mutex<StdRng> = Mutex::new(rand::make_rng());
    let pins = |_: PersonId, _: u32| rng.lock().unwrap_or_else(|p| p.into_inner()).next_u32() % 1_000_000;
    for &district in &options.district {
        let path = UnitTable::official_2021()
            .path(district)
            .with_context(|| format!("there is no unit {district}"))?;
        let scope = UnitScope::parse(&path)?;
        let authority = centre.authority().await?;
        let before = count_intended(centre).await?;
        work::make_batches(centre, &authority, &scope, &district.to_string(), &pins).await?;
        busy |= count_intended(centre).await? != before;
    }
    Ok(busy)
}

async fn count_intended(centre: &Centre) -> Result<usize> {
    Ok(issue::unfinished_batches(&centre.db).await?.len())
}

pub async fn migrate(place: &Place) -> Result<()> {
    let options = OpenOptions { data_dir: place.data.clone(), database_url: place.database_url.clone() };
    let db = Database::open(&options).await?;
    db.migrate().await?;
    println!("the schema is at version {}", db.schema_version().await?);
    Ok(())
}

/// Opens the centre under the machine's clock; in a data directory of a demonstration, under the clock that its last day
/// left behind.
pub async fn open(place: &Place) -> Result<Centre> {
    let mut centre = Centre::open(place, Arc::new(SystemClock)).await?;
    if let Some((_, Some(day))) = demo_run(&centre).await? {
        let evening = Time::from_hms(23, 59, 0)?;
        let clock: Arc<dyn Clock> =
            Arc::new(VirtualClock::at(day.with_time(evening).assume_offset(domain::clock::VIETNAM)));
        centre.clock = clock;
    }
    Ok(centre)
}

/// The district and the last day of the demonstration that this data directory holds.
pub async fn demo_run(centre: &Centre) -> Result<Option<(UnitCode, Option<time::Date>)>> {
    let mut conn = centre.db.begin().await?;
    let Some(run) = store::progress::load(&mut conn, "demo.run").await? else { return Ok(None) };
    let day = match store::progress::load(&mut conn, "demo.day").await? {
        Some(Value::String(day)) => Some(crate::cli::date(&day)?),
        _ => None,
    };
    let district = run["district"].as_str().context("the demonstration's district")?.parse()?;
    Ok(Some((district, day)))
}
