//! What a kit knows of the time: its own clock, which anybody may set, and how long the machine has been up,
//! which nobody can set back.

use std::fs;

use rusqlite::{Connection, params};
use time::{Duration, OffsetDateTime};

use crate::KitError;
use crate::columns::{instant, ms};

/// The time as a kit has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KitTime {
    /// By the clock that is shown and may be wrong.
    pub wall: OffsetDateTime,
    /// By the clock that only counts; `None` where there is none.
    pub steady: Option<Steady>,
}

/// How long a machine has been up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steady {
    /// Which start of the machine it counts from.
    pub boot: [u8; 16],
    /// Since then, asleep or awake.
    pub since: Duration,
}

impl Steady {
    /// Of this machine (Linux: `/proc/sys/kernel/random/boot_id`, and `/proc/uptime`, which counts sleep
    /// too). `None` where the system does not tell.
    pub fn of_this_machine() -> Option<Steady> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        let boot = *uuid::Uuid::parse_str(boot.trim()).ok()?.as_bytes();
        Some(Steady { boot, since: Duration::checked_seconds_f64(seconds)? })
    }

    /// Whole milliseconds.
    pub(crate) fn ms(self) -> i64 {
        i64::try_from(self.since.whole_milliseconds()).unwrap_or(i64::MAX)
    }
}

/// A clock that is shown, and no other.
impl From<OffsetDateTime> for KitTime {
    fn from(wall: OffsetDateTime) -> Self {
        KitTime { wall, steady: None }
    }
}

/// The centre's time by the outbox's row of the kit.
pub(crate) fn centre_at(db: &Connection, steady: Option<Steady>) -> Result<Option<OffsetDateTime>, KitError> {
    type Row = (Option<i64>, Option<Vec<u8>>, Option<i64>);
    let (at, boot, then): Row =
        db.query_row("SELECT centre_at, centre_boot, centre_steady FROM kit", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let Some(at) = at else { return Ok(None) };
    let passed = steady.zip(boot).zip(then).map_or(0, |((steady, boot), then)| {
        if steady.boot.as_slice() == boot.as_slice() { (steady.ms() - then).max(0) } else { 0 }
    });
    Ok(Some(instant(at.saturating_add(passed))?))
}

/// Keeps the centre's time, which goes on only: a receipt of before that comes again says nothing.
pub(crate) fn note_centre(
    db: &Connection,
    at: OffsetDateTime,
    steady: Option<Steady>,
) -> Result<(), KitError> {
    let known = centre_at(db, steady)?;
    if known.is_some_and(|known| known >= at) {
        return Ok(());
    }
    db.execute(
        "UPDATE kit SET centre_at = ?1, centre_boot = ?2, centre_steady = ?3",
        params![ms(at), steady.map(|steady| steady.boot.to_vec()), steady.map(|steady| steady.ms())],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_counts_on() {
        let first = Steady::of_this_machine().unwrap();
        let second = Steady::of_this_machine().unwrap();
        assert_eq!(first.boot, second.boot);
        assert!(second.since >= first.since && first.since.is_positive());
    }
}
