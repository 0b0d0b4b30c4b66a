//! prepare → lint → sign.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::{
    Certificate, Name, PkiError, Profile, PublicKey, Role, SignatureAlgorithm, Signer, ids,
    lint::{self, Issuer},
    name, write,
};

/// A certificate's serial number: positive, at most 20 octets in DER (RFC 5280 §4.1.2.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// Big-endian; leading zeros are dropped.
    pub fn new(bytes: &[u8]) -> Result<SerialNumber, PkiError> {
        let start = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len());
        let bytes = &bytes[start..];
        let invalid = |problem| Err(PkiError::Invalid { field: "serial number", problem });
        match bytes {
            [] => invalid("must be positive"),
            [first, ..] if bytes.len() + usize::from(first >> 7) > 20 => invalid("must fit into 20 octets"),
            _ => Ok(SerialNumber(bytes.to_vec())),
        }
    }

    /// Big-endian, without leading zeros (RFC 5280 §4.1.2.2).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Permission to sign one certificate. Make it only after the serial number is stored durably, so that a
/// crash between the two leaves a record of what may have been signed. It cannot be copied and is used up.
#[derive(Debug)]
pub struct SigningToken {
    serial: SerialNumber,
}

impl SigningToken {
    /// To be called after the serial number was stored durably: whoever holds the token may sign once.
    pub fn after_recording(serial: SerialNumber) -> SigningToken {
        SigningToken { serial }
    }

    /// Uses the token up; it must be for this number.
    pub(crate) fn redeem(self, serial: &SerialNumber) -> Result<(), PkiError> {
        if self.serial == *serial { Ok(()) } else { Err(PkiError::WrongToken) }
    }
}

/// A filled profile that nobody has looked at.
#[derive(Debug)]
pub struct PreparedCertificate {
    profile: Profile,
    serial: SerialNumber,
    tbs: Vec<u8>,
    issuer: Issuer,
}

/// A certificate whose bytes keep to its profile and the standards. Only this can be signed.
#[derive(Debug)]
pub struct LintedCertificate(PreparedCertificate);

/// A self-signed CSCA certificate for `public_key` (SubjectPublicKeyInfo in DER).
pub fn prepare_csca(
    profile: &Profile,
    subject: &Name,
    serial: SerialNumber,
    not_before: OffsetDateTime,
    public_key: &[u8],
) -> Result<PreparedCertificate, PkiError> {
    expect_role(profile, Role::Csca)?;
    let key = PublicKey::from_spki(public_key)?;
    let key_id = key_identifier(&key);
    let issuer = Issuer {
        name: subject.to_der(),
        public_key: key,
        key_id,
        algorithm: profile.algorithm,
        not_after: None,
    };
    prepare(profile, &subject.to_der(), serial, not_before, public_key, issuer)
}

/// A link certificate: the key of `new` under the name and the key of `old` (Doc 9303-12, CSCA link
/// certificates). Both carry one name, so that what `new` issues is found under either.
pub fn prepare_csca_link(
    profile: &Profile,
    old: &Certificate,
    new: &Certificate,
    serial: SerialNumber,
    not_before: OffsetDateTime,
) -> Result<PreparedCertificate, PkiError> {
    expect_role(profile, Role::CscaLink)?;
    // A link may outlive the certificate of the key that signed it: it proves the new key to whoever still
    // trusts the old one, and the path ends there anyway.
    let issuer = Issuer { not_after: None, ..issuer(old)? };
    prepare(profile, new.subject(), serial, not_before, new.public_key(), issuer)
}

/// A document signer's certificate for `public_key`, to be signed by the key of `csca`.
pub fn prepare_document_signer(
    profile: &Profile,
    csca: &Certificate,
    subject: &Name,
    serial: SerialNumber,
    not_before: OffsetDateTime,
    public_key: &[u8],
) -> Result<PreparedCertificate, PkiError> {
    expect_role(profile, Role::DocumentSigner)?;
    prepare(profile, &subject.to_der(), serial, not_before, public_key, issuer(csca)?)
}

/// A master list signer's certificate for `public_key`, to be signed by the key of `csca`.
pub fn prepare_master_list_signer(
    profile: &Profile,
    csca: &Certificate,
    subject: &Name,
    serial: SerialNumber,
    not_before: OffsetDateTime,
    public_key: &[u8],
) -> Result<PreparedCertificate, PkiError> {
    expect_role(profile, Role::MasterListSigner)?;
    prepare(profile, &subject.to_der(), serial, not_before, public_key, issuer(csca)?)
}

fn issuer(csca: &Certificate) -> Result<Issuer, PkiError> {
    let public_key = csca.key()?;
    let Some(algorithm) = SignatureAlgorithm::of_key(&public_key) else {
        let problem = "has a key of a kind that signs nothing here";
        return Err(PkiError::Invalid { field: "CSCA certificate", problem });
    };
    Ok(Issuer {
        name: csca.subject().to_vec(),
        key_id: csca.subject_key_identifier().unwrap_or_else(|| key_identifier(&public_key)),
        public_key,
        algorithm,
        not_after: Some(csca.not_after()),
    })
}

fn prepare(
    profile: &Profile,
    subject: &[u8],
    serial: SerialNumber,
    not_before: OffsetDateTime,
    public_key: &[u8],
    issuer: Issuer,
) -> Result<PreparedCertificate, PkiError> {
    let not_before = whole_second(not_before);
    let key = PublicKey::from_spki(public_key)?;
    let validity =
        write::sequence(&[&write::time(not_before), &write::time(profile.validity.end_from(not_before))]);
    let extensions = extensions(profile, not_before, &key_identifier(&key), &issuer.key_id);
    let tbs = write::sequence(&[
        &write::tlv(0xA0, &[&[0x02, 0x01, 0x02]]),
        &write::unsigned(serial.as_bytes()),
        issuer.algorithm.identifier(),
        &issuer.name,
        &validity,
        subject,
        &key.to_spki(profile.parameters),
        &write::tlv(0xA3, &[&extensions]),
    ]);
    Ok(PreparedCertificate { profile: *profile, serial, tbs, issuer })
}

impl PreparedCertificate {
    /// To be recorded before the certificate is signed.
    pub fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// Reads the bytes back and holds them against the profile, Doc 9303-12 and RFC 5280.
    pub fn lint(self) -> Result<LintedCertificate, PkiError> {
        let findings = lint::check(&self.profile, &self.issuer, &self.tbs);
        if findings.is_empty() { Ok(LintedCertificate(self)) } else { Err(PkiError::Lint(findings)) }
    }
}

impl LintedCertificate {
    /// To be recorded before the certificate is signed.
    pub fn serial(&self) -> &SerialNumber {
        &self.0.serial
    }

    /// Signs with the issuer's key and verifies the result before it gives it out.
    pub fn sign(self, token: SigningToken, signer: &dyn Signer) -> Result<Certificate, PkiError> {
        let PreparedCertificate { serial, tbs, issuer, .. } = self.0;
        token.redeem(&serial)?;
        let der = sign_and_wrap(issuer.algorithm, &issuer.public_key, &tbs, signer)?;
        Certificate::from_der(&der)
    }
}

/// `SEQUENCE { tbs, algorithm, signature }`: certificates and revocation lists share the form.
pub(crate) fn sign_and_wrap(
    algorithm: SignatureAlgorithm,
    issuer_key: &PublicKey,
    tbs: &[u8],
    signer: &dyn Signer,
) -> Result<Vec<u8>, PkiError> {
    let signature = sign_checked(algorithm, issuer_key, tbs, signer)?;
    Ok(write::sequence(&[tbs, algorithm.identifier(), &write::bit_string(&signature)]))
}

/// Signs with the key that is meant and no other, and verifies before the signature leaves.
pub(crate) fn sign_checked(
    algorithm: SignatureAlgorithm,
    key: &PublicKey,
    message: &[u8],
    signer: &dyn Signer,
) -> Result<Vec<u8>, PkiError> {
    if PublicKey::from_spki(signer.public_key())? != *key || signer.algorithm() != algorithm {
        return Err(PkiError::WrongKey);
    }
    let signature = signer.sign(message)?;
    key.verify(algorithm.scheme(), message, &signature)?;
    Ok(signature)
}

fn extensions(profile: &Profile, not_before: OffsetDateTime, key_id: &[u8], authority_id: &[u8]) -> Vec<u8> {
    let usage_end = profile.private_key_usage.end_from(not_before);
    let usage_period = write::sequence(&[
        &write::tlv(0x80, &[write::generalized_digits(not_before).as_bytes()]),
        &write::tlv(0x81, &[write::generalized_digits(usage_end).as_bytes()]),
    ]);
    let locality = write::sequence(&[&name::attribute(name::LOCALITY, 0x13, profile.locality)]);
    let alternative_name = write::sequence(&[&write::tlv(0xA4, &[&locality])]);
    let uri = write::tlv(0x86, &[profile.crl_uri.as_bytes()]);
    let crl_point = write::sequence(&[&write::tlv(0xA0, &[&write::tlv(0xA0, &[&uri])])]);

    let mut list = authority_key_id(authority_id);
    list.extend(write::extension(ids::SUBJECT_KEY_ID, false, &write::tlv(0x04, &[key_id])));
    list.extend(write::extension(ids::KEY_USAGE, true, &named_bits(profile.key_usage)));
    if let Some(purpose) = profile.extended_key_usage {
        list.extend(write::extension(
            ids::EXTENDED_KEY_USAGE,
            true,
            &write::sequence(&[&write::oid(purpose)]),
        ));
    }
    list.extend(write::extension(ids::PRIVATE_KEY_USAGE, false, &usage_period));
    list.extend(write::extension(ids::SUBJECT_ALT_NAME, false, &alternative_name));
    list.extend(write::extension(ids::ISSUER_ALT_NAME, false, &alternative_name));
    if let Some(path_length) = profile.path_length {
        let constraints = write::sequence(&[&[0x01, 0x01, 0xFF], &write::unsigned(&[path_length])]);
        list.extend(write::extension(ids::BASIC_CONSTRAINTS, true, &constraints));
    }
    list.extend(write::extension(ids::CRL_POINTS, false, &write::sequence(&[&crl_point])));
    if !profile.document_types.is_empty() {
        list.extend(write::extension(ids::DOCUMENT_TYPES, false, &document_types(profile.document_types)));
    }
    write::sequence(&[&list])
}

pub(crate) fn authority_key_id(key_id: &[u8]) -> Vec<u8> {
    write::extension(ids::AUTHORITY_KEY_ID, false, &write::sequence(&[&write::tlv(0x80, &[key_id])]))
}

/// DocumentTypeListSyntax ::= SEQUENCE { version 0, SET OF PrintableString } (Doc 9303-12).
fn document_types(types: &[&str]) -> Vec<u8> {
    let types = types.iter().map(|t| write::tlv(0x13, &[t.as_bytes()])).collect();
    write::sequence(&[&[0x02, 0x01, 0x00], &write::set_of(types)])
}

/// A BIT STRING of named bits, trailing zeros removed (X.690 §11.2.2).
fn named_bits(bits: &[u8]) -> Vec<u8> {
    let last = bits.iter().copied().max().unwrap_or(0);
    let mut bytes = vec![0u8; usize::from(last / 8) + 1];
    for bit in bits {
        bytes[usize::from(bit / 8)] |= 0x80 >> (bit % 8);
    }
    write::tlv(0x03, &[&[7 - last % 8], &bytes])
}

/// The leftmost 160 bits of SHA-256 over the public key bits (RFC 7093 §2, method 1): free of SHA-1.
pub(crate) fn key_identifier(key: &PublicKey) -> Vec<u8> {
    Sha256::digest(key.bits())[..20].to_vec()
}

fn expect_role(profile: &Profile, role: Role) -> Result<(), PkiError> {
    if profile.role == role {
        Ok(())
    } else {
        Err(PkiError::Invalid { field: "profile", problem: "is for the other kind of certificate" })
    }
}

/// Certificates know no fractions of a second.
fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).expect("zero is a nanosecond")
}
