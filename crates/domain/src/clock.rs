//! Where the time comes from: the machine for a live centre, the simulator for a campaign that runs in
//! minutes.

use std::sync::atomic::{AtomicI64, Ordering};

use time::{Date, OffsetDateTime, UtcOffset};

/// Asia/Ho_Chi_Minh has had no daylight saving and a fixed offset of seven hours since 1975.
pub const VIETNAM: UtcOffset = match UtcOffset::from_hms(7, 0, 0) {
    Ok(offset) => offset,
    Err(_) => panic!("seven hours is a valid offset"),
};

/// Where the time comes from. It is a parameter everywhere, so that tests and a simulated campaign set it.
pub trait Clock: Send + Sync {
    /// The present instant, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// Today's date in Vietnam, which is what forms, deadlines and ages go by.
    fn today(&self) -> Date {
        self.now().to_offset(VIETNAM).date()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// A clock that stands still until it is set, for simulations and tests.
#[derive(Debug)]
pub struct VirtualClock {
    unix_ms: AtomicI64,
}

impl VirtualClock {
    /// A clock that stands at `start` until it is moved; it keeps whole milliseconds.
    pub fn at(start: OffsetDateTime) -> Self {
        let clock = Self { unix_ms: AtomicI64::new(0) };
        clock.set(start);
        clock
    }

    /// Moves the clock, forwards or backwards, for everyone who shares it.
    pub fn set(&self, now: OffsetDateTime) {
        let ms = now.unix_timestamp() * 1000 + i64::from(now.millisecond());
        self.unix_ms.store(ms, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> OffsetDateTime {
        let ms = self.unix_ms.load(Ordering::SeqCst);
        OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000)).expect("set() stored a valid instant")
            + time::Duration::milliseconds(ms.rem_euclid(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_virtual_evening_in_utc_is_the_next_day_in_vietnam() {
        let clock = VirtualClock::at(datetime!(2021-04-06 18:30 UTC));
        assert_eq!(clock.now(), datetime!(2021-04-06 18:30 UTC));
        assert_eq!(clock.today(), time::macros::date!(2021 - 04 - 07));
    }
}
