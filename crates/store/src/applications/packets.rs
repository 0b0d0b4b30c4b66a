//! Packets: what tells one from others, and the sealed bytes at rest.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::signed;
use crate::Error;
use crate::platform::error::inconsistent;
use domain::id::{ApplicationId, KitId, PacketId};

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
         SELECT p.packet_id, p.kit_id, p.kit_seq, p.sha256 \
         FROM unnest($2::uuid[], $3::bigint[]) AS c (kit_id, kit_seq) \
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

/// A packet that was taken over.
#[derive(Debug, Clone)]
pub struct NewPacket<'a> {
    pub packet_id: PacketId,
    pub kit_id: KitId,
    pub application_id: ApplicationId,
    pub kit_seq: u64,
    pub sha256: [u8; 32],
    pub sealed: &'a [u8],
    /// Why it is set aside at once.
    pub quarantined: Option<&'static str>,
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
        "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at, \
         quarantined, quarantined_at) \
         SELECT id, kit, application, seq, sha256, sealed, $7, reason, \
                CASE WHEN reason IS NOT NULL THEN $7 END \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bytea[], $6::bytea[], $8::text[]) \
              AS n (id, kit, application, seq, sha256, sealed, reason)",
    )
    .bind(packets.iter().map(|p| p.packet_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.kit_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.application_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| signed(p.kit_seq)).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.sha256.to_vec()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.sealed).collect::<Vec<_>>())
    .bind(received_at)
    .bind(packets.iter().map(|p| p.quarantined).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// A packet as it rests: ciphertext, and the wrapped key to it once it has been opened.
#[derive(Clone)]
pub struct SealedPacket {
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
    pub kit_id: KitId,
    pub kit_seq: u64,
    /// With which the kit signs, as a point; `None` when there is no such kit.
    pub kit_key: Option<Vec<u8>>,
    pub captured_at: OffsetDateTime,
    pub received_at: OffsetDateTime,
    pub sealed: Vec<u8>,
    pub wrapped_key: Option<Vec<u8>>,
}

impl std::fmt::Debug for SealedPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedPacket").field("packet_id", &self.packet_id).finish_non_exhaustive()
    }
}

impl From<SealedRow> for SealedPacket {
    fn from(row: SealedRow) -> Self {
        SealedPacket {
            packet_id: PacketId::from_uuid(row.packet_id),
            application_id: ApplicationId::from_uuid(row.application_id),
            kit_id: KitId::from_uuid(row.kit_id),
            // A negative one is no packet's: whoever compares finds that out.
            kit_seq: u64::try_from(row.kit_seq).unwrap_or(0),
            kit_key: row.public_key,
            captured_at: row.captured_at,
            received_at: row.received_at,
            sealed: row.sealed,
            wrapped_key: row.wrapped_key,
        }
    }
}

#[derive(sqlx::FromRow)]
struct SealedRow {
    packet_id: Uuid,
    application_id: Uuid,
    kit_id: Uuid,
    kit_seq: i64,
    public_key: Option<Vec<u8>>,
    captured_at: OffsetDateTime,
    received_at: OffsetDateTime,
    sealed: Vec<u8>,
    wrapped_key: Option<Vec<u8>>,
}

/// The oldest packets that nobody has opened yet, in the order (received_at, packet_id), those after `after`.
///
/// # Errors
/// Those of the database.
pub async fn unopened(
    conn: &mut PgConnection,
    after: Option<(OffsetDateTime, PacketId)>,
    limit: u32,
) -> Result<Vec<SealedPacket>, Error> {
    let rows: Vec<SealedRow> = sqlx::query_as(
        "SELECT p.packet_id, p.application_id, p.kit_id, p.kit_seq, k.public_key, a.captured_at, \
                p.received_at, p.sealed, p.wrapped_key \
         FROM packet p JOIN application a USING (application_id) LEFT JOIN kit k ON k.kit_id = p.kit_id \
         WHERE p.wrapped_key IS NULL AND p.refused IS NULL AND p.quarantined IS NULL \
           AND (p.received_at, p.packet_id) > ($1, $2) \
         ORDER BY p.received_at, p.packet_id LIMIT $3",
    )
    .bind(after.map_or(OffsetDateTime::UNIX_EPOCH, |(at, _)| at))
    .bind(after.map_or(Uuid::nil(), |(_, id)| id.uuid()))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(SealedPacket::from).collect())
}

/// The opened packets of applications, in the order of the applications' ids; for whoever needs the
/// biometrics.
///
/// # Errors
/// Those of the database.
pub async fn sealed_packets(
    conn: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<Vec<SealedPacket>, Error> {
    let rows: Vec<SealedRow> = sqlx::query_as(
        "SELECT p.packet_id, p.application_id, p.kit_id, p.kit_seq, k.public_key, a.captured_at, \
                p.received_at, p.sealed, p.wrapped_key \
         FROM packet p JOIN application a USING (application_id) LEFT JOIN kit k ON k.kit_id = p.kit_id \
         WHERE p.application_id = ANY($1) AND p.wrapped_key IS NOT NULL \
         ORDER BY p.application_id, p.packet_id",
    )
    .bind(applications.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(SealedPacket::from).collect())
}

/// Locks those of the packets that are still unopened; another worker may have been faster with the others.
///
/// # Errors
/// Those of the database.
pub async fn lock_unopened(tx: &mut PgConnection, ids: &[PacketId]) -> Result<Vec<PacketId>, Error> {
    let rows: Vec<Uuid> = sqlx::query_scalar(
        "SELECT packet_id FROM packet WHERE packet_id = ANY($1) AND wrapped_key IS NULL AND refused IS NULL \
           AND quarantined IS NULL \
         ORDER BY packet_id FOR NO KEY UPDATE",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(PacketId::from_uuid).collect())
}

/// Marks packets whose content is invalid, each with its code.
///
/// # Errors
/// Those of the database.
pub async fn refuse_packets(
    tx: &mut PgConnection,
    refused: &[(PacketId, &'static str)],
) -> Result<(), Error> {
    if refused.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE packet p SET refused = n.code FROM unnest($1::uuid[], $2::text[]) AS n (id, code) \
         WHERE p.packet_id = n.id",
    )
    .bind(refused.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind(refused.iter().map(|(_, code)| *code).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
