#![doc = include_str!("../README.md")]

pub mod desks;
pub mod intake;
pub mod kits;

mod error;

pub use error::EnrolError;
