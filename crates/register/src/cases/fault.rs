//! What is wrong with what is asked of a case, each fault with its place and what to do about it.

use thiserror::Error;

use crate::error::{Error, Fault};
use domain::Field;
use domain::correction::CaseRefusal;
use domain::profile::NoRule;

/// Why nothing was done about a case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// Something else than the act is wrong.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A day has no rule of whom a campaign counts.
    #[error(transparent)]
    Rule(#[from] NoRule),
    /// Nothing was changed. All that is wrong, at once.
    #[error("nothing was done: {}", said(.0))]
    Refused(Vec<CaseFault>),
}

fn said(faults: &[CaseFault]) -> String {
    faults.iter().map(|fault| format!("{}: {fault}", fault.place())).collect::<Vec<_>>().join("; ")
}

impl From<Error> for CaseError {
    fn from(error: Error) -> CaseError {
        match error {
            Error::Store(error) => CaseError::Store(error),
            Error::Rule(error) => CaseError::Rule(error),
            Error::Refused(faults) => CaseError::Refused(faults.into_iter().map(CaseFault::Event).collect()),
        }
    }
}

/// One thing that is wrong. It names fields, and no values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaseFault {
    /// No such case, or one of another office.
    #[error("there is no such case in the unit; check the id")]
    NoCase,
    /// Nobody of this name, or somebody of another unit.
    #[error("there is no such person in the unit's register; check the number")]
    NoPerson,
    /// No such source.
    #[error("there is no such source; it is citizen, clerk, officer, quality_rule or agency_list")]
    Source,
    /// A text has a character that cannot be shown, or too many.
    #[error("the text has a character that cannot be shown, or is too long; write it anew")]
    Words,
    /// Another case asks for the same.
    #[error("another open case asks for the field {0} of this person; go on with that one")]
    AskedAlready(Field),
    /// The id stands for something else.
    #[error("another case was opened under this id; open this one under an id of its own")]
    OtherCase,
    /// The id of the act stands for something else.
    #[error("something else was done about this case under this id; send this act under an id of its own")]
    OtherAct,
    /// Somebody did something since.
    #[error("somebody did something about this case since it was read; read it again")]
    Stale,
    /// It takes a reason.
    #[error("this is recorded only with a reason; write why")]
    NoReason,
    /// Nobody of the justice office.
    #[error("a case is given to an account of the justice office whose unit has it; name one")]
    NotJustice,
    /// The register has gone on.
    #[error(
        "the register states another value of {0} than when the case was opened; refuse the case, or let it \
         be withdrawn and opened again"
    )]
    Changed(Field),
    /// The case does not allow it.
    #[error(transparent)]
    Case(CaseRefusal),
    /// The values or the paper are not right, or the register does not take the event.
    #[error(transparent)]
    Event(Fault),
}

impl CaseFault {
    /// The part of what was sent that it is about: a field's code, or a place of the paper or the act.
    pub fn place(&self) -> &'static str {
        match self {
            CaseFault::NoCase | CaseFault::OtherCase | CaseFault::Stale => "case",
            CaseFault::NoPerson => "person",
            CaseFault::Source => "source",
            CaseFault::Words | CaseFault::NoReason => "reason",
            CaseFault::OtherAct => "act",
            CaseFault::NotJustice => "to",
            CaseFault::AskedAlready(field) | CaseFault::Changed(field) => field.code(),
            CaseFault::Case(refusal) => match refusal {
                CaseRefusal::Nothing(field)
                | CaseRefusal::Twice(field)
                | CaseRefusal::Unanswered(field)
                | CaseRefusal::NoSuchItem(field) => field.code(),
                CaseRefusal::Number => Field::Pin.code(),
                CaseRefusal::NoItem | CaseRefusal::TooMany | CaseRefusal::NothingGranted => "changes",
                CaseRefusal::SameOwner => "to",
                CaseRefusal::Beginning
                | CaseRefusal::NotNow { .. }
                | CaseRefusal::NotYours { .. }
                | CaseRefusal::NotOwner => "act",
            },
            CaseFault::Event(fault) => fault.place(),
        }
    }

    /// Stable code, as programs get it and pages word it: below `correction.fault`, but for an event's, which
    /// are below `event.fault`.
    pub fn code(&self) -> &'static str {
        match self {
            CaseFault::NoCase => "no_case",
            CaseFault::NoPerson => "no_person",
            CaseFault::Source => "source",
            CaseFault::Words => "words",
            CaseFault::AskedAlready(_) => "asked_already",
            CaseFault::OtherCase => "other_case",
            CaseFault::OtherAct => "other_act",
            CaseFault::Stale => "stale",
            CaseFault::NoReason => "no_reason",
            CaseFault::NotJustice => "not_justice",
            CaseFault::Changed(_) => "changed",
            CaseFault::Case(refusal) => match refusal {
                CaseRefusal::Beginning => "beginning",
                CaseRefusal::NotNow { .. } => "not_now",
                CaseRefusal::NotYours { .. } => "not_yours",
                CaseRefusal::NotOwner => "not_owner",
                CaseRefusal::SameOwner => "same_owner",
                CaseRefusal::NoItem => "no_item",
                CaseRefusal::TooMany => "too_many",
                CaseRefusal::Number => "number",
                CaseRefusal::Nothing(_) => "nothing",
                CaseRefusal::Twice(_) => "twice",
                CaseRefusal::Unanswered(_) => "unanswered",
                CaseRefusal::NoSuchItem(_) => "no_such_item",
                CaseRefusal::NothingGranted => "nothing_granted",
            },
            CaseFault::Event(fault) => fault.code(),
        }
    }

    /// Every code but those of events, for whoever must have words for each.
    pub const CODES: [&'static str; 24] = [
        "no_case",
        "no_person",
        "source",
        "words",
        "asked_already",
        "other_case",
        "other_act",
        "stale",
        "no_reason",
        "not_justice",
        "changed",
        "beginning",
        "not_now",
        "not_yours",
        "not_owner",
        "same_owner",
        "no_item",
        "too_many",
        "number",
        "nothing",
        "twice",
        "unanswered",
        "no_such_item",
        "nothing_granted",
    ];
}
