//! What came of one attempt to hand a card to its holder.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::application::Action;

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The fingers were those of whoever applied, and the card is in the holder's hand.
    HandedOver,
    /// Nobody came; the card stays.
    Absent,
    /// Somebody came whose fingers are not those of whoever applied; the card stays.
    NoMatch,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 3] = [Outcome::HandedOver, Outcome::Absent, Outcome::NoMatch];

    /// Stable code, as stored in `handover.outcome`.
    pub const fn code(self) -> &'static str {
        match self {
            Outcome::HandedOver => "handed_over",
            Outcome::Absent => "absent",
            Outcome::NoMatch => "no_match",
        }
    }

    /// The outcome of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }

    /// What it is in the life of the application.
    pub const fn action(self) -> Action {
        match self {
            Outcome::HandedOver => Action::HandOver,
            Outcome::Absent | Outcome::NoMatch => Action::HandoverFail,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{State, next};

    #[test]
    fn codes_lead_back_and_only_a_hand_over_moves_the_application() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
            let expected = if outcome == Outcome::HandedOver { State::HandedOver } else { State::AtUnit };
            assert_eq!(next(Some(State::AtUnit), outcome.action()), Ok(expected));
        }
        assert_eq!(Outcome::from_code("stored"), None);
    }
}
