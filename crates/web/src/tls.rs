//! TLS at the listener: a certificate and its key from two files, read again when they change, and the
//! certificates by which kits are known.
//!
//! TLS 1.2 and 1.3 by rustls. HTTP/1.1 alone is offered: what HTTP/2 saves a browser on pages without scripts
//! and images is little, and each of its connections would need limits of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::extract::Request;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::state::AppState;
use domain::id::KitId;

/// The files that TLS is served with.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate and those between it and its authority, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// The authority whose certificates kits must show, in PEM; without it kits are known by their messages'
    /// signatures alone.
    pub kit_ca: Option<PathBuf>,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no {what} in PEM: {reason}", path.display())]
    Pem { path: PathBuf, what: &'static str, reason: String },
    #[error("{} can be read by others than its owner: chmod 600", path.display())]
    Exposed { path: PathBuf },
    #[error("{} cannot be served with the key in {}", certificate.display(), key.display())]
    Pair { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("{} is no authority for kits: {reason}", path.display())]
    Authority { path: PathBuf, reason: String },
}

/// What connections are made with now.
pub(crate) struct Tls {
    files: TlsFiles,
    current: Mutex<(Stamp, TlsAcceptor)>,
}

/// When the files were written: a change is seen by it.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// A kit that showed a certificate of the kits' authority. It is known by the certificate's common name,
/// which is the kit's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownKit(pub KitId);

impl Tls {
    /// # Errors
    /// See [`TlsError`].
    pub fn open(files: TlsFiles) -> Result<Tls, TlsError> {
        let stamp = stamp(&files);
        let acceptor = read(&files)?;
        Ok(Tls { files, current: Mutex::new((stamp, acceptor)) })
    }

    /// What the next connection is made with.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).1.clone()
    }

    /// Reads the files again when one was written since. What cannot be served is said once in the log, and
    /// what was served before is served on.
    pub fn refresh(&self) {
        let now = stamp(&self.files);
        let mut current = self.current.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if current.0 == now {
            return;
        }
        current.0 = now;
        match read(&self.files) {
            Ok(acceptor) => {
                current.1 = acceptor;
                tracing::info!("the new certificate is served");
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(
                    %error, source,
                    "the new certificate cannot be served; the one before is served on"
                );
            }
        }
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let paths = [Some(&files.certificate), Some(&files.key), files.kit_ca.as_ref()];
    let of = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.into_iter().flatten().map(of).collect()
}

fn read(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let pair =
        |source| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(pair)?;
    let builder = match &files.kit_ca {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(kits_verifier(path, provider)?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Browsers come to the same door and have no certificate: who shows none is let in, and the kits' routes ask
/// for it.
fn kits_verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let wrong = |reason: String| TlsError::Authority { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| wrong(error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    let what = "certificate";
    let wrong = |reason: String| TlsError::Pem { path: path.to_owned(), what, reason };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match read {
        Ok(found) if found.is_empty() => Err(wrong("there is none in it".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    // A group may read it: that is how certificates' keys are handed to services.
    if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o007 != 0 {
        return Err(TlsError::Exposed { path: path.to_owned() });
    }
    let bytes = fs::read(path).map_err(failed)?;
    let wrong = |error: rustls::pki_types::pem::Error| TlsError::Pem {
        path: path.to_owned(),
        what: "private key",
        reason: error.to_string(),
    };
    PrivateKeyDer::from_pem_slice(&bytes).map_err(wrong)
}

/// Whether a request to the kits' door comes without a certificate of a kit, where that is asked for: then
/// its body is not even read.
pub(crate) fn is_stranger(state: &AppState, request: &Request) -> bool {
    state.settings.kits_show_certificates && request.extensions().get::<KnownKit>().is_none()
}

/// The kit that a verified certificate names; `None` for a certificate of the authority that names none.
pub(crate) fn known_kit(certificates: Option<&[CertificateDer<'_>]>) -> Option<KnownKit> {
    let certificate = pki::Certificate::from_der(certificates?.first()?).ok()?;
    certificate.common_name()?.parse().ok().map(KnownKit)
}
