//! The values of a case as the register would store them. They are read and judged as those of a correction
//! are, so that what is asked for can be recorded.

use time::OffsetDateTime;

use super::CaseFault;
use crate::decide;
use crate::error::Fault;
use crate::event::{ALWAYS, ChangeText, EventKind, NewEvent, PaperText};
use crate::paper::PaperKind;
use domain::clock::day_in_vietnam;
use domain::correction::Claim;
use domain::date::vietnamese;
use domain::field::{Change, Field, Part};
use domain::id::EventId;
use domain::person::{Event, Person};

/// What is claimed beside what the register states, with all that is wrong with it.
pub(super) fn claims(
    person: &Person,
    texts: &[ChangeText],
    now: OffsetDateTime,
) -> (Vec<Claim>, Vec<CaseFault>) {
    let (changes, faults) = judged(person, texts, now);
    let values = person.record.values();
    let claim = |change: Change| Claim {
        field: change.field,
        part: change.part,
        register_value: values.get(&(change.field, change.part)).cloned().flatten(),
        claimed_value: change.value,
    };
    (changes.into_iter().map(claim).collect(), faults.into_iter().map(CaseFault::Event).collect())
}

/// What is claimed, by field, whatever stands against it.
pub(super) fn told(
    person: &Person,
    texts: &[ChangeText],
    now: OffsetDateTime,
) -> Vec<((Field, Part), Option<String>)> {
    let changes = judged(person, texts, now).0;
    let mut told: Vec<_> = changes.into_iter().map(|c| ((c.field, c.part), c.value)).collect();
    told.sort_unstable();
    told
}

/// The values as the register would store them, and all for which it would not take them.
pub(super) fn judged(
    person: &Person,
    texts: &[ChangeText],
    now: OffsetDateTime,
) -> (Vec<Change>, Vec<Fault>) {
    let today = vietnamese(day_in_vietnam(now));
    let id = EventId::derive(now, &[b"claim", person.id.uuid().as_bytes()]);
    // The paper comes later: a stand-in keeps its absence from being a fault.
    let paper = PaperText {
        kind: PaperKind::Other.code().to_owned(),
        number: "-".to_owned(),
        authority: "-".to_owned(),
        issued_on: today.clone(),
    };
    let event = NewEvent {
        legal_on: today,
        paper: Some(paper),
        changes: texts.to_vec(),
        since: Some(ALWAYS.to_owned()),
        ..NewEvent::new(id, &person.id.to_string(), EventKind::Corrected.code())
    };
    let (reading, mut faults) = decide::read(&event, None, day_in_vietnam(now));
    let told = decide::told(&reading, person, &[]);
    faults.extend(decide::judge(&reading, person, told.as_ref(), now));
    let changes = match told {
        Some(Event::Corrected { changes, .. }) => changes,
        Some(_) | None => Vec::new(),
    };
    (changes, faults)
}

/// A stored value as words that are read again.
pub(super) fn as_text(field: Field, part: Part, value: Option<&str>) -> ChangeText {
    ChangeText {
        field: field.code().to_owned(),
        part: part.code().to_owned(),
        value: value.unwrap_or_default().to_owned(),
    }
}
