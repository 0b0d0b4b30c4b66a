#![doc = include_str!("../README.md")]

pub mod audit_heads;
mod centre;
pub mod counter;
mod desks;
mod error;
pub mod handed;
pub mod inspection;
pub mod installation;
mod key_files;
pub mod keyholder;
mod keys;
mod officers;
pub mod signers;
pub mod snapshot;
pub mod upkeep;
pub mod work;

pub use centre::{Centre, Place};
pub use desks::{Kits, Photos, readers};
pub use error::Error;
pub use installation::Installation;
pub use key_files::{CentreKey, KeySet, check_key, key_folder, key_set, make_keys, passphrase_path};
pub use keys::{Keys, Settings, TokenSettings, cscas, settings_path, suite};
