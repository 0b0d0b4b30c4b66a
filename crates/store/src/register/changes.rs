//! What happened to a person: the history of a record, one event a version.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;

use crate::Error;
use domain::id::PersonId;

/// One entry of a person's history.
#[derive(Debug, Clone, FromRow)]
pub struct PersonEventRow {
    pub version: i32,
    pub kind: String,
    pub at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    pub actor: String,
}

/// A person's history, newest first.
pub async fn person_events(scoped: &mut PgConnection, id: PersonId) -> Result<Vec<PersonEventRow>, Error> {
    let rows = sqlx::query_as(
        "SELECT version, kind, at, recorded_at, actor FROM person_event WHERE person_id = $1 \
         ORDER BY version DESC LIMIT 200",
    )
    .bind(id.uuid())
    .fetch_all(scoped)
    .await?;
    Ok(rows)
}
