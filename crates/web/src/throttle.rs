//! Slows down guessing: of passwords by login and by address, of receipt codes by address.
//!
//! Counts live in memory: a restart forgives, and each node counts for itself. That bounds a guesser to a few thousand
//! tries a day against secrets of 60 bits and more, without a write per guess.

use std::collections::HashMap;
use std::sync::Mutex;

use time::{Duration, OffsetDateTime};

const WINDOW: Duration = Duration::minutes(15);
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
}

impl Guess {
    const fn limit(&self) -> u32 {
        match self {
            Guess::Login(_) => 10,
            Guess::SignInFrom(_) => 40,
            Guess::ReceiptFrom(_) => 20,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    counts: Mutex<HashMap<Guess, (OffsetDateTime, u32)>>,
}

impl Throttle {
    /// Whether another guess is allowed now.
    pub fn allows(&self, guess: &Guess, now: OffsetDateTime) -> bool {
        let counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match counts.get(guess) {
            Some((since, count)) => now - *since >= WINDOW || *count < guess.limit(),
            None => true,
        }
    }

    /// Counts a wrong guess.
    pub fn count(&self, guess: Guess, now: OffsetDateTime) {
        let mut counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if counts.len() >= MAX_ENTRIES {
            counts.retain(|_, (since, _)| now - *since < WINDOW);
            if counts.len() >= MAX_ENTRIES {
                counts.retain(|_, (since, _)| now - *since < WINDOW / 2);
            }
            if counts.len() >= MAX_ENTRIES {
                counts.clear();
            }
        }
        let entry = counts.entry(guess).or_insert((now, 0));
        if now - entry.0 >= WINDOW {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }

    /// Forgets the wrong guesses of a login whose right password came.
    pub fn forgive(&self, guess: &Guess) {
        self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(guess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_limit_holds_for_one_window() {
        let (throttle, start) = (Throttle::default(), datetime!(2021-04-06 01:00 UTC));
        let guess = Guess::Login("chihuy".to_owned());
        for _ in 0..10 {
            assert!(throttle.allows(&guess, start));
            throttle.count(guess.clone(), start);
        }
        assert!(!throttle.allows(&guess, start + Duration::minutes(14)));
        assert!(throttle.allows(&Guess::Login("canbo".to_owned()), start));
        assert!(throttle.allows(&guess, start + Duration::minutes(15)));
        throttle.count(guess.clone(), start + Duration::minutes(15));
        assert!(throttle.allows(&guess, start + Duration::minutes(16)));
    }

    #[test]
    fn a_right_password_forgives() {
        let (throttle, now) = (Throttle::default(), datetime!(2021-04-06 01:00 UTC));
        let guess = Guess::Login("chihuy".to_owned());
        (0..10).for_each(|_| throttle.count(guess.clone(), now));
        throttle.forgive(&guess);
        assert!(throttle.allows(&guess, now));
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), datetime!(2021-04-06 01:00 UTC));
        for n in 0..=MAX_ENTRIES {
            throttle.count(Guess::Login(n.to_string()), now);
        }
        assert!(throttle.counts.lock().unwrap().len() <= MAX_ENTRIES);
    }
}
