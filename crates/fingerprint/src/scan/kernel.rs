//! How many edges two fingers have in common, by their sketches; three ways to compute one number.

use super::sketch::{MOST, Sketch};
use crate::lanes::{self, LANES};
use crate::params::sketch::{EDGES, TOP};

/// The widest instructions that the processor has, found out once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// AVX-512 with VPOPCNTDQ.
    Avx512,
    Avx2,
    Portable,
}

impl Kernel {
    /// The fastest one that this processor can run.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// All that this processor can run, fastest first.
    pub fn available() -> Vec<Self> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let popcnt = is_x86_feature_detected!("popcnt");
            if popcnt
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vpopcntdq")
            {
                kernels.push(Self::Avx512);
            }
            if popcnt && is_x86_feature_detected!("avx2") {
                kernels.push(Self::Avx2);
            }
        }
        kernels.push(Self::Portable);
        kernels
    }

    /// For each of the probe's minutiae, the most edges it has in common with one of the other finger's; the
    /// sum over the [`TOP`] minutiae with most.
    #[inline]
    pub(super) fn common(self, probe: &Sketch, other: &Sketch) -> u32 {
        self.common_of::<MOST>(probe, other)
    }

    /// The same of the probe's best half of minutiae, which takes half the time.
    #[inline]
    pub(super) fn common_of_best(self, probe: &Sketch, other: &Sketch) -> u32 {
        self.common_of::<{ MOST / 2 }>(probe, other)
    }

    #[inline]
    fn common_of<const N: usize>(self, probe: &Sketch, other: &Sketch) -> u32 {
        match self {
            // SAFETY: `detect` and `available` name a kernel only after asking the processor for its
            // instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512::<N>(probe, other) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::<N>(probe, other) },
            _ => portable::<N>(probe, other),
        }
    }
}

/// The sum of the greatest [`TOP`] of numbers up to [`EDGES`], one per minutia of the probe: a number n is in
/// it once for each of 1 to n.
#[inline(always)]
fn sum_of_top(most: &[u8]) -> u32 {
    let (blocks, _) = most.as_chunks::<LANES>();
    let mut sum = 0;
    for value in 1..=EDGES as u8 {
        let many: u32 = blocks.iter().map(|block| lanes::bytes_at_least(block, value).count_ones()).sum();
        if many == 0 {
            break;
        }
        sum += many.min(TOP);
    }
    sum
}

const _: () = assert!((MOST / 2).is_multiple_of(LANES));

fn portable<const N: usize>(probe: &Sketch, other: &Sketch) -> u32 {
    let mut most = [0; N];
    for index in 0..other.len {
        let (a, b) = (other.words[0][index], other.words[1][index]);
        for (most, (p, q)) in most.iter_mut().zip(probe.words[0].iter().zip(&probe.words[1])) {
            *most = (*most).max(((a & p).count_ones() + (b & q).count_ones()) as u8);
        }
    }
    sum_of_top(&most)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq,popcnt")]
fn avx512<const N: usize>(probe: &Sketch, other: &Sketch) -> u32 {
    use std::arch::x86_64::*;
    const LANES: usize = 8;
    const { assert!(N <= MOST && N.is_multiple_of(LANES)) };
    // SAFETY: all loads are of 64 bytes inside arrays of 256, all stores of eight bytes inside one of N.
    unsafe {
        let load =
            |word: usize, at: usize| _mm512_load_si512(probe.words[word].as_ptr().add(LANES * at).cast());
        // As many as there may be; those that N does not need are never used.
        let mut best = [_mm512_setzero_si512(); MOST / LANES];
        for index in 0..other.len {
            let a = _mm512_set1_epi64(other.words[0][index] as i64);
            let b = _mm512_set1_epi64(other.words[1][index] as i64);
            for (vector, best) in best[..N / LANES].iter_mut().enumerate() {
                let common = _mm512_add_epi64(
                    _mm512_popcnt_epi64(_mm512_and_si512(a, load(0, vector))),
                    _mm512_popcnt_epi64(_mm512_and_si512(b, load(1, vector))),
                );
                // The sums are below 256, so comparing by bytes compares them.
                *best = _mm512_max_epu8(*best, common);
            }
        }
        let mut most = [0u8; N];
        for (vector, best) in best[..N / LANES].iter().enumerate() {
            _mm_storel_epi64(most.as_mut_ptr().add(LANES * vector).cast(), _mm512_cvtepi64_epi8(*best));
        }
        sum_of_top(&most)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn avx2<const N: usize>(probe: &Sketch, other: &Sketch) -> u32 {
    use std::arch::x86_64::*;
    const LANES: usize = 4;
    const { assert!(N <= MOST && N.is_multiple_of(LANES)) };
    // SAFETY: all loads are of 32 bytes inside arrays of 256, all stores of 32 bytes inside one of 256.
    unsafe {
        // Bits in each number of four bits (Muła's method).
        let table = _mm256_setr_epi8(
            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
        );
        let low = _mm256_set1_epi8(0x0f);
        let bytes = |value: __m256i| {
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(value), low);
            let low = _mm256_and_si256(value, low);
            _mm256_add_epi8(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high))
        };
        let load =
            |word: usize, at: usize| _mm256_loadu_si256(probe.words[word].as_ptr().add(LANES * at).cast());
        let mut best = [_mm256_setzero_si256(); MOST / LANES];
        for index in 0..other.len {
            let a = _mm256_set1_epi64x(other.words[0][index] as i64);
            let b = _mm256_set1_epi64x(other.words[1][index] as i64);
            for (vector, best) in best[..N / LANES].iter_mut().enumerate() {
                let both = _mm256_add_epi8(
                    bytes(_mm256_and_si256(a, load(0, vector))),
                    bytes(_mm256_and_si256(b, load(1, vector))),
                );
                let common = _mm256_sad_epu8(both, _mm256_setzero_si256());
                // The sums are below 256, so comparing by 32 bits compares them.
                *best = _mm256_max_epu32(*best, common);
            }
        }
        let mut wide = [0u64; MOST];
        for (vector, best) in best.into_iter().enumerate() {
            _mm256_storeu_si256(wide.as_mut_ptr().add(LANES * vector).cast(), best);
        }
        let most: [u8; N] = std::array::from_fn(|index| wide[index] as u8);
        sum_of_top(&most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sketch() -> impl Strategy<Value = Sketch> {
        // Few bits, as in life.
        let word = prop::collection::vec(0u32..64, 0..7)
            .prop_map(|bits| bits.into_iter().fold(0u64, |word, bit| word | 1 << bit));
        prop::collection::vec((word.clone(), word), 0..=MOST).prop_map(|pairs| {
            let mut sketch = Sketch { words: [[0; MOST]; 2], len: pairs.len() };
            for (index, (a, b)) in pairs.into_iter().enumerate() {
                (sketch.words[0][index], sketch.words[1][index]) = (a, b);
            }
            sketch
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn every_kernel_gives_the_same_number(a in sketch(), b in sketch()) {
            for kernel in Kernel::available() {
                prop_assert_eq!(kernel.common(&a, &b), Kernel::Portable.common(&a, &b), "{:?}", kernel);
                let best = kernel.common_of_best(&a, &b);
                prop_assert_eq!(best, Kernel::Portable.common_of_best(&a, &b), "{:?}", kernel);
                let mut half = a.clone();
                half.words.iter_mut().for_each(|words| words[MOST / 2..].fill(0));
                prop_assert_eq!(best, kernel.common(&half, &b));
            }
        }

        #[test]
        fn the_sum_is_that_of_the_sorted(most in prop::array::uniform32(0u8..18)) {
            let mut sorted = most;
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let expected: u32 = sorted[..TOP as usize].iter().map(|&value| u32::from(value)).sum();
            prop_assert_eq!(sum_of_top(&most), expected);
        }
    }
}
