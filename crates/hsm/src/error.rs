use std::path::PathBuf;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HsmError {
    #[error("key file {path}: cannot {action}")]
    File { path: PathBuf, action: &'static str, source: std::io::Error },
    #[error("key file {path} exists; a key is never overwritten, choose another name or move the file away")]
    Exists { path: PathBuf },
    #[error("{path} can be read by other users; run: chmod 600 {path}")]
    Exposed { path: PathBuf },
    #[error("key file {path}: {problem}")]
    Format { path: PathBuf, problem: &'static str },
    #[error("key file {path} does not open: the passphrase is another one, or the file was changed")]
    NotOpened { path: PathBuf },
    #[error("the passphrase in {path} is shorter than 12 bytes; write a longer one before keys are made")]
    WeakPassphrase { path: PathBuf },
    #[error("{module}: {problem}; check that the path is that of a PKCS#11 module")]
    Module { module: PathBuf, problem: String },
    #[error("no token labelled \"{token}\" in {module}; initialise one, or correct the label")]
    NoToken { module: PathBuf, token: String },
    #[error("token \"{token}\": {problem}")]
    Token { token: String, problem: String },
    #[error(
        "token \"{token}\" already has a key labelled \"{label}\"; a key is never replaced, choose another \
         label"
    )]
    KeyExists { token: String, label: String },
    #[error("the token's PIN: {0}")]
    Pin(String),
    #[error("the wrapped key was not wrapped by this key, or was changed")]
    Unwrap,
}
