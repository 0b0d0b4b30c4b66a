//! The population register: people, their numbers, their history, and the units they live in.
//!
//! [`record`](mod@record) is the only writer of people: everything else here reads, or calls it.

pub mod changes;
pub mod corrections;
pub mod folds;
pub mod matching;
pub mod merging;
pub mod pages;
pub mod papers;
pub mod people;
pub mod pins;
pub mod quality;
pub mod rearranged;
pub mod record;
pub mod timeline;
pub mod units;

use uuid::Uuid;

use domain::id::PersonId;
use domain::person::Status;

pub use folds::{check_folds, person_as_of};
pub use record::{record, register};

/// The condition of a record in force of somebody who lives, for statements; with an alias, `p.{LIVING}`. The
/// one place where SQL says the code of a status.
pub(crate) const LIVING: &str = "status = 1";
const _: () = assert!(Status::Alive.code() == 1, "`LIVING` says the code of the living");

pub(crate) fn uuids(ids: &[PersonId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}
