//! Learning the rates from a file without labels, by expectation and maximisation.
//!
//! The union of the blocking rules holds nearly every true pair, so that matches may be learnt from all
//! candidates; strangers' rates follow from frequencies, and kin are learnt where they are complete: among
//! pairs of one father and mother.

use rayon::prelude::*;

use crate::batch::PAIRS_PER_TASK;
use crate::batch::candidates::{families, rows};
use crate::batch::evidence::shares;
use crate::batch::register::Register;
use crate::batch::trained::{
    BIRTH, BIRTH_PROVINCE, ClassRates, ETHNICITY, FAMILY, FIELDS, GROUPS, NAME, NATIVES, SEX, Trained,
    family_level, group, is_silent, vector, weight,
};
use crate::compare::{Side, compare};
use crate::hash;
use crate::level::{BirthLevel, ParentLevel};
use crate::model::probability;

/// Pairs looked at in each round; of more, every n-th.
const SAMPLE: usize = 200_000;
/// Records of whose families kin are learnt.
const FAMILY_RECORDS: u64 = 80_000;
const ROUNDS: usize = 30;
/// Pairs the starting rates are worth, so that a level nobody has seen yet keeps a sane rate.
const PSEUDO_PAIRS: f64 = 20.0;
/// Fewer candidates than this teach nothing: the starting rates stay. So do those of kin where there are
/// fewer pairs of one family, as in a file without parents: twins live there all the same.
const LEAST_PAIRS: usize = 500;
/// Pairs of strangers drawn for the rates that no frequency gives.
const STRANGERS: u64 = 120_000;

struct Pair {
    vector: [u8; 8],
    shares: f64,
}

/// Learns from the candidates of blocking, ascending, and from the pairs of some families.
pub(crate) fn learn(register: &Register, candidates: &[u64], start: &Trained) -> Trained {
    let mut trained = start.clone();
    learn_strangers(register, &mut trained);
    if candidates.len() < LEAST_PAIRS {
        return trained;
    }
    let family_step = (register.len() as u64 / FAMILY_RECORDS).max(1);
    let families = families(register, family_step);
    let (some, step) = sample(register, &trained, candidates);
    let (kin, kin_step) = sample(register, &trained, &families);
    let kin_step = kin_step * family_step as f64;
    let start = trained.clone();
    let records = register.len() as f64;
    for _ in 0..ROUNDS {
        let prior = trained.prior(records, register.pairs_in_question());
        let seen = expect(&trained, prior, &some);
        let among_kin = expect(&trained, prior, &kin);
        take_matches(&mut trained, &start, &seen);
        if families.len() >= LEAST_PAIRS {
            take_kin(&mut trained, &start, &among_kin);
            let siblings = [1, 2, 3].map(|native| trained.tables[FAMILY][family_level(1, 1, native)].kin);
            let share = siblings.iter().sum::<f64>().max(0.05);
            let per_record =
                |class: usize| ((among_kin.totals[class] + 1.0) * kin_step / share / records).max(1e-6);
            (trained.kin_per_record, trained.twins_per_record) = (per_record(2), per_record(3));
        }
        let [clean, damaged, ..] = seen.totals;
        trained.matches_per_record = ((clean + damaged + 1.0) * step / records).max(1e-6);
        trained.damaged_share = ((damaged + 1.0) / (clean + damaged + 4.0)).clamp(0.02, 0.6);
    }
    trained
}

/// Every n-th pair with its vector, and n.
fn sample(register: &Register, trained: &Trained, pairs: &[u64]) -> (Vec<Pair>, f64) {
    let step = pairs.len() / SAMPLE + 1;
    let picked: Vec<(u32, u32)> = pairs.iter().step_by(step).map(|&pair| rows(pair)).collect();
    let look = |a: &Side<'_>, b: &Side<'_>| {
        let comparison = compare(a, b);
        let shares = shares(&register.frequencies, trained, a, b, &comparison).product();
        Pair { vector: vector(&comparison.levels), shares }
    };
    let mut looked: Vec<Pair> =
        picked.par_chunks(PAIRS_PER_TASK).flat_map_iter(|pairs| register.each(pairs, look)).collect();
    // Strangers beyond doubt would be looked at in every round and teach nothing.
    let prior = trained.prior(register.len() as f64, register.pairs_in_question());
    looked.retain(|pair| {
        let joint = joint(trained, prior, pair);
        joint.clean + joint.damaged + joint.kin + joint.twin > joint.unrelated * 1e-4
    });
    (looked, step as f64)
}

/// Posterior counts: of each level of each field, and of the classes.
#[derive(Clone)]
struct Seen {
    levels: [Vec<[f64; 4]>; FIELDS],
    totals: [f64; 4],
}

/// Chunks are of fixed size and added in order, so that the sums do not depend on threads.
fn expect(trained: &Trained, prior: ClassRates, pairs: &[Pair]) -> Seen {
    let empty = Seen {
        levels: std::array::from_fn(|field| vec![[0.0; 4]; trained.tables[field].len()]),
        totals: [0.0; 4],
    };
    let parts: Vec<Seen> = pairs
        .par_chunks(8192)
        .map(|chunk| {
            let mut seen = empty.clone();
            for pair in chunk {
                let joint = joint(trained, prior, pair);
                let sum = joint.clean + joint.damaged + joint.kin + joint.twin + joint.unrelated;
                if sum <= 0.0 {
                    continue;
                }
                let posterior = [joint.clean, joint.damaged, joint.kin, joint.twin].map(|class| class / sum);
                if posterior.iter().all(|p| *p < 1e-6) {
                    continue;
                }
                for (levels, &level) in seen.levels.iter_mut().zip(&pair.vector) {
                    let slot = &mut levels[usize::from(level)];
                    slot.iter_mut().zip(posterior).for_each(|(sum, p)| *sum += p);
                }
                seen.totals.iter_mut().zip(posterior).for_each(|(sum, p)| *sum += p);
            }
            seen
        })
        .collect();
    parts.into_iter().fold(empty, |mut all, part| {
        for (all, part) in all.levels.iter_mut().flatten().zip(part.levels.iter().flatten()) {
            all.iter_mut().zip(part).for_each(|(all, part)| *all += part);
        }
        all.totals.iter_mut().zip(part.totals).for_each(|(all, part)| *all += part);
        all
    })
}

fn joint(trained: &Trained, prior: ClassRates, pair: &Pair) -> ClassRates {
    let rates = prior.times(trained.rates(&pair.vector));
    ClassRates { unrelated: rates.unrelated * pair.shares, ..rates }
}

fn take_matches(trained: &mut Trained, start: &Trained, seen: &Seen) {
    for field in 0..FIELDS {
        let table = &mut trained.tables[field];
        let mut sums = [(0.0, 0.0); GROUPS];
        for (level, rates) in table.iter_mut().enumerate().filter(|(level, _)| !is_silent(field, *level)) {
            let [clean, damaged, ..] = seen.levels[field][level];
            let before = start.tables[field][level];
            rates.clean = clean + PSEUDO_PAIRS * before.clean;
            rates.damaged = damaged + PSEUDO_PAIRS * before.damaged;
            let sum = &mut sums[group(field, level)];
            *sum = (sum.0 + rates.clean, sum.1 + rates.damaged);
        }
        for (level, rates) in table.iter_mut().enumerate().filter(|(level, _)| !is_silent(field, *level)) {
            let (clean, damaged) = sums[group(field, level)];
            (rates.clean, rates.damaged) = (rates.clean / clean, rates.damaged / damaged);
        }
    }
}

/// Kin are brothers and sisters, and their parents' names are written twice as one person's would be: the
/// family's rates stay as they began, but for what the native places of siblings do.
fn take_kin(trained: &mut Trained, start: &Trained, seen: &Seen) {
    for field in [BIRTH_PROVINCE, ETHNICITY, BIRTH, NAME, SEX] {
        let levels: Vec<usize> =
            (0..trained.tables[field].len()).filter(|level| !is_silent(field, *level)).collect();
        share_out(trained, start, seen, field, &levels);
        if field == SEX {
            continue;
        }
        let twin =
            |level: usize| seen.levels[field][level][3] + PSEUDO_PAIRS * start.tables[field][level].twin;
        let sum: f64 = levels.iter().map(|&level| twin(level)).sum();
        for &level in &levels {
            trained.tables[field][level].twin = twin(level) / sum;
        }
    }
    // The day on which twins were born is written twice as one person's is.
    for rates in &mut trained.tables[BIRTH] {
        rates.twin = rates.clean;
    }
    let same = ParentLevel::Same as usize;
    let siblings: Vec<usize> = (1..NATIVES).map(|native| family_level(same, same, native)).collect();
    share_out(trained, start, seen, FAMILY, &siblings);
}

/// Divides what the starting kin rates give to these levels by what was seen.
fn share_out(trained: &mut Trained, start: &Trained, seen: &Seen, field: usize, levels: &[usize]) {
    let whole: f64 = levels.iter().map(|&level| start.tables[field][level].kin).sum();
    let count = |level: usize| {
        seen.levels[field][level][2] + PSEUDO_PAIRS * start.tables[field][level].kin / whole.max(1e-9)
    };
    let sum: f64 = levels.iter().map(|&level| count(level)).sum();
    for &level in levels {
        trained.tables[field][level].kin = whole * count(level) / sum;
        if field == FAMILY {
            trained.tables[field][level].twin = trained.tables[field][level].kin;
        }
    }
}

/// Strangers' rates of dates, native places, provinces, groups and sexes that no frequency gives, from pairs
/// drawn at fixed distances: the same pairs in every run.
fn learn_strangers(register: &Register, trained: &mut Trained) {
    let rows = register.len() as u64;
    if rows < 1000 {
        return;
    }
    // None of these rates is of names.
    let look = |(a, b): (u64, u64)| {
        let (a, b) = (register.nameless_side(a as u32), register.nameless_side(b as u32));
        vector(&compare(&a, &b).levels)
    };
    let drawn = |at: u64| (hash::mix(at, 11) % rows, hash::mix(at, 12) % rows);
    let pairs: Vec<[u8; 8]> =
        (0..STRANGERS).into_par_iter().map(drawn).filter(|(a, b)| a != b).map(look).collect();
    for (field, by_share) in [
        (BIRTH, &[BirthLevel::Exact as usize, BirthLevel::ExactDefault as usize][..]),
        (BIRTH_PROVINCE, &[1]),
        (ETHNICITY, &[1]),
        (SEX, &[]),
        (FAMILY, &[]),
    ] {
        let mut counts = vec![0.0; trained.tables[field].len()];
        pairs.iter().for_each(|vector| counts[usize::from(vector[field])] += 1.0);
        if field == FAMILY {
            take_native(trained, &counts);
            continue;
        }
        let known: f64 = (0..counts.len()).filter(|&l| !is_silent(field, l)).map(|l| counts[l]).sum();
        for (level, rates) in trained.tables[field].iter_mut().enumerate() {
            if !is_silent(field, level) && !by_share.contains(&level) {
                rates.unrelated = (counts[level] + PSEUDO_PAIRS * rates.unrelated) / (known + PSEUDO_PAIRS);
            }
        }
    }
}

/// How often strangers come from different places.
fn take_native(trained: &mut Trained, counts: &[f64]) {
    let of = |native: usize| counts.iter().skip(native).step_by(NATIVES).sum::<f64>();
    let known = of(1) + of(2) + of(3);
    let different = (of(3) + PSEUDO_PAIRS) / (known + PSEUDO_PAIRS);
    for rates in trained.tables[FAMILY].iter_mut().skip(3).step_by(NATIVES) {
        rates.unrelated = different;
    }
}

/// The weight of a pair as a file's results state it; `None` where it is less likely than `least` whatever
/// the frequencies are.
pub(crate) fn pair_weight(
    register: &Register,
    trained: &Trained,
    prior: ClassRates,
    least: f64,
    a: &Side<'_>,
    b: &Side<'_>,
) -> Option<f64> {
    let comparison = compare(a, b);
    let rates = prior.times(trained.rates(&vector(&comparison.levels)));
    // Frequencies only speak against strangers, so that kin alone may rule a pair out.
    if probability(weight(ClassRates { unrelated: 0.0, ..rates })) < least {
        return None;
    }
    let shares = shares(&register.frequencies, trained, a, b, &comparison).product();
    Some(weight(ClassRates { unrelated: rates.unrelated * shares, ..rates }))
}
