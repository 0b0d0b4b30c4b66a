//! Pairs that share a blocking key.

use rayon::prelude::*;

use crate::batch::register::{Line, Register};
use crate::index::BLOCK_LIMIT_DEDUPE;
use crate::keys::FILE_RULES;

/// The first rules are of numbers, which a file does not have.
const FIRST_RULE: usize = 2;
/// Larger blocks are of namesakes and teach nothing about families.
const FAMILY_LIMIT: usize = 24;

/// Rows that are fetched together before they are compared, so that the waits for memory overlap.
const FETCHED: usize = 512;

/// Two rows in one number, the smaller first, so that sorted pairs walk the register.
pub(crate) fn pair(a: u32, b: u32) -> u64 {
    u64::from(a.min(b)) << 32 | u64::from(a.max(b))
}

pub(crate) fn rows(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}

/// All pairs to be weighed, ascending, each once. A block over the limit is left out under its rule.
pub(crate) fn candidates(register: &Register) -> Vec<u64> {
    let by_rule: Vec<Vec<u64>> = (FIRST_RULE..FILE_RULES)
        .into_par_iter()
        .map(|rule| {
            let entries = sorted_entries(register.len(), |row| register.parts(row).key(rule));
            let mut pairs = Vec::new();
            walk_plausible(register, &entries, &mut pairs);
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
    let entries = sorted_entries(register.len(), |row| register.family_key(row, step));
    let mut pairs = Vec::new();
    walk(&entries, FAMILY_LIMIT, register.second, &mut |a, b| pairs.push(pair(a, b)));
    pairs.par_sort_unstable();
    pairs
}

/// Adds the pairs inside each block that are worth a comparison.
fn walk_plausible(register: &Register, entries: &[u64], pairs: &mut Vec<u64>) {
    // Rows of whole blocks in a run, the sizes of the blocks, and what is fetched of the rows.
    let (mut rows, mut sizes): (Vec<u32>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut lines: Vec<Line> = Vec::new();
    let mut compare = |rows: &mut Vec<u32>, sizes: &mut Vec<usize>| {
        lines.clear();
        lines.extend(rows.iter().map(|&row| register.line(row)));
        let mut start = 0;
        for size in sizes.drain(..) {
            let end = start + size;
            for x in start..end {
                for y in x + 1..end {
                    let (a, b) = (rows[x], rows[y]);
                    if is_between(register.second, a, b) && lines[x].is_plausible(&lines[y]) {
                        pairs.push(pair(a, b));
                    }
                }
            }
            start = end;
        }
        rows.clear();
    };
    for block in blocks(entries, BLOCK_LIMIT_DEDUPE) {
        rows.extend(block.iter().map(|&entry| entry as u32));
        sizes.push(block.len());
        if rows.len() >= FETCHED {
            compare(&mut rows, &mut sizes);
        }
    }
    compare(&mut rows, &mut sizes);
}

/// Calls `visit` with the pairs inside each block.
fn walk(entries: &[u64], limit: usize, second: Option<usize>, visit: &mut impl FnMut(u32, u32)) {
    for block in blocks(entries, limit) {
        for (at, &a) in block.iter().enumerate() {
            for &b in &block[at + 1..] {
                if is_between(second, a as u32, b as u32) {
                    visit(a as u32, b as u32);
                }
            }
        }
    }
}

/// The entries of one key, where they are a pair or more and not over the limit.
fn blocks(entries: &[u64], limit: usize) -> impl Iterator<Item = &[u64]> {
    entries.chunk_by(|a, b| a >> 32 == b >> 32).filter(move |block| (2..=limit).contains(&block.len()))
}

/// Of two files, whether the rows are of different ones.
fn is_between(second: Option<usize>, a: u32, b: u32) -> bool {
    second.is_none_or(|second| ((a as usize) < second) != ((b as usize) < second))
}

/// `key << 32 | row` by key and then row.
fn sorted_entries(rows: usize, key: impl Fn(usize) -> Option<u32>) -> Vec<u64> {
    let mut entries: Vec<u64> = Vec::with_capacity(rows);
    entries.extend((0..rows).filter_map(|row| Some(u64::from(key(row)?) << 32 | row as u64)));
    radix_sort(entries)
}

/// Sorts by the upper 32 bits and keeps the order within: three passes of eleven bits.
fn radix_sort(mut entries: Vec<u64>) -> Vec<u64> {
    const BITS: u32 = 11;
    const BUCKETS: usize = 1 << BITS;
    let digit = |entry: u64, pass: u32| (entry >> (32 + pass * BITS)) as usize & (BUCKETS - 1);
    let mut counts = vec![[0u32; BUCKETS]; 3];
    for &entry in &entries {
        for pass in 0..3 {
            counts[pass as usize][digit(entry, pass)] += 1;
        }
    }
    let mut sorted = vec![0u64; entries.len()];
    for pass in 0..3 {
        let mut next = [0u32; BUCKETS];
        let mut sum = 0;
        for (slot, count) in next.iter_mut().zip(&counts[pass as usize]) {
            *slot = sum;
            sum += count;
        }
        for &entry in &entries {
            let slot = &mut next[digit(entry, pass)];
            sorted[*slot as usize] = entry;
            *slot += 1;
        }
        std::mem::swap(&mut entries, &mut sorted);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radix_sort_sorts() {
        let entries: Vec<u64> =
            (0..10_000u64).map(|row| crate::hash::mix(row, 1) & 0xffff_f000_0000_0000 | row).collect();
        let mut expected = entries.clone();
        expected.sort_unstable();
        assert_eq!(radix_sort(entries), expected);
    }
}
