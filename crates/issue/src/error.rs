use time::OffsetDateTime;

use domain::blank::BlankState;
use domain::card::CardError;
use domain::id::{BatchId, CardId};

/// Why a card was not made, written, or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Until when a card is valid is not known for the day of issue.
    #[error(transparent)]
    NoRule(#[from] domain::profile::NoRule),
    #[error(transparent)]
    Card(#[from] card::CardError),
    #[error(transparent)]
    Pki(#[from] pki::PkiError),
    #[error("signing failed: {0}. Nothing was stored; the batch is signed when this is called again")]
    Sign(#[from] pki::SignError),
    #[error("the card's chip has keys, and none were given to put its files together with")]
    ChipKeysMissing,
    #[error("there is no batch {0}")]
    NoBatch(BatchId),
    /// No batch has this number.
    #[error("there is no batch {0}; `dancu batch list` names those there are")]
    NoBatchNumber(i64),
    /// A results file names a card that is in no batch.
    #[error("line {line}: there is no card {number}; `dancu batch show NUMBER` names a batch's cards")]
    NoCardNumber {
        /// The number.
        number: String,
        /// Where it stands.
        line: usize,
    },
    #[error("batch {batch} has no item at position {position}, or the item is not signed yet")]
    NoItem { batch: BatchId, position: i32 },
    #[error(
        "no free personal number was found in {tries} tries for one person: the number space of that place, \
         sex and year is nearly full"
    )]
    PinSpace { tries: u32 },
    #[error(
        "the document signer's key may sign until {until} only: establish the authority again with a new key"
    )]
    SigningPeriodOver { until: OffsetDateTime },
    #[error("the CSCA's key may sign until {until} only: change it with `dancu pki roll`")]
    CscaPeriodOver { until: OffsetDateTime },
    #[error(
        "certificate {0} was not revoked: there is no signed certificate of this serial number, or it was \
         revoked before"
    )]
    NotRevoked(String),
    #[error(
        "{needed} cards came back from the printer and its stock has {there} blanks; record the box they \
         came from with `dancu stock receive`"
    )]
    StockShort { needed: usize, there: u64 },
    #[error("cards of batch {0} are being written one by one; its results cannot be recorded as a whole")]
    BeingWritten(BatchId),
    #[error("there is no card {0}; `dancu card list` names those there are")]
    NoCard(CardId),
    #[error("card {card} stays as it is: {reason}")]
    CardLife { card: CardId, reason: CardError },
    #[error("no blank {0} was ever received")]
    NoBlank(String),
    #[error("blank {serial} is {state} already")]
    BlankFinished { serial: String, state: BlankState },
    #[error(
        "box {number} was received before with other blanks: {was} of them, and {common} of those that are \
         named now"
    )]
    BoxDiffers { number: i64, was: i64, common: i64 },
    #[error("{elsewhere} of these blanks came in another box; a blank is received once")]
    BlankElsewhere { elsewhere: u64 },
    #[error("a box holds 1 to {most} blanks, each once; {given} were named")]
    BoxSize { most: usize, given: usize },
    #[error(transparent)]
    Chip(#[from] ::chip::Error),
    #[error("the card cannot be put together: {0}")]
    Workshop(String),
    #[error("the worker that signs cards stopped: {0}")]
    Worker(String),
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Error::Worker(error.to_string())
    }
}
