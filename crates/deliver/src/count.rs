//! Counting a box: one number after the other is compared with what was packed, and what differs is known
//! before anything is recorded.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::Error;
use domain::Actor;
use domain::id::{ApplicationId, ConsignmentId};
use store::Database;
use store::boxes::{self, BoxCard};

/// Numbers in one count at most; a box holds fewer.
pub const MOST_LINES: usize = 100_000;

/// What one scanned line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// A card of the box, for the first time.
    Counted,
    /// A card of the box that was counted on an earlier line.
    Twice {
        /// That line, from 1.
        first: usize,
    },
    /// A card that was not packed into this box.
    Foreign,
    /// It is no card's number.
    Unreadable,
    /// Nothing stands on it.
    Blank,
}

/// A count that goes on.
#[derive(Debug, Clone)]
pub struct Count {
    consignment: ConsignmentId,
    cards: Vec<BoxCard>,
    by_number: HashMap<String, usize>,
    /// The line on which each card was counted.
    seen: HashMap<usize, usize>,
    lines: usize,
}

impl Count {
    /// Begins counting a box.
    ///
    /// # Errors
    /// [`Error::NoConsignment`]; those of the database.
    pub async fn begin(db: &Database, consignment: ConsignmentId) -> Result<Count, Error> {
        let mut conn = db.read().await?;
        let cards = boxes::cards_in(&mut conn, consignment).await?;
        if cards.is_empty() {
            return Err(Error::NoConsignment(consignment));
        }
        Ok(Count::of(consignment, cards))
    }

    fn of(consignment: ConsignmentId, cards: Vec<BoxCard>) -> Count {
        let mut by_number = HashMap::new();
        for (index, card) in cards.iter().enumerate() {
            by_number.insert(card.number.clone(), index);
            by_number.insert(card.pin.clone(), index);
        }
        Count { consignment, cards, by_number, seen: HashMap::new(), lines: 0 }
    }

    /// Takes the next line: a card's number as printed, the personal number on it, or its QR code.
    pub fn scan(&mut self, text: &str) -> Scan {
        self.lines += 1;
        if text.trim().is_empty() {
            return Scan::Blank;
        }
        let Some(number) = number(text) else { return Scan::Unreadable };
        match self.by_number.get(&number) {
            None => Scan::Foreign,
            Some(&index) => match self.seen.get(&index) {
                Some(&first) => Scan::Twice { first },
                None => {
                    self.seen.insert(index, self.lines);
                    Scan::Counted
                }
            },
        }
    }

    /// The line that was scanned last, from 1.
    pub fn line(&self) -> usize {
        self.lines
    }

    /// Cards that were packed.
    pub fn packed(&self) -> usize {
        self.cards.len()
    }

    /// Cards that were counted.
    pub fn counted(&self) -> usize {
        self.seen.len()
    }

    /// Cards that were packed and not counted, by number.
    pub fn missing(&self) -> Vec<&BoxCard> {
        let missing = self.cards.iter().enumerate().filter(|(index, _)| !self.seen.contains_key(index));
        missing.map(|(_, card)| card).collect()
    }

    /// Cards that were counted, by number.
    pub fn found(&self) -> Vec<&BoxCard> {
        let found = self.cards.iter().enumerate().filter(|(index, _)| self.seen.contains_key(index));
        found.map(|(_, card)| card).collect()
    }

    /// Whether the box was closed before, and with the same cards in it.
    ///
    /// # Errors
    /// [`Error::CountDiffers`] when it was closed with others.
    pub fn was_closed(&self) -> Result<bool, Error> {
        if self.cards.iter().any(|card| card.received.is_none()) {
            return Ok(false);
        }
        let differ = self.cards.iter().enumerate();
        let differing = differ
            .filter(|(index, card)| card.received != Some(self.seen.contains_key(index)))
            .map(|(_, card)| card.number.clone())
            .collect::<Vec<_>>();
        if differing.is_empty() { Ok(true) } else { Err(Error::CountDiffers { cards: differing }) }
    }

    /// Records the count: what was counted has arrived, the rest is missing.
    ///
    /// # Errors
    /// Those of [`crate::receive`].
    pub async fn close(&self, db: &Database, by: &Actor, now: OffsetDateTime) -> Result<usize, Error> {
        let missing: Vec<ApplicationId> = self.missing().iter().map(|card| card.application_id).collect();
        crate::receive(db, self.consignment, &missing, by, now).await
    }

    /// Records that what was counted has turned up, of a box that was closed without it. Returns how many are
    /// new.
    ///
    /// # Errors
    /// [`Error::NotCounted`]; those of [`crate::arrived_late`].
    pub async fn arrived_late(&self, db: &Database, by: &Actor, now: OffsetDateTime) -> Result<usize, Error> {
        if self.cards.iter().any(|card| card.received.is_none()) {
            return Err(Error::NotCounted(self.consignment));
        }
        let found: Vec<ApplicationId> = self.found().iter().map(|card| card.application_id).collect();
        crate::arrived_late(db, self.consignment, &found, by, now).await
    }
}

/// The number in what a reader gives or somebody types: of the card or of its holder. The QR code begins with
/// the holder's number and a bar.
fn number(text: &str) -> Option<String> {
    let text = text.split('|').next().unwrap_or_default();
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-')).collect();
    let fits = (10..=20).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_digit());
    fits.then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::ApplicationId;

    fn card(n: u8, received: Option<bool>) -> BoxCard {
        BoxCard {
            application_id: ApplicationId::derive(OffsetDateTime::UNIX_EPOCH, &[&[n]]),
            number: format!("000012{n:04}"),
            pin: format!("0420950000{n:02}"),
            received,
        }
    }

    fn count(received: [Option<bool>; 3]) -> Count {
        let cards = received.into_iter().zip(1..).map(|(received, n)| card(n, received)).collect();
        Count::of(ConsignmentId::derive(OffsetDateTime::UNIX_EPOCH, &[b"box"]), cards)
    }

    #[test]
    fn each_line_is_told_at_once_and_what_is_missing_at_the_end() {
        let mut count = count([None; 3]);
        for (text, expected) in [
            ("000012 0001", Scan::Counted),
            ("", Scan::Blank),
            ("042095000001|095112233|NGUYỄN MẪU|01011995|Nữ|Thôn 1|06042021", Scan::Twice { first: 1 }),
            ("042.095.000.003", Scan::Counted),
            ("0000990001", Scan::Foreign),
            ("card 1", Scan::Unreadable),
        ] {
            assert_eq!(count.scan(text), expected, "{text}");
        }
        assert_eq!((count.line(), count.packed(), count.counted()), (6, 3, 2));
        let missing: Vec<&str> = count.missing().iter().map(|card| card.number.as_str()).collect();
        assert_eq!(missing, ["0000120002"]);
        assert!(!count.was_closed().unwrap());
    }

    #[test]
    fn a_box_that_was_closed_is_compared_with_the_count() {
        let scanned = |received| {
            let mut count = count(received);
            count.scan("0000120001");
            count.scan("0000120003");
            count.was_closed()
        };
        assert!(scanned([Some(true), Some(false), Some(true)]).unwrap());
        let Err(Error::CountDiffers { cards }) = scanned([Some(true); 3]) else { panic!("card 2 was there") };
        assert_eq!(cards, ["0000120002"]);
    }
}
