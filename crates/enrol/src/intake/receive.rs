use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use time::OffsetDateTime;

use super::clock::{self, Heard};
use super::decide::{Arrived, Decision, Known, decide};
use super::quarantine::Reason;
use super::{blocking, quota, sha256};
use crate::EnrolError;
use domain::Actor;
use domain::application::Action;
use domain::id::KitId;
use packet::keys::PublicKey;
use packet::message::{Receipt, ReceiptItem, Refusal};
use packet::{PacketError, Unverified, wire};
use store::applications::intake::{self, NewRefusal};
use store::applications::packets::{self, NewPacket};
use store::applications::{NewApplication, Transition, create, kits, record};
use store::register::units;
use store::{Database, PgConnection};

/// The centre's answer to a batch.
#[derive(Debug, Clone)]
pub struct Received {
    pub receipt: Receipt,
    /// The receipt as it goes to the kit.
    pub signed: Vec<u8>,
    /// Packets that were new and are stored now.
    pub stored: usize,
}

/// Takes the body of an upload and gives the answer, whose signed receipt goes back.
///
/// # Errors
/// [`EnrolError::Batch`] when the body cannot be told apart into packets; it is counted among the refusals.
/// Otherwise as [`receive`].
pub async fn receive_batch(
    db: &Database,
    body: &[u8],
    now: OffsetDateTime,
    signer: &dyn pki::Signer,
) -> Result<Received, EnrolError> {
    let packets = match wire::decode_batch(body) {
        Ok(packets) => packets.into_iter().map(<[u8]>::to_vec).collect(),
        Err(error) => {
            note_body(db, body, refusal(&error), now).await?;
            return Err(EnrolError::Batch(error));
        }
    };
    receive(db, packets, now, signer).await
}

async fn note_body(
    db: &Database,
    body: &[u8],
    refusal: Refusal,
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let refusal = NewRefusal {
        sha256: sha256(body),
        code: refusal.code(),
        kit_id: None,
        packet_id: None,
        size: body.len(),
    };
    let mut tx = db.begin().await?;
    intake::note_refusals(&mut tx, now, &[refusal]).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

/// Takes packets over, whatever they are: each is stored or refused, and the receipt says which, in their
/// order.
///
/// Needs no decryption key. The receipt is signed after the transaction, so that it never promises what was
/// not stored; when it does not reach the kit, the kit sends the same packets again and gets the same answer.
///
/// # Errors
/// [`EnrolError::Quota`] when a kit has handed over all that it may in a day; nothing of the batch is stored.
/// Those of the database and of the signer; nothing is stored then, or the repeat will be answered.
pub async fn receive(
    db: &Database,
    packets: Vec<Vec<u8>>,
    now: OffsetDateTime,
    signer: &dyn pki::Signer,
) -> Result<Received, EnrolError> {
    let packets = Arc::new(packets);
    let arrived = examine(db, packets.clone()).await?;
    let is_retryable = |error: &EnrolError| match error {
        EnrolError::Conflict => true,
        EnrolError::Store(error) => {
            error.is_retryable()
                || error.violates("packet_pkey")
                || error.violates("packet_kit_id_kit_seq_key")
        }
        _ => false,
    };
    let decisions = match store::retry(is_retryable, || take_over(db, &arrived, &packets, now)).await {
        Err(EnrolError::Quota { kit_id, packets, mebibytes }) => {
            quota::note(db, kit_id, &arrived, now).await?;
            return Err(EnrolError::Quota { kit_id, packets, mebibytes });
        }
        decided => decided?,
    };
    let items = arrived.iter().zip(&decisions).map(|(arrived, decision)| ReceiptItem {
        packet_id: arrived.claimed.as_ref().map(|envelope| envelope.packet_id),
        sha256: arrived.sha256,
        outcome: decision.outcome(),
    });
    let receipt = Receipt { at: now, items: items.collect() };
    let stored = decisions.iter().filter(|decision| decision.is_new()).count();
    tracing::info!(batch.packets = packets.len(), batch.stored = stored, "packets received");
    Ok(Received { signed: receipt.sign(signer)?, receipt, stored })
}

/// Structure, kit and signature of every packet.
async fn examine(db: &Database, packets: Arc<Vec<Vec<u8>>>) -> Result<Vec<Arrived>, EnrolError> {
    let parsed = blocking(move || {
        let parse = |bytes: &Vec<u8>| (sha256(bytes), bytes.len(), packet::parse(bytes));
        packets.par_iter().map(parse).collect::<Vec<_>>()
    })
    .await?;
    let mut ids: Vec<KitId> =
        parsed.iter().filter_map(|(_, _, parsed)| Some(parsed.as_ref().ok()?.claimed().kit_id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut conn = db.read().await?;
    let kits = kits::kits(&mut conn, &ids).await?;
    drop(conn);
    let keys: HashMap<KitId, PublicKey> = kits
        .iter()
        .filter_map(|kit| Some((kit.kit_id, PublicKey::from_point(&kit.public_key).ok()?)))
        .collect();
    blocking(move || {
        let verify = |(sha256, size, parsed): (_, _, Result<Unverified, PacketError>)| match parsed {
            Ok(unverified) => {
                let claimed = Some(unverified.claimed().clone());
                let kit = keys.get(&unverified.claimed().kit_id).ok_or(Refusal::UnknownKit);
                let verified = kit.and_then(|key| unverified.verify(key).map_err(|error| refusal(&error)));
                Arrived { sha256, size, claimed, verified: verified.map(|_| ()) }
            }
            Err(error) => Arrived { sha256, size, claimed: None, verified: Err(refusal(&error)) },
        };
        parsed.into_par_iter().map(verify).collect()
    })
    .await
}

fn refusal(error: &PacketError) -> Refusal {
    match error {
        PacketError::TooLarge { .. } | PacketError::TooMany { .. } => Refusal::TooLarge,
        PacketError::Version { .. } | PacketError::Algorithm { .. } => Refusal::UnknownVersion,
        PacketError::BadSignature { .. } => Refusal::BadSignature,
        _ => Refusal::Malformed,
    }
}

/// Decides and stores, in one transaction.
async fn take_over(
    db: &Database,
    arrived: &[Arrived],
    packets: &[Vec<u8>],
    now: OffsetDateTime,
) -> Result<Vec<Decision>, EnrolError> {
    let mut tx = db.begin().await?;
    let mut known = load_known(&mut tx, arrived).await?;
    let mut decisions = Vec::with_capacity(arrived.len());
    let mut stored = Vec::new();
    let mut refusals = Vec::new();
    let mut applications = Vec::new();
    let mut transitions = Vec::new();
    for (arrived, bytes) in arrived.iter().zip(packets) {
        let listed = |known: &Known| {
            arrived
                .claimed
                .as_ref()
                .is_some_and(|envelope| known.applications.contains_key(&envelope.application_id))
        };
        let exists = listed(&known);
        let decision = decide(arrived, &mut known);
        decisions.push(decision);
        match (decision, &arrived.claimed) {
            (Decision::Refuse(refusal), claimed) => refusals.push(NewRefusal {
                sha256: arrived.sha256,
                code: refusal.code(),
                kit_id: claimed.as_ref().map(|envelope| envelope.kit_id),
                packet_id: claimed.as_ref().map(|envelope| envelope.packet_id),
                size: arrived.size,
            }),
            (Decision::Store | Decision::SetAside(_), Some(envelope)) => {
                stored.push(NewPacket {
                    packet_id: envelope.packet_id,
                    kit_id: envelope.kit_id,
                    application_id: envelope.application_id,
                    kit_seq: envelope.kit_seq,
                    sha256: arrived.sha256,
                    sealed: bytes,
                    quarantined: decision.quarantine().map(Reason::code),
                });
                if !exists {
                    let captured = clock::bound(envelope.captured_at, known.heard.get(&envelope.kit_id), now);
                    applications.push(NewApplication {
                        application_id: envelope.application_id,
                        kit_id: envelope.kit_id,
                        kind: envelope.kind,
                        unit: envelope.unit,
                        unit_path: known.units.get(&envelope.unit).cloned().unwrap_or_default(),
                        captured_at: captured.at,
                        kit_clock_at: captured.kit_clock_at,
                        actor: Actor::Kit(envelope.kit_id),
                    });
                }
                transitions.push(Transition {
                    application_id: envelope.application_id,
                    action: Action::Receive,
                    at: now,
                    actor: Actor::Centre,
                    reference: Some(envelope.packet_id.uuid()),
                    detail: None,
                });
            }
            (Decision::Store | Decision::SetAside(_), None) | (Decision::Repeat, _) => {}
        }
    }
    let created = create(&mut tx, now, &applications).await?;
    let recorded = record(&mut tx, now, &transitions).await?;
    // Somebody created or received one of the applications since they were looked up: decide again on what is
    // there now.
    if created != applications.len() || !recorded.refused.is_empty() {
        return Err(EnrolError::Conflict);
    }
    quota::charge(&mut tx, &stored, now).await?;
    packets::insert_packets(&mut tx, now, &stored).await?;
    let heard: Vec<KitId> = stored.iter().map(|packet| packet.kit_id).collect();
    kits::note_heard(&mut tx, &heard, now).await?;
    intake::note_refusals(&mut tx, now, &refusals).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(decisions)
}

async fn load_known(tx: &mut PgConnection, arrived: &[Arrived]) -> Result<Known, EnrolError> {
    let envelopes: Vec<_> =
        arrived.iter().filter(|a| a.verified.is_ok()).filter_map(|a| a.claimed.as_ref()).collect();
    let kit_ids: Vec<_> = envelopes.iter().map(|e| e.kit_id).collect();
    let packet_ids: Vec<_> = envelopes.iter().map(|e| e.packet_id).collect();
    let counters: Vec<_> = envelopes.iter().map(|e| (e.kit_id, e.kit_seq)).collect();
    let application_ids: Vec<_> = envelopes.iter().map(|e| e.application_id).collect();
    let units: Vec<_> = envelopes.iter().map(|e| e.unit).collect();
    let kits = kits::lock_kits(tx, &kit_ids).await?;
    let mut known = Known {
        revoked: kits.iter().filter(|kit| kit.revoked_at.is_some()).map(|kit| kit.kit_id).collect(),
        heard: kits.iter().map(|kit| (kit.kit_id, Heard::of(kit))).collect(),
        applications: intake::standings(tx, &application_ids).await?,
        units: units::unit_paths(tx, &units).await?,
        ..Known::default()
    };
    for packet in packets::known_packets(tx, &packet_ids, &counters).await? {
        known.packets.insert(packet.packet_id, (packet.kit_id, packet.sha256));
        known.counters.insert((packet.kit_id, packet.kit_seq), packet.packet_id);
    }
    Ok(known)
}
