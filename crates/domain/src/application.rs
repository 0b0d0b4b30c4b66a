//! The life of one application (hồ sơ), from the kit to the citizen's hand, as recorded actions.
//!
//! ```text
//! captured → received ─┬→ accepted → batched → printed → dispatched → at district → forwarded
//!                      │                                                     → at unit → handed over
//!                      ├→ in case ─┬→ accepted
//!                      │           └→ rejected
//!                      └→ rejected
//! ```
//! A spoiled card sends its application from `batched` back to `accepted`; an undeliverable card stays at the
//! unit. A case that is open again takes its application back to `in case`, while that is `rejected` or
//! `accepted`.

mod reason;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use reason::{Reason, ReasonError};

/// What is asked for (Circular 59/2021; 2014 law art. 21–23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Cấp mới.
    New,
    /// Cấp đổi.
    Exchange,
    /// Cấp lại.
    Reissue,
}

impl Kind {
    /// In the order of a card's life.
    pub const ALL: [Kind; 3] = [Kind::New, Kind::Exchange, Kind::Reissue];

    /// The word under which the kind is stored and sent in packets.
    pub const fn code(self) -> &'static str {
        match self {
            Kind::New => "new",
            Kind::Exchange => "exchange",
            Kind::Reissue => "reissue",
        }
    }

    /// The inverse of [`Kind::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Where an application stands. The order of the variants is the order of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Saved on the kit; the centre knows of it from the kit's day report only.
    Captured,
    /// The centre has the packet and gave a signed receipt.
    Received,
    /// A conflict waits for an adjudicator.
    InCase,
    /// Ended: invalid, or the same person's second application.
    Rejected,
    /// Linked to one register record and approved; waits for a batch.
    Accepted,
    /// In a production batch.
    Batched,
    /// Card personalised and checked; in the production store.
    Printed,
    /// On the way to the district.
    ToDistrict,
    AtDistrict,
    /// On the way to the commune.
    ToUnit,
    /// At the commune, waiting for the citizen.
    AtUnit,
    HandedOver,
}

impl State {
    /// In the order in which an application passes through them.
    pub const ALL: [State; 12] = [
        State::Captured,
        State::Received,
        State::InCase,
        State::Rejected,
        State::Accepted,
        State::Batched,
        State::Printed,
        State::ToDistrict,
        State::AtDistrict,
        State::ToUnit,
        State::AtUnit,
        State::HandedOver,
    ];

    /// Stable code, as stored and as in the API.
    pub const fn code(self) -> &'static str {
        match self {
            State::Captured => "captured",
            State::Received => "received",
            State::InCase => "in_case",
            State::Rejected => "rejected",
            State::Accepted => "accepted",
            State::Batched => "batched",
            State::Printed => "printed",
            State::ToDistrict => "to_district",
            State::AtDistrict => "at_district",
            State::ToUnit => "to_unit",
            State::AtUnit => "at_unit",
            State::HandedOver => "handed_over",
        }
    }

    /// The inverse of [`State::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One recorded action. The store keeps beside it: when it happened, when it was recorded, who did it, and a
/// detail (case, batch, consignment, reason) that does not change the state it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Capture,
    Receive,
    OpenCase,
    Reject,
    Accept,
    /// A case was decided wrongly and is open again: what its decision did to the application is taken back.
    /// Possible until the application is in a batch.
    Reopen,
    Batch,
    Print,
    /// The card failed in production: the application waits for a new batch.
    Spoil,
    /// Production → district.
    Dispatch,
    DistrictReceive,
    /// District → commune.
    Forward,
    UnitReceive,
    /// The citizen did not come or could not be verified; the card stays at the unit.
    HandoverFail,
    HandOver,
}

impl Action {
    /// In the order in which they can first happen.
    pub const ALL: [Action; 15] = [
        Action::Capture,
        Action::Receive,
        Action::OpenCase,
        Action::Reject,
        Action::Accept,
        Action::Reopen,
        Action::Batch,
        Action::Print,
        Action::Spoil,
        Action::Dispatch,
        Action::DistrictReceive,
        Action::Forward,
        Action::UnitReceive,
        Action::HandoverFail,
        Action::HandOver,
    ];

    /// Stable code, as stored and as in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Action::Capture => "capture",
            Action::Receive => "receive",
            Action::OpenCase => "open_case",
            Action::Reject => "reject",
            Action::Accept => "accept",
            Action::Reopen => "reopen",
            Action::Batch => "batch",
            Action::Print => "print",
            Action::Spoil => "spoil",
            Action::Dispatch => "dispatch",
            Action::DistrictReceive => "district_receive",
            Action::Forward => "forward",
            Action::UnitReceive => "unit_receive",
            Action::HandoverFail => "handover_fail",
            Action::HandOver => "hand_over",
        }
    }

    /// The inverse of [`Action::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.code() == code)
    }
}

/// Why an action cannot be recorded: the transitions of decision 0004 do not have it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LifeError {
    #[error("an application begins with `capture`, not with `{}`", .0.code())]
    NoBeginning(Action),
    #[error("`{}` cannot follow the state `{state}`", action.code())]
    NotAllowed { state: State, action: Action },
}

/// The state after `action`, or why it cannot happen now. `state` is `None` before the first action.
pub fn next(state: Option<State>, action: Action) -> Result<State, LifeError> {
    use Action as A;
    use State as S;
    let Some(state) = state else {
        return if action == A::Capture { Ok(S::Captured) } else { Err(LifeError::NoBeginning(action)) };
    };
    match (state, action) {
        (S::Captured, A::Receive) => Ok(S::Received),
        (S::Received, A::OpenCase) => Ok(S::InCase),
        (S::Received | S::InCase, A::Reject) => Ok(S::Rejected),
        (S::Received | S::InCase, A::Accept) => Ok(S::Accepted),
        (S::Rejected | S::Accepted, A::Reopen) => Ok(S::InCase),
        (S::Accepted, A::Batch) => Ok(S::Batched),
        (S::Batched, A::Print) => Ok(S::Printed),
        (S::Batched, A::Spoil) => Ok(S::Accepted),
        (S::Printed, A::Dispatch) => Ok(S::ToDistrict),
        (S::ToDistrict, A::DistrictReceive) => Ok(S::AtDistrict),
        (S::AtDistrict, A::Forward) => Ok(S::ToUnit),
        (S::ToUnit, A::UnitReceive) => Ok(S::AtUnit),
        (S::AtUnit, A::HandoverFail) => Ok(S::AtUnit),
        (S::AtUnit, A::HandOver) => Ok(S::HandedOver),
        (state, action) => Err(LifeError::NotAllowed { state, action }),
    }
}

/// The state that a history of actions leads to; `None` for an empty history.
pub fn fold(actions: impl IntoIterator<Item = Action>) -> Result<Option<State>, LifeError> {
    actions.into_iter().try_fold(None, |state, action| next(state, action).map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_way_with_a_spoiled_card_and_an_absence() {
        use Action::*;
        let history = [
            Capture,
            Receive,
            OpenCase,
            Accept,
            Batch,
            Spoil,
            Batch,
            Print,
            Dispatch,
            DistrictReceive,
            Forward,
            UnitReceive,
            HandoverFail,
            HandOver,
        ];
        assert_eq!(fold(history), Ok(Some(State::HandedOver)));
    }

    #[test]
    fn nothing_follows_an_end_and_nothing_begins_in_the_middle() {
        for action in Action::ALL {
            // Only a case that is open again takes a rejection back.
            assert_eq!(next(Some(State::Rejected), action).is_ok(), action == Action::Reopen);
            assert!(next(Some(State::HandedOver), action).is_err());
            assert_eq!(next(None, action).is_ok(), action == Action::Capture);
        }
    }

    #[test]
    fn codes_lead_back_to_their_values() {
        for state in State::ALL {
            assert_eq!(State::from_code(state.code()), Some(state));
        }
        for action in Action::ALL {
            assert_eq!(Action::from_code(action.code()), Some(action));
        }
    }

    #[test]
    fn every_state_can_be_reached() {
        let mut reached = vec![State::Captured];
        while let Some(found) = reached
            .iter()
            .flat_map(|&state| Action::ALL.map(|action| next(Some(state), action)))
            .find_map(|next| next.ok().filter(|state| !reached.contains(state)))
        {
            reached.push(found);
        }
        assert_eq!(reached.len(), State::ALL.len());
    }
}
