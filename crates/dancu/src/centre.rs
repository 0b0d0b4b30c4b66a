//! The centre: its database, its keys and the stages' working state. `serve`, `work` and `demo` all run on this.

use crate::pki::{Keys, serials};
use anyhow::{Context, Result};
use domain::Clock;
use hsm::{DataKey, KeyEncryptionKey, Passphrase, SoftwareAgreementKey, SoftwareSigner};
use issue::{Authority, ChipKeySource};
use kit::CentrePublicKeys;
use packet::keys::{CentreKeys, IntakeKey, KeyError, PublicKey, WrappingKey};
use pki::SignatureAlgorithm;
use rand::Rng;
use rand::rngs::StdRng;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Database, OpenOptions};
use time::Duration;
use zeroize::Zeroizing;

/// Where an installation keeps its files, and which database it uses.
#[derive(Debug, Clone)]
pub struct Place {
    pub data: PathBuf,
    pub database_url: Option<String>,
}

/// Everything that the stages need at the centre. Cloning shares it.
#[derive(Clone)]
pub struct Centre {
    pub place: Place,
    pub db: Database,
    pub clock: Arc<dyn Clock>,
    /// Opens packets.
    pub keys: Arc<CentreKeys>,
    /// Signs receipts.
    pub receipts: Arc<SoftwareSigner>,
    pub kit_keys: CentrePublicKeys,
}

impl Centre {
    /// Opens the database (starting the embedded one), brings its schema up to date, and opens or makes the keys.
    pub async fn open(place: &Place, clock: Arc<dyn Clock>) -> Result<Centre> {
        let options = OpenOptions { data_dir: place.data.clone(), database_url: place.database_url.clone() };
        let db = Database::open(&options).await?;
        db.migrate().await?;
        // The embedded database makes the directory with the rights that its server needs; without it, it is ours alone.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&place.data)
            .with_context(|| format!("the data directory {} cannot be made", place.data.display()))?;
        let folder = place.data.join("keys");
        let keys = tokio::task::spawn_blocking(move || KeyFiles::open(&folder)).await??;
        let kit_keys = CentrePublicKeys {
            intake: keys.intake.public_key().clone(),
            receipt: PublicKey::from_spki(pki::Signer::public_key(&keys.receipts))?,
        };
        Ok(Centre {
            place: place.clone(),
            db,
            clock,
            kit_keys,
            receipts: Arc::new(keys.receipts),
            keys: Arc::new(CentreKeys {
                intake: vec![Box::new(keys.intake)],
                wrapping: Box::new(Wrapping(keys.wrapping)),
            }),
        })
    }

    /// The authority that signs cards now. A document signer's key signs for a limited time (ICAO Doc 9303-12); when the
    /// newest has less than a day left, another is made.
    pub async fn authority(&self) -> Result<Arc<Authority>> {
        let now = self.clock.now();
        let keys = Keys::of(self).await?;
        let csca = keys.current_csca().await?;
        for number in 1.. {
            let signer = keys.document_signer(number).await?;
            let authority =
                Authority::establish(&self.db, keys.suite, csca.as_ref(), signer, serials(), now).await?;
            if authority.signs_until().is_none_or(|until| until > now + Duration::days(1)) {
                return Ok(Arc::new(authority.with_chip_keys(self.chip_keys()?)));
            }
        }
        unreachable!("the numbers of document signers do not run out")
    }

    /// The keys of all chips follow from this (docs/decisions/0012): what the key-encryption key makes of a constant, which
    /// whoever lacks that key can neither compute nor tell from chance, and which a hardware module computes too.
    pub fn chip_keys(&self) -> Result<ChipKeySource> {
        let secret = self.keys.wrapping.wrap(b"dancu: secret of all chip keys 1")?;
        Ok(ChipKeySource::new(Zeroizing::new(secret.to_vec())))
    }
}

/// The keys of the software key store. An HSM takes their place behind the same traits.
struct KeyFiles {
    receipts: SoftwareSigner,
    intake: Intake,
    wrapping: KeyEncryptionKey,
}

impl KeyFiles {
    fn open(folder: &Path) -> Result<KeyFiles> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
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
        Ok(KeyFiles { receipts, intake: Intake { key: agreement, public }, wrapping })
    }
}

fn system_rng() -> StdRng {
    rand::make_rng()
}

pub fn signing_key(
    path: &Path,
    algorithm: SignatureAlgorithm,
    passphrase: &Passphrase,
) -> Result<SoftwareSigner> {
    if path.exists() {
        return Ok(SoftwareSigner::load(path, passphrase)?);
    }
    let key = SoftwareSigner::generate_for(algorithm, &mut system_rng());
    key.save(path, passphrase, &mut system_rng())?;
    Ok(key)
}

/// The passphrase of the key files, made on the first start. An operator moves it to another disk or into the service
/// manager's credentials; see docs/operations.md.
pub fn passphrase(folder: &Path) -> Result<Passphrase> {
    let named = std::env::var_os("DANCU_PASSPHRASE_FILE").map(PathBuf::from);
    passphrase_at(&named.unwrap_or_else(|| folder.join("passphrase")))
}

/// The passphrase in this file, drawn when there is none.
pub fn passphrase_at(path: &Path) -> Result<Passphrase> {
    if !path.exists() {
        let mut bytes = Zeroizing::new([0u8; 24]);
        system_rng().fill_bytes(bytes.as_mut_slice());
        let text: Zeroizing<String> = Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect());
        // Written whole under another name first: a crash must not leave half a passphrase beside keys it does not open.
        let draft = path.with_extension("draft");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
    }
    Ok(Passphrase::from_file(path)?)
}

/// Key agreement for `enrol` by the key store of `hsm`.
struct Intake {
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
struct Wrapping(KeyEncryptionKey);

impl WrappingKey for Wrapping {
    fn wrap(&self, key: &[u8; 32]) -> Result<[u8; 40], KeyError> {
        Ok(self.0.wrap(&DataKey::from_bytes(Zeroizing::new(*key))))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        Ok(self.0.unwrap(wrapped).map_err(|_| KeyError::WrongWrappingKey)?.into_bytes())
    }
}
