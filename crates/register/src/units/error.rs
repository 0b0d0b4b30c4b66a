//! Why a change of units is not applied, or an answer not taken.

use thiserror::Error;
use time::Date;

use domain::UnitCode;
use domain::id::PersonId;
use domain::unit::map::MapFault;

/// Why nothing was done, or why it stopped. Batches that were committed before stay, and are not done again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// On that day the old list goes on.
    #[error("no list of units begins on {day}; changes are known for {}", those(.days))]
    NoList {
        /// The day.
        day: Date,
        /// The days that have one.
        days: Vec<Date>,
    },
    /// The map is not one that everybody can be moved by.
    #[error("the map is refused: {}", faults(.0))]
    Map(Vec<MapFault>),
    /// The change has no effect yet.
    #[error(
        "the units change on {effective_on}, and today is {today}; look with --check, apply it on that day"
    )]
    NotYet {
        /// From when it has effect.
        effective_on: Date,
        /// Today.
        today: Date,
    },
    /// It was begun with another file.
    #[error("the change of {0} was begun here with another map; go on with that file")]
    OtherMap(Date),
    /// A list between this one and the one that the installation works by was left out.
    #[error("the change of {0} comes first; apply it, then this one")]
    EarlierFirst(Date),
    /// A campaign counts by the old units.
    #[error(
        "the campaign of {unit} from {starts_on} is under way on the day of the change; it counts by the old \
         units: close its last day before, then apply"
    )]
    Campaign {
        /// Of which unit.
        unit: String,
        /// Its first day.
        starts_on: Date,
    },
    /// A batch did not do what was decided, and was taken back.
    #[error(
        "the counts of {path} do not agree: {expected} people were to be there, {found} are; nothing of this \
         batch is kept: see who else writes people now, and go on"
    )]
    NotConserved {
        /// Where.
        path: String,
        /// By what was decided.
        expected: i64,
        /// By the rows.
        found: i64,
    },
    /// Nobody asks about that residence.
    #[error("nobody waits to be asked about this residence of this person; it may be answered already")]
    NoQuestion,
    /// The answer is no part of the old unit.
    #[error("{to} is no part of {from}; choose one of {}", codes(.candidates))]
    NotAPart {
        /// The answer.
        to: UnitCode,
        /// The old unit.
        from: UnitCode,
        /// What it can be.
        candidates: Vec<UnitCode>,
    },
    /// No such unit is waiting for a successor.
    #[error(
        "no unit {0} of the list before waits for a successor; `dancu units waiting` names those that do"
    )]
    NoOldUnit(UnitCode),
    /// Another successor was settled.
    #[error("{unit} has the successor {successor} since it was settled; what it had is there")]
    Settled {
        /// The old unit.
        unit: UnitCode,
        /// Its successor.
        successor: String,
    },
    /// The register refuses to move somebody.
    #[error("the record {person} cannot be moved: {why}")]
    Refused {
        /// Who.
        person: PersonId,
        /// Why.
        why: store::register::record::Refused,
    },
}

fn those(days: &[Date]) -> String {
    days.iter().map(Date::to_string).collect::<Vec<_>>().join(", ")
}

fn codes(codes: &[UnitCode]) -> String {
    codes.iter().map(UnitCode::to_string).collect::<Vec<_>>().join(", ")
}

fn faults(faults: &[MapFault]) -> String {
    faults.iter().map(MapFault::to_string).collect::<Vec<_>>().join("; ")
}
