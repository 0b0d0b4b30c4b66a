//! The country signing authority and the document signer under it.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::certificates::{Certifier, hex, signs_until};
use crate::chip::{self, ChipFiles, ChipImages, ChipKeySource};
use crate::{Error, Face};
use card::sod::{DigestAlgorithm, SodTemplate};
use pki::{Certificate, HashAlgorithm, SignatureAlgorithm, Signer, Suite};
use store::Database;

/// Signs cards: a document signer's key with its certificate.
pub struct Authority {
    pub csca: Certificate,
    pub document_signer: Certificate,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) template: SodTemplate,
    pub(crate) serial: String,
    pub(crate) chip_keys: Option<ChipKeySource>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("document_signer", &self.serial).finish_non_exhaustive()
    }
}

impl Authority {
    /// Loads the certificates for the two keys, issuing those that are missing. `draw_serial` gives 16 random
    /// bytes.
    ///
    /// A serial number is stored before its certificate is signed; one whose certificate never came is not
    /// used again.
    ///
    /// # Errors
    /// [`Error::CscaPeriodOver`] when the CSCA's key may sign no more; a key that is not of the suite's kind.
    pub async fn establish(
        db: &Database,
        suite: Suite,
        csca_key: &dyn Signer,
        signer: Arc<dyn Signer>,
        draw_serial: impl FnMut() -> [u8; 16],
        now: OffsetDateTime,
    ) -> Result<Authority, Error> {
        let mut certifier = Certifier { db, suite, draw_serial, now };
        let csca = certifier.csca(csca_key).await?;
        let document_signer = certifier.document_signer(&csca, csca_key, signer.as_ref()).await?;
        Self::with(csca, document_signer, signer)
    }

    /// An authority of certificates that are at hand.
    pub fn with(
        csca: Certificate,
        document_signer: Certificate,
        signer: Arc<dyn Signer>,
    ) -> Result<Authority, Error> {
        let template = template(&document_signer, signer.algorithm())?;
        let serial = hex(document_signer.serial());
        Ok(Authority { csca, document_signer, signer, template, serial, chip_keys: None })
    }

    /// The same, whose cards have chips with keys of their own.
    pub fn with_chip_keys(self, source: ChipKeySource) -> Authority {
        Authority { chip_keys: Some(source), ..self }
    }

    /// The files and the QR text of a card with this face, signed. Nothing is stored.
    pub fn sign_files(&self, face: &Face, images: &ChipImages) -> Result<(ChipFiles, String), Error> {
        chip::build(face, images, &self.template, self.signer.as_ref(), None)
    }

    /// Until when the document signer's key may sign; after it a new key and certificate are needed.
    pub fn signs_until(&self) -> Option<OffsetDateTime> {
        signs_until(&self.document_signer)
    }
}

/// The security object is signed as the document signer's key signs, its attributes under the same hash.
fn template(document_signer: &Certificate, algorithm: SignatureAlgorithm) -> Result<SodTemplate, Error> {
    let digest = match algorithm.hash() {
        HashAlgorithm::Sha256 => DigestAlgorithm::Sha256,
        HashAlgorithm::Sha384 => DigestAlgorithm::Sha384,
        HashAlgorithm::Sha512 => DigestAlgorithm::Sha512,
    };
    Ok(SodTemplate::new(document_signer.der())?.signed_with(digest, algorithm.identifier()))
}
