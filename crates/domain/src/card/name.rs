//! How people name a card: by a number that they read off it, or by its id.

use std::str::FromStr;

use thiserror::Error;

use super::CardState;
use crate::Pin;
use crate::id::CardId;

/// Digits of a personal number.
const PIN_DIGITS: usize = 12;
/// Digits of a card's number: six of its batch or more, and four of its place there.
const FEWEST_NUMBER_DIGITS: usize = 10;
/// Digits of the document number in the machine-readable zone.
const DOCUMENT_DIGITS: usize = 9;

/// A card as somebody named it. The number of digits tells the numbers apart.
#[derive(Clone, PartialEq, Eq)]
pub enum CardName {
    /// The id under which the register has it; printed nowhere on the card.
    Id(CardId),
    /// The serial number of the card, which no other card ever has.
    Number(String),
    /// The personal number of its holder, which is on all cards of theirs.
    Pin(Pin),
    /// The document number of the machine-readable zone: the last nine digits of the personal number.
    Document(String),
}

/// Whose card it is stays out of logs.
impl std::fmt::Debug for CardName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CardName::Id(id) => write!(f, "Id({id})"),
            CardName::Number(number) => write!(f, "Number({number})"),
            CardName::Pin(_) => f.write_str("Pin(redacted)"),
            CardName::Document(_) => f.write_str("Document(redacted)"),
        }
    }
}

/// Why a text names no card.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CardNameError {
    /// The word that instructions have where the card is to be written.
    #[error("{0} stands for a card: write its number or its id there")]
    Placeholder(String),
    /// Anything else.
    #[error(
        "a card is named by its number (10 digits), the personal number on it (12 digits), the document \
         number of its machine-readable zone (9 digits), or its id"
    )]
    Shape,
}

impl FromStr for CardName {
    type Err = CardNameError;

    /// Reads a name as people write it: spaces and full stops between digits do not count.
    fn from_str(text: &str) -> Result<CardName, CardNameError> {
        if let Ok(id) = text.trim().parse() {
            return Ok(CardName::Id(id));
        }
        let bare: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '.').collect();
        if let Ok(pin) = Pin::parse(&bare) {
            return Ok(CardName::Pin(pin));
        }
        if bare.bytes().all(|byte| byte.is_ascii_digit()) {
            return match bare.len() {
                DOCUMENT_DIGITS => Ok(CardName::Document(bare)),
                FEWEST_NUMBER_DIGITS..PIN_DIGITS => Ok(CardName::Number(bare)),
                _ => Err(CardNameError::Shape),
            };
        }
        match bare.trim_matches(['<', '>', '[', ']']) {
            "CARD" | "ID" | "NUMBER" | "CARD_ID" => Err(CardNameError::Placeholder(text.to_owned())),
            _ => Err(CardNameError::Shape),
        }
    }
}

/// Which of the cards that bear a name is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant<'a, T> {
    /// The only one, or the only one whose life is not over.
    One(&'a T),
    /// No card bears the name.
    None,
    /// These may be meant: those whose life is not over, or all when none is left.
    Several(Vec<&'a T>),
}

/// A personal number and a document number are on every card of their holder: they name the one whose life is
/// not over.
pub fn meant<T>(cards: &[T], state: impl Fn(&T) -> CardState) -> Meant<'_, T> {
    let open: Vec<&T> = cards.iter().filter(|card| !state(card).is_end()).collect();
    match (cards, open.as_slice()) {
        ([], _) => Meant::None,
        ([card], _) => Meant::One(card),
        (_, [card]) => Meant::One(card),
        (all, []) => Meant::Several(all.iter().collect()),
        (_, open) => Meant::Several(open.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: CardName) {
        assert_eq!(text.parse(), Ok(expect), "{text}");
    }

    #[test]
    fn a_card_is_named_by_its_id_or_by_a_number_on_it() {
        let id = "01780000-0000-7000-8000-000000000001";
        check(id, CardName::Id(id.parse().unwrap()));
        for text in ["0000120034", "000012 0034", " 0000120034 ", "000.012.0034"] {
            check(text, CardName::Number("0000120034".to_owned()));
        }
        // The batches after the 999,999th have a digit more.
        check("10000000034", CardName::Number("10000000034".to_owned()));
        for text in ["042095000123", "042 095 000 123", "042.095.000.123"] {
            check(text, CardName::Pin(Pin::parse("042095000123").unwrap()));
        }
        check("095 000 123", CardName::Document("095000123".to_owned()));
    }

    #[test]
    fn what_names_no_card_says_why() {
        for text in ["CARD", "<CARD>", "ID"] {
            assert_eq!(text.parse::<CardName>(), Err(CardNameError::Placeholder(text.to_owned())));
        }
        for text in ["", "123", "1234567890123", "chip", "01780000-0000", "０１２３４５６７８９"] {
            assert_eq!(text.parse::<CardName>(), Err(CardNameError::Shape), "{text}");
        }
    }

    #[test]
    fn whose_card_it_is_is_not_shown() {
        for text in ["042095000123", "095000123"] {
            let name: CardName = text.parse().unwrap();
            assert!(!format!("{name:?}").contains("095000123"));
        }
    }

    #[test]
    fn of_several_cards_the_one_that_lives_is_meant() {
        use CardState::{Active, Expired, Personalised, Revoked, Spoiled};
        let check = |states: &[CardState], expect: Meant<'_, CardState>| {
            assert_eq!(meant(states, |state| *state), expect, "{states:?}");
        };
        check(&[], Meant::None);
        check(&[Revoked], Meant::One(&Revoked));
        check(&[Active, Expired, Spoiled], Meant::One(&Active));
        check(&[Personalised, Active, Expired], Meant::Several(vec![&Personalised, &Active]));
        check(&[Revoked, Expired], Meant::Several(vec![&Revoked, &Expired]));
    }
}
