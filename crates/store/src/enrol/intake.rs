//! Uploads: what is known when they arrive, and what is kept of them, taken over or refused.

use std::collections::HashMap;

use domain::UnitCode;
use domain::application::State;
use domain::id::{ApplicationId, KitId, PacketId};
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{inconsistent, signed};
use crate::Error;

/// A stored packet by what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPacket {
    pub packet_id: PacketId,
    pub kit_id: KitId,
    pub kit_seq: u64,
    pub sha256: [u8; 32],
}

/// Stored packets that have one of these ids, or one of these counters of one of these kits.
///
/// # Errors
/// Those of the database.
pub async fn known_packets(
    conn: &mut PgConnection,
    ids: &[PacketId],
    counters: &[(KitId, u64)],
) -> Result<Vec<KnownPacket>, Error> {
    let rows: Vec<(Uuid, Uuid, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT packet_id, kit_id, kit_seq, sha256 FROM packet WHERE packet_id = ANY($1) \
         UNION \
         SELECT p.packet_id, p.kit_id, p.kit_seq, p.sha256 FROM unnest($2::uuid[], $3::bigint[]) AS c (kit_id, kit_seq) \
         JOIN packet p ON p.kit_id = c.kit_id AND p.kit_seq = c.kit_seq",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .bind(counters.iter().map(|(kit, _)| kit.uuid()).collect::<Vec<_>>())
    .bind(counters.iter().map(|(_, seq)| signed(*seq)).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let known = |(id, kit, seq, sha256): (Uuid, Uuid, i64, Vec<u8>)| {
        Ok(KnownPacket {
            packet_id: PacketId::from_uuid(id),
            kit_id: KitId::from_uuid(kit),
            kit_seq: u64::try_from(seq).map_err(|_| inconsistent("packet", id, "a negative kit_seq"))?,
            sha256: sha256
                .try_into()
                .map_err(|_| inconsistent("packet", id, "a sha256 of another length"))?,
        })
    };
    rows.into_iter().map(known).collect()
}

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

/// Paths (`42/445/18562/`) of those of the units that exist, by the newest row of each.
///
/// # Errors
/// Those of the database.
pub async fn unit_paths(
    conn: &mut PgConnection,
    units: &[UnitCode],
) -> Result<HashMap<UnitCode, String>, Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT ON (code) code, path FROM unit WHERE code = ANY($1) ORDER BY code, valid_from DESC",
    )
    .bind(units.iter().map(UnitCode::to_string).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    // The codes come from `units`, so they parse.
    Ok(rows.into_iter().filter_map(|(code, path)| Some((code.parse().ok()?, path))).collect())
}

/// A packet that was taken over.
#[derive(Debug, Clone)]
pub struct NewPacket<'a> {
    pub packet_id: PacketId,
    pub kit_id: KitId,
    pub application_id: ApplicationId,
    pub kit_seq: u64,
    pub sha256: [u8; 32],
    pub sealed: &'a [u8],
}

/// Stores packets that were decided to be new.
///
/// # Errors
/// Those of the database, among them a violated uniqueness when another transaction was faster.
pub async fn insert_packets(
    tx: &mut PgConnection,
    received_at: OffsetDateTime,
    packets: &[NewPacket<'_>],
) -> Result<(), Error> {
    if packets.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at) \
         SELECT id, kit, application, seq, sha256, sealed, $7 \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bytea[], $6::bytea[]) \
              AS n (id, kit, application, seq, sha256, sealed)",
    )
    .bind(packets.iter().map(|p| p.packet_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.kit_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.application_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| signed(p.kit_seq)).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.sha256.to_vec()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.sealed).collect::<Vec<_>>())
    .bind(received_at)
    .execute(tx)
    .await?;
    Ok(())
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
