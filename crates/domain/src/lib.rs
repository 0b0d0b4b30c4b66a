#![doc = include_str!("../README.md")]

pub mod application;
pub mod clock;
pub mod codes;
pub mod date;
pub mod deadline;
pub mod form;
pub mod id;
pub mod name;
pub mod pin;
pub mod record;
pub mod text;
pub mod unit;

pub use clock::Clock;
pub use date::PartialDate;
pub use deadline::Deadline;
pub use name::PersonName;
pub use pin::{OldId, Pin, Sex};
pub use record::ResidentRecord;
pub use unit::UnitCode;
