//! What can go wrong.

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database's word.
    #[error(transparent)]
    Store(#[from] store::Error),
}
