use crate::{SignError, lint::Finding};

/// Why a certificate or list cannot be made, read or trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    #[error("{what} cannot be read: {problem}")]
    Malformed { what: &'static str, problem: String },
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: &'static str },
    #[error("the certificate breaks its profile and was not signed: {}", list(.0))]
    Lint(Vec<Finding>),
    #[error(
        "the signing token is for another serial number; store this serial number and make a token for it"
    )]
    WrongToken,
    #[error("the key offered for signing is not the issuer's; open the key that belongs to the certificate")]
    WrongKey,
    #[error("the key did not sign")]
    Sign(#[from] SignError),
    #[error("signature algorithm {oid} is not supported here")]
    UnsupportedAlgorithm { oid: String },
    #[error("the signature's algorithm does not go with the kind of this key")]
    WrongKind,
    #[error("the signature is not from this key over these bytes")]
    BadSignature,
    #[error("no trusted CSCA certificate issued this document signer; add the CSCA to the trust list")]
    UnknownIssuer,
    #[error("{whose} certificate is not yet valid at the time of the check")]
    NotYetValid { whose: &'static str },
    #[error("{whose} certificate has expired at the time of the check")]
    Expired { whose: &'static str },
    #[error("{whose} key was not to sign any more, or not yet, at that time (privateKeyUsagePeriod)")]
    OutsideKeyUse { whose: &'static str },
    #[error("{whose} certificate may not be used for this: {problem}")]
    WrongRole { whose: &'static str, problem: &'static str },
}

fn list(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    lines.join("; ")
}

impl PkiError {
    pub(crate) fn malformed(what: &'static str) -> impl Fn(der::Error) -> PkiError {
        move |error| PkiError::Malformed { what, problem: error.to_string() }
    }
}
