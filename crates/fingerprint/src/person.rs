//! Several fingers of one person against several of another.

use crate::Prepared;
use crate::params::{FUSION_FINGERS, IMPOSTOR_MEAN, MAX_FINGER_EVIDENCE};
use crate::verify::compare;

/// The outcome of comparing two sets of fingers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PersonComparison {
    /// Compare with [`crate::params::PERSON_THRESHOLD`].
    pub score: f32,
    /// How many positions both sets hold.
    pub fingers: u8,
}

/// Fuses the comparisons of all positions both sides hold. The best capture counts where a side holds a finger twice.
///
/// Each finger gives its score less the score strangers reach on average, so that ten indifferent fingers do not add up to
/// a match; the sum is divided by the square root of their number, which keeps the spread of strangers' scores the
/// same for any number of fingers, so that one threshold serves all.
pub fn compare_person(first: &[Prepared], second: &[Prepared]) -> PersonComparison {
    let mut best = [None::<f32>; 11];
    for a in first {
        for b in second.iter().filter(|b| b.position() == a.position()) {
            let score = compare(a, b).score;
            let slot = &mut best[usize::from(a.position().code())];
            *slot = Some(slot.map_or(score, |s| s.max(score)));
        }
    }
    fuse(best[1..].iter().flatten().copied())
}

pub(crate) fn fuse(scores: impl Iterator<Item = f32>) -> PersonComparison {
    let (mut sum, mut fingers) = (0.0, 0u8);
    for score in scores {
        sum += (score - IMPOSTOR_MEAN).min(MAX_FINGER_EVIDENCE);
        fingers += 1;
    }
    PersonComparison { score: sum / f32::from(fingers.max(FUSION_FINGERS)).sqrt(), fingers }
}
