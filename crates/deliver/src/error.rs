use domain::id::{ApplicationId, ConsignmentId};

/// Why a box or a card could not be moved, or handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("there is no box {0}; `dancu box list` names those there are")]
    NoConsignment(ConsignmentId),
    /// A repeat of a count says something else than the first.
    #[error(
        "the box was closed with another count, which stays; it differs in: {}. What has turned up since is \
         recorded with `dancu box late`",
        .cards.join(", ")
    )]
    CountDiffers {
        /// Numbers of the cards.
        cards: Vec<String>,
    },
    /// What is late is late to a count.
    #[error("box {0} is not counted yet: count it with `dancu box count`")]
    NotCounted(ConsignmentId),
    #[error("consignment {consignment} has no item {application}: it belongs to another box")]
    NotInBox { consignment: ConsignmentId, application: ApplicationId },
    #[error("application {application} cannot be moved: {reason}")]
    State { application: ApplicationId, reason: String },
    /// The register knows the holder to be dead or missing.
    #[error(
        "the card of application {application} is not handed over: the register has its holder as {}; undo \
         that event first if it was an error, or revoke the card",
        if *status == domain::person::Status::Dead.code() { "dead" } else { "missing" }
    )]
    NotLiving {
        application: ApplicationId,
        /// Code of the holder's status.
        status: i16,
    },
    #[error("the worker that compares fingerprints stopped: {0}")]
    Worker(String),
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Error::Worker(error.to_string())
    }
}
