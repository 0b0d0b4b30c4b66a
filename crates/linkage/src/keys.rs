//! Blocking: two records are compared only if they share a key under at least one narrow rule.

use crate::birth;
use crate::compare::Side;
use crate::hash::mix;
use crate::name::NameView;
use crate::row::Facts;

/// Each rule survives another kind of damage; together they reach every pair that the weights could link.
pub(crate) const RULES: usize = 16;

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

/// A look at two rows before their names are fetched. A rule that brings together namesakes of one year or one
/// place is there for damaged dates: where the dates contradict, only the parents could still speak for a match,
/// and the rules with parents bring such pairs.
pub(crate) fn is_promising(rule: usize, a: &Facts, b: &Facts) -> bool {
    !matches!(rule, 2 | 3 | 12 | 13) || !birth::compare(a.birth, b.birth).contradicts()
}

/// The keys of a record; a rule whose fields are missing gives none. Thirty-two bits: a rare collision only costs
/// one comparison too many.
pub(crate) fn keys(side: &Side<'_>) -> Keys {
    let row = side.facts;
    let birth = row.birth;
    let name = words(&side.name);
    let (father, mother) = (words(&side.father), words(&side.mother));
    let given = side.name.given().map(|token| token.dialect);
    let ends = side.name.surname().zip(side.name.given()).map(|(s, g)| mix(s.dialect, g.dialect));
    let year = (birth.year != 0).then_some(u64::from(birth.year));
    // 01/01 is the commonest day by convention: alone it is no key.
    let is_dated = birth.is_full() && !birth.is_default();
    let day_month = is_dated.then_some(u64::from(birth.day) << 8 | u64::from(birth.month));
    let date = day_month.zip(year).map(|(d, y)| mix(d, y));
    let (low, high) = (birth.day.min(birth.month), birth.day.max(birth.month));
    let unordered = date.map(|_| mix(u64::from(low) << 8 | u64::from(high), u64::from(birth.year)));
    let native = row.native_place().map(|place| u64::from(place.bits()));
    let residence = row.residence().map(|place| u64::from(place.bits()));
    let all: [Option<u64>; RULES] = [
        side.pin,
        side.cmnd,
        join(name, year),
        join(name, day_month),
        join(ends, unordered),
        join(given, date),
        join(name, father),
        join(name, mother),
        join(join(father, mother), given),
        join(join(father, mother), year),
        join(date, father),
        join(date, mother),
        join(name, native),
        join(name, residence),
        join(date, residence),
        join(date, native),
    ];
    let mut keys = Keys { present: 0, keys: [0; RULES] };
    for (rule, key) in all.into_iter().enumerate() {
        if let Some(key) = key {
            keys.present |= 1 << rule;
            keys.keys[rule] = number_key(key);
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
fn words(name: &NameView<'_>) -> Option<u64> {
    (name.len > 0).then(|| name.tokens().iter().fold(0, |sum: u64, token| sum.wrapping_add(token.dialect)))
}
