//! What became of cards in production, one by one or a whole batch at once: rows of cards, blanks, batch and
//! applications.

use time::OffsetDateTime;

use crate::Error;
use domain::Actor;
use domain::application::Action;
use domain::blank::{BlankState, SpoilReason};
use domain::card::CardState;
use domain::id::{ApplicationId, BatchId, CardId};
use store::applications::{self, Transition};
use store::cards::{batches, stock};
use store::{Database, PgConnection};

/// What the printer made of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Printed,
    Spoiled,
}

/// Records the printer's results: `spoiled` lists positions (from 1) whose card came out bad. A spoiled
/// card's application goes back to wait for another batch, and its number is never used again. Every card
/// used up a blank: the next of the stock, in the order of the cards.
///
/// Doing it twice changes nothing.
///
/// # Errors
/// [`Error::StockShort`] when fewer blanks were received than cards came back; [`Error::BeingWritten`] when
/// cards of the batch are written one by one.
pub async fn record_results(
    db: &Database,
    batch: BatchId,
    spoiled: &[i32],
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
    let outcome =
        |position: i32| if spoiled.contains(&position) { Outcome::Spoiled } else { Outcome::Printed };
    if let Some(&position) = spoiled.iter().find(|p| !items.iter().any(|item| item.position == **p)) {
        return Err(Error::NoItem { batch, position });
    }
    if let Some(item) = items.iter().find(|item| item.card_state != CardState::Signed) {
        return Err(Error::NoItem { batch, position: item.position });
    }
    if stock::taken_for(&mut tx, batch).await? > 0 {
        return Err(Error::BeingWritten(batch));
    }
    let (mut good, mut bad, mut actions) = (Vec::new(), Vec::new(), Vec::new());
    for item in &items {
        let (list, action) = match outcome(item.position) {
            Outcome::Printed => (&mut good, Action::Print),
            Outcome::Spoiled => (&mut bad, Action::Spoil),
        };
        list.push(item.card_id);
        actions.push((item.application_id, action));
    }
    for (cards, reason) in [(&good, None), (&bad, Some(SpoilReason::Printer))] {
        let there = stock::take_blanks(&mut tx, cards, reason, now).await?;
        if there < cards.len() as u64 {
            return Err(Error::StockShort { needed: cards.len(), there });
        }
        batches::put_outcomes(&mut tx, batch, cards, reason, &Actor::Centre, now).await?;
    }
    batches::close_if_complete(&mut tx, batch, now).await?;
    record(&mut tx, now, actions, batch, &Actor::Centre).await?;
    let counts = serde_json::json!({ "printed": good.len(), "spoiled": bad.len() });
    let subject = format!("batch:{batch}");
    audit(&mut tx, now, &Actor::Centre, "batch.close", subject, counts).await?;
    store::commit(tx).await?;
    Ok((good.len(), bad.len()))
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
