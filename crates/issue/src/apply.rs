//! Batches: open (allocate, intend) and sign.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::chip::{self, ChipFiles, ChipImages};
use crate::decide::{self, PinSource};
use crate::outcome::record;
use crate::{Authority, Error, Face};
use domain::application::Action;
use domain::clock::day_in_vietnam;
use domain::id::{ApplicationId, BatchId, CardId, PersonId};
use domain::profile::Profile;
use domain::{Actor, Pin};
use store::audit::{self, Entry};
use store::cards::{self, batches};
use store::register::pins;
use store::{Database, PgConnection, UnitScope};

/// Photos, and images of fingers, by application.
pub type Photos = HashMap<ApplicationId, ChipImages>;

/// Tries to find a free PIN for one person before the number space is called full.
const PIN_TRIES: u32 = 50;

/// Cards in one batch at most: a box of blanks holds ten thousand, and their numbers have four digits for the
/// place.
const MOST_CARDS: u32 = 9_999;

/// What came of opening a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchSummary {
    /// `None` when there was nothing to put into a batch.
    pub batch: Option<BatchId>,
    pub cards: usize,
    pub pins_allocated: usize,
    /// Applications from which no card can be made; they are listed with their reason in `issue_blocked`.
    pub blocked: usize,
}

/// Takes up to `most` (and never more than 9,999) accepted applications below `scope` (a district's path),
/// allocates the PINs that are missing, records an intended card for each, and puts them into a batch for the
/// district, all in one transaction.
pub async fn open_batch(
    db: &Database,
    authority: &Authority,
    scope: &UnitScope,
    district: &str,
    most: u32,
    pins: &dyn PinSource,
    now: OffsetDateTime,
) -> Result<BatchSummary, Error> {
    let mut tx = db.begin().await?;
    let issued = day_in_vietnam(now);
    // What the card shows or stores is not made while somebody is asked whether it is right.
    let held = Profile::official().card_fields(issued)?;
    let taken = cards::take_ready(&mut tx, scope, most.min(MOST_CARDS), &held).await?;
    let mut summary = BatchSummary::default();
    if taken.is_empty() {
        return Ok(summary);
    }
    let ready = settle(&mut tx, taken, now, &mut summary).await?;
    let allocated = match allocate_pins(&mut tx, &ready, pins, now, &mut summary).await {
        Ok(allocated) => allocated,
        Err(error) => {
            // Awaited, because a transaction that is only dropped keeps its people locked for a moment.
            tx.rollback().await.map_err(store::Error::from)?;
            return Err(error);
        }
    };
    let number = batches::next_batch_number(&mut tx).await?;
    let batch = BatchId::derive(now, &[&number.to_be_bytes()]);
    let mut cards = Vec::new();
    for item in &ready {
        let Some(pin) = item.pin.or_else(|| allocated.get(&item.person_id).copied()) else { continue };
        let face = Face::new(&item.record, pin, issued)?;
        if let Err(error) = face.printable() {
            cards::block(&mut tx, item.application_id, "card_data", &error.to_string(), now).await?;
            summary.blocked += 1;
            continue;
        }
        cards.push(intended_card(item, pin, &face, batch, number, cards.len(), authority));
    }
    if cards.is_empty() {
        store::commit(tx).await?;
        return Ok(summary);
    }
    let manifest = manifest_sha256(cards.iter().map(|card| (card.application_id, card.card_id)));
    batches::put_batch(&mut tx, batch, number, district, cards.len() as i32, &manifest, now).await?;
    cards::put_cards(&mut tx, batch, &cards, &Actor::Centre, now).await?;
    let batched = cards.iter().map(|card| (card.application_id, Action::Batch));
    record(&mut tx, now, batched, batch, &Actor::Centre).await?;
    let opened = Entry {
        at: now,
        actor: Actor::Centre,
        action: "batch.open".to_owned(),
        subject: format!("batch:{batch}"),
        unit_path: scope.as_str().to_owned(),
        detail: serde_json::json!({ "cards": cards.len() }),
    };
    audit::append(&mut tx, &opened).await?;
    store::commit(tx).await?;
    summary.batch = Some(batch);
    summary.cards = cards.len();
    Ok(summary)
}

/// Puts the register's values into the records of those about whom a correction was decided.
async fn settle(
    tx: &mut PgConnection,
    taken: Vec<cards::Ready>,
    now: OffsetDateTime,
    summary: &mut BatchSummary,
) -> Result<Vec<cards::Ready>, Error> {
    let mut ready = Vec::with_capacity(taken.len());
    for mut item in taken {
        if let Some(settled) = &item.settled {
            match decide::as_settled(&item.record, settled) {
                Ok(record) => item.record = record,
                Err(faults) => {
                    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
                    cards::block(tx, item.application_id, "card_data", &said.join("; "), now).await?;
                    summary.blocked += 1;
                    continue;
                }
            }
        }
        ready.push(item);
    }
    Ok(ready)
}

fn intended_card(
    item: &cards::Ready,
    pin: Pin,
    face: &Face,
    batch: BatchId,
    number: i64,
    position: usize,
    authority: &Authority,
) -> cards::IntendedCard {
    let card_id =
        CardId::derive(OffsetDateTime::UNIX_EPOCH, &[batch.uuid().as_bytes(), &position.to_be_bytes()]);
    cards::IntendedCard {
        card_id,
        // Blanks come in boxes of ten thousand with printed numbers; a batch uses one box's next blanks.
        number: format!("{number:06}{:04}", position + 1),
        application_id: item.application_id,
        person_id: item.person_id,
        pin: pin.as_str().to_owned(),
        issued_on: face.issued_on(),
        expires_on: face.expires_on(),
        ds_serial: authority.serial.clone(),
        token_sha256: token(card_id).to_vec(),
        face: serde_json::to_value(face).expect("a face is plain data"),
        unit_code: item.unit_code.clone(),
        unit_path: item.unit_path.clone(),
    }
}

/// The signing token's hash. The token itself is the card's id: whoever stores the signature must find the
/// card still intended with this hash, and changes both, so that it can be done once.
fn token(card: CardId) -> [u8; 32] {
    Sha256::digest(card.uuid().as_bytes()).into()
}

/// Finds a number for everyone who has none and records it in the register.
async fn allocate_pins(
    tx: &mut PgConnection,
    ready: &[cards::Ready],
    source: &dyn PinSource,
    now: OffsetDateTime,
    summary: &mut BatchSummary,
) -> Result<HashMap<PersonId, Pin>, Error> {
    let mut allocated = HashMap::new();
    let mut waiting: Vec<&cards::Ready> = ready.iter().filter(|item| item.pin.is_none()).collect();
    for attempt in 0..PIN_TRIES {
        if waiting.is_empty() {
            break;
        }
        let mut wanted = Vec::new();
        let mut without = Vec::new();
        for item in waiting {
            match decide::pin(&item.record, item.person_id, attempt, source) {
                Ok(pin) => wanted.push((item.person_id, pin)),
                Err(error) => {
                    cards::block(tx, item.application_id, "no_pin_structure", &error.to_string(), now)
                        .await?;
                    summary.blocked += 1;
                    without.push(item.person_id);
                }
            }
        }
        let outcome = pins::allocate_pins(tx, &wanted, now).await?;
        allocated.extend(outcome.given);
        for (person, refused) in outcome.refused {
            // The reason is the person's, whatever the number: the others go on.
            for item in ready.iter().filter(|item| item.person_id == person) {
                cards::block(tx, item.application_id, "no_pin", &refused.to_string(), now).await?;
                summary.blocked += 1;
            }
            without.push(person);
        }
        waiting = ready
            .iter()
            .filter(|i| {
                i.pin.is_none() && !allocated.contains_key(&i.person_id) && !without.contains(&i.person_id)
            })
            .collect();
    }
    summary.pins_allocated = allocated.len();
    if waiting.is_empty() { Ok(allocated) } else { Err(Error::PinSpace { tries: PIN_TRIES }) }
}

/// Signs the cards of a batch that are only intended. A card for which `photos` holds none waits: its packet
/// was altered, and the batch is not finished before it is whole again.
///
/// Returns how many were signed now. Signing runs outside any transaction, on all cores.
///
/// # Errors
/// [`Error::SigningPeriodOver`] once the document signer's key may sign no more. Nothing is stored then.
pub async fn sign_batch(
    db: &Database,
    authority: &Arc<Authority>,
    batch: BatchId,
    photos: Arc<Photos>,
    now: OffsetDateTime,
) -> Result<usize, Error> {
    if let Some(until) = authority.signs_until().filter(|until| *until < now) {
        return Err(Error::SigningPeriodOver { until });
    }
    let mut conn = db.read().await?;
    let intended = cards::intended_cards(&mut conn, batch).await?;
    drop(conn);
    let ds_serial = authority.serial.clone();
    let authority = Arc::clone(authority);
    let signed = tokio::task::spawn_blocking(move || {
        intended
            .par_iter()
            .filter_map(|card| Some(sign_card(card, &authority, photos.get(&card.application_id)?)))
            .collect::<Result<Vec<_>, Error>>()
    })
    .await??;
    let mut tx = db.begin().await?;
    let redeemed = cards::record::sign(&mut tx, &ds_serial, &signed, &Actor::Centre, now).await?;
    store::commit(tx).await?;
    Ok(redeemed)
}

fn sign_card(
    card: &cards::CardToSign,
    authority: &Authority,
    images: &ChipImages,
) -> Result<cards::SignedCard, Error> {
    let face: Face = serde_json::from_value(card.face.clone()).map_err(|e| store::Error::Inconsistent {
        table: "card",
        row: card.card_id.to_string(),
        reason: format!("face: {}", e.classify() as u8),
    })?;
    let keys = authority.chip_keys.as_ref().map(|source| source.keys(card.card_id));
    let signer = authority.signer.as_ref();
    let (files, qr) = chip::build(&face, images, &authority.template, signer, keys.as_ref())?;
    let ChipFiles { dg1, dg13, sod, .. } = files;
    Ok(cards::SignedCard {
        card_id: card.card_id,
        token_sha256: token(card.card_id).to_vec(),
        dg1,
        dg13,
        sod,
        qr,
    })
}

/// Batches whose cards are not all signed or whose results are not in: what a restarted worker finishes
/// first.
pub async fn unfinished_batches(db: &Database) -> Result<Vec<BatchId>, Error> {
    let mut conn = db.read().await?;
    Ok(batches::unfinished_batches(&mut conn).await?)
}

/// SHA-256 over the (application, card) pairs in their order: what the box's packing list is checked against.
fn manifest_sha256(items: impl Iterator<Item = (ApplicationId, CardId)>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for (application, card) in items {
        hash.update(application.uuid().as_bytes());
        hash.update(card.uuid().as_bytes());
    }
    hash.finalize().to_vec()
}
