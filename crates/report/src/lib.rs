#![doc = include_str!("../README.md")]

mod funnel;
mod kits;
mod ledger;
mod looking;
mod outlook;
mod overview;
mod progress;

pub use funnel::{Counts, FunnelRow, StageAge, ages, funnel, total};
pub use kits::{KitTotal, kits};
pub use ledger::{Difference, Identity, ledger};
pub use looking::{Anomaly, Unusual, anomalies};
pub use outlook::{Outlook, Seats, outlook};
pub use overview::{Overview, overview};
pub use progress::{Counts as PeopleCounts, Day, Progress, burn_up, measure, progress, share_tenths};
pub use store::report::KitDay;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Who counted as eligible is not known for a day.
    #[error(transparent)]
    NoRule(#[from] domain::profile::NoRule),
    #[error(transparent)]
    Store(#[from] store::Error),
}
