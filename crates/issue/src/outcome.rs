//! What became of cards in production, one by one or a whole batch at once: rows of cards, blanks, batch and
//! applications.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;

use crate::Error;
use ::chip::ChipSerial;
use domain::Actor;
use domain::application::Action;
use domain::blank::{BlankState, SpoilReason};
use domain::card::CardState;
use domain::id::{ApplicationId, BatchId, CardId};
use store::applications::{self, Transition};
use store::cards::{batches, stock};
use store::{Database, PgConnection};

/// What the printer made of one item of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameOut {
    /// Its position, from 1.
    pub position: i32,
    /// Why it is waste; `None` for a good card.
    pub spoiled: Option<SpoilReason>,
    /// The blank it was written on; the next of the stock when nobody says.
    pub serial: Option<ChipSerial>,
}

/// As [`record_outcomes`]: `spoiled` lists positions (from 1) whose card came out bad, all others are good.
///
/// # Errors
/// Those of [`record_outcomes`].
pub async fn record_results(
    db: &Database,
    batch: BatchId,
    spoiled: &[i32],
    now: OffsetDateTime,
) -> Result<(usize, usize), Error> {
    let mut conn = db.read().await?;
    let items = batches::batch_items(&mut conn, batch).await?;
    drop(conn);
    if let Some(&position) = spoiled.iter().find(|p| !items.iter().any(|item| item.position == **p)) {
        return Err(Error::NoItem { batch, position });
    }
    let came_out = |item: &batches::BatchItem| CameOut {
        position: item.position,
        spoiled: spoiled.contains(&item.position).then_some(SpoilReason::Printer),
        serial: None,
    };
    let outcomes: Vec<CameOut> = items.iter().map(came_out).collect();
    record_outcomes(db, batch, &outcomes, &Actor::Centre, now).await
}

/// Records what the printer made of every card of a batch. A spoiled card's application goes back to wait for
/// another batch, and its number is never used again. Every card used up a blank: the one that is named, else
/// the next of the stock, good cards first, in their order.
///
/// Doing it twice changes nothing. Returns how many are good and how many are not.
///
/// # Errors
/// [`Error::NoBatch`]; [`Error::NoItem`] for a card that is not signed or about which nothing is said;
/// [`Error::StockShort`] when fewer blanks were received than cards came back; [`Error::BeingWritten`] when
/// cards of the batch are written one by one.
pub async fn record_outcomes(
    db: &Database,
    batch: BatchId,
    outcomes: &[CameOut],
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(usize, usize), Error> {
    let mut tx = db.begin().await?;
    let Some(row) = batches::lock_batch(&mut tx, batch).await? else {
        return Err(Error::NoBatch(batch));
    };
    if let (Some(printed), Some(spoiled)) = (row.printed, row.spoiled) {
        return Ok((printed as usize, spoiled as usize));
    }
    let items = batches::batch_items(&mut tx, batch).await?;
    if let Some(item) = items.iter().find(|item| item.card_state != CardState::Signed) {
        return Err(Error::NoItem { batch, position: item.position });
    }
    if stock::taken_for(&mut tx, batch).await? > 0 {
        return Err(Error::BeingWritten(batch));
    }
    let said: HashMap<i32, &CameOut> = outcomes.iter().map(|outcome| (outcome.position, outcome)).collect();
    let mut groups: BTreeMap<Option<SpoilReason>, Group> = BTreeMap::new();
    let mut actions = Vec::new();
    for item in &items {
        let outcome = said.get(&item.position).ok_or(Error::NoItem { batch, position: item.position })?;
        let group = groups.entry(outcome.spoiled).or_default();
        group.cards.push(item.card_id);
        match outcome.serial {
            Some(serial) => group.named.push((item.card_id, serial.to_string())),
            None => group.unnamed.push(item.card_id),
        }
        let action = if outcome.spoiled.is_some() { Action::Spoil } else { Action::Print };
        actions.push((item.application_id, action));
    }
    // Named blanks first, so that no other card takes them.
    for (&reason, group) in &groups {
        let there = stock::take_named(&mut tx, &group.named, reason, now).await?;
        if there < group.named.len() as u64 {
            return Err(Error::StockShort { needed: group.named.len(), there });
        }
    }
    for (&reason, Group { cards, unnamed, .. }) in &groups {
        let there = stock::take_blanks(&mut tx, unnamed, reason, now).await?;
        if there < unnamed.len() as u64 {
            return Err(Error::StockShort { needed: unnamed.len(), there });
        }
        batches::put_outcomes(&mut tx, batch, cards, reason, by, now).await?;
    }
    batches::close_if_complete(&mut tx, batch, now).await?;
    record(&mut tx, now, actions, batch, by).await?;
    let good = groups.get(&None).map_or(0, |group| group.cards.len());
    let bad = items.len() - good;
    let counts = serde_json::json!({ "printed": good, "spoiled": bad });
    audit(&mut tx, now, by, "batch.close", format!("batch:{batch}"), counts).await?;
    store::commit(tx).await?;
    Ok((good, bad))
}

/// The cards of a batch with one outcome.
#[derive(Default)]
struct Group {
    cards: Vec<CardId>,
    /// Those whose blank is known, with its serial number.
    named: Vec<(CardId, String)>,
    unnamed: Vec<CardId>,
}

/// Records what became of one card whose blank is being written: used, or spoiled for a reason. Returns the
/// card's number. Doing it twice changes nothing.
pub(crate) async fn record_card(
    db: &Database,
    serial: &str,
    spoiled: Option<SpoilReason>,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let mut tx = db.begin().await?;
    let Some(blank) = stock::lock_blank(&mut tx, serial).await? else {
        return Err(Error::NoBlank(serial.to_owned()));
    };
    let ended = if spoiled.is_some() { BlankState::Spoiled } else { BlankState::Used };
    if blank.state == ended {
        return Ok(blank.card_number);
    }
    let expected =
        blank.state == BlankState::Writing || (blank.state == BlankState::InStock && spoiled.is_some());
    if !expected {
        return Err(Error::BlankFinished { serial: serial.to_owned(), state: blank.state });
    }
    stock::finish_blank(&mut tx, serial, spoiled, now).await?;
    let detail = serde_json::json!({ "blank": serial, "reason": spoiled.map(SpoilReason::code) });
    match blank.card_id {
        Some(card) => {
            finish_card(&mut tx, card, spoiled, actor, now).await?;
            let action = if spoiled.is_some() { "card.spoiled" } else { "card.personalised" };
            audit(&mut tx, now, actor, action, format!("card:{card}"), detail).await?;
        }
        None => {
            audit(&mut tx, now, actor, "stock.spoiled", format!("box:{}", blank.box_number), detail).await?
        }
    }
    store::commit(tx).await?;
    Ok(blank.card_number)
}

async fn finish_card(
    tx: &mut PgConnection,
    card: CardId,
    spoiled: Option<SpoilReason>,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let inconsistent = |reason: &str| {
        let (row, reason) = (card.to_string(), reason.to_owned());
        Error::Store(store::Error::Inconsistent { table: "card", row, reason })
    };
    let Some(item) = batches::card_item(tx, card).await? else {
        return Err(inconsistent("a blank was taken for it, and it is in no batch"));
    };
    // One after the other with whoever else finishes cards of this batch, so that the last of them closes it.
    batches::lock_batch(tx, item.batch_id).await?;
    if batches::put_outcomes(tx, item.batch_id, &[card], spoiled, actor, now).await? != 1 {
        return Err(inconsistent("a blank is being written for it, and it is not signed"));
    }
    batches::close_if_complete(tx, item.batch_id, now).await?;
    let action = if spoiled.is_some() { Action::Spoil } else { Action::Print };
    record(tx, now, [(item.application_id, action)], item.batch_id, actor).await
}

pub(crate) async fn audit(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    action: &str,
    subject: String,
    detail: serde_json::Value,
) -> Result<(), Error> {
    let entry = store::audit::Entry {
        at: now,
        actor: actor.clone(),
        action: action.to_owned(),
        subject,
        unit_path: String::new(),
        detail,
    };
    Ok(store::audit::append(tx, &entry).await?)
}

pub(crate) async fn record(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actions: impl IntoIterator<Item = (ApplicationId, Action)>,
    batch: BatchId,
    actor: &Actor,
) -> Result<(), Error> {
    let transitions: Vec<Transition> = actions
        .into_iter()
        .map(|(application_id, action)| Transition {
            application_id,
            action,
            at: now,
            actor: actor.clone(),
            reference: Some(batch.uuid()),
            detail: None,
        })
        .collect();
    let recorded = applications::record(tx, now, &transitions).await?;
    match recorded.refused.first() {
        None => Ok(()),
        Some((application, reason)) => Err(Error::Store(store::Error::Inconsistent {
            table: "application",
            row: application.to_string(),
            reason: reason.to_string(),
        })),
    }
}
