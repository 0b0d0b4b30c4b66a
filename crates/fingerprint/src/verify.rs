//! 1:1 comparison: local votes, relaxation, several alignments, pairing on a bent surface, score.

mod align;
mod relax;
mod score;
mod votes;

use std::fmt;

use crate::Prepared;
use crate::params::MAX_PREPARED;
use align::Surface;
use relax::Candidates;

/// The outcome of comparing two fingers.
#[derive(Clone, PartialEq)]
pub struct Comparison {
    /// 0 for nothing in common; compare with [`crate::params::VERIFY_THRESHOLD`].
    pub score: f32,
    /// Minutiae found to be the same, best first, each minutia at most once.
    pub pairs: Vec<Pair>,
}

/// One minutia seen in both templates: indices into [`crate::Template::minutiae`] of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub first: u8,
    pub second: u8,
}

impl fmt::Debug for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Comparison(score {:.2}, {} pairs)", self.score, self.pairs.len())
    }
}

/// How alike two fingers are. Symmetric; blind to shift, rotation and the order of minutiae.
///
/// Finger positions are not looked at: the caller decides which fingers to compare. The work is bounded
/// whatever the templates hold: 60 minutiae and 660 edges a side, 48 candidates and 16 alignments. Fingers of
/// which no alignment gives hope are given up: their score is the mean of strangers like them, below 1.2, and
/// no pairs are named.
pub fn compare(first: &Prepared, second: &Prepared) -> Comparison {
    // One order for both directions makes the result symmetric to the last bit.
    if canonical_key(first).gt(canonical_key(second)) {
        let mut swapped = compare_ordered(second, first);
        for pair in &mut swapped.pairs {
            (pair.first, pair.second) = (pair.second, pair.first);
        }
        return swapped;
    }
    compare_ordered(first, second)
}

fn canonical_key(prepared: &Prepared) -> impl Iterator<Item = (f32, f32, [u8; 3])> {
    let count = std::iter::once((prepared.points.len() as f32, 0.0, [0; 3]));
    count.chain(prepared.points.iter().map(|p| (p.x, p.y, [p.angle, p.kind as u8, p.level])))
}

fn compare_ordered(a: &Prepared, b: &Prepared) -> Comparison {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: the processor was asked for the instructions of each.
        return unsafe { if has_avx512() { compare_avx512(a, b) } else { compare_avx2(a, b) } };
    }
    compare_portable(a, b)
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("popcnt")
}

/// What [`compare_avx512`] needs besides.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi2")
}

/// Votes are whole numbers and counted another way; the other steps are the same, see [`compare_avx2`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,popcnt,avx512f,avx512bw,avx512vbmi2")]
fn compare_avx512(a: &Prepared, b: &Prepared) -> Comparison {
    compare_by(&votes::local_avx512(a, b), a, b)
}

/// The same steps in wider vectors. Every operation rounds as the portable one does, since the compiler
/// neither fuses nor reorders them, so the result is the same to the last bit.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn compare_avx2(a: &Prepared, b: &Prepared) -> Comparison {
    compare_portable(a, b)
}

#[inline(always)]
fn compare_portable(a: &Prepared, b: &Prepared) -> Comparison {
    compare_by(&votes::local(a, b), a, b)
}

/// Room for all minutiae of a finger in whole vectors, and one bit for each in a `u64`.
const WIDTH: usize = 64;

const _: () = assert!(MAX_PREPARED <= WIDTH);

#[inline(always)]
fn compare_by(votes: &votes::Votes, a: &Prepared, b: &Prepared) -> Comparison {
    let nothing = Comparison { score: 0.0, pairs: Vec::new() };
    if a.points.len() < 3 || b.points.len() < 3 {
        return nothing;
    }
    let mut candidates = Candidates::best(votes, a, b);
    candidates.relax();
    let surface = Surface::new(a, b);
    let Some((worth, aligned)) = surface.align(&candidates) else { return nothing };
    if let Some(score) = score::hopeless(&surface, worth) {
        return Comparison { score, pairs: Vec::new() };
    }
    let mates = surface.refine(&aligned);
    let score = score::score(&surface, &aligned, &mates);
    let pair = |mate: &align::Mate| Pair {
        first: a.points[usize::from(mate.i)].source,
        second: b.points[usize::from(mate.j)].source,
    };
    Comparison { score, pairs: mates.pairs().iter().map(pair).collect() }
}

/// The places of the bits that are set, lowest first.
#[inline(always)]
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Condition, Master};
    use crate::{Capture, FingerPosition, Impression, Minutia, MinutiaKind, Template};
    use proptest::prelude::*;

    #[test]
    fn wider_vectors_change_nothing() {
        let prints: Vec<Prepared> = (0..24)
            .map(|n| {
                let master = Master::generate(n / 4, FingerPosition::RightThumb);
                Prepared::new(&master.impression(n, Condition::Unguided))
            })
            .collect();
        for a in &prints {
            for b in &prints {
                every_way_is_the_same(a, b);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn nor_do_they_for_fingers_that_nobody_has(a in contrived(), b in contrived()) {
            every_way_is_the_same(&a, &b);
        }
    }

    /// Few places and directions, so that edges repeat themselves and votes overflow what is collected at a
    /// time.
    fn contrived() -> impl Strategy<Value = Prepared> {
        let minutia = (0u16..12, 0u16..12, any::<u8>()).prop_map(|(x, y, angle)| Minutia {
            x: x * 30,
            y: y * 30,
            angle: angle & 0xe0,
            kind: MinutiaKind::Ending,
            quality: 50,
        });
        prop::collection::vec(minutia, 0..=70).prop_map(|minutiae| {
            let (position, impression) = (FingerPosition::RightThumb, Impression::LiveScanPlain);
            let capture = Capture { position, impression, quality: 50, width: 500, height: 500 };
            Prepared::new(&Template::new(capture, minutiae).unwrap())
        })
    }

    fn every_way_is_the_same(a: &Prepared, b: &Prepared) {
        let expected = compare_portable(a, b);
        assert_eq!(compare_ordered(a, b), expected);
        #[cfg(target_arch = "x86_64")]
        if has_avx2() {
            // SAFETY: the processor was asked for the instructions of each.
            assert_eq!(unsafe { compare_avx2(a, b) }, expected);
            if has_avx512() {
                // SAFETY: as above.
                assert!(unsafe { votes::local_avx512(a, b) } == votes::local(a, b));
            }
        }
    }
}
