//! How much of the centre strangers may take at the kits' door, and where cards' files are checked: room for
//! a body is given before it is read, a body must come in time, and who sends what has to be refused is
//! slowed down.
//!
//! Messages are signed, but whoever can reach the door can send bytes, and each refusal is a row. The counts
//! live in memory, as those of [`crate::throttle`] do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Messages at once; with the largest body each, half a gigabyte.
const AT_ONCE: usize = 64;
/// Messages at once from one address: an office behind one line has a few kits.
const AT_ONCE_FROM_ONE: usize = 8;
/// How long a kit waits for its turn before it is told to come again; then it has waited as long as it would
/// pause.
const TURN: Duration = Duration::from_secs(20);
/// A full batch over a line of 50 kB/s.
pub(crate) const BODY: Duration = Duration::from_secs(170);
/// Above it, addresses at which nobody is being served are forgotten.
const MAX_ADDRESSES: usize = 1_000;

pub(crate) struct Door {
    all: Arc<Semaphore>,
    by_address: Mutex<HashMap<String, Arc<Semaphore>>>,
    patience: Duration,
}

/// A turn, until it is dropped.
pub(crate) struct Turn {
    _one: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Default for Door {
    fn default() -> Door {
        Door { all: Arc::new(Semaphore::new(AT_ONCE)), by_address: Mutex::default(), patience: TURN }
    }
}

impl Door {
    /// Waits for a turn; `None` when none came in time.
    pub async fn enter(&self, address: &str) -> Option<Turn> {
        let one = self.of(address);
        let turn = async {
            // First the address's own, so that one address cannot fill the queue for all.
            let one = one.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Turn { _one: one, _all: all })
        };
        timeout(self.patience, turn).await.ok().flatten()
    }

    fn of(&self, address: &str) -> Arc<Semaphore> {
        let mut all = self.by_address.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if all.len() >= MAX_ADDRESSES {
            all.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        let new = || Arc::new(Semaphore::new(AT_ONCE_FROM_ONE));
        Arc::clone(all.entry(address.to_owned()).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impatient() -> Door {
        Door { patience: Duration::from_millis(20), ..Door::default() }
    }

    #[tokio::test]
    async fn one_address_leaves_room_for_others_and_a_turn_comes_back() {
        let door = impatient();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE_FROM_ONE {
            turns.push(door.enter("192.0.2.1").await.expect("there is room"));
        }
        assert!(door.enter("192.0.2.1").await.is_none(), "an address has its share");
        assert!(door.enter("192.0.2.2").await.is_some());
        turns.pop();
        assert!(door.enter("192.0.2.1").await.is_some());
    }

    #[tokio::test]
    async fn there_is_an_end_to_what_is_served_at_once_and_to_what_is_remembered() {
        let door = impatient();
        let mut turns = Vec::new();
        for n in 0..AT_ONCE {
            turns.push(door.enter(&format!("192.0.2.{n}")).await.expect("there is room"));
        }
        assert!(door.enter("198.51.100.1").await.is_none());
        turns.clear();
        for n in 0..3 * MAX_ADDRESSES {
            assert!(door.enter(&n.to_string()).await.is_some());
        }
        assert!(door.by_address.lock().expect("nobody panicked").len() <= MAX_ADDRESSES);
    }
}
