//! A person's name as on the birth certificate.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text;

/// The longest name that the register takes, in characters after composing. The card's artwork and DG13 hold
/// it whole.
pub const MAX_NAME_CHARS: usize = 100;

/// A full name in NFC, single-spaced, in the case it was written. Family name first, given name last.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonName(String);

/// Why a text is no person's name.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("the name has {0} characters; at most {MAX_NAME_CHARS} are allowed")]
    TooLong(usize),
    #[error("character {position} of the name is not a letter, space, hyphen, apostrophe or full stop")]
    BadCharacter {
        /// Counted from one, in characters.
        position: usize,
    },
}

impl PersonName {
    /// Joins white space, composes accents (NFC) and checks the characters; the case is kept as it was
    /// written.
    ///
    /// # Errors
    ///
    /// When the text has no letter, is too long, or holds a character that names do not have.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text::tidy(text);
        let mut count = 0;
        for (i, c) in name.chars().enumerate() {
            count = i + 1;
            if !(c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’' | '.')) {
                return Err(NameError::BadCharacter { position: count });
            }
        }
        if !name.chars().any(char::is_alphabetic) {
            return Err(NameError::Empty);
        }
        if count > MAX_NAME_CHARS {
            return Err(NameError::TooLong(count));
        }
        Ok(Self(name))
    }

    /// Composed, with single spaces, in the case in which it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form the card and the DC01 form use: capitals with all marks.
    pub fn upper(&self) -> String {
        self.0.to_uppercase()
    }

    /// First word: family name (họ).
    pub fn family(&self) -> &str {
        self.0.split(' ').next().unwrap_or(&self.0)
    }

    /// Words between the family and the given name (chữ đệm); empty for a name of one or two words.
    pub fn middle(&self) -> &str {
        match (self.0.find(' '), self.0.rfind(' ')) {
            (Some(first), Some(last)) if last > first => &self.0[first + 1..last],
            _ => "",
        }
    }

    /// Last word: given name (tên); empty where the name is a single word.
    pub fn given(&self) -> &str {
        self.0.rfind(' ').map_or("", |i| &self.0[i + 1..])
    }
}

impl TryFrom<String> for PersonName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<PersonName> for String {
    fn from(name: PersonName) -> Self {
        name.0
    }
}

/// A name is personal data: a log that prints a structure with `{:?}` must not print it.
impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_name() {
        let name = PersonName::parse("  nguyễn  THỊ ngọc mẫu").unwrap();
        assert_eq!((name.family(), name.middle(), name.given()), ("nguyễn", "THỊ ngọc", "mẫu"));
        assert_eq!(name.upper(), "NGUYỄN THỊ NGỌC MẪU");
        let single = PersonName::parse("Y").unwrap();
        assert_eq!((single.family(), single.middle(), single.given()), ("Y", "", ""));
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_its_place() {
        assert_eq!(PersonName::parse("An 2"), Err(NameError::BadCharacter { position: 4 }));
        assert_eq!(PersonName::parse(" - "), Err(NameError::Empty));
        assert_eq!(PersonName::parse(&"a".repeat(101)), Err(NameError::TooLong(101)));
    }

    #[test]
    fn debug_shows_no_name() {
        assert!(!format!("{:?}", PersonName::parse("Mẫu").unwrap()).contains('M'));
    }
}
