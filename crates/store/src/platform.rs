//! What everything else stands on: the server and the connections to it, bulk load, jobs, audit, accounts and
//! sessions.

pub mod accounts;
pub mod address;
pub mod audit;
pub mod binaries;
pub mod change_log;
mod client;
pub mod cluster;
pub mod copy;
pub mod db;
pub mod error;
pub(crate) mod folds;
pub mod jobs;
mod keeper;
pub mod layout;
pub mod logins;
pub mod migrate;
mod os_user;
pub mod progress;
mod proof;
pub mod recordings;
pub mod scope;
pub mod sessions;
pub mod shown;
mod statements;
pub mod trail;
pub mod wal;
