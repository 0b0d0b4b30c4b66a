//! Packets: what tells one from others, and the sealed bytes at rest.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::signed;
use crate::Error;
use crate::platform::error::inconsistent;
use domain::id::{ApplicationId, CredentialId, KitId, PacketId};

/// A stored packet by what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPacket {
    pub packet_id: PacketId,
    pub kit_id: KitId,
    pub kit_seq: u64,
    pub sha256: [u8; 32],
    /// What it names as the one before it.
    pub prev_sha256: Option<[u8; 32]>,
}

/// Stored packets that have one of these ids, or one of these counters of one of these kits, or that follow
/// the same packet as one of these.
///
/// # Errors
/// Those of the database.
pub async fn known_packets(
    conn: &mut PgConnection,
    ids: &[PacketId],
    counters: &[(KitId, u64)],
    following: &[(KitId, [u8; 32])],
) -> Result<Vec<KnownPacket>, Error> {
    type Row = (Uuid, Uuid, i64, Vec<u8>, Option<Vec<u8>>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT packet_id, kit_id, kit_seq, sha256, prev_sha256 FROM packet WHERE packet_id = ANY($1) \
         UNION \
         SELECT p.packet_id, p.kit_id, p.kit_seq, p.sha256, p.prev_sha256 \
         FROM unnest($2::uuid[], $3::bigint[]) AS c (kit_id, kit_seq) \
         JOIN packet p ON p.kit_id = c.kit_id AND p.kit_seq = c.kit_seq AND NOT p.twin \
         UNION \
         SELECT p.packet_id, p.kit_id, p.kit_seq, p.sha256, p.prev_sha256 \
         FROM unnest($2::uuid[], $3::bigint[]) AS c (kit_id, kit_seq) \
         JOIN packet p ON p.kit_id = c.kit_id AND p.kit_seq = c.kit_seq AND p.twin \
         UNION \
         SELECT p.packet_id, p.kit_id, p.kit_seq, p.sha256, p.prev_sha256 \
         FROM unnest($4::uuid[], $5::bytea[]) AS f (kit_id, prev) \
         JOIN packet p ON p.kit_id = f.kit_id AND p.prev_sha256 = f.prev",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .bind(counters.iter().map(|(kit, _)| kit.uuid()).collect::<Vec<_>>())
    .bind(counters.iter().map(|(_, seq)| signed(*seq)).collect::<Vec<_>>())
    .bind(following.iter().map(|(kit, _)| kit.uuid()).collect::<Vec<_>>())
    .bind(following.iter().map(|(_, sha256)| sha256.to_vec()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let known = |(id, kit, seq, sha256, prev): Row| {
        let hash = |bytes: Vec<u8>| {
            bytes.try_into().map_err(|_| inconsistent("packet", id, "a sha256 of another length"))
        };
        Ok(KnownPacket {
            packet_id: PacketId::from_uuid(id),
            kit_id: KitId::from_uuid(kit),
            kit_seq: u64::try_from(seq).map_err(|_| inconsistent("packet", id, "a negative kit_seq"))?,
            sha256: hash(sha256)?,
            prev_sha256: prev.map(hash).transpose()?,
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
    /// What it names as the one before it.
    pub prev_sha256: Option<[u8; 32]>,
    /// With which the officer signed.
    pub credential_id: CredentialId,
    /// Code of what it carries.
    pub content: &'static str,
    /// The application that has the rest of it.
    pub base: Option<ApplicationId>,
    /// Whether another packet of the kit has its number.
    pub twin: bool,
}

/// Stores packets that were decided to be new. Their applications are there: a packet is seen where its
/// application is.
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
    let stored = sqlx::query(
        "INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at, \
         quarantined, quarantined_at, prev_sha256, credential_id, content, base_application_id, twin, \
         unit_path) \
         SELECT id, kit, application, seq, sha256, sealed, $7, reason, \
                CASE WHEN reason IS NOT NULL THEN $7 END, prev, credential, content, base, twin, a.unit_path \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bytea[], $6::bytea[], $8::text[], \
                     $9::bytea[], $10::uuid[], $11::text[], $12::uuid[], $13::boolean[]) \
              AS n (id, kit, application, seq, sha256, sealed, reason, prev, credential, content, base, \
                    twin) \
              JOIN application a ON a.application_id = application",
    )
    .bind(packets.iter().map(|p| p.packet_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.kit_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.application_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| signed(p.kit_seq)).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.sha256.to_vec()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.sealed).collect::<Vec<_>>())
    .bind(received_at)
    .bind(packets.iter().map(|p| p.quarantined).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.prev_sha256.map(|sha256| sha256.to_vec())).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.credential_id.uuid()).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.content).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.base.map(ApplicationId::uuid)).collect::<Vec<_>>())
    .bind(packets.iter().map(|p| p.twin).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    // A receipt must never be given for what was left out.
    match usize::try_from(stored.rows_affected()) {
        Ok(rows) if rows == packets.len() => Ok(()),
        _ => Err(inconsistent("packet", packets[0].packet_id.uuid(), "an application that is not there")),
    }
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
    /// With which the officer signed.
    pub credential_id: Option<CredentialId>,
    /// The key of that credential, as a point; `None` when there is none.
    pub officer_key: Option<Vec<u8>>,
    /// Code of what it carries.
    pub content: String,
    /// The application that has the rest of it.
    pub base: Option<ApplicationId>,
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
            credential_id: row.credential_id.map(CredentialId::from_uuid),
            officer_key: row.officer_key,
            content: row.content,
            base: row.base_application_id.map(ApplicationId::from_uuid),
            captured_at: row.captured_at,
            received_at: row.received_at,
            sealed: row.sealed,
            wrapped_key: row.wrapped_key,
        }
    }
}

/// A query of sealed packets, of which the condition and the order are given.
macro_rules! sealed {
    ($end:literal) => {
        concat!(
            "SELECT p.packet_id, p.application_id, p.kit_id, p.kit_seq, k.public_key, p.credential_id, \
                    o.public_key AS officer_key, p.content, p.base_application_id, a.captured_at, \
                    p.received_at, p.sealed, p.wrapped_key \
             FROM packet p JOIN application a USING (application_id) LEFT JOIN kit k ON k.kit_id = p.kit_id \
                  LEFT JOIN officer_credential o ON o.credential_id = p.credential_id ",
            $end
        )
    };
}

#[derive(sqlx::FromRow)]
struct SealedRow {
    packet_id: Uuid,
    application_id: Uuid,
    kit_id: Uuid,
    kit_seq: i64,
    public_key: Option<Vec<u8>>,
    credential_id: Option<Uuid>,
    officer_key: Option<Vec<u8>>,
    content: String,
    base_application_id: Option<Uuid>,
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
    let rows: Vec<SealedRow> = sqlx::query_as(sealed!(
        "WHERE p.wrapped_key IS NULL AND p.refused IS NULL AND p.quarantined IS NULL \
                 AND (p.received_at, p.packet_id) > ($1, $2) \
             ORDER BY p.received_at, p.packet_id LIMIT $3"
    ))
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
    let rows: Vec<SealedRow> = sqlx::query_as(sealed!(
        "WHERE p.application_id = ANY($1) AND p.wrapped_key IS NOT NULL AND p.content <> 'hand_over' \
             ORDER BY p.application_id, p.packet_id"
    ))
    .bind(applications.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(SealedPacket::from).collect())
}

/// Whether the packet of an application is there and waits to be opened.
///
/// # Errors
/// Those of the database.
pub async fn is_unopened(conn: &mut PgConnection, application: ApplicationId) -> Result<bool, Error> {
    let found = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM packet WHERE application_id = $1 AND content <> 'hand_over' \
         AND wrapped_key IS NULL AND refused IS NULL AND quarantined IS NULL)",
    );
    Ok(found.bind(application.uuid()).fetch_one(conn).await?)
}

/// The oldest hand-overs that are open and not booked yet, and not set aside.
///
/// # Errors
/// Those of the database.
pub async fn unbooked(conn: &mut PgConnection, limit: u32) -> Result<Vec<SealedPacket>, Error> {
    let rows: Vec<SealedRow> = sqlx::query_as(sealed!(
        "WHERE p.content = 'hand_over' AND p.wrapped_key IS NOT NULL AND p.applied_at IS NULL \
                 AND p.quarantined IS NULL \
             ORDER BY p.received_at, p.kit_id, p.kit_seq LIMIT $1"
    ))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(SealedPacket::from).collect())
}

/// Notes that a hand-over was booked.
///
/// # Errors
/// Those of the database.
pub async fn note_booked(conn: &mut PgConnection, packet: PacketId, at: OffsetDateTime) -> Result<(), Error> {
    sqlx::query("UPDATE packet SET applied_at = $2 WHERE packet_id = $1 AND applied_at IS NULL")
        .bind(packet.uuid())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
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

/// Keeps the wrapped keys of packets that hold no application.
///
/// # Errors
/// Those of the database.
pub async fn keep_keys(tx: &mut PgConnection, opened: &[(PacketId, Vec<u8>)]) -> Result<(), Error> {
    if opened.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE packet p SET wrapped_key = n.key FROM unnest($1::uuid[], $2::bytea[]) AS n (id, key) \
         WHERE p.packet_id = n.id",
    )
    .bind(opened.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind(opened.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>())
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
        "UPDATE packet p SET refused = n.code FROM unnest($1::uuid[], $2::text[]) AS n (id, code) \
         WHERE p.packet_id = n.id",
    )
    .bind(refused.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind(refused.iter().map(|(_, code)| *code).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
