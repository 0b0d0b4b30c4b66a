//! Whether the rows of people are what their events lead to, and what was so on a day.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::record::{Ending, Stored, ending, stored};
use crate::Error;
use crate::platform::error::inconsistent;
use domain::ResidentRecord;
use domain::id::PersonId;
use domain::person::{Kind, Status};

/// People whose events are read at a time.
const CHUNK: usize = 1_000;

/// A person's record as it was on a day, by what was known at an instant. `None` for an unknown person, and
/// before the registration was recorded.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`] when the rows are not the fold of the events.
pub async fn person_as_of(
    conn: &mut PgConnection,
    id: PersonId,
    on: Date,
    known_at: OffsetDateTime,
) -> Result<Option<ResidentRecord>, Error> {
    let Some(stored) = stored(conn, &[id.uuid()]).await?.pop() else { return Ok(None) };
    let person = stored.fold().map_err(|reason| inconsistent("person", id.uuid(), &reason))?;
    person.as_of(on, known_at).map_err(|_| inconsistent("person_fact", id.uuid(), "the facts make no record"))
}

/// The people whose row, facts or numbers are not what their events say, by id; events, facts and numbers
/// without a person count too. Empty in a sound database.
///
/// # Errors
/// Those of the database; a row that cannot be read.
pub async fn check_folds(conn: &mut PgConnection) -> Result<Vec<PersonId>, Error> {
    let mut found: BTreeSet<Uuid> = broken_sequences(&mut *conn).await?.into_iter().collect();
    found.extend(broken_registrations(&mut *conn).await?);
    found.extend(strays(&mut *conn).await?);
    // Nearly everybody has one event, which the statements above have judged. The others are folded.
    let mut after = Uuid::nil();
    loop {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT person_id FROM person WHERE version > 1 AND person_id > $1 ORDER BY person_id LIMIT $2",
        )
        .bind(after)
        .bind(i64::try_from(CHUNK).expect("a thousand fits"))
        .fetch_all(&mut *conn)
        .await?;
        let Some(&last) = ids.last() else { break };
        after = last;
        let people = stored(&mut *conn, &ids).await?;
        found.extend(unsound(conn, &people).await?);
    }
    Ok(found.into_iter().map(PersonId::from_uuid).collect())
}

/// People without events or the other way round, and those whose versions are not counted without gaps.
async fn broken_sequences(conn: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
    let ids = sqlx::query_scalar(
        "SELECT coalesce(p.person_id, e.person_id) FROM person p \
         FULL JOIN (SELECT person_id, min(version) AS first, max(version) AS last, count(*) AS events \
                    FROM person_event GROUP BY person_id) e ON e.person_id = p.person_id \
         WHERE p.version IS DISTINCT FROM e.events OR e.first <> 1 OR e.last <> e.events",
    );
    Ok(ids.fetch_all(conn).await?)
}

/// People to whom nothing happened since the registration, and who are not as it left them.
async fn broken_registrations(conn: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
    let ids = sqlx::query_scalar(
        "SELECT p.person_id FROM person p WHERE p.version = 1 AND ( \
             p.status <> $2 OR p.same_as IS NOT NULL \
             OR EXISTS (SELECT FROM person_fact f WHERE f.person_id = p.person_id) \
             OR NOT EXISTS (SELECT FROM person_event e \
                            WHERE e.person_id = p.person_id AND e.version = 1 AND e.kind = $1))",
    );
    Ok(ids.bind(Kind::Registered.code()).bind(Status::Alive.code()).fetch_all(conn).await?)
}

/// Facts of nobody, current numbers that are not on their person's record, and the other way round.
async fn strays(conn: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
    let ids = sqlx::query_scalar(
        "SELECT f.person_id FROM person_fact f LEFT JOIN person p USING (person_id) WHERE p.person_id IS \
             NULL \
         UNION SELECT coalesce(p.person_id, n.person_id) \
         FROM (SELECT person_id, pin FROM person WHERE pin IS NOT NULL) p \
         FULL JOIN (SELECT person_id, pin FROM pin WHERE ended_at IS NULL) n ON n.pin = p.pin \
         WHERE p.person_id IS DISTINCT FROM n.person_id",
    );
    Ok(ids.fetch_all(conn).await?)
}

/// Those of these people who are not the fold of their events, in their rows or in their numbers.
async fn unsound(conn: &mut PgConnection, people: &[Stored]) -> Result<Vec<Uuid>, Error> {
    let mut found = Vec::new();
    let mut expected: Vec<(String, Uuid, Option<&'static str>)> = Vec::new();
    for stored in people {
        let Ok(person) = stored.fold() else {
            found.push(stored.id.uuid());
            continue;
        };
        for held in &person.numbers {
            let pin = held.pin.as_str().to_owned();
            match ending(held) {
                Ending::Current => expected.push((pin, person.id.uuid(), None)),
                Ending::Ended(reason) => expected.push((pin, person.id.uuid(), Some(reason))),
                Ending::Elsewhere => {}
            }
        }
    }
    let rows: Vec<(String, Uuid, Option<String>)> = sqlx::query_as(
        "SELECT pin, person_id, CASE WHEN ended_at IS NULL THEN NULL ELSE coalesce(ended_reason, '') END \
         FROM pin WHERE pin = ANY($1)",
    )
    .bind(expected.iter().map(|(pin, ..)| pin.as_str()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let numbers: HashMap<&str, (Uuid, Option<&str>)> =
        rows.iter().map(|(pin, id, ended)| (pin.as_str(), (*id, ended.as_deref()))).collect();
    let is_wrong = |(pin, id, ended): &&(String, Uuid, Option<&'static str>)| {
        numbers.get(pin.as_str()) != Some(&(*id, *ended))
    };
    found.extend(expected.iter().filter(is_wrong).map(|(_, id, _)| *id));
    Ok(found)
}
