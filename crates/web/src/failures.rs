//! Failed sign-ins in the audit trail. A row a failure would let anybody write as many rows as they like,
//! into chains whose heads are locked for each. So failures are counted by address: the first of a window
//! leaves a row at once, then the tenth, the hundredth and so on, and what came after the last row is written
//! when the window ends.
//!
//! Whoever kills the process takes along what was counted since the last row, of one window. A login that no
//! account has is kept nowhere: people type passwords into the wrong field.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;
use crate::state::AppState;
use crate::throttle::WINDOW;
use domain::Actor;
use store::audit::{self, Entry};

/// Addresses that are counted each for itself; what comes from more at once is counted together, so that
/// there is an end to rows, however many addresses somebody has.
const MAX_ADDRESSES: usize = 1_000;
const OTHERS: &str = "others";
/// Accounts that a row names; it counts the rest.
const MAX_ACCOUNTS: usize = 20;

/// What became of a try to sign in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    /// A wrong password for this account, or for a login that no account has.
    Wrong(Option<Uuid>),
    /// It was not judged: too many were wrong before.
    TurnedAway,
}

#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<String, Window>>);

#[derive(Debug)]
struct Window {
    since: OffsetDateTime,
    wrong: u64,
    turned_away: u64,
    accounts: BTreeSet<Uuid>,
    more_accounts: u64,
    /// How many failures the last row told of.
    told: u64,
    /// At how many the next row is due.
    next: u64,
}

impl Failures {
    /// Counts a failure and gives the rows that are due: its own, and those of windows that are over.
    pub fn count(&self, address: &str, failure: Failure, now: OffsetDateTime) -> Vec<Entry> {
        let mut rows = self.ended(now);
        let mut windows = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let address = match windows.contains_key(address) || windows.len() < MAX_ADDRESSES {
            true => address,
            false => OTHERS,
        };
        let window = windows.entry(address.to_owned()).or_insert_with(|| Window::new(now));
        window.add(failure);
        if window.all() >= window.next {
            window.next = window.next.saturating_mul(10);
            rows.push(window.row(address, now));
        }
        rows
    }

    /// The rows of windows that are over; they are forgotten.
    pub fn ended(&self, now: OffsetDateTime) -> Vec<Entry> {
        self.taken(now, |window| now - window.since >= WINDOW)
    }

    /// The rows of all windows; they are forgotten.
    pub fn all(&self, now: OffsetDateTime) -> Vec<Entry> {
        self.taken(now, |_| true)
    }

    fn taken(&self, now: OffsetDateTime, over: impl Fn(&Window) -> bool) -> Vec<Entry> {
        let mut windows = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut rows = Vec::new();
        windows.retain(|address, window| {
            let is_over = over(window);
            if is_over && window.all() > window.told {
                rows.push(window.row(address, now));
            }
            !is_over
        });
        rows
    }
}

impl Window {
    fn new(now: OffsetDateTime) -> Window {
        let accounts = BTreeSet::new();
        Window { since: now, wrong: 0, turned_away: 0, accounts, more_accounts: 0, told: 0, next: 1 }
    }

    fn all(&self) -> u64 {
        self.wrong + self.turned_away
    }

    fn add(&mut self, failure: Failure) {
        match failure {
            Failure::TurnedAway => self.turned_away += 1,
            Failure::Wrong(account) => {
                self.wrong += 1;
                match account {
                    Some(account) if self.accounts.len() < MAX_ACCOUNTS => {
                        self.accounts.insert(account);
                    }
                    Some(account) if !self.accounts.contains(&account) => self.more_accounts += 1,
                    Some(_) | None => {}
                }
            }
        }
    }

    fn row(&mut self, address: &str, now: OffsetDateTime) -> Entry {
        self.told = self.all();
        let accounts: Vec<String> = self.accounts.iter().map(Uuid::to_string).collect();
        Entry {
            at: now,
            actor: Actor::Centre,
            action: "sign_in.failed".to_owned(),
            subject: format!("address:{address}"),
            unit_path: String::new(),
            detail: json!({
                "since": self.since.unix_timestamp(),
                "wrong": self.wrong,
                "turned_away": self.turned_away,
                "accounts": accounts,
                "more_accounts": self.more_accounts,
            }),
        }
    }
}

/// Counts a failure, and writes what is due.
pub(crate) async fn note(state: &AppState, address: &str, failure: Failure) -> Result<(), Error> {
    let rows = state.failures.count(address, failure, state.clock.now());
    write(state, &rows).await
}

/// Writes the rows of windows that are over. Nobody waits for it: an error is logged.
pub(crate) async fn write_ended(state: &AppState) {
    let rows = state.failures.ended(state.clock.now());
    if let Err(error) = write(state, &rows).await {
        tracing::error!(%error, "failed sign-ins could not be written to the audit trail");
    }
}

/// Writes the rows of all windows, at the end of the program.
pub(crate) async fn write_all(state: &AppState) {
    let rows = state.failures.all(state.clock.now());
    if let Err(error) = write(state, &rows).await {
        tracing::error!(%error, "failed sign-ins could not be written to the audit trail");
    }
}

async fn write(state: &AppState, rows: &[Entry]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut tx = state.db.begin().await?;
    audit::append_all(&mut tx, rows).await?;
    store::commit(tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

    #[test]
    fn a_flood_leaves_few_rows_and_they_tell_its_size() {
        let failures = Failures::default();
        let account = Some(Uuid::from_u128(7));
        let mut rows = Vec::new();
        for n in 0..50_000 {
            let failure = if n < 40 { Failure::Wrong(account) } else { Failure::TurnedAway };
            rows.extend(failures.count("192.0.2.1", failure, NOW + Duration::milliseconds(n)));
        }
        assert_eq!(rows.len(), 5, "the 1st, 10th, 100th, 1000th and 10000th");
        let end = failures.ended(NOW + WINDOW);
        assert_eq!(
            (end[0].detail["wrong"].as_u64(), end[0].detail["turned_away"].as_u64()),
            (Some(40), Some(49_960))
        );
        assert_eq!(end[0].detail["accounts"][0], Uuid::from_u128(7).to_string());
        assert!(failures.ended(NOW + WINDOW).is_empty() && failures.all(NOW + WINDOW).is_empty());
    }

    #[test]
    fn one_slip_is_one_row() {
        let failures = Failures::default();
        assert_eq!(failures.count("192.0.2.1", Failure::Wrong(None), NOW).len(), 1);
        assert!(failures.all(NOW).is_empty());
    }

    #[test]
    fn many_addresses_leave_a_bounded_number_of_rows() {
        let failures = Failures::default();
        let mut rows = 0;
        for n in 0..200_000 {
            rows += failures.count(&n.to_string(), Failure::Wrong(None), NOW).len();
        }
        assert!(rows <= MAX_ADDRESSES + 7, "{rows}");
        let others = failures.all(NOW);
        assert_eq!(others.len(), 1);
        assert_eq!(others[0].detail["wrong"].as_u64(), Some(200_000 - MAX_ADDRESSES as u64));
    }
}
