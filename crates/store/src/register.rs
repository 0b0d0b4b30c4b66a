//! The population register: people, their numbers, their history, and the units they live in.

pub mod changes;
pub mod matching;
pub mod merging;
pub mod pages;
pub mod people;
pub mod pins;
pub mod registration;
pub mod units;

use uuid::Uuid;

use domain::id::PersonId;

fn uuids(ids: &[PersonId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}
