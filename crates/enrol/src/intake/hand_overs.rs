//! Hand-overs that kits recorded: opened here, booked by whoever serves counters.

use std::sync::Arc;

use time::OffsetDateTime;

use super::quarantine::{self, Reason};
use super::{blocking, clock, rest};
use crate::EnrolError;
use domain::id::{AccountId, ApplicationId, PacketId};
use domain::{Actor, UnitCode};
use packet::keys::{CentreKeys, KeyError};
use packet::{HandOver, PacketError, Payload};
use store::Database;
use store::applications::officers;
use store::applications::packets::{self, SealedPacket};

/// Hand-overs that are read at once.
const AT_ONCE: u32 = 200;

/// A hand-over as a kit recorded it.
#[derive(Debug)]
pub struct Recorded {
    /// The packet that holds it.
    pub packet: PacketId,
    /// Whose card it is.
    pub application: ApplicationId,
    /// The officer, by their account.
    pub officer: Actor,
    /// Where it was.
    pub unit: UnitCode,
    /// When, by the centre's bound on the kit's clock.
    pub at: OffsetDateTime,
    /// What the kit recorded.
    pub record: HandOver,
}

/// The oldest hand-overs that are to be booked. One whose packet was altered in the database is set aside.
///
/// # Errors
/// Those of the database and of the key store.
pub async fn unbooked(
    db: &Database,
    keys: Arc<CentreKeys>,
    now: OffsetDateTime,
) -> Result<Vec<Recorded>, EnrolError> {
    let mut conn = db.read().await?;
    let packets = packets::unbooked(&mut conn, AT_ONCE).await?;
    let credentials: Vec<_> = packets.iter().filter_map(|packet| packet.credential_id).collect();
    let officers = officers::find(&mut conn, &credentials).await?;
    drop(conn);
    let read = blocking(move || {
        let read = |packet: SealedPacket| (packet.packet_id, read(&packet, &keys));
        packets.into_iter().map(read).collect::<Vec<_>>()
    })
    .await?;
    let mut all = Vec::new();
    for (packet, found) in read {
        let account = |id| officers.iter().find(|one| one.credential_id == id).map(|one| one.account_id);
        match found {
            Ok((envelope, at, record)) => {
                let account: Option<AccountId> = account(envelope.credential_id);
                all.push(Recorded {
                    packet,
                    application: envelope.application_id,
                    officer: account.map_or(Actor::Kit(envelope.kit_id), Actor::Account),
                    unit: envelope.unit,
                    at,
                    record,
                });
            }
            // The key store's trouble is not the packet's.
            Err(error @ PacketError::Key(KeyError::Unavailable(_))) => return Err(error.into()),
            Err(error) => {
                tracing::error!(packet.id = %packet, error = %error, "a stored packet was altered");
                quarantine::put(db, packet, Reason::Altered, now).await?;
            }
        }
    }
    Ok(all)
}

fn read(
    packet: &SealedPacket,
    keys: &CentreKeys,
) -> Result<(packet::Envelope, OffsetDateTime, HandOver), PacketError> {
    let (envelope, payload) = rest::stored(packet, keys)?;
    let Payload::HandOver(record) = payload else { return Err(PacketError::Exchanged) };
    let at = clock::bound(&envelope, None, packet.received_at).at;
    Ok((envelope, at, record))
}

/// Notes that a hand-over is in the books.
///
/// # Errors
/// Those of the database.
pub async fn booked(db: &Database, packet: PacketId, now: OffsetDateTime) -> Result<(), EnrolError> {
    let mut tx = db.begin().await?;
    packets::note_booked(&mut tx, packet, now).await?;
    Ok(store::commit(tx).await?)
}

/// Sets a hand-over aside that cannot be booked: somebody looks at it, and nothing is lost.
///
/// # Errors
/// Those of the database.
pub async fn not_booked(db: &Database, packet: PacketId, now: OffsetDateTime) -> Result<(), EnrolError> {
    quarantine::put(db, packet, Reason::NotBooked, now).await
}
