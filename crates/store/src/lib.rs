#![doc = include_str!("../README.md")]

mod binaries;
mod cluster;
mod copy;
mod db;
pub mod enrol;
mod error;
mod layout;
mod os_user;
mod scope;

pub mod accounts;
pub mod application;
pub mod audit;
pub mod certificates;
pub mod checking;
pub mod collect;
pub mod deliver;
pub mod issue;
pub mod jobs;
pub mod person;
pub mod plan;
pub mod progress;
pub mod report;
pub mod resolve;
pub mod scoring;
pub mod sessions;
pub mod stock;
pub mod web_read;

pub use binaries::MINIMUM_MAJOR;
pub use cluster::{Cluster, Durability, last_words};
pub use copy::{CopyIn, CopyRow};
pub use db::{Database, OpenOptions, PoolSizes, commit, known_version, migrations_checksum};
pub use error::{Error, SqlError, retry};
pub use layout::LAYOUT;
pub use scope::UnitScope;
/// What a function of this crate reads and writes through: a pooled connection or a transaction.
pub use sqlx::PgConnection;
