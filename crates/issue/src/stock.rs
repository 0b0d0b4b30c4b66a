//! Blank cards: boxes come, people count, and some are spoiled.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use crate::Error;
use crate::outcome::{audit, record_card};
use ::chip::ChipSerial;
use domain::Actor;
use domain::blank::SpoilReason;
use domain::id::BatchId;
use store::Database;
use store::cards::stock::{self, Totals};

/// Blanks in one box at most.
const MOST_BLANKS: usize = 100_000;

/// A box of blanks as its papers describe it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The box's number, from 1.
    pub number: i64,
    pub serials: Vec<ChipSerial>,
    /// The key that the blanks are written with, sealed by the centre for this box; `None` when a machine of
    /// its own writes them.
    pub wrapped_key: Option<Vec<u8>>,
}

/// What came of receiving a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    New,
    /// It was received before with the same blanks; nothing changed.
    Before,
}

/// Takes a box into the stock. Doing it twice changes nothing.
///
/// # Errors
/// [`Error::BoxDiffers`], [`Error::BlankElsewhere`], [`Error::BoxSize`]: the papers contradict what was
/// received before, or name a blank twice. Nothing is stored then.
pub async fn receive_box(
    db: &Database,
    delivery: &Delivery,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Received, Error> {
    let distinct: BTreeSet<ChipSerial> = delivery.serials.iter().copied().collect();
    let given = delivery.serials.len();
    if distinct.len() != given || !(1..=MOST_BLANKS).contains(&given) || delivery.number < 1 {
        return Err(Error::BoxSize { most: MOST_BLANKS, given });
    }
    let serials: Vec<String> = distinct.iter().map(ChipSerial::to_string).collect();
    let number = delivery.number;
    let mut tx = db.begin().await?;
    if !stock::put_box(&mut tx, number, delivery.wrapped_key.as_deref(), actor, now).await? {
        let (was, common) = stock::box_holds(&mut tx, number, &serials).await?;
        if was != given as i64 || common != was {
            return Err(Error::BoxDiffers { number, was, common });
        }
        return Ok(Received::Before);
    }
    let new = stock::put_blanks(&mut tx, number, &serials, now).await?;
    if new != given as u64 {
        return Err(Error::BlankElsewhere { elsewhere: given as u64 - new });
    }
    let detail =
        serde_json::json!({ "blanks": given, "first": serials[0], "key": delivery.wrapped_key.is_some() });
    audit(&mut tx, now, actor, "stock.received", format!("box:{number}"), detail).await?;
    store::commit(tx).await?;
    Ok(Received::New)
}

/// Records how many blanks were counted in the store and on the readers. Says what there should be.
pub async fn count_stock(
    db: &Database,
    counted: u32,
    note: Option<&str>,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Totals, Error> {
    let mut tx = db.begin().await?;
    let totals = stock::totals(&mut tx).await?;
    let counts = (totals.expected(), i64::from(counted));
    let id =
        BatchId::derive(now, &[b"stock count", actor.to_string().as_bytes(), &counted.to_be_bytes()]).uuid();
    stock::put_count(&mut tx, id, actor, counts, note, now).await?;
    let detail = serde_json::json!({ "expected": counts.0, "counted": counts.1 });
    audit(&mut tx, now, actor, "stock.counted", "stock".to_owned(), detail).await?;
    store::commit(tx).await?;
    Ok(totals)
}

/// A blank is lost, broken or badly printed. A card that was being written on it is spoiled with it, and its
/// person waits for another; that card's number is returned.
///
/// # Errors
/// [`Error::NoBlank`]; [`Error::BlankFinished`] when it became a card.
pub async fn spoil_blank(
    db: &Database,
    serial: ChipSerial,
    reason: SpoilReason,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Option<String>, Error> {
    record_card(db, &serial.to_string(), Some(reason), actor, now).await
}
