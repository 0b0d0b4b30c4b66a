//! What may be decided without a human.

use crate::index::Candidate;

/// What a weight alone must not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caution {
    None,
    /// The same personal identification number, and neither name nor date of birth contradicts.
    PinConfirmed,
    /// The same number with another name or another date of birth: a slip of the pen or an impostor. Never
    /// linked.
    PinContradicted,
    /// Both have a number and they differ by more than a slip. Never linked: re-issued numbers go to a clerk.
    PinDiffers,
    /// Recorded with different sexes. Never linked without the number.
    SexDiffers,
}

/// Weights in bits (log₂ odds), so that steps mean the same everywhere on the scale.
///
/// The defaults: **link** at 12 bits, one expected error in 4,096 decisions *at the threshold itself*. True
/// pairs without any number and without a slip weigh about 16 bits (the rival being a brother or sister of
/// the same name), with a number 25 and more; the heaviest wrong candidate seen in 100,000 searches of
/// invented registers of up to three million was 9.5 (`examples/search.rs`). **lead** of 8 bits: the second
/// candidate must be 256 times less likely, so that equal or twin records are a case and not a coin toss.
/// **review** from −2 bits (p = 0.2): below, a person's time is better spent on fingerprints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    pub link: f64,
    pub lead: f64,
    pub review: f64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds { link: 12.0, lead: 8.0, review: -2.0 }
    }
}

/// What follows from the candidates of one record. Nothing is changed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Link(u128),
    /// Records for a human to compare, likeliest first.
    Review(Vec<u128>),
    NoMatch,
}

/// Links only the best candidate, only above the threshold, only clearly ahead of the next, and only if no
/// number speaks against it. Another candidate with the same PIN, or one whose facts contradict it, makes the
/// question a case. `candidates` need not be sorted.
pub fn decide(candidates: &[Candidate], thresholds: Thresholds) -> Decision {
    let mut sorted = candidates.to_vec();
    sorted.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.id.cmp(&b.id)));
    let is_reviewable = |c: &&Candidate| {
        c.weight >= thresholds.review || matches!(c.caution, Caution::PinContradicted | Caution::PinConfirmed)
    };
    let review: Vec<u128> = sorted.iter().filter(is_reviewable).map(|c| c.id).collect();
    let Some(best) = sorted.iter().find(is_reviewable) else { return Decision::NoMatch };
    // Someone else with the same number makes it a case, whoever weighs more.
    let disputed = sorted.iter().any(|c| match c.caution {
        Caution::PinContradicted => true,
        Caution::PinConfirmed => c.id != best.id,
        Caution::None | Caution::PinDiffers | Caution::SexDiffers => false,
    });
    let second = sorted.iter().find(|c| c.id != best.id);
    let ahead = second.is_none_or(|second| best.weight - second.weight >= thresholds.lead);
    let allowed = matches!(best.caution, Caution::None | Caution::PinConfirmed);
    if best.weight >= thresholds.link && ahead && allowed && !disputed {
        return Decision::Link(best.id);
    }
    Decision::Review(review)
}
