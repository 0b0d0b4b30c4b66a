use std::path::Path;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use p256::{
    PublicKey, SecretKey,
    elliptic_curve::{Generate, sec1::ToSec1Point},
    pkcs8::{DecodePublicKey, EncodePublicKey},
};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    HsmError, Passphrase,
    file::{self, Kind},
};

/// A P-256 key for ECDH: what is encrypted to its public key, its holder can open.
pub struct SoftwareAgreementKey {
    secret: SecretKey,
    /// The same secret where agreeing takes a seventh of the time: the centre agrees once for every packet.
    agreeing: PrivateKey,
    public_key: Vec<u8>,
}

impl std::fmt::Debug for SoftwareAgreementKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SoftwareAgreementKey(redacted)")
    }
}

/// The x-coordinate that both sides compute (SEC 1 §3.3.1). It is not uniform: derive keys from it.
pub struct SharedSecret(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret(redacted)")
    }
}

impl SharedSecret {
    /// For a key derivation; it is no key yet.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same as [`SharedSecret::as_bytes`], wiped when it is dropped.
    pub fn into_bytes(self) -> Zeroizing<[u8; 32]> {
        self.0
    }
}

impl SoftwareAgreementKey {
    /// A new key on P-256, in memory only until it is saved.
    pub fn generate(rng: &mut impl CryptoRng) -> SoftwareAgreementKey {
        Self::from_secret(SecretKey::generate_from_rng(rng))
    }

    /// Opens an encrypted key file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no key file of this kind, or the passphrase is another.
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<SoftwareAgreementKey, HsmError> {
        let bytes = file::load_32(path, Kind::Agreement, passphrase)?;
        let secret = SecretKey::from_slice(bytes.as_slice())
            .map_err(|_| HsmError::Format { path: path.to_owned(), problem: "not a P-256 private key" })?;
        Ok(Self::from_secret(secret))
    }

    /// Writes a new key file; an existing one is left alone and is an error.
    pub fn save(
        &self,
        path: &Path,
        passphrase: &Passphrase,
        rng: &mut impl CryptoRng,
    ) -> Result<(), HsmError> {
        let secret: Zeroizing<[u8; 32]> = Zeroizing::new(self.secret.to_bytes().into());
        file::save(path, Kind::Agreement, secret.as_slice(), passphrase, rng)
    }

    /// SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// ECDH with the other side's public key, which the type guarantees to be a point on the curve.
    pub fn diffie_hellman(&self, other: &PublicKey) -> SharedSecret {
        let peer = UnparsedPublicKey::new(&ECDH_P256, other.to_sec1_point(false));
        let mut x = Zeroizing::new([0; 32]);
        agree(&self.agreeing, peer, (), |shared| {
            x.copy_from_slice(shared);
            Ok(())
        })
        .expect("a public key is a point on the curve");
        SharedSecret(x)
    }

    /// [`SoftwareAgreementKey::diffie_hellman`] with a SubjectPublicKeyInfo in DER; `None` if it is not a
    /// P-256 key.
    pub fn diffie_hellman_der(&self, other: &[u8]) -> Option<SharedSecret> {
        PublicKey::from_public_key_der(other).ok().map(|key| self.diffie_hellman(&key))
    }

    /// [`SoftwareAgreementKey::diffie_hellman`] with a point as in SEC 1 §2.3.4 (65 bytes uncompressed);
    /// `None` if it is not on the curve.
    pub fn diffie_hellman_point(&self, other: &[u8]) -> Option<SharedSecret> {
        PublicKey::from_sec1_bytes(other).ok().map(|key| self.diffie_hellman(&key))
    }

    fn from_secret(secret: SecretKey) -> SoftwareAgreementKey {
        let document = secret.public_key().to_public_key_der();
        let public_key = document.expect("a P-256 public key always has a SubjectPublicKeyInfo").into_vec();
        let agreeing = PrivateKey::from_private_key(&ECDH_P256, &Zeroizing::new(secret.to_bytes()))
            .expect("a secret key of P-256 is one for either library");
        SoftwareAgreementKey { secret, agreeing, public_key }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn both_sides_agree() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (a, b, c) = (
            SoftwareAgreementKey::generate(&mut rng),
            SoftwareAgreementKey::generate(&mut rng),
            SoftwareAgreementKey::generate(&mut rng),
        );
        let ab = a.diffie_hellman_der(b.public_key()).unwrap();
        assert_eq!(ab.as_bytes(), b.diffie_hellman_der(a.public_key()).unwrap().as_bytes());
        assert_ne!(ab.as_bytes(), c.diffie_hellman_der(a.public_key()).unwrap().as_bytes());
        assert!(a.diffie_hellman_der(b"no key").is_none());
        let point = &b.public_key()[b.public_key().len() - 65..];
        assert_eq!(ab.as_bytes(), &*a.diffie_hellman_point(point).unwrap().into_bytes());
        assert!(a.diffie_hellman_point(&[4; 65]).is_none());
    }

    #[test]
    fn a_saved_key_is_the_same_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("centre.key");
        let passphrase = Passphrase::from_bytes(b"a passphrase");
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let key = SoftwareAgreementKey::generate(&mut rng);
        key.save(&path, &passphrase, &mut rng).unwrap();
        let loaded = SoftwareAgreementKey::load(&path, &passphrase).unwrap();
        assert_eq!(loaded.public_key(), key.public_key());
        assert!(matches!(
            crate::SoftwareSigner::load(&path, &passphrase),
            Err(HsmError::Format { problem: "the file holds a key of another kind", .. })
        ));
    }
}
