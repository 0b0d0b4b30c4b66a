//! The kit's own key: P-256, made once on the laptop.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::Generate;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rand::CryptoRng;

use crate::KitError;
use packet::keys::PublicKey;
use pki::{SignError, SignatureAlgorithm, Signer};

/// The key that signs this kit's packets and reports. Only its public half leaves the laptop.
pub struct IdentityKey {
    key: SigningKey,
    public_key: Vec<u8>,
}

impl IdentityKey {
    /// Reads the key file (PKCS #8 in PEM, mode 0600), or makes it when there is none. An existing file is
    /// never replaced: with another key the kit would be another kit.
    ///
    /// # Errors
    /// [`KitError::File`], [`KitError::ExposedKey`], [`KitError::NotAKey`].
    pub fn open_or_create(path: &Path, rng: &mut impl CryptoRng) -> Result<Self, KitError> {
        if !path.exists() {
            create(path, &p256::SecretKey::generate_from_rng(rng))?;
        }
        let mode = fs::metadata(path).map_err(file("reading", path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KitError::ExposedKey { path: path.to_owned() });
        }
        let pem = zeroize::Zeroizing::new(fs::read_to_string(path).map_err(file("reading", path))?);
        let secret =
            p256::SecretKey::from_pkcs8_pem(&pem).map_err(|_| KitError::NotAKey { path: path.to_owned() })?;
        Ok(Self::from_secret(&secret))
    }

    fn from_secret(secret: &p256::SecretKey) -> Self {
        let document = secret.public_key().to_public_key_der();
        let public_key = document.expect("a P-256 public key has a SubjectPublicKeyInfo").into_vec();
        Self { key: SigningKey::from(secret), public_key }
    }

    /// What the centre registers.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_spki(&self.public_key).expect("it was written from a P-256 key")
    }
}

/// Written whole beside its name, synced, then linked: a crash leaves the key or no key, never a part of one.
fn create(path: &Path, secret: &p256::SecretKey) -> Result<(), KitError> {
    let pem = secret.to_pkcs8_pem(LineEnding::LF).expect("a P-256 key can be written as PKCS #8");
    let part = path.with_extension("part");
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)
        .map_err(file("creating", &part))?;
    out.write_all(pem.as_bytes()).and_then(|()| out.sync_all()).map_err(file("writing", &part))?;
    match fs::hard_link(&part, path) {
        // Another process of this laptop made the key in this very moment: its key is the key.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        linked => linked.map_err(file("creating", path))?,
    }
    fs::remove_file(&part).map_err(file("removing", &part))?;
    sync_directory(path)
}

/// Makes the name of a new file durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), KitError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(file("syncing", directory))
}

pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KitError {
    let path = path.to_owned();
    move |source| KitError::File { doing, path, source }
}

impl Signer for IdentityKey {
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

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.pem");
        let first = IdentityKey::open_or_create(&path, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        let again = IdentityKey::open_or_create(&path, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
        assert_eq!(first.public(), again.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!path.with_extension("part").exists());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = IdentityKey::open_or_create(&path, &mut ChaCha20Rng::seed_from_u64(1));
        assert!(matches!(exposed, Err(KitError::ExposedKey { .. })));
    }

    #[test]
    fn a_damaged_key_file_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.pem");
        fs::write(&path, "damaged").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let damaged = IdentityKey::open_or_create(&path, &mut ChaCha20Rng::seed_from_u64(1));
        assert!(matches!(damaged, Err(KitError::NotAKey { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "damaged");
    }
}
