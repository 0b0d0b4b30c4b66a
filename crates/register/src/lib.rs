#![doc = include_str!("../README.md")]

mod apply;
pub mod cases;
mod decide;
mod effects;
mod error;
mod event;
pub mod lines;
pub mod paper;
pub mod quality;
pub mod scan;
mod stored;
pub mod units;

pub use apply::{Outcome, Request, apply, known_on, preview};
pub use decide::{Whom, faults_of_words, find, list_of};
pub use effects::{CardEffect, Counted, Effects};
pub use error::{Error, Fault};
pub use event::{ALWAYS, ChangeText, Destination, EventKind, NewEvent, PaperText};
