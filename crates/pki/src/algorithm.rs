use der::asn1::ObjectIdentifier;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::{Curve, PkiError, PublicKey, read};

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// The hashes that Doc 9303-12 allows for new documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl HashAlgorithm {
    /// The digest of a whole message.
    pub fn hash(self, message: &[u8]) -> Vec<u8> {
        match self {
            HashAlgorithm::Sha256 => Sha256::digest(message).to_vec(),
            HashAlgorithm::Sha384 => Sha384::digest(message).to_vec(),
            HashAlgorithm::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    pub(crate) fn oid(self) -> ObjectIdentifier {
        match self {
            HashAlgorithm::Sha256 => SHA256,
            HashAlgorithm::Sha384 => SHA384,
            HashAlgorithm::Sha512 => SHA512,
        }
    }

    pub(crate) fn from_oid(oid: &[u8]) -> Option<HashAlgorithm> {
        [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512]
            .into_iter()
            .find(|hash| hash.oid().as_bytes() == oid)
    }

    fn len(self) -> u8 {
        match self {
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha384 => 48,
            HashAlgorithm::Sha512 => 64,
        }
    }
}

/// In which our own keys sign: a scheme together with the curve of the key. Signatures are ECDSA-Sig-Value in
/// DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// ECDSA on NIST P-256 with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA on brainpoolP256r1 with SHA-256.
    EcdsaBrainpoolP256r1Sha256,
    /// ECDSA on NIST P-384 with SHA-384.
    EcdsaP384Sha384,
}

impl SignatureAlgorithm {
    /// The algorithms that a key of ours may have.
    pub const ALL: [SignatureAlgorithm; 3] = [
        SignatureAlgorithm::EcdsaP256Sha256,
        SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256,
        SignatureAlgorithm::EcdsaP384Sha384,
    ];

    /// The curve of the key.
    pub fn curve(self) -> Curve {
        match self {
            SignatureAlgorithm::EcdsaP256Sha256 => Curve::P256,
            SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256 => Curve::BrainpoolP256r1,
            SignatureAlgorithm::EcdsaP384Sha384 => Curve::P384,
        }
    }

    /// The hash that goes with the curve: as long as its order (Doc 9303-12, ECDSA).
    pub fn hash(self) -> HashAlgorithm {
        match self {
            SignatureAlgorithm::EcdsaP256Sha256 | SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256 => {
                HashAlgorithm::Sha256
            }
            SignatureAlgorithm::EcdsaP384Sha384 => HashAlgorithm::Sha384,
        }
    }

    /// In which a key of this kind signs.
    pub fn of_key(key: &PublicKey) -> Option<SignatureAlgorithm> {
        let PublicKey::Ec { curve, .. } = key else { return None };
        Self::ALL.into_iter().find(|algorithm| algorithm.curve() == *curve)
    }

    /// AlgorithmIdentifier in DER, parameters absent (RFC 5758 §3.2).
    pub fn identifier(self) -> &'static [u8] {
        match self.hash() {
            HashAlgorithm::Sha256 => b"\x30\x0A\x06\x08\x2A\x86\x48\xCE\x3D\x04\x03\x02",
            HashAlgorithm::Sha384 => b"\x30\x0A\x06\x08\x2A\x86\x48\xCE\x3D\x04\x03\x03",
            HashAlgorithm::Sha512 => b"\x30\x0A\x06\x08\x2A\x86\x48\xCE\x3D\x04\x03\x04",
        }
    }

    /// How a signature of this algorithm names itself.
    pub fn scheme(self) -> SignatureScheme {
        SignatureScheme::Ecdsa(self.hash())
    }
}

/// How a signature is to be verified, as its AlgorithmIdentifier says. The curve is the key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureScheme {
    Ecdsa(HashAlgorithm),
    /// RSASSA-PKCS1-v1_5; for verification only.
    RsaPkcs1(HashAlgorithm),
    /// RSASSA-PSS with MGF1 over the same hash and a salt as long as it; for verification only.
    RsaPss(HashAlgorithm),
}

impl SignatureScheme {
    /// Reads an AlgorithmIdentifier in DER.
    pub fn from_identifier(der: &[u8]) -> Result<SignatureScheme, PkiError> {
        let mut outer = read::Reader::new(der, "the signature's algorithm identifier");
        let mut identifier = outer.expect(0x30, "AlgorithmIdentifier (SEQUENCE)")?.children();
        outer.finish()?;
        let oid = identifier.expect(0x06, "algorithm")?;
        if oid.value == RSASSA_PSS.as_bytes() {
            let parameters = identifier.expect(0x30, "RSASSA-PSS-params (SEQUENCE)")?;
            identifier.finish()?;
            return pss(&parameters);
        }
        // RFC 5758 §3.2 has no parameters with ECDSA; RFC 4055 §5 has NULL with RSA. Either is accepted for
        // either.
        identifier.optional(0x05)?;
        identifier.finish()?;
        use HashAlgorithm::{Sha256, Sha384, Sha512};
        let known = [
            (ECDSA_WITH_SHA256, SignatureScheme::Ecdsa(Sha256)),
            (ECDSA_WITH_SHA384, SignatureScheme::Ecdsa(Sha384)),
            (ECDSA_WITH_SHA512, SignatureScheme::Ecdsa(Sha512)),
            (SHA256_WITH_RSA, SignatureScheme::RsaPkcs1(Sha256)),
            (SHA384_WITH_RSA, SignatureScheme::RsaPkcs1(Sha384)),
            (SHA512_WITH_RSA, SignatureScheme::RsaPkcs1(Sha512)),
        ];
        let found = known.into_iter().find(|(known, _)| known.as_bytes() == oid.value);
        found.map(|(_, scheme)| scheme).ok_or_else(|| {
            let oid =
                ObjectIdentifier::from_bytes(oid.value).map_or("unreadable".to_owned(), |o| o.to_string());
            PkiError::UnsupportedAlgorithm { oid }
        })
    }
}

/// RSASSA-PSS-params (RFC 4055 §3.1). Its defaults mean SHA-1, so hash and mask generation must be stated.
fn pss(parameters: &read::Element<'_>) -> Result<SignatureScheme, PkiError> {
    let mut fields = parameters.children();
    let stated = |found: Option<read::Element<'_>>| {
        let Some(explicit) = found else {
            return Err(parameters.error("SHA-1 by default, which is not accepted"));
        };
        let mut inner = explicit.children();
        let mut identifier = inner.expect(0x30, "AlgorithmIdentifier (SEQUENCE)")?.children();
        let oid = identifier.expect(0x06, "algorithm")?.value.to_vec();
        let rest = identifier.optional(0x30)?.map(|e| e.raw.to_vec());
        Ok((oid, rest))
    };
    let (hash, _) = stated(fields.optional(0xA0)?)?;
    let hash = HashAlgorithm::from_oid(&hash)
        .ok_or_else(|| parameters.error("the hash must be SHA-256, SHA-384 or SHA-512"))?;
    let (mask, mask_hash) = stated(fields.optional(0xA1)?)?;
    let mask_hash = mask_hash.as_deref().map(|raw| {
        let mut outer = read::Reader::new(raw, "the mask generation's hash");
        let identifier = outer.expect(0x30, "AlgorithmIdentifier (SEQUENCE)")?;
        Ok::<_, PkiError>(identifier.children().expect(0x06, "algorithm")?.value.to_vec())
    });
    let same_hash = matches!(&mask_hash, Some(Ok(oid)) if *oid == hash.oid().as_bytes());
    if mask != MGF1.as_bytes() || !same_hash {
        return Err(parameters.error("the mask generation must be MGF1 over the same hash (RFC 4055 §3.1)"));
    }
    let salt = match fields.optional(0xA2)? {
        Some(explicit) => explicit.children().expect(0x02, "saltLength")?.value.to_vec(),
        None => vec![20],
    };
    if salt != [hash.len()] {
        return Err(parameters.error("the salt must be as long as the hash (RFC 4055 §3.1)"));
    }
    fields.optional(0xA3)?;
    fields.finish()?;
    Ok(SignatureScheme::RsaPss(hash))
}

/// A private key that can be used and not seen. Implementations live in `hsm`.
pub trait Signer: Send + Sync {
    fn algorithm(&self) -> SignatureAlgorithm;

    /// SubjectPublicKeyInfo in DER, the curve by name.
    fn public_key(&self) -> &[u8];

    /// Hashes and signs `message`; the signature's form follows from [`Signer::algorithm`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why a key store gave no signature.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    #[error("the key store is not reachable now; try again: {0}")]
    Unavailable(String),
    #[error("the key store refused to sign: {0}")]
    Refused(String),
}

/// Verifies `signature` over `message`. `public_key` is a SubjectPublicKeyInfo in DER, the curve named or
/// explicit.
pub fn verify_signature(
    scheme: SignatureScheme,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), PkiError> {
    PublicKey::from_spki(public_key)?.verify(scheme, message, signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_identifiers_are_read_back() {
        for algorithm in SignatureAlgorithm::ALL {
            let scheme = SignatureScheme::from_identifier(algorithm.identifier()).unwrap();
            assert_eq!(scheme, algorithm.scheme());
        }
    }

    #[test]
    fn pss_says_its_hash_or_is_refused() {
        // SHA-256, MGF1 with SHA-256, salt of 32 bytes.
        let good = b"\x30\x41\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0A\x30\x34\
            \xA0\x0F\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\
            \xA1\x1C\x30\x1A\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x08\
            \x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\xA2\x03\x02\x01\x20";
        assert_eq!(
            SignatureScheme::from_identifier(good).unwrap(),
            SignatureScheme::RsaPss(HashAlgorithm::Sha256)
        );
        let defaults = b"\x30\x0D\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0A\x30\x00";
        let refused = SignatureScheme::from_identifier(defaults).unwrap_err();
        assert!(refused.to_string().contains("SHA-1"), "{refused}");
        let mut other_salt = good.to_vec();
        *other_salt.last_mut().unwrap() = 20;
        assert!(SignatureScheme::from_identifier(&other_salt).is_err());
        let mut other_mask = good.to_vec();
        let at = other_mask.len() - 8;
        assert_eq!(other_mask[at], 1);
        other_mask[at] = 2;
        assert!(SignatureScheme::from_identifier(&other_mask).is_err());
    }
}
