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
/// Finger positions are not looked at: the caller decides which fingers to compare. The work is bounded whatever the templates
/// hold: 60 minutiae and 660 edges a side, 48 candidates and 16 alignments.
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
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
        // SAFETY: the processor was asked for both kinds of instructions.
        return unsafe { compare_avx2(a, b) };
    }
    compare_portable(a, b)
}

/// The same steps in wider vectors. Every operation rounds as the portable one does, since the compiler neither fuses nor reorders
/// them, so the result is the same to the last bit.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1")]
fn compare_avx2(a: &Prepared, b: &Prepared) -> Comparison {
    compare_portable(a, b)
}

/// Room for all minutiae of a finger in whole vectors, and one bit for each in a `u64`.
const WIDTH: usize = 64;

const _: () = assert!(MAX_PREPARED <= WIDTH);

#[inline(always)]
fn compare_portable(a: &Prepared, b: &Prepared) -> Comparison {
    let nothing = Comparison { score: 0.0, pairs: Vec::new() };
    if a.points.len() < 3 || b.points.len() < 3 {
        return nothing;
    }
    let votes = votes::local(a, b);
    let mut candidates = Candidates::best(&votes, a, b);
    candidates.relax();
    let surface = Surface::new(a, b);
    let Some(aligned) = surface.align(&candidates) else { return nothing };
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
    use crate::FingerPosition;
    use crate::synthetic::{Condition, Master};

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
                assert_eq!(compare_ordered(a, b), compare_portable(a, b));
            }
        }
    }
}
