#![doc = include_str!("../README.md")]

pub mod artwork;
pub mod data;
pub mod lds;
pub mod mrz;
pub mod qr;
pub mod sod;
pub mod tlv;

mod error;
mod jpeg;

pub use error::CardError;
