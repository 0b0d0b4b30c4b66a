use domain::id::{ApplicationId, ConsignmentId};

/// Why a box or a card could not be moved, or handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("there is no consignment {0}")]
    NoConsignment(ConsignmentId),
    #[error("consignment {consignment} has no item {application}: it belongs to another box")]
    NotInBox { consignment: ConsignmentId, application: ApplicationId },
    #[error("application {application} cannot be moved: {reason}")]
    State { application: ApplicationId, reason: String },
    #[error("the worker that compares fingerprints stopped: {0}")]
    Worker(String),
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Error::Worker(error.to_string())
    }
}
