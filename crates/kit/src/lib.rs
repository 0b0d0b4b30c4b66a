#![doc = include_str!("../README.md")]

mod error;
mod identity;
mod laptop;
mod outbox;
mod transport;

pub use error::KitError;
pub use identity::IdentityKey;
pub use laptop::{CaptureInput, CentrePublicKeys, Laptop, Saved, SyncSummary, new_ids};
pub use outbox::{
    AppliedReceipt, Counters, Draft, LogLine, Outbox, PacketState, PendingPacket, RefusedPacket, SavedPacket,
};
pub use transport::{TlsFiles, Transport, TransportError};
