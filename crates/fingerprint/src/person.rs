//! Several fingers of one person against several of another.

use crate::Prepared;
#[cfg(doc)]
use crate::params::PERSON_THRESHOLD;
use crate::params::{
    FALSE_MATCH_DECADE, FALSE_MATCH_POINT, FINGER_FALSE_MATCH_DECADE, FINGER_FALSE_MATCH_POINT,
    FUSION_FINGERS, IMPOSTOR_CHOICE, IMPOSTOR_MEAN, MAX_FINGER_EVIDENCE,
};
use crate::verify::compare;

/// The outcome of comparing two sets of fingers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PersonComparison {
    /// Compare with [`crate::params::PERSON_THRESHOLD`].
    pub score: f32,
    /// How many positions both sets hold.
    pub fingers: u8,
}

/// Fuses the comparisons of all positions both sides hold. The best capture counts where a side holds a
/// finger twice.
///
/// Each finger gives its score less the score strangers reach on average, so that ten indifferent fingers do
/// not add up to a match; the sum is divided by the square root of their number, which keeps the spread of
/// strangers' scores the same for any number of fingers, so that one threshold serves all.
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

/// How often two different people reach a fused score, by the line that [`PERSON_THRESHOLD`] explains.
///
/// For ten fingers; fewer than four spread less, so that for them it is an upper estimate. Below the measured
/// range the answer is 1e-3.
pub fn false_match_rate(score: f32) -> f64 {
    let (at, rate) = FALSE_MATCH_POINT;
    let decades = f64::from((score - at) / FALSE_MATCH_DECADE);
    (rate / 10f64.powf(decades)).min(1e-3)
}

/// The fused score at which a search of so many people gives so many false hits on average.
pub fn threshold_for(people: usize, false_hits_per_search: f64) -> f32 {
    let (at, rate) = FALSE_MATCH_POINT;
    let wanted = (false_hits_per_search / people.max(1) as f64).clamp(1e-30, 1e-3);
    at + FALSE_MATCH_DECADE * (rate / wanted).log10() as f32
}

/// The score of a single pair at which looking at so many pairs of fingers gives so many false hits on
/// average, by the line that [`crate::params::FINGER_FALSE_MATCH_POINT`] begins.
pub fn finger_threshold_for(pairs: usize, false_hits: f64) -> f32 {
    let (at, rate) = FINGER_FALSE_MATCH_POINT;
    let wanted = (false_hits / pairs.max(1) as f64).clamp(1e-30, rate);
    at + FINGER_FALSE_MATCH_DECADE * (rate / wanted).log10() as f32
}

pub(crate) fn fuse(scores: impl Iterator<Item = f32>) -> PersonComparison {
    fuse_found_among(scores.map(|score| (score, 1)))
}

/// As [`fuse`], of scores that are each the greatest of so many: strangers reach more where there is a
/// choice.
pub(crate) fn fuse_found_among(scores: impl Iterator<Item = (f32, u8)>) -> PersonComparison {
    let (mut sum, mut fingers) = (0.0, 0u8);
    for (score, among) in scores {
        let strangers = IMPOSTOR_MEAN + IMPOSTOR_CHOICE * f32::from(among.max(1)).ln();
        sum += (score - strangers).min(MAX_FINGER_EVIDENCE);
        fingers += 1;
    }
    PersonComparison { score: sum / f32::from(fingers.max(FUSION_FINGERS)).sqrt(), fingers }
}
