//! How far the write-ahead log is written, and how far it has reached places that survive this machine.

use sqlx::PgConnection;

use crate::Error;

/// What the server says about its log. Positions are bytes since the log's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalFacts {
    /// Whose log it is: a cluster keeps this number, whatever it is restored to.
    pub system: i64,
    /// The end of what is written; whatever was committed stands before it.
    pub written: u64,
    /// The end of what this server's disk has.
    pub flushed: u64,
    /// Whether a commit that returned is on this server's disk.
    pub commit_waits: bool,
    /// Whether a commit that returned is on the disk of the standbys that the server waits for.
    pub standbys_waited_for: bool,
    /// How far the standbys that have a slot have come: the slowest of them. `None` where there is none.
    pub standbys: Option<u64>,
    /// How far the archive has come; `Some(0)` when nothing of this timeline has reached it. `None` where the
    /// log is not archived.
    pub archived: Option<u64>,
}

/// Reads it.
///
/// # Errors
/// Those of the database.
pub async fn facts(conn: &mut PgConnection) -> Result<WalFacts, Error> {
    type Row = (i64, i64, i64, bool, String, bool, Option<i64>, bool, Option<String>, String, i64);
    // A slot without a position was never used or is lost: its standby has nothing that is certain.
    let row: Row = sqlx::query_as(
        "SELECT (SELECT system_identifier FROM pg_control_system()), \
                pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, \
                pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint, \
                current_setting('fsync')::boolean, \
                current_setting('synchronous_commit'), \
                current_setting('synchronous_standby_names') <> '', \
                (SELECT min(coalesce(pg_wal_lsn_diff(restart_lsn, '0/0'), 0))::bigint \
                 FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary), \
                current_setting('archive_mode') <> 'off', \
                (SELECT last_archived_wal FROM pg_stat_archiver), \
                pg_walfile_name(pg_current_wal_insert_lsn()), \
                pg_size_bytes(current_setting('wal_segment_size'))",
    )
    .fetch_one(conn)
    .await?;
    let (system, written, flushed, fsync, commit, names, standbys, archives, last, current, segment) = row;
    let waits = commit != "off" && fsync;
    Ok(WalFacts {
        system,
        written: written.unsigned_abs(),
        flushed: flushed.unsigned_abs(),
        commit_waits: waits,
        // `remote_write` returns before the standby's disk has it, and `local` does not ask.
        standbys_waited_for: waits && names && matches!(commit.as_str(), "on" | "remote_apply"),
        standbys: standbys.map(i64::unsigned_abs),
        archived: archives.then(|| {
            last.and_then(|last| end_of_segment(&last, &current, segment.unsigned_abs())).unwrap_or(0)
        }),
    })
}

/// Where an archived file of the log ends, if it belongs to the timeline of the `current` one. Names have
/// eight hexadecimal digits each for the timeline, and for the position in units of 4 GiB and of the
/// segment's size; what has another name is no segment of its own.
fn end_of_segment(archived: &str, current: &str, segment: u64) -> Option<u64> {
    let is_segment = archived.len() == 24 && archived.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_segment || current.get(..8)? != &archived[..8] {
        return None;
    }
    let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let (high, low) = (number(&archived[8..16])?, number(&archived[16..])?);
    (high << 32).checked_add(low.checked_add(1)?.checked_mul(segment)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: u64 = 16 << 20;
    const CURRENT: &str = "000000030000000A000000FE";

    #[test]
    fn an_archived_segment_ends_where_the_next_begins() {
        let end = |name| end_of_segment(name, CURRENT, SEGMENT);
        assert_eq!(end("000000030000000000000000"), Some(SEGMENT));
        assert_eq!(end("0000000300000000000000FF"), Some(1 << 32));
        assert_eq!(end("000000030000000A00000001"), Some((10 << 32) + 2 * SEGMENT));
    }

    #[test]
    fn what_is_no_segment_of_this_timeline_says_nothing() {
        for name in [
            "000000020000000A00000001",
            "00000003.history",
            "000000030000000A00000001.00000028.backup",
            "000000030000000A00000001.partial",
            "0000000300000000000000G0",
            "",
        ] {
            assert_eq!(end_of_segment(name, CURRENT, SEGMENT), None, "{name}");
        }
        assert_eq!(end_of_segment("000000030000000A00000001", "", SEGMENT), None);
        assert_eq!(end_of_segment("00000003FFFFFFFFFFFFFFFF", CURRENT, u64::MAX), None);
    }
}
