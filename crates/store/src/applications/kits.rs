//! Kits and their day reports.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::proposals::{Proposal, bound, proposal};
use super::signed;
use super::standing::Told;
use crate::Error;
use crate::platform::error::inconsistent;
use domain::UnitCode;
use domain::id::KitId;

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
    /// When the centre last took something over from it; `None` for a kit that is new.
    pub heard_at: Option<OffsetDateTime>,
    /// What else stands against it.
    pub standing: Standing,
}

/// What may stand against a kit that is not revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since when it is stopped because there seem to be two of it, and the code of what showed it.
    pub stopped: Option<(OffsetDateTime, String)>,
    /// What somebody proposes.
    pub proposed: Option<Proposal>,
}

/// Registers a kit, or does nothing when it is registered already. A key is never exchanged: a new key is a
/// new kit.
///
/// # Errors
/// Those of the database, among them another kit of this name (constraint `kit_name_key`).
pub async fn register_kit(conn: &mut PgConnection, kit: &Kit) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at, revoked_at) \
         VALUES ($1, $2, $3, $4, $5, $6) \
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

/// Makes whoever registers or revokes kits wait for one another until the transaction ends.
///
/// # Errors
/// Those of the database.
pub async fn lock(tx: &mut PgConnection) -> Result<(), Error> {
    crate::platform::db::lock(tx, "lock.kit").await
}

/// Every kit that was registered, by name.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Kit>, Error> {
    let rows = sqlx::query_as(
        "SELECT kit_id, name, unit_code, public_key, registered_at, revoked_at, heard_at, stopped_at, \
                stopped_for, proposed, proposed_at, proposed_by, proposed_reason FROM kit \
         ORDER BY name",
    );
    let rows: Vec<KitRow> = rows.fetch_all(conn).await?;
    rows.into_iter().map(Kit::try_from).collect()
}

/// What a kit's last report said, and how many packets came from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Packets that were taken over.
    pub packets: i64,
    /// Those of them that are set aside.
    pub set_aside: i64,
    /// Numbers up to the highest that is known with which no packet came: they are still on the kit, or
    /// a restored database lost them. [`sequence_gaps`] says which.
    pub missing: i64,
    /// Those of them that the kit was told are safe and has forgotten: nobody can send them again.
    pub lost: i64,
    /// When it reported last, by its own clock.
    pub reported_at: Option<OffsetDateTime>,
    /// Captures without a receipt by that report.
    pub unsent: Option<i64>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
    /// Up to which counter what came from it is safe; 0 when nothing is.
    pub durable: i64,
    /// Its own last word.
    pub told: Option<Told>,
}

/// What is known of each of these kits, by id.
///
/// # Errors
/// Those of the database.
pub async fn heard(conn: &mut PgConnection, ids: &[KitId]) -> Result<HashMap<KitId, Heard>, Error> {
    let rows: Vec<HeardRow> = sqlx::query_as(
        "SELECT k.kit_id, coalesce(p.packets, 0) AS packets, coalesce(p.set_aside, 0) AS set_aside, \
                greatest(p.highest, t.total, k.told_total, 0) - coalesce(p.numbers, 0) AS missing, \
                r.reported_at, r.unsent, k.revoked_reason, k.durable_seq, \
                k.told_at, k.told_total, k.told_unsent, k.told_durable, k.told_forgotten, \
                coalesce(k.told_forgotten, 0) - coalesce(p.of_durable, 0) AS lost \
         FROM kit k \
         LEFT JOIN (SELECT kit_id, count(*) AS packets, count(quarantined) AS set_aside, \
                           max(kit_seq) AS highest, \
                           count(DISTINCT kit_seq) FILTER (WHERE kit_seq > 0) AS numbers, \
                           count(DISTINCT kit_seq) FILTER \
                               (WHERE kit_seq BETWEEN 1 AND told_durable) AS of_durable \
                    FROM packet JOIN kit USING (kit_id) WHERE kit_id = ANY($1) GROUP BY kit_id) p \
                   USING (kit_id) \
         LEFT JOIN (SELECT kit_id, max(captured_total) AS total FROM kit_report \
                    WHERE kit_id = ANY($1) GROUP BY kit_id) t USING (kit_id) \
         LEFT JOIN (SELECT DISTINCT ON (kit_id) kit_id, reported_at, unsent FROM kit_report \
                    WHERE kit_id = ANY($1) ORDER BY kit_id, day DESC) r USING (kit_id) \
         WHERE k.kit_id = ANY($1)",
    )
    .bind(uuids(ids))
    .fetch_all(conn)
    .await?;
    let number = |number: Option<i64>| number.unwrap_or_default().unsigned_abs();
    let heard = |row: HeardRow| {
        let heard = Heard {
            packets: row.packets,
            set_aside: row.set_aside,
            missing: row.missing.max(0),
            lost: row.lost.max(0),
            reported_at: row.reported_at,
            unsent: row.unsent,
            revoked_reason: row.revoked_reason,
            durable: row.durable_seq,
            told: row.told_at.map(|at| Told {
                at,
                total: number(row.told_total),
                unsent: number(row.told_unsent),
                durable: number(row.told_durable),
                forgotten: number(row.told_forgotten),
            }),
        };
        (KitId::from_uuid(row.kit_id), heard)
    };
    Ok(rows.into_iter().map(heard).collect())
}

#[derive(sqlx::FromRow)]
struct HeardRow {
    kit_id: Uuid,
    packets: i64,
    set_aside: i64,
    missing: i64,
    reported_at: Option<OffsetDateTime>,
    unsent: Option<i64>,
    revoked_reason: Option<String>,
    durable_seq: i64,
    told_at: Option<OffsetDateTime>,
    told_total: Option<i64>,
    told_unsent: Option<i64>,
    told_durable: Option<i64>,
    told_forgotten: Option<i64>,
    lost: i64,
}

/// Notes why a kit was revoked.
///
/// # Errors
/// Those of the database.
pub async fn note_reason(tx: &mut PgConnection, kit_id: KitId, reason: &str) -> Result<(), Error> {
    sqlx::query("UPDATE kit SET revoked_reason = $2 WHERE kit_id = $1")
        .bind(kit_id.uuid())
        .bind(reason)
        .execute(tx)
        .await?;
    Ok(())
}

/// Revokes a kit: from now on its packets are set aside, and nothing is proposed of it any more. `false` for
/// an unknown or already revoked kit.
///
/// # Errors
/// Those of the database.
pub async fn revoke_kit(conn: &mut PgConnection, kit_id: KitId, at: OffsetDateTime) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE kit SET revoked_at = $2, proposed = NULL, proposed_at = NULL, proposed_by = NULL, \
         proposed_reason = NULL WHERE kit_id = $1 AND revoked_at IS NULL",
    )
    .bind(kit_id.uuid())
    .bind(at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Writes down what is proposed of a kit, or that nothing is.
///
/// # Errors
/// Those of the database.
pub async fn propose(tx: &mut PgConnection, kit_id: KitId, proposal: Option<&Proposal>) -> Result<(), Error> {
    let query = sqlx::query(
        "UPDATE kit SET proposed = $2, proposed_at = $3, proposed_by = $4, proposed_reason = $5 \
         WHERE kit_id = $1",
    );
    bound(query.bind(kit_id.uuid()), proposal).execute(tx).await?;
    Ok(())
}

/// Stops a kit. `false` when it is stopped already.
///
/// # Errors
/// Those of the database.
pub async fn stop(
    tx: &mut PgConnection,
    kit_id: KitId,
    code: &str,
    at: OffsetDateTime,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE kit SET stopped_at = $2, stopped_for = $3 WHERE kit_id = $1 AND stopped_at IS NULL",
    )
    .bind(kit_id.uuid())
    .bind(at)
    .bind(code)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Lets a kit that was stopped go on.
///
/// # Errors
/// Those of the database.
pub async fn resume(tx: &mut PgConnection, kit_id: KitId) -> Result<(), Error> {
    sqlx::query(
        "UPDATE kit SET stopped_at = NULL, stopped_for = NULL, proposed = NULL, proposed_at = NULL, \
         proposed_by = NULL, proposed_reason = NULL WHERE kit_id = $1",
    )
    .bind(kit_id.uuid())
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that the centre took something over from these kits.
///
/// # Errors
/// Those of the database.
pub async fn note_heard(tx: &mut PgConnection, ids: &[KitId], at: OffsetDateTime) -> Result<(), Error> {
    sqlx::query("UPDATE kit SET heard_at = $2 WHERE kit_id = ANY($1)")
        .bind(uuids(ids))
        .bind(at)
        .execute(tx)
        .await?;
    Ok(())
}

/// The kits among `ids` that are registered, by id.
///
/// # Errors
/// Those of the database.
pub async fn kits(conn: &mut PgConnection, ids: &[KitId]) -> Result<Vec<Kit>, Error> {
    let rows = sqlx::query_as(
        "SELECT kit_id, name, unit_code, public_key, registered_at, revoked_at, heard_at, stopped_at, \
                stopped_for, proposed, proposed_at, proposed_by, proposed_reason FROM kit \
         WHERE kit_id = ANY($1) ORDER BY kit_id",
    );
    let rows: Vec<KitRow> = rows.bind(uuids(ids)).fetch_all(conn).await?;
    rows.into_iter().map(Kit::try_from).collect()
}

/// As [`kits`], and holds the rows until the transaction ends: two uploads of one kit are decided one after
/// the other, and none while the kit is being revoked.
///
/// # Errors
/// Those of the database.
pub async fn lock_kits(tx: &mut PgConnection, ids: &[KitId]) -> Result<Vec<Kit>, Error> {
    let rows = sqlx::query_as(
        "SELECT kit_id, name, unit_code, public_key, registered_at, revoked_at, heard_at, stopped_at, \
                stopped_for, proposed, proposed_at, proposed_by, proposed_reason FROM kit \
         WHERE kit_id = ANY($1) ORDER BY kit_id FOR NO KEY UPDATE",
    );
    let rows: Vec<KitRow> = rows.bind(uuids(ids)).fetch_all(tx).await?;
    rows.into_iter().map(Kit::try_from).collect()
}

#[derive(sqlx::FromRow)]
struct KitRow {
    kit_id: Uuid,
    name: String,
    unit_code: String,
    public_key: Vec<u8>,
    registered_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
    heard_at: Option<OffsetDateTime>,
    stopped_at: Option<OffsetDateTime>,
    stopped_for: Option<String>,
    proposed: Option<String>,
    proposed_at: Option<OffsetDateTime>,
    proposed_by: Option<String>,
    proposed_reason: Option<String>,
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
            heard_at: row.heard_at,
            standing: Standing {
                stopped: row.stopped_at.zip(row.stopped_for),
                proposed: proposal(row.proposed, row.proposed_at, row.proposed_by, row.proposed_reason),
            },
        })
    }
}

fn uuids(ids: &[KitId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
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

/// Stores a day report; an older one for the same day gives way, a newer one stays. `false` when it stayed.
///
/// # Errors
/// Those of the database.
pub async fn put_kit_report(tx: &mut PgConnection, report: &NewKitReport<'_>) -> Result<bool, Error> {
    let done = sqlx::query(
        "INSERT INTO kit_report (kit_id, day, captured, unsent, captured_total, reported_at, message) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kit_id, day) DO UPDATE \
         SET captured = excluded.captured, unsent = excluded.unsent, captured_total = \
             excluded.captured_total, reported_at = excluded.reported_at, message = excluded.message \
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

/// The kit's counters up to its highest known one (packet, reported or told total) that no packet has arrived
/// with, as ranges from and to: these packets are still on the kit, but for those that it was told are safe.
///
/// # Errors
/// Those of the database.
pub async fn sequence_gaps(conn: &mut PgConnection, kit_id: KitId) -> Result<Vec<(u64, u64)>, Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "WITH seen AS ( \
             SELECT kit_seq FROM packet WHERE kit_id = $1 \
             UNION ALL SELECT 0 \
             UNION ALL SELECT coalesce(max(total), 0) + 1 FROM ( \
                 SELECT captured_total AS total FROM kit_report WHERE kit_id = $1 \
                 UNION ALL SELECT told_total FROM kit WHERE kit_id = $1) t), \
         steps AS (SELECT kit_seq, lead(kit_seq) OVER (ORDER BY kit_seq) AS following FROM seen) \
         SELECT kit_seq + 1, following - 1 FROM steps WHERE following > kit_seq + 1 ORDER BY kit_seq",
    )
    .bind(kit_id.uuid())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(from, to)| (from.unsigned_abs(), to.unsigned_abs())).collect())
}
