//! Learning the parameters from a register without labels, by expectation and maximisation.
//!
//! A field that made a block says nothing inside it, so that each rate is learnt where its field is free:
//! names, dates, sex and numbers among pairs of one father and mother (one person, or brothers and sisters),
//! parents and places among pairs of one name and date (one person, or strangers).

use std::collections::BTreeMap;

use crate::compare::{Side, compare};
use crate::index::Index;
use crate::keys::{family_key, person_key};
use crate::level::{BirthLevel, Field, Levels, NameLevel, ParentLevel};
use crate::params::{Params, Rates};
use crate::record::Record;

/// Larger blocks are of namesakes and teach nothing about families.
const BLOCK_LIMIT: usize = 24;
const ROUNDS: usize = 40;
/// Pairs the starting rates are worth, so that a level nobody has seen yet keeps a sane rate.
const PSEUDO_PAIRS: f64 = 20.0;
/// Fewer pairs than this teach nothing: the starting rates stay.
const LEAST_PAIRS: u64 = 200;

/// The learnt parameters and on how much they rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    pub params: Params,
    /// Pairs of one father and mother.
    pub family_pairs: u64,
    /// Share of them that are one person.
    pub family_matched: f64,
    /// Pairs of one name and date of birth.
    pub person_pairs: u64,
    pub person_matched: f64,
}

/// Learns from `records`, starting at `start`. Rates of levels that the blocks cannot show (strangers' rates,
/// parent against child, residence) and the prior stay as they are.
pub fn train(records: &[Record], start: &Params) -> Training {
    let index = Index::build_with(start.clone(), records);
    let mut params = start.clone();
    let families = family_pairs(&index);
    let family_pairs = families.values().sum();
    let mut family_matched = 0.0;
    if family_pairs >= LEAST_PAIRS {
        family_matched = learn_families(&families, &mut params);
    }
    let persons = person_pairs(&index);
    let person_pairs = persons.len() as u64;
    let mut person_matched = 0.0;
    if person_pairs >= LEAST_PAIRS {
        person_matched = learn_persons(&persons, &mut params);
    }
    Training { params, family_pairs, family_matched, person_pairs, person_matched }
}

/// Calls `visit` with every pair of rows of the same key, in a fixed order.
fn walk(index: &Index, key: impl Fn(&Side<'_>) -> Option<u64>, mut visit: impl FnMut(&Side<'_>, &Side<'_>)) {
    let sides = index.rows().iter().map(|row| Side::of_row(row, index.names()));
    let mut keyed: Vec<(u64, usize)> =
        sides.enumerate().filter_map(|(at, side)| Some((key(&side)?, at))).collect();
    keyed.sort_unstable();
    for block in keyed.chunk_by(|a, b| a.0 == b.0).filter(|block| block.len() <= BLOCK_LIMIT) {
        let side = |at: usize| Side::of_row(&index.rows()[at], index.names());
        for (i, x) in block.iter().enumerate() {
            for y in &block[i + 1..] {
                visit(&side(x.1), &side(y.1));
            }
        }
    }
}

/// Fields learnt among families: birth, name, sex, PIN, CMND.
const FAMILY_FIELDS: usize = 5;

fn family_pairs(index: &Index) -> BTreeMap<[u8; FAMILY_FIELDS], u64> {
    let mut counts = BTreeMap::new();
    walk(index, family_key, |a, b| {
        let levels = compare(a, b).levels;
        if levels.father == ParentLevel::Same && levels.mother == ParentLevel::Same {
            *counts.entry(family_vector(&levels)).or_default() += 1;
        }
    });
    counts
}

fn family_vector(levels: &Levels) -> [u8; FAMILY_FIELDS] {
    [levels.birth as u8, levels.name as u8, levels.sex as u8, levels.pin as u8, levels.cmnd as u8]
}

fn learn_families(counts: &BTreeMap<[u8; FAMILY_FIELDS], u64>, params: &mut Params) -> f64 {
    let start: [Vec<Rates>; FAMILY_FIELDS] = [
        params.birth.to_vec(),
        params.name.to_vec(),
        params.sex.to_vec(),
        params.pin.to_vec(),
        params.cmnd.to_vec(),
    ];
    let mut rates = start.clone();
    let mut share = 0.1;
    for _ in 0..ROUNDS {
        let mut seen = start.clone().map(|levels| {
            levels.into_iter().map(|r| (r.matched * PSEUDO_PAIRS, r.kin * PSEUDO_PAIRS)).collect::<Vec<_>>()
        });
        let (mut matched, mut all) = (1.0, 2.0);
        for (vector, &count) in counts {
            let at = |pick: fn(&Rates) -> f64| {
                vector
                    .iter()
                    .zip(&rates)
                    .fold(1.0, |product, (&l, field)| product * pick(&field[usize::from(l)]))
            };
            let (m, k) = (share * at(|r| r.matched), (1.0 - share) * at(|r| r.kin));
            let weight = count as f64 * m / (m + k).max(f64::MIN_POSITIVE);
            matched += weight;
            all += count as f64;
            for (&level, field) in vector.iter().zip(&mut seen) {
                field[usize::from(level)].0 += weight;
                field[usize::from(level)].1 += count as f64 - weight;
            }
        }
        share = matched / all;
        for (field, seen) in rates.iter_mut().zip(&seen) {
            normalise(field, seen);
        }
    }
    let [birth, name, sex, pin, cmnd] = rates;
    let shown_by_parents = [BirthLevel::Generation as usize, BirthLevel::Different as usize];
    adopt(&mut params.birth, &birth, &shown_by_parents);
    let shown_by_parents =
        [NameLevel::GivenOnly as usize, NameLevel::SurnameOnly as usize, NameLevel::Different as usize];
    adopt(&mut params.name, &name, &shown_by_parents);
    adopt(&mut params.sex, &sex, &[]);
    adopt(&mut params.pin, &pin, &[]);
    adopt(&mut params.cmnd, &cmnd, &[]);
    share
}

/// New rates from weighed counts; level 0 is "missing" and stays silent.
fn normalise(field: &mut [Rates], seen: &[(f64, f64)]) {
    let sum = |pick: fn(&(f64, f64)) -> f64| seen[1..].iter().map(pick).sum::<f64>();
    let (matched, kin) = (sum(|s| s.0), sum(|s| s.1));
    for (rates, (m, k)) in field.iter_mut().zip(seen).skip(1) {
        rates.matched = m / matched;
        rates.kin = k / kin;
    }
}

/// Takes over learnt rates. Kin are also parents and children, of which these blocks know nothing: the levels
/// that they show keep their kin rate, and brothers and sisters share what is left.
fn adopt(field: &mut [Rates], learnt: &[Rates], kept: &[usize]) {
    let is_kept = |at: &usize| kept.contains(at);
    let sum = |of: &[Rates]| (1..of.len()).filter(|at| !is_kept(at)).map(|at| of[at].kin).sum::<f64>();
    let scale = sum(field) / sum(learnt);
    for at in 1..field.len() {
        field[at].matched = learnt[at].matched;
        if !is_kept(&at) {
            field[at].kin = learnt[at].kin * scale;
        }
    }
}

/// A pair of one name and date: its vector and the strangers' rates of the four free fields together, which
/// depend on how common the values are.
struct PersonPair {
    levels: Levels,
    unrelated: f64,
}

const PERSON_FIELDS: [Field; 4] =
    [Field::Parents, Field::NativePlace, Field::BirthProvince, Field::Ethnicity];

fn person_pairs(index: &Index) -> Vec<PersonPair> {
    let model = index.model_by(&index.params);
    let mut pairs = Vec::new();
    walk(index, person_key, |a, b| {
        let comparison = compare(a, b);
        let unrelated = model
            .evidence(a, b, &comparison)
            .iter()
            .filter(|(field, ..)| PERSON_FIELDS.contains(field))
            .fold(1.0, |product, (_, _, rates)| product * rates.unrelated);
        pairs.push(PersonPair { levels: comparison.levels, unrelated });
    });
    pairs
}

fn learn_persons(pairs: &[PersonPair], params: &mut Params) -> f64 {
    let start = params.clone();
    let mut share = 0.3;
    for _ in 0..ROUNDS {
        let pseudo = |rates: &Rates| rates.matched * PSEUDO_PAIRS;
        let mut parents = start.parents.map(|row| row.map(|rates| pseudo(&rates)));
        let mut native = start.native_place.map(|rates| pseudo(&rates));
        let mut province = start.birth_province.map(|rates| pseudo(&rates));
        let mut ethnicity = start.ethnicity.map(|rates| pseudo(&rates));
        let mut matched = 1.0;
        for PersonPair { levels, unrelated } in pairs {
            let (father, mother) = (levels.father as usize, levels.mother as usize);
            let m = share
                * params.parents[father][mother].matched
                * params.native_place[levels.native_place as usize].matched
                * params.birth_province[levels.birth_province as usize].matched
                * params.ethnicity[levels.ethnicity as usize].matched;
            let weight = m / (m + (1.0 - share) * unrelated).max(f64::MIN_POSITIVE);
            matched += weight;
            parents[father][mother] += weight;
            native[levels.native_place as usize] += weight;
            province[levels.birth_province as usize] += weight;
            ethnicity[levels.ethnicity as usize] += weight;
        }
        share = matched / (pairs.len() as f64 + 2.0);
        take_parents(params, &parents);
        // Index 1 of places is the address, which a native place never has; it mirrors the commune.
        native[1] = 0.0;
        take(&mut params.native_place, &native, &[]);
        params.native_place[1].matched = params.native_place[2].matched;
        let implied = [2];
        take(&mut params.birth_province, &province, &implied);
        take(&mut params.ethnicity, &ethnicity, &implied);
    }
    share
}

fn take(field: &mut [Rates], seen: &[f64], silent: &[usize]) {
    let speaks = |at: &usize| !silent.contains(at);
    let sum: f64 = (1..seen.len()).filter(speaks).map(|at| seen[at]).sum();
    for at in (1..seen.len()).filter(speaks) {
        field[at].matched = seen[at] / sum;
    }
}

/// Rates sum to one within each pattern of who is named: both parents, only the father, only the mother.
fn take_parents(params: &mut Params, seen: &[[f64; ParentLevel::COUNT]; ParentLevel::COUNT]) {
    let named = 1..ParentLevel::COUNT;
    let both: f64 = seen[1..].iter().map(|row| row[1..].iter().sum::<f64>()).sum();
    let only_father: f64 = seen[1..].iter().map(|row| row[0]).sum();
    let only_mother: f64 = seen[0][1..].iter().sum();
    for father in named.clone() {
        params.parents[father][0].matched = seen[father][0] / only_father;
        params.parents[0][father].matched = seen[0][father] / only_mother;
        for mother in named.clone() {
            params.parents[father][mother].matched = seen[father][mother] / both;
        }
    }
}
