#![doc = include_str!("../README.md")]

mod centre;
mod desks;
mod keys;
pub mod work;

pub use centre::{Centre, Place, passphrase_at, signing_key};
pub use desks::{Kits, Photos};
pub use keys::{Keys, Settings, TokenSettings, cscas, current_crl, settings_path};
