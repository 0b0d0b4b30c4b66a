#![doc = include_str!("../README.md")]

pub mod behaviour;
pub mod error;
pub mod finger;
pub mod forms;
pub mod names;
pub mod photo;
pub mod places;
pub mod population;
pub mod register;
mod scan;
pub mod stream;

pub use error::SimulateError;
pub use population::{Model, Population, TruthId};
