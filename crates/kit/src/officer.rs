//! The officer's key: made on the kit, and nowhere in clear. A passphrase opens it at sign-in.

use std::path::Path;

use rand::CryptoRng;
use time::OffsetDateTime;

use crate::KitError;
use domain::id::CredentialId;
use hsm::{HsmError, Passphrase, SoftwareSigner};
use packet::keys::PublicKey;
use pki::{SignError, SignatureAlgorithm, Signer};

/// Characters that an officer's passphrase has at least.
pub const MIN_PASSPHRASE_CHARS: usize = 12;

/// An officer's signing key, opened.
#[derive(Debug)]
pub struct OfficerKey(SoftwareSigner);

/// An officer who has signed in: whose key is open, and what the centre said of it.
#[derive(Debug)]
pub struct Officer {
    /// The key.
    pub key: OfficerKey,
    /// The credential that the centre issued for it.
    pub credential_id: CredentialId,
    /// Its end.
    pub not_after: OffsetDateTime,
}

impl OfficerKey {
    /// Makes a key and writes it under the passphrase (Argon2id, AES-256-GCM; a file of its own for each
    /// officer, mode 0600). Its public half is what the centre issues a credential for. An existing file is
    /// never replaced.
    ///
    /// # Errors
    /// [`KitError::WeakPassphrase`]; [`KitError::NotOpened`] for a file that is there or cannot be written.
    pub fn make(path: &Path, passphrase: &str, rng: &mut impl CryptoRng) -> Result<OfficerKey, KitError> {
        let found = passphrase.chars().count();
        if found < MIN_PASSPHRASE_CHARS {
            return Err(KitError::WeakPassphrase { found, least: MIN_PASSPHRASE_CHARS });
        }
        let signer = SoftwareSigner::generate(rng);
        let failed = failed(path);
        signer.save(path, &Passphrase::from_bytes(passphrase.as_bytes()), rng).map_err(failed)?;
        Ok(Self(signer.reproducible()))
    }

    /// Opens a key at sign-in.
    ///
    /// # Errors
    /// [`KitError::NotOpened`]: another passphrase, no such file, or a damaged one.
    pub fn open(path: &Path, passphrase: &str) -> Result<OfficerKey, KitError> {
        let passphrase = Passphrase::from_bytes(passphrase.as_bytes());
        let signer = SoftwareSigner::load(path, &passphrase).map_err(failed(path))?;
        if signer.algorithm() != SignatureAlgorithm::EcdsaP256Sha256 {
            return Err(KitError::NotAKey { path: path.to_owned() });
        }
        // The same capture gives the same packet, so that a repeat after a crash is a repeat.
        Ok(Self(signer.reproducible()))
    }

    /// What the centre issues a credential for.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_spki(self.0.public_key()).expect("it was made as a P-256 key")
    }
}

fn failed(path: &Path) -> impl FnOnce(HsmError) -> KitError {
    let path = path.to_owned();
    move |source| KitError::NotOpened { path, source }
}

impl Signer for OfficerKey {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.sign(message)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    #[test]
    fn a_stolen_disk_has_no_officers_key_in_clear() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("officer.key");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert!(matches!(OfficerKey::make(&path, "short", &mut rng), Err(KitError::WeakPassphrase { .. })));
        let made = OfficerKey::make(&path, "ba cây chụm lại", &mut rng).unwrap();
        let opened = OfficerKey::open(&path, "ba cây chụm lại").unwrap();
        assert_eq!(made.public(), opened.public());
        assert_eq!(made.sign(b"m").unwrap(), opened.sign(b"m").unwrap(), "a repeat is the same packet");
        let other = OfficerKey::open(&path, "ba cây chụm lai").unwrap_err();
        assert!(other.to_string().contains("does not open"), "{other}");
        assert!(OfficerKey::make(&path, "ba cây chụm lại", &mut rng).is_err(), "a key is never replaced");
        // The secret, drawn again from the same seed, is nowhere in the file.
        let secret = {
            use rand::Rng;
            let mut bytes = [0; 32];
            ChaCha20Rng::seed_from_u64(1).fill_bytes(&mut bytes);
            bytes
        };
        let file = fs::read(&path).unwrap();
        assert!(!file.windows(32).any(|window| window == secret));
        assert!(!file.windows(7).any(|window| window == b"PRIVATE"));
    }
}
