#![doc = include_str!("../README.md")]

pub mod application;
pub mod plan;
pub mod web_read;
mod binaries;
mod cluster;
mod db;
mod error;
mod layout;
mod os_user;
mod scope;

pub use binaries::MINIMUM_MAJOR;
pub use cluster::{Cluster, Durability};
pub use db::{Database, OpenOptions, PoolSizes, known_version, migrations_checksum};
pub use error::{Error, SqlError, retry};
pub use layout::LAYOUT;
pub use scope::UnitScope;
