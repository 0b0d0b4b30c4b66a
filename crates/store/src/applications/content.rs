//! What opening a packet brings to light.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::platform::error::inconsistent;
use domain::ResidentRecord;
use domain::id::{ApplicationId, PacketId, PersonId};

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
    pub wrapped_key: Vec<u8>,
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
    let paths: Vec<(Uuid, String)> = sqlx::query_as(
        "UPDATE application a SET claimed_person_id = n.claimed, receipt_hash = n.hash \
         FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS n (id, claimed, hash) \
         WHERE a.application_id = n.id \
         RETURNING a.application_id, a.unit_path",
    )
    .bind(&applications)
    .bind(opened.iter().map(|o| o.claimed_person_id.map(PersonId::uuid)).collect::<Vec<_>>())
    .bind(opened.iter().map(|o| o.receipt_hash.to_vec()).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await?;
    let paths: HashMap<Uuid, String> = paths.into_iter().collect();
    // The record is seen where its application is.
    let path = |id: &Uuid| {
        let path = paths.get(id).map(String::as_str);
        path.ok_or_else(|| inconsistent("application", *id, "its packet is there and it is not"))
    };
    sqlx::query(
        "INSERT INTO application_record (application_id, record, differs, unit_path) \
         SELECT id, record, string_to_array(differs, ','), path \
         FROM unnest($1::uuid[], $2::jsonb[], $3::text[], $4::text[]) AS n (id, record, differs, path)",
    )
    .bind(&applications)
    .bind(opened.iter().map(|o| &o.record).collect::<Vec<_>>())
    .bind(opened.iter().map(|o| o.differs.join(",")).collect::<Vec<_>>())
    .bind(applications.iter().map(path).collect::<Result<Vec<_>, _>>()?)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE packet p SET wrapped_key = n.key FROM unnest($1::uuid[], $2::bytea[]) AS n (id, key) \
         WHERE p.packet_id = n.id",
    )
    .bind(opened.iter().map(|o| o.packet_id.uuid()).collect::<Vec<_>>())
    .bind(opened.iter().map(|o| o.wrapped_key.as_slice()).collect::<Vec<_>>())
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
         WHERE a.state = 'received' \
           AND NOT EXISTS (SELECT 1 FROM packet p WHERE p.application_id = a.application_id \
                 AND p.quarantined IS NOT NULL) \
         ORDER BY a.captured_at, a.application_id LIMIT $1",
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
