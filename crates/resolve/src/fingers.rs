//! Are these fingers enough to find somebody by, and each a finger of its own? The kit advises; the centre
//! judges. Pure. The reasons and the figures are in `docs/decisions/0030-fingers-at-the-centre.md`.

use crate::CaseKind;
use crate::officers::OfficerHit;
use fingerprint::params::{LEAST_MINUTIAE, LEAST_QUALITY, ONE_FINGER};
use fingerprint::{FingerPosition, Prepared, Template, compare, quality};

/// With fewer usable fingers a search among millions is not sure.
pub const LEAST_FINGERS: usize = 4;

/// A position at which no finger was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    pub position: FingerPosition,
    /// The kit's stable code of the reason.
    pub reason: &'static str,
}

/// A captured finger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured {
    pub position: FingerPosition,
    pub minutiae: usize,
    pub quality: u8,
}

/// Two positions that show one finger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alike {
    pub first: FingerPosition,
    pub second: FingerPosition,
    pub score: f32,
}

/// What the ten positions of one application hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    pub captured: Vec<Captured>,
    pub absent: Vec<Absent>,
    /// In the order of positions.
    pub alike: Vec<Alike>,
    /// Officers whose fingers are among them, whoever signed first.
    pub officers: Vec<OfficerHit>,
}

/// Why the fingers alone do not let an application pass. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FingerFault {
    /// An officer's finger is among them.
    Officer,
    /// One finger at several positions.
    Repeated,
    /// Not the fingers for which this person holds a card.
    Differ,
    /// Enough were captured, and too few of them are usable.
    Weak,
    /// Too few were captured.
    Missing,
}

impl FingerFault {
    /// Every fault, the gravest first.
    pub const ALL: [FingerFault; 5] = [
        FingerFault::Officer,
        FingerFault::Repeated,
        FingerFault::Differ,
        FingerFault::Weak,
        FingerFault::Missing,
    ];

    /// The case that asks about it; its code is the fault's.
    pub const fn kind(self) -> CaseKind {
        match self {
            FingerFault::Officer => CaseKind::OfficerFingers,
            FingerFault::Repeated => CaseKind::FingersRepeated,
            FingerFault::Differ => CaseKind::FingersDiffer,
            FingerFault::Weak => CaseKind::FingersWeak,
            FingerFault::Missing => CaseKind::FingersMissing,
        }
    }
}

impl Captured {
    /// Whether a search can go by it.
    pub const fn is_usable(&self) -> bool {
        self.minutiae >= LEAST_MINUTIAE && self.quality >= LEAST_QUALITY
    }
}

impl Findings {
    /// Looks at each finger, compares each with every other, and has `look` compare all with officers'.
    pub fn of(
        templates: &[Template],
        absent: &[Absent],
        look: impl FnOnce(&[Prepared]) -> Vec<OfficerHit>,
    ) -> Findings {
        let captured = |template: &Template| Captured {
            position: template.position(),
            minutiae: template.minutiae().len(),
            quality: quality(template),
        };
        let prepared: Vec<Prepared> = templates.iter().map(Prepared::new).collect();
        let mut alike = Vec::new();
        for (at, one) in prepared.iter().enumerate() {
            for other in &prepared[at + 1..] {
                let score = compare(one, other).score;
                if score >= ONE_FINGER {
                    alike.push(Alike { first: one.position(), second: other.position(), score });
                }
            }
        }
        let officers = look(&prepared);
        let captured = templates.iter().map(captured).collect();
        Findings { captured, absent: absent.to_vec(), alike, officers }
    }

    /// How many fingers a search can go by.
    pub fn usable(&self) -> usize {
        self.captured.iter().filter(|captured| captured.is_usable()).count()
    }
}

/// The gravest fault that the application shows by itself. [`FingerFault::Differ`] takes an earlier one.
pub fn judge(findings: &Findings) -> Option<FingerFault> {
    match () {
        () if !findings.officers.is_empty() => Some(FingerFault::Officer),
        () if !findings.alike.is_empty() => Some(FingerFault::Repeated),
        () if findings.usable() >= LEAST_FINGERS => None,
        () if findings.captured.len() >= LEAST_FINGERS => Some(FingerFault::Weak),
        () => Some(FingerFault::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(position: FingerPosition, minutiae: usize, quality: u8) -> Captured {
        Captured { position, minutiae, quality }
    }

    fn good(count: usize) -> Vec<Captured> {
        let positions = FingerPosition::ALL.into_iter().take(count);
        positions.map(|position| captured(position, LEAST_MINUTIAE, LEAST_QUALITY)).collect()
    }

    fn check(captured: Vec<Captured>, expected: Option<FingerFault>) {
        let findings = Findings { captured, ..Findings::default() };
        assert_eq!(judge(&findings), expected, "{findings:?}");
    }

    #[test]
    fn fewer_than_four_usable_fingers_are_a_fault_and_four_are_none() {
        check(good(10), None);
        check(good(LEAST_FINGERS), None);
        check(good(LEAST_FINGERS - 1), Some(FingerFault::Missing));
        check(Vec::new(), Some(FingerFault::Missing));
        for weak in [
            captured(FingerPosition::LeftLittle, LEAST_MINUTIAE - 1, 100),
            captured(FingerPosition::LeftLittle, 100, LEAST_QUALITY - 1),
        ] {
            check([good(LEAST_FINGERS - 1), vec![weak]].concat(), Some(FingerFault::Weak));
            check([good(LEAST_FINGERS), vec![weak]].concat(), None);
            check([good(1), vec![weak]].concat(), Some(FingerFault::Missing));
        }
    }

    #[test]
    fn one_finger_at_two_positions_is_the_gravest_fault() {
        let alike =
            Alike { first: FingerPosition::RightThumb, second: FingerPosition::LeftThumb, score: ONE_FINGER };
        for captured in [good(10), good(2)] {
            let findings = Findings { captured, alike: vec![alike], ..Findings::default() };
            assert_eq!(judge(&findings), Some(FingerFault::Repeated));
        }
    }

    #[test]
    fn an_officers_finger_is_graver_than_any_other_fault() {
        let account = domain::id::AccountId::derive(time::OffsetDateTime::UNIX_EPOCH, &[b"officer"]);
        let hit = OfficerHit { account, signed: true, may_be_own: false, pairs: Vec::new() };
        let thumb = FingerPosition::RightThumb;
        let alike = vec![Alike { first: thumb, second: FingerPosition::LeftThumb, score: ONE_FINGER }];
        for (captured, alike) in [(good(10), Vec::new()), (good(10), alike), (Vec::new(), Vec::new())] {
            let findings = Findings { captured, alike, officers: vec![hit.clone()], ..Findings::default() };
            assert_eq!(judge(&findings), Some(FingerFault::Officer));
        }
    }

    #[test]
    fn each_fault_has_a_kind_of_its_own_in_the_same_order() {
        let kinds = FingerFault::ALL.map(FingerFault::kind);
        assert!(kinds.is_sorted() && kinds.windows(2).all(|pair| pair[0] != pair[1]), "{kinds:?}");
    }
}
