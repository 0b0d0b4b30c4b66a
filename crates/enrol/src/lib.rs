#![doc = include_str!("../README.md")]

pub mod check;
pub mod desks;
pub mod intake;
pub mod keys;
pub mod message;
pub mod packet;
pub mod receipt_code;
pub mod rules;
pub mod wire;

mod cbor;
mod error;
mod sign1;

pub use error::EnrolError;
pub use receipt_code::ReceiptCode;
