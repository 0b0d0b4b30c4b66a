//! Importing population forms: the rows of a file, chunk by chunk, into the register.
//!
//! Nothing here decides. The caller asks what the register knows of a chunk ([`known`](fn@known)), decides,
//! and writes people, rejects and progress in one transaction, so that a file goes on where it stopped.

mod import;
mod known;
mod leftover;
mod quality;
mod register;
mod units;

pub use import::{ImportProgress, ImportState, NewImport, advance, find_import, finish_import, open_import};
pub use known::{Known, PinHolder, known, lock_register};
pub use leftover::{
    NewReject, NewRepeat, OpenReject, keep_rejects, keep_repeats, open_rejects, resolve_rejects,
};
pub use quality::{QualityRow, quality};
pub use register::{NewPerson, register};
pub use units::load_units;
