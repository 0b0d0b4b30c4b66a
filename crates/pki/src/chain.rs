//! From a document signer's certificate to a trusted CSCA. A citizen card has a path of exactly one step.

use time::OffsetDateTime;

use crate::{Certificate, PkiError};

/// The trusted certificate whose key signed `signer`: same name, and a signature that verifies. The trusted
/// certificates may share a name (a country rolls its keys), so every candidate is tried.
pub fn find_issuer<'t>(
    signer: &Certificate,
    trust: impl IntoIterator<Item = &'t Certificate>,
) -> Result<&'t Certificate, PkiError> {
    let mut failure = PkiError::UnknownIssuer;
    for candidate in trust {
        if candidate.subject() != signer.issuer() {
            continue;
        }
        // The key identifier chooses among keys; it proves nothing, so its absence is no fault.
        if let (Some(wanted), Some(key)) =
            (signer.authority_key_identifier(), candidate.subject_key_identifier())
            && wanted != key
        {
            continue;
        }
        match signer.verify_signed_by(candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Whether both certificates may play their parts (RFC 5280 §4.2.1.3 and §4.2.1.9).
pub fn check_roles(signer: &Certificate, csca: &Certificate) -> Result<(), PkiError> {
    let wrong = |whose, problem| Err(PkiError::WrongRole { whose, problem });
    if !csca.is_authority() {
        return wrong("the CSCA's", "it is not marked as an authority that signs certificates");
    }
    if !signer.is_document_signer() {
        return wrong("the document signer's", "its key usage is not digitalSignature alone");
    }
    Ok(())
}

/// Whether both certificates are valid at a moment.
pub fn check_period(signer: &Certificate, csca: &Certificate, at: OffsetDateTime) -> Result<(), PkiError> {
    for (whose, certificate) in [("the document signer's", signer), ("the CSCA's", csca)] {
        if at < certificate.not_before() {
            return Err(PkiError::NotYetValid { whose });
        }
        if at > certificate.not_after() {
            return Err(PkiError::Expired { whose });
        }
    }
    Ok(())
}
