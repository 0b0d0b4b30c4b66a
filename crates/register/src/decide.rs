//! What an event's words say, and whether the record of its person takes it. Pure: what is stored is handed
//! in.

use std::collections::BTreeSet;

use time::{Date, OffsetDateTime};

use crate::error::{DayOf, Fault, PaperPart, Superfluous, of_refusal};
use crate::event::{ALWAYS, ChangeText, Destination, EventKind, NewEvent, PaperText};
use crate::paper::{self, MOST_AUTHORITY, MOST_NUMBER, Paper, PaperKind};
use crate::scan::Media;
use domain::clock::day_in_vietnam;
use domain::codes::CodeList;
use domain::field::{Change, Part};
use domain::id::{EventId, PersonId};
use domain::person::{Event, Person, Recorded, Refusal, admit};
use domain::record::Place;
use domain::text::{forbidden, tidy};
use domain::unit::{UnitLevel, UnitTable, Units};
use domain::{Field, PartialDate, Pin, UnitCode};

/// Values of one event at most: as many as a record has, with their parts.
const MOST_CHANGES: usize = 24;

/// How a person is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// By the id in the register.
    Id(PersonId),
    /// By the personal number.
    Pin(Pin),
}

/// Reads how a person is named; `None` for what is neither.
pub fn find(text: &str) -> Option<Whom> {
    let text = text.trim();
    match (text.parse(), Pin::parse(text)) {
        (Ok(id), _) => Some(Whom::Id(id)),
        (_, Ok(pin)) => Some(Whom::Pin(pin)),
        _ => None,
    }
}

/// What could be read of an event.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub kind: Option<EventKind>,
    pub whom: Option<Whom>,
    pub legal_on: Option<PartialDate>,
    pub paper: Option<Paper>,
    pub media: Option<Media>,
    body: Option<Body>,
}

/// What is told of a kind beside the day.
#[derive(Debug, Clone)]
enum Body {
    Nothing,
    Changes { changes: Vec<Change>, since: Option<PartialDate> },
    Move { permanent: Place, current: Option<Place> },
    Reversal(EventId),
}

/// What is wrong with an event's words by themselves, whoever it is about.
pub fn faults_of_words(event: &NewEvent, scan: Option<&[u8]>, today: Date) -> Vec<Fault> {
    read(event, scan, today).1
}

/// Reads an event's words, with everything that is wrong with them by themselves.
pub(crate) fn read(event: &NewEvent, scan: Option<&[u8]>, today: Date) -> (Reading, Vec<Fault>) {
    let mut faults = Vec::new();
    let kind = noted(EventKind::from_code(event.kind.trim()), Fault::Kind, &mut faults);
    let whom = noted(find(&event.person), Fault::Whom, &mut faults);
    let legal_on = day(&event.legal_on, DayOf::Effect, today, &mut faults);
    let written = event.paper.as_ref().filter(|paper| !paper.is_empty());
    let paper = match written {
        Some(written) => paper_of(written, today, &mut faults),
        None => {
            if kind.is_some_and(paper::is_needed) {
                faults.push(Fault::PaperMissing);
            }
            None
        }
    };
    let media = media(scan, written.is_some(), &mut faults);
    let body = kind.and_then(|kind| body(kind, event, legal_on, today, &mut faults));
    (Reading { kind, whom, legal_on, paper, media, body }, faults)
}

fn media(scan: Option<&[u8]>, is_paper_there: bool, faults: &mut Vec<Fault>) -> Option<Media> {
    match Media::of(scan?) {
        Ok(_) if !is_paper_there => {
            faults.push(Fault::ScanAlone);
            None
        }
        Ok(media) => Some(media),
        Err(wrong) => {
            faults.push(Fault::Scan(wrong));
            None
        }
    }
}

/// A paper with its scan, by themselves; `None` where the paper cannot be read.
pub(crate) fn paper_and_scan(
    written: &PaperText,
    scan: Option<&[u8]>,
    today: Date,
) -> (Option<(Paper, Option<Media>)>, Vec<Fault>) {
    let mut faults = Vec::new();
    if written.is_empty() {
        faults.push(Fault::PaperMissing);
    }
    let paper = if written.is_empty() { None } else { paper_of(written, today, &mut faults) };
    let media = media(scan, true, &mut faults);
    (paper.map(|paper| (paper, media)), faults)
}

fn noted<T>(value: Option<T>, fault: Fault, faults: &mut Vec<Fault>) -> Option<T> {
    if value.is_none() {
        faults.push(fault);
    }
    value
}

/// A day that is not still to come.
fn day(text: &str, of: DayOf, today: Date, faults: &mut Vec<Fault>) -> Option<PartialDate> {
    let day = noted(PartialDate::parse(text).ok(), Fault::NoDay(of), faults)?;
    if day.earliest() > today {
        faults.push(Fault::Future(of));
    }
    Some(day)
}

fn paper_of(text: &PaperText, today: Date, faults: &mut Vec<Fault>) -> Option<Paper> {
    let kind = noted(PaperKind::from_code(text.kind.trim()), Fault::PaperKind, faults);
    let (number, authority) = (tidy(&text.number), tidy(&text.authority));
    let before = faults.len();
    for (written, most, part, missing) in [
        (&number, MOST_NUMBER, PaperPart::Number, Fault::PaperNumber),
        (&authority, MOST_AUTHORITY, PaperPart::Authority, Fault::PaperAuthority),
    ] {
        if written.is_empty() {
            faults.push(missing);
        } else if forbidden(written).is_some() || written.chars().count() > most {
            faults.push(Fault::PaperText(part));
        }
    }
    let is_written = faults.len() == before;
    let issued = day(&text.issued_on, DayOf::Paper, today, faults);
    // A paper bears its whole day.
    let exact = issued.and_then(|day| noted(day.exact(), Fault::NoDay(DayOf::Paper), faults));
    let (kind, issued_on) = (kind?, exact?);
    is_written.then_some(Paper { kind, number, authority, issued_on })
}

fn body(
    kind: EventKind,
    event: &NewEvent,
    legal_on: Option<PartialDate>,
    today: Date,
    faults: &mut Vec<Fault>,
) -> Option<Body> {
    let has_changes = matches!(kind, EventKind::Corrected | EventKind::Supplemented);
    for (is_there, fits, what) in [
        (!event.changes.is_empty(), has_changes, Superfluous::Changes),
        (event.since.is_some(), kind == EventKind::Corrected, Superfluous::Since),
        (event.to.is_some(), kind == EventKind::Moved, Superfluous::Destination),
        (event.reverses.is_some(), kind == EventKind::Reversed, Superfluous::Reverses),
    ] {
        if is_there && !fits {
            faults.push(Fault::NotOfKind(what));
        }
    }
    match kind {
        EventKind::Died | EventKind::DeathUndone | EventKind::DeclaredMissing | EventKind::Found => {
            Some(Body::Nothing)
        }
        EventKind::Corrected => {
            let since = match event.since.as_deref().map(str::trim) {
                None | Some("") => {
                    faults.push(Fault::SinceMissing);
                    None
                }
                Some(ALWAYS) => Some(None),
                Some(text) => day(text, DayOf::Since, today, faults).map(Some),
            };
            let changes = changes(&event.changes, faults)?;
            Some(Body::Changes { changes, since: since? })
        }
        // What was not stated was so all the same.
        EventKind::Supplemented => {
            let changes = changes(&event.changes, faults)?;
            Some(Body::Changes { changes, since: None })
        }
        EventKind::Moved => destination(event.to.as_ref(), legal_on, today, faults),
        EventKind::Reversed => noted(event.reverses, Fault::NoEvent, faults).map(Body::Reversal),
    }
}

fn changes(texts: &[ChangeText], faults: &mut Vec<Fault>) -> Option<Vec<Change>> {
    if texts.is_empty() {
        faults.push(Fault::NoChange);
        return None;
    }
    if texts.len() > MOST_CHANGES {
        faults.push(Fault::TooMany);
        return None;
    }
    let before = faults.len();
    let mut seen = BTreeSet::new();
    let mut changes = Vec::with_capacity(texts.len());
    for text in texts {
        let Some((field, part)) = which(text) else {
            faults.push(Fault::NoField);
            continue;
        };
        if field == Field::Pin {
            faults.push(Fault::Life(Refusal::NumberByCorrection));
            continue;
        }
        if !seen.insert((field, part)) {
            faults.push(Fault::Twice(field));
            continue;
        }
        let value = tidy(&text.value);
        let value = match list_of(field) {
            Some(list) if !value.is_empty() => match list.find(&value) {
                Some(entry) => entry.code.to_owned(),
                None => {
                    faults.push(Fault::NotInList(field));
                    continue;
                }
            },
            _ => value,
        };
        changes.push(Change { field, part, value: (!value.is_empty()).then_some(value) });
    }
    (faults.len() == before).then_some(changes)
}

fn which(text: &ChangeText) -> Option<(Field, Part)> {
    let field = Field::from_code(text.field.trim())?;
    let part = match (text.part.trim(), field.parts()) {
        ("", [part]) => *part,
        (code, _) => Part::from_code(code)?,
    };
    field.parts().contains(&part).then_some((field, part))
}

/// The list of codes that a field's values are of.
pub const fn list_of(field: Field) -> Option<CodeList> {
    match field {
        Field::Ethnicity => Some(CodeList::EthnicGroup),
        Field::Religion => Some(CodeList::Religion),
        Field::Nationality => Some(CodeList::Nationality),
        Field::Marital => Some(CodeList::MaritalState),
        Field::Blood => Some(CodeList::BloodType),
        Field::Relation => Some(CodeList::RelationToHead),
        Field::Name
        | Field::Sex
        | Field::Birth
        | Field::Pin
        | Field::OldId
        | Field::BirthRegistration
        | Field::NativePlace
        | Field::Permanent
        | Field::Current
        | Field::Father
        | Field::Mother
        | Field::Spouse
        | Field::Household => None,
    }
}

fn destination(
    to: Option<&Destination>,
    legal_on: Option<PartialDate>,
    today: Date,
    faults: &mut Vec<Fault>,
) -> Option<Body> {
    let Some(to) = to.filter(|to| !to.permanent_unit.trim().is_empty()) else {
        faults.push(Fault::NoDestination);
        return None;
    };
    let on = legal_on.map_or(today, |day| day.latest().min(today));
    let permanent = place(&to.permanent_unit, &to.permanent_detail, Field::Permanent, on, faults);
    let current_is_there = !(to.current_unit.trim().is_empty() && to.current_detail.trim().is_empty());
    let current = if current_is_there {
        Some(place(&to.current_unit, &to.current_detail, Field::Current, on, faults)?)
    } else {
        None
    };
    Some(Body::Move { permanent: permanent?, current })
}

fn place(unit: &str, detail: &str, at: Field, on: Date, faults: &mut Vec<Fault>) -> Option<Place> {
    let unreadable = |reason: &str| {
        Fault::Field(domain::field::FieldFault::Unreadable { field: at, reason: reason.to_owned() })
    };
    let code = unit.trim().parse::<UnitCode>();
    let code = noted(code.ok(), unreadable("it is not the code of a unit"), faults)?;
    let detail = tidy(detail);
    if forbidden(&detail).is_some() || detail.chars().count() > MOST_AUTHORITY {
        faults.push(unreadable("the address has a character that cannot be shown, or is too long"));
        return None;
    }
    is_residence(code, at, on, faults).then_some(Place { unit: code, detail })
}

/// Whether somebody can have lived in the unit on a day.
fn is_residence(unit: UnitCode, at: Field, on: Date, faults: &mut Vec<Fault>) -> bool {
    if Units::on(on).get(unit).is_none() {
        faults.push(Fault::UnitNotInForce { at, unit });
        return false;
    }
    if unit.level() == UnitLevel::Province {
        faults.push(Fault::UnitTooHigh(at));
        return false;
    }
    true
}

/// The event as the person is told it; `None` where something of it could not be read, or the event that it
/// takes back is not one of this person.
pub(crate) fn told(reading: &Reading, person: &Person, event_ids: &[Option<EventId>]) -> Option<Event> {
    match (reading.kind?, reading.body.as_ref()?) {
        (EventKind::Died, _) => Some(Event::Died),
        (EventKind::DeathUndone, _) => Some(Event::DeathUndone),
        (EventKind::DeclaredMissing, _) => Some(Event::DeclaredMissing),
        (EventKind::Found, _) => Some(Event::Found),
        (EventKind::Corrected | EventKind::Supplemented, Body::Changes { changes, since }) => {
            Some(Event::Corrected { changes: as_stored(changes, person), since: *since })
        }
        (EventKind::Moved, Body::Move { permanent, current }) => {
            Some(Event::Moved { permanent: permanent.clone(), current: current.clone() })
        }
        (EventKind::Reversed, Body::Reversal(event)) => {
            let index = event_ids.iter().position(|id| *id == Some(*event))?;
            Some(Event::Reversed { version: index + 1 })
        }
        (EventKind::Corrected | EventKind::Supplemented | EventKind::Moved | EventKind::Reversed, _) => None,
    }
}

/// The values as the register writes them: a day with its zeros, a code without.
fn as_stored(changes: &[Change], person: &Person) -> Vec<Change> {
    let Ok(after) = person.record.with(changes) else { return changes.to_vec() };
    let values = after.values();
    let stored = |change: &Change| Change {
        value: values.get(&(change.field, change.part)).cloned().flatten(),
        ..change.clone()
    };
    changes.iter().map(stored).collect()
}

/// Everything for which the record does not take the event; `told` is what the person would be told.
pub(crate) fn judge(
    reading: &Reading,
    person: &Person,
    told: Option<&Event>,
    now: OffsetDateTime,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let today = day_in_vietnam(now);
    if let Some(Body::Changes { changes, since }) = &reading.body {
        if reading.kind == Some(EventKind::Supplemented) {
            supplements(changes, person, &mut faults);
        }
        units(changes, *since, today, &mut faults);
    }
    if let (Some(Body::Reversal(_)), None) = (&reading.body, told) {
        faults.push(Fault::NoEvent);
    }
    // Without a day, or with one that is still to come, the rest is judged as of today.
    let legal_on = reading.legal_on.filter(|day| day.earliest() <= today);
    let legal_on = legal_on.unwrap_or_else(|| PartialDate::from_date(today));
    match (told, reading.kind) {
        (Some(event), _) => {
            let recorded = Recorded { event: event.clone(), legal_on, recorded_at: now };
            if let Err(refusal) = admit(person.id, Some(person), &recorded) {
                // What the words say by themselves is in the list already.
                let is_known = matches!(refusal, Refusal::Future(_));
                faults.extend(of_refusal(refusal).into_iter().filter(|_| !is_known));
            }
        }
        // What it says could not be read, and it would not have been taken all the same.
        (None, Some(kind)) => {
            let recorded = Recorded { event: stand_in(kind, person), legal_on, recorded_at: now };
            if let Err(refusal @ (Refusal::Merged { .. } | Refusal::NotNow { .. })) =
                admit(person.id, Some(person), &recorded)
            {
                faults.push(Fault::from(refusal));
            }
        }
        (None, None) => {}
    }
    faults
}

/// An event of this kind that says nothing new: what the record thinks of the kind by itself.
fn stand_in(kind: EventKind, person: &Person) -> Event {
    match kind {
        EventKind::Died => Event::Died,
        EventKind::DeathUndone => Event::DeathUndone,
        EventKind::DeclaredMissing => Event::DeclaredMissing,
        EventKind::Found => Event::Found,
        EventKind::Corrected | EventKind::Supplemented => {
            Event::Corrected { changes: Vec::new(), since: None }
        }
        EventKind::Moved => {
            let (permanent, current) = (&person.record.permanent, &person.record.current);
            Event::Moved { permanent: permanent.clone(), current: current.clone() }
        }
        EventKind::Reversed => Event::Reversed { version: 0 },
    }
}

fn supplements(changes: &[Change], person: &Person, faults: &mut Vec<Fault>) {
    let values = person.record.values();
    for change in changes {
        let stated = values.get(&(change.field, change.part)).cloned().flatten();
        if change.value.is_none() {
            faults.push(Fault::NothingAdded(change.field));
        } else if stated.is_some_and(|value| !value.is_empty()) {
            faults.push(Fault::NotEmpty(change.field));
        }
    }
}

/// Residences are in units of the day; where somebody was born or is from is in a unit of any.
fn units(changes: &[Change], since: Option<PartialDate>, today: Date, faults: &mut Vec<Fault>) {
    let on = since.map_or(today, |day| day.latest().min(today));
    for change in changes {
        let Some(unit) = change.value.as_deref().and_then(|value| value.parse::<UnitCode>().ok()) else {
            continue;
        };
        match (change.field, change.part) {
            (Field::Permanent | Field::Current, Part::Unit) => {
                is_residence(unit, change.field, on, faults);
            }
            (Field::BirthRegistration | Field::NativePlace, _) => {
                let is_known = UnitTable::official().units().iter().any(|row| row.code == unit);
                if !is_known {
                    faults.push(Fault::UnitNotInForce { at: change.field, unit });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
