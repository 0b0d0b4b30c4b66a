//! The officers whose fingers are compared with every application's: opened here, with the centre's keys.

use crate::{Centre, Error};
use resolve::Identities;
use resolve::officers::Officers;
use store::applications::kits;
use store::applications::officers::{self, fingers};

/// Takes over whose fingers are officers', where that is not what is known already.
pub(crate) async fn watch(centre: &Centre, identities: &mut Identities) -> Result<(), Error> {
    let mut conn = centre.db.read().await?;
    let stamp = fingers::stamp(&mut conn).await?;
    if identities.officers().is_of(&stamp) {
        return Ok(());
    }
    let opened = enrol::officers::fingers::open_all(&mut conn, &centre.keys).await?;
    let (kits, credentials) = (kits::all(&mut conn).await?, officers::all(&mut conn).await?);
    drop(conn);
    let watched = move || Officers::new(stamp, opened, &kits, &credentials);
    let watched = tokio::task::spawn_blocking(watched).await?;
    tracing::info!(officers = watched.len(), "officers' fingers are compared with every application's");
    identities.watch(watched);
    Ok(())
}
