//! A case of correction (hồ sơ cải chính): what is asked for, item by item, who may do what about it, and
//! what it leads to.
//!
//! ```text
//! requested → taken → paper issued → applied
//!     │         │           └──────→ refused
//!     │         ├──────────────────→ refused
//!     └─────────┴──────────────────→ withdrawn
//! ```
//! The office that keeps the register asks, and applies what was found; the justice office finds out, issues
//! the paper or refuses. So each correction passes through two offices. A case is the fold of its actions.

mod action;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

pub use action::{Answer, CaseAction, Claim, Desk, Finding, Verb};

use crate::actor::Actor;
use crate::field::{Field, Part};
use crate::id::DocumentId;
use crate::profile::Correction;

/// Items of one case at most: as many as a record has, with their parts.
pub const MOST_ITEMS: usize = 24;

/// From whom the difference is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The officer who took the application saw it.
    Officer,
    /// The citizen said so.
    Citizen,
    /// The clerk who keeps the register found it.
    Clerk,
    /// A rule of quality found it.
    QualityRule,
    /// It stands on the list of an agency.
    AgencyList,
}

impl Source {
    /// In the order in which they are offered.
    pub const ALL: [Source; 5] =
        [Source::Citizen, Source::Clerk, Source::Officer, Source::QualityRule, Source::AgencyList];

    /// Stable code, as stored in `correction_case.source`.
    pub const fn code(self) -> &'static str {
        match self {
            Source::Officer => "officer",
            Source::Citizen => "citizen",
            Source::Clerk => "clerk",
            Source::QualityRule => "quality_rule",
            Source::AgencyList => "agency_list",
        }
    }

    /// The inverse of [`Source::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Source> {
        Source::ALL.into_iter().find(|source| source.code() == code)
    }
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseState {
    /// It waits for the justice office.
    Requested,
    /// Somebody of the justice office looks into it.
    Taken,
    /// The paper is there; the register waits for it.
    PaperIssued,
    /// The register says what the paper says.
    Applied,
    /// The justice office found no ground.
    Refused,
    /// Whoever asked asks no more.
    Withdrawn,
}

impl CaseState {
    /// In the order of the way.
    pub const ALL: [CaseState; 6] = [
        CaseState::Requested,
        CaseState::Taken,
        CaseState::PaperIssued,
        CaseState::Applied,
        CaseState::Refused,
        CaseState::Withdrawn,
    ];

    /// Stable code, as stored in `correction_case.state`.
    pub const fn code(self) -> &'static str {
        match self {
            CaseState::Requested => "requested",
            CaseState::Taken => "taken",
            CaseState::PaperIssued => "paper_issued",
            CaseState::Applied => "applied",
            CaseState::Refused => "refused",
            CaseState::Withdrawn => "withdrawn",
        }
    }

    /// The inverse of [`CaseState::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<CaseState> {
        CaseState::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether somebody still has something to do.
    pub const fn is_open(self) -> bool {
        match self {
            CaseState::Requested | CaseState::Taken | CaseState::PaperIssued => true,
            CaseState::Applied | CaseState::Refused | CaseState::Withdrawn => false,
        }
    }
}

/// What became of an item.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody has said.
    Open,
    /// The paper states this value; the register waits for it.
    Granted(Option<String>),
    /// The register says it now.
    Applied(Option<String>),
    /// The register stays as it is.
    Refused,
}

impl Outcome {
    /// Stable code, as stored in `correction_item.outcome`.
    pub const fn code(&self) -> &'static str {
        match self {
            Outcome::Open => "open",
            Outcome::Granted(_) => "granted",
            Outcome::Applied(_) => "applied",
            Outcome::Refused => "refused",
        }
    }

    /// The value that the paper states, of an item that was granted.
    pub const fn value(&self) -> Option<&Option<String>> {
        match self {
            Outcome::Granted(value) | Outcome::Applied(value) => Some(value),
            Outcome::Open | Outcome::Refused => None,
        }
    }

    /// The outcome of this code with this value; `None` when there is none.
    pub fn from_parts(code: &str, value: Option<String>) -> Option<Outcome> {
        match code {
            "open" => Some(Outcome::Open),
            "granted" => Some(Outcome::Granted(value)),
            "applied" => Some(Outcome::Applied(value)),
            "refused" => Some(Outcome::Refused),
            _ => None,
        }
    }
}

/// One value that is asked for. Personal data: `Debug` shows the outcome's code alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// What the register stated when the case was opened.
    pub register_value: Option<String>,
    /// What it should state.
    pub claimed_value: Option<String>,
    pub outcome: Outcome,
}

/// A case as its actions lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Which limit it has.
    pub kind: Correction,
    pub state: CaseState,
    /// Who asked.
    pub requested_by: Actor,
    /// Who has it; nobody before somebody of the justice office took it or was given it.
    pub owner: Option<Actor>,
    /// The paper, once it is issued.
    pub document: Option<DocumentId>,
    pub items: BTreeMap<(Field, Part), Item>,
    /// How many actions were recorded.
    pub actions: u16,
}

/// Who acts, and for which office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    pub actor: Actor,
    pub desk: Desk,
}

/// Why an action is not recorded. It names fields and never values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaseRefusal {
    /// Something else than the request came first, or the request a second time.
    #[error("a case begins with its request, and has one")]
    Beginning,
    /// The state does not have it.
    #[error(
        "`{}` is not possible in the state `{}`; open the case again to see where it stands",
        .verb.code(), .state.code()
    )]
    NotNow { state: CaseState, verb: Verb },
    /// Another office does that.
    #[error("`{}` is not for the office `{}`; it is for {}", .verb.code(), .desk.code(), .verb.offices())]
    NotYours { desk: Desk, verb: Verb },
    /// Somebody else has the case.
    #[error("a colleague has this case; ask them, or have it reassigned")]
    NotOwner,
    /// It is theirs already.
    #[error("the case is already with this account; name another")]
    SameOwner,
    /// Nothing is asked for.
    #[error("no value is asked for; name one field at least")]
    NoItem,
    /// More items than a record has values.
    #[error("a case has at most {MOST_ITEMS} items")]
    TooMany,
    /// The number is not corrected by a case.
    #[error("the personal number is cancelled and established anew, never corrected")]
    Number,
    /// What is claimed is what the register states.
    #[error("the register states this value of {0} already; leave the item out")]
    Nothing(Field),
    /// An item twice.
    #[error("the field {0} is given twice; give one value")]
    Twice(Field),
    /// An item without an answer.
    #[error("the item {0} has no answer; grant or refuse each")]
    Unanswered(Field),
    /// An answer to what was not asked.
    #[error("the case has no item {0}")]
    NoSuchItem(Field),
    /// A paper that grants nothing.
    #[error("every item is refused; refuse the case instead of issuing a paper")]
    NothingGranted,
}

/// The case after `action`, or why it cannot happen. `case` is `None` before the request.
///
/// # Errors
/// The first thing that stands against it.
pub fn case_next(case: Option<&Case>, by: &By, action: &CaseAction) -> Result<Case, CaseRefusal> {
    may(case, by, action.verb())?;
    let case = match (case, action) {
        (None, CaseAction::Request { kind, items }) => return requested(*kind, items, by),
        (None, _) => return Err(CaseRefusal::Beginning),
        (Some(case), _) => case,
    };
    let mut next = Case { actions: case.actions + 1, ..case.clone() };
    match action {
        CaseAction::Request { .. } => return Err(CaseRefusal::Beginning),
        CaseAction::Take { verifies } => {
            next.state = CaseState::Taken;
            next.owner = Some(by.actor.clone());
            if *verifies {
                next.kind = Correction::CorrectionVerified;
            }
        }
        CaseAction::IssuePaper { document, findings } => {
            answered(&mut next.items, findings)?;
            next.state = CaseState::PaperIssued;
            next.document = Some(*document);
        }
        CaseAction::Apply => {
            next.state = CaseState::Applied;
            for item in next.items.values_mut() {
                if let Outcome::Granted(value) = &item.outcome {
                    item.outcome = Outcome::Applied(value.clone());
                }
            }
        }
        CaseAction::Refuse => {
            next.state = CaseState::Refused;
            next.items.values_mut().for_each(|item| item.outcome = Outcome::Refused);
        }
        CaseAction::Withdraw => next.state = CaseState::Withdrawn,
        CaseAction::Reassign { to } => {
            if case.owner.as_ref() == Some(to) {
                return Err(CaseRefusal::SameOwner);
            }
            next.owner = Some(to.clone());
        }
    }
    Ok(next)
}

/// Whether somebody may do this now, whatever it says.
///
/// # Errors
/// The first thing that stands against it.
pub fn may(case: Option<&Case>, by: &By, verb: Verb) -> Result<(), CaseRefusal> {
    if !verb.is_for(by.desk) {
        return Err(CaseRefusal::NotYours { desk: by.desk, verb });
    }
    let Some(case) = case else {
        return if verb == Verb::Request { Ok(()) } else { Err(CaseRefusal::Beginning) };
    };
    if verb == Verb::Request {
        return Err(CaseRefusal::Beginning);
    }
    if !verb.is_possible_in(case.state) {
        return Err(CaseRefusal::NotNow { state: case.state, verb });
    }
    let is_owners = matches!(verb, Verb::Take | Verb::IssuePaper | Verb::Refuse);
    if is_owners && case.owner.as_ref().is_some_and(|owner| *owner != by.actor) {
        return Err(CaseRefusal::NotOwner);
    }
    Ok(())
}

/// The case that a history leads to; `None` for an empty one.
///
/// # Errors
/// Those of [`case_next`].
pub fn fold<'a>(
    history: impl IntoIterator<Item = (&'a By, &'a CaseAction)>,
) -> Result<Option<Case>, CaseRefusal> {
    history.into_iter().try_fold(None, |case, (by, action)| case_next(case.as_ref(), by, action).map(Some))
}

fn requested(kind: Correction, claims: &[Claim], by: &By) -> Result<Case, CaseRefusal> {
    if claims.is_empty() {
        return Err(CaseRefusal::NoItem);
    }
    if claims.len() > MOST_ITEMS {
        return Err(CaseRefusal::TooMany);
    }
    let mut items = BTreeMap::new();
    for claim in claims {
        if claim.field == Field::Pin {
            return Err(CaseRefusal::Number);
        }
        if claim.register_value == claim.claimed_value {
            return Err(CaseRefusal::Nothing(claim.field));
        }
        let item = Item {
            register_value: claim.register_value.clone(),
            claimed_value: claim.claimed_value.clone(),
            outcome: Outcome::Open,
        };
        if items.insert((claim.field, claim.part), item).is_some() {
            return Err(CaseRefusal::Twice(claim.field));
        }
    }
    Ok(Case {
        kind,
        state: CaseState::Requested,
        requested_by: by.actor.clone(),
        owner: None,
        document: None,
        items,
        actions: 1,
    })
}

/// Writes what was found of each item.
fn answered(items: &mut BTreeMap<(Field, Part), Item>, findings: &[Finding]) -> Result<(), CaseRefusal> {
    let mut is_any_granted = false;
    for finding in findings {
        let key = (finding.field, finding.part);
        let item = items.get_mut(&key).ok_or(CaseRefusal::NoSuchItem(finding.field))?;
        if item.outcome != Outcome::Open {
            return Err(CaseRefusal::Twice(finding.field));
        }
        item.outcome = match &finding.answer {
            Answer::Grant(value) if *value == item.register_value => {
                return Err(CaseRefusal::Nothing(finding.field));
            }
            Answer::Grant(value) => {
                is_any_granted = true;
                Outcome::Granted(value.clone())
            }
            Answer::Refuse => Outcome::Refused,
        };
    }
    if let Some(((field, _), _)) = items.iter().find(|(_, item)| item.outcome == Outcome::Open) {
        return Err(CaseRefusal::Unanswered(*field));
    }
    if is_any_granted { Ok(()) } else { Err(CaseRefusal::NothingGranted) }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
