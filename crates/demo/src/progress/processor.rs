//! Processor time of this program and of the server of its database, as Linux counts it.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// How many times a second Linux counts for `/proc` (`USER_HZ`), on every architecture that the program is
/// built for.
const TICKS_PER_SECOND: u64 = 100;

/// Processor time up to a moment, or between two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Busy {
    /// `None` where there is no `/proc`.
    pub program: Option<Duration>,
    /// `None` for a server that is not the program's own child or runs on another machine.
    pub database: Option<Duration>,
}

impl Busy {
    /// Up to now. `server` is the process id of the database's server.
    pub fn now(server: Option<u32>) -> Busy {
        Busy { program: own_time("self"), database: server.and_then(server_time) }
    }

    /// Both together.
    pub fn plus(self, more: Busy) -> Busy {
        let sum = |one: Option<Duration>, other: Option<Duration>| Some(one? + other?);
        Busy { program: sum(self.program, more.program), database: sum(self.database, more.database) }
    }
}

impl Sub for Busy {
    type Output = Busy;

    fn sub(self, before: Busy) -> Busy {
        let between = |now: Option<Duration>, before: Option<Duration>| Some(now?.saturating_sub(before?));
        Busy {
            program: between(self.program, before.program),
            database: between(self.database, before.database),
        }
    }
}

/// The server and all its processes: those that ended are counted in the server, which waited for them.
fn server_time(server: u32) -> Option<Duration> {
    let mut sum = times(&server.to_string())?.iter().sum();
    let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).ok()?;
    for child in children.split_ascii_whitespace() {
        // One that ends between the list and its file is in the server's count the next time.
        sum += own_time(child).unwrap_or_default();
    }
    Some(sum)
}

fn own_time(process: &str) -> Option<Duration> {
    let [user, system, ..] = times(process)?;
    Some(user + system)
}

/// User and system time of a process, then those of its children that it waited for: fields 14 to 17 of
/// proc(5). The second field is a name in brackets and may hold spaces.
fn times(process: &str) -> Option<[Duration; 4]> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let mut ticks = fields.split_ascii_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    let mut next = || Some(Duration::from_millis(ticks.next()?? * 1000 / TICKS_PER_SECOND));
    Some([next()?, next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_and_never_taken_back() {
        let before = Busy::now(Some(std::process::id()));
        let mut hash = 1_u64;
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(300)
            || Busy::now(None) == (Busy { database: None, ..before })
        {
            hash = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(7);
        }
        let after = Busy::now(Some(std::process::id()));
        assert!(hash != 0 && (after - before).program > Some(Duration::ZERO), "{before:?} {after:?}");
        assert!((after - before).database > Some(Duration::ZERO), "{before:?} {after:?}");
        assert_eq!((before - after).program, Some(Duration::ZERO));
    }

    #[test]
    fn a_server_that_is_not_there_is_not_counted() {
        assert_eq!(Busy::now(None).database, None);
        assert_eq!(Busy::now(Some(u32::MAX)).database, None);
    }
}
