//! The custody ledger: every count reconciles with the next, or says which applications do not.

use crate::Error;
use domain::application::State;
use domain::id::ApplicationId;
use store::report::{self as rows, Evidence, EvidenceCount};
use store::{PgConnection, UnitScope};

/// An application on which two sources disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub application: ApplicationId,
    /// Stable code: `evidence_only` (the evidence has it, its state does not say so) or `state_only` (the
    /// reverse).
    pub what: &'static str,
}

/// One identity: the left side counted from evidence, the right side from the states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Stable code of the left side: `captured`, `received`, …
    pub code: &'static str,
    pub left: i64,
    /// The right side's terms by their stable codes.
    pub terms: Vec<(&'static str, i64)>,
    /// Applications on which the sides disagree, at most [`MOST_DIFFERENCES`]; empty when the identity holds.
    pub differences: Vec<Difference>,
    /// How many there are in all.
    pub difference_count: i64,
}

/// How many differences of one identity are listed.
pub const MOST_DIFFERENCES: usize = 500;

impl Identity {
    /// Both sides are equal, and application by application.
    pub fn holds(&self) -> bool {
        self.difference_count == 0 && self.left == self.terms.iter().map(|(_, n)| n).sum::<i64>()
    }
}

/// What each identity compares. The first state is the one that an application has reached at least when the
/// evidence knows it.
struct Rule {
    code: &'static str,
    evidence: Evidence,
    terms: &'static [(&'static str, &'static [State])],
}

use State as S;

const RULES: [Rule; 7] = [
    Rule {
        code: "captured",
        evidence: Evidence::Captured,
        terms: &[
            ("on_kits", &[S::Captured]),
            (
                "received",
                &[
                    S::Received,
                    S::InCase,
                    S::Rejected,
                    S::Accepted,
                    S::Batched,
                    S::Printed,
                    S::ToDistrict,
                    S::AtDistrict,
                    S::ToUnit,
                    S::AtUnit,
                    S::HandedOver,
                ],
            ),
        ],
    },
    Rule {
        code: "received",
        evidence: Evidence::Packets,
        terms: &[
            (
                "accepted",
                &[
                    S::Accepted,
                    S::Batched,
                    S::Printed,
                    S::ToDistrict,
                    S::AtDistrict,
                    S::ToUnit,
                    S::AtUnit,
                    S::HandedOver,
                ],
            ),
            ("rejected", &[S::Rejected]),
            ("pending", &[S::Received, S::InCase]),
        ],
    },
    Rule {
        code: "accepted",
        evidence: Evidence::AcceptActions,
        terms: &[
            ("in_production", &[S::Accepted, S::Batched]),
            ("printed", &[S::Printed, S::ToDistrict, S::AtDistrict, S::ToUnit, S::AtUnit, S::HandedOver]),
        ],
    },
    Rule {
        code: "printed",
        evidence: Evidence::BatchesPrinted,
        terms: &[
            ("dispatched", &[S::ToDistrict, S::AtDistrict, S::ToUnit, S::AtUnit, S::HandedOver]),
            ("in_store", &[S::Printed]),
        ],
    },
    Rule {
        code: "dispatched",
        evidence: Evidence::ConsignedToDistrict,
        terms: &[
            ("at_unit", &[S::AtUnit, S::HandedOver]),
            ("in_transit", &[S::ToDistrict, S::AtDistrict, S::ToUnit]),
        ],
    },
    Rule {
        code: "at_unit",
        evidence: Evidence::CountedAtCommune,
        terms: &[("handed_over", &[S::HandedOver]), ("waiting", &[S::AtUnit])],
    },
    Rule {
        code: "handed_over",
        evidence: Evidence::ActiveCards,
        terms: &[("handed_over", &[S::HandedOver])],
    },
];

/// All identities below `scope`, in the order of the flow.
pub async fn ledger(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<Identity>, Error> {
    let counts = rows::evidence_counts(conn, scope).await?;
    let mut identities = Vec::new();
    for rule in &RULES {
        let sum = |wanted: &dyn Fn(&EvidenceCount) -> bool| -> i64 {
            counts.iter().filter(|count| wanted(count)).map(|count| count.count).sum()
        };
        let is_in =
            |states: &[State], count: &EvidenceCount| count.state.is_some_and(|s| states.contains(&s));
        let states: Vec<State> = rule.terms.iter().flat_map(|(_, states)| states.iter().copied()).collect();
        let difference_count = sum(&|count| count.knows(rule.evidence) != is_in(&states, count));
        let differences = match difference_count {
            0 => Vec::new(),
            _ => list_differences(conn, scope, rule.evidence, &states).await?,
        };
        identities.push(Identity {
            code: rule.code,
            left: sum(&|count| count.knows(rule.evidence)),
            terms: rule
                .terms
                .iter()
                .map(|(code, states)| (*code, sum(&|count| is_in(states, count))))
                .collect(),
            differences,
            difference_count,
        });
    }
    Ok(identities)
}

async fn list_differences(
    conn: &mut PgConnection,
    scope: &UnitScope,
    evidence: Evidence,
    states: &[State],
) -> Result<Vec<Difference>, Error> {
    let found = rows::differences(conn, scope, evidence, states, MOST_DIFFERENCES as i64).await?;
    let list = |ids: Vec<ApplicationId>, what| {
        ids.into_iter().map(move |application| Difference { application, what })
    };
    let evidence_only = list(found.evidence_only, "evidence_only");
    Ok(evidence_only.chain(list(found.state_only, "state_only")).take(MOST_DIFFERENCES).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_identity_covers_each_state_at_most_once_and_the_chain_has_no_hole() {
        for rule in &RULES {
            let states: Vec<State> = rule.terms.iter().flat_map(|(_, s)| s.iter().copied()).collect();
            assert!(
                State::ALL.iter().all(|s| states.iter().filter(|t| *t == s).count() <= 1),
                "{}",
                rule.code
            );
        }
        let covered = |i: usize| RULES[i].terms.iter().map(|(_, s)| s.len()).sum::<usize>();
        assert_eq!((0..7).map(covered).collect::<Vec<_>>(), [12, 11, 8, 6, 5, 2, 1]);
    }
}
