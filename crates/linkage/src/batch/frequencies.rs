//! How common values are in a file, among those with whom a record already agrees.
//!
//! Names depend on ethnic group, place, sex and generation, and strangers who agree in these agree in the
//! name more often than the country does. Every share is therefore taken in the narrowest stratum that two
//! records have in common, and each stratum leans on the next wider one where it holds few people.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::hash::{Counts, mix};
use crate::name::NameView;
use crate::names::{NO_NAME, Names};
use crate::record::Place;
use crate::row::Facts;
use crate::statistics::NameFrequency;
use crate::token::Token;

static SERIAL: AtomicUsize = AtomicUsize::new(0);

/// Records whose words are counted; of a larger file every n-th, as shares need no more.
const COUNTED: usize = 300_000;
/// People that the wider stratum is worth inside a narrower one.
const LEAN: f64 = 40.0;
/// No word or value is taken for rarer than this.
const RAREST: f64 = 1e-6;

const RAREST_NAME: f64 = 1e-9;

const SURNAME: u64 = 0;
const MIDDLE: u64 = 1;
const GIVEN: u64 = 2;

#[derive(Clone, Debug, Default)]
pub(crate) struct Frequencies {
    names: [Column; 3],
    native: Table,
    residence: Table,
    birth_province: Table,
    ethnicity: Table,
    dates: Table,
    same_sex: f64,
    /// Tells apart registers whose shares a thread remembers.
    serial: usize,
    /// How much of a record is in the counts by words: one over the step of counting.
    counted: f64,
}

/// Counts of words by stratum, and of whole names.
#[derive(Clone, Debug, Default)]
struct Column {
    words: Table,
    whole: Vec<u32>,
    people: f64,
}

/// Counts of values within strata, and the strata's sizes.
#[derive(Clone, Debug, Default)]
struct Table {
    counts: Counts,
    totals: Counts,
}

impl Table {
    fn add(&mut self, stratum: u64, value: u64) {
        self.totals.add(mix(stratum, 0));
        self.counts.add(mix(stratum, value));
    }

    /// The share of `value` in `stratum`, leaning on `wider`; `own` is what the asking record itself counts
    /// there.
    fn share(&self, stratum: u64, value: u64, own: f64, wider: f64) -> f64 {
        let total = (f64::from(self.totals.of(mix(stratum, 0))) - own).max(0.0);
        let count = (f64::from(self.counts.of(mix(stratum, value))) - own).max(0.0);
        ((count + LEAN * wider) / (total + LEAN)).max(RAREST)
    }
}

/// What two records have in common when a name is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common {
    ethnicity: u8,
    /// Bits of the commune and of the province of the native place; 0 where they differ.
    commune: u32,
    province: u32,
    sex: u8,
    /// Decade of birth, 0 where it differs.
    decade: u16,
    /// Hashes that stand for the strata of surnames and of other words.
    surname_key: u64,
    word_key: u64,
}

impl Common {
    pub(crate) fn of(a: &Facts, b: &Facts) -> Common {
        let same = |x: u32, y: u32| if x == y { x } else { 0 };
        let province = |facts: &Facts| facts.native_place().map_or(0, Place::province_bits);
        let ethnicity = if a.ethnicity == b.ethnicity { a.ethnicity } else { 0 };
        let (commune, province) = (same(a.native_place, b.native_place), same(province(a), province(b)));
        let sex = if a.sex() == b.sex() { a.flags & 3 } else { 0 };
        let decade = same(decade(a).into(), decade(b).into()) as u16;
        let person = u64::from(ethnicity) << 32 | u64::from(sex) << 16 | u64::from(decade);
        Common {
            ethnicity,
            commune,
            province,
            sex,
            decade,
            surname_key: mix(mix(u64::from(commune) << 32 | u64::from(province), 1), ethnicity.into()),
            // Only a minority's given names depend on the province.
            word_key: mix(mix(person, 2), if ethnicity > 1 { province.into() } else { 0 }),
        }
    }

    /// A hash that stands for the word in this column and these strata.
    fn key(&self, column: usize, position: u64, class: u32) -> u64 {
        let strata = if position == SURNAME { self.surname_key } else { self.word_key };
        mix(strata, u64::from(class) << 32 | (column as u64) << 2 | position) | 1
    }

    pub(crate) fn same_sex(&self) -> bool {
        self.sex != 0
    }
}

fn decade(facts: &Facts) -> u16 {
    facts.birth.year / 10
}

/// Keys of the strata, from wide to narrow; a stratum whose value is unknown is left out.
fn stratum(position: u64, kind: u64, value: u64) -> u64 {
    mix(mix(position << 8 | kind, 1), value)
}

fn surname_strata(common: &Common) -> impl Iterator<Item = u64> {
    let ethnicity = u64::from(common.ethnicity);
    let (province, commune) = (u64::from(common.province), u64::from(common.commune));
    [
        Some(stratum(SURNAME, 0, 0)),
        (ethnicity != 0).then(|| stratum(SURNAME, 1, ethnicity)),
        (ethnicity != 0 && province != 0).then(|| stratum(SURNAME, 2, ethnicity << 32 | province)),
        (ethnicity != 0 && commune != 0).then(|| stratum(SURNAME, 3, ethnicity << 32 | commune)),
    ]
    .into_iter()
    .flatten()
}

fn word_strata(position: u64, common: &Common) -> impl Iterator<Item = u64> {
    let ethnicity = u64::from(common.ethnicity);
    let (sex, decade) = (u64::from(common.sex), u64::from(common.decade));
    let province = u64::from(common.province);
    [
        Some(stratum(position, 0, 0)),
        (ethnicity != 0).then(|| stratum(position, 1, ethnicity)),
        (sex != 0).then(|| stratum(position, 2, ethnicity << 8 | sex)),
        // Kinh are too many everywhere for their given names to depend on the province; a minority's do.
        (sex != 0 && ethnicity > 1 && province != 0)
            .then(|| stratum(position, 3, province << 16 | ethnicity << 8 | sex)),
        (sex != 0 && decade != 0).then(|| stratum(position, 4, decade << 16 | ethnicity << 8 | sex)),
    ]
    .into_iter()
    .flatten()
}

fn parts<'a>(name: &'a NameView<'_>) -> impl Iterator<Item = (u64, &'a Token)> {
    name.tokens().iter().enumerate().map(|(at, token)| {
        let position = match at {
            at if at + 1 == name.len => GIVEN,
            0 => SURNAME,
            _ => MIDDLE,
        };
        (position, *token)
    })
}

/// The last shares that a thread has worked out: a share takes a dozen look-ups, and the same words come
/// again and again.
struct Memo {
    slots: Vec<(u64, f64)>,
}

const MEMO_SLOTS: usize = 1 << 18;

thread_local! {
    static MEMO: std::cell::RefCell<Memo> = const { std::cell::RefCell::new(Memo { slots: Vec::new() }) };
}

impl Memo {
    fn get(&mut self, key: u64, compute: impl FnOnce() -> f64) -> f64 {
        if self.slots.is_empty() {
            self.slots = vec![(0, 0.0); MEMO_SLOTS];
        }
        let slot = &mut self.slots[key as usize % MEMO_SLOTS];
        if slot.0 != key {
            *slot = (key, compute());
        }
        slot.1
    }
}

impl Column {
    fn new(facts: &[Facts], names: &Names, step: usize, pick: impl Fn(&Facts) -> u32) -> Column {
        let mut column = Column { whole: vec![0; names.len()], ..Column::default() };
        for (at, facts) in facts.iter().enumerate() {
            let id = pick(facts);
            if id == NO_NAME {
                continue;
            }
            column.people += 1.0;
            column.whole[id as usize] += 1;
            if at % step == 0 {
                let common = Common::of(facts, facts);
                for (position, token) in parts(&names.view(id)) {
                    let value = u64::from(token.class);
                    if position == SURNAME {
                        surname_strata(&common).for_each(|stratum| column.words.add(stratum, value));
                    } else {
                        word_strata(position, &common).for_each(|stratum| column.words.add(stratum, value));
                    }
                }
            }
        }
        column
    }

    /// The share of a word in the narrowest stratum of `common`.
    fn word(&self, column: usize, position: u64, token: &Token, common: &Common, own: f64) -> f64 {
        let key = common.key(column, position, token.class);
        MEMO.with_borrow_mut(|memo| memo.get(key, || self.count_word(position, token, common, own)))
    }

    fn count_word(&self, position: u64, token: &Token, common: &Common, own: f64) -> f64 {
        let lean = |wider, stratum| self.words.share(stratum, u64::from(token.class), own, wider);
        if position == SURNAME {
            surname_strata(common).fold(0.001, lean)
        } else {
            word_strata(position, common).fold(0.002, lean)
        }
    }
}

impl Frequencies {
    pub(crate) fn new(facts: &[Facts], names: &[Names; 3]) -> Frequencies {
        let step = facts.len() / COUNTED + 1;
        let [own, father, mother] = names;
        let ((own, father), (mother, mut others)) = rayon::join(
            || {
                rayon::join(
                    || Column::new(facts, own, step, |facts| facts.name),
                    || Column::new(facts, father, step, |facts| facts.father),
                )
            },
            || {
                rayon::join(
                    || Column::new(facts, mother, step, |facts| facts.mother),
                    || Frequencies::of_facts(facts, step),
                )
            },
        );
        others.names = [own, father, mother];
        others
    }

    fn of_facts(facts: &[Facts], step: usize) -> Frequencies {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut frequencies = Frequencies { serial, counted: 1.0 / step as f64, ..Frequencies::default() };
        let mut sexes = [0.0f64; 4];
        for facts in facts.iter().step_by(step) {
            frequencies.count(facts);
            sexes[usize::from(facts.flags & 3)] += 1.0;
        }
        let known = (sexes[1] + sexes[2]).max(1.0);
        frequencies.same_sex = (sexes[1].powi(2) + sexes[2].powi(2) + 1.0) / (known.powi(2) + 2.0);
        frequencies
    }

    fn count(&mut self, facts: &Facts) {
        for (place, table) in
            [(facts.native_place(), &mut self.native), (facts.residence(), &mut self.residence)]
        {
            if let Some(place) = place {
                for (level, bits) in place_levels(place).into_iter().enumerate() {
                    table.add(level as u64, bits.into());
                }
            }
        }
        if facts.birth_province != 0 {
            self.birth_province.add(0, facts.birth_province.into());
        }
        if facts.ethnicity != 0 {
            for stratum in ethnicity_strata(&Common::of(facts, facts)) {
                self.ethnicity.add(stratum, facts.ethnicity.into());
            }
        }
        if facts.birth.is_full() {
            self.dates.add(0, date_value(facts));
            self.dates.add(1, facts.birth.year.into());
        }
    }

    /// Shares of a name in `column`; the surname counts as one where it follows from what was compared
    /// before.
    pub(crate) fn name(&self, column: usize, name: &NameView<'_>, common: &Common) -> NameFrequency {
        let number = column;
        let column = &self.names[column];
        let mut shares = NameFrequency { surname: 1.0, middle: 1.0, given: 1.0, full: 1.0 };
        for (position, token) in parts(name) {
            let share = column.word(self.serial << 2 | number, position, token, common, self.counted);
            match position {
                SURNAME => shares.surname = share,
                MIDDLE => shares.middle *= share,
                _ => shares.given = share,
            }
        }
        // Words of a name are not independent: a name seen more often than its words suggest counts as seen.
        // Two bearers may be the pair itself.
        let bearers =
            name.id.and_then(|id| column.whole.get(id as usize)).map_or(0.0, |&n| f64::from(n) - 2.0);
        let same_sex = if common.same_sex() { 1.0 / self.same_sex } else { 1.0 };
        let seen = bearers.max(0.0) * same_sex / column.people.max(1.0);
        shares.full = (shares.surname * shares.middle * shares.given).max(seen).clamp(RAREST_NAME, 1.0);
        shares
    }

    /// The share of people of the same commune (0), district (1) or province (2) of origin.
    pub(crate) fn native(&self, place: Place, level: usize) -> f64 {
        self.native.share(level as u64, place_levels(place)[level].into(), self.counted, 0.001)
    }

    pub(crate) fn residence(&self, place: Place, level: usize) -> f64 {
        self.residence.share(level as u64, place_levels(place)[level].into(), self.counted, 0.001)
    }

    pub(crate) fn birth_province(&self, province: u16) -> f64 {
        self.birth_province.share(0, province.into(), self.counted, 0.01)
    }

    pub(crate) fn ethnicity(&self, ethnicity: u8, common: &Common) -> f64 {
        let lean = |wider, stratum| self.ethnicity.share(stratum, ethnicity.into(), self.counted, wider);
        ethnicity_strata(common).fold(0.01, lean)
    }

    /// The share of people born on this very day; forms heap on some days.
    pub(crate) fn date(&self, facts: &Facts) -> f64 {
        let year = self.dates.share(1, facts.birth.year.into(), self.counted, 0.01);
        self.dates.share(0, date_value(facts), self.counted, year / 365.0)
    }
}

fn place_levels(place: Place) -> [u32; 3] {
    [place.bits(), place.district_bits(), place.province_bits()]
}

fn date_value(facts: &Facts) -> u64 {
    let birth = facts.birth;
    u64::from(birth.year) << 16 | u64::from(birth.month) << 8 | u64::from(birth.day)
}

fn ethnicity_strata(common: &Common) -> impl Iterator<Item = u64> {
    [
        Some(stratum(3, 0, 0)),
        (common.province != 0).then(|| stratum(3, 1, common.province.into())),
        (common.commune != 0).then(|| stratum(3, 2, common.commune.into())),
    ]
    .into_iter()
    .flatten()
}
