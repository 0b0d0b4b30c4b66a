//! Packets that were set aside: tried in vain, or sent by somebody who should not have.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, UnitScope};
use domain::id::{ApplicationId, CredentialId, KitId, PacketId};

/// A packet that could not be opened, and how often that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub packet_id: PacketId,
    pub unit_path: String,
    /// Times that it was tried, this one included.
    pub attempts: i16,
}

/// Counts that packets could not be opened, and says how often that was. Those that were opened, refused or
/// set aside meanwhile are left out.
///
/// # Errors
/// Those of the database.
pub async fn note_attempt(tx: &mut PgConnection, packet: PacketId) -> Result<Option<Tried>, Error> {
    let row: Option<(String, i16)> = sqlx::query_as(
        "UPDATE packet p SET attempts = least(p.attempts + 1, 32767) FROM application a \
         WHERE p.packet_id = $1 AND p.wrapped_key IS NULL AND p.refused IS NULL AND p.quarantined IS NULL \
           AND a.application_id = p.application_id \
         RETURNING a.unit_path, p.attempts",
    )
    .bind(packet.uuid())
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|(unit_path, attempts)| Tried { packet_id: packet, unit_path, attempts }))
}

/// Sets a packet aside. `false` when it was before.
///
/// # Errors
/// Those of the database.
pub async fn set_aside(
    tx: &mut PgConnection,
    packet: PacketId,
    reason: &'static str,
    at: OffsetDateTime,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE packet SET quarantined = $2, quarantined_at = $3 \
         WHERE packet_id = $1 AND quarantined IS NULL",
    )
    .bind(packet.uuid())
    .bind(reason)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A packet that waits: to be opened, or for somebody to look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
    /// Name of the kit that sealed it.
    pub kit: String,
    /// The kit's own counter.
    pub kit_seq: i64,
    pub unit_path: String,
    pub received_at: OffsetDateTime,
    pub attempts: i16,
    /// Why it is set aside; `None` when it waits to be opened.
    pub quarantined: Option<String>,
    pub quarantined_at: Option<OffsetDateTime>,
}

/// The oldest packets that wait: those that are set aside, and with `all` those that are to be opened, too.
///
/// # Errors
/// Those of the database.
pub async fn waiting(conn: &mut PgConnection, all: bool, limit: u32) -> Result<Vec<Waiting>, Error> {
    let rows: Vec<WaitingRow> = sqlx::query_as(
        "SELECT p.packet_id, p.application_id, coalesce(k.name, '') AS kit, p.kit_seq, a.unit_path, \
                p.received_at, p.attempts, p.quarantined, p.quarantined_at \
         FROM packet p JOIN application a USING (application_id) LEFT JOIN kit k ON k.kit_id = p.kit_id \
         WHERE p.quarantined IS NOT NULL OR ($1 AND p.wrapped_key IS NULL AND p.refused IS NULL) \
         ORDER BY p.received_at, p.packet_id LIMIT $2",
    )
    .bind(all)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Waiting::from).collect())
}

/// Which of the packets that are set aside are asked for. All that is given must hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Code of the reason.
    pub reason: Option<&'a str>,
    pub kit: Option<KitId>,
    /// The last one of the page before, by [`SetAside::since`] and id.
    pub after: Option<(OffsetDateTime, PacketId)>,
    pub limit: i64,
}

/// A packet that is set aside: who sent it, when, and why nobody opens it. Nothing of the person in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    pub packet_id: PacketId,
    pub application_id: ApplicationId,
    pub kit_id: KitId,
    /// The kit's own counter.
    pub kit_seq: i64,
    /// With which the officer signed; `None` when that is not known.
    pub credential_id: Option<CredentialId>,
    pub unit_path: String,
    pub received_at: OffsetDateTime,
    pub attempts: i16,
    /// Code of the reason.
    pub reason: String,
    pub since: OffsetDateTime,
}

/// The packets that are set aside in the reader's unit, those that wait longest first.
///
/// # Errors
/// Those of the database.
pub async fn set_aside_in(scoped: &mut PgConnection, asked: &Asked<'_>) -> Result<Vec<SetAside>, Error> {
    let rows: Vec<SetAsideRow> = sqlx::query_as(
        "SELECT packet_id, application_id, kit_id, kit_seq, credential_id, unit_path, received_at, attempts, \
                quarantined AS reason, quarantined_at AS since \
         FROM packet WHERE quarantined IS NOT NULL AND ($1::text IS NULL OR quarantined = $1) \
           AND ($2::uuid IS NULL OR kit_id = $2) \
           AND ($3::timestamptz IS NULL OR (quarantined_at, packet_id) > ($3, $4)) \
         ORDER BY quarantined_at, packet_id LIMIT $5",
    )
    .bind(asked.reason)
    .bind(asked.kit.map(KitId::uuid))
    .bind(asked.after.map(|(since, _)| since))
    .bind(asked.after.map(|(_, packet)| packet.uuid()))
    .bind(asked.limit)
    .fetch_all(scoped)
    .await?;
    Ok(rows.into_iter().map(SetAside::from).collect())
}

/// How many packets are set aside in the reader's unit, by reason, the most first.
///
/// # Errors
/// Those of the database.
pub async fn counts(scoped: &mut PgConnection) -> Result<Vec<(String, i64)>, Error> {
    Ok(sqlx::query_as(
        "SELECT quarantined, count(*) FROM packet WHERE quarantined IS NOT NULL \
         GROUP BY quarantined ORDER BY 2 DESC, 1",
    )
    .fetch_all(scoped)
    .await?)
}

/// Which of these packets the reader's unit has, set aside or not.
///
/// # Errors
/// Those of the database.
pub async fn seen(scoped: &mut PgConnection, ids: &[PacketId]) -> Result<Vec<PacketId>, Error> {
    let rows: Vec<Uuid> = sqlx::query_scalar("SELECT packet_id FROM packet WHERE packet_id = ANY($1)")
        .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .fetch_all(scoped)
        .await?;
    Ok(rows.into_iter().map(PacketId::from_uuid).collect())
}

/// Path of the unit in which the packet's application was captured.
///
/// # Errors
/// Those of the database.
pub async fn unit_path(conn: &mut PgConnection, packet: PacketId) -> Result<Option<String>, Error> {
    let path = sqlx::query_scalar(
        "SELECT a.unit_path FROM packet p JOIN application a USING (application_id) WHERE p.packet_id = $1",
    );
    Ok(path.bind(packet.uuid()).fetch_optional(conn).await?)
}

/// The ids of a unit's packets that are set aside for one of these reasons.
///
/// # Errors
/// Those of the database.
pub async fn set_aside_for(
    conn: &mut PgConnection,
    scope: &UnitScope,
    reasons: &[&str],
) -> Result<Vec<PacketId>, Error> {
    let rows: Vec<Uuid> = sqlx::query_scalar(
        "SELECT packet_id FROM packet WHERE quarantined = ANY($1) AND unit_path ~>=~ $2 AND unit_path ~<~ $3 \
         ORDER BY packet_id",
    )
    .bind(reasons)
    .bind(scope.as_str())
    .bind(scope.end())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(PacketId::from_uuid).collect())
}

/// The ids of a kit's packets that are set aside for this reason: all, or those that were signed with this
/// credential.
///
/// # Errors
/// Those of the database.
pub async fn set_aside_of(
    conn: &mut PgConnection,
    kit: KitId,
    credential: Option<CredentialId>,
    reason: &str,
) -> Result<Vec<PacketId>, Error> {
    let rows: Vec<Uuid> = sqlx::query_scalar(
        "SELECT packet_id FROM packet WHERE kit_id = $1 AND quarantined = $2 \
         AND ($3::uuid IS NULL OR credential_id = $3) ORDER BY packet_id",
    )
    .bind(kit.uuid())
    .bind(reason)
    .bind(credential.map(CredentialId::uuid))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(PacketId::from_uuid).collect())
}

/// By whom a packet was signed, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedBy {
    pub packet_id: PacketId,
    pub credential_id: CredentialId,
    /// By the centre's bound; of a hand-over, when it came.
    pub at: OffsetDateTime,
    pub received_at: OffsetDateTime,
}

/// By whom these packets were signed.
///
/// # Errors
/// Those of the database.
pub async fn signed_by(conn: &mut PgConnection, ids: &[PacketId]) -> Result<Vec<SignedBy>, Error> {
    let rows: Vec<(Uuid, Uuid, OffsetDateTime, OffsetDateTime)> = sqlx::query_as(
        "SELECT p.packet_id, p.credential_id, \
                CASE p.content WHEN 'hand_over' THEN p.received_at ELSE a.captured_at END, p.received_at \
         FROM packet p JOIN application a USING (application_id) \
         WHERE p.packet_id = ANY($1) AND p.credential_id IS NOT NULL ORDER BY p.packet_id",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let signed = |(packet, credential, at, received_at)| SignedBy {
        packet_id: PacketId::from_uuid(packet),
        credential_id: CredentialId::from_uuid(credential),
        at,
        received_at,
    };
    Ok(rows.into_iter().map(signed).collect())
}

/// The packets of these ids that are set aside, in the order of their ids; held until the transaction ends.
///
/// # Errors
/// Those of the database.
pub async fn lock_quarantined(
    tx: &mut PgConnection,
    ids: &[PacketId],
) -> Result<Vec<(PacketId, String, String)>, Error> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
        "SELECT p.packet_id, p.quarantined, a.unit_path \
         FROM packet p JOIN application a USING (application_id) \
         WHERE p.packet_id = ANY($1) AND p.quarantined IS NOT NULL \
         ORDER BY p.packet_id FOR NO KEY UPDATE OF p",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(id, reason, path)| (PacketId::from_uuid(id), reason, path)).collect())
}

/// Ends that packets are set aside: they are opened in the next round.
///
/// # Errors
/// Those of the database.
pub async fn take_up(tx: &mut PgConnection, ids: &[PacketId]) -> Result<(), Error> {
    sqlx::query(
        "UPDATE packet SET quarantined = NULL, quarantined_at = NULL, attempts = 0 WHERE packet_id = ANY($1)",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct WaitingRow {
    packet_id: Uuid,
    application_id: Uuid,
    kit: String,
    kit_seq: i64,
    unit_path: String,
    received_at: OffsetDateTime,
    attempts: i16,
    quarantined: Option<String>,
    quarantined_at: Option<OffsetDateTime>,
}

impl From<WaitingRow> for Waiting {
    fn from(row: WaitingRow) -> Self {
        Waiting {
            packet_id: PacketId::from_uuid(row.packet_id),
            application_id: ApplicationId::from_uuid(row.application_id),
            kit: row.kit,
            kit_seq: row.kit_seq,
            unit_path: row.unit_path,
            received_at: row.received_at,
            attempts: row.attempts,
            quarantined: row.quarantined,
            quarantined_at: row.quarantined_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct SetAsideRow {
    packet_id: Uuid,
    application_id: Uuid,
    kit_id: Uuid,
    kit_seq: i64,
    credential_id: Option<Uuid>,
    unit_path: String,
    received_at: OffsetDateTime,
    attempts: i16,
    reason: String,
    since: OffsetDateTime,
}

impl From<SetAsideRow> for SetAside {
    fn from(row: SetAsideRow) -> Self {
        SetAside {
            packet_id: PacketId::from_uuid(row.packet_id),
            application_id: ApplicationId::from_uuid(row.application_id),
            kit_id: KitId::from_uuid(row.kit_id),
            kit_seq: row.kit_seq,
            credential_id: row.credential_id.map(CredentialId::from_uuid),
            unit_path: row.unit_path,
            received_at: row.received_at,
            attempts: row.attempts,
            reason: row.reason,
            since: row.since,
        }
    }
}
