#![doc = include_str!("../README.md")]

mod algorithm;
mod certificate;
mod chain;
mod crl;
mod error;
mod issue;
mod lint;
mod name;
mod profile;
mod write;

pub use algorithm::{SignError, SignatureAlgorithm, Signer, verify_signature};
pub use certificate::{Certificate, KeyUsagePeriod};
pub use chain::{check_period, check_roles, find_issuer};
pub use crl::{Crl, PreparedCrl, Revocation, prepare_crl};
pub use error::PkiError;
pub use issue::{
    LintedCertificate, PreparedCertificate, SerialNumber, SigningToken, prepare_csca, prepare_document_signer,
};
pub use lint::Finding;
pub use name::Name;
pub use profile::{CSCA_P256, DOCUMENT_SIGNER_P256, Profile, Role, Term};
