//! Pairs that share a blocking key.

use rayon::prelude::*;

use crate::batch::look::Look;
use crate::batch::register::Register;
use crate::batch::scatter::{Blocks, Scattered};
use crate::index::BLOCK_LIMIT_DEDUPE;
use crate::keys::FILE_RULES;

/// Larger blocks are of namesakes and teach nothing about families.
const FAMILY_LIMIT: usize = 24;

/// Two rows in one number, the smaller first, so that sorted pairs walk the register.
pub(crate) fn pair(a: u32, b: u32) -> u64 {
    u64::from(a.min(b)) << 32 | u64::from(a.max(b))
}

pub(crate) fn rows(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}

/// Brings together the records that share a key of this rule: a function of its own for each, so that it
/// reads only what the rule is made of.
fn fill<const RULE: usize>(looks: &[Look], scattered: &mut Scattered) {
    scattered.fill(looks.iter().map(|look| look.parts().key(RULE)));
}

/// The first rules are of numbers, which a file does not have.
#[rustfmt::skip]
const RULES: [fn(&[Look], &mut Scattered); FILE_RULES - 2] = [
    fill::<2>, fill::<3>, fill::<4>, fill::<5>, fill::<6>, fill::<7>, fill::<8>, fill::<9>,
    fill::<10>, fill::<11>, fill::<12>, fill::<13>, fill::<14>, fill::<15>, fill::<16>, fill::<17>,
    fill::<18>, fill::<19>, fill::<20>, fill::<21>, fill::<22>, fill::<23>, fill::<24>, fill::<25>,
];

/// All pairs to be weighed, ascending, each once. A block over the limit is left out under its rule.
pub(crate) fn candidates(register: &Register) -> Vec<u64> {
    let by_rule: Vec<Vec<u64>> = RULES
        .par_iter()
        .map_init(Scattered::default, |scattered, fill| {
            fill(&register.looks, scattered);
            let mut pairs = Vec::new();
            scattered.blocks(BLOCK_LIMIT_DEDUPE, &mut |blocks| plausible_pairs(register, blocks, &mut pairs));
            pairs
        })
        .collect();
    let mut pairs = Vec::with_capacity(by_rule.iter().map(Vec::len).sum());
    for rule in by_rule {
        pairs.extend(rule);
    }
    pairs.par_sort_unstable();
    pairs.dedup();
    pairs
}

/// All pairs of one father and mother in one of `step` families, ascending.
pub(crate) fn families(register: &Register, step: u64) -> Vec<u64> {
    let mut scattered = Scattered::default();
    scattered.fill(register.looks.iter().map(|look| look.family_key(step)));
    let mut pairs = Vec::new();
    scattered.blocks(FAMILY_LIMIT, &mut |blocks| {
        for block in blocks.iter() {
            for (at, &a) in block.iter().enumerate() {
                let others = block[at + 1..].iter().filter(|&&b| is_between(register.second, a, b));
                pairs.extend(others.map(|&b| pair(a, b)));
            }
        }
    });
    pairs.par_sort_unstable();
    pairs
}

/// Adds the pairs inside each block that are worth a comparison.
fn plausible_pairs(register: &Register, blocks: &mut Blocks, pairs: &mut Vec<u64>) {
    // Fetched together before they are compared, so that the waits for memory overlap.
    let mut looks = std::mem::take(&mut blocks.looks);
    looks.clear();
    looks.extend(blocks.rows.iter().map(|&row| register.looks[row as usize]));
    let mut start = 0;
    for block in blocks.iter() {
        let looks = &looks[start..start + block.len()];
        for (at, (&a, x)) in block.iter().zip(looks).enumerate() {
            let x = x.ask();
            for (&b, y) in block[at + 1..].iter().zip(&looks[at + 1..]) {
                if x.is_plausible(y) && is_between(register.second, a, b) {
                    pairs.push(pair(a, b));
                }
            }
        }
        start += block.len();
    }
    blocks.looks = looks;
}

/// Of two files, whether the rows are of different ones.
fn is_between(second: Option<usize>, a: u32, b: u32) -> bool {
    second.is_none_or(|second| ((a as usize) < second) != ((b as usize) < second))
}
