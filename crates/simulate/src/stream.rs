//! Random draws, each thing from its own stream.
//!
//! A stream is ChaCha8 keyed by the seed and a purpose, at a stream number (a household, a form). What one
//! thing draws therefore depends neither on how many threads work nor on what other things drew. The few
//! distributions are written here, in integers where it matters, so that a new version of a library cannot
//! change a simulated campaign.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A source of streams for one purpose.
#[derive(Clone)]
pub struct Streams {
    base: ChaCha8Rng,
}

impl Streams {
    /// `purpose` separates uses of one seed, for example `b"homes"`; at most 16 bytes count.
    pub fn new(seed: u64, purpose: &[u8]) -> Self {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let length = purpose.len().min(16);
        key[8..8 + length].copy_from_slice(&purpose[..length]);
        key[31] = length as u8;
        Streams { base: ChaCha8Rng::from_seed(key) }
    }

    /// The stream with this number, at its beginning.
    pub fn stream(&self, number: u64) -> Stream {
        let mut rng = self.base.clone();
        rng.set_stream(number);
        Stream { rng }
    }
}

/// One sequence of draws.
pub struct Stream {
    rng: ChaCha8Rng,
}

impl Stream {
    /// Every value equally likely.
    pub fn next_u32(&mut self) -> u32 {
        self.rng.next_u32()
    }

    /// Every value equally likely.
    pub fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in `0..bound`; 0 when the bound is 0. The bias of the multiply-and-shift is below bound / 2³².
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.rng.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1).max(1) as u32) as i32
    }

    /// True with probability `share`.
    pub fn chance(&mut self, share: f64) -> bool {
        f64::from(self.rng.next_u32()) < share * 4_294_967_296.0
    }

    /// Index drawn with these weights; 0 when all are zero.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut rest = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if rest < *weight {
                return index;
            }
            rest -= weight;
        }
        0
    }

    /// `count` distinct numbers below `bound`, in random order; all of them when `count` is larger.
    pub fn distinct(&mut self, bound: u32, count: usize) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..bound).collect();
        let count = count.min(numbers.len());
        for index in 0..count {
            let other = index + self.below(bound - index as u32) as usize;
            numbers.swap(index, other);
        }
        numbers.truncate(count);
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_number_purpose_and_seed() {
        let draw = |seed, purpose: &[u8], number| Streams::new(seed, purpose).stream(number).next_u64();
        assert_eq!(draw(1, b"homes", 7), draw(1, b"homes", 7));
        assert_ne!(draw(1, b"homes", 7), draw(1, b"homes", 8));
        assert_ne!(draw(1, b"homes", 7), draw(1, b"forms", 7));
        assert_ne!(draw(1, b"homes", 7), draw(2, b"homes", 7));
        assert_ne!(draw(1, b"a", 7), draw(1, b"a\0", 7));
    }

    #[test]
    fn draws_stay_in_their_range_and_follow_their_weights() {
        let mut stream = Streams::new(3, b"test").stream(0);
        let mut counts = [0u32; 3];
        for _ in 0..30_000 {
            assert!(stream.below(5) < 5);
            assert!((-2..=2).contains(&stream.between(-2, 2)));
            counts[stream.weighted(&[1, 0, 2])] += 1;
        }
        assert!((9_500..10_500).contains(&counts[0]) && counts[1] == 0, "{counts:?}");
        assert!(!stream.chance(0.0) && stream.chance(1.0));
        assert_eq!(stream.below(0), 0);
    }

    #[test]
    fn distinct_numbers_are_distinct() {
        let mut drawn = Streams::new(3, b"test").stream(1).distinct(100, 60);
        assert_eq!(drawn.len(), 60);
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 60);
        assert!(drawn.iter().all(|number| *number < 100));
    }
}
