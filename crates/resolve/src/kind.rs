//! Kinds of cases, and how long each may wait.

use std::fmt;
use std::sync::OnceLock;

use time::{Duration, OffsetDateTime};

/// Why people must decide. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseKind {
    /// The fingers are those of somebody who applied as another person.
    FingerprintOtherName,
    /// The fingers or the register record are those of another application that is under way.
    SamePersonTwice,
    /// An officer's finger is among those of the application.
    OfficerFingers,
    /// One finger is at several positions of the application.
    FingersRepeated,
    /// The fingers are not those for which the person holds a card.
    FingersDiffer,
    /// Fingers were taken, and too few of them can be searched.
    FingersWeak,
    /// Too few fingers were taken.
    FingersMissing,
    /// The number is that of a record that says something else of its holder, or the record has another
    /// number.
    PinConflict,
    /// As above, with the number of the old identity card.
    CmndConflict,
    /// The record that the officer chose is not this person's.
    RegisterMismatch,
    /// Several records fit, or one that fits not well enough.
    AmbiguousMatch,
    NotInRegister,
    /// The applicant belongs to a unit that is not the kit's.
    KitElsewhere,
    /// The kit captured somebody without a seat, far from any shift of its own.
    KitOffShift,
    /// More people were captured than the kit's shift can hold.
    ShiftOverfull,
    /// Somebody without a seat, drawn to be looked at.
    WalkInSampled,
    /// Two register records that may be one person's.
    RegisterDuplicate,
}

impl CaseKind {
    /// In the order in which the list of cases offers them.
    pub const ALL: [CaseKind; 17] = [
        CaseKind::FingerprintOtherName,
        CaseKind::SamePersonTwice,
        CaseKind::OfficerFingers,
        CaseKind::FingersRepeated,
        CaseKind::FingersDiffer,
        CaseKind::FingersWeak,
        CaseKind::FingersMissing,
        CaseKind::PinConflict,
        CaseKind::CmndConflict,
        CaseKind::RegisterMismatch,
        CaseKind::AmbiguousMatch,
        CaseKind::NotInRegister,
        CaseKind::KitElsewhere,
        CaseKind::KitOffShift,
        CaseKind::ShiftOverfull,
        CaseKind::WalkInSampled,
        CaseKind::RegisterDuplicate,
    ];

    /// Stable code, as stored and as in the API.
    pub const fn code(self) -> &'static str {
        match self {
            CaseKind::FingerprintOtherName => "fingerprint_other_name",
            CaseKind::SamePersonTwice => "same_person_twice",
            CaseKind::OfficerFingers => "officer_fingers",
            CaseKind::FingersRepeated => "fingers_repeated",
            CaseKind::FingersDiffer => "fingers_differ",
            CaseKind::FingersWeak => "fingers_weak",
            CaseKind::FingersMissing => "fingers_missing",
            CaseKind::PinConflict => "pin_conflict",
            CaseKind::CmndConflict => "cmnd_conflict",
            CaseKind::RegisterMismatch => "register_mismatch",
            CaseKind::AmbiguousMatch => "ambiguous_match",
            CaseKind::NotInRegister => "not_in_register",
            CaseKind::KitElsewhere => "kit_elsewhere",
            CaseKind::KitOffShift => "kit_off_shift",
            CaseKind::ShiftOverfull => "shift_overfull",
            CaseKind::WalkInSampled => "walk_in_sampled",
            CaseKind::RegisterDuplicate => "register_duplicate",
        }
    }

    /// The inverse of [`CaseKind::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<CaseKind> {
        CaseKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// When a case opened at `opened` must be decided (`data/case-limits.csv`, calendar days).
    pub fn due(self, opened: OffsetDateTime) -> OffsetDateTime {
        opened + Duration::days(limits()[self as usize])
    }
}

impl fmt::Display for CaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Days per kind, in the order of [`CaseKind::ALL`].
///
/// Our choice: the law gives an application for a card 7 working days in a city and 20 in the mountains from
/// the day of capture (Law on Citizen Identification 2014, article 25), and a case may use up only a part of
/// it.
fn limits() -> &'static [i64; 17] {
    static LIMITS: OnceLock<[i64; 17]> = OnceLock::new();
    LIMITS.get_or_init(|| {
        let rows = include_str!("../data/case-limits.csv").lines().skip(1);
        let known: Vec<(&str, i64)> = rows
            .filter_map(|row| row.split_once(','))
            .filter_map(|(k, d)| Some((k, d.parse().ok()?)))
            .collect();
        CaseKind::ALL.map(|kind| {
            let row = known.iter().find(|(code, _)| *code == kind.code());
            row.expect("the file is part of the program and a test reads every row of it").1
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_code_and_its_limit() {
        assert_eq!(include_str!("../data/case-limits.csv").lines().count(), 1 + CaseKind::ALL.len());
        for (at, kind) in CaseKind::ALL.into_iter().enumerate() {
            assert_eq!(CaseKind::from_code(kind.code()), Some(kind));
            assert_eq!(kind as usize, at);
            assert!(kind.due(OffsetDateTime::UNIX_EPOCH) > OffsetDateTime::UNIX_EPOCH);
        }
    }
}
