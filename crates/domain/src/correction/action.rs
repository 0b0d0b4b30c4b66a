//! What somebody does about a case, and which office may.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::CaseState;
use crate::actor::Actor;
use crate::field::{Field, Part};
use crate::id::DocumentId;
use crate::profile::Correction;

/// For which office somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Desk {
    /// The police office that keeps the register.
    Clerk,
    /// The team or post that takes applications.
    Officer,
    /// The justice office (tư pháp – hộ tịch).
    Justice,
    /// Whoever is in command of the unit, to whom a case that is late goes.
    Commander,
}

impl Desk {
    /// In the order of the way.
    pub const ALL: [Desk; 4] = [Desk::Clerk, Desk::Officer, Desk::Justice, Desk::Commander];

    /// Stable code, as stored in `correction_action.desk`; that of the role of an account.
    pub const fn code(self) -> &'static str {
        match self {
            Desk::Clerk => "clerk",
            Desk::Officer => "officer",
            Desk::Justice => "justice",
            Desk::Commander => "commander",
        }
    }

    /// The inverse of [`Desk::code`]; `None` for any other text, roles without cases among them.
    pub fn from_code(code: &str) -> Option<Desk> {
        Desk::ALL.into_iter().find(|desk| desk.code() == code)
    }
}

/// What is asked for: one value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub field: Field,
    pub part: Part,
    /// What the register states, as it stores it.
    pub register_value: Option<String>,
    /// What it should state; `None` when it should state nothing.
    pub claimed_value: Option<String>,
}

/// What the justice office found of one item.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub field: Field,
    pub part: Part,
    pub answer: Answer,
}

/// The answer to an item. Personal data: `Debug` shows which answer, and no value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The paper states this value; `None` when nothing is to be stated any more.
    Grant(Option<String>),
    /// The register stays as it is.
    Refuse,
}

/// One recorded action. Beside it the store keeps when, who, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum CaseAction {
    /// A case is opened.
    Request { kind: Correction, items: Vec<Claim> },
    /// Somebody of the justice office takes it. `verifies`: it must be verified with others first, which
    /// takes the longer limit.
    Take { verifies: bool },
    /// The paper is issued, with an answer to each item.
    IssuePaper { document: DocumentId, findings: Vec<Finding> },
    /// What was granted is in the register.
    Apply,
    /// No ground was found.
    Refuse,
    /// It is asked for no more.
    Withdraw,
    /// It is given to somebody of the justice office.
    Reassign { to: Actor },
}

impl CaseAction {
    /// What is done, without what it says.
    pub const fn verb(&self) -> Verb {
        match self {
            CaseAction::Request { .. } => Verb::Request,
            CaseAction::Take { .. } => Verb::Take,
            CaseAction::IssuePaper { .. } => Verb::IssuePaper,
            CaseAction::Apply => Verb::Apply,
            CaseAction::Refuse => Verb::Refuse,
            CaseAction::Withdraw => Verb::Withdraw,
            CaseAction::Reassign { .. } => Verb::Reassign,
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Request,
    Take,
    IssuePaper,
    Apply,
    Refuse,
    Withdraw,
    Reassign,
}

impl Verb {
    /// In the order of the way.
    pub const ALL: [Verb; 7] = [
        Verb::Request,
        Verb::Take,
        Verb::IssuePaper,
        Verb::Apply,
        Verb::Refuse,
        Verb::Withdraw,
        Verb::Reassign,
    ];

    /// Stable code, as stored in `correction_action.action`.
    pub const fn code(self) -> &'static str {
        match self {
            Verb::Request => "request",
            Verb::Take => "take",
            Verb::IssuePaper => "issue_paper",
            Verb::Apply => "apply",
            Verb::Refuse => "refuse",
            Verb::Withdraw => "withdraw",
            Verb::Reassign => "reassign",
        }
    }

    /// The inverse of [`Verb::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.code() == code)
    }

    /// Whether the office may do it.
    pub const fn is_for(self, desk: Desk) -> bool {
        match self {
            Verb::Request | Verb::Withdraw => matches!(desk, Desk::Clerk | Desk::Officer),
            Verb::Take | Verb::IssuePaper | Verb::Refuse => matches!(desk, Desk::Justice),
            Verb::Apply => matches!(desk, Desk::Clerk),
            Verb::Reassign => matches!(desk, Desk::Justice | Desk::Commander),
        }
    }

    /// Whether a case in this state can have it.
    pub const fn is_possible_in(self, state: CaseState) -> bool {
        match self {
            Verb::Request => false,
            Verb::Take => matches!(state, CaseState::Requested),
            Verb::IssuePaper => matches!(state, CaseState::Taken),
            Verb::Apply => matches!(state, CaseState::PaperIssued),
            Verb::Refuse => matches!(state, CaseState::Taken | CaseState::PaperIssued),
            Verb::Withdraw => matches!(state, CaseState::Requested | CaseState::Taken),
            Verb::Reassign => state.is_open(),
        }
    }

    /// Whether it is recorded only with a reason.
    pub const fn needs_reason(self) -> bool {
        match self {
            Verb::Refuse | Verb::Withdraw | Verb::Reassign => true,
            Verb::Request | Verb::Take | Verb::IssuePaper | Verb::Apply => false,
        }
    }

    /// The offices that may do it, in words.
    pub(super) fn offices(self) -> String {
        let offices = Desk::ALL.into_iter().filter(|desk| self.is_for(*desk)).map(Desk::code);
        offices.collect::<Vec<_>>().join(" or ")
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("field", &self.field).field("part", &self.part).finish_non_exhaustive()
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finding")
            .field("field", &self.field)
            .field("part", &self.part)
            .field("answer", &self.answer)
            .finish()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::Grant(_) => "Grant",
            Answer::Refuse => "Refuse",
        })
    }
}
