use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::json;
use time::OffsetDateTime;

use super::clock::{self, Heard};
use super::decide::{Arrived, Decision, Known, decide};
use super::quarantine::Reason;
use super::standing::{self, Stored};
use super::{blocking, quota, sha256};
use crate::EnrolError;
use crate::kits::REVOKE;
use crate::officers::Officer;
use domain::Actor;
use domain::application::{Action, Kind};
use domain::id::{CredentialId, KitId};
use packet::keys::PublicKey;
use packet::message::{Receipt, ReceiptItem, Refusal};
use packet::standing::Standing;
use packet::{Envelope, PacketError, Unverified, wire};
use store::applications::intake::{self, NewRefusal};
use store::applications::kits::Kit;
use store::applications::packets::{self, NewPacket};
use store::applications::{NewApplication, Transition, create, kits, officers, record};
use store::audit::{self, Entry};
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
            error.is_retryable() || error.violates("packet_pkey") || error.violates("packet_counter")
        }
        _ => false,
    };
    let (decisions, standings) =
        match store::retry(is_retryable, || take_over(db, &arrived, &packets, now)).await {
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
    let receipt = Receipt { at: now, items: items.collect(), standings };
    let stored = decisions.iter().filter(|decision| decision.is_new()).count();
    tracing::info!(batch.packets = packets.len(), batch.stored = stored, "packets received");
    Ok(Received { signed: receipt.sign(signer)?, receipt, stored })
}

/// Structure, kit, officer and both signatures of every packet.
async fn examine(db: &Database, packets: Arc<Vec<Vec<u8>>>) -> Result<Vec<Arrived>, EnrolError> {
    let parsed = blocking(move || {
        let parse = |bytes: &Vec<u8>| (sha256(bytes), bytes.len(), packet::parse(bytes));
        packets.par_iter().map(parse).collect::<Vec<_>>()
    })
    .await?;
    let claimed = || parsed.iter().filter_map(|(_, _, parsed)| Some(parsed.as_ref().ok()?.claimed()));
    let ids: BTreeSet<KitId> = claimed().map(|envelope| envelope.kit_id).collect();
    let credentials: BTreeSet<CredentialId> = claimed().map(|envelope| envelope.credential_id).collect();
    let mut conn = db.read().await?;
    let kits = kits::kits(&mut conn, &Vec::from_iter(ids)).await?;
    let credentials = officers::find(&mut conn, &Vec::from_iter(credentials)).await?;
    drop(conn);
    let keys: HashMap<KitId, PublicKey> = kits
        .iter()
        .filter_map(|kit| Some((kit.kit_id, PublicKey::from_point(&kit.public_key).ok()?)))
        .collect();
    let officers: HashMap<CredentialId, PublicKey> = credentials
        .iter()
        .filter_map(|one| Some((one.credential_id, PublicKey::from_point(&one.public_key).ok()?)))
        .collect();
    blocking(move || {
        let verify = |(sha256, size, parsed): (_, _, Result<Unverified, PacketError>)| match parsed {
            Ok(unverified) => {
                let claimed = unverified.claimed().clone();
                let kit = keys.get(&claimed.kit_id).ok_or(Refusal::UnknownKit);
                let officer = officers.get(&claimed.credential_id).ok_or(Refusal::UnknownOfficer);
                let verified = kit.and_then(|kit| Ok((kit, officer?))).and_then(|(kit, officer)| {
                    unverified.verify(kit, officer).map_err(|error| refusal(&error))
                });
                Arrived { sha256, size, claimed: Some(claimed), verified: verified.map(|_| ()) }
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

/// What a batch leaves in the database.
#[derive(Default)]
struct Written<'a> {
    stored: Vec<NewPacket<'a>>,
    refusals: Vec<NewRefusal>,
    applications: Vec<NewApplication>,
    transitions: Vec<Transition>,
}

/// Decides and stores, in one transaction.
async fn take_over(
    db: &Database,
    arrived: &[Arrived],
    packets: &[Vec<u8>],
    now: OffsetDateTime,
) -> Result<(Vec<Decision>, Vec<Standing>), EnrolError> {
    let mut tx = db.begin().await?;
    let mut known = load_known(&mut tx, arrived).await?;
    let mut decisions = Vec::with_capacity(arrived.len());
    let mut written = Written::default();
    for (arrived, bytes) in arrived.iter().zip(packets) {
        let claimed = arrived.claimed.as_ref();
        let exists =
            claimed.is_some_and(|envelope| known.applications.contains_key(&envelope.application_id));
        let decision = decide(arrived, &mut known, now);
        decisions.push(decision);
        match (decision, claimed) {
            (Decision::Refuse(refusal), claimed) => written.refusals.push(NewRefusal {
                sha256: arrived.sha256,
                code: refusal.code(),
                kit_id: claimed.map(|envelope| envelope.kit_id),
                packet_id: claimed.map(|envelope| envelope.packet_id),
                size: arrived.size,
            }),
            (Decision::Store | Decision::SetAside { .. }, Some(envelope)) => {
                written.stored.push(new_packet(envelope, arrived.sha256, bytes, decision));
                let Some(kind) = envelope.carries.kind() else { continue };
                if !exists {
                    written.applications.push(new_application(envelope, kind, &known, now));
                }
                written.transitions.push(Transition {
                    application_id: envelope.application_id,
                    action: Action::Receive,
                    at: now,
                    actor: Actor::Centre,
                    reference: Some(envelope.packet_id.uuid()),
                    detail: None,
                });
            }
            (Decision::Store | Decision::SetAside { .. }, None) | (Decision::Repeat, _) => {}
        }
    }
    let created = create(&mut tx, now, &written.applications).await?;
    let recorded = record(&mut tx, now, &written.transitions).await?;
    // Somebody created or received one of the applications since they were looked up: decide again on what is
    // there now.
    if created != written.applications.len() || !recorded.refused.is_empty() {
        return Err(EnrolError::Conflict);
    }
    quota::charge(&mut tx, &written.stored, now).await?;
    packets::insert_packets(&mut tx, now, &written.stored).await?;
    let heard: Vec<KitId> = written.stored.iter().map(|packet| packet.kit_id).collect();
    kits::note_heard(&mut tx, &heard, now).await?;
    intake::note_refusals(&mut tx, now, &written.refusals).await?;
    stop(&mut tx, &known, now).await?;
    let standings = standing::advance(&mut tx, &known.kits, &counters(&written, &known)).await?;
    store::commit(tx).await?;
    Ok((decisions, standings))
}

/// What is new of each kit.
fn counters(written: &Written<'_>, known: &Known) -> BTreeMap<KitId, Stored> {
    let mut stored: BTreeMap<KitId, Stored> = BTreeMap::new();
    for packet in &written.stored {
        let of = stored.entry(packet.kit_id).or_default();
        of.lowest = of.lowest.min(packet.kit_seq);
    }
    for stop in &known.stops {
        stored.entry(stop.kit).or_default().contradicts = true;
    }
    stored
}

fn new_packet<'a>(
    envelope: &Envelope,
    sha256: [u8; 32],
    sealed: &'a [u8],
    decision: Decision,
) -> NewPacket<'a> {
    NewPacket {
        packet_id: envelope.packet_id,
        kit_id: envelope.kit_id,
        application_id: envelope.application_id,
        kit_seq: envelope.kit_seq,
        sha256,
        sealed,
        quarantined: decision.quarantine().map(Reason::code),
        prev_sha256: envelope.prev_sha256,
        credential_id: envelope.credential_id,
        content: envelope.carries.code(),
        base: envelope.carries.base(),
        twin: decision.is_twin(),
    }
}

fn new_application(envelope: &Envelope, kind: Kind, known: &Known, now: OffsetDateTime) -> NewApplication {
    let captured = clock::bound(envelope, known.heard.get(&envelope.kit_id), now);
    NewApplication {
        application_id: envelope.application_id,
        kit_id: envelope.kit_id,
        kind,
        unit: envelope.unit,
        unit_path: known.units.get(&envelope.unit).cloned().unwrap_or_default(),
        captured_at: captured.at,
        kit_clock_at: captured.kit_clock_at,
        actor: Actor::Kit(envelope.kit_id),
    }
}

/// Stops the kits of which there seem to be two: nothing that they send is opened any more before somebody
/// has looked.
async fn stop(tx: &mut PgConnection, known: &Known, now: OffsetDateTime) -> Result<(), EnrolError> {
    for stop in &known.stops {
        let code = stop.contradiction.reason().code();
        if !kits::stop(tx, stop.kit, code, now).await? {
            continue;
        }
        tracing::error!(kit.id = %stop.kit, reason = code, "a kit is stopped; see `dancu kit list`");
        let entry = Entry {
            at: now,
            actor: Actor::Centre,
            action: "kit.stopped".to_owned(),
            subject: format!("kit:{}", stop.kit),
            unit_path: known.units.get(&stop.unit).cloned().unwrap_or_default(),
            detail: json!({ "reason": code, "packet": stop.packet }),
        };
        audit::append(tx, &entry).await?;
    }
    Ok(())
}

async fn load_known(tx: &mut PgConnection, arrived: &[Arrived]) -> Result<Known, EnrolError> {
    let envelopes: Vec<_> =
        arrived.iter().filter(|a| a.verified.is_ok()).filter_map(|a| a.claimed.as_ref()).collect();
    let kit_ids: Vec<_> = envelopes.iter().map(|e| e.kit_id).collect();
    let packet_ids: Vec<_> = envelopes.iter().map(|e| e.packet_id).collect();
    // Each with its neighbours.
    let counters: BTreeSet<_> =
        envelopes.iter().flat_map(|e| [0, 1, 2].map(|step| (e.kit_id, e.kit_seq - 1 + step))).collect();
    let following: Vec<_> = envelopes.iter().filter_map(|e| Some((e.kit_id, e.prev_sha256?))).collect();
    let application_ids: Vec<_> = envelopes.iter().map(|e| e.application_id).collect();
    let units: Vec<_> = envelopes.iter().map(|e| e.unit).collect();
    let credentials: BTreeSet<_> = envelopes.iter().map(|e| e.credential_id).collect();
    let kits = kits::lock_kits(tx, &kit_ids).await?;
    let of = |is: &dyn Fn(&Kit) -> bool| kits.iter().filter(|kit| is(kit)).map(|kit| kit.kit_id).collect();
    let is_doubted = |kit: &Kit| kit.standing.proposed.as_ref().is_some_and(|known| known.what == REVOKE);
    let mut known = Known {
        revoked: of(&|kit| kit.revoked_at.is_some()),
        doubted: of(&is_doubted),
        stopped: of(&|kit| kit.standing.stopped.is_some()),
        heard: kits.iter().map(|kit| (kit.kit_id, Heard::of(kit))).collect(),
        applications: intake::standings(tx, &application_ids).await?,
        units: units::unit_paths(tx, &units).await?,
        kits,
        ..Known::default()
    };
    for credential in officers::find(tx, &Vec::from_iter(credentials)).await? {
        known.officers.insert(credential.credential_id, Officer::of(&credential));
    }
    for packet in packets::known_packets(tx, &packet_ids, &Vec::from_iter(counters), &following).await? {
        known.packets.insert(packet.packet_id, (packet.kit_id, packet.sha256));
        known.chain.add(packet.kit_id, packet.kit_seq, packet.sha256, packet.prev_sha256);
    }
    Ok(known)
}
