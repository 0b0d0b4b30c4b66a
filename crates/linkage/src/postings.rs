//! One blocking rule's keys: sorted, with a directory, so that a look-up is two cache misses.

/// Entries are `key << 32 | row`, ascending. The directory holds where each range of leading bits begins.
#[derive(Clone, Debug)]
pub(crate) struct Postings {
    entries: Vec<u64>,
    directory: Vec<u32>,
    shift: u32,
}

pub(crate) fn entry(key: u32, row: u32) -> u64 {
    u64::from(key) << 32 | u64::from(row)
}

pub(crate) fn row(entry: u64) -> u32 {
    entry as u32
}

impl Postings {
    pub(crate) fn empty() -> Postings {
        Postings::build(Vec::new())
    }

    /// Scatters by leading bits, then sorts each small bucket: close to linear, as keys are hashes.
    pub(crate) fn build(unsorted: Vec<u64>) -> Postings {
        let bits = (unsorted.len() / 4).max(2).ilog2();
        let shift = 64 - bits;
        let mut directory = vec![0u32; (1 << bits) + 1];
        for &entry in &unsorted {
            directory[(entry >> shift) as usize + 1] += 1;
        }
        for at in 1..directory.len() {
            directory[at] += directory[at - 1];
        }
        let mut next = directory.clone();
        let mut entries = vec![0u64; unsorted.len()];
        for &entry in &unsorted {
            let slot = &mut next[(entry >> shift) as usize];
            entries[*slot as usize] = entry;
            *slot += 1;
        }
        for range in directory.windows(2) {
            entries[range[0] as usize..range[1] as usize].sort_unstable();
        }
        Postings { entries, directory, shift }
    }

    /// The entries of one key.
    pub(crate) fn block(&self, key: u32) -> &[u64] {
        let bucket = (entry(key, 0) >> self.shift) as usize;
        let range = &self.entries[self.directory[bucket] as usize..self.directory[bucket + 1] as usize];
        let start = range.partition_point(|&e| e < entry(key, 0));
        let len = range[start..].partition_point(|&e| e <= entry(key, u32::MAX));
        &range[start..start + len]
    }

    /// All blocks in the order of their keys.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &[u64]> {
        self.entries.chunk_by(|a, b| a >> 32 == b >> 32)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * 8 + self.directory.capacity() * 4
    }
}
