//! A hash table from triangle keys to people, packed so that a lookup streams through one run of memory.
//!
//! A posting is 32 bits: the person's row (19 bits, plus one, so that zero means empty) and the triangle's tag (13 bits): a
//! triangle votes only for triangles of equal hash bits, at about the same height and turned about the same way.
//!
//! Buckets lie side by side in shards, each with a little room to spare. When a bucket is full its shard is copied with new room
//! for all: a few microseconds once in hundreds of insertions, and no other memory is touched.

use super::triangles::Feature;
use crate::params::{FEATURES_PER_PERSON, MAX_PEOPLE, PLANNED_BUCKET};

const ROW_BITS: u32 = 19;
const ROW_MASK: u32 = (1 << ROW_BITS) - 1;
/// Where the hash begins in a tag.
const HASH_SHIFT: u32 = 7;
const SHARD_BUCKETS: usize = 128;
/// Postings are compared four at a time; an empty one matches nobody.
const QUAD: usize = 4;
/// A bucket takes no more than this: a key that so many share tells nothing about anyone.
const MAX_BUCKET: u16 = 60_000;
/// Lookups between asking for a bucket's postings and reading them.
const AHEAD: usize = 8;

const _: () = assert!(MAX_PEOPLE < ROW_MASK as usize);

type Quad = [u32; QUAD];

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// First quad in the shard.
    start: u32,
    /// Postings.
    used: u16,
    /// Quads.
    room: u16,
}

pub(super) struct Index {
    buckets: Vec<Bucket>,
    shards: Vec<Box<[Quad]>>,
    postings: usize,
}

impl Index {
    pub(super) fn with_people(people: usize) -> Self {
        let wanted = people.max(500) * FEATURES_PER_PERSON / PLANNED_BUCKET;
        let shards = wanted.div_ceil(SHARD_BUCKETS);
        Self {
            buckets: vec![Bucket::default(); shards * SHARD_BUCKETS],
            shards: vec![Box::default(); shards],
            postings: 0,
        }
    }

    pub(super) fn insert(&mut self, feature: Feature, row: u32) {
        let place = self.place(feature);
        let Bucket { used, room, .. } = self.buckets[place];
        if used == MAX_BUCKET {
            return;
        }
        if usize::from(used) == usize::from(room) * QUAD {
            self.repack(place / SHARD_BUCKETS);
        }
        let Bucket { start, .. } = self.buckets[place];
        let quad = start as usize + usize::from(used) / QUAD;
        let posting = feature.tag() << ROW_BITS | (row + 1);
        self.shards[place / SHARD_BUCKETS][quad][usize::from(used) % QUAD] = posting;
        self.buckets[place].used = used + 1;
        self.postings += 1;
    }

    /// Copies a shard so that every bucket has room for an eighth more, and for one at least.
    fn repack(&mut self, shard: usize) {
        let buckets = &mut self.buckets[shard * SHARD_BUCKETS..][..SHARD_BUCKETS];
        let room = |bucket: &Bucket| (usize::from(bucket.used) * 9 / 8 + 1).div_ceil(QUAD);
        let total: usize = buckets.iter().map(room).sum();
        let old = std::mem::take(&mut self.shards[shard]);
        let mut new = vec![[0; QUAD]; total].into_boxed_slice();
        let mut start = 0;
        for bucket in buckets {
            let quads = usize::from(bucket.used).div_ceil(QUAD);
            new[start..start + quads].copy_from_slice(&old[bucket.start as usize..][..quads]);
            let room = room(bucket);
            // At most 128 buckets of 2^16 quads each, so neither number is near its limit.
            *bucket = Bucket { start: start as u32, used: bucket.used, room: room as u16 };
            start += room;
        }
        self.shards[shard] = new;
    }

    pub(super) fn len(&self) -> usize {
        self.postings
    }

    /// Buckets twice as full as planned: lookups read more strangers' postings than need be.
    pub(super) fn is_crowded(&self) -> bool {
        self.postings > self.buckets.len() * PLANNED_BUCKET * 2
    }

    /// Gives one vote per matching posting. Returns the number of votes.
    pub(super) fn vote(&self, keys: &[Feature], votes: &mut [u8]) -> usize {
        let mut given = 0;
        for (at, &feature) in keys.iter().enumerate() {
            if let Some(&far) = keys.get(at + 2 * AHEAD) {
                prefetch(&self.buckets[self.place(far)]);
            }
            if let Some(&ahead) = keys.get(at + AHEAD) {
                // Four quads are a cache line.
                self.quads(ahead).iter().step_by(4).take(6).for_each(prefetch);
            }
            for quad in self.quads(feature) {
                given += vote_in(quad, feature.tag(), votes);
            }
        }
        given
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let quads: usize = self.shards.iter().map(|shard| shard.len()).sum();
        self.buckets.capacity() * size_of::<Bucket>()
            + self.shards.capacity() * size_of::<Box<[Quad]>>()
            + quads * size_of::<Quad>()
    }

    #[inline]
    fn quads(&self, feature: Feature) -> &[Quad] {
        let place = self.place(feature);
        let Bucket { start, used, .. } = self.buckets[place];
        &self.shards[place / SHARD_BUCKETS][start as usize..][..usize::from(used).div_ceil(QUAD)]
    }

    #[inline]
    fn place(&self, feature: Feature) -> usize {
        // The highest bits choose, for any number of buckets (Lemire's multiply-shift).
        ((u128::from(feature.bucket_hash()) * self.buckets.len() as u128) >> 64) as usize
    }
}

#[inline]
fn vote_in(quad: &Quad, tag: u32, votes: &mut [u8]) -> usize {
    // Hashes first, all four at once: most quads end here.
    if !quad.map(|posting| posting >> (ROW_BITS + HASH_SHIFT) == tag >> HASH_SHIFT).contains(&true) {
        return 0;
    }
    let mut given = 0;
    for posting in quad {
        if posting >> (ROW_BITS + HASH_SHIFT) != tag >> HASH_SHIFT {
            continue;
        }
        let (height, turn) = (tag & 7, tag >> 3 & 15);
        let other = posting >> ROW_BITS;
        let near_height = (other & 7).wrapping_sub(height).wrapping_add(1) <= 2;
        let near_turn = ((other >> 3 & 15).wrapping_sub(turn).wrapping_add(3) & 15) <= 6;
        // Added without a branch, which would be guessed wrong every other time. An empty posting has no row.
        if let Some(count) = votes.get_mut((posting & ROW_MASK).wrapping_sub(1) as usize) {
            let vote = u8::from(near_height & near_turn);
            *count = count.saturating_add(vote);
            given += usize::from(vote);
        }
    }
    given
}

#[inline]
fn prefetch<T>(target: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint; it reads nothing and the address comes from a live reference.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(target).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = target;
}
