//! The only writer of people: an event goes in, and the person's row is the fold of all of its events.
//!
//! [`register`] adds people, thousands in a call and at the speed of COPY; [`record`] adds every other event.
//! Nothing else writes `person`, `person_event`, `person_fact`, `civil_event` and `pin`: a test reads the
//! sources for it. What may be recorded is `domain::person`'s to say; here it is asked, under the lock of the
//! people, and what it answers is written. [`super::folds::check_folds`] proves it.
//!
//! Locks are taken in one order by everybody: people by their ids, then numbers by their digits.

mod known;
mod load;
mod registering;
mod write;

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use self::write::Writing;
use crate::Error;
use domain::id::{CaseId, EventId, PersonId};
use domain::person::{Event, Kind, Origin, Person, Recorded as Dated, Refusal, Status, admit, pair};
use domain::{Actor, PartialDate, Pin, UnitCode};

pub use self::known::{Known, KnownEvent, Told, known_event, locked};
pub(super) use self::load::{Stored, stored};
pub use self::registering::{NewPerson, Registered, register};
pub(super) use self::write::{Ending, ending};

/// One thing that happened, with who says so. All of it is recorded or nothing.
#[derive(Debug, Clone)]
pub struct CivilEvent {
    /// Made by the sender, so that a repeat is known.
    pub event_id: EventId,
    /// What happened, and to whom.
    pub what: Happening,
    /// From when it has legal effect, as exactly as the paper says.
    pub legal_on: PartialDate,
    /// The paper behind it.
    pub document_id: Option<Uuid>,
    /// The case that it closes.
    pub case_id: Option<CaseId>,
    /// Who records it.
    pub actor: Actor,
}

/// What happened, and to whom.
#[derive(Debug, Clone)]
pub enum Happening {
    /// Events of one person or several, in their order; of a marriage, one for each spouse.
    People(Vec<(PersonId, Event)>),
    /// Two records are one person's: `drop` ends and points to `keep`, which takes its number over if it has
    /// none.
    Merge {
        /// The record that goes on.
        keep: PersonId,
        /// The record that ends.
        drop: PersonId,
        /// Codes and weights: why the two are one.
        reason: Value,
    },
    /// The merge was an error: `dropped` is in force again, with the number that it lost.
    Split {
        /// The record that went on.
        kept: PersonId,
        /// The record that comes back.
        dropped: PersonId,
    },
}

/// What came of a list of events.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Events that were recorded now.
    pub applied: usize,
    /// Events that were recorded before: to their sender they are as good as applied.
    pub repeated: usize,
    /// In the order of the events. Nothing was changed for them; the same event may be recorded later.
    pub refused: Vec<(EventId, Refused)>,
}

/// Why an event was not recorded. It names ids, fields and units, and no values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The life of the person does not allow it.
    #[error(transparent)]
    Life(#[from] Refusal),
    /// The number is, or was, somebody's.
    #[error("the number is, or was, somebody else's; assign another")]
    NumberTaken,
    /// Nobody knows where the person is seen from.
    #[error("the unit {0} is not in the list of units; load it, or correct the code")]
    UnitUnknown(UnitCode),
    /// The id stands for something else.
    #[error("another event was recorded under this id; send this one under an id of its own")]
    OtherEvent,
    /// It happened to nobody.
    #[error("the event names no person")]
    Nobody,
    /// A half of what two records are told together.
    #[error("a merge or a split is recorded of both records at once; name the two")]
    HalfOfAPair,
    /// The row of the person is not what its events lead to.
    #[error("the record {0} is not the fold of its events; find out who wrote it before it is changed")]
    Unsound(PersonId),
}

impl CivilEvent {
    /// Everybody to whom it happens.
    fn people(&self) -> Vec<PersonId> {
        match &self.what {
            Happening::People(events) => events.iter().map(|(person, _)| *person).collect(),
            Happening::Merge { keep: one, drop: other, .. }
            | Happening::Split { kept: one, dropped: other } => vec![*other, *one],
        }
    }

    /// The kind of the whole; `None` when it happens to nobody.
    fn kind(&self) -> Option<Kind> {
        match &self.what {
            Happening::People(events) => events.first().map(|(_, event)| event.kind()),
            Happening::Merge { .. } => Some(Kind::Merged),
            Happening::Split { .. } => Some(Kind::Split),
        }
    }

    /// The numbers that it assigns anew, with whom they are for.
    fn new_numbers(&self) -> impl Iterator<Item = (Pin, PersonId, Origin)> {
        let events = match &self.what {
            Happening::People(events) => events.as_slice(),
            Happening::Merge { .. } | Happening::Split { .. } => &[],
        };
        events.iter().filter_map(|(person, event)| match event {
            Event::PinAssigned { pin, origin } => Some((*pin, *person, *origin)),
            _ => None,
        })
    }
}

/// Records the events that the lives of their people allow, and moves the rows with them.
///
/// Each event is judged against what the ones before it in the list led to; one that is refused changes
/// nothing. An event that was recorded before, by its id, changes nothing either and counts as repeated.
///
/// # Errors
/// Those of the database, among them a violation of `civil_event_pkey` when the same id comes for other
/// people at the same instant; [`Error::Inconsistent`] for rows that no event could have written, and for a
/// registration, which is for [`register`].
pub async fn record(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    events: &[CivilEvent],
) -> Result<Recorded, Error> {
    let mut recorded = Recorded::default();
    if events.is_empty() {
        return Ok(recorded);
    }
    let mut ids: Vec<Uuid> = events.iter().flat_map(CivilEvent::people).map(PersonId::uuid).collect();
    ids.sort_unstable();
    ids.dedup();
    let people = load::lock(tx, &ids).await?;
    let mut book = Book {
        people,
        known: load::known_events(tx, events).await?,
        reserved: write::reserve(tx, recorded_at, events).await?,
        paths: HashMap::new(),
        recorded_at,
    };
    book.paths = load::paths(tx, events, &book.people).await?;
    let mut writing = Writing::default();
    for event in events {
        match book.judge(event)? {
            Judged::Repeated => recorded.repeated += 1,
            Judged::Refused(refused) => recorded.refused.push((event.event_id, refused)),
            Judged::Applied(steps) => {
                book.take(event, &steps, &mut writing);
                recorded.applied += 1;
            }
        }
    }
    writing.write(tx, recorded_at, &book.people).await?;
    write::release(tx, &book.people, &book.reserved).await?;
    Ok(recorded)
}

/// Where a person stands while events are judged.
struct Standing {
    /// `None` when the stored row is not the fold of its events.
    person: Option<Person>,
    unit_path: String,
    /// The ids of the events so far, by version.
    event_ids: Vec<Option<EventId>>,
    /// The person as stored, to tell what is to be written.
    before: Option<Person>,
    path_before: String,
}

/// What is known while a list of events is judged.
struct Book {
    people: BTreeMap<PersonId, Standing>,
    /// Kind and legal day of the events that are recorded under ids of the list.
    known: HashMap<EventId, (String, PartialDate)>,
    /// Numbers that were free and are held for these people until the list is judged.
    reserved: HashMap<Pin, PersonId>,
    paths: HashMap<UnitCode, String>,
    recorded_at: OffsetDateTime,
}

enum Judged {
    Applied(Vec<Step>),
    Repeated,
    Refused(Refused),
}

/// One person after one event.
struct Step {
    id: PersonId,
    event: Event,
    after: Person,
    unit_path: String,
}

impl Book {
    fn judge(&self, event: &CivilEvent) -> Result<Judged, Error> {
        let Some(kind) = event.kind() else { return Ok(Judged::Refused(Refused::Nobody)) };
        if let Some((known, legal_on)) = self.known.get(&event.event_id) {
            let is_there = |id: PersonId| {
                self.people.get(&id).is_some_and(|s| s.event_ids.contains(&Some(event.event_id)))
            };
            // Of two records only the one that ended is told of every merge.
            let told = match &event.what {
                Happening::People(events) => events.iter().all(|(id, _)| is_there(*id)),
                Happening::Merge { drop, .. } => is_there(*drop),
                Happening::Split { dropped, .. } => is_there(*dropped),
            };
            let is_same = known == kind.code() && *legal_on == event.legal_on && told;
            return Ok(if is_same { Judged::Repeated } else { Judged::Refused(Refused::OtherEvent) });
        }
        let told = match self.told(event)? {
            Ok(told) => told,
            Err(refused) => return Ok(Judged::Refused(refused)),
        };
        let mut steps: Vec<Step> = Vec::with_capacity(told.len());
        for (id, told) in told {
            match self.step(event, id, told, &steps) {
                Ok(step) => steps.push(step),
                Err(refused) => return Ok(Judged::Refused(refused)),
            }
        }
        Ok(Judged::Applied(steps))
    }

    /// What each person is told, in the order in which it is recorded.
    fn told(&self, event: &CivilEvent) -> Result<Result<Vec<(PersonId, Event)>, Refused>, Error> {
        let both = |keep, drop, kind| -> Result<(&Person, &Person), Refused> {
            Ok((
                self.person(keep)?.ok_or(Refusal::NotRegistered(kind))?,
                self.person(drop)?.ok_or(Refusal::NotRegistered(kind))?,
            ))
        };
        Ok(match &event.what {
            Happening::People(events) => {
                for (id, told) in events {
                    match told {
                        Event::Registered { .. } if !self.people.contains_key(id) => {
                            return Err(Error::Inconsistent {
                                table: "person",
                                row: id.to_string(),
                                reason: "a person is registered by `register`, which knows the form"
                                    .to_owned(),
                            });
                        }
                        Event::Merged { .. }
                        | Event::Split { .. }
                        | Event::PinAssigned { origin: Origin::Merged { .. }, .. } => {
                            return Ok(Err(Refused::HalfOfAPair));
                        }
                        _ => {}
                    }
                }
                Ok(events.clone())
            }
            Happening::Merge { keep, drop, .. } => both(*keep, *drop, Kind::Merged)
                .and_then(|(one, other)| Ok(pair::merge(one, other)?))
                .map(|pair| {
                    let kept = pair.kept.map(|told| (*keep, told));
                    [(*drop, pair.dropped)].into_iter().chain(kept).collect()
                }),
            Happening::Split { kept, dropped } => both(*kept, *dropped, Kind::Split)
                .and_then(|(one, other)| Ok(pair::split(one, other)?))
                .map(|pair| {
                    let told = pair.kept.map(|told| (*kept, told));
                    told.into_iter().chain([(*dropped, pair.dropped)]).collect()
                }),
        })
    }

    /// `None` when the person is not in the register.
    fn person(&self, id: PersonId) -> Result<Option<&Person>, Refused> {
        let Some(standing) = self.people.get(&id) else { return Ok(None) };
        standing.person.as_ref().map(Some).ok_or(Refused::Unsound(id))
    }

    fn step(&self, event: &CivilEvent, id: PersonId, told: Event, before: &[Step]) -> Result<Step, Refused> {
        let earlier = before.iter().rev().find(|step| step.id == id);
        let now = match earlier {
            Some(step) => Some(&step.after),
            None => self.person(id)?,
        };
        let dated = Dated { event: told, legal_on: event.legal_on, recorded_at: self.recorded_at };
        let after = admit(id, now, &dated)?;
        if let Event::PinAssigned { pin, origin } = &dated.event {
            let is_ours = matches!(origin, Origin::Merged { .. }) || self.reserved.get(pin) == Some(&id);
            if !is_ours {
                return Err(Refused::NumberTaken);
            }
        }
        let unit = after.record.permanent.unit;
        let rearranged = dated.event.kind() == Kind::Readdressed;
        let unit_path = match (now.filter(|_| !rearranged), earlier, self.people.get(&id)) {
            (Some(now), Some(step), _) if now.record.permanent.unit == unit => step.unit_path.clone(),
            (Some(now), None, Some(standing)) if now.record.permanent.unit == unit => {
                standing.unit_path.clone()
            }
            _ => self.paths.get(&unit).cloned().ok_or(Refused::UnitUnknown(unit))?,
        };
        Ok(Step { id, event: dated.event, after, unit_path })
    }

    /// Takes an admitted event in: the people stand where it led them.
    fn take(&mut self, event: &CivilEvent, steps: &[Step], writing: &mut Writing) {
        let kind = event.kind().expect("an event that nobody is told of was refused");
        self.known.insert(event.event_id, (kind.code().to_owned(), event.legal_on));
        writing.civil_event(event, kind, self.reverses(steps));
        for step in steps {
            let standing = self.people.get_mut(&step.id).expect("an admitted event has a registered person");
            standing.person = Some(step.after.clone());
            standing.unit_path.clone_from(&step.unit_path);
            standing.event_ids.push(Some(event.event_id));
            writing.person_event(event, step);
        }
    }

    /// The event that the first of these takes back.
    fn reverses(&self, steps: &[Step]) -> Option<EventId> {
        let step = steps.first()?;
        let Event::Reversed { version } = step.event else { return None };
        *self.people.get(&step.id)?.event_ids.get(version.checked_sub(1)?)?
    }
}

/// The status of these two columns.
fn status(code: i16, same_as: Option<Uuid>) -> Option<Status> {
    Status::from_columns(code, same_as.map(PersonId::from_uuid))
}
