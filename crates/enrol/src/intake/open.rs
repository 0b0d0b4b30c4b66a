use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rand::rngs::StdRng;
use rayon::prelude::*;
use serde_json::json;
use time::OffsetDateTime;

use super::quarantine::{self, Reason};
use super::{blocking, rest};
use crate::EnrolError;
use domain::Actor;
use domain::application::Action;
use domain::id::{ApplicationId, PacketId};
use packet::keys::{CentreKeys, KeyError};
use packet::rules::{Problem, problems};
use packet::{Carries, Content, Envelope, PacketError, Payload, Recapture};
use store::Database;
use store::applications::content::{self, Opened};
use store::applications::packets::{self, SealedPacket};
use store::applications::{Transition, record};

/// What one step of the opening worker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenSummary {
    /// Opened and valid: ready for linkage, or of a hand-over to be booked.
    pub opened: usize,
    /// Opened or not, but invalid: rejected with a code.
    pub rejected: usize,
    /// Encrypted to an intake key that is not held here; they stay in the queue until it is.
    pub waiting_for_key: usize,
    /// Could not be opened or written, for no reason that is known; they are tried again.
    pub failed: usize,
    /// Set aside until somebody looks: failed for the last time, or altered in the database.
    pub quarantined: usize,
}

/// Packets whose outcomes are written in one transaction, while the next are decrypted.
const IN_ONE_TRANSACTION: usize = 250;

/// Why a packet's content is not worked on.
struct Invalid {
    code: &'static str,
    problems: Vec<Problem>,
}

enum Outcome {
    Valid(Box<Opened>),
    /// A hand-over, with the wrapped key to it: it is booked by whoever serves counters.
    HandOver(Vec<u8>),
    Invalid(Invalid),
    /// A hand-over that cannot be read, with its code: it says nothing of the application whose card it is
    /// about.
    Unreadable(&'static str),
    /// What it is based on came with it and is not open yet.
    WaitingForBase,
    /// What it is based on is not there, is another unit's, or cannot be opened.
    NoBase,
    WaitingForKey,
    /// The program failed on it.
    Failed,
    /// Its row is not what the kit signed: somebody wrote to the database, and the citizen pays for nothing.
    Altered,
}

type Examined = (PacketId, ApplicationId, Outcome);

/// Opens and validates up to `limit` of the packets received and not opened yet, oldest first. Run it again
/// until it did nothing. Safe to run several times at once.
///
/// No key is used inside the transaction: two workers may open the same packet, and the second's result is
/// dropped. A packet that the program or the database fails on holds up no other: it is tried again, and set
/// aside after a few times ([`super::quarantine`]).
///
/// # Errors
/// Those of the database and of the key store as a whole; nothing is changed then.
pub async fn open_received(
    db: &Database,
    keys: Arc<CentreKeys>,
    now: OffsetDateTime,
    limit: u32,
) -> Result<OpenSummary, EnrolError> {
    let mut summary = OpenSummary::default();
    let mut after = None;
    loop {
        let mut conn = db.read().await?;
        let mut page = packets::unopened(&mut conn, after, limit).await?;
        drop(conn);
        let Some(last) = page.last() else { return Ok(summary) };
        after = Some((last.received_at, last.packet_id));
        let rest = page.split_off(page.len().min(IN_ONE_TRANSACTION));
        let mut rest = rest.into_iter();
        let mut outcomes = examine_all(db, page, &keys).await?;
        loop {
            let next = async {
                let chunk: Vec<SealedPacket> = rest.by_ref().take(IN_ONE_TRANSACTION).collect();
                if chunk.is_empty() { Ok(None) } else { examine_all(db, chunk, &keys).await.map(Some) }
            };
            let ((), next) = tokio::try_join!(take_over(db, &outcomes, now, &mut summary), next)?;
            match next {
                Some(next) => outcomes = next,
                None => break,
            }
        }
        // A page of packets that all wait for a key, or fail, must not hide those behind it.
        if summary.opened + summary.rejected > 0 {
            return Ok(summary);
        }
    }
}

/// Decrypts and checks on all cores.
async fn examine_all(
    db: &Database,
    packets: Vec<SealedPacket>,
    keys: &Arc<CentreKeys>,
) -> Result<Vec<Examined>, EnrolError> {
    let keys = Arc::clone(keys);
    let mut with_bases = Vec::with_capacity(packets.len());
    for packet in packets {
        let mut bases = Some(Vec::new());
        if let Some(base) = packet.base {
            let mut conn = db.read().await?;
            bases = Some(rest::bases_of(&mut conn, &packet).await?);
            if bases.as_ref().is_some_and(Vec::is_empty) && packets::is_unopened(&mut conn, base).await? {
                bases = None;
            }
        }
        with_bases.push((packet, bases));
    }
    let outcomes = blocking(move || {
        let open = |(packet, bases): &(SealedPacket, Option<Vec<SealedPacket>>)| {
            let outcome = match bases {
                Some(bases) => caught(|| examine(packet, bases, &keys)).unwrap_or(Ok(Outcome::Failed))?,
                None => Outcome::WaitingForBase,
            };
            Ok((packet.packet_id, packet.application_id, outcome))
        };
        with_bases.par_iter().map(open).collect::<Result<Vec<_>, PacketError>>()
    });
    Ok(outcomes.await??)
}

/// Runs work on one packet whose panic is that packet's and nobody else's; the panic itself has been logged
/// where it happened. Nothing that the work changes outlives it.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

async fn take_over(
    db: &Database,
    outcomes: &[Examined],
    now: OffsetDateTime,
    summary: &mut OpenSummary,
) -> Result<(), EnrolError> {
    let waiting = outcomes.iter().filter(|(_, _, outcome)| matches!(outcome, Outcome::WaitingForKey)).count();
    summary.waiting_for_key += waiting;
    if waiting > 0 {
        tracing::warn!(packets = waiting, "packets are encrypted to an intake key that is not held here");
    }
    match write_all(db, outcomes, now).await {
        Ok((opened, rejected)) => {
            summary.opened += opened;
            summary.rejected += rejected;
        }
        Err(error) if error.blames_content() => {
            tracing::warn!(error = %error, "packets cannot be written together; each is written alone");
            for one in outcomes {
                write_alone(db, one, now, summary).await?;
            }
        }
        Err(error) => return Err(error),
    }
    for (packet, _, outcome) in outcomes {
        match outcome {
            Outcome::Failed => give_up(db, *packet, now, summary).await?,
            Outcome::Altered => {
                quarantine::put(db, *packet, Reason::Altered, now).await?;
                summary.quarantined += 1;
            }
            Outcome::NoBase => {
                quarantine::put(db, *packet, Reason::BaseMissing, now).await?;
                summary.quarantined += 1;
            }
            Outcome::Valid(_)
            | Outcome::HandOver(_)
            | Outcome::Invalid(_)
            | Outcome::Unreadable(_)
            | Outcome::WaitingForBase
            | Outcome::WaitingForKey => {}
        }
    }
    Ok(())
}

/// Writes what came of one packet, after it or another could not be written.
async fn write_alone(
    db: &Database,
    one: &Examined,
    now: OffsetDateTime,
    summary: &mut OpenSummary,
) -> Result<(), EnrolError> {
    match write_all(db, std::slice::from_ref(one), now).await {
        Ok((opened, rejected)) => {
            summary.opened += opened;
            summary.rejected += rejected;
            Ok(())
        }
        Err(error) if error.blames_content() => {
            tracing::error!(packet.id = %one.0, error = %error, "what came of a packet cannot be written");
            give_up(db, one.0, now, summary).await
        }
        Err(error) => Err(error),
    }
}

/// Leaves a packet for later, or for somebody to look at.
async fn give_up(
    db: &Database,
    packet: PacketId,
    now: OffsetDateTime,
    summary: &mut OpenSummary,
) -> Result<(), EnrolError> {
    summary.failed += 1;
    summary.quarantined += usize::from(quarantine::failed(db, packet, now).await?);
    Ok(())
}

async fn write_all(
    db: &Database,
    outcomes: &[Examined],
    now: OffsetDateTime,
) -> Result<(usize, usize), EnrolError> {
    let is_to_be_written = |(_, _, outcome): &Examined| {
        matches!(
            outcome,
            Outcome::Valid(_) | Outcome::HandOver(_) | Outcome::Invalid(_) | Outcome::Unreadable(_)
        )
    };
    if !outcomes.iter().any(is_to_be_written) {
        return Ok((0, 0));
    }
    let is_passing = |error: &EnrolError| matches!(error, EnrolError::Store(error) if error.is_retryable());
    store::retry(is_passing, || write(db, outcomes, now)).await
}

fn examine(packet: &SealedPacket, bases: &[SealedPacket], keys: &CentreKeys) -> Result<Outcome, PacketError> {
    let Ok((row, verified)) = rest::check(packet) else { return Ok(Outcome::Altered) };
    let envelope = verified.envelope();
    let invalid = |error: PacketError| match envelope.carries {
        Carries::HandOver => Outcome::Unreadable(error.code()),
        Carries::Application { .. } | Carries::Recapture { .. } => {
            Outcome::Invalid(Invalid { code: error.code(), problems: Vec::new() })
        }
    };
    let encrypted = verified.encrypted().and_then(|encrypted| Ok((encrypted.recipient()?, encrypted)));
    let (key_id, encrypted) = match encrypted {
        Ok(encrypted) => encrypted,
        Err(error) => return Ok(invalid(error)),
    };
    let Some(intake) = keys.intake_key(&key_id) else { return Ok(Outcome::WaitingForKey) };
    let (payload, key) = match encrypted.open(intake) {
        Ok(opened) => opened,
        // The key store's trouble is not the packet's.
        Err(error @ PacketError::Key(KeyError::Unavailable(_))) => return Err(error),
        Err(error) => return Ok(invalid(error)),
    };
    let mut rng: StdRng = rand::make_rng();
    let mut seal = || Ok::<_, PacketError>(key.seal(&row, &*keys.wrapping, &mut rng)?.to_vec());
    let content = match payload {
        Payload::Application(content) => *content,
        Payload::Recapture(recapture) => match joined(envelope, &recapture, bases, keys) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(Outcome::NoBase),
            Err(error @ PacketError::Key(KeyError::Unavailable(_))) => return Err(error),
            Err(error) => return Ok(invalid(error)),
        },
        Payload::HandOver(_) => return Ok(Outcome::HandOver(seal()?)),
    };
    let photo = content.photo.as_bytes();
    let found =
        problems(&content.record, &content.fingers, &content.finger_images, photo, packet.captured_at);
    if let Some(first) = found.first() {
        return Ok(Outcome::Invalid(Invalid { code: first.code(), problems: found }));
    }
    let Ok(record) = serde_json::to_value(&content.record) else {
        return Ok(Outcome::Invalid(Invalid { code: "malformed", problems: Vec::new() }));
    };
    Ok(Outcome::Valid(Box::new(Opened {
        packet_id: packet.packet_id,
        application_id: packet.application_id,
        wrapped_key: seal()?,
        record,
        differs: content.differs.clone(),
        claimed_person_id: content.claimed_person_id,
        receipt_hash: content.receipt_hash,
    })))
}

/// A recapture with the rest of its application; `None` when that is not there, was altered, or is of another
/// unit.
fn joined(
    envelope: &Envelope,
    recapture: &Recapture,
    bases: &[SealedPacket],
    keys: &CentreKeys,
) -> Result<Option<Content>, PacketError> {
    let Some((base, rest)) = bases.split_first() else { return Ok(None) };
    match rest::content_of(base, rest, keys) {
        Ok((of_base, _)) if of_base.unit != envelope.unit => Ok(None),
        Ok((_, content)) => recapture.onto(&content).map(Some),
        Err(error @ PacketError::Key(KeyError::Unavailable(_))) => Err(error),
        Err(_) => Ok(None),
    }
}

async fn write(
    db: &Database,
    outcomes: &[Examined],
    now: OffsetDateTime,
) -> Result<(usize, usize), EnrolError> {
    let mut tx = db.begin().await?;
    let ids: Vec<PacketId> = outcomes.iter().map(|(id, ..)| *id).collect();
    let locked: HashSet<PacketId> = packets::lock_unopened(&mut tx, &ids).await?.into_iter().collect();
    let hashes: Vec<[u8; 32]> = outcomes.iter().filter_map(|(.., outcome)| receipt_hash(outcome)).collect();
    let mut used: HashSet<[u8; 32]> =
        content::used_receipt_hashes(&mut tx, &hashes).await?.into_iter().collect();
    let mut valid = Vec::new();
    let mut handed = Vec::new();
    let mut unreadable = Vec::new();
    let mut refused = Vec::new();
    let mut transitions = Vec::new();
    let mut reject = |packet: PacketId, application_id, code: &'static str, problems: &[Problem]| {
        refused.push((packet, code));
        let listed: Vec<_> =
            problems.iter().map(|p| json!({ "code": p.code(), "subject": p.subject() })).collect();
        transitions.push(Transition {
            application_id,
            action: Action::Reject,
            at: now,
            actor: Actor::Centre,
            reference: Some(packet.uuid()),
            detail: Some(json!({ "code": code, "problems": listed })),
        });
    };
    for (packet, application, outcome) in outcomes.iter().filter(|(id, ..)| locked.contains(id)) {
        match outcome {
            Outcome::WaitingForKey
            | Outcome::WaitingForBase
            | Outcome::Failed
            | Outcome::NoBase
            | Outcome::Altered => {}
            Outcome::HandOver(key) => handed.push((*packet, key.clone())),
            Outcome::Unreadable(code) => unreadable.push((*packet, *code)),
            Outcome::Invalid(invalid) => reject(*packet, *application, invalid.code, &invalid.problems),
            // The code is what a citizen asks with: it must lead to one application.
            Outcome::Valid(opened) if !used.insert(opened.receipt_hash) => {
                reject(*packet, *application, "receipt_code_reused", &[]);
            }
            Outcome::Valid(opened) => valid.push((**opened).clone()),
        }
    }
    content::store_opened(&mut tx, &valid).await?;
    packets::keep_keys(&mut tx, &handed).await?;
    refused.extend(unreadable);
    packets::refuse_packets(&mut tx, &refused).await?;
    let recorded = record(&mut tx, now, &transitions).await?;
    if let Some((application, refusal)) = recorded.refused.first() {
        return Err(EnrolError::Store(store::Error::Inconsistent {
            table: "application",
            row: application.to_string(),
            reason: format!("its packet was not opened yet, but {refusal}"),
        }));
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok((valid.len() + handed.len(), refused.len()))
}

fn receipt_hash(outcome: &Outcome) -> Option<[u8; 32]> {
    match outcome {
        Outcome::Valid(opened) => Some(opened.receipt_hash),
        Outcome::HandOver(_)
        | Outcome::Invalid(_)
        | Outcome::Unreadable(_)
        | Outcome::NoBase
        | Outcome::WaitingForBase
        | Outcome::WaitingForKey
        | Outcome::Failed
        | Outcome::Altered => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_packets_own() {
        let work = |number: &u32| caught(|| if *number == 2 { panic!("on purpose") } else { *number });
        assert_eq!([1, 2, 3].par_iter().map(work).collect::<Vec<_>>(), [Some(1), None, Some(3)]);
    }
}
