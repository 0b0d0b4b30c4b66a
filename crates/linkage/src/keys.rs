//! Blocking: two records are compared only if they share a key under at least one narrow rule.

use crate::birth::{self, Birth};
use crate::compare::Side;
use crate::hash::mix;
use crate::name::NameView;
use crate::row::Facts;

/// Each rule survives another kind of damage; together they reach every pair that the weights could link.
pub(crate) const RULES: usize = 16;
/// Rules for whole files, where a rule costs one sort and not memory: the same, and some for two slips in one
/// pair.
pub(crate) const FILE_RULES: usize = 26;

/// The rules of the two numbers.
pub(crate) const PIN_RULE: usize = 0;
pub(crate) const CMND_RULE: usize = 1;

/// The key of a record under the rule of a number, from the number alone.
pub(crate) fn number_key(number: u64) -> u32 {
    (mix(number, 7) >> 32) as u32
}

/// The keys of one record; absent where a field of the rule is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    present: u16,
    keys: [u32; RULES],
}

impl Keys {
    pub(crate) fn get(&self, rule: usize) -> Option<u32> {
        (self.present >> rule & 1 == 1).then(|| self.keys[rule])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, u32)> {
        (0..RULES).filter_map(|rule| Some((rule, self.get(rule)?)))
    }
}

/// A look at two rows before their names are fetched. A rule that brings together namesakes of one year or
/// one place is there for damaged dates: where the dates contradict, only the parents could still speak for a
/// match, and the rules with parents bring such pairs.
pub(crate) fn is_promising(rule: usize, a: &Facts, b: &Facts) -> bool {
    !matches!(rule, 2 | 3 | 12 | 13) || !birth::compare(a.birth, b.birth).contradicts()
}

/// What the rules are made of: hashes of a record's values, `None` where missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub pin: Option<u64>,
    pub cmnd: Option<u64>,
    /// The words of a name by sound, in any order.
    pub name: Option<u64>,
    pub father: Option<u64>,
    pub mother: Option<u64>,
    /// The given name by sound, and together with the surname.
    pub given: Option<u64>,
    pub ends: Option<u64>,
    pub birth: Birth,
    pub native: Option<u64>,
    pub residence: Option<u64>,
}

impl Parts {
    fn of_side(side: &Side<'_>) -> Parts {
        Parts {
            pin: side.pin,
            cmnd: side.cmnd,
            name: words(&side.name),
            father: words(&side.father),
            mother: words(&side.mother),
            given: given(&side.name),
            ends: ends(&side.name),
            birth: side.facts.birth,
            native: side.facts.native_place().map(|place| u64::from(place.bits())),
            residence: side.facts.residence().map(|place| u64::from(place.bits())),
        }
    }

    /// 01/01 is the commonest day by convention: alone it is no key.
    fn day_month(&self) -> Option<u64> {
        let is_dated = self.birth.is_full() && !self.birth.is_default();
        is_dated.then_some(u64::from(self.birth.day) << 8 | u64::from(self.birth.month))
    }

    /// January is where unknown months went.
    fn month(&self) -> Option<u64> {
        (self.birth.month > 1).then_some(u64::from(self.birth.month))
    }

    fn year(&self) -> Option<u64> {
        (self.birth.year != 0).then_some(u64::from(self.birth.year))
    }

    fn date(&self) -> Option<u64> {
        join(self.day_month(), self.year())
    }

    /// The date whichever way day and month were written.
    fn unordered_date(&self) -> Option<u64> {
        let Birth { day, month, year } = self.birth;
        self.date().map(|_| mix(u64::from(day.min(month)) << 8 | u64::from(day.max(month)), u64::from(year)))
    }

    /// The key under one rule. Thirty-two bits: a rare collision only costs one comparison too many.
    #[inline(always)]
    pub(crate) fn key(&self, rule: usize) -> Option<u32> {
        let parents = || join(self.father, self.mother);
        let key = match rule {
            PIN_RULE | CMND_RULE => {
                return if rule == PIN_RULE { self.pin } else { self.cmnd }.map(number_key);
            }
            2 => join(self.name, self.year()),
            3 => join(self.name, self.day_month()),
            4 => join(self.ends, self.unordered_date()),
            5 => join(self.given, self.date()),
            6 => join(self.name, self.father),
            7 => join(self.name, self.mother),
            8 => join(parents(), self.given),
            9 => join(parents(), self.year()),
            10 => join(self.date(), self.father),
            11 => join(self.date(), self.mother),
            12 => join(self.name, self.native),
            13 => join(self.name, self.residence),
            14 => join(self.date(), self.residence),
            15 => join(self.date(), self.native),
            16 => join(self.ends, self.father),
            17 => join(self.ends, self.mother),
            18 => join(self.day_month(), self.father),
            19 => join(self.day_month(), self.mother),
            20 => join(join(self.given, self.year()), self.native),
            21 => join(join(self.given, self.year()), self.residence),
            // A slip in the given name and another in the day or month.
            22 => join(join(self.father, self.year()), self.native),
            23 => join(join(self.mother, self.year()), self.native),
            24 => join(join(self.father, self.year()), self.month()),
            25 => join(join(self.mother, self.year()), self.month()),
            _ => None,
        };
        // What was joined is mixed already.
        key.map(|key| (key >> 32) as u32)
    }
}

/// The keys of a record; a rule whose fields are missing gives none.
pub(crate) fn keys(side: &Side<'_>) -> Keys {
    let parts = Parts::of_side(side);
    let mut keys = Keys { present: 0, keys: [0; RULES] };
    for rule in 0..RULES {
        if let Some(key) = parts.key(rule) {
            keys.present |= 1 << rule;
            keys.keys[rule] = key;
        }
    }
    keys
}

/// Blocks for learning: pairs of one family, whatever their names and dates.
pub(crate) fn family_key(side: &Side<'_>) -> Option<u64> {
    join(words(&side.father), words(&side.mother))
}

/// Blocks for learning: pairs of one name and date, whatever their family and place.
pub(crate) fn person_key(side: &Side<'_>) -> Option<u64> {
    let birth = side.facts.birth;
    let is_dated = birth.is_full() && !birth.is_default();
    let day = u64::from(birth.day) << 8 | u64::from(birth.month);
    join(words(&side.name), is_dated.then(|| mix(day, u64::from(birth.year))))
}

fn join(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(mix(a?, b?))
}

/// The words of a name in any order, by sound.
pub(crate) fn words(name: &NameView<'_>) -> Option<u64> {
    (name.len > 0).then(|| name.tokens().iter().fold(0, |sum: u64, token| sum.wrapping_add(token.dialect)))
}

pub(crate) fn given(name: &NameView<'_>) -> Option<u64> {
    name.given().map(|token| token.dialect)
}

/// Surname and given name: what is left when middle names are dropped.
pub(crate) fn ends(name: &NameView<'_>) -> Option<u64> {
    name.surname().zip(name.given()).map(|(surname, given)| mix(surname.dialect, given.dialect))
}
