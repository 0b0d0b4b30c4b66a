//! What admitted events write: their rows, the facts, the numbers, and the rows of the people.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{CivilEvent, Happening, Standing, Step};
use crate::Error;
use crate::platform::change_log;
use crate::register::people::column;
use domain::clock::{VIETNAM, day_in_vietnam};
use domain::field::Field;
use domain::id::{EventId, PersonId};
use domain::person::{End, Fact, Holding, Kind, Origin, Person, fact};
use domain::text::fold_ascii;
use domain::{PartialDate, Pin, ResidentRecord};

/// Holds the numbers that these events assign, where they were free, and says for whom. Whoever wants one of
/// them at the same time waits until this transaction ends.
pub(super) async fn reserve(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    events: &[CivilEvent],
) -> Result<HashMap<Pin, PersonId>, Error> {
    let is_new = |origin: &Origin| !matches!(origin, Origin::Merged { .. });
    let mut wanted: Vec<(Pin, PersonId, Origin)> =
        events.iter().flat_map(CivilEvent::new_numbers).filter(|(_, _, origin)| is_new(origin)).collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    wanted.sort_by_key(|(pin, ..)| *pin);
    wanted.dedup_by_key(|(pin, ..)| *pin);
    let rows: Vec<(String, Uuid)> = sqlx::query_as(
        "INSERT INTO pin (pin, person_id, source, assigned_at) \
         SELECT pin, person_id, source, $4 FROM unnest($1::text[], $2::uuid[], $3::text[]) AS n (pin, \
         person_id, source) \
         ON CONFLICT (pin) DO NOTHING RETURNING pin, person_id",
    )
    .bind(wanted.iter().map(|(pin, ..)| pin.as_str()).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(_, person, _)| person.uuid()).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(.., origin)| origin.code()).collect::<Vec<_>>())
    .bind(recorded_at)
    .fetch_all(tx)
    .await?;
    // The numbers come from `wanted`, so they parse.
    let held = |(pin, person): (String, Uuid)| Some((Pin::parse(&pin).ok()?, PersonId::from_uuid(person)));
    Ok(rows.into_iter().filter_map(held).collect())
}

/// Frees the numbers that were held for events which were refused.
pub(super) async fn release(
    tx: &mut PgConnection,
    people: &BTreeMap<PersonId, Standing>,
    reserved: &HashMap<Pin, PersonId>,
) -> Result<(), Error> {
    let is_held = |pin: &Pin, id: &PersonId| {
        let person = people.get(id).and_then(|standing| standing.person.as_ref());
        person.is_some_and(|person| person.numbers.iter().any(|held| held.pin == *pin))
    };
    let unused: Vec<&str> =
        reserved.iter().filter(|(pin, id)| !is_held(pin, id)).map(|(pin, _)| pin.as_str()).collect();
    if unused.is_empty() {
        return Ok(());
    }
    sqlx::query("DELETE FROM pin WHERE pin = ANY($1)").bind(unused).execute(tx).await?;
    Ok(())
}

/// The day as an instant: that of the recording on its own day, else the beginning of the latest day that it
/// can be.
pub(super) fn instant(legal_on: PartialDate, recorded_at: OffsetDateTime) -> OffsetDateTime {
    let day = legal_on.latest();
    if day >= day_in_vietnam(recorded_at) {
        return recorded_at;
    }
    day.midnight().assume_offset(VIETNAM)
}

/// Rows of events, gathered for bulk inserts. The paths are those at the end.
#[derive(Default)]
pub(super) struct Writing {
    civil: Vec<CivilRow>,
    events: Vec<EventRow>,
}

struct CivilRow {
    event_id: EventId,
    kind: Kind,
    legal_on: PartialDate,
    document_id: Option<Uuid>,
    case_id: Option<Uuid>,
    reverses: Option<EventId>,
    first: PersonId,
    actor: String,
}

struct EventRow {
    person: PersonId,
    version: i32,
    kind: Kind,
    event_id: EventId,
    legal_on: PartialDate,
    actor: String,
    detail: Value,
}

impl Writing {
    /// Notes an event as it was reported, once for all people whom it is about.
    pub fn civil_event(&mut self, event: &CivilEvent, kind: Kind, reverses: Option<EventId>) {
        let first = *event.people().first().expect("an event that nobody is told of was refused");
        self.civil.push(CivilRow {
            event_id: event.event_id,
            kind,
            legal_on: event.legal_on,
            document_id: event.document_id,
            case_id: event.case_id.map(|case| case.uuid()),
            reverses,
            first,
            actor: event.actor.to_string(),
        });
    }

    /// Notes what the event did to one person.
    pub fn person_event(&mut self, event: &CivilEvent, step: &Step) {
        let mut detail = serde_json::to_value(&step.event).expect("an event is plain data");
        if let (Happening::Merge { reason, drop, .. }, Some(object)) = (&event.what, detail.as_object_mut())
            && *drop == step.id
        {
            object.insert("reason".to_owned(), reason.clone());
        }
        self.events.push(EventRow {
            person: step.id,
            version: version(&step.after),
            kind: step.event.kind(),
            event_id: event.event_id,
            legal_on: event.legal_on,
            actor: event.actor.to_string(),
            detail,
        });
    }

    /// Writes all that was noted, and the changed people as their events leave them.
    ///
    /// # Errors
    ///
    /// When somebody else recorded the same version of a person meanwhile, or the database refuses.
    pub async fn write(
        self,
        tx: &mut PgConnection,
        recorded_at: OffsetDateTime,
        people: &BTreeMap<PersonId, Standing>,
    ) -> Result<(), Error> {
        if self.events.is_empty() {
            return Ok(());
        }
        let changed: Vec<Changed<'_>> = people.values().filter_map(Changed::of).collect();
        write_people(tx, &changed).await?;
        move_history(tx, &changed).await?;
        write_numbers(tx, recorded_at, &changed).await?;
        insert_civil(tx, recorded_at, &self.civil, people).await?;
        insert_events(tx, recorded_at, &self.events, people).await?;
        insert_facts(tx, &self.events, &changed).await?;
        let ids: Vec<Uuid> = changed.iter().map(|changed| changed.after.id.uuid()).collect();
        change_log::note(tx, change_log::Changed::People, &ids).await
    }
}

/// A person to whom something happened.
struct Changed<'a> {
    before: &'a Person,
    after: &'a Person,
    standing: &'a Standing,
}

impl<'a> Changed<'a> {
    fn of(standing: &'a Standing) -> Option<Changed<'a>> {
        let (before, after) = (standing.before.as_ref()?, standing.person.as_ref()?);
        (after.version() > before.version()).then_some(Changed { before, after, standing })
    }

    /// Whether more than the number and the status changed.
    fn is_rewritten(&self) -> bool {
        if self.standing.unit_path != self.standing.path_before {
            return true;
        }
        let number = |record: &ResidentRecord| ResidentRecord { pin: None, ..record.clone() };
        number(&self.before.record) != number(&self.after.record)
    }
}

fn version(person: &Person) -> i32 {
    i32::try_from(person.version()).expect("nobody has two thousand million events")
}

fn path_of(people: &BTreeMap<PersonId, Standing>, person: PersonId) -> &str {
    people.get(&person).map_or("", |standing| standing.unit_path.as_str())
}

async fn write_people(tx: &mut PgConnection, changed: &[Changed<'_>]) -> Result<(), Error> {
    let people = changed.iter().map(|c| c.after);
    sqlx::query(
        "UPDATE person p SET pin = n.pin, status = n.status, same_as = n.same_as, version = n.version \
         FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::uuid[], $5::integer[]) \
              AS n (id, pin, status, same_as, version) \
         WHERE p.person_id = n.id",
    )
    .bind(people.clone().map(|p| p.id.uuid()).collect::<Vec<_>>())
    .bind(people.clone().map(|p| p.pin().map(|pin| pin.as_str().to_owned())).collect::<Vec<_>>())
    .bind(people.clone().map(|p| p.status().code()).collect::<Vec<_>>())
    .bind(people.clone().map(|p| p.status().same_as().map(PersonId::uuid)).collect::<Vec<_>>())
    .bind(people.map(version).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    let rewritten: Vec<Map<String, Value>> = changed
        .iter()
        .filter(|c| c.is_rewritten())
        .map(|c| columns(c.after, &c.standing.unit_path))
        .collect();
    if rewritten.is_empty() {
        return Ok(());
    }
    // All rows have the same columns. The id is what they are found by.
    let set: Vec<String> = rewritten[0]
        .keys()
        .filter(|column| *column != "person_id")
        .map(|column| format!("{column} = n.{column}"))
        .collect();
    let sql = format!(
        "UPDATE person p SET {} FROM jsonb_populate_recordset(NULL::person, $1) n \
         WHERE p.person_id = n.person_id",
        set.join(", ")
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(Json(rewritten)).execute(tx).await?;
    Ok(())
}

/// A record by the names of the columns that hold it, with those that follow from it. The number is written
/// with the status.
fn columns(person: &Person, unit_path: &str) -> Map<String, Value> {
    let record = &person.record;
    let mut row = Map::new();
    for ((field, part), value) in record.values() {
        let value = match field {
            Field::Pin => continue,
            // Dates are kept as numbers in which an unknown day or month is zero.
            Field::Birth => json!(record.birth.packed()),
            _ => json!(value),
        };
        row.insert(column(field, part).to_owned(), value);
    }
    row.insert("person_id".to_owned(), json!(person.id.uuid()));
    row.insert("unit_path".to_owned(), json!(unit_path));
    row.insert("name_fold".to_owned(), json!(fold_ascii(record.name.as_str())));
    row
}

/// Whoever moved takes the history along: it is seen where the person is.
async fn move_history(tx: &mut PgConnection, changed: &[Changed<'_>]) -> Result<(), Error> {
    let moved: Vec<&Changed<'_>> =
        changed.iter().filter(|c| c.standing.unit_path != c.standing.path_before).collect();
    if moved.is_empty() {
        return Ok(());
    }
    for statement in [
        "UPDATE person_event e SET unit_path = n.path FROM unnest($1::uuid[], $2::text[]) AS n (id, path) \
         WHERE e.person_id = n.id",
        "UPDATE person_fact f SET unit_path = n.path FROM unnest($1::uuid[], $2::text[]) AS n (id, path) \
         WHERE f.person_id = n.id",
    ] {
        sqlx::query(statement)
            .bind(moved.iter().map(|c| c.after.id.uuid()).collect::<Vec<_>>())
            .bind(moved.iter().map(|c| c.standing.unit_path.as_str()).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Says of each number whose it is now, or why it is nobody's any more.
async fn write_numbers(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    changed: &[Changed<'_>],
) -> Result<(), Error> {
    let mut numbers: Vec<(&str, Uuid, Option<&str>)> = Vec::new();
    for change in changed {
        for (index, held) in change.after.numbers.iter().enumerate() {
            let is_reserved = index >= change.before.numbers.len()
                && held.ended.is_none()
                && !matches!(held.origin, Origin::Merged { .. });
            if change.before.numbers.get(index) != Some(held) && !is_reserved {
                let ended = match ending(held) {
                    Ending::Current => None,
                    Ending::Ended(reason) => Some(reason),
                    // Where it went, it is current, and that record says so.
                    Ending::Elsewhere => continue,
                };
                numbers.push((held.pin.as_str(), change.after.id.uuid(), ended));
            }
        }
    }
    if numbers.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE pin SET person_id = n.id, ended_reason = n.ended, \
                        ended_at = CASE WHEN n.ended IS NULL THEN NULL ELSE $4 END \
         FROM unnest($1::text[], $2::uuid[], $3::text[]) AS n (pin, id, ended) WHERE pin.pin = n.pin",
    )
    .bind(numbers.iter().map(|(pin, ..)| *pin).collect::<Vec<_>>())
    .bind(numbers.iter().map(|(_, id, _)| *id).collect::<Vec<_>>())
    .bind(numbers.iter().map(|(.., ended)| *ended).collect::<Vec<_>>())
    .bind(recorded_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// How a number stands in table `pin` for the record that held it.
pub(in crate::register) enum Ending {
    /// It is this record's.
    Current,
    /// It is nobody's, for this reason.
    Ended(&'static str),
    /// Another record says whose it is.
    Elsewhere,
}

pub(in crate::register) const fn ending(held: &Holding) -> Ending {
    match held.ended {
        None => Ending::Current,
        Some(End::Cancelled(ground)) => Ending::Ended(ground.code()),
        Some(End::Merged) => Ending::Ended("merged"),
        Some(End::MovedTo(_) | End::ReturnedTo(_)) => Ending::Elsewhere,
    }
}

async fn insert_civil(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    rows: &[CivilRow],
    people: &BTreeMap<PersonId, Standing>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO civil_event (event_id, kind, legal_on, document_id, case_id, reverses, unit_path, \
             actor, recorded_at) \
         SELECT id, kind, legal_on, document, case_id, reverses, path, actor, $9 \
         FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::uuid[], $5::uuid[], $6::uuid[], \
         $7::text[], $8::text[]) \
              AS n (id, kind, legal_on, document, case_id, reverses, path, actor)",
    )
    .bind(rows.iter().map(|row| row.event_id.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.kind.code()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.legal_on.packed()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.document_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.case_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.reverses.map(EventId::uuid)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| path_of(people, row.first)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.actor.as_str()).collect::<Vec<_>>())
    .bind(recorded_at)
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_events(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    rows: &[EventRow],
    people: &BTreeMap<PersonId, Standing>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO person_event (person_id, version, kind, event_id, legal_on, at, actor, detail, \
             unit_path, recorded_at) \
         SELECT id, version, kind, event_id, legal_on, at, actor, detail, path, $10 \
         FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::uuid[], $5::integer[], \
         $6::timestamptz[], $7::text[], \
                     $8::jsonb[], $9::text[]) \
              AS n (id, version, kind, event_id, legal_on, at, actor, detail, path)",
    )
    .bind(rows.iter().map(|row| row.person.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.kind.code()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.event_id.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.legal_on.packed()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| instant(row.legal_on, recorded_at)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.actor.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.detail.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| path_of(people, row.person)).collect::<Vec<_>>())
    .bind(recorded_at)
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_facts(
    tx: &mut PgConnection,
    events: &[EventRow],
    changed: &[Changed<'_>],
) -> Result<(), Error> {
    let ids: HashMap<(PersonId, i32), Uuid> =
        events.iter().map(|row| ((row.person, row.version), row.event_id.uuid())).collect();
    let mut rows: Vec<(&Changed<'_>, &Fact, i32)> = Vec::new();
    for change in changed {
        for fact in &change.after.facts[change.before.facts.len()..] {
            let version = i32::try_from(fact.version).expect("nobody has two thousand million events");
            rows.push((change, fact, version));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    // A displaced value belongs to the registration, whatever event displaced it.
    let event_of = |change: &Changed<'_>, fact: &Fact, version: i32| {
        if fact.version == fact::REGISTRATION { None } else { ids.get(&(change.after.id, version)).copied() }
    };
    sqlx::query(
        "INSERT INTO person_fact (person_id, version, field, part, value, valid_from, valid_to, \
             event_id, unit_path) \
         SELECT id, version, field, part, value, valid_from, valid_to, event_id, path \
         FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::integer[], \
         $7::integer[], \
                     $8::uuid[], $9::text[]) \
              AS n (id, version, field, part, value, valid_from, valid_to, event_id, path)",
    )
    .bind(rows.iter().map(|(change, ..)| change.after.id.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., version)| *version).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, fact, _)| fact.field.code()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, fact, _)| fact.part.code()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, fact, _)| fact.value.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, fact, _)| fact.valid_from.map(PartialDate::packed)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, fact, _)| fact.valid_to.map(PartialDate::packed)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(change, fact, version)| event_of(change, fact, *version)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(change, ..)| change.standing.unit_path.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}
