//! The key files of an installation: made on the first start, encrypted under a passphrase.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use crate::Error;
use hsm::{DataKey, KeyEncryptionKey, Passphrase, SoftwareAgreementKey, SoftwareSigner};
use packet::keys::{IntakeKey, KeyError, PublicKey, WrappingKey};
use pki::SignatureAlgorithm;

/// The keys of the software key store. An HSM takes their place behind the same traits.
pub(crate) struct KeyFiles {
    pub receipts: SoftwareSigner,
    pub intake: Intake,
    pub wrapping: Wrapping,
}

impl KeyFiles {
    /// Opens the keys of an installation in `folder`, and makes those that are not there.
    pub fn open(folder: &Path) -> Result<KeyFiles, Error> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(Error::file(folder, "make this directory"))?;
        let passphrase = passphrase(folder)?;
        let path = folder.join("intake.key");
        let agreement = if path.exists() {
            SoftwareAgreementKey::load(&path, &passphrase)?
        } else {
            let key = SoftwareAgreementKey::generate(&mut system_rng());
            key.save(&path, &passphrase, &mut system_rng())?;
            key
        };
        let path = folder.join("key-encryption.key");
        let wrapping = if path.exists() {
            KeyEncryptionKey::load(&path, &passphrase)?
        } else {
            let key = KeyEncryptionKey::generate(&mut system_rng());
            key.save(&path, &passphrase, &mut system_rng())?;
            key
        };
        let public = PublicKey::from_spki(agreement.public_key())?;
        let receipts =
            signing_key(&folder.join("receipt.key"), SignatureAlgorithm::EcdsaP256Sha256, &passphrase)?;
        Ok(KeyFiles { receipts, intake: Intake { key: agreement, public }, wrapping: Wrapping(wrapping) })
    }
}

fn system_rng() -> StdRng {
    rand::make_rng()
}

/// The signing key in this file, made when there is none.
///
/// # Errors
/// [`Error::Hsm`]: a file that cannot be read or written, or that another passphrase opens.
pub fn signing_key(
    path: &Path,
    algorithm: SignatureAlgorithm,
    passphrase: &Passphrase,
) -> Result<SoftwareSigner, Error> {
    if path.exists() {
        return Ok(SoftwareSigner::load(path, passphrase)?);
    }
    let key = SoftwareSigner::generate_for(algorithm, &mut system_rng());
    key.save(path, passphrase, &mut system_rng())?;
    Ok(key)
}

/// The passphrase of the key files, made on the first start. An operator moves it to another disk or into the
/// service manager's credentials; see docs/operations.md.
pub(crate) fn passphrase(folder: &Path) -> Result<Passphrase, Error> {
    let named = std::env::var_os("DANCU_PASSPHRASE_FILE").map(PathBuf::from);
    passphrase_at(&named.unwrap_or_else(|| folder.join("passphrase")))
}

/// The passphrase in this file, drawn when there is none.
///
/// # Errors
/// [`Error::File`]; [`Error::Hsm`]: a passphrase that is short, or that others can read.
pub fn passphrase_at(path: &Path) -> Result<Passphrase, Error> {
    if !path.exists() {
        let mut bytes = Zeroizing::new([0u8; 24]);
        system_rng().fill_bytes(bytes.as_mut_slice());
        let text: Zeroizing<String> = Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect());
        // Written whole under another name first: a crash must not leave half a passphrase beside keys it
        // does not open.
        let draft = path.with_extension("draft");
        let write = |draft: &Path| {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(draft, path)
        };
        write(&draft).map_err(Error::file(path, "write the passphrase"))?;
    }
    Ok(Passphrase::from_file(path)?)
}

/// Key agreement for `enrol` by the key store of `hsm`.
pub(crate) struct Intake {
    key: SoftwareAgreementKey,
    public: PublicKey,
}

impl IntakeKey for Intake {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn agree(&self, ephemeral: &PublicKey) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let shared = self.key.diffie_hellman_point(&ephemeral.to_point()).ok_or_else(|| {
            KeyError::Unavailable("the kit's ephemeral key is not a point of P-256".to_owned())
        })?;
        Ok(shared.into_bytes())
    }
}

/// Key wrapping for `enrol` by the key store of `hsm`.
pub(crate) struct Wrapping(KeyEncryptionKey);

impl WrappingKey for Wrapping {
    fn wrap(&self, key: &[u8; 32]) -> Result<[u8; 40], KeyError> {
        Ok(self.0.wrap(&DataKey::from_bytes(Zeroizing::new(*key))))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        Ok(self.0.unwrap(wrapped).map_err(|_| KeyError::WrongWrappingKey)?.into_bytes())
    }
}
