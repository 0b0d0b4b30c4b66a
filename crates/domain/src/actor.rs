//! Who did something, as recorded beside every action and in the audit trail.
//!
//! An actor is stored as text: its kind, or its kind, a colon and who it was. [`Actor`] writes and reads that
//! text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{AccountId, ImportId, KitId};

/// The longest name of an operating system's user that is recorded.
const MAX_USER_CHARS: usize = 64;

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// The centre's program by itself.
    Centre,
    /// A team's laptop.
    Kit(KitId),
    /// A user of the centre's pages, wherever they act.
    Account(AccountId),
    /// A file that was read in.
    Import(ImportId),
    /// A command at the centre, by the operating system's user.
    Command(UserName),
    /// The machine that prints and writes batches.
    Printer,
    /// The reader on which cards are written one by one.
    Station,
}

/// The name of an operating system's user: letters, digits, `.`, `_` and `-`, at most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

/// Why a text is no actor. It quotes nothing: what stands where an actor should can be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ActorError {
    /// No such kind.
    #[error(
        "an actor is `centre`, `printer`, `station`, `kit:ID`, `account:ID`, `import:ID` or `command:USER`"
    )]
    Kind,
    /// The kind is known, and what follows it is no id.
    #[error("after the kind and the colon an actor has a UUID")]
    Id,
    /// The kind is known, and what follows it is no user.
    #[error("a user is named by 1 to {MAX_USER_CHARS} letters, digits, `.`, `_` or `-`")]
    User,
}

impl UserName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`ActorError::User`].
    pub fn parse(text: &str) -> Result<Self, ActorError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > MAX_USER_CHARS || !text.chars().all(fits) {
            return Err(ActorError::User);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Actor {
    /// Stable code of the kind, for words and statistics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Actor::Centre => "centre",
            Actor::Kit(_) => "kit",
            Actor::Account(_) => "account",
            Actor::Import(_) => "import",
            Actor::Command(_) => "command",
            Actor::Printer => "printer",
            Actor::Station => "station",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Centre => f.write_str("centre"),
            Actor::Kit(id) => write!(f, "kit:{id}"),
            Actor::Account(id) => write!(f, "account:{id}"),
            Actor::Import(id) => write!(f, "import:{id}"),
            Actor::Command(user) => write!(f, "command:{}", user.as_str()),
            Actor::Printer => f.write_str("printer"),
            Actor::Station => f.write_str("station"),
        }
    }
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        match text {
            "centre" => return Ok(Actor::Centre),
            "printer" => return Ok(Actor::Printer),
            "station" => return Ok(Actor::Station),
            _ => {}
        }
        // The simulated officers and adjudicators of releases in which they had no accounts.
        if text.starts_with("demo-") {
            return UserName::parse(text).map(Actor::Command);
        }
        let (kind, who) = text.split_once(':').ok_or(ActorError::Kind)?;
        match kind {
            "kit" => who.parse().map(Actor::Kit).map_err(|_| ActorError::Id),
            "account" => who.parse().map(Actor::Account).map_err(|_| ActorError::Id),
            "import" => who.parse().map(Actor::Import).map_err(|_| ActorError::Id),
            "command" => UserName::parse(who).map(Actor::Command),
            _ => Err(ActorError::Kind),
        }
    }
}

impl TryFrom<String> for Actor {
    type Error = ActorError;

    fn try_from(text: String) -> Result<Self, ActorError> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn what_is_stored_leads_back_to_the_actor() {
        let id = Uuid::from_u128(0x0178_a000_0000_7000_8000_0000_0000_0001);
        for (actor, text) in [
            (Actor::Centre, "centre"),
            (Actor::Kit(KitId::from_uuid(id)), "kit:0178a000-0000-7000-8000-000000000001"),
            (Actor::Account(AccountId::from_uuid(id)), "account:0178a000-0000-7000-8000-000000000001"),
            (Actor::Import(ImportId::from_uuid(id)), "import:0178a000-0000-7000-8000-000000000001"),
            (Actor::Command(UserName::parse("an.le").unwrap()), "command:an.le"),
            (Actor::Printer, "printer"),
            (Actor::Station, "station"),
        ] {
            assert_eq!(actor.to_string(), text);
            assert_eq!(text.parse(), Ok(actor));
        }
        let before = "demo-adjudicator-2".parse::<Actor>().unwrap();
        assert_eq!(before.to_string(), "command:demo-adjudicator-2");
    }

    #[test]
    fn what_is_no_actor_is_refused_by_what_is_wrong() {
        for (text, error) in [
            ("", ActorError::Kind),
            ("Centre", ActorError::Kind),
            ("robot:1", ActorError::Kind),
            ("demo-a b", ActorError::User),
            ("account:b", ActorError::Id),
            ("kit:", ActorError::Id),
            ("command:", ActorError::User),
            ("command:a b", ActorError::User),
        ] {
            assert_eq!(text.parse::<Actor>(), Err(error), "{text}");
        }
        assert_eq!(UserName::parse(&"a".repeat(65)), Err(ActorError::User));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_so_that_it_is_read_again(text: String) {
            if let Ok(actor) = text.parse::<Actor>() {
                prop_assert_eq!(actor.to_string().parse(), Ok(actor));
            }
        }
    }
}
