//! People as stored, and the people that their events lead to.

use std::collections::{BTreeMap, HashMap};

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{CivilEvent, Happening, Standing};
use crate::Error;
use crate::platform::error::inconsistent;
use crate::register::people::{self, RECORD_COLUMNS};
use crate::register::units;
use domain::clock::day_in_vietnam;
use domain::field::{Field, Part};
use domain::id::{EventId, PersonId};
use domain::person::{Event, Fact, Kind, Person, Recorded as Dated, Status, fact, fold};
use domain::{PartialDate, ResidentRecord, UnitCode};

/// A person's rows.
pub(in crate::register) struct Stored {
    pub id: PersonId,
    pub record: ResidentRecord,
    /// `None` when the columns make no status.
    pub status: Option<Status>,
    pub unit_path: String,
    pub version: i32,
    /// By version.
    history: Vec<StoredEvent>,
    facts: Vec<Fact>,
}

struct StoredEvent {
    version: i32,
    kind: Kind,
    legal_on: PartialDate,
    recorded_at: OffsetDateTime,
    event_id: Option<EventId>,
    detail: Option<serde_json::Value>,
}

impl Stored {
    /// The person that the events lead to, or why the rows cannot be what events wrote.
    pub fn fold(&self) -> Result<Person, String> {
        let registered =
            fact::as_registered(&self.record, &self.facts).map_err(|_| "the facts make no record")?;
        let mut history = Vec::with_capacity(self.history.len());
        for (stored, expected) in self.history.iter().zip(1..) {
            if stored.version != expected {
                return Err(format!("version {expected} is missing"));
            }
            let event = match (stored.kind, &stored.detail) {
                (Kind::Registered, _) => Event::Registered { record: Box::new(registered.clone()) },
                (_, Some(detail)) => serde_json::from_value(detail.clone())
                    .map_err(|_| format!("version {expected} does not say what happened"))?,
                (_, None) => return Err(format!("version {expected} does not say what happened")),
            };
            if event.kind() != stored.kind {
                return Err(format!("version {expected} is of two kinds"));
            }
            history.push(Dated { event, legal_on: stored.legal_on, recorded_at: stored.recorded_at });
        }
        let person = fold(self.id, &history).map_err(|refusal| refusal.to_string())?;
        let person = person.ok_or("nothing was recorded")?;
        let same = |what: &str, is_same: bool| {
            if is_same { Ok(()) } else { Err(format!("the {what} is not that of the events")) }
        };
        same("record", person.record == self.record)?;
        same("status", Some(person.status()) == self.status)?;
        same("version", usize::try_from(self.version) == Ok(person.version()))?;
        same("list of facts", in_order(&person.facts) == in_order(&self.facts))?;
        Ok(person)
    }
}

fn in_order(facts: &[Fact]) -> Vec<&Fact> {
    let mut sorted: Vec<&Fact> = facts.iter().collect();
    sorted.sort_by_key(|fact| (fact.version, fact.field, fact.part));
    sorted
}

/// Locks these people in the order of their ids and gives where they stand; unknown ids are left out.
pub(super) async fn lock(tx: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<PersonId, Standing>, Error> {
    let standing = |stored: Stored| {
        let person = stored.fold();
        if let Err(reason) = &person {
            tracing::error!(person.id = %stored.id, reason, "a record is not the fold of its events");
        }
        let person = person.ok();
        let event_ids = stored.history.iter().map(|event| event.event_id).collect();
        let (unit_path, path_before) = (stored.unit_path.clone(), stored.unit_path);
        (stored.id, Standing { before: person.clone(), person, unit_path, event_ids, path_before })
    };
    Ok(stored_with(tx, ids, " ORDER BY person_id FOR NO KEY UPDATE")
        .await?
        .into_iter()
        .map(standing)
        .collect())
}

/// The rows of these people, without a lock.
pub(in crate::register) async fn stored(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Stored>, Error> {
    stored_with(conn, ids, " ORDER BY person_id").await
}

async fn stored_with(
    conn: &mut PgConnection,
    ids: &[Uuid],
    rest: &'static str,
) -> Result<Vec<Stored>, Error> {
    let sql = format!(
        "SELECT {RECORD_COLUMNS}, status, same_as, unit_path, version FROM person WHERE person_id = \
             ANY($1){rest}"
    );
    // The history is read after the row is locked, so that it is that of the row.
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ids).fetch_all(&mut *conn).await?;
    let mut histories = events(&mut *conn, ids).await?;
    let mut facts = facts(conn, ids, &histories).await?;
    let stored = |row: &sqlx::postgres::PgRow| {
        let (id, record) = people::record(row)?;
        let status = super::status(row.try_get("status")?, row.try_get("same_as")?);
        Ok(Stored {
            id,
            record,
            status,
            unit_path: row.try_get("unit_path")?,
            version: row.try_get("version")?,
            history: histories.remove(&id.uuid()).unwrap_or_default(),
            facts: facts.remove(&id.uuid()).unwrap_or_default(),
        })
    };
    rows.iter().map(stored).collect()
}

type EventColumns =
    (Uuid, i32, String, OffsetDateTime, Option<i32>, OffsetDateTime, Option<Uuid>, Option<serde_json::Value>);

async fn events(conn: &mut PgConnection, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<StoredEvent>>, Error> {
    let rows: Vec<EventColumns> = sqlx::query_as(
        "SELECT person_id, version, kind, at, legal_on, recorded_at, event_id, detail FROM person_event \
         WHERE person_id = ANY($1) ORDER BY person_id, version",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let mut histories: HashMap<Uuid, Vec<StoredEvent>> = HashMap::with_capacity(ids.len());
    for (id, version, kind, at, legal_on, recorded_at, event_id, detail) in rows {
        let kind = Kind::from_code(&kind)
            .ok_or_else(|| inconsistent("person_event", id, "kind is of no event that this program knows"))?;
        let legal_on = match legal_on {
            Some(packed) => packed_day("person_event", id, packed)?,
            None => PartialDate::from_date(day_in_vietnam(at)),
        };
        let event_id = event_id.map(EventId::from_uuid);
        let event = StoredEvent { version, kind, legal_on, recorded_at, event_id, detail };
        histories.entry(id).or_default().push(event);
    }
    Ok(histories)
}

type FactColumns = (Uuid, i32, String, String, Option<String>, Option<i32>, Option<i32>);

/// The facts of these people. When each was learned is when its event was recorded.
async fn facts(
    conn: &mut PgConnection,
    ids: &[Uuid],
    histories: &HashMap<Uuid, Vec<StoredEvent>>,
) -> Result<HashMap<Uuid, Vec<Fact>>, Error> {
    let rows: Vec<FactColumns> = sqlx::query_as(
        "SELECT person_id, version, field, part, value, valid_from, valid_to FROM person_fact \
         WHERE person_id = ANY($1) ORDER BY person_id, version, field, part",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let mut facts: HashMap<Uuid, Vec<Fact>> = HashMap::new();
    for (id, version, field, part, value, from, to) in rows {
        let wrong = |reason| inconsistent("person_fact", id, reason);
        let event = histories.get(&id).and_then(|history| history.iter().find(|e| e.version == version));
        let day = |packed: Option<i32>| packed.map(|p| packed_day("person_fact", id, p)).transpose();
        facts.entry(id).or_default().push(Fact {
            version: usize::try_from(version).map_err(|_| wrong("version is negative"))?,
            field: Field::from_code(&field).ok_or_else(|| wrong("field is of no record"))?,
            part: Part::from_code(&part).ok_or_else(|| wrong("part is of no field"))?,
            value,
            valid_from: day(from)?,
            valid_to: day(to)?,
            // Without its event it is no fact of the fold, whenever it was.
            recorded_at: event.map_or(OffsetDateTime::UNIX_EPOCH, |event| event.recorded_at),
        });
    }
    Ok(facts)
}

pub(super) fn packed_day(table: &'static str, row: Uuid, packed: i32) -> Result<PartialDate, Error> {
    PartialDate::from_packed(packed).map_err(|_| inconsistent(table, row, "a day is not a date"))
}

/// Kind and legal day of what is recorded under the ids of these events. Read after the people are locked:
/// who sends the same event at the same time waits for them.
pub(super) async fn known_events(
    tx: &mut PgConnection,
    events: &[CivilEvent],
) -> Result<HashMap<EventId, (String, PartialDate)>, Error> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.event_id.uuid()).collect();
    let rows: Vec<(Uuid, String, i32)> =
        sqlx::query_as("SELECT event_id, kind, legal_on FROM civil_event WHERE event_id = ANY($1)")
            .bind(ids)
            .fetch_all(tx)
            .await?;
    let known = |(id, kind, day): (Uuid, String, i32)| {
        Ok((EventId::from_uuid(id), (kind, packed_day("civil_event", id, day)?)))
    };
    rows.into_iter().map(known).collect()
}

/// The paths of all units that the permanent residences of these people can be in after these events.
pub(super) async fn paths(
    tx: &mut PgConnection,
    events: &[CivilEvent],
    people: &BTreeMap<PersonId, Standing>,
) -> Result<HashMap<UnitCode, String>, Error> {
    let mut wanted: Vec<UnitCode> = Vec::new();
    for event in events {
        let Happening::People(told) = &event.what else { continue };
        for (id, told) in told {
            let person = people.get(id).and_then(|standing| standing.person.as_ref());
            match told {
                Event::Moved { permanent, .. } => wanted.push(permanent.unit),
                Event::Readdressed { permanent, .. } => wanted.push(*permanent),
                Event::Corrected { changes, .. } => {
                    let values = changes.iter().map(|change| (change.field, change.part, &change.value));
                    wanted.extend(values.filter_map(unit_of_residence));
                }
                // Back to where the person was before, which is in the facts or where the person is now.
                Event::Reversed { .. } => {
                    let facts = person.iter().flat_map(|person| &person.facts);
                    let values = facts.map(|fact| (fact.field, fact.part, &fact.value));
                    wanted.extend(values.filter_map(unit_of_residence));
                    wanted.extend(person.map(|person| person.record.permanent.unit));
                }
                _ => {}
            }
        }
    }
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    wanted.sort_unstable();
    wanted.dedup();
    let mut paths = units::unit_paths(tx, &wanted).await?;
    for standing in people.values() {
        if let Some(person) = &standing.person {
            paths.entry(person.record.permanent.unit).or_insert_with(|| standing.unit_path.clone());
        }
    }
    Ok(paths)
}

fn unit_of_residence((field, part, value): (Field, Part, &Option<String>)) -> Option<UnitCode> {
    match (field, part) {
        (Field::Permanent, Part::Unit) => value.as_ref()?.parse().ok(),
        _ => None,
    }
}
