//! A record as the index keeps it: one cache line, no text.

use crate::birth::Birth;
use crate::hash;
use crate::names::{NO_NAME, Names, QueryName};
use crate::record::{Place, Record, Sex};
use crate::token::{analyse, words};

/// "Not known" in the official list of ethnic groups.
const ETHNICITY_UNKNOWN: u8 = 56;
/// The majority; term frequencies are kept apart for everyone else.
pub(crate) const KINH: u8 = 1;

/// What is compared apart from numbers: half a cache line, names and texts as numbers of tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub name: u32,
    pub father: u32,
    pub mother: u32,
    pub native_place: u32,
    pub residence: u32,
    /// Hash of the folded address line, 0 for none.
    pub address: u32,
    pub birth: Birth,
    pub birth_province: u16,
    pub ethnicity: u8,
    pub flags: u8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub id: u128,
    pin: u64,
    cmnd: u64,
    pub facts: Facts,
}

const _: () = assert!(size_of::<Row>() == 64, "a row is one cache line");
const _: () = assert!(size_of::<Facts>() == 32, "two records of a file share a cache line");

const NO_NUMBER: u64 = u64::MAX;
const MALE: u8 = 1;
const FEMALE: u8 = 2;
const REMOVED: u8 = 4;

impl Facts {
    fn without_names(record: &Record) -> Facts {
        Facts {
            name: NO_NAME,
            father: NO_NAME,
            mother: NO_NAME,
            native_place: record.native_place.map_or(0, Place::bits),
            residence: record.residence.map_or(0, Place::bits),
            address: record.address_line.as_deref().map_or(0, address_key),
            birth: Birth::new(record.birth_day, record.birth_month, record.birth_year),
            birth_province: record.birth_province.unwrap_or(0),
            ethnicity: record.ethnicity.filter(|&e| e != ETHNICITY_UNKNOWN).unwrap_or(0),
            flags: sex_flags(record.sex),
        }
    }

    pub(crate) fn native_place(&self) -> Option<Place> {
        Place::of_bits(self.native_place)
    }

    pub(crate) fn residence(&self) -> Option<Place> {
        Place::of_bits(self.residence)
    }

    pub(crate) fn birth_province(&self) -> Option<u16> {
        (self.birth_province != 0).then_some(self.birth_province)
    }

    pub(crate) fn sex(&self) -> Option<Sex> {
        match self.flags & (MALE | FEMALE) {
            MALE => Some(Sex::Male),
            FEMALE => Some(Sex::Female),
            _ => None,
        }
    }
}

pub(crate) fn sex_flags(sex: Option<Sex>) -> u8 {
    match sex {
        None => 0,
        Some(Sex::Male) => MALE,
        Some(Sex::Female) => FEMALE,
    }
}

impl Row {
    fn without_names(record: &Record) -> Row {
        let number = |n: Option<u64>| n.filter(|&n| n != 0).unwrap_or(NO_NUMBER);
        Row {
            id: record.id,
            pin: number(record.pin),
            cmnd: number(record.cmnd),
            facts: Facts::without_names(record),
        }
    }

    pub(crate) fn intern(record: &Record, names: &mut Names) -> Row {
        let mut row = Row::without_names(record);
        row.facts.name = names.intern(&record.full_name);
        row.facts.father = record.father_name.as_deref().map_or(NO_NAME, |name| names.intern(name));
        row.facts.mother = record.mother_name.as_deref().map_or(NO_NAME, |name| names.intern(name));
        row
    }

    pub(crate) fn pin(&self) -> Option<u64> {
        (self.pin != NO_NUMBER).then_some(self.pin)
    }

    pub(crate) fn cmnd(&self) -> Option<u64> {
        (self.cmnd != NO_NUMBER).then_some(self.cmnd)
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.facts.flags & REMOVED != 0
    }

    pub(crate) fn remove(&mut self) {
        self.facts.flags |= REMOVED;
    }
}

/// A record on its way through the comparison, with the names it brings along.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub row: Row,
    pub name: QueryName,
    pub father: QueryName,
    pub mother: QueryName,
}

impl Query {
    pub(crate) fn new(record: &Record, names: &Names) -> Query {
        Query {
            row: Row::without_names(record),
            name: names.query(&record.full_name),
            father: names.query(record.father_name.as_deref().unwrap_or_default()),
            mother: names.query(record.mother_name.as_deref().unwrap_or_default()),
        }
    }
}

pub(crate) fn address_key(line: &str) -> u32 {
    let key = words(line).fold(0, |state, word| hash::mix(state, folded_key(word)));
    if key == 0 { 0 } else { (key as u32).max(1) }
}

/// House numbers and the like need no normalisation beyond case.
fn folded_key(word: &str) -> u64 {
    let mut lower = [0u8; 16];
    match lower.get_mut(..word.len()) {
        Some(lower) if word.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            lower.copy_from_slice(word.as_bytes());
            lower.make_ascii_lowercase();
            hash::bytes(lower)
        }
        _ => analyse(word).folded,
    }
}
