//! Taking packets over: receive (no decryption key), open and validate (with it), and the kits' day reports
//! and questions.

pub mod hand_overs;
pub mod quarantine;

mod chain;
mod clock;
mod day;
mod decide;
mod open;
mod quota;
mod receive;
mod rest;
mod standing;
mod word;

use sha2::{Digest, Sha256};

use crate::EnrolError;

pub use day::{DaySummary, receive_day_report, report_day};
pub use open::{OpenSummary, open_received};
pub use receive::{Received, receive, receive_batch};
pub use rest::{Contents, read_contents};
pub use standing::receive_status;

/// Runs work that keeps a core busy where it does not hold up the server's other tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EnrolError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => Ok(value),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(EnrolError::ShuttingDown),
        },
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
