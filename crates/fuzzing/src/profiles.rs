//! Lists of the profile, as somebody would submit them.

use domain::profile::{self, Finding, List};

/// Whatever is wrong has a sentence and a place; a list without a finding has no day with two answers.
pub fn check(data: &[u8]) -> bool {
    let checked = match profile::check(data) {
        Ok(checked) => checked,
        Err(fault) => {
            assert!(fault.line == 1 && !fault.to_string().is_empty());
            return false;
        }
    };
    assert_eq!(checked.marks.iter().sum::<usize>(), checked.rows);
    assert!(checked.rows < data.len());
    for finding in &checked.findings {
        assert!(!finding.to_string().is_empty());
        match finding {
            Finding::Fault(fault) => assert!(fault.line >= 1),
            Finding::Overlap { lines: [one, other], days, .. } => {
                assert!(one != other && days.last.is_none_or(|last| days.first <= last));
            }
            Finding::Gap { subjects, days } => {
                assert!(!subjects.is_empty() && days.last.is_none_or(|last| days.first <= last));
            }
        }
    }
    checked.findings.is_empty()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    List::ALL.map(|list| list.csv().as_bytes().to_vec()).to_vec()
}
