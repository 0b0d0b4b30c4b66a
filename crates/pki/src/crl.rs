//! The certificate revocation list (RFC 5280 §5, Doc 9303-12): version 2, at least every 90 days.

use der::{Decode, Encode};
use time::{Duration, OffsetDateTime};

use crate::{
    Certificate, PkiError, PublicKey, SerialNumber, SignatureAlgorithm, SignatureScheme, Signer,
    certificate::{find, first_element, to_time},
    ids,
    issue::{authority_key_id, sign_and_wrap},
    read::without_leading_zeros,
    verify_signature, write,
};

const WHAT: &str = "the revocation list";

/// One revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    pub serial: SerialNumber,
    pub at: OffsetDateTime,
    /// CRLReason (RFC 5280 §5.3.1), such as 1 for a compromised key.
    pub reason: Option<u8>,
}

/// A list that lacks its signature.
#[derive(Debug)]
pub struct PreparedCrl {
    tbs: Vec<u8>,
    algorithm: SignatureAlgorithm,
    issuer_key: PublicKey,
}

/// Fills a list. `number` must grow with every list; the next one must be due within 90 days.
pub fn prepare_crl(
    csca: &Certificate,
    algorithm: SignatureAlgorithm,
    number: u64,
    this_update: OffsetDateTime,
    next_update: OffsetDateTime,
    revoked: &[Revocation],
) -> Result<PreparedCrl, PkiError> {
    if next_update <= this_update || next_update - this_update > Duration::days(90) {
        let problem = "must be after this update and at most 90 days later (Doc 9303-12)";
        return Err(PkiError::Invalid { field: "next update", problem });
    }
    for (index, revocation) in revoked.iter().enumerate() {
        let invalid = |problem| Err(PkiError::Invalid { field: "revocation", problem });
        if revocation.reason.is_some_and(|reason| !matches!(reason, 1..=6 | 9 | 10)) {
            // RFC 5280 §5.3.1: 7 is unused, 8 belongs to delta lists, 0 should be left out.
            return invalid("the reason must be a CRLReason other than unspecified and removeFromCRL");
        }
        if revocation.at > this_update {
            return invalid("a certificate cannot be listed before it is revoked");
        }
        if revoked[..index].iter().any(|earlier| earlier.serial == revocation.serial) {
            return invalid("a serial number can be listed once");
        }
    }
    let Some(key_id) = csca.subject_key_identifier() else {
        let problem = "lacks a subject key identifier";
        return Err(PkiError::Invalid { field: "CSCA certificate", problem });
    };
    let entries: Vec<Vec<u8>> = revoked.iter().map(entry).collect();
    // RFC 5280 §5.1.2.6: an empty list of entries must be absent.
    let entries = if entries.is_empty() { Vec::new() } else { write::sequence(&[&entries.concat()]) };
    let mut extensions = authority_key_id(&key_id);
    let number = write::unsigned(&number.to_be_bytes());
    extensions.extend(write::extension(ids::CRL_NUMBER, false, &number));
    let tbs = write::sequence(&[
        &[0x02, 0x01, 0x01],
        algorithm.identifier(),
        csca.subject(),
        &write::time(this_update),
        &write::time(next_update),
        &entries,
        &write::tlv(0xA0, &[&write::sequence(&[&extensions])]),
    ]);
    Ok(PreparedCrl { tbs, algorithm, issuer_key: csca.key()? })
}

impl PreparedCrl {
    /// Signs with the CSCA's key; DER.
    pub fn sign(self, signer: &dyn Signer) -> Result<Vec<u8>, PkiError> {
        sign_and_wrap(self.algorithm, &self.issuer_key, &self.tbs, signer)
    }
}

fn entry(revocation: &Revocation) -> Vec<u8> {
    let reason = revocation.reason.map_or_else(Vec::new, |reason| {
        let code = write::tlv(0x0A, &[&[reason]]);
        write::sequence(&[&write::extension(ids::REASON_CODE, false, &code)])
    });
    write::sequence(&[&write::unsigned(revocation.serial.as_bytes()), &write::time(revocation.at), &reason])
}

/// A revocation list whose signature was verified.
#[derive(Debug, Clone)]
pub struct Crl {
    inner: x509_cert::crl::CertificateList,
}

impl Crl {
    /// Reads a list in DER and verifies that `csca` signed it.
    pub fn from_der(der: &[u8], csca: &Certificate) -> Result<Crl, PkiError> {
        let malformed = PkiError::malformed(WHAT);
        let inner = x509_cert::crl::CertificateList::from_der(der).map_err(&malformed)?;
        if inner.tbs_cert_list.issuer.to_der().map_err(&malformed)? != csca.subject() {
            return Err(PkiError::UnknownIssuer);
        }
        if inner.signature_algorithm != inner.tbs_cert_list.signature {
            return Err(PkiError::BadSignature);
        }
        let algorithm = inner.signature_algorithm.to_der().map_err(&malformed)?;
        let scheme = SignatureScheme::from_identifier(&algorithm)?;
        let signature = inner.signature.as_bytes().ok_or(PkiError::BadSignature)?;
        let tbs = first_element(der).map_err(&malformed)?;
        verify_signature(scheme, csca.public_key(), tbs, signature)?;
        Ok(Crl { inner })
    }

    /// When the next list is due.
    pub fn next_update(&self) -> Option<OffsetDateTime> {
        self.inner.tbs_cert_list.next_update.map(|time| to_time(time.to_unix_duration()))
    }

    /// When the list was issued, in UTC.
    pub fn this_update(&self) -> OffsetDateTime {
        to_time(self.inner.tbs_cert_list.this_update.to_unix_duration())
    }

    /// cRLNumber (RFC 5280 §5.2.3), big-endian without leading zeros; it grows with every list.
    pub fn number(&self) -> Option<Vec<u8>> {
        let extensions = self.inner.tbs_cert_list.crl_extensions.as_ref()?;
        let number =
            der::asn1::Uint::from_der(find(extensions, ids::CRL_NUMBER)?.extn_value.as_bytes()).ok()?;
        Some(number.as_bytes().to_vec())
    }

    /// Whether the next list was due before this moment: then this one says nothing of whatever was revoked
    /// since. Of an earlier moment it knows more than the lists of then, since revocations are final. A list
    /// without a date for the next one counts for 90 days (Doc 9303-12).
    pub fn is_over(&self, at: OffsetDateTime) -> bool {
        at > self.next_update().unwrap_or(self.this_update().saturating_add(Duration::days(90)))
    }

    /// Why this certificate was revoked, where the list says so (CRLReason, RFC 5280 §5.3.1).
    pub fn reason(&self, certificate: &Certificate) -> Option<u8> {
        let entry = self.entry(certificate)?;
        let value = find(entry.crl_entry_extensions.as_ref()?, ids::REASON_CODE)?.extn_value.as_bytes();
        // ENUMERATED of one byte.
        matches!(value, [0x0A, 0x01, _]).then(|| value[2])
    }

    /// When this certificate was revoked, if it was.
    pub fn revoked_at(&self, certificate: &Certificate) -> Option<OffsetDateTime> {
        self.entry(certificate).map(|entry| to_time(entry.revocation_date.to_unix_duration()))
    }

    /// The list is the certificate's issuer's own, so the serial number alone names it.
    fn entry(&self, certificate: &Certificate) -> Option<&x509_cert::crl::RevokedCert> {
        let entries = self.inner.tbs_cert_list.revoked_certificates.as_ref()?;
        entries
            .iter()
            .find(|entry| without_leading_zeros(entry.serial_number.as_bytes()) == certificate.serial())
    }
}
