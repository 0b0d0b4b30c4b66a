use std::path::Path;

use p256::{
    SecretKey,
    ecdsa::{Signature, SigningKey, signature::Signer as _},
    elliptic_curve::Generate,
    pkcs8::EncodePublicKey,
};
use pki::{SignError, SignatureAlgorithm, Signer};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    HsmError, Passphrase,
    file::{self, Kind},
};

/// A P-256 signing key in memory.
pub struct SoftwareSigner {
    key: SigningKey,
    public_key: Vec<u8>,
}

impl std::fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SoftwareSigner(redacted)")
    }
}

impl SoftwareSigner {
    pub fn generate(rng: &mut impl CryptoRng) -> SoftwareSigner {
        Self::from_secret(&SecretKey::generate_from_rng(rng))
    }

    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<SoftwareSigner, HsmError> {
        Ok(Self::from_secret(&load_secret(path, Kind::Signing, passphrase)?))
    }

    /// Writes a new key file; an existing one is left alone and is an error.
    pub fn save(
        &self,
        path: &Path,
        passphrase: &Passphrase,
        rng: &mut impl CryptoRng,
    ) -> Result<(), HsmError> {
        let secret = Zeroizing::new(self.key.to_bytes().into());
        file::save(path, Kind::Signing, &secret, passphrase, rng)
    }

    fn from_secret(secret: &SecretKey) -> SoftwareSigner {
        SoftwareSigner { key: SigningKey::from(secret), public_key: public_key_der(secret) }
    }
}

impl Signer for SoftwareSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaP256Sha256
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature: Signature =
            self.key.try_sign(message).map_err(|error| SignError::Refused(error.to_string()))?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

pub(crate) fn load_secret(path: &Path, kind: Kind, passphrase: &Passphrase) -> Result<SecretKey, HsmError> {
    let bytes = file::load(path, kind, passphrase)?;
    SecretKey::from_slice(bytes.as_slice())
        .map_err(|_| HsmError::Format { path: path.to_owned(), problem: "not a P-256 private key" })
}

/// SubjectPublicKeyInfo with the curve by name and the point uncompressed.
pub(crate) fn public_key_der(secret: &SecretKey) -> Vec<u8> {
    let document = secret.public_key().to_public_key_der();
    document.expect("a P-256 public key always has a SubjectPublicKeyInfo").into_vec()
}
