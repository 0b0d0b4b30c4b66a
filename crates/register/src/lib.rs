#![doc = include_str!("../README.md")]

mod error;
pub mod quality;

pub use error::Error;
