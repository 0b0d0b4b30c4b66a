use std::path::PathBuf;

use thiserror::Error;

use crate::TransportError;
use packet::PacketError;
use packet::rules::Problem;

/// What can go wrong on a kit, in words that the officer can act on. No message holds a citizen's data.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KitError {
    #[error("{doing} {} failed", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} can be read by others on this laptop; run: chmod 600 {}", path.display(), path.display())]
    ExposedKey { path: PathBuf },
    #[error("{} is not this kit's key file; restore it, or register the laptop as a new kit", path.display())]
    NotAKey { path: PathBuf },
    #[error("the outbox belongs to kit {found}, and this laptop is set up as kit {expected}")]
    OtherKit { found: String, expected: String },
    #[error("the outbox has format {found}; this program knows format {known}. Use the newer program")]
    OutboxFormat { found: i64, known: i64 },
    #[error(
        "the outbox has format {found} of a program before the first release, and this program knows format \
         {known}. Send what it holds with that program, then set the laptop up as a new kit"
    )]
    OldOutbox { found: i64, known: i64 },
    #[error("the officer's credential has ended on {until}; the centre issues another")]
    CredentialEnded { until: time::Date },
    #[error("the passphrase does not open {}, or the file is damaged", path.display())]
    NotOpened { path: PathBuf, source: hsm::HsmError },
    #[error("the passphrase has {found} characters; it needs {least} at least")]
    WeakPassphrase { found: usize, least: usize },
    #[error("the outbox could not be read or written; nothing was saved by this step")]
    Outbox(#[from] rusqlite::Error),
    #[error("the outbox holds a row that this program cannot read: {0}")]
    Row(&'static str),
    #[error("the application cannot be saved yet: {}", list(.0))]
    NotComplete(Vec<Problem>),
    #[error("a message could not be made or read")]
    Message(#[from] PacketError),
    #[error("the centre could not be reached; everything is kept, try again later")]
    Transport(#[from] TransportError),
    #[error("the centre's answers book no packet after {rounds} rounds; everything is kept, call the centre")]
    NoProgress { rounds: usize },
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}
