#![doc = include_str!("../README.md")]

mod platform;

pub mod application;
pub mod certificates;
pub mod checking;
pub mod collect;
pub mod deliver;
pub mod enrol;
pub mod issue;
pub mod person;
pub mod plan;
pub mod report;
pub mod resolve;
pub mod scoring;
pub mod stock;
pub mod web_read;

pub use platform::binaries::MINIMUM_MAJOR;
pub use platform::cluster::{Cluster, Durability, last_words};
pub use platform::copy::{CopyIn, CopyRow};
pub use platform::db::{Database, OpenOptions, PoolSizes, commit, known_version, migrations_checksum};
pub use platform::error::{Error, SqlError, retry};
pub use platform::layout::LAYOUT;
pub use platform::scope::UnitScope;
pub use platform::{accounts, audit, jobs, progress, sessions};
/// What a function of this crate reads and writes through: a pooled connection or a transaction.
pub use sqlx::PgConnection;
