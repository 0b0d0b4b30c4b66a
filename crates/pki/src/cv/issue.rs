//! Making card-verifiable certificates: filled and checked, then signed under a token, read back and
//! verified.

use time::Date;

use super::certificate::{
    AUTHORITY, AUTHORIZATION, BODY, CERTIFICATE, DISCRETIONARY, EFFECTIVE, EXPIRES, HOLDER,
    INSPECTION_SYSTEM, PROFILE, SIGNATURE, TERMINAL_TYPE,
};
use super::key::{CvPublicKey, Parameters, sign_plain};
use super::read::write;
use super::{Authorization, CvCertificate, CvRole, HolderReference, cv_date_bytes};
use crate::{PkiError, SerialNumber, Signer, SigningToken};

/// Whose key is to be certified, and for what.
#[derive(Debug, Clone)]
pub struct CvSubject<'a> {
    pub holder: HolderReference,
    pub authorization: Authorization,
    /// SubjectPublicKeyInfo in DER.
    pub public_key: &'a [u8],
    /// The day on which the certificate is made.
    pub effective: Date,
    /// Its last day.
    pub expires: Date,
}

/// A certificate's body that keeps to the rules, and nobody's signature.
#[derive(Debug)]
pub struct PreparedCvCertificate {
    holder: HolderReference,
    issuer_key: CvPublicKey,
    body: Vec<u8>,
}

/// A CVCA's certificate of its own key.
pub fn prepare_cvca(subject: &CvSubject<'_>) -> Result<PreparedCvCertificate, PkiError> {
    if subject.authorization.role != CvRole::Cvca {
        return Err(invalid("role", "only a country verifying CA certifies itself"));
    }
    check_term(subject)?;
    let key = CvPublicKey::from_spki(subject.public_key)?;
    body(&subject.holder, key.clone(), subject, &key)
}

/// The certificate of a document verifier under a CVCA, or of an inspection system under a verifier.
/// `issuer_key` is the key in `issuer`, whose curve the subject's key must have.
///
/// # Errors
/// When the issuer may not certify such a role or such rights, or not until then.
pub fn prepare_cv_certificate(
    issuer: &CvCertificate,
    issuer_key: CvPublicKey,
    subject: &CvSubject<'_>,
) -> Result<PreparedCvCertificate, PkiError> {
    if subject.authorization.role == CvRole::Cvca {
        return Err(invalid("role", "the new key of a CVCA gets a link certificate"));
    }
    check_term(subject)?;
    check_issuer(issuer, subject)?;
    if subject.expires > issuer.expires() {
        return Err(invalid("expiration date", "it lies after the issuer's"));
    }
    let key = CvPublicKey::from_spki(subject.public_key)?;
    if key.curve() != issuer_key.curve() {
        return Err(invalid("public key", "it must be on the curve of its issuer's (Doc 9303-12 §7.2.2.3)"));
    }
    body(issuer.holder(), issuer_key, subject, &key)
}

/// The new key of a CVCA under the old one: what the new self-signed certificate says, for chips that trust
/// the old key.
pub fn prepare_cv_link(
    old: &CvCertificate,
    old_key: CvPublicKey,
    new: &CvCertificate,
    effective: Date,
) -> Result<PreparedCvCertificate, PkiError> {
    let (Some(authorization), true) = (new.authorization(), new.is_self_signed()) else {
        return Err(invalid("new certificate", "it is no CVCA's own"));
    };
    if old.holder().holder() != new.holder().holder() {
        return Err(invalid("new certificate", "it is another authority's"));
    }
    let key = new.public_key(None)?;
    let spki = key.key().to_spki(crate::ParameterForm::Named);
    let subject = CvSubject {
        holder: new.holder().clone(),
        authorization,
        public_key: &spki,
        effective,
        expires: new.expires(),
    };
    check_issuer(old, &subject)?;
    body(old.holder(), old_key, &subject, &key)
}

fn check_term(subject: &CvSubject<'_>) -> Result<(), PkiError> {
    let longest = subject.authorization.role.longest();
    let last = longest.end_from(subject.effective.midnight().assume_utc()).date();
    if subject.expires < subject.effective || subject.expires > last {
        return Err(invalid(
            "expiration date",
            "it lies before the effective date or beyond the role's longest term",
        ));
    }
    Ok(())
}

fn check_issuer(issuer: &CvCertificate, subject: &CvSubject<'_>) -> Result<(), PkiError> {
    let Some(above) = issuer.authorization() else {
        return Err(invalid("issuer", "it is for terminals of another kind"));
    };
    if !above.role.may_certify(subject.authorization.role) {
        return Err(invalid(
            "role",
            "the issuer may not certify it: a CVCA certifies verifiers, they certify systems",
        ));
    }
    if subject.authorization.rights.and(above.rights) != subject.authorization.rights {
        return Err(invalid("rights", "they go beyond the issuer's"));
    }
    if subject.effective < issuer.effective() || subject.effective > issuer.expires() {
        return Err(invalid("effective date", "the issuer's certificate is not valid on that day"));
    }
    if subject.holder == *issuer.holder() {
        return Err(invalid("holder reference", "it is the issuer's"));
    }
    Ok(())
}

fn body(
    authority: &HolderReference,
    issuer_key: CvPublicKey,
    subject: &CvSubject<'_>,
    key: &CvPublicKey,
) -> Result<PreparedCvCertificate, PkiError> {
    let CvSubject { holder, authorization, effective, expires, .. } = subject;
    let day = |date| cv_date_bytes(date).ok_or(invalid("date", "only the years 2000 to 2099 can be written"));
    let is_cvca = authorization.role == CvRole::Cvca;
    let parameters = if is_cvca { Parameters::Present } else { Parameters::Absent };
    let granted = authorization.role.bits() | authorization.rights.bits();
    let rights = [write(TERMINAL_TYPE, &[INSPECTION_SYSTEM]), write(DISCRETIONARY, &[&[granted]])];
    let fields = [
        write(PROFILE, &[&[0]]),
        write(AUTHORITY, &[authority.as_str().as_bytes()]),
        key.to_object(parameters),
        write(HOLDER, &[holder.as_str().as_bytes()]),
        write(AUTHORIZATION, &[&rights.concat()]),
        write(EFFECTIVE, &[&day(*effective)?]),
        write(EXPIRES, &[&day(*expires)?]),
    ];
    Ok(PreparedCvCertificate { holder: holder.clone(), issuer_key, body: write(BODY, &[&fields.concat()]) })
}

fn invalid(field: &'static str, problem: &'static str) -> PkiError {
    PkiError::Invalid { field, problem }
}

impl PreparedCvCertificate {
    /// What must be recorded before the certificate is signed: its holder reference, which no other
    /// certificate may get.
    pub fn serial(&self) -> SerialNumber {
        reference_serial(&self.holder)
    }

    /// Signs with the issuer's key, reads the result back and verifies it before it is given out.
    pub fn sign(self, token: SigningToken, signer: &dyn Signer) -> Result<CvCertificate, PkiError> {
        token.redeem(&self.serial())?;
        if CvPublicKey::from_spki(signer.public_key())? != self.issuer_key {
            return Err(PkiError::WrongKey);
        }
        let signature = sign_plain(signer, &self.body)?;
        let certificate =
            CvCertificate::parse(&write(CERTIFICATE, &[&self.body, &write(SIGNATURE, &[&signature])]))?;
        certificate.verify(&self.issuer_key)?;
        Ok(certificate)
    }
}

/// A reference as the number that a signing token is made for: at most sixteen bytes, the first a letter.
fn reference_serial(holder: &HolderReference) -> SerialNumber {
    SerialNumber::new(holder.as_str().as_bytes())
        .expect("a reference has 8 to 16 bytes and begins with a letter")
}
