#![doc = include_str!("../README.md")]

pub mod certificates;

mod apply;
mod authority;
mod chip;
mod decide;
mod error;
mod face;

pub use apply::{BatchSummary, Outcome, Photos, open_batch, record_results, sign_batch, unfinished_batches};
pub use authority::Authority;
pub use chip::{ChipFiles, ChipKeySource, Proofs, rebuild};
pub use decide::{PinSource, expiry};
pub use error::Error;
pub use face::Face;
