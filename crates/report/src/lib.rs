#![doc = include_str!("../README.md")]

mod funnel;
mod ledger;
mod progress;

pub use funnel::{FunnelRow, StageAge, ages, funnel, total};
pub use ledger::{Difference, Identity, ledger};
pub use progress::{Day, Progress, burn_up, measure, progress, share_tenths};

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
}
