//! The 1:1 check at hand-over.

use fingerprint::params::PERSON_THRESHOLD;
use fingerprint::{Prepared, Template, compare_person};

/// Fingers of whoever stands there, beside those of whoever applied.
#[derive(Debug, Clone)]
pub struct Presented {
    pub enrolled: Vec<Template>,
    pub probe: Vec<Template>,
}

/// How the fingers of whoever came compare with those that were enrolled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Check {
    /// Fused over the fingers that both sides hold; see `fingerprint::compare_person`.
    pub score: f32,
    pub matches: bool,
}

/// Compares the fingers present on both sides. Without a common finger nothing matches.
pub fn check(presented: &Presented) -> Check {
    let prepare = |templates: &[Template]| templates.iter().map(Prepared::new).collect::<Vec<_>>();
    let compared = compare_person(&prepare(&presented.enrolled), &prepare(&presented.probe));
    Check { score: compared.score, matches: compared.fingers > 0 && compared.score >= PERSON_THRESHOLD }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fingerprint::synthetic::{Condition, person_masters};

    fn fingers(person: u64, impression: u64) -> Vec<Template> {
        person_masters(person)[..4]
            .iter()
            .map(|master| master.impression(impression, Condition::Station))
            .collect()
    }

    #[test]
    fn the_holder_matches_and_a_stranger_does_not() {
        let same = Presented { enrolled: fingers(1, 1), probe: fingers(1, 2) };
        let other = Presented { enrolled: fingers(1, 1), probe: fingers(2, 2) };
        assert!(check(&same).matches, "{:?}", check(&same));
        assert!(!check(&other).matches, "{:?}", check(&other));
        assert!(!check(&Presented { enrolled: fingers(1, 1), probe: vec![] }).matches);
    }
}
