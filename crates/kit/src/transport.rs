//! The way to the centre: HTTP, two addresses.

use std::time::Duration;

use thiserror::Error;

use packet::wire;

/// An answer is a receipt of a few kilobytes.
const MAX_ANSWER_BYTES: u64 = 2 * 1024 * 1024;
/// A full batch over 100 kB/s takes 80 s.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Why nothing came back, or nothing usable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection, cut off, timed out.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The centre is there and cannot answer now.
    #[error("the centre answered {0}; it is busy or being repaired")]
    Busy(u16),
    /// The centre will answer the same to the same request.
    #[error("the centre answered {0} and will do so again; call the centre")]
    Rejected(u16),
}

impl TransportError {
    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        !matches!(self, TransportError::Rejected(_))
    }
}

/// The client of one centre. Sending again is always safe.
#[derive(Debug, Clone)]
pub struct Transport {
    agent: ureq::Agent,
    base_url: String,
    delays: Vec<Duration>,
}

impl Transport {
    /// `base_url` such as `https://centre.example`. After a passing failure a request is repeated after 1, 5
    /// and 20 seconds.
    pub fn new(base_url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // A redirect would send packets to a place that nobody configured.
            .max_redirects(0)
            .build();
        let delays = [1, 5, 20].map(Duration::from_secs).to_vec();
        Self { agent: config.into(), base_url: base_url.trim_end_matches('/').to_owned(), delays }
    }

    /// Other pauses between attempts; none for a simulation, whose clock does not run.
    #[must_use]
    pub fn with_delays(mut self, delays: Vec<Duration>) -> Self {
        self.delays = delays;
        self
    }

    /// Sends a batch and returns the signed receipt.
    ///
    /// # Errors
    /// The last attempt's.
    pub fn send_packets(&self, body: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.post(wire::PACKETS_PATH, wire::BATCH_TYPE, body)
    }

    /// Sends a signed day report and returns the signed receipt.
    ///
    /// # Errors
    /// The last attempt's.
    pub fn send_day_report(&self, message: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.post(wire::DAY_REPORT_PATH, wire::COSE_TYPE, message)
    }

    fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut delays = self.delays.iter();
        loop {
            match (self.post_once(path, content_type, body), delays.next()) {
                (Err(error), Some(delay)) if error.is_passing() => std::thread::sleep(*delay),
                (outcome, _) => return outcome,
            }
        }
    }

    fn post_once(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Vec<u8>, TransportError> {
        let unreachable = |error: ureq::Error| TransportError::Unreachable(error.to_string());
        let request =
            self.agent.post(format!("{}{path}", self.base_url)).header("content-type", content_type);
        let mut answer = request.send(body).map_err(unreachable)?;
        match answer.status().as_u16() {
            200 => answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().map_err(unreachable),
            status @ (408 | 425 | 429 | 500..=599) => Err(TransportError::Busy(status)),
            status => Err(TransportError::Rejected(status)),
        }
    }
}
