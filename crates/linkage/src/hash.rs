//! A fixed, unseeded 64-bit hash: the same text gives the same key on every machine and in every run.

use std::hash::Hasher;

/// Mixes `value` into `state`; the finaliser of SplitMix64 keeps every output bit dependent on every input
/// bit.
pub(crate) fn mix(state: u64, value: u64) -> u64 {
    let mut x = (state.rotate_left(23) ^ value).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

pub(crate) fn bytes(text: &[u8]) -> u64 {
    let mut state = text.len() as u64;
    for chunk in text.chunks(8) {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = mix(state, u64::from_le_bytes(word));
    }
    state
}

/// A fast hasher for maps of numbers; keys here come from the register itself, and no result depends on the
/// order of a map.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, self::bytes(bytes));
    }

    fn write_u16(&mut self, n: u16) {
        self.0 = mix(self.0, u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.0 = mix(self.0, u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = mix(self.0, n);
    }
}

/// Open addressing over indices into a caller's table: four bytes a slot, the caller keeps the values.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    slots: Vec<u32>,
    used: usize,
}

const FREE: u32 = u32::MAX;

impl Slots {
    pub(crate) fn with_capacity(items: usize) -> Slots {
        let size = (items.max(8) * 4 / 3 + 1).next_power_of_two();
        Slots { slots: vec![FREE; size], used: 0 }
    }

    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                FREE => return None,
                index if is_it(index) => return Some(index),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Puts `index` where `is_it` finds its equal, else into a free slot; `hash_of` serves growing.
    pub(crate) fn put(
        &mut self,
        hash: u64,
        index: u32,
        mut is_it: impl FnMut(u32) -> bool,
        hash_of: impl Fn(u32) -> u64,
    ) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow(hash_of);
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                FREE => {
                    self.slots[at] = index;
                    self.used += 1;
                    return;
                }
                other if is_it(other) => {
                    self.slots[at] = index;
                    return;
                }
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        let size = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![FREE; size]);
        for index in old.into_iter().filter(|&index| index != FREE) {
            let mut at = hash_of(index) as usize & (size - 1);
            while self.slots[at] != FREE {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = index;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }
}

/// How often each of many hashes came: eight bytes a slot, so that a count is one look at memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// The upper bits of a hash, where its place follows from, and its count; 0 where free. Two of a million
    /// hashes are taken for one with a probability of about a third.
    slots: Vec<u64>,
    used: usize,
}

/// Bits of a count, which stays at its largest value.
const COUNT_BITS: u32 = 24;
const MOST: u64 = (1 << COUNT_BITS) - 1;

impl Counts {
    /// `hash` must depend in its upper bits on all of what is counted.
    pub(crate) fn add(&mut self, hash: u64) {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let at = self.place(hash);
        let slot = &mut self.slots[at];
        if *slot == 0 {
            *slot = hash & !MOST;
            self.used += 1;
        }
        *slot += u64::from(*slot & MOST < MOST);
    }

    pub(crate) fn of(&self, hash: u64) -> u32 {
        if self.slots.is_empty() { 0 } else { (self.slots[self.place(hash)] & MOST) as u32 }
    }

    /// Where this hash is, or the free slot where it belongs.
    fn place(&self, hash: u64) -> usize {
        let size = self.slots.len();
        let mut at = (hash >> (64 - size.ilog2())) as usize;
        while self.slots[at] != 0 && (self.slots[at] ^ hash) >> COUNT_BITS != 0 {
            at = (at + 1) & (size - 1);
        }
        at
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in old.into_iter().filter(|&slot| slot != 0) {
            let at = self.place(slot);
            self.slots[at] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_counted() {
        let mut counts = Counts::default();
        assert_eq!(counts.of(mix(1, 1)), 0);
        for number in 0..5_000u64 {
            (0..number % 7).for_each(|_| counts.add(mix(number, 1)));
        }
        for number in 0..5_000u64 {
            assert_eq!(u64::from(counts.of(mix(number, 1))), number % 7);
        }
        assert_eq!(counts.of(mix(5_000, 1)), 0);
        // A hash of nothing but zeros, and one that no count reaches.
        counts.add(0);
        assert_eq!(counts.of(0), 1);
        let mut full = Counts { slots: vec![0; 64], used: 1 };
        full.slots[0] = MOST;
        full.add(0);
        assert_eq!(full.of(0), MOST as u32);
    }
}
