//! The way to the centre: two addresses of HTTP under TLS. Packets are sealed and signed whatever carries
//! them; TLS hides which kit sends how many, and lets nobody between drop the right ones.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use thiserror::Error;
use ureq::http::Uri;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem};
use zeroize::Zeroizing;

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
    /// The address is not one that packets may be sent to.
    #[error("{url} {problem}")]
    Address { url: String, problem: &'static str },
    /// A file that TLS needs.
    #[error("{} {problem}", path.display())]
    File { path: PathBuf, problem: String },
    /// The centre will answer the same to the same request.
    #[error("the centre answered {0} and will do so again; call the centre")]
    Rejected(u16),
}

impl TransportError {
    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            TransportError::Unreachable(_) | TransportError::Busy(_) => true,
            TransportError::Address { .. } | TransportError::File { .. } | TransportError::Rejected(_) => {
                false
            }
        }
    }
}

/// The files by which kit and centre know each other on the way.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The authority of the centre's certificate, in PEM. It alone is trusted, and none of those that
    /// browsers trust.
    pub centre_ca: PathBuf,
    /// The kit's certificate, whose common name is the kit's id, and its private key, in PEM.
    pub certificate: PathBuf,
    /// Not the key that signs packets: a key has one purpose.
    pub key: PathBuf,
}

/// The client of one centre. Sending again is always safe.
#[derive(Debug, Clone)]
pub struct Transport {
    agent: ureq::Agent,
    base_url: String,
    delays: Vec<Duration>,
}

impl Transport {
    /// To a centre elsewhere: `base_url` such as `https://centre.example`. After a passing failure a request
    /// is repeated after 1, 5 and 20 seconds.
    ///
    /// # Errors
    /// [`TransportError::Address`] when it is not `https`; [`TransportError::File`].
    pub fn with_tls(base_url: &str, files: &TlsFiles) -> Result<Self, TransportError> {
        if parse(base_url)?.scheme_str() != Some("https") {
            let problem = "is not private: the centre's address begins with https://";
            return Err(TransportError::Address { url: base_url.to_owned(), problem });
        }
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .root_certs(RootCerts::new_with_certs(&certificates(&files.centre_ca)?))
            .client_cert(Some(ClientCert::new_with_certs(
                &certificates(&files.certificate)?,
                private_key(&files.key)?,
            )))
            .build();
        Ok(Self::of(base_url, Some(tls)))
    }

    /// To a centre on this machine, in the clear, for tests and demonstrations.
    ///
    /// # Errors
    /// [`TransportError::Address`] for any other machine: [`Transport::with_tls`] is for those.
    pub fn to_this_machine(base_url: &str) -> Result<Self, TransportError> {
        let uri = parse(base_url)?;
        if uri.scheme_str() != Some("http") || !uri.host().is_some_and(is_loopback) {
            let problem = "is another machine, or asks for TLS: without the centre's authority and the kit's \
                           certificate, packets go to this machine only";
            return Err(TransportError::Address { url: base_url.to_owned(), problem });
        }
        Ok(Self::of(base_url, None))
    }

    fn of(base_url: &str, tls: Option<TlsConfig>) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .https_only(tls.is_some())
            .tls_config(tls.unwrap_or_default())
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

    /// Sends a signed status and returns the signed receipt.
    ///
    /// # Errors
    /// The last attempt's.
    pub fn send_status(&self, message: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.post(wire::STATUS_PATH, wire::COSE_TYPE, message)
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

fn parse(base_url: &str) -> Result<Uri, TransportError> {
    let problem = "is no address such as https://centre.example";
    base_url.parse().map_err(|_| TransportError::Address { url: base_url.to_owned(), problem })
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, TransportError> {
    let failed = |problem: String| TransportError::File { path: path.to_owned(), problem };
    let pem = fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item.map_err(|error| failed(format!("is not PEM: {error}")))? {
            PemItem::Certificate(certificate) => found.push(certificate),
            PemItem::PrivateKey(_) => return Err(failed("holds a private key".to_owned())),
            _ => {}
        }
    }
    if found.is_empty() { Err(failed("holds no certificate".to_owned())) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKey<'static>, TransportError> {
    let failed = |problem: String| TransportError::File { path: path.to_owned(), problem };
    let unread = |error: std::io::Error| failed(format!("cannot be read: {error}"));
    if fs::metadata(path).map_err(unread)?.permissions().mode() & 0o077 != 0 {
        return Err(failed("can be read by others than its owner: chmod 600".to_owned()));
    }
    let pem = Zeroizing::new(fs::read(path).map_err(unread)?);
    PrivateKey::from_pem(&pem).map_err(|error| failed(format!("holds no private key in PEM: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_the_machine_under_tls_only() {
        let refused = |url: &str| Transport::to_this_machine(url).is_err();
        for url in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080/"] {
            assert!(!refused(url), "{url}");
        }
        for url in [
            "http://192.0.2.1",
            "http://centre.example",
            "http://localhost.example",
            "https://127.0.0.1",
            "http://127.0.0.1@192.0.2.1/",
            "ftp://localhost",
            "rubbish",
        ] {
            assert!(refused(url), "{url}");
        }
        let nowhere = || PathBuf::from("/nonexistent");
        let files = TlsFiles { centre_ca: nowhere(), certificate: nowhere(), key: nowhere() };
        let error = Transport::with_tls("http://127.0.0.1", &files).unwrap_err();
        assert!(matches!(error, TransportError::Address { .. }), "{error}");
    }
}
