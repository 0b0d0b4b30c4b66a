//! What happened to a person: the history of a record, one event a version.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;

use crate::Error;
use crate::platform::change_log::{self, Changed};
use crate::platform::error::inconsistent;
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

/// Says where a person's record is seen from now on, and its history with it. For whoever writes a move, in the same
/// transaction: the new address and the event are theirs.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`] when there is no such person.
pub async fn set_unit_path(tx: &mut PgConnection, person: PersonId, unit_path: &str) -> Result<(), Error> {
    let done = sqlx::query("UPDATE person SET unit_path = $2 WHERE person_id = $1")
        .bind(person.uuid())
        .bind(unit_path)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(inconsistent("person", person.uuid(), "it moves and is not there"));
    }
    sqlx::query("UPDATE person_event SET unit_path = $2 WHERE person_id = $1")
        .bind(person.uuid())
        .bind(unit_path)
        .execute(&mut *tx)
        .await?;
    change_log::note(tx, Changed::People, &[person.uuid()]).await
}
