//! How many edges two fingers have in common, by their sketches; three ways to compute one number.

use super::sketch::{MOST, Sketch};
use crate::params::sketch::TOP;

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
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vpopcntdq") {
                kernels.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2") {
                kernels.push(Self::Avx2);
            }
        }
        kernels.push(Self::Portable);
        kernels
    }

    /// For each of the probe's minutiae, the most edges it has in common with one of the other finger's; the sum over
    /// the [`TOP`] minutiae with most.
    #[inline]
    pub(super) fn common(self, probe: &Sketch, other: &Sketch) -> u32 {
        let most = match self {
            // SAFETY: `detect` and `available` name a kernel only after asking the processor for its instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512(probe, other) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2(probe, other) },
            _ => portable(probe, other),
        };
        sum_of_top(&most)
    }
}

/// Edges in common, at most 17, one per minutia of the probe.
type Most = [u8; MOST];

/// The sum of the greatest [`TOP`], by counting how many there are of each.
#[inline]
fn sum_of_top(most: &Most) -> u32 {
    let mut counts = [0u32; 32];
    for &value in most {
        counts[usize::from(value & 31)] += 1;
    }
    let (mut sum, mut left) = (0, TOP);
    for value in (1..32).rev() {
        let taken = counts[value].min(left);
        sum += taken * value as u32;
        left -= taken;
    }
    sum
}

fn portable(probe: &Sketch, other: &Sketch) -> Most {
    let mut most = [0; MOST];
    for index in 0..other.len {
        let (a, b) = (other.words[0][index], other.words[1][index]);
        for (most, (p, q)) in most[..probe.len].iter_mut().zip(probe.words[0].iter().zip(&probe.words[1])) {
            *most = (*most).max(((a & p).count_ones() + (b & q).count_ones()) as u8);
        }
    }
    most
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn avx512(probe: &Sketch, other: &Sketch) -> Most {
    use std::arch::x86_64::*;
    const VECTORS: usize = MOST / 8;
    // SAFETY: all loads are of 64 bytes inside arrays of 256, all stores of eight bytes inside one of 32.
    unsafe {
        let load = |word: usize, at: usize| _mm512_load_si512(probe.words[word].as_ptr().add(8 * at).cast());
        let first: [__m512i; VECTORS] = [load(0, 0), load(0, 1), load(0, 2), load(0, 3)];
        let second: [__m512i; VECTORS] = [load(1, 0), load(1, 1), load(1, 2), load(1, 3)];
        let mut best = [_mm512_setzero_si512(); VECTORS];
        for index in 0..other.len {
            let a = _mm512_set1_epi64(other.words[0][index] as i64);
            let b = _mm512_set1_epi64(other.words[1][index] as i64);
            for vector in 0..VECTORS {
                let common = _mm512_add_epi64(
                    _mm512_popcnt_epi64(_mm512_and_si512(a, first[vector])),
                    _mm512_popcnt_epi64(_mm512_and_si512(b, second[vector])),
                );
                best[vector] = _mm512_max_epu64(best[vector], common);
            }
        }
        let mut most = [0u8; MOST];
        for (vector, best) in best.into_iter().enumerate() {
            _mm_storel_epi64(most.as_mut_ptr().add(8 * vector).cast(), _mm512_cvtepi64_epi8(best));
        }
        most
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(probe: &Sketch, other: &Sketch) -> Most {
    use std::arch::x86_64::*;
    const VECTORS: usize = MOST / 4;
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
        let load = |word: usize, at: usize| _mm256_loadu_si256(probe.words[word].as_ptr().add(4 * at).cast());
        let mut best = [_mm256_setzero_si256(); VECTORS];
        for index in 0..other.len {
            let a = _mm256_set1_epi64x(other.words[0][index] as i64);
            let b = _mm256_set1_epi64x(other.words[1][index] as i64);
            for (vector, best) in best.iter_mut().enumerate() {
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
            _mm256_storeu_si256(wide.as_mut_ptr().add(4 * vector).cast(), best);
        }
        wide.map(|count| count as u8)
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
