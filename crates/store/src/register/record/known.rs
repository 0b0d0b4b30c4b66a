//! What whoever judges an event reads first: where its person stands, under the lock, and what is recorded
//! under its id already.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Refused, load};
use crate::Error;
use crate::platform::error::inconsistent;
use domain::PartialDate;
use domain::id::{DocumentId, EventId, PersonId};
use domain::person::Person;

/// A person as its events lead to, locked until the transaction ends.
#[derive(Debug, Clone)]
pub struct Known {
    pub person: Person,
    /// Where the person is seen from.
    pub unit_path: String,
    /// The ids of the events, by version.
    pub event_ids: Vec<Option<EventId>>,
}

/// Locks a person and says where it stands; `None` for an unknown id.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`] when the row is not the fold of its events.
pub async fn locked(tx: &mut PgConnection, id: PersonId) -> Result<Option<Known>, Error> {
    let Some((_, standing)) = load::lock(tx, &[id.uuid()]).await?.pop_first() else { return Ok(None) };
    let unsound = || inconsistent("person", id.uuid(), &Refused::Unsound(id).to_string());
    let person = standing.person.ok_or_else(unsound)?;
    Ok(Some(Known { person, unit_path: standing.unit_path, event_ids: standing.event_ids }))
}

/// An event as it was recorded.
#[derive(Debug, Clone)]
pub struct KnownEvent {
    pub legal_on: PartialDate,
    pub document_id: Option<DocumentId>,
    /// By person.
    pub told: Vec<Told>,
}

/// What one person was told by an event.
#[derive(Debug, Clone)]
pub struct Told {
    pub person: PersonId,
    pub version: i32,
    /// The event of this person, as it is told again.
    pub detail: Option<Value>,
}

/// The event of this id, whoever it is about; `None` when nothing is recorded under it. Of a file that
/// registered people nobody is named.
///
/// # Errors
/// Those of the database; a day that is no date.
pub async fn known_event(conn: &mut PgConnection, id: EventId) -> Result<Option<KnownEvent>, Error> {
    let found: Option<(i32, Option<Uuid>)> =
        sqlx::query_as("SELECT legal_on, document_id FROM civil_event WHERE event_id = $1")
            .bind(id.uuid())
            .fetch_optional(&mut *conn)
            .await?;
    let Some((legal_on, document)) = found else { return Ok(None) };
    let rows: Vec<(Uuid, i32, Option<Value>)> = sqlx::query_as(
        "SELECT person_id, version, detail FROM person_event WHERE event_id = $1 AND version > 1 \
         ORDER BY person_id, version",
    )
    .bind(id.uuid())
    .fetch_all(conn)
    .await?;
    let told = |(person, version, detail)| Told { person: PersonId::from_uuid(person), version, detail };
    Ok(Some(KnownEvent {
        legal_on: load::packed_day("civil_event", id.uuid(), legal_on)?,
        document_id: document.map(DocumentId::from_uuid),
        told: rows.into_iter().map(told).collect(),
    }))
}
