//! One person of the register as recorded events.
//!
//! An event goes in and the person's row is the fold of all of them ([`fold`], [`admit`]), as
//! [`crate::application`] does it for applications. An event says on which day it has legal effect, apart
//! from when it was recorded, and it keeps what it replaces: as [`Fact`]s, which only a person has whose data
//! changed ([`fact`]). So the record can be read as it was on any day, and as it was known at any instant
//! ([`Person::as_of`]).
//!
//! Two records of one person become one by a pair of events, and two again by another ([`pair`]). A record
//! that was merged takes no other event than the split: what happens to the person happens to the record that
//! stayed.

pub mod event;
pub mod fact;
pub mod pair;

use time::{Date, OffsetDateTime, PrimitiveDateTime};

use crate::clock::day_in_vietnam;
use crate::field::{Change, Field, FieldFault, Part};
use crate::id::PersonId;
use crate::{PartialDate, Pin, ResidentRecord, UnitCode};

pub use event::{Event, Kind, Origin, PinGround, Recorded, Refusal};
pub use fact::{Fact, Reversal};

/// Whether a record is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Alive (còn sống), as far as anybody told.
    Alive,
    /// Dead (đã chết).
    Dead,
    /// The record of a person who has another one, which goes on.
    Merged {
        /// The record that goes on. It may have been merged itself since.
        into: PersonId,
    },
    /// Declared missing by a court (tuyên bố mất tích, Civil Code 2015 art. 68): nobody is invited and no
    /// card is made.
    Missing,
}

impl Status {
    /// Stable code, as stored in `person.status`.
    pub const fn code(self) -> i16 {
        match self {
            Status::Alive => 1,
            Status::Dead => 2,
            Status::Merged { .. } => 3,
            Status::Missing => 4,
        }
    }

    /// The record that goes on, as stored in `person.same_as`.
    pub const fn same_as(self) -> Option<PersonId> {
        match self {
            Status::Merged { into } => Some(into),
            Status::Alive | Status::Dead | Status::Missing => None,
        }
    }

    /// The status of these two columns; `None` for an unknown code, a merged record that leads nowhere, and
    /// one that leads somewhere without being merged.
    pub const fn from_columns(code: i16, same_as: Option<PersonId>) -> Option<Self> {
        match (code, same_as) {
            (1, None) => Some(Status::Alive),
            (2, None) => Some(Status::Dead),
            (3, Some(into)) => Some(Status::Merged { into }),
            (4, None) => Some(Status::Missing),
            _ => None,
        }
    }
}

/// A number that was this person's, with how it came and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// The number.
    pub pin: Pin,
    /// How the person got it.
    pub origin: Origin,
    /// Why it is the person's no longer; `None` while it is.
    pub ended: Option<End>,
}

/// Why a number is not this record's any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was wrong and was cancelled. It is never given to anybody else.
    Cancelled(PinGround),
    /// The record was merged into one that has a number of its own.
    Merged,
    /// The record was merged into this one, which had no number and took it over.
    MovedTo(PersonId),
    /// It came with this record in a merge, and went back with it in the split.
    ReturnedTo(PersonId),
}

/// What all events of one person come to. The store keeps it in rows and makes it from them again; what is
/// not derived from the others is here, so that a split or an undone death restores exactly what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The internal key.
    pub id: PersonId,
    /// The record as it is now, with the current number.
    pub record: ResidentRecord,
    /// When the registration was recorded.
    pub registered_at: OffsetDateTime,
    /// The kind of each event, in their order; their number is the version.
    pub kinds: Vec<Kind>,
    /// Every number that this record ever had, in the order in which it got them. At most one has not ended.
    pub numbers: Vec<Holding>,
    /// What changed since the registration.
    pub facts: Vec<Fact>,
    /// Which events were taken back, and when that was recorded.
    pub reversals: Vec<Reversal>,
    /// The day of death.
    pub died_on: Option<PartialDate>,
    /// Since when the person is declared missing.
    pub missing_since: Option<PartialDate>,
    /// The record that this one was merged into.
    pub merged_into: Option<PersonId>,
}

impl Person {
    /// Whether the record is in force.
    pub const fn status(&self) -> Status {
        match (self.merged_into, self.died_on, self.missing_since) {
            (Some(into), _, _) => Status::Merged { into },
            (None, Some(_), _) => Status::Dead,
            (None, None, Some(_)) => Status::Missing,
            (None, None, None) => Status::Alive,
        }
    }

    /// How many events were recorded.
    pub const fn version(&self) -> usize {
        self.kinds.len()
    }

    /// The current number.
    pub fn pin(&self) -> Option<Pin> {
        self.numbers.iter().find(|held| held.ended.is_none()).map(|held| held.pin)
    }

    /// The record as it was on a day, by what was known at an instant. `None` before the registration was
    /// recorded.
    ///
    /// # Errors
    /// When the facts make no record, which no sequence of admitted events leads to.
    pub fn as_of(
        &self,
        on: Date,
        known_at: OffsetDateTime,
    ) -> Result<Option<ResidentRecord>, Vec<FieldFault>> {
        if known_at < self.registered_at {
            return Ok(None);
        }
        fact::as_of(&self.record, &self.facts, &self.reversals, on, known_at).map(Some)
    }
}

/// The person after an event, or why it cannot be recorded. `person` is `None` before the registration. What
/// the event adds to the facts stands at the end of [`Person::facts`].
///
/// # Errors
/// [`Refusal`], which says what to do. It names fields and no values.
pub fn admit(id: PersonId, person: Option<&Person>, recorded: &Recorded) -> Result<Person, Refusal> {
    let kind = recorded.event.kind();
    let Some(person) = person else {
        return match &recorded.event {
            Event::Registered { record } => {
                in_the_past(recorded)?;
                Ok(registered(id, record, recorded))
            }
            _ => Err(Refusal::NotRegistered(kind)),
        };
    };
    allowed(person.status(), kind)?;
    in_the_past(recorded)?;
    if matches!(kind, Kind::Died | Kind::DeclaredMissing | Kind::Moved)
        && recorded.legal_on.latest() < person.record.birth.earliest()
    {
        return Err(Refusal::BeforeBirth(kind));
    }
    let mut after = person.clone();
    after.kinds.push(kind);
    apply(&mut after, recorded)?;
    Ok(after)
}

/// The person that a history of events leads to; `None` for an empty history.
///
/// # Errors
/// The first event that could not have been recorded.
pub fn fold<'e>(
    id: PersonId,
    events: impl IntoIterator<Item = &'e Recorded>,
) -> Result<Option<Person>, Refusal> {
    events.into_iter().try_fold(None, |person, event| admit(id, person.as_ref(), event).map(Some))
}

fn registered(id: PersonId, record: &ResidentRecord, recorded: &Recorded) -> Person {
    let held = |pin| Holding { pin, origin: Origin::Form, ended: None };
    Person {
        id,
        record: record.clone(),
        registered_at: recorded.recorded_at,
        kinds: vec![Kind::Registered],
        numbers: record.pin.map(held).into_iter().collect(),
        facts: Vec::new(),
        reversals: Vec::new(),
        died_on: None,
        missing_since: None,
        merged_into: None,
    }
}

fn in_the_past(recorded: &Recorded) -> Result<(), Refusal> {
    let today = day_in_vietnam(recorded.recorded_at);
    let since = match &recorded.event {
        Event::Corrected { since, .. } => *since,
        _ => None,
    };
    let future = |day: PartialDate| day.earliest() > today;
    if future(recorded.legal_on) || since.is_some_and(future) {
        return Err(Refusal::Future(recorded.event.kind()));
    }
    Ok(())
}

/// Which kinds of events a record of this status takes.
fn allowed(status: Status, kind: Kind) -> Result<(), Refusal> {
    let fits = match kind {
        Kind::Registered => return Err(Refusal::AlreadyRegistered),
        Kind::PinAssigned | Kind::PinEnded | Kind::Moved | Kind::Merged | Kind::DeclaredMissing => {
            status == Status::Alive
        }
        Kind::Died => matches!(status, Status::Alive | Status::Missing),
        Kind::DeathUndone => status == Status::Dead,
        Kind::Found => status == Status::Missing,
        // Every record lies in some unit, also that of the dead and the one that was merged.
        Kind::Readdressed => true,
        // A dead person's record can still be wrong.
        Kind::Corrected | Kind::Reversed => !matches!(status, Status::Merged { .. }),
        // Of the record that was dropped, or of the one that stayed, whatever became of its person.
        Kind::Split => true,
    };
    match status {
        Status::Merged { into } if !fits => Err(Refusal::Merged { kind, into }),
        Status::Alive | Status::Dead | Status::Missing if !fits => Err(Refusal::NotNow { kind, status }),
        Status::Alive | Status::Dead | Status::Missing | Status::Merged { .. } => Ok(()),
    }
}

fn apply(person: &mut Person, recorded: &Recorded) -> Result<(), Refusal> {
    match &recorded.event {
        Event::Registered { .. } => Err(Refusal::AlreadyRegistered),
        Event::PinAssigned { pin, origin } => assign(person, *pin, *origin, recorded),
        Event::PinEnded { ground } => end_number(person, End::Cancelled(*ground), recorded),
        Event::Corrected { changes, since } => correct(person, changes, *since, recorded),
        Event::Moved { permanent, current } => {
            let text = |text: &str| Some(text.to_owned());
            let current = current.as_ref();
            let change = |field, part, value| Change { field, part, value };
            let changes = [
                change(Field::Permanent, Part::Unit, text(&permanent.unit.to_string())),
                change(Field::Permanent, Part::Detail, text(&permanent.detail)),
                change(Field::Current, Part::Unit, current.map(|place| place.unit.to_string())),
                change(Field::Current, Part::Detail, current.map(|place| place.detail.clone())),
            ];
            correct(person, &changes, Some(recorded.legal_on), recorded)
        }
        Event::Readdressed { permanent, current } => {
            let change =
                |field, unit: &UnitCode| Change { field, part: Part::Unit, value: Some(unit.to_string()) };
            let mut changes = vec![change(Field::Permanent, permanent)];
            // Whoever states no current residence lives at the permanent one.
            let current = current.filter(|_| person.record.current.is_some());
            changes.extend(current.map(|unit| change(Field::Current, &unit)));
            // A code that was kept names another unit from this day on, which the list of the day says.
            match correct(person, &changes, Some(recorded.legal_on), recorded) {
                Err(Refusal::Nothing(_)) => Ok(()),
                other => other,
            }
        }
        Event::Died => {
            person.died_on = Some(recorded.legal_on);
            Ok(())
        }
        Event::DeathUndone => {
            person.died_on = None;
            Ok(())
        }
        Event::DeclaredMissing => {
            person.missing_since = Some(recorded.legal_on);
            Ok(())
        }
        Event::Found => {
            person.missing_since = None;
            Ok(())
        }
        Event::Merged { into, pin_moved } => drop_record(person, *into, *pin_moved, recorded),
        Event::Split { from } => split(person, *from, recorded),
        Event::Reversed { version } => reverse(person, *version, recorded),
    }
}

fn assign(person: &mut Person, pin: Pin, origin: Origin, recorded: &Recorded) -> Result<(), Refusal> {
    if person.pin().is_some() {
        return Err(Refusal::HasNumber);
    }
    let cancelled = |held: &Holding| held.pin == pin && matches!(held.ended, Some(End::Cancelled(_)));
    if person.numbers.iter().any(cancelled) {
        return Err(Refusal::NumberCancelled);
    }
    person.numbers.push(Holding { pin, origin, ended: None });
    write_pin(person, recorded)
}

fn end_number(person: &mut Person, end: End, recorded: &Recorded) -> Result<(), Refusal> {
    let held = person.numbers.iter_mut().find(|held| held.ended.is_none()).ok_or(Refusal::NoNumber)?;
    held.ended = Some(end);
    write_pin(person, recorded)
}

fn drop_record(
    person: &mut Person,
    into: PersonId,
    pin_moved: bool,
    recorded: &Recorded,
) -> Result<(), Refusal> {
    if into == person.id {
        return Err(Refusal::SamePerson);
    }
    person.merged_into = Some(into);
    match (person.pin().is_some(), pin_moved) {
        (true, true) => end_number(person, End::MovedTo(into), recorded),
        (true, false) => end_number(person, End::Merged, recorded),
        (false, true) => Err(Refusal::NoNumber),
        (false, false) => Ok(()),
    }
}

/// Of the record that was dropped: it is in force again, with the number that the merge took. Of the record
/// that stayed: it gives back the number that came from the other one.
fn split(person: &mut Person, from: PersonId, recorded: &Recorded) -> Result<(), Refusal> {
    match person.merged_into {
        Some(into) if into != from => return Err(Refusal::NotFrom(from)),
        Some(into) => {
            person.merged_into = None;
            let taken = |held: &&mut Holding| {
                held.ended == Some(End::Merged) || held.ended == Some(End::MovedTo(into))
            };
            let Some(held) = person.numbers.iter_mut().rev().find(taken) else { return Ok(()) };
            held.ended = None;
        }
        None => {
            let held = person.numbers.iter_mut().rev().find(|held| came_from(held, from));
            let held = held.ok_or(Refusal::NotFrom(from))?;
            let was_current = held.ended.is_none();
            held.ended = Some(End::ReturnedTo(from));
            if !was_current {
                return Ok(());
            }
        }
    }
    write_pin(person, recorded)
}

/// Whether the number came from this record in a merge and did not go back.
fn came_from(held: &Holding, from: PersonId) -> bool {
    held.origin == Origin::Merged { from } && !matches!(held.ended, Some(End::ReturnedTo(_)))
}

/// Writes the current number into the record, as a fact of this event. Numbers follow one another: one whose
/// paper names a day before the last change of the number holds from that change on.
fn write_pin(person: &mut Person, recorded: &Recorded) -> Result<(), Refusal> {
    let value = person.pin().map(|pin| pin.as_str().to_owned());
    let change = Change { field: Field::Pin, part: Part::Whole, value };
    let changed = person.facts.iter().filter(|fact| fact.field == Field::Pin).filter_map(|f| f.valid_from);
    let since = changed.chain([recorded.legal_on]).max_by_key(|day| day.latest());
    write_facts(person, &[change], since, recorded)
}

fn correct(
    person: &mut Person,
    changes: &[Change],
    since: Option<PartialDate>,
    recorded: &Recorded,
) -> Result<(), Refusal> {
    for (index, change) in changes.iter().enumerate() {
        if change.field == Field::Pin {
            return Err(Refusal::NumberByCorrection);
        }
        if changes[..index].iter().any(|c| (c.field, c.part) == (change.field, change.part)) {
            return Err(Refusal::Twice { field: change.field, part: change.part });
        }
    }
    let values = person.record.values();
    let is_news = |change: &&Change| {
        let never_changed = !person.facts.iter().any(|f| (f.field, f.part) == (change.field, change.part));
        !(never_changed && values.get(&(change.field, change.part)) == Some(&change.value))
    };
    let news: Vec<Change> = changes.iter().filter(is_news).cloned().collect();
    if news.is_empty() {
        return Err(Refusal::Nothing(recorded.event.kind()));
    }
    write_facts(person, &news, since, recorded)
}

fn write_facts(
    person: &mut Person,
    changes: &[Change],
    since: Option<PartialDate>,
    recorded: &Recorded,
) -> Result<(), Refusal> {
    let version = person.version();
    let values = person.record.values();
    for change in changes {
        let (field, part) = (change.field, change.part);
        if !person.facts.iter().any(|fact| (fact.field, fact.part) == (field, part)) {
            let displaced = values.get(&(field, part)).cloned().flatten();
            person.facts.push(Fact::displaced(field, part, displaced, person.registered_at));
        }
        let until = fact::next_start(&person.facts, &person.reversals, field, part, since);
        person.facts.push(Fact {
            version,
            field,
            part,
            value: change.value.clone(),
            valid_from: since,
            valid_to: until,
            recorded_at: recorded.recorded_at,
        });
    }
    refresh(person)
}

fn reverse(person: &mut Person, version: usize, recorded: &Recorded) -> Result<(), Refusal> {
    let kind = version.checked_sub(1).and_then(|index| person.kinds.get(index));
    let is_reversible = matches!(kind, Some(Kind::Corrected | Kind::Moved));
    if !is_reversible || fact::is_reversed(&person.reversals, version) {
        return Err(Refusal::NotReversible { version });
    }
    let changed = |at: usize| person.facts.iter().filter(move |fact| fact.version == at);
    let later = (version + 1..person.version()).find(|&later| {
        !fact::is_reversed(&person.reversals, later)
            && changed(later).any(|l| changed(version).any(|v| (v.field, v.part) == (l.field, l.part)))
    });
    if let Some(by) = later {
        return Err(Refusal::Superseded { version, by });
    }
    person.reversals.push(Reversal { version, recorded_at: recorded.recorded_at });
    refresh(person)
}

/// The record of now: what holds after every day that is written, by everything that is known. On every day
/// before, the facts must make a record too: parts of one field can begin on different days.
fn refresh(person: &mut Person) -> Result<(), Refusal> {
    let known_at = PrimitiveDateTime::MAX.assume_utc();
    let on = |day| {
        fact::as_of(&person.record, &person.facts, &person.reversals, day, known_at).map_err(Refusal::Fields)
    };
    let starts = person.facts.iter().filter_map(|fact| fact.valid_from).map(PartialDate::latest);
    for day in std::iter::once(Date::MIN).chain(starts) {
        on(day)?;
    }
    person.record = on(Date::MAX)?;
    Ok(())
}

#[cfg(test)]
mod tests;
