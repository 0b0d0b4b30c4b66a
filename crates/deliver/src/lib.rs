#![doc = include_str!("../README.md")]

mod apply;
mod decide;
mod error;

pub use apply::{Attempt, HandedOver, Sent, arrived_late, dispatch, forward, hand_over, receive};
pub use decide::{Check, Presented, check};
pub use error::Error;
