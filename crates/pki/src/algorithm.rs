use der::{Decode, asn1::ObjectIdentifier};
use p256::ecdsa::signature::Verifier;
use x509_cert::spki::{AlgorithmIdentifierOwned, DecodePublicKey};

use crate::PkiError;

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// A signature algorithm together with the curve of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// ECDSA on NIST P-256 with SHA-256; signatures are ECDSA-Sig-Value in DER.
    EcdsaP256Sha256,
}

impl SignatureAlgorithm {
    /// AlgorithmIdentifier in DER, parameters absent (RFC 5758 §3.2).
    pub fn identifier(self) -> &'static [u8] {
        match self {
            SignatureAlgorithm::EcdsaP256Sha256 => {
                &[0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02]
            }
        }
    }

    /// Reads an AlgorithmIdentifier in DER.
    pub fn from_identifier(der: &[u8]) -> Result<Self, PkiError> {
        let identifier = AlgorithmIdentifierOwned::from_der(der)
            .map_err(PkiError::malformed("the signature's algorithm identifier"))?;
        match identifier.oid {
            ECDSA_WITH_SHA256 => Ok(SignatureAlgorithm::EcdsaP256Sha256),
            oid => Err(PkiError::UnsupportedAlgorithm { oid: oid.to_string() }),
        }
    }
}

/// A private key that can be used and not seen. Implementations live in `hsm`.
pub trait Signer: Send + Sync {
    fn algorithm(&self) -> SignatureAlgorithm;

    /// SubjectPublicKeyInfo in DER.
    fn public_key(&self) -> &[u8];

    /// Hashes and signs `message`; the signature's form follows from [`Signer::algorithm`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    #[error("the key store is not reachable now; try again: {0}")]
    Unavailable(String),
    #[error("the key store refused to sign: {0}")]
    Refused(String),
}

/// Verifies `signature` over `message`. `public_key` is a SubjectPublicKeyInfo in DER.
pub fn verify_signature(
    algorithm: SignatureAlgorithm,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), PkiError> {
    match algorithm {
        SignatureAlgorithm::EcdsaP256Sha256 => {
            let key = p256::ecdsa::VerifyingKey::from_public_key_der(public_key).map_err(|error| {
                PkiError::Malformed { what: "the P-256 public key", problem: error.to_string() }
            })?;
            let signature =
                p256::ecdsa::Signature::from_der(signature).map_err(|_| PkiError::BadSignature)?;
            key.verify(message, &signature).map_err(|_| PkiError::BadSignature)
        }
    }
}
