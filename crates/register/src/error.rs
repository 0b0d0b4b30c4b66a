//! What is wrong with an event, each fault with its field and what to do about it.

use thiserror::Error;

use crate::event::EventKind;
use crate::scan::{MOST_BYTES, NoScan};
use domain::field::FieldFault;
use domain::person::Refusal;
use domain::profile::NoRule;
use domain::{Field, UnitCode};
use store::register::record::Refused;

/// Why an event was not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something else than the event is wrong.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A campaign's day has no rule of who is counted: the dated lists begin later.
    #[error(transparent)]
    Rule(#[from] NoRule),
    /// Nothing was changed. All that is wrong, at once.
    #[error("the event is not recorded: {}", said(.0))]
    Refused(Vec<Fault>),
}

fn said(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{}: {fault}", fault.place())).collect::<Vec<_>>().join("; ")
}

/// One thing that is wrong with an event. It names fields and units, and no values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// No such kind of event.
    #[error("there is no such kind of event; the kinds are {}", kinds())]
    Kind,
    /// Neither an id nor a personal number.
    #[error("a person is named by the id in the register, or by the personal number (12 digits)")]
    Whom,
    /// Nobody of this name, or somebody of another unit.
    #[error("there is no such person in the unit's register; check the number")]
    NoPerson,
    /// No day.
    #[error("it is no day; write it as the paper does: dd/mm/yyyy, mm/yyyy or yyyy")]
    NoDay(DayOf),
    /// The day has not come.
    #[error("the day is still to come; record the event then, or correct the day")]
    Future(DayOf),
    /// The day lies before the person's birth.
    #[error("the day lies before the person's birth; check both days")]
    BeforeBirth,
    /// The event needs a paper.
    #[error("this event is recorded with its paper only; enter the paper's kind, number, authority and day")]
    PaperMissing,
    /// No such kind of paper.
    #[error("there is no such kind of paper; choose one of the list")]
    PaperKind,
    /// A paper without number.
    #[error("the paper has no number; copy it as it stands on the paper")]
    PaperNumber,
    /// A paper without authority.
    #[error("the paper has no authority; write who issued it")]
    PaperAuthority,
    /// A paper's number or authority has a character that is no text, or too many.
    #[error("the text has a character that cannot be shown, or is too long; write it anew")]
    PaperText(PaperPart),
    /// A paper of this number was entered with other content.
    #[error(
        "a paper under this number was entered with another day, another scan or for another person; check \
         the number, or leave the scan out if it is the same paper"
    )]
    PaperTaken,
    /// A scan without the paper that it is of.
    #[error("there is a scan and no paper that it is of; enter the paper, or leave the scan out")]
    ScanAlone,
    /// A file that is no scan.
    #[error("{}", scan_fault(*.0))]
    Scan(NoScan),
    /// A correction that changes nothing.
    #[error("no value is given; give the new value of one field at least")]
    NoChange,
    /// More values than a record has.
    #[error("there are more values than a record has; send one for each field")]
    TooMany,
    /// No field of a record.
    #[error("there is no such field in a record, or it has no such part; say which part of a field with two")]
    NoField,
    /// Two values for one.
    #[error("it is given twice; give one value")]
    Twice(Field),
    /// A supplement of what is stated.
    #[error("the register states a value already; correct it, with the paper of the correction")]
    NotEmpty(Field),
    /// A supplement that says nothing.
    #[error("no value is given; write what is to be added")]
    NothingAdded(Field),
    /// A code that is in no list.
    #[error("the value is not in the list of codes; choose one of the list")]
    NotInList(Field),
    /// A correction must say since when.
    #[error("say from when the values hold: the day, or that they always were so")]
    SinceMissing,
    /// The unit was not there on that day.
    #[error("there was no unit {unit} on that day; write the code that the list of that day has")]
    UnitNotInForce {
        /// Where it was written.
        at: Field,
        /// Its code.
        unit: UnitCode,
    },
    /// A residence lies in a commune.
    #[error("a residence is in a commune or a district, not in a province; write that unit's code")]
    UnitTooHigh(Field),
    /// A move without a place.
    #[error("say where the person moves: the code of the unit")]
    NoDestination,
    /// No event is named that could be taken back.
    #[error("say which event is taken back, by its id; it must be one of this person")]
    NoEvent,
    /// A field that the kind of event does not have.
    #[error("this kind of event has no such part; leave it out")]
    NotOfKind(Superfluous),
    /// What the values make is no record.
    #[error(transparent)]
    Field(FieldFault),
    /// The life of the person does not allow it.
    #[error(transparent)]
    Life(Refusal),
    /// The register refuses it.
    #[error(transparent)]
    Register(Refused),
    /// The id stands for something else.
    #[error("another event was recorded under this id; send this one under an id of its own")]
    OtherEvent,
}

/// Which day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOf {
    /// The legal effect.
    Effect,
    /// The paper.
    Paper,
    /// The values.
    Since,
}

/// Which text of a paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperPart {
    /// Its number.
    Number,
    /// Who issued it.
    Authority,
}

/// What only other kinds of events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Superfluous {
    /// Values.
    Changes,
    /// A day from which they hold.
    Since,
    /// A place.
    Destination,
    /// An event to take back.
    Reverses,
}

fn kinds() -> String {
    EventKind::ALL.map(EventKind::code).join(", ")
}

const fn scan_fault(fault: NoScan) -> &'static str {
    match fault {
        NoScan::Empty => "the scan's file is empty; choose the file again",
        NoScan::TooLarge => "the scan is larger than 4 MiB; scan the paper in a lower resolution",
        NoScan::OtherType => {
            "the scan is neither JPEG, PNG nor PDF, whatever its name says; scan the paper as one"
        }
    }
}
const _: () = assert!(MOST_BYTES == 4 * 1024 * 1024, "the sentence says 4 MiB");

impl Fault {
    /// The field that it is about: as it is sent, or the code of a record's field.
    pub const fn place(&self) -> &'static str {
        match self {
            Fault::Kind => "kind",
            Fault::Whom | Fault::NoPerson | Fault::Register(_) => "person",
            Fault::NoDay(of) | Fault::Future(of) => match of {
                DayOf::Effect => "legal_on",
                DayOf::Paper => "paper.issued_on",
                DayOf::Since => "since",
            },
            Fault::BeforeBirth => "legal_on",
            Fault::PaperMissing | Fault::PaperKind => "paper.kind",
            Fault::PaperNumber | Fault::PaperTaken | Fault::PaperText(PaperPart::Number) => "paper.number",
            Fault::PaperAuthority | Fault::PaperText(PaperPart::Authority) => "paper.authority",
            Fault::ScanAlone | Fault::Scan(_) => "scan",
            Fault::NoChange | Fault::TooMany | Fault::NoField | Fault::NotOfKind(Superfluous::Changes) => {
                "changes"
            }
            Fault::Twice(field)
            | Fault::NotEmpty(field)
            | Fault::NothingAdded(field)
            | Fault::NotInList(field)
            | Fault::UnitTooHigh(field)
            | Fault::UnitNotInForce { at: field, .. } => field.code(),
            Fault::SinceMissing | Fault::NotOfKind(Superfluous::Since) => "since",
            Fault::NoDestination | Fault::NotOfKind(Superfluous::Destination) => "to",
            Fault::NoEvent | Fault::NotOfKind(Superfluous::Reverses) => "reverses",
            Fault::Field(fault) => fault.field().code(),
            Fault::Life(refusal) => match refusal {
                Refusal::NotReversible { .. } | Refusal::Superseded { .. } => "reverses",
                Refusal::Nothing(_) | Refusal::NumberByCorrection | Refusal::Twice { .. } => "changes",
                _ => "person",
            },
            Fault::OtherEvent => "event_id",
        }
    }

    /// Stable code, as programs get it and pages word it.
    pub const fn code(&self) -> &'static str {
        match self {
            Fault::Kind => "kind",
            Fault::Whom => "whom",
            Fault::NoPerson => "no_person",
            Fault::NoDay(_) => "no_day",
            Fault::Future(_) => "future",
            Fault::BeforeBirth => "before_birth",
            Fault::PaperMissing => "paper_missing",
            Fault::PaperKind => "paper_kind",
            Fault::PaperNumber => "paper_number",
            Fault::PaperAuthority => "paper_authority",
            Fault::PaperText(_) => "paper_text",
            Fault::PaperTaken => "paper_taken",
            Fault::ScanAlone => "scan_alone",
            Fault::Scan(NoScan::Empty) => "scan_empty",
            Fault::Scan(NoScan::TooLarge) => "scan_too_large",
            Fault::Scan(NoScan::OtherType) => "scan_type",
            Fault::NoChange => "no_change",
            Fault::TooMany => "too_many",
            Fault::NoField => "no_field",
            Fault::Twice(_) => "twice",
            Fault::NotEmpty(_) => "not_empty",
            Fault::NothingAdded(_) => "nothing_added",
            Fault::NotInList(_) => "not_in_list",
            Fault::SinceMissing => "since_missing",
            Fault::UnitNotInForce { .. } => "unit_not_in_force",
            Fault::UnitTooHigh(_) => "unit_too_high",
            Fault::NoDestination => "no_destination",
            Fault::NoEvent => "no_event",
            Fault::NotOfKind(_) => "not_of_kind",
            Fault::Field(FieldFault::Empty(_)) => "field_empty",
            Fault::Field(FieldFault::Unreadable { .. }) => "field_unreadable",
            Fault::Field(FieldFault::Incomplete { .. }) => "field_incomplete",
            Fault::Field(FieldFault::NoSuchPart { .. }) => "no_field",
            Fault::Life(Refusal::Merged { .. }) => "merged",
            Fault::Life(Refusal::NotNow { .. }) => "not_now",
            Fault::Life(Refusal::Nothing(_)) => "nothing",
            Fault::Life(Refusal::NumberByCorrection) => "number_by_correction",
            Fault::Life(Refusal::NotReversible { .. }) => "not_reversible",
            Fault::Life(Refusal::Superseded { .. }) => "superseded",
            Fault::Life(_) => "life",
            Fault::Register(_) => "register",
            Fault::OtherEvent => "other_event",
        }
    }

    /// Every code, for whoever must have words for each.
    pub const CODES: [&'static str; 41] = [
        "kind",
        "whom",
        "no_person",
        "no_day",
        "future",
        "before_birth",
        "paper_missing",
        "paper_kind",
        "paper_number",
        "paper_authority",
        "paper_text",
        "paper_taken",
        "scan_alone",
        "scan_empty",
        "scan_too_large",
        "scan_type",
        "no_change",
        "too_many",
        "no_field",
        "twice",
        "not_empty",
        "nothing_added",
        "not_in_list",
        "since_missing",
        "unit_not_in_force",
        "unit_too_high",
        "no_destination",
        "no_event",
        "not_of_kind",
        "field_empty",
        "field_unreadable",
        "field_incomplete",
        "merged",
        "not_now",
        "nothing",
        "number_by_correction",
        "not_reversible",
        "superseded",
        "life",
        "register",
        "other_event",
    ];
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        match refused {
            Refused::Life(refusal) => Fault::from(refusal),
            Refused::OtherEvent => Fault::OtherEvent,
            other => Fault::Register(other),
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        match refusal {
            Refusal::Future(_) => Fault::Future(DayOf::Effect),
            Refusal::BeforeBirth(_) => Fault::BeforeBirth,
            other => Fault::Life(other),
        }
    }
}

/// All faults of the values at once, where there are several.
pub(crate) fn of_refusal(refusal: Refusal) -> Vec<Fault> {
    match refusal {
        Refusal::Fields(faults) => faults.into_iter().map(Fault::Field).collect(),
        Refusal::Twice { field, .. } => vec![Fault::Twice(field)],
        other => vec![Fault::from(other)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let mut codes = Fault::CODES.to_vec();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Fault::CODES.len());
    }
}
