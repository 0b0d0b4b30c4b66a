//! Kits, packets and the content of applications as rows.

use std::collections::HashMap;

use domain::application::State;
use domain::id::{ApplicationId, KitId, PacketId, PersonId};
use domain::{ResidentRecord, UnitCode};
use sqlx::postgres::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;

/// A registered kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kit {
    pub kit_id: KitId,
    pub name: String,
    pub unit: UnitCode,
    /// Uncompressed P-256 point, 65 bytes.
    pub public_key: Vec<u8>,
    pub registered_at: OffsetDateTime,
    pub revoked_at: Option<OffsetDateTime>,
}

/// A stored packet by what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPacket {
    pub packet_id: PacketId,
    pub kit_id: KitId,
    pub kit_seq: u64,
    pub sha256: [u8; 32],
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

/// An upload that was not taken over.
#[derive(Debug, Clone)]
pub struct NewRefusal {
    pub sha256: [u8; 32],
    pub code: &'static str,
    pub kit_id: Option<KitId>,
    pub packet_id: Option<PacketId>,
    pub size: usize,
}

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

/// A kit's day report.
#[derive(Debug, Clone)]
pub struct NewKitReport<'a> {
    pub kit_id: KitId,
    pub day: Date,
    pub captured: u64,
    pub unsent: u64,
    pub captured_total: u64,
    pub reported_at: OffsetDateTime,
    /// The signed report.
    pub message: &'a [u8],
}

/// Registers a kit, or does nothing when it is registered already. A key is never exchanged: a new key is a new kit.
///
/// # Errors
/// Those of the database, among them another kit of this name (constraint `kit_name_key`).
pub async fn register_kit(conn: &mut PgConnection, kit: &Kit) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (kit_id) DO NOTHING",
    )
    .bind(kit.kit_id.uuid())
    .bind(&kit.name)
    .bind(kit.unit.to_string())
    .bind(&kit.public_key)
    .bind(kit.registered_at)
    .bind(kit.revoked_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes a kit: from now on its packets are refused. `false` for an unknown or already revoked kit.
///
/// # Errors
/// Those of the database.
pub async fn revoke_kit(conn: &mut PgConnection, kit_id: KitId, at: OffsetDateTime) -> Result<bool, Error> {
    let done = sqlx::query("UPDATE kit SET revoked_at = $2 WHERE kit_id = $1 AND revoked_at IS NULL")
        .bind(kit_id.uuid())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The kits among `ids` that are registered, by id.
///
/// # Errors
/// Those of the database.
pub async fn kits(conn: &mut PgConnection, ids: &[KitId]) -> Result<Vec<Kit>, Error> {
    let rows = sqlx::query_as(
        "SELECT kit_id, name, unit_code, public_key, registered_at, revoked_at FROM kit \
         WHERE kit_id = ANY($1) ORDER BY kit_id",
    );
    let rows: Vec<KitRow> = rows.bind(uuids(ids)).fetch_all(conn).await?;
    rows.into_iter().map(Kit::try_from).collect()
}

/// As [`kits`], and holds the rows until the transaction ends: two uploads of one kit are decided one after the other, and
/// none while the kit is being revoked.
///
/// # Errors
/// Those of the database.
pub async fn lock_kits(tx: &mut PgConnection, ids: &[KitId]) -> Result<Vec<Kit>, Error> {
    let rows = sqlx::query_as(
        "SELECT kit_id, name, unit_code, public_key, registered_at, revoked_at FROM kit \
         WHERE kit_id = ANY($1) ORDER BY kit_id FOR NO KEY UPDATE",
    );
    let rows: Vec<KitRow> = rows.bind(uuids(ids)).fetch_all(tx).await?;
    rows.into_iter().map(Kit::try_from).collect()
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

/// Stores a day report; an older one for the same day gives way, a newer one stays. `false` when it stayed.
///
/// # Errors
/// Those of the database.
pub async fn put_kit_report(tx: &mut PgConnection, report: &NewKitReport<'_>) -> Result<bool, Error> {
    let done = sqlx::query(
        "INSERT INTO kit_report (kit_id, day, captured, unsent, captured_total, reported_at, message) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kit_id, day) DO UPDATE \
         SET captured = excluded.captured, unsent = excluded.unsent, captured_total = excluded.captured_total, \
             reported_at = excluded.reported_at, message = excluded.message \
         WHERE kit_report.reported_at <= excluded.reported_at",
    )
    .bind(report.kit_id.uuid())
    .bind(report.day)
    .bind(signed(report.captured))
    .bind(signed(report.unsent))
    .bind(signed(report.captured_total))
    .bind(report.reported_at)
    .bind(report.message)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The kit's counters up to its highest known one (packet or reported total) that no packet has arrived with, as ranges
/// from and to: these packets are still on the kit.
///
/// # Errors
/// Those of the database.
pub async fn sequence_gaps(conn: &mut PgConnection, kit_id: KitId) -> Result<Vec<(u64, u64)>, Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "WITH seen AS ( \
             SELECT kit_seq FROM packet WHERE kit_id = $1 \
             UNION ALL SELECT 0 \
             UNION ALL SELECT coalesce(max(captured_total), 0) + 1 FROM kit_report WHERE kit_id = $1), \
         steps AS (SELECT kit_seq, lead(kit_seq) OVER (ORDER BY kit_seq) AS following FROM seen) \
         SELECT kit_seq + 1, following - 1 FROM steps WHERE following > kit_seq + 1 ORDER BY kit_seq",
    )
    .bind(kit_id.uuid())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(from, to)| (from.unsigned_abs(), to.unsigned_abs())).collect())
}

#[derive(sqlx::FromRow)]
struct KitRow {
    kit_id: Uuid,
    name: String,
    unit_code: String,
    public_key: Vec<u8>,
    registered_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
}

impl TryFrom<KitRow> for Kit {
    type Error = Error;

    fn try_from(row: KitRow) -> Result<Self, Error> {
        Ok(Kit {
            kit_id: KitId::from_uuid(row.kit_id),
            name: row.name,
            unit: row.unit_code.parse().map_err(|_| inconsistent("kit", row.kit_id, "not a unit code"))?,
            public_key: row.public_key,
            registered_at: row.registered_at,
            revoked_at: row.revoked_at,
        })
    }
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

impl std::fmt::Debug for SealedPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedPacket").field("packet_id", &self.packet_id).finish_non_exhaustive()
    }
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

fn uuids(ids: &[KitId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

/// The program's counters come from messages that were checked to fit.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn inconsistent(table: &'static str, row: Uuid, reason: &str) -> Error {
    Error::Inconsistent { table, row: row.to_string(), reason: reason.to_owned() }
}
