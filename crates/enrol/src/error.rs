use thiserror::Error;

use domain::id::KitId;
use packet::PacketError;
use packet::keys::KeyError;

/// What can stop the intake as a whole. A packet that is refused is an answer, not an error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The body of an upload cannot be told apart into packets, or there are too many.
    #[error(transparent)]
    Batch(PacketError),
    #[error("the day report was refused ({code}): {reason}")]
    ReportRefused { code: &'static str, reason: String },
    #[error("a message could not be made or read")]
    Message(#[from] PacketError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the store failed")]
    Store(#[from] store::Error),
    /// The kit keeps what it has and sends it on another day.
    #[error(
        "kit {kit_id} has handed over all that a kit may in one day, {packets} packets or {mebibytes} MiB; \
         it keeps the rest and sends it tomorrow"
    )]
    Quota { kit_id: KitId, packets: u64, mebibytes: u64 },
    #[error("other uploads changed the same applications again and again; send the batch again")]
    Conflict,
    /// A packet that is not set aside, or not to be released.
    #[error("{0}")]
    Packet(String),
    /// A kit that cannot be registered or revoked.
    #[error("{0}")]
    Kit(String),
    /// A credential that cannot be issued or revoked; fingers of an officer that are not taken over.
    #[error("{0}")]
    Officer(String),
    #[error("the program is shutting down")]
    ShuttingDown,
}

impl EnrolError {
    /// [`store::Error::blames_content`].
    pub(crate) fn blames_content(&self) -> bool {
        matches!(self, EnrolError::Store(error) if error.blames_content())
    }

    /// Whether whoever sent the message must change it; otherwise the same message may succeed later.
    pub fn is_senders_fault(&self) -> bool {
        matches!(self, EnrolError::Batch(_) | EnrolError::ReportRefused { .. })
    }
}
