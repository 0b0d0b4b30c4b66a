//! A card after it was handed over: out of force for the time being, in force again, out of force for good.
//! These are acts of the issuer, as the revocation of a certificate is, and stand beside the making of cards
//! for that reason; applications are not touched by them.

use time::{OffsetDateTime, Time};

use crate::Error;
use domain::Actor;
use domain::card::{CardAction, CardError, CardState, ReinstateReason, RevokeReason, SuspendReason};
use domain::clock::{VIETNAM, day_in_vietnam};
use domain::id::CardId;
use store::audit::{self, Entry};
use store::cards::{self, record};
use store::{Database, PgConnection};

/// Cards that expire in one transaction.
const EXPIRE_AT_ONCE: u32 = 500;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The card stands where it was to stand from now on.
    Now,
    /// It stood there before; nothing was recorded, whatever the reason was.
    Before,
}

/// Takes a card out of force for the time being. Doing it twice changes nothing.
///
/// # Errors
/// [`Error::NoCard`]; [`Error::CardLife`] when the card is not active.
pub async fn suspend(
    db: &Database,
    card: CardId,
    reason: SuspendReason,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Came, Error> {
    act(db, card, CardAction::Suspend(reason), CardState::Suspended, actor, now).await
}

/// Puts a suspended card in force again. Doing it twice changes nothing.
///
/// # Errors
/// [`Error::NoCard`]; [`Error::CardLife`] when the card is neither suspended nor active.
pub async fn reinstate(
    db: &Database,
    card: CardId,
    reason: ReinstateReason,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Came, Error> {
    act(db, card, CardAction::Reinstate(reason), CardState::Active, actor, now).await
}

/// Takes a card out of force for good: in its holder's hand, suspended, or finished and not fetched yet. Its
/// holder may get another. Doing it twice changes nothing.
///
/// # Errors
/// [`Error::NoCard`]; [`Error::CardLife`] when the card is being made or its life is over in another way.
pub async fn revoke(
    db: &Database,
    card: CardId,
    reason: RevokeReason,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Came, Error> {
    act(db, card, CardAction::Revoke(reason), CardState::Revoked, actor, now).await
}

async fn act(
    db: &Database,
    card: CardId,
    action: CardAction,
    goal: CardState,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Came, Error> {
    let mut tx = db.begin().await?;
    let transition = record::Transition { card_id: card, action, at: now, actor: actor.clone() };
    let recorded = record::record(&mut tx, now, &[transition]).await?;
    match recorded.refused.into_iter().next() {
        None => {}
        Some((_, CardError::NoBeginning(_))) => return Err(Error::NoCard(card)),
        Some((_, CardError::NotAllowed { state, .. })) if state == goal => return Ok(Came::Before),
        Some((_, reason)) => return Err(Error::CardLife { card, reason }),
    }
    audit_all(&mut tx, &[card], action, actor, now).await?;
    store::commit(tx).await?;
    Ok(Came::Now)
}

/// Ends the cards whose last day is over in Vietnam. Returns how many there were.
///
/// # Errors
/// Those of the database.
pub async fn expire(db: &Database, now: OffsetDateTime) -> Result<usize, Error> {
    let today = day_in_vietnam(now);
    let mut all = 0;
    loop {
        let mut tx = db.begin().await?;
        let over = cards::past_last_day(&mut tx, today, EXPIRE_AT_ONCE).await?;
        if over.is_empty() {
            return Ok(all);
        }
        // It is valid through its last day, and what is recorded later happened when that day was over.
        let transitions: Vec<record::Transition> = over
            .iter()
            .map(|(card_id, last_day)| record::Transition {
                card_id: *card_id,
                action: CardAction::Expire,
                at: last_day.next_day().unwrap_or(today).with_time(Time::MIDNIGHT).assume_offset(VIETNAM),
                actor: Actor::Centre,
            })
            .collect();
        all += record::record(&mut tx, now, &transitions).await?.applied;
        let ids: Vec<CardId> = over.iter().map(|(card, _)| *card).collect();
        audit_all(&mut tx, &ids, CardAction::Expire, &Actor::Centre, now).await?;
        store::commit(tx).await?;
    }
}

/// A row of the audit trail for each card.
async fn audit_all(
    tx: &mut PgConnection,
    ids: &[CardId],
    action: CardAction,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let units = cards::unit_paths(tx, ids).await?;
    let entry = |card: &CardId| Entry {
        at: now,
        actor: actor.clone(),
        action: format!("card.{}", action.code()),
        subject: format!("card:{card}"),
        unit_path: units.get(card).cloned().unwrap_or_default(),
        detail: serde_json::json!({ "reason": action.reason() }),
    };
    let entries: Vec<Entry> = ids.iter().map(entry).collect();
    Ok(audit::append_all(tx, &entries).await?)
}
