#![doc = include_str!("../README.md")]

pub mod apply;
pub mod campaign;
mod error;
pub mod quota;
pub mod schedule;
pub mod seating;
pub mod target;

pub use error::Error;
