//! A card-verifiable certificate: its bytes, and what they say.

use time::Date;

use super::key::{CvPublicKey, KeyObject, PUBLIC_KEY};
use super::read::{Object, Reader, write};
use super::{Authorization, CvRole, HolderReference, Rights, cv_date};
use crate::{Curve, PkiError};

pub(super) const CERTIFICATE: u16 = 0x7F21;
pub(super) const BODY: u16 = 0x7F4E;
pub(super) const SIGNATURE: u16 = 0x5F37;
pub(super) const PROFILE: u16 = 0x5F29;
pub(super) const AUTHORITY: u16 = 0x42;
pub(super) const HOLDER: u16 = 0x5F20;
pub(super) const AUTHORIZATION: u16 = 0x7F4C;
pub(super) const EFFECTIVE: u16 = 0x5F25;
pub(super) const EXPIRES: u16 = 0x5F24;
const EXTENSIONS: u16 = 0x65;
pub(super) const TERMINAL_TYPE: u16 = 0x06;
pub(super) const DISCRETIONARY: u16 = 0x53;

/// id-IS, 0.4.0.127.0.7.3.1.2.1: inspection systems, and the authorities above them.
pub(super) const INSPECTION_SYSTEM: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x03, 0x01, 0x02, 0x01];

/// A certificate (7F21): a body that says whose key it is, and its issuer's signature over the body's bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct CvCertificate {
    raw: Vec<u8>,
    body: std::ops::Range<usize>,
    issuer: HolderReference,
    holder: HolderReference,
    key: KeyObject,
    authorization: Option<Authorization>,
    effective: Date,
    expires: Date,
    signature: Vec<u8>,
}

impl std::fmt::Debug for CvCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CvCertificate({} by {}, {:?})", self.holder, self.issuer, self.authorization)
    }
}

impl CvCertificate {
    /// Reads a certificate of 4 KiB at most. Extensions are passed over: none is known here, and none takes a
    /// right away.
    pub fn parse(bytes: &[u8]) -> Result<CvCertificate, PkiError> {
        let mut outer = Reader::new(bytes)?;
        let certificate = outer.expect(CERTIFICATE, "certificate")?;
        outer.finish()?;
        let mut parts = certificate.children();
        let body = parts.expect(BODY, "certificate body")?;
        let signature = parts.expect(SIGNATURE, "signature")?;
        parts.finish()?;

        let mut fields = body.children();
        let profile = fields.expect(PROFILE, "profile identifier")?;
        if profile.value != [0] {
            return Err(profile.error("only version 1 (0) is known (Doc 9303-12 §7.2.2.1)"));
        }
        let issuer = reference(&fields.expect(AUTHORITY, "authority reference")?)?;
        let key_object = fields.expect(PUBLIC_KEY, "public key")?;
        let key = KeyObject::parse(&key_object)?;
        let holder = reference(&fields.expect(HOLDER, "holder reference")?)?;
        let authorization = authorization(&fields.expect(AUTHORIZATION, "holder authorisation")?)?;
        let effective = date(&fields.expect(EFFECTIVE, "effective date")?)?;
        let expiry = fields.expect(EXPIRES, "expiration date")?;
        let expires = date(&expiry)?;
        if expires < effective {
            return Err(expiry.error("it expires before it is in effect"));
        }
        fields.optional(EXTENSIONS)?;
        fields.finish()?;
        // Doc 9303-12 §7.2.2.3; other kinds of terminals have rules of their own.
        let below = authorization.is_some_and(|authorization| authorization.role != CvRole::Cvca);
        if below && key.curve.is_some() {
            return Err(key_object.error("domain parameters where only a CVCA has them"));
        }
        if issuer == holder && key.curve.is_none() {
            return Err(key_object.error("a self-signed certificate without domain parameters"));
        }
        Ok(CvCertificate {
            raw: bytes.to_vec(),
            body: body.at..body.at + body.raw.len(),
            issuer,
            holder,
            key,
            authorization,
            effective,
            expires,
            signature: signature.value.to_vec(),
        })
    }

    /// Reads body and signature without the object around them, as PSO: Verify Certificate has them. Offsets
    /// in errors count from the object that is put around.
    pub fn from_content(content: &[u8]) -> Result<CvCertificate, PkiError> {
        // A certificate that is too long is refused before it is copied.
        Reader::new(content)?;
        CvCertificate::parse(&write(CERTIFICATE, &[content]))
    }

    /// The whole certificate.
    pub fn bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Body and signature.
    pub fn content(&self) -> &[u8] {
        &self.raw[self.body.start..]
    }

    /// The key that signed the certificate.
    pub fn issuer(&self) -> &HolderReference {
        &self.issuer
    }

    /// The key that the certificate is about.
    pub fn holder(&self) -> &HolderReference {
        &self.holder
    }

    /// `None` for terminals of another kind than inspection systems.
    pub fn authorization(&self) -> Option<Authorization> {
        self.authorization
    }

    /// The day on which it was made.
    pub fn effective(&self) -> Date {
        self.effective
    }

    /// Its last day.
    pub fn expires(&self) -> Date {
        self.expires
    }

    /// Whether it is the first certificate of a CVCA; a link certificate names another issuer.
    pub fn is_self_signed(&self) -> bool {
        self.issuer == self.holder
    }

    /// A CVCA's new key under its old one.
    pub fn is_link(&self) -> bool {
        let role = self.authorization.map(|authorization| authorization.role);
        role == Some(CvRole::Cvca) && !self.is_self_signed()
    }

    /// The certified key. One without domain parameters is on the curve of its issuer's key.
    pub fn public_key(&self, inherited: Option<Curve>) -> Result<CvPublicKey, PkiError> {
        self.key.on_curve(inherited)
    }

    /// Whether the holder of `key` signed the body.
    pub fn verify(&self, key: &CvPublicKey) -> Result<(), PkiError> {
        key.verify(&self.raw[self.body.clone()], &self.signature)
    }
}

fn reference(object: &Object<'_>) -> Result<HolderReference, PkiError> {
    let text = std::str::from_utf8(object.value).ok().and_then(|text| HolderReference::parse(text).ok());
    text.ok_or_else(|| object.error("no reference of a key: country, holder and sequence number expected"))
}

fn date(object: &Object<'_>) -> Result<Date, PkiError> {
    cv_date(object.value)
        .ok_or_else(|| object.error("no date: six bytes, each one digit of yymmdd, expected"))
}

fn authorization(object: &Object<'_>) -> Result<Option<Authorization>, PkiError> {
    let mut fields = object.children();
    let terminal = fields.expect(TERMINAL_TYPE, "terminal type")?;
    let rights = fields.expect(DISCRETIONARY, "rights")?;
    fields.finish()?;
    match (terminal.value == INSPECTION_SYSTEM, rights.value) {
        (true, &[byte]) => {
            let (role, rights) = (CvRole::from_bits(byte), Rights::from_bits(byte));
            Ok(Some(Authorization { role, rights }))
        }
        (true, _) => Err(rights.error("the rights of inspection systems are one byte")),
        (false, _) => Ok(None),
    }
}
