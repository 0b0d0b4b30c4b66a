//! Uploads: what is known when they arrive, and what is kept of those that were refused.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;
use crate::platform::error::inconsistent;
use domain::application::State;
use domain::clock::day_in_vietnam;
use domain::id::{ApplicationId, KitId, PacketId};

/// Kit and state of the applications among `ids` that exist.
///
/// # Errors
/// Those of the database; a code that this program does not know.
pub async fn standings(
    conn: &mut PgConnection,
    ids: &[ApplicationId],
) -> Result<HashMap<ApplicationId, (KitId, State)>, Error> {
    let rows: Vec<(Uuid, Uuid, String)> = sqlx::query_as(
        "SELECT application_id, kit_id, state FROM application WHERE application_id = ANY($1)",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let standing = |(id, kit, state): (Uuid, Uuid, String)| {
        let state =
            State::from_code(&state).ok_or_else(|| inconsistent("application", id, "an unknown state"))?;
        Ok((ApplicationId::from_uuid(id), (KitId::from_uuid(kit), state)))
    };
    rows.into_iter().map(standing).collect()
}

/// An upload that was not taken over.
#[derive(Debug, Clone)]
pub struct NewRefusal {
    pub sha256: [u8; 32],
    pub code: &'static str,
    pub kit_id: Option<KitId>,
    pub packet_id: Option<PacketId>,
    pub size: usize,
}

/// Counts refused uploads, by the kit that they claim to come from, if it is registered, by reason and by day
/// in Vietnam: however much is sent, there is an end to rows.
///
/// # Errors
/// Those of the database.
pub async fn note_refusals(
    tx: &mut PgConnection,
    at: OffsetDateTime,
    refusals: &[NewRefusal],
) -> Result<(), Error> {
    if refusals.is_empty() {
        return Ok(());
    }
    // The order of rows keeps two batches from deadlock.
    sqlx::query(
        "INSERT INTO intake_refusal \
         (kit_id, code, day, times, bytes, first_at, last_at, last_sha256, last_packet_id) \
         SELECT coalesce(k.kit_id, $8) AS kit_id, n.code, $6, count(*), sum(n.size::bigint)::bigint, $7, $7, \
                (array_agg(n.sha256))[1], (array_agg(n.packet))[1] \
         FROM unnest($1::bytea[], $2::text[], $3::uuid[], $4::uuid[], $5::integer[]) \
              AS n (sha256, code, kit, packet, size) LEFT JOIN kit k ON k.kit_id = n.kit \
         GROUP BY 1, 2 ORDER BY 1, 2 \
         ON CONFLICT (kit_id, code, day) DO UPDATE \
         SET times = intake_refusal.times + excluded.times, bytes = intake_refusal.bytes + excluded.bytes, \
             last_at = excluded.last_at, last_sha256 = excluded.last_sha256, \
             last_packet_id = excluded.last_packet_id",
    )
    .bind(refusals.iter().map(|r| r.sha256.to_vec()).collect::<Vec<_>>())
    .bind(refusals.iter().map(|r| r.code).collect::<Vec<_>>())
    .bind(refusals.iter().map(|r| r.kit_id.map(KitId::uuid)).collect::<Vec<_>>())
    .bind(refusals.iter().map(|r| r.packet_id.map(PacketId::uuid)).collect::<Vec<_>>())
    .bind(refusals.iter().map(|r| i32::try_from(r.size).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(day_in_vietnam(at))
    .bind(at)
    .bind(Uuid::nil())
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds packets and bytes to what kits handed over on a day, and gives each kit's sums with them.
///
/// # Errors
/// Those of the database.
pub async fn charge_kits(
    tx: &mut PgConnection,
    day: Date,
    added: &BTreeMap<KitId, (u64, u64)>,
) -> Result<Vec<(KitId, u64, u64)>, Error> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let rows: Vec<(Uuid, i64, i64)> = sqlx::query_as(
        "INSERT INTO kit_day (kit_id, day, packets, bytes) \
         SELECT kit, $4, packets, bytes \
         FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n (kit, packets, bytes) ORDER BY kit \
         ON CONFLICT (kit_id, day) DO UPDATE \
         SET packets = kit_day.packets + excluded.packets, bytes = kit_day.bytes + excluded.bytes \
         RETURNING kit_id, packets, bytes",
    )
    .bind(added.keys().map(|kit| kit.uuid()).collect::<Vec<_>>())
    .bind(added.values().map(|(packets, _)| number(*packets)).collect::<Vec<_>>())
    .bind(added.values().map(|(_, bytes)| number(*bytes)).collect::<Vec<_>>())
    .bind(day)
    .fetch_all(tx)
    .await?;
    let sum = |(kit, packets, bytes): (Uuid, i64, i64)| {
        (KitId::from_uuid(kit), packets.unsigned_abs(), bytes.unsigned_abs())
    };
    Ok(rows.into_iter().map(sum).collect())
}
