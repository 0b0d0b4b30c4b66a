//! Whom a campaign counts and counts no longer, since it was opened: one entry a change, never changed
//! itself. What it began with is `area.eligible`.

use sqlx::{FromRow, PgConnection};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::Error;
use domain::id::{EventId, PersonId};
use domain::{PartialDate, UnitCode};

/// A campaign that runs on a day.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Running {
    /// Of which unit; with the first day it names the campaign.
    pub unit_code: String,
    pub unit_path: String,
    pub starts_on: Date,
}

/// The campaigns that were opened and whose last day is not over on `day`. Whether a deadline's own day
/// counts makes no difference here: nobody is counted anew on it.
///
/// # Errors
/// Those of the database.
pub async fn running(conn: &mut PgConnection, day: Date) -> Result<Vec<Running>, Error> {
    let sql = "SELECT unit_code, unit_path, starts_on FROM campaign WHERE deadline >= $1 \
               ORDER BY unit_code, starts_on";
    Ok(sqlx::query_as(sql).bind(day).fetch_all(conn).await?)
}

/// One change of what a campaign counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    pub campaign_unit: String,
    pub campaign_from: Date,
    /// Where the person is counted, or was.
    pub unit: UnitCode,
    pub unit_path: String,
    pub person: PersonId,
    /// Minus one or one.
    pub delta: i16,
    pub reason: &'static str,
    pub cause: EventId,
    pub effective_on: PartialDate,
}

/// The cohort of whoever is old enough; there is no other yet.
const EVERYBODY: &str = "all";

/// Adds entries behind those that their campaigns have. Whoever else adds entries waits.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut PgConnection, entries: &[NewEntry], at: OffsetDateTime) -> Result<(), Error> {
    if entries.is_empty() {
        return Ok(());
    }
    crate::platform::db::lock(tx, "lock.denominator").await?;
    for entry in entries {
        sqlx::query(
            "INSERT INTO denominator_entry (campaign_unit, campaign_from, seq, unit_code, unit_path, cohort, \
             person_id, delta, reason, cause, effective_on, recorded_at) \
             SELECT $1, $2, coalesce(max(seq), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11 \
             FROM denominator_entry WHERE campaign_unit = $1 AND campaign_from = $2",
        )
        .bind(&entry.campaign_unit)
        .bind(entry.campaign_from)
        .bind(entry.unit.to_string())
        .bind(&entry.unit_path)
        .bind(EVERYBODY)
        .bind(entry.person.uuid())
        .bind(entry.delta)
        .bind(entry.reason)
        .bind(entry.cause.uuid())
        .bind(entry.effective_on.packed())
        .bind(at)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Entry {
    pub campaign_unit: String,
    pub campaign_from: Date,
    pub seq: i64,
    pub unit_code: String,
    pub person_id: Uuid,
    pub delta: i16,
    pub reason: String,
    pub cause: Uuid,
}

/// The entries that an event caused, in their order.
///
/// # Errors
/// Those of the database.
pub async fn caused_by(conn: &mut PgConnection, event: EventId) -> Result<Vec<Entry>, Error> {
    let sql = "SELECT campaign_unit, campaign_from, seq, unit_code, person_id, delta, reason, cause \
               FROM denominator_entry WHERE cause = $1 ORDER BY campaign_unit, campaign_from, seq";
    Ok(sqlx::query_as(sql).bind(event.uuid()).fetch_all(conn).await?)
}
