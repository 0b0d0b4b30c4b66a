//! The centre's own work, step by step: open packets, resolve who it is, make batches and sign them. `work` runs the steps
//! for ever, the demo runs them every virtual night.

use crate::centre::Centre;
use anyhow::{Context, Result};
use card::lds::dg3::{Finger, FingerImage};
use domain::id::{ApplicationId, BatchId};
use enrol::intake;
use packet::{Content, FingerCapture};
use packet::rules::chip_fingers;
use fingerprint::Template;
use issue::{Authority, ChipImages, Fingers, Photos, PinSource};
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

/// What of a packet goes on a chip. An image that is no grey JPEG after all is left out, so that one packet does not hold up a
/// batch; the card's files are put together again in the same way.
fn images(application: ApplicationId, content: &Content) -> ChipImages {
    let image = |image: &packet::FingerImage| {
        let position = Finger::from_code(image.position.code());
        FingerImage::jpeg(position, image.jpeg.as_bytes().to_vec())
            .inspect_err(|error| tracing::warn!(application.id = %application, %error, "left out of DG3"))
            .ok()
    };
    let taken: Vec<FingerImage> = content.finger_images.iter().filter_map(image).collect();
    let fingers = match taken.is_empty() {
        false => Fingers::Taken(taken),
        true if chip_fingers(&content.fingers).is_empty() => Fingers::None,
        true => Fingers::NotTaken,
    };
    ChipImages { photo: content.photo.as_bytes().to_vec(), fingers }
}

/// The templates of a packet's fingers; missing fingers have none.
pub fn templates(content: &Content) -> Result<Vec<Template>> {
    let mut all = Vec::with_capacity(10);
    for finger in &content.fingers {
        if let FingerCapture::Template(bytes) = &finger.capture {
            all.extend(fingerprint::parse(bytes.as_bytes()).context("a stored template")?);
        }
    }
    Ok(all)
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
