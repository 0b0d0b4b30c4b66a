//! How common a value is in the register: agreement on a common value is weak evidence.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::hash::NumberHasher;
use crate::level::NameLevel;
use crate::name::NameView;
use crate::names::{NO_NAME, Names};
use crate::params::SURNAMES;
use crate::record::Place;
use crate::row::{Facts, KINH};
use crate::token::Token;

/// Everyone, and everyone but the majority group: names are far less varied inside a small group.
pub(crate) const STRATA: usize = 2;
const SURNAME: usize = 0;
const MIDDLE: usize = 1;
const GIVEN: usize = 2;

/// Observations the prior knowledge is worth; a young register leans on it, a full one hardly.
const PRIOR_PEOPLE: f64 = 300.0;
/// No name is taken for rarer than one person in ten million.
const RAREST: f64 = 1e-7;

#[derive(Clone, Debug)]
pub(crate) struct Statistics {
    people: u32,
    minority: u32,
    words: Vec<[[u32; 3]; STRATA]>,
    /// People per full name.
    names: Vec<u32>,
    native: HashMap<u32, u32, BuildHasherDefault<NumberHasher>>,
    residence: HashMap<u32, u32, BuildHasherDefault<NumberHasher>>,
    birth_province: HashMap<u16, u32, BuildHasherDefault<NumberHasher>>,
    ethnicity: [u32; 256],
    natives: u32,
    residents: u32,
    births: u32,
    ethnic: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct NameFrequency {
    pub surname: f64,
    pub middle: f64,
    pub given: f64,
    pub full: f64,
}

impl NameFrequency {
    /// The share of a population that agrees with the name to a level, by the parts that agree there.
    pub(crate) fn at(self, level: NameLevel) -> f64 {
        match level {
            NameLevel::Missing | NameLevel::Different => 1.0,
            NameLevel::MiddleMissing | NameLevel::MiddleDifferent => self.surname * self.given,
            NameLevel::TypoGiven | NameLevel::GivenDifferent => self.surname * self.middle,
            NameLevel::GivenOnly => self.given,
            NameLevel::SurnameOnly => self.surname,
            NameLevel::Exact
            | NameLevel::TonePlacement
            | NameLevel::DiacriticsLost
            | NameLevel::Diacritics
            | NameLevel::DiacriticsGiven
            | NameLevel::Dialect
            | NameLevel::DialectGiven
            | NameLevel::SurnameVariant
            | NameLevel::Order
            | NameLevel::Typo => self.full,
        }
    }

    /// The more common of two partly agreeing names, part by part: caution, and the same from both sides.
    pub(crate) fn max(self, other: NameFrequency) -> NameFrequency {
        NameFrequency {
            surname: self.surname.max(other.surname),
            middle: self.middle.max(other.middle),
            given: self.given.max(other.given),
            full: self.full.max(other.full),
        }
    }
}

impl Statistics {
    pub(crate) fn new() -> Statistics {
        Statistics {
            people: 0,
            minority: 0,
            words: Vec::new(),
            names: Vec::new(),
            native: HashMap::default(),
            residence: HashMap::default(),
            birth_province: HashMap::default(),
            ethnicity: [0; 256],
            natives: 0,
            residents: 0,
            births: 0,
            ethnic: 0,
        }
    }

    pub(crate) fn people(&self) -> u32 {
        self.people
    }

    pub(crate) fn add(&mut self, row: &Facts, names: &Names) {
        self.words.resize(names.classes(), [[0; 3]; STRATA]);
        self.names.resize(names.len(), 0);
        self.count(row, names, |n| *n += 1);
    }

    /// Takes back what `add` counted for the same row.
    pub(crate) fn take(&mut self, row: &Facts, names: &Names) {
        self.count(row, names, |n| *n -= 1);
    }

    fn count(&mut self, row: &Facts, names: &Names, step: impl Fn(&mut u32)) {
        step(&mut self.people);
        let minority = is_minority(row.ethnicity);
        if minority {
            step(&mut self.minority);
        }
        let name = names.view(row.name);
        if row.name != NO_NAME {
            step(&mut self.names[row.name as usize]);
        }
        for (at, token) in name.tokens().iter().enumerate() {
            let position = match at {
                at if at + 1 == name.len => GIVEN,
                0 => SURNAME,
                _ => MIDDLE,
            };
            let counts = &mut self.words[token.class as usize];
            step(&mut counts[0][position]);
            if minority {
                step(&mut counts[1][position]);
            }
        }
        for (place, map, total) in [
            (row.native_place(), &mut self.native, &mut self.natives),
            (row.residence(), &mut self.residence, &mut self.residents),
        ] {
            if let Some(place) = place {
                step(total);
                let (commune, district, province) =
                    (place.bits(), place.district_bits(), place.province_bits());
                step(map.entry(province).or_default());
                if district != province {
                    step(map.entry(district).or_default());
                }
                if commune != district {
                    step(map.entry(commune).or_default());
                }
            }
        }
        if let Some(province) = row.birth_province() {
            step(&mut self.births);
            step(self.birth_province.entry(province).or_default());
        }
        if row.ethnicity != 0 {
            step(&mut self.ethnic);
            step(&mut self.ethnicity[usize::from(row.ethnicity)]);
        }
    }

    pub(crate) fn name(&self, name: &NameView<'_>, stratum: usize) -> NameFrequency {
        let surname = name.surname().map_or(1.0, |token| {
            let prior = SURNAMES.iter().find(|(text, _)| text.as_bytes() == token.letters());
            let unlisted = if stratum == 0 { 0.003 } else { 0.05 };
            self.word(token, stratum, SURNAME, prior.map_or(unlisted, |&(_, share)| share))
        });
        let middle = name.middle().iter().fold(1.0, |product, token| {
            let prior = match token.letters() {
                b"van" => 0.18,
                b"thi" => 0.25,
                _ => 0.01,
            };
            product * self.word(token, stratum, MIDDLE, prior)
        });
        let given = name
            .given()
            .map_or(1.0, |token| self.word(token, stratum, GIVEN, if stratum == 0 { 0.01 } else { 0.02 }));
        // Words of a name are not independent: a name seen more often than its words suggest counts as seen.
        let seen = match name.id.and_then(|id| self.names.get(id as usize)) {
            Some(&count) if count > 2 => f64::from(count) / f64::from(self.people.max(1)),
            _ => 0.0,
        };
        NameFrequency { surname, middle, given, full: (surname * middle * given).max(seen).max(RAREST) }
    }

    /// Reads of each of these names what `name` will read, so that the waits for memory overlap.
    pub(crate) fn touch(&self, ids: impl Iterator<Item = u32>) -> u32 {
        ids.filter_map(|id| self.names.get(id as usize)).fold(0, |sum, &count| sum ^ count)
    }

    fn word(&self, token: &Token, stratum: usize, position: usize, prior: f64) -> f64 {
        let count = self.words.get(token.class as usize).map_or(0, |counts| counts[stratum][position]);
        smoothed(count, if stratum == 0 { self.people } else { self.minority }, prior)
    }

    pub(crate) fn native(&self, place: Place, key: u32) -> f64 {
        smoothed(self.native.get(&key).copied().unwrap_or(0), self.natives, place_prior(place, key))
    }

    pub(crate) fn residence(&self, place: Place, key: u32) -> f64 {
        smoothed(self.residence.get(&key).copied().unwrap_or(0), self.residents, place_prior(place, key))
    }

    pub(crate) fn birth_province(&self, province: u16) -> f64 {
        smoothed(self.birth_province.get(&province).copied().unwrap_or(0), self.births, 0.6)
    }

    pub(crate) fn ethnicity(&self, code: u8) -> f64 {
        let prior = if code == KINH { 0.85 } else { 0.01 };
        smoothed(self.ethnicity[usize::from(code)], self.ethnic, prior)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<[[u32; 3]; STRATA]>()
            + self.names.capacity() * 4
            + (self.native.capacity() + self.residence.capacity()) * 10
    }
}

pub(crate) fn is_minority(ethnicity: u8) -> bool {
    ethnicity != 0 && ethnicity != KINH
}

/// A province has some 170 communes in a dozen districts.
fn place_prior(place: Place, key: u32) -> f64 {
    match () {
        () if key == place.province_bits() => 0.6,
        () if key == place.district_bits() => 0.05,
        () => 0.004,
    }
}

fn smoothed(count: u32, of: u32, prior: f64) -> f64 {
    (f64::from(count) + PRIOR_PEOPLE * prior) / (f64::from(of) + PRIOR_PEOPLE)
}
