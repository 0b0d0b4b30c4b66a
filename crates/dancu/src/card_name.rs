//! How a card is named on the command line.

use std::str::FromStr;

use anyhow::{Result, bail};

use centre::Installation;
use domain::card::name::{CardName as Name, Meant, meant};
use domain::id::CardId;

/// A card as somebody named it, with a hint where the names are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardName(Name);

impl FromStr for CardName {
    type Err = String;

    fn from_str(text: &str) -> Result<CardName, String> {
        text.parse().map(CardName).map_err(|error| format!("{error}; `dancu card list` shows number and id"))
    }
}

impl CardName {
    /// The card's id.
    ///
    /// # Errors
    /// No such card; several that may be meant; a database that does not answer.
    pub async fn find(&self, centre: &Installation) -> Result<CardId> {
        let mut conn = centre.db.read().await?;
        let cards = store::cards::lookup::find(&mut conn, &self.0).await?;
        match meant(&cards, |card| card.state) {
            Meant::One(card) => Ok(card.card_id),
            Meant::None => {
                let card = match &self.0 {
                    Name::Id(id) => id.to_string(),
                    Name::Number(number) => number.clone(),
                    Name::Pin(_) | Name::Document(_) => "with this on it".to_owned(),
                };
                bail!("there is no card {card}; `dancu card list` names those there are")
            }
            Meant::Several(cards) => {
                let lines: Vec<String> =
                    cards.iter().map(|card| format!("{} ({})", card.number, card.state)).collect();
                bail!("several cards have this on them; name one by its number: {}", lines.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_card_is_told_where_the_names_are() {
        for (text, expect) in [("CARD", "stands for a card"), ("chip", "10 digits"), ("", "9 digits")] {
            let said = text.parse::<CardName>().unwrap_err();
            assert!(said.contains(expect) && said.contains("dancu card list"), "{said}");
        }
    }
}
