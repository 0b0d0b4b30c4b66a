//! The life of one card, from the intent to its end, as recorded actions.
//!
//! ```text
//! intended → signed ─┬→ personalised ─┬→ active ⇄ suspended
//!                    └→ spoiled       │    │         │
//!                                     │    ├─────────┴→ replaced, expired, revoked
//!                                     └→ revoked
//! ```
//! A card that was made for somebody who died meanwhile, or that a recall finds before it is
//! fetched, is revoked without ever having been active. Destroying a card that came back is not an action
//! yet: a spoiled card stays spoiled, because its number stands for no other card, and a destroyed one of the
//! other kinds keeps the state that took it out of force.

pub mod name;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::blank::SpoilReason;

pub use name::CardName;

/// Where a card stands. The order of the variants is the order of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardState {
    /// Recorded with its number and signing token; nothing is signed.
    Intended,
    /// The chip's data are signed; the card waits for a blank or is in the machine.
    Signed,
    /// Printed, written and checked; not in its holder's hand.
    Personalised,
    /// In force, in its holder's hand. A person has one such card at most.
    Active,
    /// Out of force until it is cleared up: reported lost or stolen, or inquired about.
    Suspended,
    /// Failed in production. An end; its number is never used again.
    Spoiled,
    /// Another card of the same person was handed over. An end.
    Replaced,
    /// Its last day is over. An end.
    Expired,
    /// Taken out of force before its last day. An end.
    Revoked,
}

impl CardState {
    /// Every state, in the order of the flow.
    pub const ALL: [CardState; 9] = [
        CardState::Intended,
        CardState::Signed,
        CardState::Personalised,
        CardState::Active,
        CardState::Suspended,
        CardState::Spoiled,
        CardState::Replaced,
        CardState::Expired,
        CardState::Revoked,
    ];

    /// Stable code, as stored in `card.state` and as in the API.
    pub const fn code(self) -> &'static str {
        match self {
            CardState::Intended => "intended",
            CardState::Signed => "signed",
            CardState::Personalised => "personalised",
            CardState::Active => "active",
            CardState::Suspended => "suspended",
            CardState::Spoiled => "spoiled",
            CardState::Replaced => "replaced",
            CardState::Expired => "expired",
            CardState::Revoked => "revoked",
        }
    }

    /// The state of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether the card is being made: a person has one such card at most.
    pub const fn is_in_production(self) -> bool {
        match self {
            CardState::Intended | CardState::Signed | CardState::Personalised => true,
            CardState::Active
            | CardState::Suspended
            | CardState::Spoiled
            | CardState::Replaced
            | CardState::Expired
            | CardState::Revoked => false,
        }
    }

    /// Whether nothing can follow.
    pub const fn is_end(self) -> bool {
        match self {
            CardState::Spoiled | CardState::Replaced | CardState::Expired | CardState::Revoked => true,
            CardState::Intended
            | CardState::Signed
            | CardState::Personalised
            | CardState::Active
            | CardState::Suspended => false,
        }
    }
}

impl fmt::Display for CardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why a card is out of force for the time being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspendReason {
    /// Its holder reported it lost.
    Lost,
    /// Its holder reported it stolen.
    Stolen,
    /// Whether it may be in force is being found out.
    Inquiry,
    /// The register learned that its holder died. It can be in force again if that was an error.
    HolderDied,
}

impl SuspendReason {
    /// Every reason.
    pub const ALL: [SuspendReason; 4] =
        [SuspendReason::Lost, SuspendReason::Stolen, SuspendReason::Inquiry, SuspendReason::HolderDied];

    /// Stable code, as stored in `card_action.reason`.
    pub const fn code(self) -> &'static str {
        match self {
            SuspendReason::Lost => "lost",
            SuspendReason::Stolen => "stolen",
            SuspendReason::Inquiry => "inquiry",
            SuspendReason::HolderDied => "holder_died",
        }
    }

    /// The reason of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Why a suspended card is in force again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReinstateReason {
    /// Its holder found it in time.
    Found,
    /// The report or the inquiry came to nothing.
    Cleared,
}

impl ReinstateReason {
    /// Every reason.
    pub const ALL: [ReinstateReason; 2] = [ReinstateReason::Found, ReinstateReason::Cleared];

    /// Stable code, as stored in `card_action.reason`.
    pub const fn code(self) -> &'static str {
        match self {
            ReinstateReason::Found => "found",
            ReinstateReason::Cleared => "cleared",
        }
    }

    /// The reason of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Why a card is taken out of force for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeReason {
    /// It stays lost.
    Lost,
    /// It was stolen.
    Stolen,
    /// Its holder died.
    HolderDied,
    /// Its holder is a citizen no longer.
    NationalityLost,
    /// Its holder has another personal number.
    NumberEnded,
    /// What is on it is wrong, or the card is faulty; it is called back.
    Recalled,
    /// It was issued against the law or to the wrong person.
    IssuedInError,
    /// Its holder gave it back.
    Surrendered,
}

impl RevokeReason {
    /// Every reason.
    pub const ALL: [RevokeReason; 8] = [
        RevokeReason::Lost,
        RevokeReason::Stolen,
        RevokeReason::HolderDied,
        RevokeReason::NationalityLost,
        RevokeReason::NumberEnded,
        RevokeReason::Recalled,
        RevokeReason::IssuedInError,
        RevokeReason::Surrendered,
    ];

    /// Stable code, as stored in `card_action.reason`.
    pub const fn code(self) -> &'static str {
        match self {
            RevokeReason::Lost => "lost",
            RevokeReason::Stolen => "stolen",
            RevokeReason::HolderDied => "holder_died",
            RevokeReason::NationalityLost => "nationality_lost",
            RevokeReason::NumberEnded => "number_ended",
            RevokeReason::Recalled => "recalled",
            RevokeReason::IssuedInError => "issued_in_error",
            RevokeReason::Surrendered => "surrendered",
        }
    }

    /// The reason of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// One recorded action. The store keeps beside it: when it happened, when it was recorded, and who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardAction {
    /// The card gets its number and its signing token.
    Intend,
    /// The token is redeemed and the chip's data are signed.
    Sign,
    /// The card came out of the machine, or of the reader, and was right.
    Personalise,
    /// It failed.
    Spoil(SpoilReason),
    /// Its holder has it.
    HandOver,
    /// Another card of its holder is handed over.
    Replace,
    /// It is out of force for the time being.
    Suspend(SuspendReason),
    /// It is in force again.
    Reinstate(ReinstateReason),
    /// It is taken out of force for good.
    Revoke(RevokeReason),
    /// Its last day is over.
    Expire,
}

impl CardAction {
    /// The code of every action, in the order of the flow.
    pub const CODES: [&'static str; 10] = [
        "intend",
        "sign",
        "personalise",
        "spoil",
        "hand_over",
        "replace",
        "suspend",
        "reinstate",
        "revoke",
        "expire",
    ];

    /// Every action with each of its reasons.
    pub fn all() -> impl Iterator<Item = CardAction> {
        [
            CardAction::Intend,
            CardAction::Sign,
            CardAction::Personalise,
            CardAction::HandOver,
            CardAction::Replace,
            CardAction::Expire,
        ]
        .into_iter()
        .chain(SpoilReason::ALL.map(CardAction::Spoil))
        .chain(SuspendReason::ALL.map(CardAction::Suspend))
        .chain(ReinstateReason::ALL.map(CardAction::Reinstate))
        .chain(RevokeReason::ALL.map(CardAction::Revoke))
    }

    /// Stable code, as stored in `card_action.action`.
    pub const fn code(self) -> &'static str {
        match self {
            CardAction::Intend => "intend",
            CardAction::Sign => "sign",
            CardAction::Personalise => "personalise",
            CardAction::Spoil(_) => "spoil",
            CardAction::HandOver => "hand_over",
            CardAction::Replace => "replace",
            CardAction::Suspend(_) => "suspend",
            CardAction::Reinstate(_) => "reinstate",
            CardAction::Revoke(_) => "revoke",
            CardAction::Expire => "expire",
        }
    }

    /// The code of its reason, as stored in `card_action.reason`; `None` for an action that has none.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            CardAction::Spoil(reason) => Some(reason.code()),
            CardAction::Suspend(reason) => Some(reason.code()),
            CardAction::Reinstate(reason) => Some(reason.code()),
            CardAction::Revoke(reason) => Some(reason.code()),
            CardAction::Intend
            | CardAction::Sign
            | CardAction::Personalise
            | CardAction::HandOver
            | CardAction::Replace
            | CardAction::Expire => None,
        }
    }

    /// The action of these codes; `None` when there is none, when its reason is missing or unknown, and when
    /// it has a reason that it should not have.
    pub fn from_codes(action: &str, reason: Option<&str>) -> Option<Self> {
        Self::all().find(|known| known.code() == action && known.reason() == reason)
    }
}

/// Why an action cannot happen.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CardError {
    /// Something else than the intent stands at the beginning.
    #[error("a card begins with `intend`, not with `{}`", .0.code())]
    NoBeginning(CardAction),
    /// The card does not stand where the action begins.
    #[error("`{}` cannot follow the state `{state}` of a card", action.code())]
    NotAllowed {
        /// Where the card stands.
        state: CardState,
        /// What was to happen.
        action: CardAction,
    },
}

/// The state after `action`, or why it cannot happen now. `state` is `None` before the first action.
///
/// # Errors
/// [`CardError`], which names the state and the action.
pub fn next(state: Option<CardState>, action: CardAction) -> Result<CardState, CardError> {
    use CardAction as A;
    use CardState as S;
    let Some(state) = state else {
        return if action == A::Intend { Ok(S::Intended) } else { Err(CardError::NoBeginning(action)) };
    };
    match (state, action) {
        (S::Intended, A::Sign) => Ok(S::Signed),
        (S::Signed, A::Personalise) => Ok(S::Personalised),
        (S::Signed, A::Spoil(_)) => Ok(S::Spoiled),
        (S::Personalised, A::HandOver) => Ok(S::Active),
        (S::Active | S::Suspended, A::Replace) => Ok(S::Replaced),
        (S::Active, A::Suspend(_)) => Ok(S::Suspended),
        (S::Suspended, A::Reinstate(_)) => Ok(S::Active),
        (S::Personalised | S::Active | S::Suspended, A::Revoke(_)) => Ok(S::Revoked),
        (S::Active | S::Suspended, A::Expire) => Ok(S::Expired),
        (state, action) => Err(CardError::NotAllowed { state, action }),
    }
}

/// The state that a history of actions leads to; `None` for an empty history.
///
/// # Errors
/// The first action that could not happen.
pub fn fold(actions: impl IntoIterator<Item = CardAction>) -> Result<Option<CardState>, CardError> {
    actions.into_iter().try_fold(None, |state, action| next(state, action).map(Some))
}

#[cfg(test)]
mod tests;
