use std::path::Path;

use aws_lc_rs::{
    agreement::{self, PrivateKey},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair},
};
use bp256::BrainpoolP256r1;
use ecdsa::signature::Signer as _;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    HsmError, Passphrase,
    file::{self, Kind},
};
use pki::{Curve, ParameterForm, PublicKey, SignError, SignatureAlgorithm, Signer};

/// A signing key in memory.
pub struct SoftwareSigner {
    algorithm: SignatureAlgorithm,
    secret: Zeroizing<Vec<u8>>,
    key: Key,
    public_key: Vec<u8>,
}

enum Key {
    /// P-256 or P-384. The nonce is the library's own, from the system's generator.
    Nist(EcdsaKeyPair),
    /// The nonce follows from key and message (RFC 6979).
    P256Reproducible(p256::ecdsa::SigningKey),
    /// The nonce follows from key and message (RFC 6979).
    Brainpool(ecdsa::SigningKey<BrainpoolP256r1>),
}

impl std::fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SoftwareSigner(redacted)")
    }
}

impl SoftwareSigner {
    /// A P-256 key.
    pub fn generate(rng: &mut impl CryptoRng) -> SoftwareSigner {
        Self::generate_for(SignatureAlgorithm::EcdsaP256Sha256, rng)
    }

    /// A key for this algorithm.
    pub fn generate_for(algorithm: SignatureAlgorithm, rng: &mut impl CryptoRng) -> SoftwareSigner {
        let mut secret = Zeroizing::new(vec![0; algorithm.curve().field_len()]);
        loop {
            // FIPS 186-5 appendix A.2.2: draw until the number lies between 1 and the order.
            rng.fill_bytes(&mut secret);
            if let Some(signer) = Self::from_secret(algorithm, secret.clone()) {
                return signer;
            }
        }
    }

    /// The same P-256 key with nonces after RFC 6979, so that key and message determine the signature's
    /// bytes: for seeds and tests that compare them. It signs at about a fifth of the speed. Other keys stay
    /// as they are.
    pub fn reproducible(mut self) -> SoftwareSigner {
        if self.algorithm == SignatureAlgorithm::EcdsaP256Sha256 {
            let key = p256::ecdsa::SigningKey::from_slice(&self.secret);
            self.key = Key::P256Reproducible(key.expect("the secret was checked when the signer was made"));
        }
        self
    }

    /// Opens an encrypted key file; the curve is the one that the file names.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, holds no signing key, or the passphrase is another.
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<SoftwareSigner, HsmError> {
        let kinds = SignatureAlgorithm::ALL.map(kind);
        let (found, secret) = file::load_any(path, &kinds, passphrase)?;
        let wrong = || HsmError::Format { path: path.to_owned(), problem: "not a private key of its curve" };
        let algorithm = SignatureAlgorithm::ALL.into_iter().find(|&algorithm| kind(algorithm) == found);
        algorithm.and_then(|algorithm| Self::from_secret(algorithm, secret)).ok_or_else(wrong)
    }

    /// Writes a new key file; an existing one is left alone and is an error.
    pub fn save(
        &self,
        path: &Path,
        passphrase: &Passphrase,
        rng: &mut impl CryptoRng,
    ) -> Result<(), HsmError> {
        file::save(path, kind(self.algorithm), &self.secret, passphrase, rng)
    }

    /// `None` if the number is no private key of the curve.
    fn from_secret(algorithm: SignatureAlgorithm, secret: Zeroizing<Vec<u8>>) -> Option<SoftwareSigner> {
        let nist = |exchange, signing| {
            let private = PrivateKey::from_private_key(exchange, &secret).ok()?;
            let point = private.compute_public_key().ok()?.as_ref().to_vec();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, &secret, &point).ok()?;
            Some((Key::Nist(pair), point))
        };
        let (key, point) = match algorithm.curve() {
            Curve::P256 => nist(&agreement::ECDH_P256, &ECDSA_P256_SHA256_ASN1_SIGNING)?,
            Curve::P384 => nist(&agreement::ECDH_P384, &ECDSA_P384_SHA384_ASN1_SIGNING)?,
            Curve::BrainpoolP256r1 => {
                let key = ecdsa::SigningKey::<BrainpoolP256r1>::from_slice(&secret).ok()?;
                let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                (Key::Brainpool(key), point)
            }
            _ => return None,
        };
        let public_key = PublicKey::Ec { curve: algorithm.curve(), point }.to_spki(ParameterForm::Named);
        Some(SoftwareSigner { algorithm, secret, key, public_key })
    }
}

impl Signer for SoftwareSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.key {
            Key::Nist(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Refused("the software key did not sign".to_owned())),
            Key::P256Reproducible(key) => {
                let signature: p256::ecdsa::Signature =
                    key.try_sign(message).map_err(|error| SignError::Refused(error.to_string()))?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Key::Brainpool(key) => {
                let signature: ecdsa::Signature<BrainpoolP256r1> =
                    key.try_sign(message).map_err(|error| SignError::Refused(error.to_string()))?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
        }
    }
}

fn kind(algorithm: SignatureAlgorithm) -> Kind {
    match algorithm.curve() {
        Curve::P384 => Kind::SigningP384,
        Curve::BrainpoolP256r1 => Kind::SigningBrainpoolP256r1,
        _ => Kind::Signing,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn a_saved_key_of_every_algorithm_is_the_same_key_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::from_bytes(b"a passphrase");
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        for algorithm in SignatureAlgorithm::ALL {
            let path = folder.path().join(format!("{}.key", algorithm.curve().name()));
            let signer = SoftwareSigner::generate_for(algorithm, &mut rng);
            signer.save(&path, &passphrase, &mut rng).unwrap();
            let loaded = SoftwareSigner::load(&path, &passphrase).unwrap();
            assert_eq!(loaded.public_key(), signer.public_key());
            assert_eq!(loaded.algorithm(), algorithm);
            let signature = loaded.sign(b"message").unwrap();
            pki::verify_signature(algorithm.scheme(), signer.public_key(), b"message", &signature).unwrap();
            let other =
                pki::verify_signature(algorithm.scheme(), signer.public_key(), b"massage", &signature);
            assert!(other.is_err());
        }
    }

    #[test]
    fn a_reproducible_key_is_the_same_key_and_signs_the_same_twice() {
        let mut rng = ChaCha20Rng::seed_from_u64(12);
        let signer = SoftwareSigner::generate(&mut rng);
        let public = signer.public_key().to_vec();
        let signer = signer.reproducible();
        let signature = signer.sign(b"message").unwrap();
        assert_eq!(signature, signer.sign(b"message").unwrap());
        pki::verify_signature(signer.algorithm().scheme(), &public, b"message", &signature).unwrap();
    }

    #[test]
    fn zero_and_the_order_are_no_keys() {
        for algorithm in SignatureAlgorithm::ALL {
            for byte in [0, 0xFF] {
                let secret = Zeroizing::new(vec![byte; algorithm.curve().field_len()]);
                assert!(SoftwareSigner::from_secret(algorithm, secret).is_none(), "{algorithm:?} {byte}");
            }
        }
    }
}
