use crate::cases::Refusal;
use domain::id::{CaseId, PersonId};

/// Why a person was not found, merged, split or decided about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("the case {0} does not exist: read the list of cases again")]
    NoSuchCase(CaseId),
    #[error("the case {case}: {refusal}")]
    Refused { case: CaseId, refusal: Refusal },
    #[error("{keep} and {drop} cannot become one record: {reason}")]
    NotMergeable { keep: PersonId, drop: PersonId, reason: &'static str },
    #[error("the record {person} cannot be taken apart: {reason}")]
    NotSplittable { person: PersonId, reason: &'static str },
    #[error("an application moved on while its person was sought: run the batch again")]
    Overtaken,
    #[error(
        "others have resolved applications whose fingers are not known here, and no source of fingers was \
         given"
    )]
    NoFingerSource,
    #[error("the fingers of applications that others resolved cannot be had")]
    Fingers(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the search stopped: {0}")]
    Search(String),
    #[error(transparent)]
    Fingerprint(#[from] fingerprint::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}
