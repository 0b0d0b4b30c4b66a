//! Kits, packets and the content of applications as rows.

mod content;
mod intake;
mod kits;

use uuid::Uuid;

use crate::Error;

pub use content::{
    Declared, Opened, SealedPacket, declared, lock_unopened, refuse_packets, sealed_packets, store_opened,
    unopened, used_receipt_hashes,
};
pub use intake::{
    KnownPacket, NewPacket, NewRefusal, insert_packets, known_packets, note_refusals, standings, unit_paths,
};
pub use kits::{Kit, NewKitReport, kits, lock_kits, put_kit_report, register_kit, revoke_kit, sequence_gaps};

/// The program's counters come from messages that were checked to fit.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn inconsistent(table: &'static str, row: Uuid, reason: &str) -> Error {
    Error::Inconsistent { table, row: row.to_string(), reason: reason.to_owned() }
}
