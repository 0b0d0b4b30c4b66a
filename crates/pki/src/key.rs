//! Public keys, and the schemes in which signatures by them are verified.

use aws_lc_rs::signature::{self as fast, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use bp256::BrainpoolP256r1;
use bp384::BrainpoolP384r1;
use der::asn1::ObjectIdentifier;
use ecdsa::signature::hazmat::PrehashVerifier;

use crate::{Curve, HashAlgorithm, ParameterForm, PkiError, SignatureScheme, read, write};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const WHAT: &str = "the public key";

/// A public key, free of how its SubjectPublicKeyInfo spelt the curve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublicKey {
    /// An uncompressed point: 04, x, y.
    Ec { curve: Curve, point: Vec<u8> },
    /// RSAPublicKey in DER (RFC 8017 appendix A.1.1), for verification only.
    Rsa { key: Vec<u8> },
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER, with the curve by name or by parameters. Whether the point lies
    /// on the curve is checked when a signature is verified, and by [`PublicKey::check`].
    pub fn from_spki(spki: &[u8]) -> Result<PublicKey, PkiError> {
        Ok(Self::with_form(spki)?.0)
    }

    /// [`PublicKey::from_spki`], and how the curve was written.
    pub fn with_form(spki: &[u8]) -> Result<(PublicKey, ParameterForm), PkiError> {
        let mut outer = read::Reader::new(spki, WHAT);
        let mut info = outer.expect(0x30, "SubjectPublicKeyInfo (SEQUENCE)")?.children();
        outer.finish()?;
        let mut algorithm = info.expect(0x30, "algorithm (SEQUENCE)")?.children();
        let bits = info.expect(0x03, "subjectPublicKey (BIT STRING)")?;
        info.finish()?;
        let Some((0, key)) = bits.value.split_first() else {
            return Err(bits.error("the key must consist of whole bytes"));
        };
        let kind = algorithm.expect(0x06, "algorithm identifier")?;
        if [RSA_ENCRYPTION.as_bytes(), RSASSA_PSS.as_bytes()].contains(&kind.value) {
            return Ok((PublicKey::Rsa { key: key.to_vec() }, ParameterForm::Named));
        }
        if kind.value != EC_PUBLIC_KEY.as_bytes() {
            return Err(kind.error("neither an elliptic curve key nor an RSA key"));
        }
        let (curve, form) = match algorithm.optional(0x06)? {
            Some(name) => (
                Curve::from_oid(name.value)
                    .ok_or_else(|| name.error("a named curve that is not known here"))?,
                ParameterForm::Named,
            ),
            None => {
                let parameters = algorithm.expect(0x30, "a curve by name or by its parameters")?;
                (Curve::from_specified(parameters.raw)?, ParameterForm::Explicit)
            }
        };
        algorithm.finish()?;
        if key.len() != 1 + 2 * curve.field_len() || key[0] != 4 {
            return Err(
                bits.error("the point must be uncompressed and as long as its curve asks (Doc 9303-12)")
            );
        }
        Ok((PublicKey::Ec { curve, point: key.to_vec() }, form))
    }

    /// SubjectPublicKeyInfo in DER. RSA keys have one form only.
    pub fn to_spki(&self, form: ParameterForm) -> Vec<u8> {
        let (algorithm, key) = match self {
            PublicKey::Ec { curve, point } => {
                (write::sequence(&[&write::oid(EC_PUBLIC_KEY), &curve.parameters(form)]), point)
            }
            PublicKey::Rsa { key } => (write::sequence(&[&write::oid(RSA_ENCRYPTION), &[0x05, 0x00]]), key),
        };
        write::sequence(&[&algorithm, &write::bit_string(key)])
    }

    /// The bits of subjectPublicKey.
    pub(crate) fn bits(&self) -> &[u8] {
        match self {
            PublicKey::Ec { point, .. } => point,
            PublicKey::Rsa { key } => key,
        }
    }

    /// Whether the key can be one: the point lies on its curve.
    pub fn check(&self) -> Result<(), PkiError> {
        let malformed = |problem: &str| PkiError::Malformed { what: WHAT, problem: problem.to_owned() };
        let valid = match self {
            PublicKey::Ec { curve: Curve::P256, point } => {
                ParsedPublicKey::new(&fast::ECDSA_P256_SHA256_ASN1, point).is_ok()
            }
            PublicKey::Ec { curve: Curve::P384, point } => {
                ParsedPublicKey::new(&fast::ECDSA_P384_SHA384_ASN1, point).is_ok()
            }
            PublicKey::Ec { curve: Curve::BrainpoolP256r1, point } => {
                ecdsa::VerifyingKey::<BrainpoolP256r1>::from_sec1_bytes(point).is_ok()
            }
            PublicKey::Ec { curve: Curve::BrainpoolP384r1, point } => {
                ecdsa::VerifyingKey::<BrainpoolP384r1>::from_sec1_bytes(point).is_ok()
            }
            PublicKey::Rsa { key } => ParsedPublicKey::new(&fast::RSA_PKCS1_2048_8192_SHA256, key).is_ok(),
        };
        if valid {
            Ok(())
        } else {
            Err(malformed("it is no point of its curve, or no RSA key of 2048 to 8192 bits"))
        }
    }

    /// Verifies a signature over `message`. ECDSA signatures are ECDSA-Sig-Value in DER.
    pub fn verify(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> Result<(), PkiError> {
        match (self, scheme) {
            (PublicKey::Ec { curve, point }, SignatureScheme::Ecdsa(hash)) => match curve {
                Curve::P256 | Curve::P384 => {
                    with_fast(nist_algorithm(*curve, hash), point, message, signature)
                }
                Curve::BrainpoolP256r1 => {
                    let key = ecdsa::VerifyingKey::<BrainpoolP256r1>::from_sec1_bytes(point)
                        .map_err(|_| PkiError::BadSignature)?;
                    let signature = ecdsa::Signature::<BrainpoolP256r1>::from_der(signature)
                        .map_err(|_| PkiError::BadSignature)?;
                    key.verify_prehash(&hash.hash(message), &signature).map_err(|_| PkiError::BadSignature)
                }
                Curve::BrainpoolP384r1 => {
                    let key = ecdsa::VerifyingKey::<BrainpoolP384r1>::from_sec1_bytes(point)
                        .map_err(|_| PkiError::BadSignature)?;
                    let signature = ecdsa::Signature::<BrainpoolP384r1>::from_der(signature)
                        .map_err(|_| PkiError::BadSignature)?;
                    key.verify_prehash(&hash.hash(message), &signature).map_err(|_| PkiError::BadSignature)
                }
            },
            (PublicKey::Rsa { key }, SignatureScheme::RsaPkcs1(hash)) => {
                let algorithm: &'static dyn VerificationAlgorithm = match hash {
                    HashAlgorithm::Sha256 => &fast::RSA_PKCS1_2048_8192_SHA256,
                    HashAlgorithm::Sha384 => &fast::RSA_PKCS1_2048_8192_SHA384,
                    HashAlgorithm::Sha512 => &fast::RSA_PKCS1_2048_8192_SHA512,
                };
                with_fast(algorithm, key, message, signature)
            }
            (PublicKey::Rsa { key }, SignatureScheme::RsaPss(hash)) => {
                let algorithm: &'static dyn VerificationAlgorithm = match hash {
                    HashAlgorithm::Sha256 => &fast::RSA_PSS_2048_8192_SHA256,
                    HashAlgorithm::Sha384 => &fast::RSA_PSS_2048_8192_SHA384,
                    HashAlgorithm::Sha512 => &fast::RSA_PSS_2048_8192_SHA512,
                };
                with_fast(algorithm, key, message, signature)
            }
            _ => Err(PkiError::WrongKind),
        }
    }
}

fn nist_algorithm(curve: Curve, hash: HashAlgorithm) -> &'static dyn VerificationAlgorithm {
    match (curve, hash) {
        (Curve::P384, HashAlgorithm::Sha256) => &fast::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, HashAlgorithm::Sha384) => &fast::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, HashAlgorithm::Sha512) => &fast::ECDSA_P384_SHA512_ASN1,
        (_, HashAlgorithm::Sha256) => &fast::ECDSA_P256_SHA256_ASN1,
        (_, HashAlgorithm::Sha384) => &fast::ECDSA_P256_SHA384_ASN1,
        (_, HashAlgorithm::Sha512) => &fast::ECDSA_P256_SHA512_ASN1,
    }
}

fn with_fast(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), PkiError> {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).map_err(|_| PkiError::BadSignature)
}
