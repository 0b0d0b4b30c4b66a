//! The outbox's tables, and how values stand in their columns.

use rusqlite::{Connection, Row, params};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::KitError;
use domain::id::PacketId;

/// Format 1 held packets that no officer had signed, which no centre takes any more; format 2 forgot packets
/// at their receipt.
pub(crate) const FORMAT: i64 = 3;

/// Every table.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS kit (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    format INTEGER NOT NULL,
    kit_id BLOB NOT NULL,
    last_seq INTEGER NOT NULL,
    centre_at INTEGER,                 -- the centre's time by its last signed receipt
    centre_boot BLOB,                  -- since which start of this machine the next counts
    centre_steady INTEGER,             -- what the machine's own clock showed then
    durable_seq INTEGER NOT NULL DEFAULT 0  -- up to which counter the centre called packets safe
) STRICT;
CREATE TABLE IF NOT EXISTS packet (
    packet_id BLOB PRIMARY KEY,
    application_id BLOB NOT NULL,
    kit_seq INTEGER NOT NULL UNIQUE,
    captured_at INTEGER NOT NULL,      -- milliseconds since 1970, as all times here
    unit TEXT NOT NULL,
    kind TEXT,                         -- NULL of a hand-over
    sha256 BLOB NOT NULL,              -- stays: the next packet names it
    sealed BLOB,                       -- NULL once the centre has called it safe
    receipt_code TEXT,                 -- NULL once the centre has taken it over
    state TEXT NOT NULL CHECK (state IN ('unsent', 'sent', 'accepted', 'durable', 'refused')),
    refusal TEXT,
    receipt_id INTEGER REFERENCES receipt,
    CHECK ((state = 'durable') = (sealed IS NULL)),
    CHECK ((state = 'refused') = (refusal IS NOT NULL))
) STRICT;
CREATE INDEX IF NOT EXISTS packet_pending ON packet (kit_seq) WHERE state IN ('unsent', 'sent');
CREATE INDEX IF NOT EXISTS packet_kept ON packet (kit_seq) WHERE state = 'accepted';
CREATE INDEX IF NOT EXISTS packet_by_capture ON packet (captured_at);
CREATE TABLE IF NOT EXISTS receipt (
    receipt_id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    message BLOB NOT NULL              -- as signed by the centre: the proof of the hand-over
) STRICT;
CREATE TABLE IF NOT EXISTS sync_log (
    line INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    packets INTEGER NOT NULL, note TEXT NOT NULL
) STRICT;";

pub(crate) fn ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).expect("years up to 9999 fit")
}

pub(crate) fn instant(ms: i64) -> Result<OffsetDateTime, KitError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .map_err(|_| KitError::Row("an instant out of range"))
}

pub(crate) fn count(number: i64) -> Result<u64, KitError> {
    u64::try_from(number).map_err(|_| KitError::Row("a negative count"))
}

pub(crate) fn blob(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

pub(crate) fn uuid(bytes: &[u8]) -> Result<Uuid, KitError> {
    Uuid::from_slice(bytes).map_err(|_| KitError::Row("an id of another length"))
}

pub(crate) fn packet_id(row: &Row<'_>, column: usize) -> Result<PacketId, KitError> {
    let bytes: Vec<u8> = row.get(column)?;
    Ok(PacketId::from_uuid(uuid(&bytes)?))
}

/// Adds a line to the log of exchanges.
pub(crate) fn log(
    db: &Connection,
    at: OffsetDateTime,
    event: &str,
    packets: usize,
    note: &str,
) -> Result<(), KitError> {
    db.execute(
        "INSERT INTO sync_log (at, event, packets, note) VALUES (?1, ?2, ?3, ?4)",
        params![ms(at), event, i64::try_from(packets).unwrap_or(i64::MAX), note],
    )?;
    Ok(())
}
