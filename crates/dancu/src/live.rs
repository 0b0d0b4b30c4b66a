//! The commands of a running installation: `serve`, `work`, `migrate`.

use std::sync::Arc;

use anyhow::Result;

use centre::work::WhenIdle;
use centre::{Centre, Installation, Kits, Photos, Place, installation, work};
use domain::UnitCode;
use ui::{say, tell};
use web::{AppState, Server, Settings};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServeOptions {
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkOptions {
    /// The districts for which cards are made, by code or name; without it packets are opened and resolved,
    /// and no cards are made.
    #[arg(long, value_parser = crate::cli::district)]
    district: Vec<UnitCode>,
    /// End when there is nothing left to do, instead of waiting for more.
    #[arg(long)]
    once: bool,
}

pub(crate) async fn serve(place: &Place, options: &ServeOptions) -> Result<()> {
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

pub(crate) async fn work(place: &Place, options: &WorkOptions) -> Result<()> {
    let centre = Centre::open(place).await?;
    let idle = if options.once { WhenIdle::End } else { WhenIdle::Wait };
    Ok(work::run(&centre, &options.district, idle).await?)
}

pub(crate) async fn migrate(place: &Place) -> Result<()> {
    if !installation::is_there(place)? {
        making(place)?;
    }
    let installation = Installation::make(place).await?;
    say!("the schema is at version {}", installation.db.schema_version().await?);
    Ok(())
}

/// Says that a new installation is made, and where: whoever meant another directory sees it at once.
pub(crate) fn making(place: &Place) -> Result<()> {
    let data = std::path::absolute(&place.data)?;
    tell!("dancu: there is no installation in {}; a new one is made", data.display());
    Ok(())
}
