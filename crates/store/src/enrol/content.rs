//! Packets at rest, and what opening them brings to light.

use domain::ResidentRecord;
use domain::id::{ApplicationId, PacketId, PersonId};
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::inconsistent;
use crate::Error;

/// A packet as it rests: ciphertext, and the wrapped key to it once it has been opened.
#[derive(Clone)]
pub struct SealedPacket {
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
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
        "SELECT p.packet_id, p.application_id, a.captured_at, p.received_at, p.sealed, p.wrapped_key \
         FROM packet p JOIN application a USING (application_id) \
         WHERE p.wrapped_key IS NULL AND p.refused IS NULL AND (p.received_at, p.packet_id) > ($1, $2) \
         ORDER BY p.received_at, p.packet_id LIMIT $3",
    )
    .bind(after.map_or(OffsetDateTime::UNIX_EPOCH, |(at, _)| at))
    .bind(after.map_or(Uuid::nil(), |(_, id)| id.uuid()))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(SealedPacket::from).collect())
}

/// The opened packets of applications, in the order of the applications' ids; for whoever needs the biometrics.
///
/// # Errors
/// Those of the database.
pub async fn sealed_packets(
    conn: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<Vec<SealedPacket>, Error> {
    let rows: Vec<SealedRow> = sqlx::query_as(
        "SELECT p.packet_id, p.application_id, a.captured_at, p.received_at, p.sealed, p.wrapped_key \
         FROM packet p JOIN application a USING (application_id) \
         WHERE p.application_id = ANY($1) AND p.wrapped_key IS NOT NULL ORDER BY p.application_id, p.packet_id",
    )
    .bind(applications.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(SealedPacket::from).collect())
}

#[derive(sqlx::FromRow)]
struct SealedRow {
    packet_id: Uuid,
    application_id: Uuid,
    captured_at: OffsetDateTime,
    received_at: OffsetDateTime,
    sealed: Vec<u8>,
    wrapped_key: Option<Vec<u8>>,
}

impl From<SealedRow> for SealedPacket {
    fn from(row: SealedRow) -> Self {
        SealedPacket {
            packet_id: PacketId::from_uuid(row.packet_id),
            application_id: ApplicationId::from_uuid(row.application_id),
            captured_at: row.captured_at,
            received_at: row.received_at,
            sealed: row.sealed,
            wrapped_key: row.wrapped_key,
        }
    }
}

/// Locks those of the packets that are still unopened; another worker may have been faster with the others.
///
/// # Errors
/// Those of the database.
pub async fn lock_unopened(tx: &mut PgConnection, ids: &[PacketId]) -> Result<Vec<PacketId>, Error> {
    let rows: Vec<Uuid> = sqlx::query_scalar(
        "SELECT packet_id FROM packet WHERE packet_id = ANY($1) AND wrapped_key IS NULL AND refused IS NULL \
         ORDER BY packet_id FOR NO KEY UPDATE",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(PacketId::from_uuid).collect())
}

/// Those of the receipt hashes that an application has already.
///
/// # Errors
/// Those of the database.
pub async fn used_receipt_hashes(
    conn: &mut PgConnection,
    hashes: &[[u8; 32]],
) -> Result<Vec<[u8; 32]>, Error> {
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT receipt_hash FROM application WHERE receipt_hash = ANY($1)")
            .bind(hashes.iter().map(|hash| hash.to_vec()).collect::<Vec<_>>())
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().filter_map(|hash| hash.try_into().ok()).collect())
}

/// What opening a valid packet yields for the database.
#[derive(Debug, Clone)]
pub struct Opened {
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
    pub wrapped_key: [u8; 40],
    pub record: serde_json::Value,
    pub differs: Vec<String>,
    pub claimed_person_id: Option<PersonId>,
    pub receipt_hash: [u8; 32],
}

/// Stores what valid packets hold.
///
/// # Errors
/// Those of the database.
pub async fn store_opened(tx: &mut PgConnection, opened: &[Opened]) -> Result<(), Error> {
    if opened.is_empty() {
        return Ok(());
    }
    let applications: Vec<Uuid> = opened.iter().map(|o| o.application_id.uuid()).collect();
    sqlx::query(
        "INSERT INTO application_record (application_id, record, differs) \
         SELECT id, record, string_to_array(differs, ',') \
         FROM unnest($1::uuid[], $2::jsonb[], $3::text[]) AS n (id, record, differs)",
    )
    .bind(&applications)
    .bind(opened.iter().map(|o| &o.record).collect::<Vec<_>>())
    .bind(opened.iter().map(|o| o.differs.join(",")).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE application a SET claimed_person_id = n.claimed, receipt_hash = n.hash \
         FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS n (id, claimed, hash) WHERE a.application_id = n.id",
    )
    .bind(&applications)
    .bind(opened.iter().map(|o| o.claimed_person_id.map(PersonId::uuid)).collect::<Vec<_>>())
    .bind(opened.iter().map(|o| o.receipt_hash.to_vec()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE packet p SET wrapped_key = n.key FROM unnest($1::uuid[], $2::bytea[]) AS n (id, key) \
         WHERE p.packet_id = n.id",
    )
    .bind(opened.iter().map(|o| o.packet_id.uuid()).collect::<Vec<_>>())
    .bind(opened.iter().map(|o| o.wrapped_key.to_vec()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
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
        "UPDATE packet p SET refused = n.code FROM unnest($1::uuid[], $2::text[]) AS n (id, code) WHERE p.packet_id = n.id",
    )
    .bind(refused.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind(refused.iter().map(|(_, code)| *code).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What the citizen declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub application_id: ApplicationId,
    pub claimed_person_id: Option<PersonId>,
    pub unit_path: String,
    pub captured_at: OffsetDateTime,
    pub record: ResidentRecord,
    /// Fields in which it differs from the register's record.
    pub differs: Vec<String>,
}

/// The oldest applications that were received, opened and found valid, with what the citizen declared.
///
/// # Errors
/// Those of the database; a record that this program cannot read.
pub async fn declared(conn: &mut PgConnection, limit: u32) -> Result<Vec<Declared>, Error> {
    let rows: Vec<DeclaredRow> = sqlx::query_as(
        "SELECT a.application_id, a.claimed_person_id, a.unit_path, a.captured_at, r.record, r.differs \
         FROM application a JOIN application_record r USING (application_id) \
         WHERE a.state = 'received' ORDER BY a.captured_at, a.application_id LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Declared::try_from).collect()
}

#[derive(sqlx::FromRow)]
struct DeclaredRow {
    application_id: Uuid,
    claimed_person_id: Option<Uuid>,
    unit_path: String,
    captured_at: OffsetDateTime,
    record: serde_json::Value,
    differs: Vec<String>,
}

impl TryFrom<DeclaredRow> for Declared {
    type Error = Error;

    fn try_from(row: DeclaredRow) -> Result<Self, Error> {
        let id = row.application_id;
        let record = serde_json::from_value(row.record);
        Ok(Declared {
            application_id: ApplicationId::from_uuid(id),
            claimed_person_id: row.claimed_person_id.map(PersonId::from_uuid),
            unit_path: row.unit_path,
            captured_at: row.captured_at,
            record: record
                .map_err(|_| inconsistent("application_record", id, "a record of another shape"))?,
            differs: row.differs,
        })
    }
}
