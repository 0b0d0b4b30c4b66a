//! A hash table from keys of quadruples to people, packed so that a lookup streams through one run of memory.
//!
//! A posting is 32 bits: the person's row (22 bits) above the tag (ten bits): a quadruple votes only for
//! those of equal tag.
//!
//! Buckets lie side by side in shards, each with a little room to spare. When a bucket is full its shard is
//! copied with new room for all: a few microseconds once in hundreds of insertions, and no other memory is
//! touched.

use super::quadruples::{Feature, Features};
use crate::lanes::{self, LANES};
use crate::params::{FEATURES_PER_PERSON, MAX_PEOPLE, PLANNED_BUCKET};

const TAG_BITS: u32 = 10;
const TAG_MASK: u32 = (1 << TAG_BITS) - 1;
const SHARD_BUCKETS: usize = 128;
/// Room is given in steps of so many postings.
const STEP: usize = 4;
/// A bucket takes no more than this, a hundred times what is usual in a crowded index: a key that so many
/// share tells nothing about anyone, and a lookup must end however many contrived fingers were enrolled.
const MAX_BUCKET: u16 = 8_192;
/// Lookups between asking for a bucket's postings and reading them.
const AHEAD: usize = 12;
/// Bytes that the processor fetches together.
const LINE: usize = 64;

const _: () = assert!(MAX_PEOPLE <= 1 << (32 - TAG_BITS));

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// First posting in the shard.
    start: u32,
    /// Postings.
    used: u16,
    /// Postings that there is room for.
    room: u16,
}

pub(super) struct Index {
    buckets: Vec<Bucket>,
    shards: Vec<Box<[u32]>>,
    postings: usize,
}

/// Votes of one search.
#[derive(Default)]
pub(super) struct Votes {
    /// One counter per row.
    pub(super) counts: Vec<u8>,
    /// Rows that reached the least number asked for, in no particular order, each once.
    pub(super) reached: Vec<u32>,
    /// Votes given.
    pub(super) given: usize,
}

impl Votes {
    /// Forgets everything and makes room for so many people.
    pub(super) fn begin(&mut self, people: usize) {
        self.counts.clear();
        self.counts.resize(people, 0);
        self.reached.clear();
        self.given = 0;
    }
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

    /// Files a person under the keys `own`.
    pub(super) fn insert(&mut self, features: &Features, row: u32) {
        let keys = &features.own;
        for (at, &feature) in keys.iter().enumerate() {
            if let Some(&far) = keys.get(at + 2 * AHEAD) {
                let place = self.place(far);
                prefetch(&self.buckets[place]);
                prefetch(&self.shards[place / SHARD_BUCKETS]);
            }
            if let Some(&ahead) = keys.get(at + AHEAD) {
                let place = self.place(ahead);
                let Bucket { start, used, .. } = self.buckets[place];
                if let Some(next) = self.shards[place / SHARD_BUCKETS].get(start as usize + usize::from(used))
                {
                    prefetch(next);
                }
            }
            self.insert_one(feature, row);
        }
    }

    fn insert_one(&mut self, feature: Feature, row: u32) {
        let place = self.place(feature);
        let Bucket { used, room, .. } = self.buckets[place];
        if used == MAX_BUCKET {
            return;
        }
        if used == room {
            self.repack(place / SHARD_BUCKETS);
        }
        let bucket = &mut self.buckets[place];
        self.shards[place / SHARD_BUCKETS][bucket.start as usize + usize::from(used)] =
            row << TAG_BITS | feature.tag();
        bucket.used = used + 1;
        self.postings += 1;
    }

    /// Copies a shard so that every bucket has room for an eighth more, and for one at least.
    fn repack(&mut self, shard: usize) {
        let buckets = &mut self.buckets[shard * SHARD_BUCKETS..][..SHARD_BUCKETS];
        let room = |bucket: &Bucket| (usize::from(bucket.used) * 9 / 8 + 1).next_multiple_of(STEP);
        let total: usize = buckets.iter().map(room).sum();
        let old = std::mem::take(&mut self.shards[shard]);
        let mut new = vec![0; total].into_boxed_slice();
        let mut start = 0;
        for bucket in buckets {
            let used = usize::from(bucket.used);
            new[start..start + used].copy_from_slice(&old[bucket.start as usize..][..used]);
            let room = room(bucket);
            // At most 128 buckets of 9,220 postings each, so neither number is near its limit.
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

    /// Gives one vote per equal key. Rows that come to `least` votes are noted.
    pub(super) fn vote(&self, keys: &[Feature], least: u8, votes: &mut Votes) {
        for (at, &feature) in keys.iter().enumerate() {
            if let Some(&far) = keys.get(at + 2 * AHEAD) {
                let place = self.place(far);
                prefetch(&self.buckets[place]);
                prefetch(&self.shards[place / SHARD_BUCKETS]);
            }
            if let Some(&ahead) = keys.get(at + AHEAD) {
                let postings = self.postings(ahead);
                // Whoever reads on is followed by the processor itself.
                postings.iter().step_by(LINE / 4).take(4).for_each(prefetch);
            }
            vote_for(self.postings(feature), feature.tag(), least, votes);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let postings: usize = self.shards.iter().map(|shard| shard.len()).sum();
        self.buckets.capacity() * size_of::<Bucket>()
            + self.shards.capacity() * size_of::<Box<[u32]>>()
            + postings * size_of::<u32>()
    }

    #[inline]
    fn postings(&self, feature: Feature) -> &[u32] {
        let place = self.place(feature);
        let Bucket { start, used, .. } = self.buckets[place];
        &self.shards[place / SHARD_BUCKETS][start as usize..][..usize::from(used)]
    }

    #[inline]
    fn place(&self, feature: Feature) -> usize {
        // The highest bits choose, for any number of buckets below 2^32 (Lemire's multiply-shift).
        ((feature.bucket_hash() * self.buckets.len() as u64) >> 32) as usize
    }
}

#[inline]
fn vote_for(postings: &[u32], tag: u32, least: u8, votes: &mut Votes) {
    let mut give = |row: u32| {
        // Every posting's row is enrolled, but a check is cheaper than a proof.
        if let Some(count) = votes.counts.get_mut(row as usize) {
            *count = count.saturating_add(1);
            if *count == least {
                votes.reached.push(row);
            }
        }
    };
    let mut given = 0;
    let (blocks, rest) = postings.as_chunks::<LANES>();
    for block in blocks {
        // All tags at once into one bit each; then only the equal ones are visited.
        let mut equal = lanes::equal(block, TAG_MASK, tag);
        given += equal.count_ones() as usize;
        while equal != 0 {
            give(block[equal.trailing_zeros() as usize] >> TAG_BITS);
            equal &= equal - 1;
        }
    }
    for posting in rest {
        if posting & TAG_MASK == tag {
            give(posting >> TAG_BITS);
            given += 1;
        }
    }
    votes.given += given;
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
