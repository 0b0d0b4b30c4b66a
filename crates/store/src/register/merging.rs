//! Two records of one person becoming one, and being taken apart again.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::record::{CivilEvent, Happening, Recorded, record};
use super::uuids;
use crate::Error;
use domain::clock::day_in_vietnam;
use domain::id::{EventId, PersonId};
use domain::person::Kind;
use domain::{Actor, PartialDate};

/// A person's record as merging needs it, locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct MergedRecord {
    pub person_id: Uuid,
    /// The record that it was merged into.
    pub same_as: Option<Uuid>,
    pub has_pin: bool,
    /// Has an application that was not rejected.
    pub has_application: bool,
    pub recorded_at: OffsetDateTime,
}

/// Two records of one person: `drop` ends and points to `keep`.
#[derive(Debug, Clone)]
pub struct Merge {
    pub keep: PersonId,
    pub drop: PersonId,
    /// `keep` has no number and takes over that of `drop`; otherwise a number of `drop` ends.
    pub moves_pin: bool,
    /// Codes and weights: why the two are one.
    pub reason: serde_json::Value,
}

/// Locks these records in the order of their ids.
///
/// # Errors
/// Those of the database.
pub async fn lock_people(tx: &mut PgConnection, ids: &[PersonId]) -> Result<Vec<MergedRecord>, Error> {
    let rows = sqlx::query_as(
        "SELECT person_id, same_as, pin IS NOT NULL AS has_pin, recorded_at, \
                EXISTS (SELECT 1 FROM application a WHERE a.person_id = p.person_id AND a.state <> \
                'rejected') \
                    AS has_application \
         FROM person p WHERE person_id = ANY($1) ORDER BY person_id FOR UPDATE",
    )
    .bind(uuids(ids))
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Merges pairs of living records, in their order: a record may be in several of the pairs.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`] for a pair that cannot be merged, which the caller found
/// out under the lock of [`lock_people`].
pub async fn merge_people(
    tx: &mut PgConnection,
    merges: &[Merge],
    actor: &Actor,
    at: OffsetDateTime,
) -> Result<(), Error> {
    let versions = versions(tx, &merges.iter().map(|merge| merge.drop).collect::<Vec<_>>()).await?;
    let events: Vec<CivilEvent> = merges
        .iter()
        .map(|merge| {
            let (keep, drop, reason) = (merge.keep, merge.drop, merge.reason.clone());
            event(Happening::Merge { keep, drop, reason }, [keep, drop], &versions, actor, at)
        })
        .collect();
    all_applied(record(tx, at, &events).await?)
}

/// An event of two records. One pair can be merged, split and merged again in one instant: the version of the
/// record that ends or comes back tells the events apart.
fn event(
    what: Happening,
    [kept, dropped]: [PersonId; 2],
    versions: &HashMap<PersonId, i32>,
    actor: &Actor,
    at: OffsetDateTime,
) -> CivilEvent {
    let version = versions.get(&dropped).copied().unwrap_or_default().to_be_bytes();
    let (one, other) = (kept.uuid(), dropped.uuid());
    let parts = [b"pair".as_slice(), one.as_bytes(), other.as_bytes(), &version];
    CivilEvent {
        event_id: EventId::derive(at, &parts),
        what,
        legal_on: PartialDate::from_date(day_in_vietnam(at)),
        document_id: None,
        case_id: None,
        actor: actor.clone(),
    }
}

async fn versions(conn: &mut PgConnection, ids: &[PersonId]) -> Result<HashMap<PersonId, i32>, Error> {
    let rows: Vec<(Uuid, i32)> =
        sqlx::query_as("SELECT person_id, version FROM person WHERE person_id = ANY($1)")
            .bind(uuids(ids))
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, version)| (PersonId::from_uuid(id), version)).collect())
}

fn all_applied(recorded: Recorded) -> Result<(), Error> {
    match recorded.refused.into_iter().next() {
        None => Ok(()),
        Some((event, refused)) => Err(Error::Inconsistent {
            table: "person",
            row: format!("event {event}"),
            reason: refused.to_string(),
        }),
    }
}

/// Whether the latest merge of `dropped` gave its number to the survivor.
///
/// # Errors
/// Those of the database.
pub async fn merge_moved_pin(conn: &mut PgConnection, dropped: PersonId) -> Result<bool, Error> {
    let moved: Option<bool> = sqlx::query_scalar(
        "SELECT coalesce((detail->>'pin_moved')::bool, false) FROM person_event \
         WHERE person_id = $1 AND kind = $2 ORDER BY version DESC LIMIT 1",
    )
    .bind(dropped.uuid())
    .bind(Kind::Merged.code())
    .fetch_optional(conn)
    .await?;
    Ok(moved.unwrap_or(false))
}

/// Records among `ids` that were merged and taken apart again, each with the one that it was taken from.
///
/// # Errors
/// Those of the database.
pub async fn taken_apart(
    conn: &mut PgConnection,
    ids: &[PersonId],
) -> Result<Vec<(PersonId, PersonId)>, Error> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT person_id, (detail->>'from')::uuid FROM person_event \
         WHERE person_id = ANY($1) AND kind = 'split' AND detail ? 'from'",
    )
    .bind(uuids(ids))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(one, other)| (PersonId::from_uuid(one), PersonId::from_uuid(other))).collect())
}

/// Takes the merge of `dropped` back: it lives again, with the number that the merge moved or ended.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`] for a pair that cannot be split, which the caller found out
/// under the lock of [`lock_people`].
pub async fn split_people(
    tx: &mut PgConnection,
    dropped: PersonId,
    kept: PersonId,
    actor: &Actor,
    at: OffsetDateTime,
) -> Result<(), Error> {
    let versions = versions(tx, &[dropped]).await?;
    let event = event(Happening::Split { kept, dropped }, [kept, dropped], &versions, actor, at);
    all_applied(record(tx, at, &[event]).await?)
}
