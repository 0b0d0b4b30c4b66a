//! The life of cards as rows: recorded actions, and beside them the state that they lead to.
//!
//! `card.state` and `card_action` are written here and nowhere else, so that the state is always the fold of
//! the recorded actions; [`check_folds`](super::history::check_folds) proves it. A card begins with
//! [`intend`]. Two more steps have a statement of their own, because they do more than to move: [`sign`]
//! redeems the signing token and stores the chip's data, and [`hand_over`] finds the card that is handed over
//! and those of its holder that it replaces.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{IntendedCard, SignedCard};
use crate::Error;
use crate::platform::audit::to_microseconds;
use crate::platform::recordings::{self, Act, Kind};
use domain::Actor;
use domain::card::{CardAction, CardError, CardState, next};
use domain::id::{ApplicationId, CardId};

/// One thing that happened to one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub card_id: CardId,
    pub action: CardAction,
    /// When it happened, by the clock of whoever did it.
    pub at: OffsetDateTime,
    pub actor: Actor,
}

/// What came of a list of transitions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    pub applied: usize,
    /// In the order of the transitions. A card that does not exist is refused as one without a beginning.
    pub refused: Vec<(CardId, CardError)>,
}

/// A card that its holder took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    pub application_id: ApplicationId,
    pub at: OffsetDateTime,
    /// Who handed it over.
    pub actor: Actor,
}

/// Adds cards, each with its action `intend`.
///
/// # Errors
/// Those of the database: a number or a signing token is used once, and a person has one card in production.
pub async fn intend(
    tx: &mut PgConnection,
    cards: &[IntendedCard],
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO card (card_id, number, application_id, person_id, pin, state, actions, issued_on, \
                           expires_on, ds_serial, token_sha256, face, unit_code, unit_path, intended_at) \
         SELECT card_id, number, application_id, person_id, pin, $14, 1, issued_on, expires_on, ds_serial, \
                token_sha256, face, unit_code, unit_path, $13 \
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::date[], $7::date[], \
                     $8::text[], $9::bytea[], $10::jsonb[], $11::text[], $12::text[]) \
         AS t (card_id, number, application_id, person_id, pin, issued_on, expires_on, ds_serial, \
               token_sha256, face, unit_code, unit_path)",
    )
    .bind(cards.iter().map(|c| c.card_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.number.as_str()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.application_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.person_id.uuid()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.pin.as_str()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.issued_on).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.expires_on).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.ds_serial.as_str()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.token_sha256.as_slice()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.face.clone()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.unit_code.as_str()).collect::<Vec<_>>())
    .bind(cards.iter().map(|c| c.unit_path.as_str()).collect::<Vec<_>>())
    .bind(now)
    .bind(CardState::Intended.code())
    .execute(&mut *tx)
    .await?;
    let mut actions = ActionRows::default();
    for card in cards {
        actions.push(card.application_id.uuid(), &card.unit_path, 1, &intent(card.card_id, actor, now));
    }
    actions.insert(tx, now).await
}

fn intent(card_id: CardId, actor: &Actor, at: OffsetDateTime) -> Transition {
    Transition { card_id, action: CardAction::Intend, at, actor: actor.clone() }
}

/// Redeems the signing tokens of cards that are still intended and stores what was signed; their signer may
/// be a newer one than was intended. Returns how many it was: a token that is spent, or is not the card's,
/// changes nothing.
///
/// # Errors
/// Those of the database.
pub async fn sign(
    tx: &mut PgConnection,
    ds_serial: &str,
    cards: &[SignedCard],
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<usize, Error> {
    let standings = lock(tx, cards.iter().map(|card| card.card_id)).await?;
    let mut actions = ActionRows::default();
    let (mut signed, mut seqs) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for card in cards {
        let Some(standing) = standings.get(&card.card_id) else { continue };
        let is_due = next(Some(standing.state), CardAction::Sign).is_ok();
        // A card that is in the list twice is signed once.
        if is_due && standing.token_sha256 == card.token_sha256 && seen.insert(card.card_id) {
            let seq = standing.actions + 1;
            let signing = Transition { action: CardAction::Sign, ..intent(card.card_id, actor, now) };
            actions.push(standing.application, &standing.unit_path, seq, &signing);
            signed.push(card);
            seqs.push(seq);
        }
    }
    if signed.is_empty() {
        return Ok(0);
    }
    actions.insert(tx, now).await?;
    sqlx::query(
        "UPDATE card SET state = $9, actions = t.actions, ds_serial = $8, dg1 = t.dg1, dg13 = t.dg13, \
                         sod = t.sod, qr = t.qr, signed_at = $7 \
         FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[]) \
         AS t (card_id, actions, dg1, dg13, sod, qr) WHERE card.card_id = t.card_id",
    )
    .bind(signed.iter().map(|c| c.card_id.uuid()).collect::<Vec<_>>())
    .bind(seqs)
    .bind(signed.iter().map(|c| c.dg1.as_slice()).collect::<Vec<_>>())
    .bind(signed.iter().map(|c| c.dg13.as_slice()).collect::<Vec<_>>())
    .bind(signed.iter().map(|c| c.sod.as_slice()).collect::<Vec<_>>())
    .bind(signed.iter().map(|c| c.qr.as_str()).collect::<Vec<_>>())
    .bind(now)
    .bind(ds_serial)
    .bind(CardState::Signed.code())
    .execute(tx)
    .await?;
    Ok(signed.len())
}

/// The personalised cards of these applications become active; what the same people had in force, or
/// suspended, is replaced first.
///
/// # Errors
/// [`Error::Inconsistent`] when an application has no personalised card: nobody is handed a card that does
/// not count.
pub async fn hand_over(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    handed: &[Handed],
) -> Result<(), Error> {
    if handed.is_empty() {
        return Ok(());
    }
    // The older cards of the same people, and the cards themselves. Unlocked: `record` locks all in one order
    // and judges them again. A person has one card in production, so that none can become active beside the
    // one here.
    let found: Vec<(Uuid, Uuid, bool)> = sqlx::query_as(
        "WITH new AS (SELECT card_id, application_id, person_id FROM card \
                      WHERE application_id = ANY($1) AND state = 'personalised') \
         SELECT old.card_id, new.application_id, true FROM new JOIN card old USING (person_id) \
         WHERE old.state IN ('active', 'suspended') \
         UNION ALL SELECT card_id, application_id, false FROM new",
    )
    .bind(handed.iter().map(|h| h.application_id.uuid()).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await?;
    let by_application: HashMap<Uuid, &Handed> =
        handed.iter().map(|handed| (handed.application_id.uuid(), handed)).collect();
    let transition = |card: Uuid, application: &Uuid, action| {
        let handed = by_application.get(application).expect("the query is given these applications");
        Transition { card_id: CardId::from_uuid(card), action, at: handed.at, actor: handed.actor.clone() }
    };
    let (older, new): (Vec<_>, Vec<_>) = found.into_iter().partition(|(.., is_older)| *is_older);
    let mut transitions = Vec::with_capacity(older.len() + new.len());
    for (cards, action) in [(&older, CardAction::Replace), (&new, CardAction::HandOver)] {
        transitions.extend(cards.iter().map(|(card, application, _)| transition(*card, application, action)));
    }
    let refused = record(tx, recorded_at, &transitions).await?.refused;
    // An older card that ended in this moment needs no replacing; the new card must be there.
    let is_lost = |card: &Uuid| refused.iter().any(|(refused, _)| refused.uuid() == *card);
    let active: HashSet<Uuid> =
        new.iter().filter(|(card, ..)| !is_lost(card)).map(|(_, application, _)| *application).collect();
    let without = handed.iter().find(|handed| !active.contains(&handed.application_id.uuid()));
    without.map_or(Ok(()), |handed| {
        Err(Error::Inconsistent {
            table: "card",
            row: format!("of application {}", handed.application_id),
            reason: "there is no personalised card to hand over".to_owned(),
        })
    })
}

/// Records the transitions that the life of a card allows and moves the cards' states with them.
///
/// Locks the cards in the order of their ids. Each transition is judged against the state that the ones
/// before it in the list led to; a refused one changes nothing.
///
/// # Errors
/// Those of the database; an unknown state in the table; an action that has a function of its own here,
/// because it writes more than a state ([`intend`], [`sign`]).
pub async fn record(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    transitions: &[Transition],
) -> Result<Recorded, Error> {
    let mut recorded = Recorded::default();
    if transitions.is_empty() {
        return Ok(recorded);
    }
    let mut standings = lock(tx, transitions.iter().map(|transition| transition.card_id)).await?;
    let mut actions = ActionRows::default();
    let mut moved = HashSet::new();
    for transition in transitions {
        let found = standings.get_mut(&transition.card_id);
        match (next(found.as_ref().map(|standing| standing.state), transition.action), found) {
            (Ok(CardState::Intended | CardState::Signed), _) | (Ok(_), None) => {
                let reason = format!("`{}` is recorded with what belongs to it", transition.action.code());
                return Err(Error::Inconsistent {
                    table: "card",
                    row: transition.card_id.to_string(),
                    reason,
                });
            }
            (Ok(state), Some(standing)) => {
                standing.state = state;
                standing.actions += 1;
                moved.insert(transition.card_id);
                actions.push(standing.application, &standing.unit_path, standing.actions, transition);
                recorded.applied += 1;
            }
            (Err(refusal), _) => recorded.refused.push((transition.card_id, refusal)),
        }
    }
    actions.insert(tx, recorded_at).await?;
    let moved = standings.into_iter().filter(|(card, _)| moved.contains(card));
    // What ends first: the constraint that a person has one active card is looked at row by row.
    let (active, other): (Vec<_>, Vec<_>) =
        moved.partition(|(_, standing)| standing.state == CardState::Active);
    write(tx, &other).await?;
    write(tx, &active).await?;
    Ok(recorded)
}

/// Where a card stands while its transitions are judged.
struct Standing {
    application: Uuid,
    state: CardState,
    actions: i16,
    unit_path: String,
    token_sha256: Vec<u8>,
}

async fn lock(
    tx: &mut PgConnection,
    cards: impl Iterator<Item = CardId>,
) -> Result<HashMap<CardId, Standing>, Error> {
    let mut ids: Vec<Uuid> = cards.map(CardId::uuid).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows: Vec<(Uuid, Uuid, String, i16, String, Vec<u8>)> = sqlx::query_as(
        "SELECT card_id, application_id, state, actions, unit_path, token_sha256 FROM card \
         WHERE card_id = ANY($1) ORDER BY card_id FOR NO KEY UPDATE",
    )
    .bind(ids)
    .fetch_all(tx)
    .await?;
    let standing = |(card, application, state, actions, unit_path, token_sha256): (_, _, String, _, _, _)| {
        let card = CardId::from_uuid(card);
        let state = super::state(card, &state)?;
        Ok((card, Standing { application, state, actions, unit_path, token_sha256 }))
    };
    rows.into_iter().map(standing).collect()
}

async fn write(tx: &mut PgConnection, moved: &[(CardId, Standing)]) -> Result<(), Error> {
    if moved.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE card SET state = u.state, actions = u.actions \
         FROM unnest($1::uuid[], $2::text[], $3::smallint[]) AS u (card_id, state, actions) \
         WHERE card.card_id = u.card_id",
    )
    .bind(moved.iter().map(|(card, _)| card.uuid()).collect::<Vec<_>>())
    .bind(moved.iter().map(|(_, standing)| standing.state.code()).collect::<Vec<_>>())
    .bind(moved.iter().map(|(_, standing)| standing.actions).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Columns of `card_action`, gathered for one bulk insert.
#[derive(Default)]
struct ActionRows {
    applications: Vec<Uuid>,
    cards: Vec<Uuid>,
    seqs: Vec<i16>,
    actions: Vec<&'static str>,
    ats: Vec<OffsetDateTime>,
    actors: Vec<String>,
    reasons: Vec<Option<&'static str>>,
    unit_paths: Vec<String>,
}

impl ActionRows {
    fn push(&mut self, application: Uuid, unit_path: &str, seq: i16, transition: &Transition) {
        self.applications.push(application);
        self.cards.push(transition.card_id.uuid());
        self.seqs.push(seq);
        self.actions.push(transition.action.code());
        self.ats.push(to_microseconds(transition.at));
        self.actors.push(transition.actor.to_string());
        self.reasons.push(transition.action.reason());
        self.unit_paths.push(unit_path.to_owned());
    }

    /// The row of this number, as its recording covers it.
    fn act(&self, row: usize, recorded_at: OffsetDateTime) -> Act<'_> {
        Act {
            application: self.applications[row],
            card: Some(self.cards[row]),
            seq: self.seqs[row],
            action: self.actions[row],
            at: self.ats[row],
            recorded_at,
            actor: &self.actors[row],
            reference: None,
            reason: self.reasons[row],
            detail: None,
        }
    }

    async fn insert(self, tx: &mut PgConnection, recorded_at: OffsetDateTime) -> Result<(), Error> {
        if self.cards.is_empty() {
            return Ok(());
        }
        let recorded_at = to_microseconds(recorded_at);
        let acts = (0..self.cards.len()).map(|row| self.act(row, recorded_at));
        let recording = recordings::digest(Kind::Card, acts);
        sqlx::query(
            "WITH r AS (INSERT INTO recording (kind, recording_id, recorded_at, actions, digest, marks) \
             VALUES ($10, gen_random_uuid(), $9, $11, $12, $13) RETURNING recording_id) \
             INSERT INTO card_action (application_id, card_id, seq, action, at, recorded_at, actor, reason, \
                                      unit_path, recording) \
             SELECT application, card, seq, action, at, $9, actor, reason, path, recording_id \
             FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::timestamptz[], \
                         $6::text[], $7::text[], $8::text[]) \
                  AS n (application, card, seq, action, at, actor, reason, path), r",
        )
        .bind(self.applications)
        .bind(self.cards)
        .bind(self.seqs)
        .bind(self.actions)
        .bind(self.ats)
        .bind(self.actors)
        .bind(self.reasons)
        .bind(self.unit_paths)
        .bind(recorded_at)
        .bind(Kind::Card.code())
        .bind(recording.actions)
        .bind(recording.digest.as_slice())
        .bind(recording.marks)
        .execute(tx)
        .await?;
        Ok(())
    }
}
