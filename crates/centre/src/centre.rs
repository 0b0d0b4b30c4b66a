//! The centre: an installation with its keys opened. `serve`, `work` and `demo` run on this.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::installation::Installation;
use crate::key_files::{KeyFiles, key_folder};
use crate::{Error, signers};
use hsm::SoftwareSigner;
use issue::{Authority, ChipKeySource};
use packet::keys::{CentreKeys, IntakeKey, PublicKey};

/// Where an installation keeps its files, and which database it uses.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data directory.
    pub data: PathBuf,
    /// Another server's database instead of the private one in the data directory.
    pub database_url: Option<String>,
}

/// Everything that the stages need at the centre. Cloning shares it.
#[derive(Clone)]
pub struct Centre {
    installation: Installation,
    /// Opens packets.
    pub keys: Arc<CentreKeys>,
    /// Signs receipts.
    pub receipts: Arc<SoftwareSigner>,
    /// Kits encrypt packets to it.
    pub intake_public: PublicKey,
    /// Kits check receipts with it.
    pub receipt_public: PublicKey,
    signing: signers::Remembered,
}

/// What needs no key takes the installation alone.
impl Deref for Centre {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.installation
    }
}

impl Centre {
    /// Opens an installation that is there, and its keys.
    ///
    /// # Errors
    /// Those of [`Installation::open`] and [`Centre::of`].
    pub async fn open(place: &Place) -> Result<Centre, Error> {
        Centre::of(Installation::open(place).await?).await
    }

    /// Opens the keys of an installation.
    ///
    /// # Errors
    /// A key that is missing, with the command that makes it; a key file that does not open.
    pub async fn of(installation: Installation) -> Result<Centre, Error> {
        let folder = key_folder(&installation.place);
        let keys = tokio::task::spawn_blocking(move || KeyFiles::open(&folder)).await??;
        Ok(Centre {
            installation,
            intake_public: keys.intake.public_key().clone(),
            receipt_public: PublicKey::from_spki(pki::Signer::public_key(&keys.receipts))?,
            receipts: Arc::new(keys.receipts),
            signing: signers::Remembered::default(),
            keys: Arc::new(CentreKeys {
                intake: vec![Box::new(keys.intake)],
                wrapping: Box::new(keys.wrapping),
            }),
        })
    }

    /// The authority that signs cards now: the document signer of the day, which `dancu pki` made ahead. The
    /// CSCA's key is not opened.
    ///
    /// # Errors
    /// [`Error::NoSigner`] when no document signer may sign now; [`Error::SignersKey`] when its key is not
    /// here.
    pub async fn authority(&self) -> Result<Arc<Authority>, Error> {
        signers::authority(self, &self.signing).await
    }

    /// The keys of all chips follow from this (docs/decisions/0012): what the key-encryption key makes of a
    /// constant, which whoever lacks that key can neither compute nor tell from chance, and which a hardware
    /// module computes too.
    ///
    /// # Errors
    /// A key store that does not answer.
    pub fn chip_keys(&self) -> Result<ChipKeySource, Error> {
        let secret = self.keys.wrapping.wrap(b"dancu: secret of all chip keys 1")?;
        Ok(ChipKeySource::new(Zeroizing::new(secret.to_vec())))
    }
}
