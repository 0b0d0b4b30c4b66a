//! The centre: an installation with its keys opened. `serve`, `work` and `demo` run on this.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use time::Duration;
use zeroize::Zeroizing;

use crate::Error;
use crate::installation::Installation;
use crate::key_files::{KeyFiles, key_folder};
use crate::keys::{Keys, serials};
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
            keys: Arc::new(CentreKeys {
                intake: vec![Box::new(keys.intake)],
                wrapping: Box::new(keys.wrapping),
            }),
        })
    }

    /// The authority that signs cards now. A document signer's key signs for a limited time (ICAO Doc
    /// 9303-12); when the newest has less than a day left, another is made.
    ///
    /// # Errors
    /// Keys that cannot be used; those of `issue::Authority::establish`.
    pub async fn authority(&self) -> Result<Arc<Authority>, Error> {
        let now = self.clock.now();
        let keys = Keys::of(self).await?;
        let csca = keys.current_csca().await?;
        for number in 1.. {
            let signer = keys.make(Keys::document_signer_name(number)).await?;
            let authority =
                Authority::establish(&self.db, keys.suite, csca.as_ref(), signer, serials(), now).await?;
            if authority.signs_until().is_none_or(|until| until > now + Duration::days(1)) {
                return Ok(Arc::new(authority.with_chip_keys(self.chip_keys()?)));
            }
        }
        unreachable!("the numbers of document signers do not run out")
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
