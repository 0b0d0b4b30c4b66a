//! Packets at rest: opened again for the photo, the fingers and the card, and each time checked as if they
//! came from outside, because whoever can write to the database could have put others in their place.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use time::OffsetDateTime;

use super::quarantine;
use super::{blocking, sha256};
use crate::EnrolError;
use domain::id::{ApplicationId, PacketId};
use packet::keys::{CentreKeys, KeyError, PublicKey};
use packet::{AtRest, Content, ContentKey, Envelope, PacketError, Payload, Verified};
use store::applications::packets::{self, SealedPacket};
use store::{Database, PgConnection};

/// What the packets of applications hold.
#[derive(Debug, Default)]
pub struct Contents {
    /// In the order of the applications' ids.
    pub opened: Vec<(ApplicationId, Content)>,
    /// Applications whose packet is not what the kit signed for them: found now or before, and set aside.
    pub altered: Vec<ApplicationId>,
}

/// Applications between a recapture and the one that has its rest: each may be based on another.
const MOST_BASES: usize = 8;

/// The contents of applications that were opened before. A recapture is joined with the application that has
/// the rest of it. A packet that was exchanged or altered in the database is not among them: it is set aside
/// with an audit row, and holds up no other.
///
/// # Errors
/// Those of the database and of the key store.
pub async fn read_contents(
    db: &Database,
    keys: Arc<CentreKeys>,
    applications: &[ApplicationId],
    now: OffsetDateTime,
) -> Result<Contents, EnrolError> {
    let mut conn = db.read().await?;
    let mut packets = packets::sealed_packets(&mut conn, applications).await?;
    let mut bases = Vec::new();
    for packet in &packets {
        if packet.base.is_some() {
            bases.push((packet.packet_id, bases_of(&mut conn, packet).await?));
        }
    }
    drop(conn);
    let mut bases: HashMap<PacketId, Vec<SealedPacket>> = bases.into_iter().collect();
    let packets: Vec<(SealedPacket, Vec<SealedPacket>)> = packets
        .drain(..)
        .map(|packet| {
            let bases = bases.remove(&packet.packet_id).unwrap_or_default();
            (packet, bases)
        })
        .collect();
    let read = blocking(move || {
        let read = |(packet, bases): (SealedPacket, Vec<SealedPacket>)| read(&packet, &bases, &keys);
        packets.into_par_iter().map(read).collect::<Result<Vec<_>, PacketError>>()
    })
    .await??;
    let mut contents = Contents::default();
    for (packet_id, application, content) in read {
        match content {
            Ok(content) => contents.opened.push((application, content)),
            Err(error) => {
                tracing::error!(packet.id = %packet_id, error = %error, "a stored packet was altered");
                quarantine::put(db, packet_id, quarantine::Reason::Altered, now).await?;
                contents.altered.push(application);
            }
        }
    }
    Ok(contents)
}

/// The opened packets that a recapture is based on, the nearest first.
pub(super) async fn bases_of(
    conn: &mut PgConnection,
    packet: &SealedPacket,
) -> Result<Vec<SealedPacket>, EnrolError> {
    let mut bases = Vec::new();
    let mut next = packet.base;
    while let Some(base) = next.filter(|_| bases.len() < MOST_BASES) {
        let Some(found) = packets::sealed_packets(conn, &[base]).await?.pop() else { break };
        next = found.base;
        bases.push(found);
    }
    Ok(bases)
}

type Read = (PacketId, ApplicationId, Result<Content, PacketError>);

fn read(packet: &SealedPacket, bases: &[SealedPacket], keys: &CentreKeys) -> Result<Read, PacketError> {
    match content_of(packet, bases, keys) {
        // The key store's trouble is not the packet's.
        Err(error @ PacketError::Key(KeyError::Unavailable(_))) => Err(error),
        read => Ok((packet.packet_id, packet.application_id, read.map(|(_, content)| content))),
    }
}

/// The envelope of a packet that was opened before, and its content, joined with those that it is based on.
pub(super) fn content_of(
    packet: &SealedPacket,
    bases: &[SealedPacket],
    keys: &CentreKeys,
) -> Result<(Envelope, Content), PacketError> {
    let (envelope, payload) = stored(packet, keys)?;
    let content = match payload {
        Payload::Application(content) => *content,
        Payload::Recapture(recapture) => {
            let (base, rest) = bases.split_first().ok_or(PacketError::Exchanged)?;
            recapture.onto(&content_of(base, rest, keys)?.1)?
        }
        Payload::HandOver(_) => return Err(PacketError::Exchanged),
    };
    Ok((envelope, content))
}

/// What a packet that was opened before says and holds, after all that is checked of it.
///
/// # Errors
/// Those of [`check`], of the key store and of the packet.
pub(super) fn stored(packet: &SealedPacket, keys: &CentreKeys) -> Result<(Envelope, Payload), PacketError> {
    let (row, verified) = check(packet)?;
    let sealed = packet.wrapped_key.as_deref().unwrap_or_default();
    let key = ContentKey::open(sealed, &row, &*keys.wrapping)?;
    Ok((verified.envelope().clone(), verified.encrypted()?.open_again(&key)?))
}

/// Whether a packet is the one that its row says: signed by the kit and the officer, under these ids. Gives
/// what it is bound to at rest, and the packet.
///
/// # Errors
/// [`PacketError::BadSignature`]; [`PacketError::Exchanged`].
pub(super) fn check(packet: &SealedPacket) -> Result<(AtRest, Verified), PacketError> {
    let kit = packet.kit_key.as_deref().ok_or(PacketError::Exchanged)?;
    let officer = packet.officer_key.as_deref().ok_or(PacketError::Exchanged)?;
    let (kit, officer) = (PublicKey::from_point(kit)?, PublicKey::from_point(officer)?);
    let verified = packet::parse(&packet.sealed)?.verify(&kit, &officer)?;
    let envelope = verified.envelope();
    let of_the_row = (packet.packet_id, packet.application_id, packet.kit_id, packet.kit_seq);
    let carries = (Some(envelope.credential_id), envelope.carries.code(), envelope.carries.base());
    if (envelope.packet_id, envelope.application_id, envelope.kit_id, envelope.kit_seq) != of_the_row
        || carries != (packet.credential_id, packet.content.as_str(), packet.base)
    {
        return Err(PacketError::Exchanged);
    }
    let row = AtRest {
        packet_id: packet.packet_id,
        application_id: packet.application_id,
        sha256: sha256(&packet.sealed),
    };
    Ok((row, verified))
}
