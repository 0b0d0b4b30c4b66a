//! The life of one blank card: received in a box, used once or spoiled.
//!
//! ```text
//! in stock ─┬→ writing ─┬→ used
//!           │           └→ spoiled
//!           ├→ used        (a machine wrote it by itself)
//!           └→ spoiled
//! ```
//! It goes forward only, and its card never changes: what was begun on a blank is finished on it or spoiled
//! with it.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where a blank stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlankState {
    /// In the store, for no card yet.
    InStock,
    /// Taken for a card that is being written on it.
    Writing,
    /// It is a card. An end.
    Used,
    /// It is waste, and so is the card that was on it. An end.
    Spoiled,
}

impl BlankState {
    /// Every state, in the order of the flow.
    pub const ALL: [BlankState; 4] =
        [BlankState::InStock, BlankState::Writing, BlankState::Used, BlankState::Spoiled];

    /// Stable code, as stored in `blank.state`.
    pub const fn code(self) -> &'static str {
        match self {
            BlankState::InStock => "in_stock",
            BlankState::Writing => "writing",
            BlankState::Used => "used",
            BlankState::Spoiled => "spoiled",
        }
    }

    /// The state of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether nothing can follow.
    pub const fn is_end(self) -> bool {
        match self {
            BlankState::Used | BlankState::Spoiled => true,
            BlankState::InStock | BlankState::Writing => false,
        }
    }
}

impl fmt::Display for BlankState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why a blank, and the card that was on it, is waste.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoilReason {
    /// The machine reported its card as bad.
    Printer,
    /// The chip answered with an error.
    Chip,
    /// What was read back from the chip is not right.
    Verification,
    /// Writing it was begun too often.
    Attempts,
    /// Its chip was terminated.
    Terminated,
    /// It is not where it should be.
    Lost,
    /// It was damaged.
    Damaged,
    /// The print is wrong.
    Misprinted,
    /// It does not work.
    Broken,
}

impl SpoilReason {
    /// Every reason: those that machines find, then those that people report.
    pub const ALL: [SpoilReason; 9] = [
        SpoilReason::Printer,
        SpoilReason::Chip,
        SpoilReason::Verification,
        SpoilReason::Attempts,
        SpoilReason::Terminated,
        SpoilReason::Lost,
        SpoilReason::Damaged,
        SpoilReason::Misprinted,
        SpoilReason::Broken,
    ];

    /// The reasons that people report.
    pub const REPORTED: [SpoilReason; 4] =
        [SpoilReason::Lost, SpoilReason::Damaged, SpoilReason::Misprinted, SpoilReason::Broken];

    /// Stable code, as stored in `blank.reason`.
    pub const fn code(self) -> &'static str {
        match self {
            SpoilReason::Printer => "printer",
            SpoilReason::Chip => "chip",
            SpoilReason::Verification => "verification",
            SpoilReason::Attempts => "attempts",
            SpoilReason::Terminated => "terminated",
            SpoilReason::Lost => "lost",
            SpoilReason::Damaged => "damaged",
            SpoilReason::Misprinted => "misprinted",
            SpoilReason::Broken => "broken",
        }
    }

    /// The reason of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// What happens to a blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlankAction {
    /// It came in a box.
    Receive,
    /// It is taken for a card, before anything is written.
    Take,
    /// Writing it is begun, the first time or again.
    Begin,
    /// It became its card.
    Finish,
    /// A machine that has its key used it up for a card.
    UseUp,
    /// It is waste.
    Spoil(SpoilReason),
}

impl BlankAction {
    /// Every action with each of its reasons.
    pub fn all() -> impl Iterator<Item = BlankAction> {
        [BlankAction::Receive, BlankAction::Take, BlankAction::Begin, BlankAction::Finish, BlankAction::UseUp]
            .into_iter()
            .chain(SpoilReason::ALL.map(BlankAction::Spoil))
    }

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            BlankAction::Receive => "receive",
            BlankAction::Take => "take",
            BlankAction::Begin => "begin",
            BlankAction::Finish => "finish",
            BlankAction::UseUp => "use_up",
            BlankAction::Spoil(_) => "spoil",
        }
    }
}

/// Why something cannot happen to a blank.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BlankError {
    /// It was not received.
    #[error("a blank begins with `receive`, not with `{}`; receive its box first", .0.code())]
    NoBeginning(BlankAction),
    /// It does not stand where the action begins.
    #[error("`{}` cannot follow the state `{state}` of a blank, which is used once", action.code())]
    NotAllowed {
        /// Where the blank stands.
        state: BlankState,
        /// What was to happen.
        action: BlankAction,
    },
}

/// The state after `action`, or why it cannot happen now. `state` is `None` before the first action.
///
/// # Errors
/// [`BlankError`], which names the state and the action.
pub fn next(state: Option<BlankState>, action: BlankAction) -> Result<BlankState, BlankError> {
    use BlankAction as A;
    use BlankState as S;
    let Some(state) = state else {
        return if action == A::Receive { Ok(S::InStock) } else { Err(BlankError::NoBeginning(action)) };
    };
    match (state, action) {
        (S::InStock, A::Take) | (S::Writing, A::Begin) => Ok(S::Writing),
        (S::Writing, A::Finish) | (S::InStock, A::UseUp) => Ok(S::Used),
        (S::InStock | S::Writing, A::Spoil(_)) => Ok(S::Spoiled),
        (state, action) => Err(BlankError::NotAllowed { state, action }),
    }
}

/// The state that a history of actions leads to; `None` for an empty history.
///
/// # Errors
/// The first action that could not happen.
pub fn fold(actions: impl IntoIterator<Item = BlankAction>) -> Result<Option<BlankState>, BlankError> {
    actions.into_iter().try_fold(None, |state, action| next(state, action).map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_and_action_is_allowed_exactly_where_the_table_says() {
        let allowed = [
            ("", "receive", "in_stock"),
            ("in_stock", "take", "writing"),
            ("in_stock", "use_up", "used"),
            ("in_stock", "spoil", "spoiled"),
            ("writing", "begin", "writing"),
            ("writing", "finish", "used"),
            ("writing", "spoil", "spoiled"),
        ];
        for state in std::iter::once(None).chain(BlankState::ALL.map(Some)) {
            for action in BlankAction::all() {
                let from = state.map_or("", BlankState::code);
                let row = allowed.iter().find(|(begin, code, _)| *begin == from && *code == action.code());
                let expected = row.map(|(_, _, to)| *to);
                assert_eq!(next(state, action).ok().map(BlankState::code), expected, "{from} {action:?}");
            }
        }
    }

    #[test]
    fn a_blank_whose_writing_failed_once() {
        use BlankAction::*;
        assert_eq!(fold([Receive, Take, Begin, Begin, Finish]), Ok(Some(BlankState::Used)));
        let again = fold([Receive, Take, Begin, Finish, Take]);
        assert_eq!(again, Err(BlankError::NotAllowed { state: BlankState::Used, action: Take }));
    }

    #[test]
    fn codes_lead_back_to_their_values() {
        for state in BlankState::ALL {
            assert_eq!(BlankState::from_code(state.code()), Some(state));
            assert_eq!(BlankAction::all().all(|action| next(Some(state), action).is_err()), state.is_end());
        }
        for reason in SpoilReason::ALL {
            assert_eq!(SpoilReason::from_code(reason.code()), Some(reason));
        }
    }
}
