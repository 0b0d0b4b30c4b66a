use thiserror::Error;

use crate::keys::KeyError;
use fingerprint::FingerPosition;

/// What was wrong with a message, and where. No message carries a field's value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PacketError {
    #[error("{what} has {bytes} bytes; at most {limit} are allowed")]
    TooLarge { what: &'static str, bytes: usize, limit: usize },
    #[error("{what} has {items} items; at most {limit} are allowed")]
    TooMany { what: &'static str, items: usize, limit: usize },
    #[error("{what} is not CBOR{}", at(offset))]
    Cbor { what: &'static str, offset: Option<usize> },
    #[error("{what} is not in CBOR's shortest form from byte {offset} on")]
    NotCanonical { what: &'static str, offset: usize },
    #[error("{what} ends at byte {offset}, and {extra} more bytes follow")]
    Trailing { what: &'static str, offset: usize, extra: usize },
    #[error("{what} {problem}")]
    Structure { what: &'static str, problem: &'static str },
    #[error("the upload from byte {offset} on {problem}; send the batch again")]
    Batch { offset: usize, problem: &'static str },
    #[error("{what} has version {found}; this program knows version {known}")]
    Version { what: &'static str, found: u16, known: u16 },
    #[error("{what} uses another algorithm than {expected}")]
    Algorithm { what: &'static str, expected: &'static str },
    #[error("{what} is not signed by the key it names, or was altered")]
    BadSignature { what: &'static str },
    #[error("the packet is encrypted to an intake key that is not held here")]
    NotForThisKey,
    #[error("the packet's content does not decrypt: it was altered, or its envelope was exchanged")]
    Decrypt,
    #[error("the packet is not the one that its row in the database says")]
    Exchanged,
    #[error("the template of the {finger:?} in the packet's content cannot be read")]
    Template {
        finger: FingerPosition,
        #[source]
        error: fingerprint::Error,
    },
    #[error("the message could not be signed: {0}")]
    Signer(String),
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl PacketError {
    /// Stable code, for receipts and statistics.
    pub const fn code(&self) -> &'static str {
        match self {
            PacketError::TooLarge { .. } | PacketError::TooMany { .. } => "too_large",
            PacketError::Cbor { .. }
            | PacketError::NotCanonical { .. }
            | PacketError::Trailing { .. }
            | PacketError::Structure { .. }
            | PacketError::Batch { .. } => "malformed",
            PacketError::Version { .. } => "unknown_version",
            PacketError::Algorithm { .. } => "unknown_algorithm",
            PacketError::BadSignature { .. } => "bad_signature",
            PacketError::NotForThisKey => "unknown_intake_key",
            PacketError::Decrypt => "not_decrypted",
            PacketError::Exchanged => "exchanged",
            PacketError::Template { .. } => "finger_unreadable",
            PacketError::Signer(_) | PacketError::Key(_) => "key_store",
        }
    }
}

fn at(offset: &Option<usize>) -> String {
    offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default()
}
