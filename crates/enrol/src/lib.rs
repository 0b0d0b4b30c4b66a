#![doc = include_str!("../README.md")]

pub mod desks;
pub mod intake;

mod error;

pub use error::EnrolError;
