//! The population register: people, their numbers, their history, and the units they live in.
//!
//! [`record`](mod@record) is the only writer of people: everything else here reads, or calls it.

pub mod changes;
pub mod folds;
pub mod matching;
pub mod merging;
pub mod pages;
pub mod people;
pub mod pins;
pub mod record;
pub mod units;

use uuid::Uuid;

use domain::id::PersonId;

pub use folds::{check_folds, person_as_of};
pub use record::{record, register};

fn uuids(ids: &[PersonId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}
