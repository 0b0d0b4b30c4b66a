//! What takes long to count, kept for a while.
//!
//! How a commune stands is counted in a moment, and each time anew. How a province of millions stands takes
//! seconds, and those who look at it each morning would wait for one another. So what took long is kept ten
//! times as long as it took, whoever comes later gets it as it is while it is counted once more, and pages
//! say of when it is. Only whoever comes first, or first after ten minutes, waits.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as AsyncMutex;

/// What took less is not kept: nobody waits for it, and everybody sees the latest.
const QUICK: Duration = Duration::from_millis(250);
/// How much longer something is kept than it took.
const TIMES: u32 = 10;
/// What is older is not shown any more, whoever waits.
const OLDEST: Duration = Duration::from_secs(600);
/// Things kept at once.
const MOST: usize = 1_000;

/// Values by what they are of.
pub(crate) struct Kept<K, V> {
    slots: Mutex<HashMap<K, Arc<Slot<V>>>>,
}

struct Slot<V> {
    /// Held by whoever counts, so that one does for all who wait.
    counting: AsyncMutex<()>,
    last: Mutex<Option<Counted<V>>>,
}

struct Counted<V> {
    value: V,
    at: Instant,
    took: Duration,
}

/// What there is of a value.
enum Found<V> {
    Good(V),
    /// Still to be shown, and time to count it again.
    Old(V),
    Nothing,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Kept { slots: Mutex::new(HashMap::new()) }
    }
}

impl<V: Clone> Slot<V> {
    fn find(&self) -> Found<V> {
        match &*self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(counted) => match counted.at.elapsed() {
                age if age < counted.took * TIMES => Found::Good(counted.value.clone()),
                age if age < OLDEST => Found::Old(counted.value.clone()),
                _ => Found::Nothing,
            },
            None => Found::Nothing,
        }
    }

    async fn count<E>(&self, count: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let begun = Instant::now();
        let value = count.await?;
        let took = begun.elapsed();
        let counted = Counted { value: value.clone(), at: Instant::now(), took };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (took >= QUICK).then_some(counted);
        Ok(value)
    }
}

impl<K, V> Kept<K, V>
where
    K: Hash + Eq,
    V: Clone + Send + 'static,
{
    /// The value of `key`: kept, or as `count` gives it.
    ///
    /// # Errors
    /// Those of `count`, when there is nothing to show meanwhile.
    pub async fn get<E, F>(&self, key: K, count: F) -> Result<V, E>
    where
        E: std::fmt::Display + Send + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let slot = self.slot(key);
        match slot.find() {
            Found::Good(value) => return Ok(value),
            Found::Old(value) => {
                tokio::spawn(async move {
                    let Ok(_counting) = slot.counting.try_lock() else { return };
                    // Somebody else may have counted it before this one began.
                    if matches!(slot.find(), Found::Good(_)) {
                        return;
                    }
                    if let Err(error) = slot.count(count).await {
                        tracing::warn!(%error, "what is shown could not be counted again");
                    }
                });
                return Ok(value);
            }
            Found::Nothing => {}
        }
        // A task of its own: whoever loads the page again, tired of waiting, finds it under way and not begun
        // anew.
        let counted = tokio::spawn(async move {
            let _counting = slot.counting.lock().await;
            // Somebody else may have counted it while this one waited.
            match slot.find() {
                Found::Good(value) | Found::Old(value) => Ok(value),
                Found::Nothing => slot.count(count).await,
            }
        });
        counted.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
    }

    fn slot(&self, key: K) -> Arc<Slot<V>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST && !slots.contains_key(&key) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || !matches!(slot.find(), Found::Nothing));
            if slots.len() >= MOST {
                slots.clear();
            }
        }
        let empty = || Arc::new(Slot { counting: AsyncMutex::new(()), last: Mutex::new(None) });
        Arc::clone(slots.entry(key).or_insert_with(empty))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Counts how often counting was begun, which takes `takes`.
    async fn ask(kept: &Kept<u8, u32>, asked: &Arc<AtomicU32>, takes: Duration) -> u32 {
        let asked = Arc::clone(asked);
        let count = async move {
            let begun = asked.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(takes).await;
            Ok::<u32, String>(begun)
        };
        kept.get(1, count).await.expect("counting does not fail")
    }

    #[tokio::test]
    async fn what_is_counted_quickly_is_counted_each_time() {
        let (kept, asked) = (Kept::default(), Arc::default());
        for expect in 1..=3 {
            assert_eq!(ask(&kept, &asked, Duration::ZERO).await, expect);
        }
    }

    #[tokio::test]
    async fn what_takes_long_is_counted_once_for_all_who_ask_meanwhile_and_after() {
        let (kept, asked) = (Kept::default(), Arc::default());
        let long = QUICK + Duration::from_millis(20);
        let (one, other) = tokio::join!(ask(&kept, &asked, long), ask(&kept, &asked, long));
        assert_eq!((one, other, ask(&kept, &asked, long).await), (1, 1, 1));
    }

    #[tokio::test]
    async fn whoever_stops_waiting_does_not_stop_the_counting() {
        let (kept, asked) = (Kept::default(), Arc::default());
        let long = QUICK * 2;
        let impatient = tokio::time::timeout(QUICK / 5, ask(&kept, &asked, long)).await;
        assert!(impatient.is_err(), "it takes longer");
        assert_eq!(ask(&kept, &asked, long).await, 1, "what was under way is what the next one gets");
    }

    #[tokio::test]
    async fn what_is_old_is_shown_while_it_is_counted_again() {
        let (kept, asked) = (Kept::default(), Arc::default());
        let slot = kept.slot(1);
        let long_ago = Instant::now().checked_sub(Duration::from_secs(60)).expect("a minute after the start");
        let counted = Counted { value: 7, at: long_ago, took: QUICK };
        *slot.last.lock().expect("nobody panicked") = Some(counted);
        assert_eq!(ask(&kept, &asked, QUICK * 2).await, 7);
        while ask(&kept, &asked, QUICK * 2).await == 7 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "once for all who looked");
    }
}
