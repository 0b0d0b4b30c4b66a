#![doc = include_str!("../README.md")]

mod apply;
mod count;
mod decide;
mod error;

pub use apply::{Attempt, HandedOver, Sent, arrived_late, dispatch, forward, hand_over, receive};
pub use count::{Count, MOST_LINES, Scan};
pub use decide::{Check, Presented, check};
pub use error::Error;
