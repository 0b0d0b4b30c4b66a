//! The centre: its database, its keys and the stages' working state. `serve`, `work` and `demo` all run on
//! this.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use time::Duration;
use zeroize::Zeroizing;

use crate::key_files::KeyFiles;
use crate::keys::{Keys, serials};
use crate::{Error, installation};
use domain::Clock;
use hsm::SoftwareSigner;
use issue::{Authority, ChipKeySource};
use packet::keys::{CentreKeys, IntakeKey, PublicKey};
use store::{Database, OpenOptions};

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
    /// Where it keeps its files.
    pub place: Place,
    /// The record.
    pub db: Database,
    /// The campaign's time.
    pub clock: Arc<dyn Clock>,
    /// Opens packets.
    pub keys: Arc<CentreKeys>,
    /// Signs receipts.
    pub receipts: Arc<SoftwareSigner>,
    /// Kits encrypt packets to it.
    pub intake_public: PublicKey,
    /// Kits check receipts with it.
    pub receipt_public: PublicKey,
}

impl Centre {
    /// Opens an installation under its own clock: the machine's, or where a simulated campaign has left it.
    ///
    /// # Errors
    /// Those of [`Centre::open_at`]; [`Error::Day`].
    pub async fn open(place: &Place) -> Result<Centre, Error> {
        let db = database(place).await?;
        let clock = installation::clock_of(&db).await?;
        Centre::with(place, db, clock).await
    }

    /// Opens the database (starting the embedded one), brings its schema up to date, and opens or makes the
    /// keys. The time is the given clock's.
    ///
    /// # Errors
    /// A database that does not start or is of another version; a directory or key file that cannot be used.
    pub async fn open_at(place: &Place, clock: Arc<dyn Clock>) -> Result<Centre, Error> {
        Centre::with(place, database(place).await?, clock).await
    }

    async fn with(place: &Place, db: Database, clock: Arc<dyn Clock>) -> Result<Centre, Error> {
        // The embedded database makes the directory with the rights that its server needs; without it, it is
        // ours alone.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&place.data)
            .map_err(Error::file(&place.data, "make the data directory"))?;
        let folder = place.data.join("keys");
        let keys = tokio::task::spawn_blocking(move || KeyFiles::open(&folder)).await??;
        Ok(Centre {
            place: place.clone(),
            db,
            clock,
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
            let signer = keys.document_signer(number).await?;
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

async fn database(place: &Place) -> Result<Database, Error> {
    let options = OpenOptions { data_dir: place.data.clone(), database_url: place.database_url.clone() };
    let db = Database::open(&options).await?;
    db.migrate().await?;
    Ok(db)
}
