use std::collections::BTreeMap;

use sha2::{Digest, Sha256, Sha384, Sha512};
use time::OffsetDateTime;

use super::*;

/// The hash algorithms that Doc 9303-12 allows for new documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl DigestAlgorithm {
    /// The digest with which EF.SOD names the contents of data groups.
    pub fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            DigestAlgorithm::Sha256 => Sha256::digest(data).to_vec(),
            DigestAlgorithm::Sha384 => Sha384::digest(data).to_vec(),
            DigestAlgorithm::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    /// AlgorithmIdentifier, parameters absent (RFC 5754 §2).
    pub(super) fn algorithm(self) -> &'static [u8] {
        match self {
            DigestAlgorithm::Sha256 => SHA256_ALGORITHM,
            DigestAlgorithm::Sha384 => SHA384_ALGORITHM,
            DigestAlgorithm::Sha512 => SHA512_ALGORITHM,
        }
    }

    fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            OID_SHA256 => Some(DigestAlgorithm::Sha256),
            OID_SHA384 => Some(DigestAlgorithm::Sha384),
            OID_SHA512 => Some(DigestAlgorithm::Sha512),
            _ => None,
        }
    }
}

/// A parsed EF.SOD with one signer. Nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sod {
    content: Vec<u8>,
    content_digest: DigestAlgorithm,
    hashes: BTreeMap<DataGroup, Vec<u8>>,
    lds_version: Option<String>,
    certificates: Vec<Vec<u8>>,
    signer_issuer: Vec<u8>,
    signer_serial: Vec<u8>,
    signer_digest: DigestAlgorithm,
    signed_attributes: Vec<u8>,
    message_digest: Vec<u8>,
    signing_time: Option<OffsetDateTime>,
    signature_algorithm: Vec<u8>,
    signature: Vec<u8>,
}

impl Sod {
    /// Reads the file as a chip sends it; no signature is checked here.
    ///
    /// # Errors
    ///
    /// When the CMS structure is not that of Doc 9303-10, or names algorithms that we do not know.
    pub fn parse(file: &[u8]) -> Result<Sod, CardError> {
        let outer = tlv::single(file, EF_SOD_TAG, "EF.SOD must be one object with tag 77")?;
        let mut reader = outer.children()?;
        let content_info = reader.expect(Tag::SEQUENCE, "ContentInfo (SEQUENCE) expected")?;
        reader.finish()?;
        let mut reader = content_info.children()?;
        expect_oid(&mut reader, OID_SIGNED_DATA, "content type signedData expected")?;
        let explicit = reader.expect(EXPLICIT_0, "content [0] expected")?;
        reader.finish()?;
        let mut reader = explicit.children()?;
        let signed_data = reader.expect(Tag::SEQUENCE, "SignedData (SEQUENCE) expected")?;
        reader.finish()?;

        let mut reader = signed_data.children()?;
        let version = reader.expect(Tag::INTEGER, "SignedData version expected")?;
        // Doc 9303-10, EF.SOD: v3, which is what RFC 5652 §5.1 asks for with this content.
        if version.value != [3] {
            return Err(error(version.offset, "SignedData version must be 3"));
        }
        let digests = reader.expect(Tag::SET, "digestAlgorithms (SET) expected")?;
        let encap = reader.expect(Tag::SEQUENCE, "encapContentInfo (SEQUENCE) expected")?;
        let certificates = reader.expect(CERTIFICATES, "the document signer's certificate is missing")?;
        reader.optional(Tag(0xA1))?;
        let signers = reader.expect(Tag::SET, "signerInfos (SET) expected")?;
        reader.finish()?;

        let content = encapsulated(&encap)?;
        let SecurityObject { digest: content_digest, hashes, lds_version } = parse_security_object(content)?;
        let signer = SignerInfo::parse(&signers)?;
        if !announced(&digests)?.contains(&signer.digest) {
            return Err(error(digests.offset, "digestAlgorithms does not name the signer's algorithm"));
        }
        Ok(Sod {
            content: content.value.to_vec(),
            content_digest,
            hashes,
            lds_version,
            certificates: children_raw(&certificates)?,
            signer_issuer: signer.issuer.to_vec(),
            signer_serial: signer.serial.to_vec(),
            signer_digest: signer.digest,
            message_digest: signer.message_digest.to_vec(),
            signing_time: signer.signing_time,
            signed_attributes: tlv::encode(Tag::SET, &[signer.signed_attributes]),
            signature_algorithm: signer.signature_algorithm.to_vec(),
            signature: signer.signature.to_vec(),
        })
    }

    /// The hashes by data group, as the security object states them.
    pub fn hashes(&self) -> &BTreeMap<DataGroup, Vec<u8>> {
        &self.hashes
    }

    /// The version of the Logical Data Structure that was signed, such as `0108`; `None` before LDS 1.8.
    pub fn lds_version(&self) -> Option<&str> {
        self.lds_version.as_deref()
    }

    /// The algorithm of [`Sod::hashes`].
    pub fn hash_algorithm(&self) -> DigestAlgorithm {
        self.content_digest
    }

    /// The embedded certificate that the signer names by issuer and serial number, in DER.
    pub fn signer_certificate(&self) -> Option<&[u8]> {
        self.certificates.iter().map(Vec::as_slice).find(|certificate| {
            issuer_and_serial(certificate)
                .is_ok_and(|(issuer, serial)| issuer == self.signer_issuer && serial == self.signer_serial)
        })
    }

    /// Whether the signed messageDigest attribute is the digest of the security object.
    pub fn content_is_what_was_signed(&self) -> bool {
        self.signer_digest.hash(&self.content) == self.message_digest
    }

    /// When the signer says that it signed, if it says so. The signature covers it.
    pub fn signing_time(&self) -> Option<OffsetDateTime> {
        self.signing_time
    }

    /// The message under the signature: the signed attributes as a SET.
    pub fn signed_message(&self) -> &[u8] {
        &self.signed_attributes
    }

    /// AlgorithmIdentifier in DER, as the SignerInfo states it. A verifier goes by this one, not by the
    /// certificate's.
    pub fn signature_algorithm(&self) -> &[u8] {
        &self.signature_algorithm
    }

    /// The signer's bytes over the signed attributes, in the form of its algorithm.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whether `file` is the data group that was signed; `None` if the object has no hash for the group.
    pub fn matches(&self, group: DataGroup, file: &[u8]) -> Option<bool> {
        self.hashes.get(&group).map(|hash| *hash == self.content_digest.hash(file))
    }
}

struct SignerInfo<'a> {
    issuer: &'a [u8],
    serial: &'a [u8],
    digest: DigestAlgorithm,
    /// Content of the [0], without tag and length.
    signed_attributes: &'a [u8],
    message_digest: &'a [u8],
    signing_time: Option<OffsetDateTime>,
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> SignerInfo<'a> {
    fn parse(signers: &tlv::Tlv<'a>) -> Result<Self, CardError> {
        let mut reader = signers.children()?;
        let signer = reader.expect(Tag::SEQUENCE, "SignerInfo (SEQUENCE) expected")?;
        // A citizen card has one signer; a second one would be signed by somebody else.
        reader.finish()?;
        let mut reader = signer.children()?;
        let version = reader.expect(Tag::INTEGER, "SignerInfo version expected")?;
        // RFC 5652 §5.3: version 1 goes with issuer and serial number.
        if version.value != [1] {
            return Err(error(version.offset, "SignerInfo version must be 1"));
        }
        let sid = reader.expect(Tag::SEQUENCE, "the signer must be named by issuer and serial number")?;
        let digest = digest_algorithm(&mut reader)?;
        let attributes = reader.expect(EXPLICIT_0, "signed attributes [0] expected")?;
        let algorithm = reader.expect(Tag::SEQUENCE, "signature algorithm expected")?;
        let signature = reader.expect(Tag::OCTET_STRING, "signature (OCTET STRING) expected")?;
        reader.optional(Tag(0xA1))?;
        reader.finish()?;

        let mut reader = sid.children()?;
        let issuer = reader.expect(Tag::SEQUENCE, "issuer expected")?;
        let serial = reader.expect(Tag::INTEGER, "serial number expected")?;
        reader.finish()?;

        let (mut content_type, mut message_digest, mut signing_time) = (None, None, None);
        let mut reader = attributes.children()?;
        while !reader.is_empty() {
            let attribute = reader.expect(Tag::SEQUENCE, "attribute (SEQUENCE) expected")?;
            let mut parts = attribute.children()?;
            let oid = parts.expect(Tag::OID, "attribute type expected")?;
            let values = parts.expect(Tag::SET, "attribute values (SET) expected")?;
            parts.finish()?;
            let slot = match oid.value {
                OID_CONTENT_TYPE => &mut content_type,
                OID_MESSAGE_DIGEST => &mut message_digest,
                OID_SIGNING_TIME => &mut signing_time,
                _ => continue,
            };
            let mut values = values.children()?;
            let value = values.read()?;
            values.finish()?;
            if slot.is_some() || value.is_none() {
                let problem = "contentType, messageDigest and signingTime must have one value and occur once";
                return Err(error(attribute.offset, problem));
            }
            *slot = value;
        }
        let value = |slot: Option<tlv::Tlv<'a>>, tag, problem| {
            slot.filter(|v| v.tag == tag).map(|v| v.value).ok_or_else(|| error(attributes.offset, problem))
        };
        let content_type = value(content_type, Tag::OID, "signed attribute contentType is missing")?;
        if content_type != OID_LDS_SECURITY_OBJECT {
            return Err(error(attributes.offset, "signed contentType is not ldsSecurityObject"));
        }
        Ok(SignerInfo {
            issuer: issuer.raw,
            serial: serial.raw,
            digest,
            signed_attributes: attributes.value,
            message_digest: value(
                message_digest,
                Tag::OCTET_STRING,
                "signed attribute messageDigest is missing",
            )?,
            signing_time: signing_time.as_ref().map(signing_time::read).transpose()?,
            signature_algorithm: algorithm.raw,
            signature: signature.value,
        })
    }
}

fn announced(digests: &tlv::Tlv<'_>) -> Result<Vec<DigestAlgorithm>, CardError> {
    let mut reader = digests.children()?;
    let mut all = Vec::new();
    while !reader.is_empty() {
        all.push(digest_algorithm(&mut reader)?);
    }
    Ok(all)
}

fn encapsulated<'a>(encap: &tlv::Tlv<'a>) -> Result<tlv::Tlv<'a>, CardError> {
    let mut reader = encap.children()?;
    expect_oid(&mut reader, OID_LDS_SECURITY_OBJECT, "content type ldsSecurityObject expected")?;
    let explicit = reader.expect(EXPLICIT_0, "security object [0] expected")?;
    reader.finish()?;
    let mut reader = explicit.children()?;
    let octets = reader.expect(Tag::OCTET_STRING, "security object (OCTET STRING) expected")?;
    reader.finish()?;
    Ok(octets)
}

struct SecurityObject {
    digest: DigestAlgorithm,
    hashes: BTreeMap<DataGroup, Vec<u8>>,
    lds_version: Option<String>,
}

fn parse_security_object(octets: tlv::Tlv<'_>) -> Result<SecurityObject, CardError> {
    let mut reader = octets.children()?;
    let object = reader.expect(Tag::SEQUENCE, "LDSSecurityObject (SEQUENCE) expected")?;
    reader.finish()?;
    let mut reader = object.children()?;
    let version = reader.expect(Tag::INTEGER, "LDSSecurityObject version expected")?;
    if !matches!(version.value, [0] | [1]) {
        return Err(error(version.offset, "LDSSecurityObject version must be 0 or 1"));
    }
    let digest = digest_algorithm(&mut reader)?;
    let list = reader.expect(Tag::SEQUENCE, "dataGroupHashValues (SEQUENCE) expected")?;
    let mut lds_version = None;
    if version.value == [1] {
        let info = reader.expect(Tag::SEQUENCE, "ldsVersionInfo (SEQUENCE) expected in version 1")?;
        let mut parts = info.children()?;
        let lds = parts.expect(Tag::PRINTABLE_STRING, "LDS version (PrintableString) expected")?;
        parts.expect(Tag::PRINTABLE_STRING, "Unicode version (PrintableString) expected")?;
        parts.finish()?;
        if lds.value.len() != 4 || !lds.value.iter().all(u8::is_ascii_digit) {
            return Err(error(lds.value_offset(), "the LDS version must have four digits"));
        }
        lds_version = Some(lds.value.iter().copied().map(char::from).collect());
    }
    reader.finish()?;

    let mut hashes = BTreeMap::new();
    let mut reader = list.children()?;
    while !reader.is_empty() {
        let entry = reader.expect(Tag::SEQUENCE, "data group hash (SEQUENCE) expected")?;
        let mut parts = entry.children()?;
        let number = parts.expect(Tag::INTEGER, "data group number expected")?;
        let hash = parts.expect(Tag::OCTET_STRING, "hash (OCTET STRING) expected")?;
        parts.finish()?;
        let group = match number.value {
            &[number] => DataGroup::from_number(number),
            _ => None,
        };
        let group =
            group.ok_or_else(|| error(number.offset, "data group number must lie between 1 and 16"))?;
        if hashes.insert(group, hash.value.to_vec()).is_some() {
            return Err(error(entry.offset, "data group listed twice"));
        }
    }
    Ok(SecurityObject { digest, hashes, lds_version })
}

fn digest_algorithm(reader: &mut Reader<'_>) -> Result<DigestAlgorithm, CardError> {
    let algorithm = reader.expect(Tag::SEQUENCE, "digest algorithm (SEQUENCE) expected")?;
    let mut parts = algorithm.children()?;
    let oid = parts.expect(Tag::OID, "digest algorithm identifier expected")?;
    // RFC 5754 §2: parameters absent; NULL must be accepted too.
    parts.optional(Tag(0x05))?;
    parts.finish()?;
    DigestAlgorithm::from_oid(oid.value)
        .ok_or_else(|| error(oid.offset, "digest algorithm must be SHA-256, SHA-384 or SHA-512"))
}

fn expect_oid(reader: &mut Reader<'_>, oid: &[u8], problem: &'static str) -> Result<(), CardError> {
    let found = reader.expect(Tag::OID, problem)?;
    if found.value == oid { Ok(()) } else { Err(error(found.offset, problem)) }
}

fn children_raw(parent: &tlv::Tlv<'_>) -> Result<Vec<Vec<u8>>, CardError> {
    let mut reader = parent.children()?;
    let mut all = Vec::new();
    while let Some(child) = reader.read()? {
        all.push(child.raw.to_vec());
    }
    Ok(all)
}

pub(super) fn error(offset: usize, problem: &'static str) -> CardError {
    CardError::File { file: crate::lds::EF_SOD, offset, problem }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The skeleton of a certificate: version, serial number, algorithm and issuer are all that is read here.
    fn certificate(serial: u8) -> Vec<u8> {
        let seq = |parts: &[&[u8]]| tlv::encode(Tag::SEQUENCE, parts);
        let tbs = seq(&[&[0xA0, 3, 2, 1, 2], &[2, 1, serial], &seq(&[]), &seq(&[b"\x31\x00"])]);
        seq(&[&tbs, &seq(&[]), &[3, 1, 0]])
    }

    fn hashes() -> Vec<(DataGroup, [u8; 32])> {
        vec![
            (DataGroup::DG13, hash(b"thirteen")),
            (DataGroup::DG1, hash(b"one")),
            (DataGroup::DG2, hash(b"two")),
        ]
    }

    fn build(signature: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let template = SodTemplate::new(&certificate(7)).unwrap();
        let prepared = template.prepare(&hashes()).unwrap();
        let message = prepared.to_be_signed().to_vec();
        (prepared.assemble(signature), message)
    }

    #[test]
    fn everything_that_was_put_in_comes_out() {
        let (file, message) = build(b"signature");
        let sod = Sod::parse(&file).unwrap();
        assert_eq!(sod.signed_message(), message);
        assert_eq!(sod.signature(), b"signature");
        assert_eq!(sod.signature_algorithm(), ECDSA_SHA256_ALGORITHM);
        assert_eq!(sod.signer_certificate(), Some(&certificate(7)[..]));
        assert!(sod.content_is_what_was_signed());
        let groups: Vec<u8> = sod.hashes().keys().map(|group| group.number()).collect();
        assert_eq!(groups, [1, 2, 13]);
        assert_eq!(sod.matches(DataGroup::DG13, b"thirteen"), Some(true));
        assert_eq!(sod.matches(DataGroup::DG13, b"other"), Some(false));
        assert_eq!(sod.matches(DataGroup::DG15, b""), None);
    }

    #[test]
    fn lds_1_8_signs_its_version_and_other_digests_stand() {
        for (digest, algorithm) in [
            (DigestAlgorithm::Sha256, ECDSA_SHA256_ALGORITHM),
            (DigestAlgorithm::Sha384, ECDSA_SHA384_ALGORITHM),
            (DigestAlgorithm::Sha512, ECDSA_SHA512_ALGORITHM),
        ] {
            let template = SodTemplate::new(&certificate(7)).unwrap();
            let template = template.signed_with(digest, algorithm).lds_version(LdsVersion::V1_8);
            let prepared = template.prepare(&hashes()).unwrap();
            let message = prepared.to_be_signed().to_vec();
            let sod = Sod::parse(&prepared.assemble(b"signature")).unwrap();
            assert_eq!((sod.signed_message(), sod.lds_version()), (&message[..], Some("0108")));
            assert_eq!(sod.signature_algorithm(), algorithm);
            assert!(sod.content_is_what_was_signed());
        }
        assert_eq!(Sod::parse(&build(b"signature").0).unwrap().lds_version(), None);
    }

    #[test]
    fn a_changed_hash_is_not_what_was_signed() {
        let (mut file, _) = build(b"signature");
        let at = file.windows(32).position(|w| w == hash(b"one")).unwrap();
        file[at] ^= 1;
        assert!(!Sod::parse(&file).unwrap().content_is_what_was_signed());
    }

    #[test]
    fn another_signer_is_not_taken_for_the_named_one() {
        let (mut file, _) = build(b"signature");
        let named = file.windows(3).rposition(|w| w == [2, 1, 7]).unwrap();
        file[named + 2] = 8;
        assert_eq!(Sod::parse(&file).unwrap().signer_certificate(), None);
    }

    #[test]
    fn one_group_or_a_repeated_one_cannot_be_prepared() {
        let template = SodTemplate::new(&certificate(7)).unwrap();
        assert!(template.prepare(&hashes()[..1]).is_err());
        assert!(template.prepare(&[hashes(), hashes()].concat()).is_err());
        assert!(SodTemplate::new(b"not a certificate").is_err());
    }

    proptest! {
        #[test]
        fn any_signature_length_keeps_all_lengths_right(
            signature in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let (file, _) = build(&signature);
            let sod = Sod::parse(&file).unwrap();
            prop_assert_eq!(sod.signature(), signature);
        }

        #[test]
        fn damaged_files_never_panic(at in any::<usize>(), byte in any::<u8>(), cut in 0usize..500) {
            let (mut file, _) = build(&[0; 70]);
            let index = at % file.len();
            file[index] = byte;
            let _ = Sod::parse(&file);
            file.truncate(cut);
            let _ = Sod::parse(&file);
        }
    }
}
