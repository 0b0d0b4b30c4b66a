#![doc = include_str!("../README.md")]

pub mod certificates;
pub mod results;

mod apply;
mod authority;
mod chip;
mod decide;
mod error;
mod face;
mod life;
mod outcome;
mod personalise;
mod stock;

pub use apply::{BatchSummary, Photos, open_batch, sign_batch, unfinished_batches};
pub use authority::Authority;
pub use chip::{ChipFiles, ChipImages, ChipKeySource, Fingers, Proofs, rebuild};
pub use decide::PinSource;
pub use error::Error;
pub use face::Face;
pub use life::{Came, expire, reinstate, revoke, suspend};
pub use outcome::{CameOut, record_outcomes, record_results};
pub use personalise::{Done, Later, Refusal, Spoiling, Station, Told, Wanted, Workshop, open_cards};
pub use stock::{Delivery, Received, count_stock, receive_box, spoil_blank};
