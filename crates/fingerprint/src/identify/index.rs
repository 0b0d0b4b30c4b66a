//! A hash table from triangle keys to people, laid out for one cache miss per lookup.
//!
//! A line is 64 bytes: 15 postings and a link to an overflow line. A posting holds the person's row (22 bits, plus one, so that
//! zero means empty), two more bits of the key and the triangle's place on the finger in cells of 4 bits each way: a
//! triangle votes only for triangles near the same place.

use super::triangles::Feature;
use crate::params::{FEATURES_PER_PERSON, MAX_PEOPLE};

const POSTINGS: usize = 15;
const ROW_BITS: u32 = 22;
const ROW_MASK: u32 = (1 << ROW_BITS) - 1;
/// Postings per line when an index is laid out for its expected people; half full, few lines overflow.
const PLANNED_FILL: usize = 12;

const _: () = assert!(MAX_PEOPLE < ROW_MASK as usize);

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    postings: [u32; POSTINGS],
    /// Index of an overflow line plus one; zero for none.
    more: u32,
}

const EMPTY: Line = Line { postings: [0; POSTINGS], more: 0 };

pub(super) struct Index {
    lines: Vec<Line>,
    overflow: Vec<Line>,
    postings: usize,
}

impl Index {
    pub(super) fn with_people(people: usize) -> Self {
        let wanted = people.max(2048) * FEATURES_PER_PERSON / PLANNED_FILL;
        Self { lines: vec![EMPTY; wanted], overflow: Vec::new(), postings: 0 }
    }

    pub(super) fn insert(&mut self, feature: Feature, row: u32) {
        self.postings += 1;
        let posting = tag(feature) << ROW_BITS | (row + 1);
        let head = self.line_of(feature);
        let newest = self.lines[head].more;
        if newest == 0 {
            if put(&mut self.lines[head], posting) {
                return;
            }
        } else if put(&mut self.overflow[newest as usize - 1], posting) {
            return;
        }
        let mut line = EMPTY;
        line.postings[0] = posting;
        line.more = newest;
        self.overflow.push(line);
        self.lines[head].more =
            u32::try_from(self.overflow.len()).expect("4 M people overflow far fewer lines");
    }

    pub(super) fn len(&self) -> usize {
        self.postings
    }

    /// Half as many overflow lines as lines: lookups begin to take two cache misses.
    pub(super) fn is_crowded(&self) -> bool {
        self.overflow.len() > self.lines.len() / 2
    }

    /// Gives one vote per matching posting; rows that reach `enough` are noted once. Returns the number of votes.
    pub(super) fn vote(
        &self,
        keys: &[Feature],
        enough: u8,
        votes: &mut [u8],
        reached: &mut Vec<u32>,
    ) -> usize {
        let mut given = 0;
        for (place, &feature) in keys.iter().enumerate() {
            if let Some(&ahead) = keys.get(place + 12) {
                prefetch(&self.lines[self.line_of(ahead)]);
            }
            let tag = tag(feature);
            let mut line = &self.lines[self.line_of(feature)];
            loop {
                // The mask first, without branches, so that the compiler compares several postings at once.
                let mut mask = 0u32;
                for (slot, &posting) in line.postings.iter().enumerate() {
                    mask |= u32::from((posting != 0) & near(posting >> ROW_BITS, tag)) << slot;
                }
                given += mask.count_ones() as usize;
                while mask != 0 {
                    let row = (line.postings[mask.trailing_zeros() as usize] & ROW_MASK) - 1;
                    mask &= mask - 1;
                    let count = &mut votes[row as usize];
                    *count = count.saturating_add(1);
                    if *count == enough {
                        reached.push(row);
                    }
                }
                if line.more == 0 {
                    break;
                }
                line = &self.overflow[line.more as usize - 1];
            }
        }
        given
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.lines.capacity() + self.overflow.capacity()) * size_of::<Line>()
    }

    #[inline]
    fn line_of(&self, feature: Feature) -> usize {
        // The highest bits choose, for any number of lines (Lemire's multiply-shift).
        ((u128::from(feature.0) * self.lines.len() as u128) >> 64) as usize
    }
}

/// The lowest ten bits: two of the hash, four each of the place's y and x.
#[inline]
fn tag(feature: Feature) -> u32 {
    (feature.0 & 0x3ff) as u32
}

/// Equal hash bits, and places at most one cell apart in both directions.
#[inline]
fn near(a: u32, b: u32) -> bool {
    let x = (a & 15).abs_diff(b & 15);
    let y = (a >> 4 & 15).abs_diff(b >> 4 & 15);
    (a >> 8 == b >> 8) & (x <= 1) & (y <= 1)
}

fn put(line: &mut Line, posting: u32) -> bool {
    match line.postings.iter_mut().find(|slot| **slot == 0) {
        Some(slot) => {
            *slot = posting;
            true
        }
        None => false,
    }
}

#[inline]
fn prefetch(line: &Line) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint; it reads nothing and the address comes from a live reference.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(line).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
