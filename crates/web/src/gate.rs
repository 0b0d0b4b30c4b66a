//! Who holds a connection. There is an end to connections at once, of all and of one address, and whoever
//! comes is let in all the same as long as others only wait: the oldest connection on which nothing is being
//! answered makes room, of the same address where that is full, of the address with the most where all is.
//!
//! So requests that are never finished cost their sender's own place, and not other people's.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How many connections there may be, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// All at once. Fewer where the system gives fewer file descriptors.
    pub connections: usize,
    /// At once from one address; an office behind one line has this many.
    pub from_one: usize,
    /// How long the head of a request may take, from the connection's begin or the request before: also how
    /// long a connection may be idle, and how long TLS may take to be agreed on.
    pub head: Duration,
    /// How long the other side may take nothing of an answer.
    pub stalled: Duration,
    /// How long answers that are being made are waited for when the program stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 4_096,
            from_one: 256,
            head: Duration::from_secs(20),
            stalled: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// The places of all connections.
pub(crate) struct Gate {
    from_one: usize,
    total: usize,
    all: Arc<Semaphore>,
    lines: Mutex<Lines>,
    /// Connections that were closed or not let in to keep the limits, for the log.
    turned_away: AtomicU64,
}

#[derive(Default)]
struct Lines {
    next: u64,
    by_address: HashMap<Arc<str>, Line>,
}

/// The connections of one address.
#[derive(Default)]
struct Line {
    open: usize,
    /// Those on which nothing is being answered, the oldest first.
    waiting: BTreeMap<u64, Arc<Ticket>>,
}

#[derive(Default)]
struct Ticket {
    end: Notify,
    made_room: AtomicBool,
}

/// A connection's place, until it is dropped.
pub(crate) struct Place {
    gate: Arc<Gate>,
    address: Arc<str>,
    ticket: Arc<Ticket>,
    /// Its number among those that wait; 0 while it is being answered.
    number: AtomicU64,
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// A gate through which nobody has come yet.
    pub fn new(limits: &Limits) -> Arc<Gate> {
        Arc::new(Gate {
            from_one: limits.from_one,
            total: limits.connections,
            all: Arc::new(Semaphore::new(limits.connections)),
            lines: Mutex::default(),
            turned_away: AtomicU64::new(0),
        })
    }

    /// A place for a connection; `None` when its address has all of its own, and each is being answered. A
    /// connection of a named proxy is `unlimited`: it stands for many addresses.
    pub async fn enter(self: &Arc<Gate>, address: &str, unlimited: bool) -> Option<Place> {
        {
            let mut lines = self.lines();
            let full = lines.by_address.get_mut(address).filter(|line| line.open >= self.from_one);
            if let Some(line) = full.filter(|_| !unlimited) {
                self.turned_away.fetch_add(1, Ordering::Relaxed);
                if !line.make_room() {
                    return None;
                }
            }
        }
        let permit = match Arc::clone(&self.all).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.make_room();
                Arc::clone(&self.all).acquire_owned().await.ok()?
            }
        };
        let (address, ticket) = (Arc::<str>::from(address), Arc::<Ticket>::default());
        self.lines().by_address.entry(Arc::clone(&address)).or_default().open += 1;
        let place =
            Place { gate: Arc::clone(self), address, ticket, number: AtomicU64::new(0), _permit: permit };
        place.waits();
        Some(place)
    }

    /// Closes a connection that only waits, of the address that has most of them.
    pub fn make_room(&self) {
        let mut lines = self.lines();
        let fullest = lines.by_address.values_mut().max_by_key(|line| line.waiting.len());
        if fullest.is_some_and(Line::make_room) {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many made room or were not let in since this was asked last.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.swap(0, Ordering::Relaxed)
    }

    /// Waits until every connection has ended.
    pub async fn emptied(&self) {
        let all = u32::try_from(self.total).unwrap_or(u32::MAX);
        // It is never closed.
        let _ = self.all.acquire_many(all).await;
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Line {
    fn make_room(&mut self) -> bool {
        let Some((_, ticket)) = self.waiting.pop_first() else { return false };
        self.open -= 1;
        ticket.made_room.store(true, Ordering::Relaxed);
        ticket.end.notify_one();
        true
    }
}

impl Place {
    /// A request came in whole: this connection does not make room for another now.
    pub fn serves(&self) {
        let number = self.number.swap(0, Ordering::Relaxed);
        if let Some(line) = self.gate.lines().by_address.get_mut(&self.address) {
            line.waiting.remove(&number);
        }
    }

    /// The next request is waited for.
    pub fn waits(&self) {
        let mut lines = self.gate.lines();
        lines.next += 1;
        let number = lines.next;
        if self.ticket.made_room.load(Ordering::Relaxed) {
            return;
        }
        self.number.store(number, Ordering::Relaxed);
        if let Some(line) = lines.by_address.get_mut(&self.address) {
            line.waiting.insert(number, Arc::clone(&self.ticket));
        }
    }

    /// Until this connection has to make room.
    pub async fn ended(&self) {
        self.ticket.end.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.gate.lines();
        let Some(line) = lines.by_address.get_mut(&self.address) else { return };
        line.waiting.remove(&self.number.load(Ordering::Relaxed));
        if !self.ticket.made_room.load(Ordering::Relaxed) {
            line.open -= 1;
        }
        if line.open == 0 {
            lines.by_address.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(connections: usize, from_one: usize) -> Arc<Gate> {
        Gate::new(&Limits { connections, from_one, ..Limits::default() })
    }

    async fn has_to_end(place: &Place) -> bool {
        tokio::time::timeout(Duration::from_millis(5), place.ended()).await.is_ok()
    }

    #[tokio::test]
    async fn an_address_makes_room_for_itself_and_for_nobody_it_is_answering() {
        let gate = gate(100, 3);
        let mut places = Vec::new();
        for _ in 0..3 {
            places.push(gate.enter("192.0.2.1", false).await.unwrap());
        }
        let other = gate.enter("192.0.2.2", false).await.unwrap();
        places[0].serves();
        places.push(gate.enter("192.0.2.1", false).await.unwrap());
        assert!(has_to_end(&places[1]).await, "the oldest that waits");
        assert!(!has_to_end(&places[0]).await && !has_to_end(&places[2]).await && !has_to_end(&other).await);
        places.remove(1);
        places.iter().for_each(Place::serves);
        assert!(gate.enter("192.0.2.1", false).await.is_none(), "each is being answered");
        assert!(gate.enter("192.0.2.1", true).await.is_some(), "a proxy has no limit of its own");
        places[1].waits();
        assert!(gate.enter("192.0.2.1", false).await.is_some());
        drop((places, other));
        assert!(gate.lines().by_address.is_empty(), "nobody is remembered");
        assert_eq!(gate.all.available_permits(), 100);
    }

    #[tokio::test]
    async fn when_all_is_full_whoever_has_most_makes_room() {
        let gate = gate(10, 8);
        let mut many = Vec::new();
        for _ in 0..8 {
            many.push(gate.enter("192.0.2.1", false).await.unwrap());
        }
        let few =
            [gate.enter("192.0.2.2", false).await.unwrap(), gate.enter("192.0.2.3", false).await.unwrap()];
        let entering = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter("192.0.2.4", false).await.is_some() }
        });
        many[0].ended().await;
        many.remove(0);
        assert!(entering.await.unwrap());
        assert!(!has_to_end(&few[0]).await && !has_to_end(&few[1]).await);
        assert_eq!(gate.turned_away(), 1);
    }
}
