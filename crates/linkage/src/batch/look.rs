//! What blocking looks at of a record: half a cache line, so that a rule reads little of the register.

use crate::birth::{self, Birth};
use crate::hash;
use crate::keys::Parts;
use crate::row::Facts;

/// Hashes of names by sound, numbers of places and the date of birth; 0 for what is missing. One array, so
/// that the fields of two records are compared in one go.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
pub(crate) struct Look([u32; FIELDS]);

const FIELDS: usize = 8;
const NAME: usize = 0;
const ENDS: usize = 1;
const GIVEN: usize = 2;
const FATHER: usize = 3;
const MOTHER: usize = 4;
const NATIVE: usize = 5;
const RESIDENCE: usize = 6;
const BIRTH: usize = 7;

/// What a field is worth where it agrees; of one day of birth below.
const WORTH: [u32; FIELDS] = [1, 1, 1, 2, 2, 1, 1, 0];
const POINTS: u32 = 15;
/// Added beyond all points where dates are equal.
const SAME_BIRTH: u32 = 16;

/// A record that others are held against.
pub(crate) struct Asked<'a> {
    look: &'a Look,
    /// What each field is worth; nothing where it is missing.
    worth: [u32; FIELDS],
}

impl Look {
    /// Hashes by sound of a name's words, of its ends, of its given name, and of the parents' names; places
    /// and birth as the facts have them.
    pub(crate) fn new([name, given, ends]: [u32; 3], [father, mother]: [u32; 2], facts: &Facts) -> Look {
        let Birth { day, month, year } = facts.birth;
        let birth = u32::from(year) << 16 | u32::from(month) << 8 | u32::from(day);
        Look([name, ends, given, father, mother, facts.native_place, facts.residence, birth])
    }

    fn birth(&self) -> Birth {
        let birth = self.0[BIRTH];
        Birth { day: birth as u8, month: (birth >> 8) as u8, year: (birth >> 16) as u16 }
    }

    #[inline(always)]
    pub(crate) fn parts(&self) -> Parts {
        let known = |field: usize| (self.0[field] != 0).then_some(u64::from(self.0[field]));
        Parts {
            pin: None,
            cmnd: None,
            name: known(NAME),
            father: known(FATHER),
            mother: known(MOTHER),
            given: known(GIVEN),
            ends: known(ENDS),
            birth: self.birth(),
            native: known(NATIVE),
            residence: known(RESIDENCE),
        }
    }

    /// The key of one father and mother, for one in `step` families.
    pub(crate) fn family_key(&self, step: u64) -> Option<u32> {
        let (father, mother) = (self.0[FATHER], self.0[MOTHER]);
        let key = hash::mix(u64::from(father), u64::from(mother));
        (father != 0 && mother != 0 && key.is_multiple_of(step)).then_some((key >> 32) as u32)
    }

    pub(crate) fn ask(&self) -> Asked<'_> {
        let mut worth = WORTH;
        let birth = self.birth();
        worth[BIRTH] = SAME_BIRTH + if birth.is_full() && !birth.is_default() { 2 } else { 0 };
        for (worth, field) in worth.iter_mut().zip(&self.0[..BIRTH]) {
            *worth = if *field == 0 { 0 } else { *worth };
        }
        Asked { look: self, worth }
    }
}

impl Asked<'_> {
    /// A look at two records that share a key, before their names are fetched: enough must agree by sound or
    /// number to outweigh chance, and more where the dates of birth contradict each other, with the name
    /// among it.
    #[inline]
    pub(crate) fn is_plausible(&self, other: &Look) -> bool {
        let (x, y) = (&self.look.0, &other.0);
        let mut agreed = [0; FIELDS];
        for field in 0..FIELDS {
            agreed[field] = if x[field] == y[field] { self.worth[field] } else { 0 };
        }
        let sum: u32 = agreed.iter().sum();
        // Where neither parent can be compared less can agree.
        let orphans = ((x[FATHER] == 0) | (y[FATHER] == 0)) & ((x[MOTHER] == 0) | (y[MOTHER] == 0));
        let points = (sum & POINTS) + u32::from(orphans);
        points >= 4 && (sum & SAME_BIRTH != 0 || self.outweighs_date(points, agreed, other))
    }

    /// Two dates that differ.
    fn outweighs_date(&self, points: u32, agreed: [u32; FIELDS], other: &Look) -> bool {
        let is_named = agreed[NAME] + agreed[ENDS] > 0;
        (points >= 6 && is_named) || !birth::compare(self.look.birth(), other.birth()).contradicts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIRTH: Birth = Birth { day: 7, month: 11, year: 1986 };

    fn look(fields: [u32; 7], birth: Birth) -> Look {
        let [name, ends, given, father, mother, native_place, residence] = fields;
        let facts = Facts {
            name: 0,
            father: 0,
            mother: 0,
            native_place,
            residence,
            address: 0,
            birth,
            birth_province: 0,
            ethnicity: 0,
            flags: 0,
        };
        Look::new([name, given, ends], [father, mother], &facts)
    }

    #[track_caller]
    fn check(fields: [u32; 7], birth: (u8, u8, u16), expected: bool) {
        let (day, month, year) = birth;
        let (one, other) = (look([1, 2, 3, 4, 5, 6, 7], BIRTH), look(fields, Birth { day, month, year }));
        assert_eq!(one.ask().is_plausible(&other), expected);
        assert_eq!(other.ask().is_plausible(&one), expected);
    }

    #[test]
    fn a_look_has_the_parts_of_the_record() {
        let parts = look([1, 2, 0, 4, 5, 6, 7], BIRTH).parts();
        assert_eq!((parts.name, parts.ends, parts.given), (Some(1), Some(2), None));
        assert_eq!((parts.father, parts.mother, parts.native), (Some(4), Some(5), Some(6)));
        assert_eq!((parts.residence, parts.birth), (Some(7), BIRTH));
    }

    #[test]
    fn enough_must_agree() {
        check([1, 2, 3, 4, 5, 6, 7], (7, 11, 1986), true);
        check([0; 7], (7, 11, 1986), false);
        // One day of birth and the given name, and parents who cannot be compared.
        check([0, 0, 3, 0, 0, 0, 0], (7, 11, 1986), true);
        check([0, 0, 3, 40, 50, 0, 0], (7, 11, 1986), false);
        check([0, 0, 3, 0, 0, 6, 0], (7, 0, 1986), false);
        check([0, 0, 3, 0, 0, 6, 7], (7, 0, 1986), true);
        // Brothers: parents and places agree, the day of birth and the name contradict.
        check([10, 20, 30, 4, 5, 6, 7], (1, 2, 1989), false);
        check([10, 20, 3, 4, 5, 6, 7], (1, 2, 1989), false);
        // A namesake of another year from another house, and one from the same.
        check([1, 2, 3, 40, 50, 60, 70], (7, 11, 1950), false);
        check([1, 2, 3, 4, 50, 6, 70], (1, 2, 1950), true);
    }
}
