//! The centre: an installation with its keys opened. `serve`, `work` and `demo` run on this.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use rand::rngs::StdRng;
use zeroize::Zeroizing;

use crate::installation::Installation;
use crate::key_files::{KeyFiles, key_folder};
use crate::{Error, signers};
use hsm::{ChipSecret, SoftwareSigner};
use issue::{Authority, ChipKeySource};
use packet::keys::{self, CentreKeys, IntakeKey, PublicKey};
use store::DatabaseUrl;

/// Where an installation keeps its files, and which database it uses.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data directory.
    pub data: PathBuf,
    /// Another server's database instead of the private one in the data directory.
    pub database_url: Option<DatabaseUrl>,
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
    chips: Arc<ChipSecret>,
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
        let files = tokio::task::spawn_blocking(move || KeyFiles::open(&folder)).await??;
        Ok(Centre {
            installation,
            intake_public: files.intake.public_key().clone(),
            receipt_public: PublicKey::from_spki(pki::Signer::public_key(&files.receipts))?,
            receipts: Arc::new(files.receipts),
            chips: Arc::new(files.chips),
            signing: signers::Remembered::default(),
            keys: Arc::new(CentreKeys {
                intake: vec![Box::new(files.intake)],
                wrapping: Box::new(files.wrapping),
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

    /// Seals the master key of a box of blanks, for this box and nothing else.
    ///
    /// # Errors
    /// A key store that does not answer.
    pub fn seal_transport_key(&self, box_number: i64, key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let mut rng: StdRng = rand::make_rng();
        let wrapping = &*self.keys.wrapping;
        Ok(keys::seal_secret(wrapping, &transport_context(box_number), key, &mut rng)?.to_vec())
    }

    /// The inverse of [`Centre::seal_transport_key`].
    ///
    /// # Errors
    /// A key that was sealed for another box or elsewhere; a key store that does not answer.
    pub fn open_transport_key(&self, box_number: i64, sealed: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        Ok(keys::open_secret(&*self.keys.wrapping, &transport_context(box_number), sealed)?)
    }

    /// The keys of all chips follow from this: a secret that was drawn for it alone (docs/decisions/0012).
    pub fn chip_keys(&self) -> ChipKeySource {
        ChipKeySource::new(Zeroizing::new(self.chips.bytes().to_vec()))
    }
}

fn transport_context(box_number: i64) -> Vec<u8> {
    [&b"dancu box of blanks 1"[..], &box_number.to_be_bytes()].concat()
}
