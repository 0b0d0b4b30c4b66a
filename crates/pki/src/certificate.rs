use der::{
    Decode, DecodePem, Encode, EncodePem, Reader, SliceReader, Tagged, asn1::AnyRef, asn1::ObjectIdentifier,
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_cert::ext::{
    Extension,
    pkix::{
        AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, PrivateKeyUsagePeriod,
        SubjectKeyIdentifier,
    },
};

use crate::{
    PkiError, PublicKey, SignatureScheme, ids,
    name::{COMMON_NAME, COUNTRY},
    profile::MASTER_LIST_SIGNING,
    read::{Reader as Elements, without_leading_zeros},
    verify_signature,
};

const WHAT: &str = "the certificate";

/// When a private key may sign, as far as its certificate limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsagePeriod {
    pub not_before: Option<OffsetDateTime>,
    pub not_after: Option<OffsetDateTime>,
}

/// A parsed X.509 certificate that keeps its bytes. Nothing in it is verified.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs_raw: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    public_key: Vec<u8>,
    serial: Vec<u8>,
    inner: x509_cert::Certificate,
}

impl Certificate {
    /// Reads a certificate; nothing is verified.
    ///
    /// # Errors
    ///
    /// When the bytes are no X.509 certificate.
    pub fn from_der(der: &[u8]) -> Result<Certificate, PkiError> {
        let malformed = PkiError::malformed(WHAT);
        let inner = x509_cert::Certificate::from_der(der).map_err(&malformed)?;
        let tbs = inner.tbs_certificate();
        Ok(Certificate {
            der: der.to_vec(),
            tbs_raw: first_element(der).map_err(&malformed)?.to_vec(),
            subject: tbs.subject().to_der().map_err(&malformed)?,
            issuer: tbs.issuer().to_der().map_err(&malformed)?,
            public_key: tbs.subject_public_key_info().to_der().map_err(&malformed)?,
            serial: without_leading_zeros(tbs.serial_number().as_bytes()).to_vec(),
            inner,
        })
    }

    /// Reads one PEM block; nothing is verified.
    ///
    /// # Errors
    ///
    /// When the text is no PEM, or what it holds no certificate.
    pub fn from_pem(pem: &str) -> Result<Certificate, PkiError> {
        let inner = x509_cert::Certificate::from_pem(pem).map_err(PkiError::malformed(WHAT))?;
        Self::from_der(&inner.to_der().map_err(PkiError::malformed(WHAT))?)
    }

    /// The bytes as they were read, which signatures and hashes are over.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// One PEM block with LF line ends.
    ///
    /// # Errors
    ///
    /// When the certificate cannot be encoded.
    pub fn to_pem(&self) -> Result<String, PkiError> {
        self.inner.to_pem(der::pem::LineEnding::LF).map_err(PkiError::malformed(WHAT))
    }

    /// SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The public key, whether its curve is named or spelt out.
    pub fn key(&self) -> Result<PublicKey, PkiError> {
        PublicKey::from_spki(&self.public_key)
    }

    /// Subject Name in DER.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// Issuer Name in DER.
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// Big-endian, without leading zeros.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// SHA-256 over the certificate's bytes.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// The first instant of validity, in UTC.
    pub fn not_before(&self) -> OffsetDateTime {
        to_time(self.inner.tbs_certificate().validity().not_before.to_unix_duration())
    }

    /// The last instant of validity, in UTC.
    pub fn not_after(&self) -> OffsetDateTime {
        to_time(self.inner.tbs_certificate().validity().not_after.to_unix_duration())
    }

    /// When the private key may sign (RFC 3280 §4.2.1.4); `None` when the certificate does not say.
    pub fn key_usage_period(&self) -> Option<KeyUsagePeriod> {
        let period: PrivateKeyUsagePeriod = self.decode()?;
        let convert = |t: der::asn1::GeneralizedTime| to_time(t.to_unix_duration());
        Some(KeyUsagePeriod {
            not_before: period.not_before.map(convert),
            not_after: period.not_after.map(convert),
        })
    }

    /// RFC 5280 §4.2.1.2; `None` when the certificate has none.
    pub fn subject_key_identifier(&self) -> Option<Vec<u8>> {
        self.decode::<SubjectKeyIdentifier>().map(|id| id.0.as_bytes().to_vec())
    }

    /// RFC 5280 §4.2.1.1; `None` when the certificate does not name its issuer's key.
    pub fn authority_key_identifier(&self) -> Option<Vec<u8>> {
        let id: AuthorityKeyIdentifier = self.decode()?;
        id.key_identifier.map(|key| key.as_bytes().to_vec())
    }

    /// Issuer and subject are one name: a root, or a link from one key of a CSCA to the next.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// May sign certificates: basicConstraints and keyUsage both say so.
    pub fn is_authority(&self) -> bool {
        self.decode::<BasicConstraints>().is_some_and(|b| b.ca)
            && self.decode::<KeyUsage>().is_some_and(|usage| usage.key_cert_sign())
    }

    /// May sign documents and nothing that makes it an authority.
    pub fn is_document_signer(&self) -> bool {
        self.decode::<KeyUsage>().is_some_and(|usage| usage.digital_signature() && !usage.key_cert_sign())
            && !self.decode::<BasicConstraints>().is_some_and(|b| b.ca)
    }

    /// The country in the subject's name, in upper case; Doc 9303-12 asks for one.
    pub fn country(&self) -> Option<String> {
        let names = self.inner.tbs_certificate().subject();
        let attribute = names.iter().find(|attribute| attribute.oid == COUNTRY)?;
        let text = std::str::from_utf8(attribute.value.value()).ok()?;
        Some(text.to_ascii_uppercase())
    }

    /// The common name in the subject's name, where there is exactly one.
    pub fn common_name(&self) -> Option<String> {
        let names = self.inner.tbs_certificate().subject();
        let mut found = names.iter().filter(|attribute| attribute.oid == COMMON_NAME);
        let attribute = found.next()?;
        let text = std::str::from_utf8(attribute.value.value()).ok()?;
        found.next().is_none().then(|| text.to_owned())
    }

    /// The types of documents that the key may sign, as the machine-readable zone names them; `None` when the
    /// certificate does not limit them (Doc 9303-12, documentTypeList).
    pub fn document_types(&self) -> Option<Result<Vec<String>, PkiError>> {
        let extension = find(self.inner.tbs_certificate().extensions()?, ids::DOCUMENT_TYPES)?;
        Some(document_types(extension.extn_value.as_bytes()))
    }

    /// May sign master lists: that is its one purpose, and it is no authority.
    pub fn is_master_list_signer(&self) -> bool {
        self.is_document_signer()
            && self.decode::<ExtendedKeyUsage>().is_some_and(|usage| usage.0 == [MASTER_LIST_SIGNING])
    }

    /// A CSCA's key under another key of the same CSCA: issued by its own name, signed by another key.
    pub fn is_link(&self) -> bool {
        self.is_authority() && self.is_self_issued() && self.verify_signed_by(self).is_err()
    }

    /// Verifies that `issuer`'s key signed this certificate. Names are not compared.
    pub fn verify_signed_by(&self, issuer: &Certificate) -> Result<(), PkiError> {
        let malformed = PkiError::malformed(WHAT);
        let outer = self.inner.signature_algorithm();
        // RFC 5280 §4.1.1.2: both must be the same, or the unsigned one could be changed.
        if outer != self.inner.tbs_certificate().signature() {
            return Err(PkiError::BadSignature);
        }
        let scheme = SignatureScheme::from_identifier(&outer.to_der().map_err(&malformed)?)?;
        let signature = self.inner.signature().as_bytes().ok_or(PkiError::BadSignature)?;
        verify_signature(scheme, &issuer.public_key, &self.tbs_raw, signature)
    }

    fn decode<T: for<'a> Decode<'a> + der::oid::AssociatedOid>(&self) -> Option<T> {
        find(self.inner.tbs_certificate().extensions()?, T::OID)
            .and_then(|extension| T::from_der(extension.extn_value.as_bytes()).ok())
    }
}

/// DocumentTypeListSyntax ::= SEQUENCE { version INTEGER {v0(0)}, docTypeList SET OF DocumentType }.
fn document_types(value: &[u8]) -> Result<Vec<String>, PkiError> {
    let mut outer = Elements::new(value, "the list of document types");
    let mut list = outer.expect(0x30, "DocumentTypeList (SEQUENCE)")?.children();
    outer.finish()?;
    list.expect(0x02, "version")?;
    let mut set = list.expect(0x31, "docTypeList (SET)")?.children();
    list.finish()?;
    let mut types = Vec::new();
    while !set.is_empty() {
        let kind = set.expect(0x13, "document type (PrintableString)")?;
        types.push(String::from_utf8_lossy(kind.value).into_owned());
    }
    Ok(types)
}

pub(crate) fn find(extensions: &[Extension], id: ObjectIdentifier) -> Option<&Extension> {
    extensions.iter().find(|extension| extension.extn_id == id)
}

pub(crate) fn to_time(unix: std::time::Duration) -> OffsetDateTime {
    // X.509 ends with the year 9999 and so does the type.
    OffsetDateTime::UNIX_EPOCH + unix
}

/// The raw bytes of the first element inside a SEQUENCE: what the signature is over.
pub(crate) fn first_element(der: &[u8]) -> Result<&[u8], der::Error> {
    let outer = AnyRef::from_der(der)?;
    outer.tag().assert_eq(der::Tag::Sequence)?;
    SliceReader::new(outer.value())?.tlv_bytes()
}
