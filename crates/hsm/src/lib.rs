#![doc = include_str!("../README.md")]

mod agreement;
mod error;
mod file;
mod pkcs11;
mod secret;
mod signer;
mod wrap;

pub use agreement::{SharedSecret, SoftwareAgreementKey};
pub use error::HsmError;
pub use file::Passphrase;
pub use pkcs11::{Pin, Pkcs11Signer, Token, TokenConfig};
pub use secret::ChipSecret;
pub use signer::SoftwareSigner;
pub use wrap::{DataKey, KeyEncryptionKey, WRAPPED_KEY_LEN};
