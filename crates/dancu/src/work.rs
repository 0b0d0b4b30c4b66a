//! The centre's own work, step by step: open packets, resolve who it is, make batches and sign them. `work` runs the steps
//! for ever, the demo runs them every virtual night.

use crate::centre::Centre;
use anyhow::{Context, Result};
use card::lds::dg3::Finger;
use domain::id::{ApplicationId, BatchId};
use enrol::intake;
use fingerprint::Template;
use issue::{Authority, ChipImages, Fingers, Photos, PinSource};
use packet::{Content, ImagesForChip};
use resolve::{Identities, Opened};
use std::sync::Arc;
use store::UnitScope;

/// Packets opened in one transaction.
const OPEN_AT_ONCE: u32 = 500;
/// Applications resolved in one transaction.
const RESOLVE_AT_ONCE: u32 = 500;
/// Cards of a production batch: what one box of the dispatch room holds.
pub const BATCH_SIZE: u32 = 500;

/// Opens every packet that can be opened. Says how many were valid and how many not.
pub async fn open_packets(centre: &Centre) -> Result<(usize, usize)> {
    let (mut opened, mut rejected) = (0, 0);
    loop {
        let step =
            intake::open_received(&centre.db, Arc::clone(&centre.keys), centre.clock.now(), OPEN_AT_ONCE)
                .await?;
        if step.opened + step.rejected == 0 {
            return Ok((opened, rejected));
        }
        opened += step.opened;
        rejected += step.rejected;
    }
}

/// Loads the register into the linkage index and everyone's fingerprints into the gallery.
pub async fn load_identities(centre: &Centre, scope: &UnitScope) -> Result<Identities> {
    let mut identities = Identities::load(&centre.db, scope).await?;
    let enrolled = Identities::enrolled(&centre.db).await?;
    for page in enrolled.chunks(RESOLVE_AT_ONCE as usize) {
        for (application, content) in
            intake::read_contents(&centre.db, Arc::clone(&centre.keys), page).await?
        {
            identities.enrol(application, &templates(&content)?)?;
        }
    }
    Ok(identities)
}

/// Resolves every application that waits. Says how many were linked and how many became cases.
pub async fn resolve_waiting(centre: &Centre, identities: &mut Identities) -> Result<(usize, usize)> {
    let (mut linked, mut cases) = (0, 0);
    loop {
        let waiting = resolve::waiting(&centre.db, RESOLVE_AT_ONCE).await?;
        if waiting.is_empty() {
            return Ok((linked, cases));
        }
        let mut opened = Vec::with_capacity(waiting.len());
        let contents = intake::read_contents(&centre.db, Arc::clone(&centre.keys), &waiting).await?;
        for (application_id, content) in contents {
            opened.push(Opened { application_id, templates: templates(&content)? });
        }
        let step = resolve::resolve_batch(&centre.db, identities, opened, centre.clock.now()).await?;
        anyhow::ensure!(
            step.linked + step.cases() > 0,
            "{} applications wait to be resolved and none could be; see the log",
            waiting.len()
        );
        linked += step.linked;
        cases += step.cases();
    }
}

/// Puts every accepted application below `scope` into batches for the district and signs their cards. Returns the batches
/// whose results are not in yet, those of an interrupted run included.
pub async fn make_batches(
    centre: &Centre,
    authority: &Arc<Authority>,
    scope: &UnitScope,
    district: &str,
    pins: &dyn PinSource,
) -> Result<Vec<BatchId>> {
    let now = centre.clock.now();
    loop {
        let opened = issue::open_batch(&centre.db, authority, scope, district, BATCH_SIZE, pins, now).await?;
        if opened.blocked > 0 {
            tracing::warn!(
                applications = opened.blocked,
                "no card can be made; see issue_blocked for the reasons"
            );
        }
        if opened.batch.is_none() && opened.blocked == 0 {
            break;
        }
    }
    let batches = issue::unfinished_batches(&centre.db).await?;
    for &batch in &batches {
        let mut conn = centre.db.begin().await?;
        let unsigned = store::issue::intended_cards(&mut conn, batch).await?;
        drop(conn);
        if unsigned.is_empty() {
            continue;
        }
        let applications: Vec<ApplicationId> = unsigned.iter().map(|card| card.application_id).collect();
        let photos = photos(centre, &applications).await?;
        issue::sign_batch(&centre.db, authority, batch, Arc::new(photos), now).await?;
    }
    Ok(batches)
}

/// The photos of these applications and the images of their fingers, from their packets.
pub async fn photos(centre: &Centre, applications: &[ApplicationId]) -> Result<Photos> {
    let contents = intake::read_contents(&centre.db, Arc::clone(&centre.keys), applications).await?;
    Ok(contents.into_iter().map(|(id, content)| (id, images(id, &content))).collect())
}

/// What of a packet goes on a chip.
fn images(application: ApplicationId, content: &Content) -> ChipImages {
    let fingers = match content.images_for_chip() {
        ImagesForChip::None => Fingers::None,
        ImagesForChip::NotTaken => Fingers::NotTaken,
        ImagesForChip::Taken(images) => {
            let finger = |image: &packet::FingerImage| Finger::from_code(image.position.code());
            let jpegs = images.iter().map(|image| (finger(image), image.jpeg.as_bytes()));
            let (fingers, left_out) = Fingers::of_jpegs(jpegs);
            for (_, error) in left_out {
                tracing::warn!(application.id = %application, %error, "left out of DG3");
            }
            fingers
        }
    };
    ChipImages { photo: content.photo.as_bytes().to_vec(), fingers }
}

/// The templates of a packet's fingers; missing fingers have none.
pub fn templates(content: &Content) -> Result<Vec<Template>> {
    content.templates().context("a stored packet")
}

/// One round of everything that needs nobody's decision. Says whether anything was done.
pub async fn round(centre: &Centre, identities: &mut Identities) -> Result<bool> {
    let (opened, rejected) = open_packets(centre).await?;
    let (linked, cases) = resolve_waiting(centre, identities).await?;
    if opened + rejected + linked + cases > 0 {
        tracing::info!(opened, rejected, linked, cases, "worked");
    }
    Ok(opened + rejected + linked + cases > 0)
}
