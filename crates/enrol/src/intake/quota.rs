//! How much one kit may hand over in a day: whoever has a kit's key could fill the disk with well signed
//! noise otherwise, and what was taken over is kept.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::decide::Arrived;
use crate::EnrolError;
use domain::clock::day_in_vietnam;
use domain::id::KitId;
use store::applications::intake::{self, NewRefusal};
use store::applications::packets::NewPacket;
use store::{Database, PgConnection};

/// Packets of one kit a day. A team captures up to four hundred, and may have been without a network for a
/// week.
const PACKETS: u64 = 3_000;
/// Bytes of one kit a day: a week of four hundred packets of 40 kB.
const BYTES: u64 = 128 << 20;
/// The reason under which a batch that went too far is counted.
const CODE: &str = "quota";

/// Books what is about to be stored on its kits' day.
///
/// # Errors
/// [`EnrolError::Quota`] when that is more than a kit may hand over; the caller then stores nothing. Those of
/// the database.
pub(super) async fn charge(
    tx: &mut PgConnection,
    stored: &[NewPacket<'_>],
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let mut added: BTreeMap<KitId, (u64, u64)> = BTreeMap::new();
    for packet in stored {
        let (packets, bytes) = added.entry(packet.kit_id).or_default();
        *packets += 1;
        *bytes += packet.sealed.len() as u64;
    }
    for (kit_id, packets, bytes) in intake::charge_kits(tx, day_in_vietnam(now), &added).await? {
        if packets > PACKETS || bytes > BYTES {
            return Err(EnrolError::Quota { kit_id, packets: PACKETS, mebibytes: BYTES >> 20 });
        }
    }
    Ok(())
}

/// Counts the packets of a batch that went too far.
pub(super) async fn note(
    db: &Database,
    kit_id: KitId,
    arrived: &[Arrived],
    now: OffsetDateTime,
) -> Result<(), EnrolError> {
    let refusals: Vec<NewRefusal> = arrived
        .iter()
        .map(|arrived| NewRefusal {
            sha256: arrived.sha256,
            code: CODE,
            kit_id: Some(kit_id),
            packet_id: arrived.claimed.as_ref().map(|envelope| envelope.packet_id),
            size: arrived.size,
        })
        .collect();
    let mut tx = db.begin().await?;
    intake::note_refusals(&mut tx, now, &refusals).await?;
    Ok(store::commit(tx).await?)
}
