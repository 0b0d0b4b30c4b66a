#![doc = include_str!("../README.md")]

pub mod actor;
pub mod application;
pub mod blank;
pub mod card;
pub mod clock;
pub mod codes;
pub mod correction;
pub mod date;
pub mod deadline;
pub mod field;
pub mod form;
pub mod handover;
pub mod id;
pub mod name;
pub mod person;
pub mod pin;
pub mod profile;
pub mod record;
pub mod text;
pub mod unit;

pub use actor::Actor;
pub use clock::Clock;
pub use date::PartialDate;
pub use deadline::Deadline;
pub use field::Field;
pub use name::PersonName;
pub use pin::{OldId, Pin, Sex};
pub use record::ResidentRecord;
pub use unit::UnitCode;
