//! Packets at rest: opened again for the photo, the fingers and the card, and each time checked as if they
//! came from outside, because whoever can write to the database could have put others in their place.

use std::sync::Arc;

use rayon::prelude::*;
use time::OffsetDateTime;

use super::quarantine;
use super::{blocking, sha256};
use crate::EnrolError;
use domain::id::{ApplicationId, PacketId};
use packet::keys::{CentreKeys, KeyError, PublicKey};
use packet::{AtRest, Content, ContentKey, PacketError};
use store::Database;
use store::applications::packets::{self, SealedPacket};

/// What the packets of applications hold.
#[derive(Debug, Default)]
pub struct Contents {
    /// In the order of the applications' ids.
    pub opened: Vec<(ApplicationId, Content)>,
    /// Applications whose packet is not what the kit signed for them: found now or before, and set aside.
    pub altered: Vec<ApplicationId>,
}

/// The contents of applications that were opened before. A packet that was exchanged or altered in the
/// database is not among them: it is set aside with an audit row, and holds up no other.
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
    let packets = packets::sealed_packets(&mut conn, applications).await?;
    drop(conn);
    let read = blocking(move || {
        packets.into_par_iter().map(|packet| read(packet, &keys)).collect::<Result<Vec<_>, PacketError>>()
    })
    .await??;
    let mut contents = Contents::default();
    for (packet_id, application, content) in read {
        match content {
            Ok(content) => contents.opened.push((application, content)),
            Err(error) => {
                tracing::error!(packet.id = %packet_id, error = %error, "a stored packet was altered");
                quarantine::altered(db, packet_id, now).await?;
                contents.altered.push(application);
            }
        }
    }
    Ok(contents)
}

type Read = (PacketId, ApplicationId, Result<Content, PacketError>);

fn read(packet: SealedPacket, keys: &CentreKeys) -> Result<Read, PacketError> {
    let open = || {
        let row = check(&packet)?;
        let sealed = packet.wrapped_key.as_deref().unwrap_or_default();
        let key = ContentKey::open(sealed, &row, &*keys.wrapping)?;
        packet::open_stored(&packet.sealed, &key)
    };
    match open() {
        // The key store's trouble is not the packet's.
        Err(error @ PacketError::Key(KeyError::Unavailable(_))) => Err(error),
        content => Ok((packet.packet_id, packet.application_id, content)),
    }
}

/// Whether a packet is the one that its row says: signed by the kit, under these ids.
///
/// # Errors
/// [`PacketError::BadSignature`]; [`PacketError::Exchanged`].
pub(super) fn check(packet: &SealedPacket) -> Result<AtRest, PacketError> {
    let kit = packet.kit_key.as_deref().ok_or(PacketError::Exchanged)?;
    let envelope = packet::verify_envelope(&packet.sealed, &PublicKey::from_point(kit)?)?;
    let of_the_row = (packet.packet_id, packet.application_id, packet.kit_id, packet.kit_seq);
    if (envelope.packet_id, envelope.application_id, envelope.kit_id, envelope.kit_seq) != of_the_row {
        return Err(PacketError::Exchanged);
    }
    Ok(AtRest {
        packet_id: packet.packet_id,
        application_id: packet.application_id,
        sha256: sha256(&packet.sealed),
    })
}
