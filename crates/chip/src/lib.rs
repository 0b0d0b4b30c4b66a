#![doc = include_str!("../README.md")]

mod access;
mod agreement;
mod encoder;
mod error;
mod file;
mod keys;
mod pace;
mod production;
mod reading;
mod session;
mod terminal;
mod virtual_chip;

#[cfg(not(feature = "pcsc"))]
#[path = "no_pcsc.rs"]
pub mod pcsc;
#[cfg(feature = "pcsc")]
pub mod pcsc;
pub mod vpcd;

pub use access::{AccessNumber, MrzKey, Password};
pub use encoder::{ChipImage, Encoder, Found, IsoEncoder, Life, Written, write_image};
pub use error::{Error, Step};
pub use file::{ChipFiles, FileId};
pub use keys::{ChipKeys, active_signature_is_right};
pub use production::{ChipSerial, MasterKey, TransportKey};
pub use reading::{Access, Inspection, Opened, Progress, Proof, Reading, read_card, read_card_as};
pub use session::{Lengths, ReadFile, Session, Transport};
pub use terminal::{InspectionSystem, TrustAnchor};
pub use virtual_chip::{ATR, Memory, VirtualChip};

#[cfg(test)]
mod worked_examples;
