//! What people decide about a case, and what they do on the way there.

use domain::id::PersonId;

/// What two people decide about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The application is this register record's.
    Link(PersonId),
    /// The application is the same person's second one: rejected. Of two register records: merged.
    SamePerson,
    /// Whoever looks alike is somebody else: the application goes on with the case's person. Two register
    /// records stay.
    Different,
    /// Rejected for another reason, by its code.
    Reject(String),
}

impl Decision {
    /// Why an application is rejected when an adjudicator says no more than that it is.
    pub const BY_ADJUDICATOR: &str = "by_adjudicator";

    /// The decision of a stored code, with whom `link` links to and why `reject` rejects.
    pub fn from_parts(code: &str, person: Option<PersonId>, reason: Option<&str>) -> Option<Decision> {
        match code {
            "link" => person.map(Decision::Link),
            "same_person" => Some(Decision::SamePerson),
            "different_people" => Some(Decision::Different),
            "reject" => Some(Decision::Reject(reason.unwrap_or(Decision::BY_ADJUDICATOR).to_owned())),
            _ => None,
        }
    }

    /// Stable code, as stored.
    pub const fn code(&self) -> &'static str {
        match self {
            Decision::Link(_) => "link",
            Decision::SamePerson => "same_person",
            Decision::Different => "different_people",
            Decision::Reject(_) => "reject",
        }
    }

    /// Whom `link` links to.
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Decision::Link(person) => Some(*person),
            Decision::SamePerson | Decision::Different | Decision::Reject(_) => None,
        }
    }

    /// Why `reject` rejects.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Decision::Reject(code) => Some(code),
            Decision::Link(_) | Decision::SamePerson | Decision::Different => None,
        }
    }
}

/// What somebody does about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Propose(Decision),
    /// Agrees with what a colleague proposed, which is carried out.
    Confirm,
    /// Says why a colleague's proposal is wrong: the case is open again, for a third pair of eyes.
    Disagree,
    /// Takes one's own proposal back.
    Withdraw,
    /// Takes a decision back that was carried out, with what it did as far as that can be taken back.
    Reopen,
}

/// An act without what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActKind {
    Propose,
    Confirm,
    Disagree,
    Withdraw,
    Reopen,
}

impl ActKind {
    /// Every act.
    pub const ALL: [ActKind; 5] =
        [ActKind::Propose, ActKind::Confirm, ActKind::Disagree, ActKind::Withdraw, ActKind::Reopen];

    /// Stable code, as stored.
    pub const fn code(self) -> &'static str {
        match self {
            ActKind::Propose => "propose",
            ActKind::Confirm => "confirm",
            ActKind::Disagree => "disagree",
            ActKind::Withdraw => "withdraw",
            ActKind::Reopen => "reopen",
        }
    }

    /// The act of a stored code.
    pub fn from_code(code: &str) -> Option<ActKind> {
        ActKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whoever does it must say why.
    pub const fn needs_reason(self) -> bool {
        matches!(self, ActKind::Disagree | ActKind::Reopen)
    }
}

impl Act {
    /// Which act it is.
    pub const fn kind(&self) -> ActKind {
        match self {
            Act::Propose(_) => ActKind::Propose,
            Act::Confirm => ActKind::Confirm,
            Act::Disagree => ActKind::Disagree,
            Act::Withdraw => ActKind::Withdraw,
            Act::Reopen => ActKind::Reopen,
        }
    }
}
