//! Where the time comes from: the machine for a live centre, the simulator for a campaign that runs in
//! minutes.

use std::sync::atomic::{AtomicI64, Ordering};

use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// Asia/Ho_Chi_Minh has had no daylight saving and a fixed offset of seven hours since 1975.
pub const VIETNAM: UtcOffset = match UtcOffset::from_hms(7, 0, 0) {
    Ok(offset) => offset,
    Err(_) => panic!("seven hours is a valid offset"),
};

/// The instant as clocks in Vietnam show it.
///
/// `OffsetDateTime::to_offset` panics in the last hours of the year 9999 and the first of -9999, and instants
/// come from outside: such an instant gets the calendar's own end, so that no question about a card and no
/// packet can stop a thread.
pub fn in_vietnam(at: OffsetDateTime) -> OffsetDateTime {
    at.checked_to_offset(VIETNAM).unwrap_or_else(|| end_of_calendar(at))
}

/// The day on calendars in Vietnam, as [`in_vietnam`].
pub fn day_in_vietnam(at: OffsetDateTime) -> Date {
    in_vietnam(at).date()
}

/// The instant in UTC, as [`in_vietnam`].
pub fn in_utc(at: OffsetDateTime) -> OffsetDateTime {
    at.checked_to_offset(UtcOffset::UTC).unwrap_or_else(|| end_of_calendar(at))
}

fn end_of_calendar(at: OffsetDateTime) -> OffsetDateTime {
    let end = if at.year() < 0 { PrimitiveDateTime::MIN } else { PrimitiveDateTime::MAX };
    end.assume_utc()
}

/// Where the time comes from. It is a parameter everywhere, so that tests and a simulated campaign set it.
pub trait Clock: Send + Sync {
    /// The present instant, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// Today's date in Vietnam, which is what forms, deadlines and ages go by.
    fn today(&self) -> Date {
        day_in_vietnam(self.now())
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
    use time::macros::{date, datetime};

    #[test]
    fn the_ends_of_the_calendar_have_a_day_and_no_panic() {
        for at in [
            datetime!(9999-12-31 23:59:59 UTC),
            datetime!(9999-12-31 17:00 UTC),
            datetime!(9999-12-31 23:59:59 -07:00),
        ] {
            assert_eq!(day_in_vietnam(at), date!(9999 - 12 - 31));
            assert_eq!(in_utc(at).date(), date!(9999 - 12 - 31));
        }
        assert_eq!(day_in_vietnam(datetime!(9999-12-31 16:59:59 UTC)), date!(9999 - 12 - 31));
        let first = datetime!(-9999-01-01 00:00 +14:00);
        assert_eq!((in_utc(first).year(), day_in_vietnam(first).year()), (-9999, -9999));
    }

    #[test]
    fn a_virtual_evening_in_utc_is_the_next_day_in_vietnam() {
        let clock = VirtualClock::at(datetime!(2021-04-06 18:30 UTC));
        assert_eq!(clock.now(), datetime!(2021-04-06 18:30 UTC));
        assert_eq!(clock.today(), time::macros::date!(2021 - 04 - 07));
    }
}
