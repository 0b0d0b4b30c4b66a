//! From a document signer's certificate to a trusted CSCA: one step, or more by way of link certificates when
//! the CSCA has changed its key since it was trusted.

use der::Decode;
use time::OffsetDateTime;

use crate::{Certificate, PkiError};

/// Link certificates that a path may have. A country that changes its key every three years has as many in a
/// quarter of a century.
const LONGEST_PATH: usize = 8;

/// The trusted certificate whose key signed `signer`: same name, and a signature that verifies. The trusted
/// certificates may share a name (a country rolls its keys), so every candidate is tried.
pub fn find_issuer<'t>(
    signer: &Certificate,
    trust: impl IntoIterator<Item = &'t Certificate>,
) -> Result<&'t Certificate, PkiError> {
    let mut failure = PkiError::UnknownIssuer;
    for candidate in trust {
        if !same_name(candidate.subject(), signer.issuer()) {
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

/// The certificates above `signer`, the nearest first and the trusted one last. `links` are not trusted: each
/// must be an authority of the same name, proven by the next one up.
pub fn build_path<'t>(
    signer: &Certificate,
    trust: &'t [Certificate],
    links: &'t [Certificate],
) -> Result<Vec<&'t Certificate>, PkiError> {
    climb(signer, trust, links, LONGEST_PATH)
}

fn climb<'t>(
    signer: &Certificate,
    trust: &'t [Certificate],
    links: &'t [Certificate],
    left: usize,
) -> Result<Vec<&'t Certificate>, PkiError> {
    let failure = match find_issuer(signer, trust) {
        Ok(anchor) => return Ok(vec![anchor]),
        Err(failure) => failure,
    };
    if left > 0 {
        for link in links.iter().filter(|link| link.is_link() && link.der() != signer.der()) {
            if find_issuer(signer, [link]).is_err() {
                continue;
            }
            if let Ok(mut path) = climb(link, trust, links, left - 1) {
                path.insert(0, link);
                return Ok(path);
            }
        }
    }
    Err(failure)
}

/// Names compare by their values: certificates in circulation write one name as PrintableString here and as
/// UTF8String there (RFC 5280 §7.1 asks for more, which does not occur in CSCA names).
fn same_name(one: &[u8], other: &[u8]) -> bool {
    let text = |der: &[u8]| x509_cert::name::Name::from_der(der).map(|name| name.to_string().to_lowercase());
    one == other || matches!((text(one), text(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether the private key of `signer` was to sign at `at`, as far as its certificate limits it (Doc 9303-12,
/// privateKeyUsagePeriod).
pub fn check_key_use(signer: &Certificate, whose: &'static str, at: OffsetDateTime) -> Result<(), PkiError> {
    let Some(period) = signer.key_usage_period() else { return Ok(()) };
    let early = period.not_before.is_some_and(|start| at < start);
    let late = period.not_after.is_some_and(|end| at > end);
    if early || late { Err(PkiError::OutsideKeyUse { whose }) } else { Ok(()) }
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
    if signer.is_master_list_signer() {
        return wrong("the document signer's", "it is for signing master lists");
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
