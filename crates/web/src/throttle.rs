//! Slows down guessing: of passwords by address, then by address and login; of receipt codes by address; and
//! bounds the checks of cards and the refused messages of kits from one address.
//!
//! Nobody can be locked out by somebody else: a login alone is never closed, since anybody can guess at it.
//! When a login is guessed at from many addresses, each address has fewer guesses at it, and the first of
//! each is judged whatever others did.
//!
//! Counts live in memory: a restart forgives, and each node counts for itself. That bounds a guesser to a few
//! thousand tries a day against secrets of 60 bits and more, without a write per guess.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use time::{Duration, OffsetDateTime};

use crate::error::Error;

/// Entries of one kind. Above it, those whose window is over are dropped, and if that does not help those
/// that count least.
const MAX_ENTRIES: usize = 50_000;

/// Wrong passwords for one login in a window, from wherever, after which each address has [`FEW`] guesses at
/// it.
const MANY: u32 = 30;
/// Guesses at a login that many guess at, from one address.
const FEW: u32 = 2;

/// What is counted of one address, with its limit per window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Guess {
    /// Wrong receipt codes from one address.
    Receipt(String),
    /// Cards that somebody checked from one address, right or wrong: each costs work, and none is a secret.
    Check(String),
    /// Kits' messages from one address that had to be refused, each packet of a batch for itself. They are no
    /// guesses, and other kits share the line: the window is short, so that none of them waits long for what
    /// another sent.
    KitMessage(String),
}

impl Guess {
    const fn limit(&self) -> u32 {
        match self {
            Guess::Receipt(_) => 20,
            // A counter with eight clerks, each with a card a minute.
            Guess::Check(_) => 120,
            // Two thousand in a quarter of an hour; a kit whose packets are refused sends a few.
            Guess::KitMessage(_) => 140,
        }
    }

    const fn window(&self) -> Duration {
        match self {
            Guess::Receipt(_) | Guess::Check(_) => WINDOW,
            Guess::KitMessage(_) => Duration::minutes(1),
        }
    }
}

/// How long wrong guesses of secrets are remembered: the longest of the windows.
pub(crate) const WINDOW: Duration = Duration::minutes(15);
/// Wrong passwords from one address, whatever the logins.
const FROM_ONE: u32 = 40;
/// Wrong passwords for one login from one address.
const LOGIN_FROM_ONE: u32 = 10;

/// Counts by key, each with the begin of its window.
#[derive(Debug)]
struct Counts<K>(HashMap<K, (OffsetDateTime, u32)>);

impl<K> Default for Counts<K> {
    fn default() -> Counts<K> {
        Counts(HashMap::new())
    }
}

impl<K: Hash + Eq> Counts<K> {
    /// The count of a key in its window.
    fn entry(&mut self, key: K, now: OffsetDateTime, window: Duration) -> &mut (OffsetDateTime, u32) {
        if self.0.len() >= MAX_ENTRIES && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let entry = self.0.entry(key).or_insert((now, 0));
        if now - entry.0 >= window {
            *entry = (now, 0);
        }
        entry
    }

    fn of(&self, key: &K, now: OffsetDateTime, window: Duration) -> u32 {
        self.0.get(key).filter(|(since, _)| now - *since < window).map_or(0, |(_, count)| *count)
    }

    fn give_back(&mut self, key: &K) {
        if let Some((_, count)) = self.0.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }

    /// What counts most stays longest: whoever fills the table with others' single tries does not empty it of
    /// their own.
    fn make_room(&mut self, now: OffsetDateTime) {
        self.0.retain(|_, (since, _)| now - *since < WINDOW);
        let mut least = 1;
        while self.0.len() >= MAX_ENTRIES {
            self.0.retain(|_, (_, count)| *count > least);
            least = least.saturating_mul(2);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Throttle {
    counts: Mutex<Counts<Guess>>,
    sign_ins: Mutex<SignIns>,
}

#[derive(Debug, Default)]
struct SignIns {
    from: Counts<String>,
    at_from: Counts<(String, String)>,
    at: Counts<String>,
}

/// A try to sign in that was let through to be judged.
#[derive(Debug)]
pub(crate) struct Try {
    login: String,
    address: String,
}

impl Throttle {
    /// Counts a guess before it is judged, so that many at once are not all let through; `false` when the
    /// limit is reached. A right guess is given back with [`Throttle::give_back`].
    pub fn take(&self, guess: &Guess, now: OffsetDateTime) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (_, count) = counts.entry(guess.clone(), now, guess.window());
        let is_allowed = *count < guess.limit();
        *count += u32::from(is_allowed);
        is_allowed
    }

    /// How long it takes until another guess is let through; `None` when it is now.
    pub fn wait(&self, guess: &Guess, now: OffsetDateTime) -> Option<Duration> {
        let counts = self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (since, count) = counts.0.get(guess)?;
        let left = *since + guess.window() - now;
        (*count >= guess.limit() && left.is_positive()).then_some(left)
    }

    /// Why a guess is not let through, with its wait.
    pub fn refusal(&self, guess: &Guess, now: OffsetDateTime) -> Error {
        Error::TooMany { wait: self.wait(guess, now).unwrap_or(Duration::ZERO) }
    }

    /// Takes one guess back that was right.
    pub fn give_back(&self, guess: &Guess) {
        self.counts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).give_back(guess);
    }

    /// Counts a try to sign in before it is judged: first its address, and only then the login, so that an
    /// address that is turned away moves no other count.
    ///
    /// # Errors
    /// How long the address must wait, for this login or for any.
    pub fn sign_in(&self, login: &str, address: &str, now: OffsetDateTime) -> Result<Try, Duration> {
        let mut sign_ins = self.sign_ins.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let tried = Try { login: login.to_owned(), address: address.to_owned() };
        let (since, count) = sign_ins.from.entry(address.to_owned(), now, WINDOW);
        if *count >= FROM_ONE {
            return Err(*since + WINDOW - now);
        }
        let guessed_at_by_many = sign_ins.at.of(&tried.login, now, WINDOW) >= MANY;
        let limit = if guessed_at_by_many { FEW } else { LOGIN_FROM_ONE };
        let pair = (tried.login.clone(), tried.address.clone());
        let (since, count) = sign_ins.at_from.entry(pair, now, WINDOW);
        if *count >= limit {
            return Err(*since + WINDOW - now);
        }
        *count += 1;
        sign_ins.at.entry(tried.login.clone(), now, WINDOW).1 += 1;
        sign_ins.from.entry(tried.address.clone(), now, WINDOW).1 += 1;
        Ok(tried)
    }

    /// The password was right: the try costs nothing, and what this address got wrong before at this very
    /// login is forgotten. What it got wrong at other logins is not, nor what others got wrong at this one.
    pub fn was_right(&self, tried: Try) {
        let mut sign_ins = self.sign_ins.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        sign_ins.from.give_back(&tried.address);
        sign_ins.at.give_back(&tried.login);
        sign_ins.at_from.0.remove(&(tried.login, tried.address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

    fn receipt(from: &str) -> Guess {
        Guess::Receipt(from.to_owned())
    }

    #[test]
    fn the_limit_holds_for_one_window() {
        let (throttle, guess) = (Throttle::default(), receipt("192.0.2.1"));
        for _ in 0..20 {
            assert!(throttle.take(&guess, NOW));
        }
        assert!(!throttle.take(&guess, NOW + Duration::minutes(14)));
        assert!(throttle.take(&receipt("192.0.2.2"), NOW));
        assert!(throttle.take(&guess, NOW + Duration::minutes(15)));
    }

    #[test]
    fn a_right_guess_costs_nothing() {
        let (throttle, guess) = (Throttle::default(), receipt("192.0.2.1"));
        for _ in 0..50 {
            assert!(throttle.take(&guess, NOW));
            throttle.give_back(&guess);
        }
        assert_eq!((0..40).filter(|_| throttle.take(&guess, NOW)).count(), 20);
    }

    /// How many of `times` tries are judged.
    fn judged(throttle: &Throttle, login: &str, address: &str, times: usize) -> usize {
        (0..times).filter(|_| throttle.sign_in(login, address, NOW).is_ok()).count()
    }

    #[test]
    fn an_address_has_ten_guesses_at_a_login_and_forty_at_all() {
        let throttle = Throttle::default();
        assert_eq!(judged(&throttle, "chihuy", "192.0.2.1", 20), 10);
        assert_eq!(judged(&throttle, "chihuy", "192.0.2.2", 20), 10);
        let others = (0..50).filter(|n| judged(&throttle, &format!("login{n}"), "192.0.2.1", 1) == 1).count();
        assert_eq!(others, 30);
        assert_eq!(throttle.sign_in("canbo", "192.0.2.1", NOW).unwrap_err(), WINDOW);
        assert!(throttle.sign_in("canbo", "192.0.2.1", NOW + WINDOW).is_ok());
    }

    #[test]
    fn a_right_password_forgives_its_own_login_and_address_only() {
        let throttle = Throttle::default();
        assert_eq!(judged(&throttle, "chihuy", "192.0.2.1", 9), 9);
        for _ in 0..100 {
            let tried = throttle.sign_in("mine", "192.0.2.1", NOW).unwrap();
            throttle.was_right(tried);
        }
        assert_eq!(judged(&throttle, "chihuy", "192.0.2.1", 9), 1);
        assert_eq!(judged(&throttle, "mine", "192.0.2.1", 9), 9);
        let others = (0..50).filter(|n| judged(&throttle, &format!("login{n}"), "192.0.2.1", 1) == 1).count();
        assert_eq!(others, 40 - 10 - 9);
    }

    #[test]
    fn a_login_that_many_guess_at_is_open_to_each_address_for_a_little() {
        let throttle = Throttle::default();
        for n in 0..100 {
            let expect = if n < 3 { 10 } else { 2 };
            assert_eq!(judged(&throttle, "chihuy", &format!("192.0.2.{n}"), 20), expect, "{n}");
        }
        assert!(throttle.sign_in("chihuy", "203.0.113.1", NOW).is_ok());
    }

    #[test]
    fn what_was_refused_is_counted_and_asking_for_room_costs_nothing() {
        let (throttle, kit) = (Throttle::default(), Guess::KitMessage("192.0.2.1".to_owned()));
        for _ in 0..140 {
            assert!(throttle.wait(&kit, NOW).is_none() && throttle.wait(&kit, NOW).is_none());
            throttle.take(&kit, NOW);
        }
        assert_eq!(throttle.wait(&kit, NOW), Some(Duration::minutes(1)));
        assert!(throttle.wait(&Guess::KitMessage("192.0.2.2".to_owned()), NOW).is_none());
        // A kit does not wait as a guesser of passwords does.
        assert_eq!(throttle.wait(&kit, NOW + Duration::seconds(20)), Some(Duration::seconds(40)));
        assert!(throttle.wait(&kit, NOW + Duration::minutes(1)).is_none());
    }

    #[test]
    fn memory_is_bounded_and_whoever_fills_it_is_not_forgotten() {
        let throttle = Throttle::default();
        assert_eq!(judged(&throttle, "chihuy", "192.0.2.1", 10), 10);
        for n in 0..=MAX_ENTRIES {
            let _ = throttle.sign_in("chihuy", &n.to_string(), NOW);
            let _ = throttle.sign_in(&n.to_string(), "192.0.2.1", NOW);
            throttle.take(&receipt(&n.to_string()), NOW);
        }
        let sign_ins = throttle.sign_ins.lock().unwrap();
        for entries in [sign_ins.from.0.len(), sign_ins.at.0.len(), sign_ins.at_from.0.len()] {
            assert!(entries <= MAX_ENTRIES, "{entries}");
        }
        drop(sign_ins);
        assert!(throttle.counts.lock().unwrap().0.len() <= MAX_ENTRIES);
        assert_eq!(judged(&throttle, "canbo", "192.0.2.1", 1), 0);
    }
}
