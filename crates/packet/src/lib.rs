#![doc = include_str!("../README.md")]

pub mod check;
pub mod desk;
pub mod keys;
pub mod message;
pub mod rules;
pub mod wire;

mod cbor;
mod content;
mod crypto;
mod envelope;
mod error;
mod receipt_code;
mod sealed;
mod sign1;

pub use content::{
    Biometric, CaptureMeta, Content, Finger, FingerCapture, FingerImage, ImagesForChip, MissingReason,
};
pub use crypto::{AtRest, ContentKey};
pub use envelope::Envelope;
pub use error::PacketError;
pub use receipt_code::{ReceiptCode, ReceiptCodeError};
pub use sealed::{
    FORMAT_VERSION, IMAGES_VERSION, MAX_DIFFERS, MAX_FINGER_IMAGE_BYTES, MAX_FINGER_IMAGES, MAX_PACKET_BYTES,
    MAX_PHOTO_BYTES, MAX_TEMPLATE_BYTES, Unverified, open, open_stored, parse, recipient, seal, seal_encoded,
    verify_envelope,
};
