#![doc = include_str!("../README.md")]

pub mod desks;
pub mod intake;
pub mod kits;
pub mod officers;

mod error;
mod two;

pub use error::EnrolError;
