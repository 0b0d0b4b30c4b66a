#![doc = include_str!("../README.md")]

mod centre;
pub mod counter;
mod desks;
mod error;
pub mod inspection;
pub mod installation;
mod key_files;
mod keys;
pub mod snapshot;
pub mod work;

pub use centre::{Centre, Place};
pub use desks::{Kits, Photos};
pub use error::Error;
pub use key_files::{passphrase_at, signing_key};
pub use keys::{Keys, Settings, TokenSettings, cscas, current_crl, settings_path, suite};
