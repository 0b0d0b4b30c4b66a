#![doc = include_str!("../README.md")]

mod algorithm;
mod certificate;
mod chain;
mod crl;
mod curve;
mod cv;
mod error;
mod ids;
mod issue;
mod key;
mod lint;
mod master_list;
mod name;
mod profile;
mod read;
mod write;

pub use algorithm::{
    HashAlgorithm, SignError, SignatureAlgorithm, SignatureScheme, Signer, verify_signature,
};
pub use certificate::{Certificate, KeyUsagePeriod};
pub use chain::{build_path, check_key_use, check_period, check_roles, find_issuer};
pub use crl::{Crl, PreparedCrl, Revocation, prepare_crl};
pub use curve::{Curve, ParameterForm};
pub use cv::{
    Authorization, CvCertificate, CvPublicKey, CvRole, CvSubject, HolderReference, Parameters,
    PreparedCvCertificate, Rights, cv_date, cv_date_bytes, prepare_cv_certificate, prepare_cv_link,
    prepare_cvca, sign_plain,
};
pub use error::PkiError;
pub use issue::{
    LintedCertificate, PreparedCertificate, SerialNumber, SigningToken, prepare_csca, prepare_csca_link,
    prepare_document_signer, prepare_master_list_signer,
};
pub use key::PublicKey;
pub use lint::Finding;
pub use master_list::{MasterList, PreparedMasterList, prepare_master_list};
pub use name::Name;
pub use profile::{CSCA_P256, DOCUMENT_SIGNER_P256, LONGEST_CARD, Profile, Role, Suite, Term};
