//! What can be recorded of a person, and why it is refused.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;

use super::Status;
use crate::field::{Change, Field, FieldFault, Part};
use crate::id::PersonId;
use crate::record::Place;
use crate::{PartialDate, Pin, ResidentRecord, UnitCode};

/// One event of one person. A civil event of several people (a merge, a marriage) is one such event for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The record was entered from a form; version 1.
    Registered {
        /// As the form says.
        record: Box<ResidentRecord>,
    },
    /// The person got a number.
    PinAssigned {
        /// Which.
        pin: Pin,
        /// How it came.
        origin: Origin,
    },
    /// The number was cancelled. If another one is established instead, that is the next event.
    PinEnded {
        /// Why.
        ground: PinGround,
    },
    /// Values were put right, or changed by a decision.
    Corrected {
        /// The new values.
        changes: Vec<Change>,
        /// From when they hold. `None`: the register was wrong, and it was always so.
        since: Option<PartialDate>,
    },
    /// The person lives elsewhere.
    Moved {
        /// The permanent residence.
        permanent: Place,
        /// The current residence, where it is another.
        current: Option<Place>,
    },
    /// Units were rearranged by law: the residence lies in other ones, and nobody moved. The addresses below
    /// the commune stay as they were stated.
    Readdressed {
        /// The unit in which the permanent residence lies now.
        permanent: UnitCode,
        /// The same of the current residence, where it changes too.
        current: Option<UnitCode>,
    },
    /// The person died, on the day of legal effect.
    Died,
    /// The death was recorded in error, or a declared death was taken back (Civil Code 2015 art. 73).
    DeathUndone,
    /// A court declared the person missing.
    DeclaredMissing,
    /// The declaration was taken back (Civil Code 2015 art. 70).
    Found,
    /// Another record of the same person goes on instead of this one.
    Merged {
        /// The record that goes on.
        into: PersonId,
        /// Whether that had no number and took this one's over; otherwise a number of this record ends.
        pin_moved: bool,
    },
    /// A merge with the other record was taken back.
    Split {
        /// The other record: the one that stayed, in the history of the dropped one, and the other way round.
        from: PersonId,
    },
    /// A correction or a move was recorded in error and is taken back.
    Reversed {
        /// Which event, counted from the registration, which is 1.
        version: usize,
    },
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Event::Registered`].
    Registered,
    /// [`Event::PinAssigned`].
    PinAssigned,
    /// [`Event::PinEnded`].
    PinEnded,
    /// [`Event::Corrected`].
    Corrected,
    /// [`Event::Moved`].
    Moved,
    /// [`Event::Readdressed`].
    Readdressed,
    /// [`Event::Died`].
    Died,
    /// [`Event::DeathUndone`].
    DeathUndone,
    /// [`Event::DeclaredMissing`].
    DeclaredMissing,
    /// [`Event::Found`].
    Found,
    /// [`Event::Merged`].
    Merged,
    /// [`Event::Split`].
    Split,
    /// [`Event::Reversed`].
    Reversed,
}

/// How a person got a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The form stated it.
    Form,
    /// The centre gave it to somebody who had none.
    Allocated,
    /// It was established instead of one that was cancelled (Circular 59/2021 art. 6).
    Reestablished,
    /// It was the number of another record of the same person.
    Merged {
        /// Which record.
        from: PersonId,
    },
}

/// Why a number is cancelled (Decree 137/2015; Circular 59/2021 art. 6). There are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinGround {
    /// The sex was determined anew, and the number tells it.
    Sex,
    /// The year of birth was corrected, and the number tells it.
    BirthYear,
    /// It was entered wrong, or is somebody else's.
    EntryError,
}

/// An event with when it was. The day of legal effect is apart from the time of recording. Who recorded it
/// stands beside it in the store: nothing that an event leads to depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// What happened.
    pub event: Event,
    /// From when it has legal effect, as exactly as the paper says.
    pub legal_on: PartialDate,
    /// When the centre learned of it.
    pub recorded_at: OffsetDateTime,
}

/// Why an event cannot be recorded. It names fields and no values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no record yet.
    #[error("a person's history begins with `registered`, not with `{}`", .0.code())]
    NotRegistered(Kind),
    /// There is a record already.
    #[error("this person is registered already; record a correction")]
    AlreadyRegistered,
    /// The record was merged.
    #[error("`{}` cannot be recorded here: the record was merged; record it of {into}, or split them first",
            kind.code())]
    Merged {
        /// What was to be recorded.
        kind: Kind,
        /// The record that goes on.
        into: PersonId,
    },
    /// The person is not in the state that the event begins with.
    #[error("`{}` cannot be recorded of a person of status {}", kind.code(), status.code())]
    NotNow {
        /// What was to be recorded.
        kind: Kind,
        /// Where the person stands.
        status: Status,
    },
    /// The day of legal effect has not come.
    #[error("`{}` would have effect on a day that is still to come; record it then", .0.code())]
    Future(Kind),
    /// The day of legal effect lies before the birth.
    #[error("`{}` would have effect before the birth; check both days", .0.code())]
    BeforeBirth(Kind),
    /// There is a current number.
    #[error("the person has a number; it must end before another is assigned")]
    HasNumber,
    /// There is no current number.
    #[error("the person has no number that could end")]
    NoNumber,
    /// The number was this person's and was cancelled.
    #[error("the number was cancelled; a cancelled number is not given again")]
    NumberCancelled,
    /// A correction that changes the number.
    #[error("a personal number is not corrected; end it on one of the legal grounds and assign another")]
    NumberByCorrection,
    /// The values make no record.
    #[error("the values make no record: {}", said(.0))]
    Fields(Vec<FieldFault>),
    /// One event gives one part two values.
    #[error("the event gives the field {field} two values ({part}); give one")]
    Twice {
        /// Which field.
        field: Field,
        /// Which part of it.
        part: Part,
    },
    /// Everything stands in the register as it is.
    #[error("`{}` would change nothing", .0.code())]
    Nothing(Kind),
    /// Only corrections and moves are reversed, and once.
    #[error("event {version} is no correction or move that could be taken back, or was taken back already")]
    NotReversible {
        /// The event.
        version: usize,
    },
    /// A later event changed the same field.
    #[error("event {by} changed the same field after event {version}; take that one back first")]
    Superseded {
        /// The event that was to be taken back.
        version: usize,
        /// The later one.
        by: usize,
    },
    /// A record cannot be merged into itself.
    #[error("these are one record")]
    SamePerson,
    /// There is no merge of these two that could be taken back.
    #[error("the record was not merged with {0}")]
    NotFrom(PersonId),
    /// The record that stayed was merged itself.
    #[error("the record that stayed was merged into {into}; split those two first")]
    KeptIsMerged {
        /// The record that goes on.
        into: PersonId,
    },
}

fn said(faults: &[FieldFault]) -> String {
    faults.iter().map(FieldFault::to_string).collect::<Vec<_>>().join("; ")
}

impl Event {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Event::Registered { .. } => Kind::Registered,
            Event::PinAssigned { .. } => Kind::PinAssigned,
            Event::PinEnded { .. } => Kind::PinEnded,
            Event::Corrected { .. } => Kind::Corrected,
            Event::Moved { .. } => Kind::Moved,
            Event::Readdressed { .. } => Kind::Readdressed,
            Event::Died => Kind::Died,
            Event::DeathUndone => Kind::DeathUndone,
            Event::DeclaredMissing => Kind::DeclaredMissing,
            Event::Found => Kind::Found,
            Event::Merged { .. } => Kind::Merged,
            Event::Split { .. } => Kind::Split,
            Event::Reversed { .. } => Kind::Reversed,
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 13] = [
        Kind::Registered,
        Kind::PinAssigned,
        Kind::PinEnded,
        Kind::Corrected,
        Kind::Moved,
        Kind::Readdressed,
        Kind::Died,
        Kind::DeathUndone,
        Kind::DeclaredMissing,
        Kind::Found,
        Kind::Merged,
        Kind::Split,
        Kind::Reversed,
    ];

    /// Stable code, as stored in `person_event.kind`.
    pub const fn code(self) -> &'static str {
        match self {
            Kind::Registered => "registered",
            Kind::PinAssigned => "pin_assigned",
            Kind::PinEnded => "pin_ended",
            Kind::Corrected => "corrected",
            Kind::Moved => "moved",
            Kind::Readdressed => "readdressed",
            Kind::Died => "died",
            Kind::DeathUndone => "death_undone",
            Kind::DeclaredMissing => "declared_missing",
            Kind::Found => "found",
            Kind::Merged => "merged",
            Kind::Split => "split",
            Kind::Reversed => "reversed",
        }
    }

    /// The kind of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl Origin {
    /// Stable code, as stored in `pin.source`.
    pub const fn code(self) -> &'static str {
        match self {
            Origin::Form => "form",
            Origin::Allocated => "allocated",
            Origin::Reestablished => "reestablished",
            Origin::Merged { .. } => "merged",
        }
    }
}

impl PinGround {
    /// Every ground.
    pub const ALL: [PinGround; 3] = [PinGround::Sex, PinGround::BirthYear, PinGround::EntryError];

    /// Stable code, as stored in `pin.ended_reason`.
    pub const fn code(self) -> &'static str {
        match self {
            PinGround::Sex => "sex",
            PinGround::BirthYear => "birth_year",
            PinGround::EntryError => "entry_error",
        }
    }

    /// The ground of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ground| ground.code() == code)
    }
}
