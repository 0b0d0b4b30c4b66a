//! Uploads: what is known when they arrive, and what is kept of those that were refused.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::platform::error::inconsistent;
use domain::application::State;
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

/// Counts and keeps refused uploads; the same upload refused again for the same reason only counts.
///
/// # Errors
/// Those of the database.
pub async fn note_refusals(
    tx: &mut PgConnection,
    at: OffsetDateTime,
    refusals: &[NewRefusal],
) -> Result<(), Error> {
    // One statement cannot touch a row twice, and one order of rows keeps two batches from deadlock.
    let mut counted: std::collections::BTreeMap<([u8; 32], &str), (&NewRefusal, i64)> = Default::default();
    for refusal in refusals {
        counted.entry((refusal.sha256, refusal.code)).or_insert((refusal, 0)).1 += 1;
    }
    if counted.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = counted.values().collect();
    sqlx::query(
        "INSERT INTO intake_refusal (sha256, code, kit_id, packet_id, size, times, first_at, last_at) \
         SELECT sha256, code, kit, packet, size, times, $7, $7 \
         FROM unnest($1::bytea[], $2::text[], $3::uuid[], $4::uuid[], $5::integer[], $6::bigint[]) \
              AS n (sha256, code, kit, packet, size, times) \
         ON CONFLICT (sha256, code) DO UPDATE \
         SET times = intake_refusal.times + excluded.times, last_at = excluded.last_at",
    )
    .bind(rows.iter().map(|(r, _)| r.sha256.to_vec()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(r, _)| r.code).collect::<Vec<_>>())
    .bind(rows.iter().map(|(r, _)| r.kit_id.map(KitId::uuid)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(r, _)| r.packet_id.map(PacketId::uuid)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(r, _)| i32::try_from(r.size).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, times)| *times).collect::<Vec<_>>())
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}
