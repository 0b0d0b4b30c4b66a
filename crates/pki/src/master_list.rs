//! The master list: CSCA certificates under one signature (Doc 9303-12, CSCA master list; CMS, RFC 5652).
//!
//! A country puts the CSCA certificates that it trusts, its own and others', into one file. Whoever trusts
//! the CSCA of the list's maker can take over the rest.

use der::asn1::ObjectIdentifier;
use time::OffsetDateTime;

use crate::{
    Certificate, HashAlgorithm, PkiError, PublicKey, SignatureAlgorithm, SignatureScheme, Signer, build_path,
    check_key_use,
    issue::sign_checked,
    read::{Element, Reader},
    write,
};

const WHAT: &str = "the master list";
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// id-icao-cscaMasterList.
const MASTER_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");

/// Certificates on one list. ICAO's own has some six hundred.
const MOST_CERTIFICATES: usize = 10_000;

/// A list that lacks its signature.
#[derive(Debug)]
pub struct PreparedMasterList {
    content: Vec<u8>,
    /// Signed attributes as the SET that is signed.
    attributes: Vec<u8>,
    signer: Certificate,
    csca: Certificate,
    key: PublicKey,
    algorithm: SignatureAlgorithm,
}

/// Fills a list of `certificates` to be signed by the key of `signer`, a master list signer under `csca`.
pub fn prepare_master_list(
    certificates: &[Certificate],
    signer: &Certificate,
    csca: &Certificate,
    at: OffsetDateTime,
) -> Result<PreparedMasterList, PkiError> {
    let invalid = |field, problem| Err(PkiError::Invalid { field, problem });
    if certificates.is_empty() || certificates.iter().any(|certificate| !certificate.is_authority()) {
        return invalid("certificates", "must be one or more, and CSCA certificates only (Doc 9303-12)");
    }
    if !signer.is_master_list_signer() || signer.verify_signed_by(csca).is_err() {
        return invalid("master list signer", "must have a certificate for that purpose from this CSCA");
    }
    check_key_use(signer, "the master list signer's", at)?;
    let key = signer.key()?;
    let Some(algorithm) = SignatureAlgorithm::of_key(&key) else {
        return invalid("master list signer", "has a key of a kind that signs nothing here");
    };
    let list: Vec<Vec<u8>> = certificates.iter().map(|certificate| certificate.der().to_vec()).collect();
    let content = write::sequence(&[&write::unsigned(&[0]), &write::set_of(list)]);
    let digest = algorithm.hash().hash(&content);
    let attribute = |kind: ObjectIdentifier, value: Vec<u8>| {
        write::sequence(&[&write::oid(kind), &write::tlv(0x31, &[&value])])
    };
    let attributes = write::set_of(vec![
        attribute(CONTENT_TYPE, write::oid(MASTER_LIST)),
        attribute(SIGNING_TIME, write::time(at)),
        attribute(MESSAGE_DIGEST, write::tlv(0x04, &[&digest])),
    ]);
    Ok(PreparedMasterList { content, attributes, signer: signer.clone(), csca: csca.clone(), key, algorithm })
}

impl PreparedMasterList {
    /// Signs with the master list signer's key; a CMS ContentInfo in DER.
    pub fn sign(self, signer: &dyn Signer) -> Result<Vec<u8>, PkiError> {
        let signature = sign_checked(self.algorithm, &self.key, &self.attributes, signer)?;
        let Some(key_id) = self.signer.subject_key_identifier() else {
            let problem = "lacks a subject key identifier";
            return Err(PkiError::Invalid { field: "master list signer", problem });
        };
        let digest = write::sequence(&[&write::oid(self.algorithm.hash().oid())]);
        // Doc 9303-12, SignerInfo: the signer named by its key identifier, which goes with version 3.
        let signer_info = write::sequence(&[
            &write::unsigned(&[3]),
            &write::tlv(0x80, &[&key_id]),
            &digest,
            &[&[0xA0], &self.attributes[1..]].concat(),
            self.algorithm.identifier(),
            &write::tlv(0x04, &[&signature]),
        ]);
        let certificates = write::set_of(vec![self.signer.der().to_vec(), self.csca.der().to_vec()]);
        let signed_data = write::sequence(&[
            &write::unsigned(&[3]),
            &write::tlv(0x31, &[&digest]),
            &write::sequence(&[
                &write::oid(MASTER_LIST),
                &write::tlv(0xA0, &[&write::tlv(0x04, &[&self.content])]),
            ]),
            &[&[0xA0], &certificates[1..]].concat(),
            &write::tlv(0x31, &[&signer_info]),
        ]);
        Ok(write::sequence(&[&write::oid(SIGNED_DATA), &write::tlv(0xA0, &[&signed_data])]))
    }
}

/// A master list whose signature and signer were verified.
#[derive(Debug, Clone)]
pub struct MasterList {
    certificates: Vec<Certificate>,
    unreadable: usize,
    signed_at: Option<OffsetDateTime>,
}

impl MasterList {
    /// Reads a list and verifies that a master list signer under one of the trusted CSCA certificates signed
    /// it. A certificate on it that cannot be read is counted and left out: one country's odd certificate
    /// must not cost the others theirs.
    pub fn from_der(der: &[u8], trust: &[Certificate]) -> Result<MasterList, PkiError> {
        let parsed = SignedData::parse(der)?;
        let embedded: Vec<Certificate> =
            parsed.certificates.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
        let Some(signer) = embedded.iter().find(|certificate| parsed.names(certificate)) else {
            return Err(PkiError::Malformed {
                what: WHAT,
                problem: "its signer's certificate is not in it".to_owned(),
            });
        };
        if !signer.is_master_list_signer() {
            let problem = "it is not for signing master lists";
            return Err(PkiError::WrongRole { whose: "the master list signer's", problem });
        }
        if parsed.digest.hash(parsed.content) != parsed.message_digest {
            return Err(PkiError::BadSignature);
        }
        signer.key()?.verify(parsed.scheme, &parsed.attributes, parsed.signature)?;
        build_path(signer, trust, &embedded)?;
        if let Some(at) = parsed.signed_at {
            check_key_use(signer, "the master list signer's", at)?;
        }
        let mut list = MasterList { certificates: Vec::new(), unreadable: 0, signed_at: parsed.signed_at };
        for raw in certificates_on_list(parsed.content)? {
            match Certificate::from_der(raw) {
                Ok(certificate) if certificate.is_authority() => list.certificates.push(certificate),
                _ => list.unreadable += 1,
            }
        }
        Ok(list)
    }

    /// The CSCA certificates, in the list's order.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// How many entries were left out because they could not be read or are no CSCA certificates.
    pub fn left_out(&self) -> usize {
        self.unreadable
    }

    /// The signing time that the list states; `None` when it states none.
    pub fn signed_at(&self) -> Option<OffsetDateTime> {
        self.signed_at
    }
}

/// CscaMasterList ::= SEQUENCE { version INTEGER {v0(0)}, certList SET OF Certificate }.
fn certificates_on_list(content: &[u8]) -> Result<Vec<&[u8]>, PkiError> {
    let mut outer = Reader::new(content, "the list of CSCA certificates");
    let mut list = outer.expect(0x30, "CscaMasterList (SEQUENCE)")?.children();
    outer.finish()?;
    let version = list.expect(0x02, "version")?;
    if version.value != [0] {
        return Err(version.error("version must be 0"));
    }
    let certificates = list.expect(0x31, "certList (SET)")?;
    list.finish()?;
    all_raw(&certificates)
}

fn all_raw<'a>(parent: &Element<'a>) -> Result<Vec<&'a [u8]>, PkiError> {
    let mut reader = parent.children();
    let mut all = Vec::new();
    while !reader.is_empty() {
        if all.len() == MOST_CERTIFICATES {
            return Err(parent.error("more than 10,000 certificates"));
        }
        all.push(reader.expect(0x30, "Certificate (SEQUENCE)")?.raw);
    }
    Ok(all)
}

/// The parts of a CMS SignedData with one signer that a master list needs.
struct SignedData<'a> {
    content: &'a [u8],
    certificates: Vec<&'a [u8]>,
    /// The signer: its key identifier, or issuer and serial number.
    signer: SignerId<'a>,
    digest: HashAlgorithm,
    attributes: Vec<u8>,
    message_digest: &'a [u8],
    signed_at: Option<OffsetDateTime>,
    scheme: SignatureScheme,
    signature: &'a [u8],
}

enum SignerId<'a> {
    Key(&'a [u8]),
    IssuerAndSerial(&'a [u8], &'a [u8]),
}

impl<'a> SignedData<'a> {
    fn parse(der: &'a [u8]) -> Result<SignedData<'a>, PkiError> {
        let mut outer = Reader::new(der, WHAT);
        let mut info = outer.expect(0x30, "ContentInfo (SEQUENCE)")?.children();
        outer.finish()?;
        expect_oid(&mut info, SIGNED_DATA, "signedData")?;
        let mut explicit = info.expect(0xA0, "content [0]")?.children();
        info.finish()?;
        let mut data = explicit.expect(0x30, "SignedData (SEQUENCE)")?.children();
        explicit.finish()?;
        data.expect(0x02, "version")?;
        data.expect(0x31, "digestAlgorithms (SET)")?;
        let mut encapsulated = data.expect(0x30, "encapContentInfo (SEQUENCE)")?.children();
        expect_oid(&mut encapsulated, MASTER_LIST, "id-icao-cscaMasterList")?;
        let mut explicit = encapsulated.expect(0xA0, "eContent [0]")?.children();
        let content = explicit.expect(0x04, "eContent (OCTET STRING)")?.value;
        explicit.finish()?;
        encapsulated.finish()?;
        let certificates = all_raw(&data.expect(0xA0, "certificates [0]")?)?;
        data.optional(0xA1)?;
        let signers = data.expect(0x31, "signerInfos (SET)")?;
        data.finish()?;
        let mut signers = signers.children();
        let mut info = signers.expect(0x30, "SignerInfo (SEQUENCE)")?.children();
        signers.finish()?;

        info.expect(0x02, "SignerInfo version")?;
        let signer = match info.optional(0x80)? {
            Some(key_id) => SignerId::Key(key_id.value),
            None => {
                let mut id = info.expect(0x30, "issuer and serial number")?.children();
                let issuer = id.expect(0x30, "issuer")?.raw;
                SignerId::IssuerAndSerial(issuer, id.expect(0x02, "serial number")?.value)
            }
        };
        let digest = info.expect(0x30, "digestAlgorithm")?;
        let oid = digest.children().expect(0x06, "digest algorithm")?;
        let digest = HashAlgorithm::from_oid(oid.value)
            .ok_or_else(|| oid.error("the digest must be SHA-256, SHA-384 or SHA-512"))?;
        let signed = info.expect(0xA0, "signed attributes [0]")?;
        let scheme = SignatureScheme::from_identifier(info.expect(0x30, "signatureAlgorithm")?.raw)?;
        let signature = info.expect(0x04, "signature (OCTET STRING)")?.value;
        info.optional(0xA1)?;
        info.finish()?;
        let (message_digest, signed_at) = attributes(&signed)?;
        // What was signed is the SET; its first byte is the only difference (RFC 5652 §5.4).
        let attributes = [&[0x31], &signed.raw[1..]].concat();
        Ok(SignedData {
            content,
            certificates,
            signer,
            digest,
            attributes,
            message_digest,
            signed_at,
            scheme,
            signature,
        })
    }

    fn names(&self, certificate: &Certificate) -> bool {
        match self.signer {
            SignerId::Key(id) => certificate.subject_key_identifier().is_some_and(|own| own == id),
            SignerId::IssuerAndSerial(issuer, serial) => {
                certificate.issuer() == issuer
                    && certificate.serial() == crate::read::without_leading_zeros(serial)
            }
        }
    }
}

/// messageDigest and signingTime. contentType must be the master list's (RFC 5652 §11.1).
fn attributes<'a>(signed: &Element<'a>) -> Result<(&'a [u8], Option<OffsetDateTime>), PkiError> {
    let (mut digest, mut time, mut content_type) = (None, None, None);
    let mut reader = signed.children();
    while !reader.is_empty() {
        let mut attribute = reader.expect(0x30, "attribute (SEQUENCE)")?.children();
        let kind = attribute.expect(0x06, "attribute type")?;
        let mut values = attribute.expect(0x31, "attribute values (SET)")?.children();
        if kind.value == MESSAGE_DIGEST.as_bytes() {
            digest = Some(values.expect(0x04, "messageDigest (OCTET STRING)")?.value);
        } else if kind.value == CONTENT_TYPE.as_bytes() {
            content_type = Some(values.expect(0x06, "contentType")?.value);
        } else if kind.value == SIGNING_TIME.as_bytes() {
            time = Some(signing_time(&mut values)?);
        } else {
            continue;
        }
        values.finish()?;
    }
    if content_type != Some(MASTER_LIST.as_bytes()) {
        return Err(signed.error("the signed contentType is not id-icao-cscaMasterList"));
    }
    let digest = digest.ok_or_else(|| signed.error("the signed messageDigest is missing"))?;
    Ok((digest, time))
}

fn signing_time(values: &mut Reader<'_>) -> Result<OffsetDateTime, PkiError> {
    use der::Decode;
    let element = match values.optional(0x17)? {
        Some(utc) => utc,
        None => values.expect(0x18, "signingTime (UTCTime or GeneralizedTime)")?,
    };
    let time = x509_cert::time::Time::from_der(element.raw).map_err(|_| element.error("no time in DER"))?;
    Ok(crate::certificate::to_time(time.to_unix_duration()))
}

fn expect_oid(reader: &mut Reader<'_>, oid: ObjectIdentifier, name: &str) -> Result<(), PkiError> {
    let found = reader.expect(0x06, name)?;
    if found.value == oid.as_bytes() { Ok(()) } else { Err(found.error(&format!("{name} expected"))) }
}
