//! How a card is named on the command line: by its id, or by a number that is printed on it.

use std::str::FromStr;

use anyhow::{Context, Result};

use centre::Installation;
use domain::id::CardId;
use ui::tell;

/// Digits of a personal number.
const PIN_DIGITS: usize = 12;
/// Digits of a card's serial number: six of its batch or more, and four of its place there.
const FEWEST_NUMBER_DIGITS: usize = 10;

/// A card as somebody named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardName {
    Id(CardId),
    /// The serial number of the card.
    Number(String),
    /// The personal number on it.
    Pin(String),
}

impl FromStr for CardName {
    type Err = String;

    fn from_str(text: &str) -> Result<CardName, String> {
        if let Ok(id) = text.trim().parse() {
            return Ok(CardName::Id(id));
        }
        let bare: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '.').collect();
        let are_digits = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
        if are_digits && bare.len() == PIN_DIGITS {
            return Ok(CardName::Pin(bare));
        }
        if are_digits && (FEWEST_NUMBER_DIGITS..PIN_DIGITS).contains(&bare.len()) {
            return Ok(CardName::Number(bare));
        }
        if matches!(bare.trim_matches(['<', '>', '[', ']']), "CARD" | "ID" | "NUMBER" | "CARD_ID") {
            return Err(format!(
                "{text} stands for a card: write its id or its number there; `dancu card list` shows both"
            ));
        }
        Err("a card is named by its id, its serial number (10 digits) or the personal number on it (12 \
             digits); `dancu card list` names the cards there are"
            .to_owned())
    }
}

impl CardName {
    /// The card's id.
    ///
    /// # Errors
    /// No such card; a database that does not answer.
    pub async fn find(&self, centre: &Installation) -> Result<CardId> {
        let mut conn = centre.db.begin().await?;
        match self {
            CardName::Id(id) => Ok(*id),
            CardName::Number(number) => {
                store::cards::lookup::by_number(&mut conn, number).await?.with_context(|| {
                    format!("there is no card {number}; `dancu card list` names those there are")
                })
            }
            CardName::Pin(pin) => {
                let cards = store::cards::lookup::of_pin(&mut conn, pin).await?;
                if cards.len() > 1 {
                    tell!("dancu: {} cards bear this personal number; this is the newest", cards.len());
                }
                cards.first().copied().context(
                    "no signed card bears this personal number; `dancu card list` names those there are",
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: CardName) {
        assert_eq!(text.parse(), Ok(expect), "{text}");
    }

    #[test]
    fn a_card_is_named_by_id_serial_number_or_personal_number() {
        let id = "01780000-0000-7000-8000-000000000001";
        check(id, CardName::Id(id.parse().unwrap()));
        for text in ["0000120034", "000012 0034", " 0000120034 ", "000.012.0034"] {
            check(text, CardName::Number("0000120034".to_owned()));
        }
        for text in ["042095000123", "042 095 000 123", "042.095.000.123"] {
            check(text, CardName::Pin("042095000123".to_owned()));
        }
    }

    #[test]
    fn what_names_no_card_gets_a_sentence_of_its_own() {
        for text in ["CARD", "<CARD>", "ID"] {
            let said = text.parse::<CardName>().unwrap_err();
            assert!(said.contains("stands for a card") && said.contains("dancu card list"), "{said}");
        }
        for text in ["", "123", "1234567890123", "chip", "01780000-0000"] {
            assert!(text.parse::<CardName>().unwrap_err().contains("10 digits"), "{text}");
        }
    }
}
