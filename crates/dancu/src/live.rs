//! The commands of a running installation: `serve`, `work`, `migrate`.

use std::sync::Arc;

use anyhow::Result;

use centre::work::WhenIdle;
use centre::{Centre, Kits, Photos, Place, installation, work};
use domain::UnitCode;
use store::{Database, OpenOptions};
use ui::say;
use web::{AppState, Server, Settings};

#[derive(Debug, Clone, clap::Args)]
pub struct ServeOptions {
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

#[derive(Debug, Clone, clap::Args)]
pub struct WorkOptions {
    /// The districts for which cards are made, by code or name; without it packets are opened and resolved, and
    /// no cards are made.
    #[arg(long, value_parser = crate::cli::district)]
    district: Vec<UnitCode>,
    /// End when there is nothing left to do, instead of waiting for more.
    #[arg(long)]
    once: bool,
}

pub async fn serve(place: &Place, options: &ServeOptions) -> Result<()> {
    let listener = web::listen(options.port).await?;
    let centre = Centre::open(place).await?;
    let specimen = installation::has_invented_people(&centre.db).await?;
    let state = AppState::of_installation(
        centre.db.clone(),
        Arc::clone(&centre.clock),
        Arc::new(Photos(centre.clone())),
        Arc::new(Kits(centre.clone())),
        Settings { specimen, ..Settings::default() },
    );
    let server = Server::start(listener, state)?;
    if specimen {
        demo::announce(&centre, server.address()).await?;
    } else {
        say!("open       {}/", server.base_url());
    }
    server.until_stopped().await?;
    say!("stopping");
    Ok(())
}

pub async fn work(place: &Place, options: &WorkOptions) -> Result<()> {
    let centre = Centre::open(place).await?;
    let idle = if options.once { WhenIdle::End } else { WhenIdle::Wait };
    Ok(work::run(&centre, &options.district, idle).await?)
}

pub async fn migrate(place: &Place) -> Result<()> {
    let options = OpenOptions { data_dir: place.data.clone(), database_url: place.database_url.clone() };
    let db = Database::open(&options).await?;
    db.migrate().await?;
    say!("the schema is at version {}", db.schema_version().await?);
    Ok(())
}
