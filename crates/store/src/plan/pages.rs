//! The plan as pages show it.
//!
//! Functions whose connection is called `scoped` are for [`crate::Database::scoped`] transactions, where
//! row-level security keeps other units' rows away; those with `conn` read tables without a policy and take
//! the scope or an id that was let through before.

use sqlx::{FromRow, PgConnection};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{Error, UnitScope};

/// One invited person of a day.
#[derive(Debug, Clone, FromRow)]
pub struct InvitedSeat {
    pub slot_id: Uuid,
    pub site: String,
    pub shift: i16,
    pub starts_at: OffsetDateTime,
    pub minutes: i16,
    pub capacity: i16,
    pub seat: i16,
    pub person_id: Uuid,
    pub state: String,
}

/// The seats given for one day inside a unit, by slot and seat; at most `limit`.
pub async fn invited_on(
    conn: &mut PgConnection,
    scope: &UnitScope,
    day: Date,
    limit: i64,
) -> Result<Vec<InvitedSeat>, Error> {
    let rows = sqlx::query_as(
        "SELECT s.slot_id, s.site, s.shift, s.starts_at, s.minutes, s.capacity, i.seat, i.person_id, i.state \
         FROM slot s JOIN invitation i USING (slot_id) \
         WHERE s.day = $1 AND i.unit_path ~>=~ $2 AND i.unit_path ~<~ $3 AND i.state <> 'withdrawn' \
         ORDER BY s.starts_at, s.site, s.slot_id, i.seat LIMIT $4",
    )
    .bind(day)
    .bind(scope.as_str())
    .bind(scope.end())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The nearest day on or before `day`, else after it, on which the unit has a slot.
pub async fn nearest_slot_day(
    conn: &mut PgConnection,
    scope: &UnitScope,
    day: Date,
) -> Result<Option<Date>, Error> {
    let found = sqlx::query_scalar(
        "SELECT coalesce(max(day) FILTER (WHERE day <= $3), min(day)) FROM slot \
         WHERE unit_path ~>=~ $1 AND unit_path ~<~ $2",
    )
    .bind(scope.as_str())
    .bind(scope.end())
    .bind(day)
    .fetch_one(conn)
    .await?;
    Ok(found)
}
