#![doc = include_str!("../README.md")]

mod clocks;
mod columns;
mod error;
mod identity;
mod laptop;
mod officer;
mod outbox;
mod standing;
mod transport;

pub use clocks::{KitTime, Steady};
pub use error::KitError;
pub use identity::IdentityKey;
pub use laptop::{
    CaptureInput, CentrePublicKeys, HandOverInput, Laptop, RecaptureInput, Saved, SyncSummary, new_ids,
};
pub use officer::{MIN_PASSPHRASE_CHARS, Officer, OfficerKey};
pub use outbox::{
    AppliedReceipt, Counters, Draft, LogLine, Outbox, PacketState, PendingPacket, Place, RefusedPacket,
    SavedPacket,
};
pub use standing::AppliedStanding;
pub use transport::{TlsFiles, Transport, TransportError};
