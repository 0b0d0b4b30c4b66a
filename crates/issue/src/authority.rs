//! The country signing authority and the document signer under it.

use crate::Error;
use card::sod::SodTemplate;
use pki::{
    CSCA_P256, Certificate, DOCUMENT_SIGNER_P256, Name, SerialNumber, Signer, SigningToken, prepare_csca,
    prepare_document_signer,
};
use std::sync::Arc;
use store::Database;
use store::issue as rows;
use time::OffsetDateTime;

/// Signs cards: a document signer's key with its certificate.
pub struct Authority {
    pub csca: Certificate,
    pub document_signer: Certificate,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) template: SodTemplate,
    pub(crate) serial: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("document_signer", &self.serial).finish_non_exhaustive()
    }
}

impl Authority {
    /// Loads the certificates for the two keys, issuing those that are missing. `draw_serial` gives 16 random bytes.
    ///
    /// A serial number is stored before its certificate is signed; one whose certificate never came is not used again.
    pub async fn establish(
        db: &Database,
        csca_key: &dyn Signer,
        signer: Arc<dyn Signer>,
        mut draw_serial: impl FnMut() -> [u8; 16],
        now: OffsetDateTime,
    ) -> Result<Authority, Error> {
        let csca = match stored(db, "csca", csca_key.public_key(), now).await? {
            Some(certificate) => certificate,
            None => {
                let subject = Name::new("VN", "dancu", "dancu CSCA")?;
                let serial = intend(db, "csca", draw_serial(), "dancu CSCA", now).await?;
                let certificate =
                    prepare_csca(&CSCA_P256, &subject, serial.clone(), now, csca_key.public_key())?
                        .lint()?
                        .sign(SigningToken::after_recording(serial), csca_key)?;
                complete(db, &certificate, None).await?;
                certificate
            }
        };
        let document_signer = match stored(db, "document_signer", signer.public_key(), now).await? {
            Some(certificate) => certificate,
            None => {
                let subject = Name::new("VN", "dancu", "dancu Document Signer")?;
                let serial =
                    intend(db, "document_signer", draw_serial(), "dancu Document Signer", now).await?;
                let key = signer.public_key();
                let certificate = prepare_document_signer(
                    &DOCUMENT_SIGNER_P256,
                    &csca,
                    &subject,
                    serial.clone(),
                    now,
                    key,
                )?
                .lint()?
                .sign(SigningToken::after_recording(serial), csca_key)?;
                complete(db, &certificate, Some(&csca)).await?;
                certificate
            }
        };
        let template = SodTemplate::new(document_signer.der())?;
        let serial = hex(document_signer.serial());
        Ok(Authority { csca, document_signer, signer, template, serial })
    }

    /// Until when the document signer's key may sign; after it a new key and certificate are needed.
    pub fn signs_until(&self) -> Option<OffsetDateTime> {
        self.document_signer.key_usage_period().and_then(|period| period.not_after)
    }
}

/// The certificate of this key that may still sign, if there is one.
async fn stored(
    db: &Database,
    role: &str,
    public_key: &[u8],
    now: OffsetDateTime,
) -> Result<Option<Certificate>, Error> {
    let mut conn = db.begin().await?;
    for der in rows::certificates(&mut conn, role).await? {
        let certificate = Certificate::from_der(&der)?;
        let signs_until = certificate.key_usage_period().and_then(|period| period.not_after);
        let may_sign = signs_until.unwrap_or(certificate.not_after()) >= now;
        if certificate.public_key() == public_key && may_sign {
            return Ok(Some(certificate));
        }
    }
    Ok(None)
}

async fn intend(
    db: &Database,
    role: &str,
    drawn: [u8; 16],
    subject: &str,
    now: OffsetDateTime,
) -> Result<SerialNumber, Error> {
    let serial = SerialNumber::new(&drawn)?;
    let mut tx = db.begin().await?;
    rows::intend_certificate(&mut tx, &hex(serial.as_bytes()), role, subject, now).await?;
    store::commit(tx).await?;
    Ok(serial)
}

async fn complete(
    db: &Database,
    certificate: &Certificate,
    issuer: Option<&Certificate>,
) -> Result<(), Error> {
    let issuer = issuer.map(|issuer| hex(issuer.serial()));
    let mut tx = db.begin().await?;
    rows::complete_certificate(
        &mut tx,
        &hex(certificate.serial()),
        issuer.as_deref(),
        certificate.not_before(),
        certificate.not_after(),
        certificate.der(),
    )
    .await?;
    store::commit(tx).await?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
