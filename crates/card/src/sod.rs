//! EF.SOD: the document security object (Doc 9303-10, EF.SOD), a CMS SignedData (RFC 5652) over the hashes of
//! the data groups (LDSSecurityObject version 0), in tag 77.
//!
//! Building takes three steps, because the key is elsewhere: [`SodTemplate`] takes once per document signer
//! what never changes, [`SodTemplate::prepare`] gives the bytes to be signed, [`PreparedSod::assemble`] takes
//! the signature. Reading gives the parts that a verifier needs; the verification of the signature itself is
//! the caller's, so that this crate knows no public-key algorithm.

mod read;
mod signing_time;

use sha2::{Digest, Sha256};

use crate::{
    CardError,
    lds::DataGroup,
    tlv::{self, Reader, Tag},
};

pub use read::{DigestAlgorithm, Sod};

// Object identifiers, content bytes only.
pub(crate) const OID_SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
pub(crate) const OID_CONTENT_TYPE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x03];
pub(crate) const OID_MESSAGE_DIGEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x04];
pub(crate) const OID_SIGNING_TIME: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x05];
/// 2.23.136.1.1.1, id-icao-mrtd-security-ldsSecurityObject.
pub(crate) const OID_LDS_SECURITY_OBJECT: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01, 0x01];
pub(crate) const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
pub(crate) const OID_SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
pub(crate) const OID_SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];

/// AlgorithmIdentifier of SHA-256, parameters absent (RFC 5754 §2).
const SHA256_ALGORITHM: &[u8] =
    &[0x30, 0x0B, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA384_ALGORITHM: &[u8] =
    &[0x30, 0x0B, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512_ALGORITHM: &[u8] =
    &[0x30, 0x0B, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
/// AlgorithmIdentifier of ecdsa-with-SHA256, parameters absent (RFC 5754 §3.3).
pub const ECDSA_SHA256_ALGORITHM: &[u8] =
    &[0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];

const CERTIFICATES: Tag = Tag(0xA0);
const EXPLICIT_0: Tag = Tag(0xA0);
const EF_SOD_TAG: Tag = Tag(0x77);

/// AlgorithmIdentifier of ecdsa-with-SHA384, parameters absent (RFC 5754 §3.3).
pub const ECDSA_SHA384_ALGORITHM: &[u8] =
    &[0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03];
/// AlgorithmIdentifier of ecdsa-with-SHA512, parameters absent (RFC 5754 §3.3).
pub const ECDSA_SHA512_ALGORITHM: &[u8] =
    &[0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04];

/// The attribute contentType with the value ldsSecurityObject (RFC 5652 §11.1).
const CONTENT_TYPE_ATTRIBUTE: &[u8] = b"\x30\x15\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x09\x03\
    \x31\x08\x06\x06\x67\x81\x08\x01\x01\x01";

/// The Logical Data Structure's version that a security object follows (Doc 9303-10, LDSSecurityObject).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LdsVersion {
    /// LDS 1.7: version 0, and the version stands in EF.COM only, which nobody signs.
    #[default]
    V1_7,
    /// LDS 1.8: version 1, with the versions of LDS and Unicode under the signature.
    V1_8,
}

impl LdsVersion {
    /// As EF.COM and ldsVersionInfo write it.
    pub fn digits(self) -> &'static str {
        match self {
            LdsVersion::V1_7 => "0107",
            LdsVersion::V1_8 => "0108",
        }
    }
}

/// The hash under which a data group's raw bytes stand in the security object.
pub fn hash(file: &[u8]) -> [u8; 32] {
    Sha256::digest(file).into()
}

/// What stays the same for all cards of one document signer.
#[derive(Debug, Clone)]
pub struct SodTemplate {
    /// `certificates [0]`, with the document signer's certificate.
    certificates: Vec<u8>,
    /// Issuer and serial number of that certificate.
    issuer_and_serial: Vec<u8>,
    digest: DigestAlgorithm,
    signature_algorithm: Vec<u8>,
    version: LdsVersion,
}

impl SodTemplate {
    /// `certificate` is the document signer's, in DER. Until told otherwise, the template is for
    /// ecdsa-with-SHA256 and LDS 1.7.
    pub fn new(certificate: &[u8]) -> Result<SodTemplate, CardError> {
        let (issuer, serial) = issuer_and_serial(certificate)
            .map_err(|_| CardError::SignerCertificate { problem: "it is not an X.509 certificate in DER" })?;
        Ok(SodTemplate {
            certificates: tlv::encode(CERTIFICATES, &[certificate]),
            issuer_and_serial: tlv::encode(Tag::SEQUENCE, &[issuer, serial]),
            digest: DigestAlgorithm::Sha256,
            signature_algorithm: ECDSA_SHA256_ALGORITHM.to_vec(),
            version: LdsVersion::default(),
        })
    }

    /// For a signer of another kind: the digest of the signed attributes and the AlgorithmIdentifier, in DER,
    /// of the signature over them. Data groups are hashed with SHA-256 whatever the signer.
    pub fn signed_with(self, digest: DigestAlgorithm, signature_algorithm: &[u8]) -> SodTemplate {
        SodTemplate { digest, signature_algorithm: signature_algorithm.to_vec(), ..self }
    }

    /// For another version of the Logical Data Structure; EF.COM must say the same
    /// ([`crate::lds::com::encode_version`]).
    pub fn lds_version(self, version: LdsVersion) -> SodTemplate {
        SodTemplate { version, ..self }
    }

    /// The security object over these hashes. Groups may come in any order and are written in ascending
    /// order.
    pub fn prepare(&self, hashes: &[(DataGroup, [u8; 32])]) -> Result<PreparedSod<'_>, CardError> {
        let mut hashes = hashes.to_vec();
        hashes.sort_unstable_by_key(|(group, _)| *group);
        // Doc 9303-10, LDSSecurityObject: SIZE (2..ub-DataGroups).
        if hashes.len() < 2 || hashes.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            let problem = "needs at least two data groups, each once";
            return Err(CardError::File { file: crate::lds::EF_SOD, offset: 0, problem });
        }
        let content = lds_security_object(&hashes, self.version);
        let attributes = signed_attributes(&self.digest.hash(&content));
        Ok(PreparedSod { template: self, content, attributes })
    }
}

/// A security object that lacks only its signature.
#[derive(Debug)]
pub struct PreparedSod<'t> {
    template: &'t SodTemplate,
    content: Vec<u8>,
    attributes: Vec<u8>,
}

impl PreparedSod<'_> {
    /// The message to sign with the template's algorithm: the signed attributes in DER.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.attributes
    }

    /// EF.SOD. `signature` is, for ECDSA, an ECDSA-Sig-Value in DER; whether it is right is not checked here.
    pub fn assemble(self, signature: &[u8]) -> Vec<u8> {
        let SodTemplate { issuer_and_serial, digest, signature_algorithm, .. } = self.template;
        let octets_len = tlv::encoded_len(Tag::OCTET_STRING, self.content.len());
        let wrapped_len = tlv::encoded_len(EXPLICIT_0, octets_len);
        let encap_len = OID_LDS_SECURITY_OBJECT.len() + 2 + wrapped_len;
        let signer_len = 3
            + issuer_and_serial.len()
            + digest.algorithm().len()
            + self.attributes.len()
            + signature_algorithm.len()
            + tlv::encoded_len(Tag::OCTET_STRING, signature.len());
        let signers_len = tlv::encoded_len(Tag::SEQUENCE, signer_len);
        let signed_data_len = 3
            + 2
            + digest.algorithm().len()
            + tlv::encoded_len(Tag::SEQUENCE, encap_len)
            + self.template.certificates.len()
            + tlv::encoded_len(Tag::SET, signers_len);
        let explicit_len = tlv::encoded_len(Tag::SEQUENCE, signed_data_len);
        let content_info_len = 2 + OID_SIGNED_DATA.len() + tlv::encoded_len(EXPLICIT_0, explicit_len);
        let file_len = tlv::encoded_len(Tag::SEQUENCE, content_info_len);

        let mut out = Vec::with_capacity(tlv::encoded_len(EF_SOD_TAG, file_len));
        tlv::put_header(&mut out, EF_SOD_TAG, file_len);
        tlv::put_header(&mut out, Tag::SEQUENCE, content_info_len);
        put(&mut out, Tag::OID, OID_SIGNED_DATA);
        tlv::put_header(&mut out, EXPLICIT_0, explicit_len);
        tlv::put_header(&mut out, Tag::SEQUENCE, signed_data_len);
        // Version 3, because the content is not plain data (RFC 5652 §5.1).
        out.extend_from_slice(&[0x02, 0x01, 0x03]);
        put(&mut out, Tag::SET, digest.algorithm());
        tlv::put_header(&mut out, Tag::SEQUENCE, encap_len);
        put(&mut out, Tag::OID, OID_LDS_SECURITY_OBJECT);
        tlv::put_header(&mut out, EXPLICIT_0, octets_len);
        put(&mut out, Tag::OCTET_STRING, &self.content);
        out.extend_from_slice(&self.template.certificates);
        tlv::put_header(&mut out, Tag::SET, signers_len);
        tlv::put_header(&mut out, Tag::SEQUENCE, signer_len);
        // SignerInfo version 1 goes with issuer and serial number (RFC 5652 §5.3).
        out.extend_from_slice(&[0x02, 0x01, 0x01]);
        out.extend_from_slice(issuer_and_serial);
        out.extend_from_slice(digest.algorithm());
        // In the SignerInfo the attributes are [0] IMPLICIT instead of the SET that was signed.
        out.push(0xA0);
        out.extend_from_slice(&self.attributes[1..]);
        out.extend_from_slice(signature_algorithm);
        put(&mut out, Tag::OCTET_STRING, signature);
        out
    }
}

/// SignedAttributes with contentType and messageDigest, as the SET that is signed (RFC 5652 §5.4). The order
/// is the DER order of the SET: the shorter attribute first.
fn signed_attributes(digest: &[u8]) -> Vec<u8> {
    let value = tlv::encode(Tag::SET, &[&tlv::encode(Tag::OCTET_STRING, &[digest])]);
    let message_digest = tlv::encode(Tag::SEQUENCE, &[&tlv::encode(Tag::OID, &[OID_MESSAGE_DIGEST]), &value]);
    tlv::encode(Tag::SET, &[CONTENT_TYPE_ATTRIBUTE, &message_digest])
}

/// LDSSecurityObject ::= SEQUENCE { version, hashAlgorithm, dataGroupHashValues, ldsVersionInfo OPTIONAL }
/// (Doc 9303-10).
fn lds_security_object(hashes: &[(DataGroup, [u8; 32])], version: LdsVersion) -> Vec<u8> {
    let mut values = Vec::with_capacity(hashes.len() * 39);
    for (group, hash) in hashes {
        values.extend_from_slice(&[0x30, 0x25, 0x02, 0x01, group.number(), 0x04, 0x20]);
        values.extend_from_slice(hash);
    }
    let info = match version {
        LdsVersion::V1_7 => Vec::new(),
        LdsVersion::V1_8 => {
            let text = |digits: &str| tlv::encode(Tag::PRINTABLE_STRING, &[digits.as_bytes()]);
            tlv::encode(Tag::SEQUENCE, &[&text(version.digits()), &text("040000")])
        }
    };
    let number = [0x02, 0x01, u8::from(version == LdsVersion::V1_8)];
    let values = tlv::encode(Tag::SEQUENCE, &[&values]);
    tlv::encode(Tag::SEQUENCE, &[&number, SHA256_ALGORITHM, &values, &info])
}

/// Raw issuer Name and raw serial INTEGER of a certificate (RFC 5280 §4.1).
pub(crate) fn issuer_and_serial(certificate: &[u8]) -> Result<(&[u8], &[u8]), CardError> {
    let outer = tlv::single(certificate, Tag::SEQUENCE, "certificate (SEQUENCE) expected")?;
    let tbs = outer.children()?.expect(Tag::SEQUENCE, "TBSCertificate (SEQUENCE) expected")?;
    let mut reader: Reader<'_> = tbs.children()?;
    reader.optional(Tag(0xA0))?;
    let serial = reader.expect(Tag::INTEGER, "serial number (INTEGER) expected")?;
    reader.expect(Tag::SEQUENCE, "signature algorithm (SEQUENCE) expected")?;
    let issuer = reader.expect(Tag::SEQUENCE, "issuer (SEQUENCE) expected")?;
    Ok((issuer.raw, serial.raw))
}

fn put(out: &mut Vec<u8>, tag: Tag, value: &[u8]) {
    tlv::put_header(out, tag, value.len());
    out.extend_from_slice(value);
}
