//! A register with ground truth, for measuring linkage: families of a region, and second records of some of
//! them.
//!
//! Unlike [`crate::population`], which makes the households of a place, this makes sibships: everybody in it
//! is on record, wherever they live by now, so that brothers, sisters and twins are the rule and not the
//! exception. No record has a number; what is left is the hard remainder of linkage.

mod damage;
mod family;

use rayon::prelude::*;

use crate::places::{self, Region};
use crate::stream::{Stream, Streams};
use domain::unit::UnitLevel;
use domain::{Sex, UnitCode};

pub use damage::Kind;

/// Families made at once; what a part holds does not depend on how many threads make parts.
const FAMILIES: u64 = 4096;
/// Records of a family on average, second records included, by the model's numbers.
const RECORDS_PER_FAMILY: f64 = 3.9;

/// What a register is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// About how many records.
    pub records: usize,
    pub seed: u64,
    /// Pairs of records of one person, over the records.
    pub duplicates: f64,
}

impl Plan {
    /// About one record in twenty-five is a second record of a person, as in the registers that we know.
    pub fn new(records: usize, seed: u64) -> Plan {
        Plan { records, seed, duplicates: 0.04 }
    }
}

/// One record as a clerk wrote it; empty where nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Number of the person, the same in every record of theirs.
    pub person: u64,
    /// What was done to the record; `None` for a person's first.
    pub kind: Option<Kind>,
    pub full_name: String,
    pub sex: Option<Sex>,
    pub birth_day: u8,
    pub birth_month: u8,
    pub birth_year: u16,
    pub ethnicity: u8,
    pub birth_province: String,
    pub hometown: String,
    pub residence: String,
    pub address_line: String,
    pub father_name: String,
    pub mother_name: String,
}

/// The region that the register is of.
struct World {
    communes: Vec<UnitCode>,
    /// Cumulative weights of the communes.
    upto: Vec<u32>,
}

impl World {
    /// Whole provinces spread from north to south, one for every 150,000 records.
    fn new(plan: &Plan, stream: &mut Stream) -> World {
        let units = places::units();
        let provinces: Vec<UnitCode> = units.level(UnitLevel::Province).map(|unit| unit.code).collect();
        let wanted = (plan.records / 150_000).clamp(2, provinces.len());
        let mut world = World { communes: Vec::new(), upto: Vec::new() };
        let mut sum = 0;
        for at in 0..wanted {
            let province =
                provinces[(at * provinces.len() + stream.below(3) as usize) / wanted % provinces.len()];
            for commune in units.leaves_of(province) {
                sum += 20 + stream.below(100);
                world.communes.push(commune);
                world.upto.push(sum);
            }
        }
        world
    }

    fn commune(&self, stream: &mut Stream) -> UnitCode {
        let at = stream.below(self.upto.last().copied().unwrap_or(0));
        self.communes[self.upto.partition_point(|&upto| upto <= at).min(self.communes.len() - 1)]
    }
}

/// A commune as a register names it: its code.
fn place(unit: UnitCode) -> String {
    unit.to_string()
}

fn region(unit: UnitCode) -> Region {
    Region::of(places::province_of(places::units(), unit))
}

/// Makes the register and gives it out in parts; the order of records tells nothing about who belongs
/// together.
///
/// Everything is held in memory until it has been shuffled: some 400 bytes a record.
pub fn generate(plan: &Plan, mut take: impl FnMut(Vec<Entry>)) {
    let world = World::new(plan, &mut Streams::new(plan.seed, b"register world").stream(0));
    let streams = Streams::new(plan.seed, b"register family");
    let families = (plan.records as f64 / RECORDS_PER_FAMILY).ceil() as u64;
    let parts: Vec<Vec<Entry>> = (0..families.div_ceil(FAMILIES))
        .into_par_iter()
        .map(|part| {
            let mut entries = Vec::new();
            for family in part * FAMILIES..((part + 1) * FAMILIES).min(families) {
                family::records(plan, &world, family, &mut streams.stream(family), &mut entries);
            }
            entries
        })
        .collect();
    // A record's bucket and its place in it are drawn: a shuffle that needs no second copy of everything.
    let mut shuffle = Streams::new(plan.seed, b"register order").stream(0);
    let buckets = (plan.records / 50_000).max(1);
    let mut drawn: Vec<Vec<Entry>> = (0..buckets).map(|_| Vec::new()).collect();
    for entry in parts.into_iter().flatten() {
        drawn[shuffle.below(buckets as u32) as usize].push(entry);
    }
    for mut bucket in drawn {
        for at in (1..bucket.len()).rev() {
            bucket.swap(at, shuffle.below(at as u32 + 1) as usize);
        }
        take(bucket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn register(records: usize, seed: u64) -> Vec<Entry> {
        let mut all = Vec::new();
        generate(&Plan::new(records, seed), |part| all.extend(part));
        all
    }

    #[test]
    fn the_same_seed_gives_the_same_register_with_the_planned_pairs() {
        let all = register(30_000, 7);
        assert_eq!(all, register(30_000, 7));
        assert_ne!(all[..50], register(30_000, 8)[..50]);
        assert!((27_000..33_000).contains(&all.len()), "{}", all.len());
        let mut records: HashMap<u64, usize> = HashMap::new();
        all.iter().for_each(|entry| *records.entry(entry.person).or_default() += 1);
        let pairs: usize = records.values().map(|n| n * (n - 1) / 2).sum();
        let share = pairs as f64 / all.len() as f64;
        assert!((0.035..0.045).contains(&share), "{share}");
        let aliases = all.iter().filter(|entry| entry.kind == Some(Kind::Alias)).count();
        let seconds = all.iter().filter(|entry| entry.kind.is_some()).count();
        assert!((0.04..0.08).contains(&(aliases as f64 / seconds as f64)));
    }

    #[test]
    fn brothers_and_sisters_and_twins_are_there() {
        let all = register(30_000, 7);
        let mut sibships: HashMap<(&str, &str), Vec<&Entry>> = HashMap::new();
        for entry in all.iter().filter(|entry| entry.kind.is_none() && !entry.father_name.is_empty()) {
            sibships.entry((&entry.father_name, &entry.mother_name)).or_default().push(entry);
        }
        let with_sibling: usize = sibships.values().map(Vec::len).filter(|&size| size > 1).sum();
        assert!(with_sibling * 3 > all.len(), "{with_sibling} of {}", all.len());
        let date = |entry: &Entry| (entry.birth_day, entry.birth_month, entry.birth_year);
        let twins = sibships.values().filter(|ship| {
            ship.iter()
                .enumerate()
                .any(|(at, x)| ship[at + 1..].iter().any(|y| date(x) == date(y) && x.birth_day > 1))
        });
        assert!(twins.count() > 40);
    }
}
