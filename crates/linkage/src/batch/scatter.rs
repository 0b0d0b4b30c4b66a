//! Rows brought together by key. Most keys of a blocking rule are of one row only, so that they are not
//! sorted: rows are scattered by the leading bits of their keys into buckets that fit the first cache, and
//! only rows whose next bits occur again are looked at further.

use crate::batch::look::Look;

/// Rows of a bucket that are aimed at, and the most leading bits, beyond which scattering thrashes.
const BUCKET_ROWS: usize = 1024;
const MOST_BITS: u32 = 12;
/// Bits of a key that tell rows of a bucket apart: with those of the bucket not more than a key has.
const SLOT_BITS: u32 = 12;

/// In the place of a key; a key of zero becomes one.
const NO_KEY: u32 = 0;

/// The rows of one rule by the leading bits of their keys. Kept from rule to rule for its allocations.
#[derive(Default)]
pub(crate) struct Scattered {
    keys: Vec<u32>,
    /// `key << 32 | row`, bucket by bucket, rows ascending.
    entries: Vec<u64>,
    ends: Vec<u32>,
    bits: u32,
    repeated: Vec<u64>,
    blocks: Blocks,
}

/// Rows that share a key, some keys at a time.
#[derive(Default)]
pub(crate) struct Blocks {
    pub rows: Vec<u32>,
    sizes: Vec<usize>,
    /// For the one who walks the blocks.
    pub looks: Vec<Look>,
}

impl Blocks {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let mut rest = &self.rows[..];
        self.sizes.iter().map(move |&size| {
            let (block, others) = rest.split_at(size);
            rest = others;
            block
        })
    }
}

impl Scattered {
    /// Takes a key for each row from `keys`; rows without are left out.
    pub(crate) fn fill(&mut self, keys: impl ExactSizeIterator<Item = Option<u32>>) {
        self.bits = (keys.len() / BUCKET_ROWS).max(2).ilog2().min(MOST_BITS);
        let shift = 32 - self.bits;
        let mut next = vec![0u32; 1 << self.bits];
        let mut rows = 0;
        self.keys.clear();
        self.keys.extend(keys.map(|key| {
            let key = key.map_or(NO_KEY, |key| key.max(1));
            next[(key >> shift) as usize] += u32::from(key != NO_KEY);
            rows += usize::from(key != NO_KEY);
            key
        }));
        let mut sum = 0;
        for slot in &mut next {
            (*slot, sum) = (sum, sum + *slot);
        }
        self.entries.resize(rows, 0);
        for (row, &key) in self.keys.iter().enumerate().filter(|(_, key)| **key != NO_KEY) {
            let slot = &mut next[(key >> shift) as usize];
            self.entries[*slot as usize] = u64::from(key) << 32 | row as u64;
            *slot += 1;
        }
        // Each bucket was filled up to the start of the next.
        self.ends = next;
    }

    /// Gives the blocks of two rows and more and not over the limit, bucket by bucket.
    pub(crate) fn blocks(&mut self, limit: usize, take: &mut impl FnMut(&mut Blocks)) {
        let shift = 64 - self.bits - SLOT_BITS;
        let slot = |entry: u64| (entry >> shift) as usize & ((1 << SLOT_BITS) - 1);
        let mut start = 0;
        for &end in &self.ends {
            let bucket = &self.entries[start..end as usize];
            start = end as usize;
            let mut counts = [0u8; 1 << SLOT_BITS];
            for &entry in bucket {
                let count = &mut counts[slot(entry)];
                *count = count.saturating_add(1);
            }
            self.repeated.clear();
            self.repeated.extend(bucket.iter().filter(|&&entry| counts[slot(entry)] > 1));
            self.repeated.sort_unstable();
            self.blocks.rows.clear();
            self.blocks.sizes.clear();
            for block in self.repeated.chunk_by(|a, b| a >> 32 == b >> 32) {
                if (2..=limit).contains(&block.len()) {
                    self.blocks.rows.extend(block.iter().map(|&entry| entry as u32));
                    self.blocks.sizes.push(block.len());
                }
            }
            take(&mut self.blocks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn rows_of_one_key_come_together() {
        for rows in [0, 1, 7, 5_000, 40_000u64] {
            let key = |row: u64| match crate::hash::mix(row % (rows / 3 + 1) * (row % 5), 1) >> 32 {
                // Some rows have no key, many share one, and some keys differ in their last bits alone.
                key if key.is_multiple_of(7) => None,
                key => Some(key as u32 & !u32::from(row.is_multiple_of(11))),
            };
            let mut expected: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for (row, key) in (0..rows).filter_map(|row| Some((row, key(row)?))) {
                expected.entry(key).or_default().push(row as u32);
            }
            expected.retain(|_, block| (2..=24).contains(&block.len()));
            let (mut scattered, mut found) = (Scattered::default(), Vec::new());
            for _ in 0..2 {
                found.clear();
                scattered.fill((0..rows as usize).map(|row| key(row as u64)));
                scattered.blocks(24, &mut |blocks| found.extend(blocks.iter().map(<[u32]>::to_vec)));
            }
            assert_eq!(found, expected.into_values().collect::<Vec<_>>(), "{rows} rows");
        }
    }
}
