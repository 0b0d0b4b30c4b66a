//! Lints: each names its clause. They read the finished bytes with a parser that shares no code with the
//! writer, so that a mistake of the writer shows.

use std::fmt;

use der::{Decode, Encode};
use time::OffsetDateTime;
use x509_cert::{
    TbsCertificate, Version,
    ext::{
        Extension,
        pkix::{AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, PrivateKeyUsagePeriod},
    },
};

use crate::{
    Profile, PublicKey, Role, SignatureAlgorithm,
    certificate::{find, to_time},
    ids,
};

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Standard and clause.
    pub clause: &'static str,
    pub problem: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.problem, self.clause)
    }
}

/// What a lint needs to know of the issuer. `not_after` is absent where the certificate may outlive it.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) name: Vec<u8>,
    pub(crate) public_key: PublicKey,
    /// subjectKeyIdentifier.
    pub(crate) key_id: Vec<u8>,
    /// In which its key signs.
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) not_after: Option<OffsetDateTime>,
}

pub(crate) fn check(profile: &Profile, issuer: &Issuer, tbs: &[u8]) -> Vec<Finding> {
    let parsed = match TbsCertificate::from_der(tbs) {
        Ok(parsed) => parsed,
        Err(_) => return vec![Finding { clause: "RFC 5280 §4.1", problem: "not a TBSCertificate in DER" }],
    };
    let mut lints = Lints { findings: Vec::new() };
    basics(&mut lints, profile, issuer, &parsed, tbs);
    periods(&mut lints, profile, issuer, &parsed);
    let empty = Vec::new();
    key(&mut lints, profile, issuer, &parsed);
    extensions(&mut lints, profile, issuer, parsed.extensions().unwrap_or(&empty));
    lints.findings
}

struct Lints {
    findings: Vec<Finding>,
}

impl Lints {
    fn require(&mut self, holds: bool, clause: &'static str, problem: &'static str) {
        if !holds {
            self.findings.push(Finding { clause, problem });
        }
    }
}

fn basics(lints: &mut Lints, profile: &Profile, issuer: &Issuer, tbs: &TbsCertificate, raw: &[u8]) {
    lints.require(tbs.version() == Version::V3, "Doc 9303-12, certificate fields", "version must be 3");
    lints.require(
        tbs.to_der().is_ok_and(|again| again == raw),
        "RFC 5280 §4.1.1.3",
        "the certificate must be DER, with one way to write it",
    );
    let serial = tbs.serial_number().as_bytes();
    lints.require(
        serial.len() <= 20 && serial.first().is_some_and(|b| b & 0x80 == 0) && serial.iter().any(|&b| b != 0),
        "RFC 5280 §4.1.2.2",
        "the serial number must be positive and at most 20 octets long",
    );
    lints.require(
        tbs.signature().to_der().is_ok_and(|der| der == issuer.algorithm.identifier()),
        "Doc 9303-12, algorithms",
        "the signature algorithm must be that of the issuer's key",
    );
    lints.require(
        tbs.issuer().to_der().is_ok_and(|name| name == issuer.name),
        "RFC 5280 §4.1.2.4",
        "the issuer must be written as in the issuer's own certificate",
    );
    let self_issued = tbs.issuer() == tbs.subject();
    lints.require(
        self_issued == is_authority(profile.role),
        "Doc 9303-12, certificate fields",
        "a CSCA and a link certificate name themselves as issuer, a signer does not",
    );
    let (subject_country, issuer_country) = (country(tbs.subject()), country(tbs.issuer()));
    lints.require(
        subject_country.is_some() && subject_country == issuer_country,
        "Doc 9303-12, issuer and subject",
        "subject and issuer must have the same two-letter upper-case countryName",
    );
}

fn key(lints: &mut Lints, profile: &Profile, issuer: &Issuer, tbs: &TbsCertificate) {
    let spki = tbs.subject_public_key_info().to_der().unwrap_or_default();
    let Ok((key, form)) = PublicKey::with_form(&spki) else {
        return lints.require(
            false,
            "Doc 9303-12, ECDSA",
            "the public key must be an uncompressed point on a known curve",
        );
    };
    let curve = profile.algorithm.curve();
    lints.require(
        matches!(&key, PublicKey::Ec { curve: found, .. } if *found == curve) && key.check().is_ok(),
        "Doc 9303-12, ECDSA",
        "the public key must be a point on the profile's curve",
    );
    lints.require(
        form == profile.parameters,
        "Doc 9303-12, ECDSA",
        "the curve must be written as the profile says, by name or by its parameters",
    );
    lints.require(
        (key == issuer.public_key) == (profile.role == Role::Csca),
        "Doc 9303-12, key pairs",
        "every certificate but the self-signed one must be for a key other than the CSCA's that signs it",
    );
}

/// A CSCA's own certificate or a link to it.
fn is_authority(role: Role) -> bool {
    matches!(role, Role::Csca | Role::CscaLink)
}

fn periods(lints: &mut Lints, profile: &Profile, issuer: &Issuer, tbs: &TbsCertificate) {
    let not_before = to_time(tbs.validity().not_before.to_unix_duration());
    let not_after = to_time(tbs.validity().not_after.to_unix_duration());
    lints.require(
        not_before < not_after && not_after == profile.validity.end_from(not_before),
        "Doc 9303-12, key periods",
        "the validity must be the profile's",
    );
    if let Some(issuer_end) = issuer.not_after {
        lints.require(
            not_after <= issuer_end,
            "Doc 9303-12, key periods",
            "a signer must not outlive its CSCA; roll the CSCA or shorten the validity",
        );
    }
    let extension = tbs.extensions().and_then(|all| find(all, ids::PRIVATE_KEY_USAGE));
    let period = extension.and_then(|e| PrivateKeyUsagePeriod::from_der(e.extn_value.as_bytes()).ok());
    let time = |t: Option<der::asn1::GeneralizedTime>| t.map(|t| to_time(t.to_unix_duration()));
    let (start, end) = period.map_or((None, None), |p| (time(p.not_before), time(p.not_after)));
    lints.require(
        matches!((start, end), (Some(s), Some(e)) if not_before <= s && s < e && e <= not_after),
        "Doc 9303-12, privateKeyUsagePeriod",
        "the private key usage period must be there and lie within the validity",
    );
    if let Some(end) = end {
        let problem = match profile.role {
            Role::Csca | Role::CscaLink => {
                "the CSCA must be valid until the last document signer's certificate that its key may sign \
                 has expired"
            }
            Role::DocumentSigner => {
                "a document signer must be valid until the last card that its key may sign has expired"
            }
            Role::MasterListSigner => "a master list signer must be valid until its last list is replaced",
        };
        let last_product_ends = profile.longest_product.end_from(end);
        lints.require(last_product_ends <= not_after, "Doc 9303-12, key periods", problem);
    }
    if let (Role::DocumentSigner, Some(start), Some(end)) = (profile.role, start, end) {
        lints.require(
            end - start <= time::Duration::days(92),
            "Doc 9303-12, key periods",
            "a document signer's key must be used for at most three months",
        );
    }
}

fn extensions(lints: &mut Lints, profile: &Profile, issuer: &Issuer, all: &[Extension]) {
    let is_csca = is_authority(profile.role);
    let usage: &[u8] = if is_csca { &[3, 2, 1, 0x06] } else { &[3, 2, 7, 0x80] };
    let key_usage = find(all, ids::KEY_USAGE);
    lints.require(
        key_usage.is_some_and(|e| e.critical && e.extn_value.as_bytes() == usage),
        "Doc 9303-12, certificate extensions, keyUsage",
        "critical, and keyCertSign+cRLSign for a CSCA or digitalSignature alone for a signer",
    );
    let basic = find(all, ids::BASIC_CONSTRAINTS);
    let constraints = basic.and_then(|e| BasicConstraints::from_der(e.extn_value.as_bytes()).ok());
    let basic_holds = match constraints {
        Some(c) => is_csca && c.ca && c.path_len_constraint == Some(0) && basic.is_some_and(|e| e.critical),
        None => !is_csca && basic.is_none(),
    };
    lints.require(
        basic_holds,
        "Doc 9303-12, certificate extensions, basicConstraints",
        "critical, cA and pathLenConstraint 0 for a CSCA; absent for a signer",
    );
    for (id, problem) in [
        (ids::AUTHORITY_KEY_ID, "authorityKeyIdentifier must be there and not critical"),
        (ids::SUBJECT_KEY_ID, "subjectKeyIdentifier must be there and not critical"),
        (ids::PRIVATE_KEY_USAGE, "privateKeyUsagePeriod must be there and not critical"),
        (ids::SUBJECT_ALT_NAME, "subjectAltName must be there and not critical"),
        (ids::ISSUER_ALT_NAME, "issuerAltName must be there and not critical"),
        (ids::CRL_POINTS, "cRLDistributionPoints must be there and not critical"),
    ] {
        lints.require(
            find(all, id).is_some_and(|e| !e.critical),
            "Doc 9303-12, certificate extensions",
            problem,
        );
    }
    let authority_id = find(all, ids::AUTHORITY_KEY_ID)
        .and_then(|e| AuthorityKeyIdentifier::from_der(e.extn_value.as_bytes()).ok())
        .and_then(|id| id.key_identifier);
    lints.require(
        authority_id.is_some_and(|id| id.as_bytes() == issuer.key_id),
        "RFC 5280 §4.2.1.1",
        "authorityKeyIdentifier must be the issuer's subjectKeyIdentifier",
    );
    let purpose = find(all, ids::EXTENDED_KEY_USAGE);
    let expected = profile.extended_key_usage.map(|oid| vec![oid]);
    let stated =
        purpose.and_then(|e| ExtendedKeyUsage::from_der(e.extn_value.as_bytes()).ok()).map(|usage| usage.0);
    lints.require(
        stated == expected
            && purpose.is_none_or(|e| e.critical)
            && purpose.is_some() == (profile.role == Role::MasterListSigner),
        "Doc 9303-12, certificate extensions, extKeyUsage",
        "critical and cscaMasterListSigningKey alone for a master list signer; absent for all others",
    );
    lints.require(
        find(all, ids::DOCUMENT_TYPES).is_some_and(|e| !e.critical) == (profile.role == Role::DocumentSigner),
        "Doc 9303-12, documentTypeList",
        "documentTypeList must be in a document signer's certificate and only there",
    );
    let repeated = all.iter().enumerate().any(|(i, e)| all[..i].iter().any(|o| o.extn_id == e.extn_id));
    lints.require(!repeated, "RFC 5280 §4.2", "no extension may occur twice");
}

fn country(name: &x509_cert::name::Name) -> Option<String> {
    let text = name.to_string();
    let value = text.split(',').find_map(|part| part.trim().strip_prefix("C="))?;
    (value.len() == 2 && value.bytes().all(|b| b.is_ascii_uppercase())).then(|| value.to_owned())
}
