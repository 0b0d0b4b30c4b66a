//! Slows down guessing: of passwords by login and by address, of receipt codes by address; and bounds the
//! checks of cards from one address.
//!
//! Counts live in memory: a restart forgives, and each node counts for itself. That bounds a guesser to a few
//! thousand tries a day against secrets of 60 bits and more, without a write per guess.

use std::collections::HashMap;
use std::sync::Mutex;

use time::{Duration, OffsetDateTime};

use crate::error::Error;

/// Above it, expired entries are dropped, and if that does not help the oldest half.
const MAX_ENTRIES: usize = 50_000;

/// What is counted, with its limit per window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Guess {
    /// Wrong passwords for one login, which need not exist.
    Login(String),
    /// Wrong passwords from one address.
    SignInFrom(String),
    /// Wrong receipt codes from one address.
    ReceiptFrom(String),
    /// Cards that somebody checked from one address, right or wrong: each costs work, and none is a secret.
    CheckFrom(String),
    /// Kits' messages from one address that had to be refused, each packet of a batch for itself. They are no
    /// guesses, and other kits share the line: the window is short, so that none of them waits long for what
    /// another sent.
    KitMessageFrom(String),
}

impl Guess {
    /// Whether it is a message of a kit on this machine itself.
    pub fn is_from_here(&self) -> bool {
        let Guess::KitMessageFrom(from) = self else { return false };
        from.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    const fn limit(&self) -> u32 {
        match self {
            Guess::Login(_) => 10,
            Guess::SignInFrom(_) => 40,
            Guess::ReceiptFrom(_) => 20,
            // A counter with eight clerks, each with a card a minute.
            Guess::CheckFrom(_) => 120,
            // In a quarter of an hour as many rows of refusals as strangers may cause.
            Guess::KitMessageFrom(_) => 140,
        }
    }

    const fn window(&self) -> Duration {
        match self {
            Guess::Login(_) | Guess::SignInFrom(_) | Guess::ReceiptFrom(_) | Guess::CheckFrom(_) => {
                Duration::minutes(15)
            }
            Guess::KitMessageFrom(_) => Duration::minutes(1),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    counts: Mutex<HashMap<Guess, (OffsetDateTime, u32)>>,
}

impl Throttle {
    /// Counts a guess before it is judged, so that many at once are not all let through; `false` when the
    /// limit is reached. A right guess is given back with [`Throttle::forgive`] or [`Throttle::give_back`].
    pub fn take(&self, guess: &Guess, now: OffsetDateTime) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if counts.len() >= MAX_ENTRIES {
            make_room(&mut counts, now);
        }
        let entry = counts.entry(guess.clone()).or_insert((now, 0));
        if now - entry.0 >= guess.window() {
            *entry = (now, 0);
        }
        let is_allowed = entry.1 < guess.limit();
        entry.1 += u32::from(is_allowed);
        is_allowed
    }

    /// How long it takes until another guess is let through; `None` when it is now.
    pub fn wait(&self, guess: &Guess, now: OffsetDateTime) -> Option<Duration> {
        let counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (since, count) = counts.get(guess)?;
        let left = *since + guess.window() - now;
        (*count >= guess.limit() && left.is_positive()).then_some(left)
    }

    /// Why guesses are not let through, with the longest of their waits.
    pub fn refusal(&self, guesses: &[Guess], now: OffsetDateTime) -> Error {
        let waits = guesses.iter().filter_map(|guess| self.wait(guess, now));
        Error::TooMany { wait: waits.max().unwrap_or(Duration::ZERO) }
    }

    /// Takes one guess back that was right.
    pub fn give_back(&self, guess: &Guess) {
        let mut counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((_, count)) = counts.get_mut(guess) {
            *count = count.saturating_sub(1);
        }
    }

    /// Forgets the wrong guesses of a login whose right password came.
    pub fn forgive(&self, guess: &Guess) {
        self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(guess);
    }
}

fn make_room(counts: &mut HashMap<Guess, (OffsetDateTime, u32)>, now: OffsetDateTime) {
    counts.retain(|guess, (since, _)| now - *since < guess.window());
    if counts.len() >= MAX_ENTRIES {
        counts.retain(|guess, (since, _)| now - *since < guess.window() / 2);
    }
    if counts.len() >= MAX_ENTRIES {
        counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

    fn login(name: &str) -> Guess {
        Guess::Login(name.to_owned())
    }

    #[test]
    fn the_limit_holds_for_one_window() {
        let (throttle, guess) = (Throttle::default(), login("chihuy"));
        for _ in 0..10 {
            assert!(throttle.take(&guess, NOW));
        }
        assert!(!throttle.take(&guess, NOW + Duration::minutes(14)));
        assert!(throttle.take(&login("canbo"), NOW));
        assert!(throttle.take(&guess, NOW + Duration::minutes(15)));
    }

    #[test]
    fn a_right_guess_costs_nothing_and_a_right_password_forgives() {
        let (throttle, guess) = (Throttle::default(), login("chihuy"));
        for _ in 0..30 {
            assert!(throttle.take(&guess, NOW));
            throttle.give_back(&guess);
        }
        let tries = (0..20).filter(|_| throttle.take(&guess, NOW)).count();
        assert_eq!(tries, 10);
        assert!(!throttle.take(&guess, NOW));
        throttle.forgive(&guess);
        assert!(throttle.take(&guess, NOW));
    }

    #[test]
    fn what_was_refused_is_counted_and_asking_for_room_costs_nothing() {
        let (throttle, kit) = (Throttle::default(), Guess::KitMessageFrom("192.0.2.1".to_owned()));
        for _ in 0..140 {
            assert!(throttle.wait(&kit, NOW).is_none() && throttle.wait(&kit, NOW).is_none());
            throttle.take(&kit, NOW);
        }
        assert_eq!(throttle.wait(&kit, NOW), Some(Duration::minutes(1)));
        assert!(throttle.wait(&Guess::KitMessageFrom("192.0.2.2".to_owned()), NOW).is_none());
        // A kit does not wait as a guesser of passwords does.
        assert_eq!(throttle.wait(&kit, NOW + Duration::seconds(20)), Some(Duration::seconds(40)));
        assert!(throttle.wait(&kit, NOW + Duration::minutes(1)).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..=MAX_ENTRIES {
            throttle.take(&login(&n.to_string()), NOW);
        }
        assert!(throttle.counts.lock().unwrap().len() <= MAX_ENTRIES);
    }
}
