#![doc = include_str!("../README.md")]

pub mod desks;
pub mod intake;
pub mod kits;
pub mod officers;
pub mod roster;

mod error;
mod two;

pub use error::EnrolError;
pub use two::MOST_REASON_CHARS;
