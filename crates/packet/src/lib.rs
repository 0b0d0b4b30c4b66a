#![doc = include_str!("../README.md")]

pub mod check;
pub mod desk;
pub mod keys;
pub mod message;
pub mod rules;
pub mod standing;
pub mod wire;

mod cbor;
mod content;
mod crypto;
mod envelope;
mod error;
mod payload;
mod receipt_code;
mod sealed;
mod sign;
mod sign1;

pub use content::{
    Biometric, CaptureMeta, Content, Finger, FingerCapture, FingerImage, ImagesForChip, MissingReason,
};
pub use crypto::{AtRest, ContentKey};
pub use envelope::{Carries, Envelope};
pub use error::PacketError;
pub use payload::{Came, Changes, HandOver, Payload, Recapture};
pub use receipt_code::{ReceiptCode, ReceiptCodeError};
pub use sealed::{
    Encrypted, FORMAT_VERSION, MAX_DIFFERS, MAX_FINGER_IMAGE_BYTES, MAX_FINGER_IMAGES, MAX_PACKET_BYTES,
    MAX_PHOTO_BYTES, MAX_TEMPLATE_BYTES, Signers, Unverified, Verified, open, parse, seal, seal_encoded,
    verify_envelope,
};
