#![doc = include_str!("../README.md")]

mod platform;

pub mod applications;
pub mod boxes;
pub mod cards;
pub mod cases;
pub mod imports;
pub mod plan;
pub mod register;
pub mod report;

pub use platform::address::{DatabaseUrl, OpenOptions};
pub use platform::binaries::MINIMUM_MAJOR;
pub use platform::cluster::{Cluster, Durability, has_cluster, last_words, make_data_dir};
pub use platform::copy::{CopyIn, CopyRow};
pub use platform::db::{Database, PoolSizes, commit, ping};
pub use platform::error::{Error, SqlError, retry};
pub use platform::layout::LAYOUT;
pub use platform::logins::{Logins, close_to_others, make_logins};
pub use platform::migrate::{known_version, migrations_checksum};
pub use platform::scope::UnitScope;
pub use platform::{accounts, audit, change_log, jobs, progress, recordings, sessions, shown, trail, wal};
/// What a function of this crate reads and writes through: a pooled connection or a transaction.
pub use sqlx::PgConnection;
