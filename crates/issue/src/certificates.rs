//! Certificates and revocation lists of the country, each with its number stored before it is signed.

use time::{Duration, OffsetDateTime};

use crate::Error;
use pki::{
    Certificate, MasterList, Name, PkiError, PreparedCertificate, PublicKey, Revocation, SerialNumber,
    Signer, SigningToken, Suite, prepare_crl, prepare_csca, prepare_csca_link, prepare_document_signer,
    prepare_master_list, prepare_master_list_signer,
};
use store::Database;
use store::cards::certificates;

/// One name for every key of the CSCA, which is what makes a link certificate one (Doc 9303-12).
const CSCA: &str = "dancu CSCA";

/// Makes certificates and lists in a data store. `draw_serial` gives 16 random bytes.
pub struct Certifier<'a, D> {
    pub db: &'a Database,
    pub suite: Suite,
    pub draw_serial: D,
    pub now: OffsetDateTime,
}

impl<D: FnMut() -> [u8; 16]> Certifier<'_, D> {
    /// The self-signed certificate of this key, made when there is none.
    ///
    /// # Errors
    /// [`Error::CscaPeriodOver`] when the key may sign no more.
    pub async fn csca(&mut self, key: &dyn Signer) -> Result<Certificate, Error> {
        if let Some(certificate) = self.stored("csca", key).await? {
            return match signs_until(&certificate) {
                Some(until) if until < self.now => Err(Error::CscaPeriodOver { until }),
                _ => Ok(certificate),
            };
        }
        let serial = self.intend("csca", CSCA).await?;
        let profile = self.suite.csca();
        let prepared = prepare_csca(&profile, &name(CSCA)?, serial.clone(), self.now, key.public_key())?;
        self.finish(prepared, serial, key, None).await
    }

    /// The document signer's certificate of this key, made under `csca` when there is none that may still
    /// sign.
    pub async fn document_signer(
        &mut self,
        csca: &Certificate,
        csca_key: &dyn Signer,
        key: &dyn Signer,
    ) -> Result<Certificate, Error> {
        self.document_signer_from(csca, csca_key, key, self.now).await
    }

    /// The same, whose key may sign from this instant on: signers are made ahead, each from the end of the
    /// one before.
    pub async fn document_signer_from(
        &mut self,
        csca: &Certificate,
        csca_key: &dyn Signer,
        key: &dyn Signer,
        from: OffsetDateTime,
    ) -> Result<Certificate, Error> {
        if let Some(certificate) = self.still_signing("document_signer", key).await? {
            return Ok(certificate);
        }
        let subject = "dancu Document Signer";
        let serial = self.intend("document_signer", subject).await?;
        let (profile, public_key) = (self.suite.document_signer(), key.public_key());
        let prepared =
            prepare_document_signer(&profile, csca, &name(subject)?, serial.clone(), from, public_key)?;
        self.finish(prepared, serial, csca_key, Some(csca)).await
    }

    /// The new CSCA's key under the old one's.
    pub async fn link(
        &mut self,
        old: &Certificate,
        old_key: &dyn Signer,
        new: &Certificate,
    ) -> Result<Certificate, Error> {
        let serial = self.intend("csca_link", CSCA).await?;
        let prepared = prepare_csca_link(&self.suite.csca_link(), old, new, serial.clone(), self.now)?;
        self.finish(prepared, serial, old_key, Some(old)).await
    }

    /// The master list signer's certificate of this key, made under `csca` when there is none that may still
    /// sign.
    pub async fn master_list_signer(
        &mut self,
        csca: &Certificate,
        csca_key: &dyn Signer,
        key: &dyn Signer,
    ) -> Result<Certificate, Error> {
        if let Some(certificate) = self.still_signing("master_list_signer", key).await? {
            return Ok(certificate);
        }
        let subject = "dancu Master List Signer";
        let serial = self.intend("master_list_signer", subject).await?;
        let (profile, public_key) = (self.suite.master_list_signer(), key.public_key());
        let prepared = prepare_master_list_signer(
            &profile,
            csca,
            &name(subject)?,
            serial.clone(),
            self.now,
            public_key,
        )?;
        self.finish(prepared, serial, csca_key, Some(csca)).await
    }

    /// A list of what is revoked under `csca`, the next one due after `days`.
    pub async fn crl(&self, csca: &Certificate, csca_key: &dyn Signer, days: u8) -> Result<Vec<u8>, Error> {
        let issuer = hex(csca.serial());
        let next_update = self.now + Duration::days(i64::from(days));
        let mut tx = self.db.begin().await?;
        let revoked = certificates::revoked_under(&mut tx, &issuer).await?;
        let number = certificates::intend_crl(&mut tx, &issuer, self.now, next_update).await?;
        store::commit(tx).await?;
        let revoked = revoked.iter().map(revocation).collect::<Result<Vec<_>, Error>>()?;
        let der =
            prepare_crl(csca, csca_key.algorithm(), number.unsigned_abs(), self.now, next_update, &revoked)?
                .sign(csca_key)?;
        let mut tx = self.db.begin().await?;
        certificates::complete_crl(&mut tx, number, &der).await?;
        let detail = serde_json::json!({ "number": number, "revoked": revoked.len() });
        self.audit(&mut tx, "crl.issue", format!("certificate:{issuer}"), detail).await?;
        store::commit(tx).await?;
        Ok(der)
    }

    /// Marks a certificate as revoked; the next list names it.
    ///
    /// # Errors
    /// [`Error::NotRevoked`] when there is no such certificate, or it was revoked before.
    pub async fn revoke(&self, serial: &str, reason: u8) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        if !certificates::revoke(&mut tx, serial, i16::from(reason), self.now).await? {
            return Err(Error::NotRevoked(serial.to_owned()));
        }
        let detail = serde_json::json!({ "reason": reason });
        self.audit(&mut tx, "certificate.revoke", format!("certificate:{serial}"), detail).await?;
        Ok(store::commit(tx).await?)
    }

    /// A master list of these certificates, signed by `key` under `csca`, and read back before it is given
    /// out.
    pub async fn master_list(
        &mut self,
        certificates: &[Certificate],
        csca: &Certificate,
        csca_key: &dyn Signer,
        key: &dyn Signer,
    ) -> Result<Vec<u8>, Error> {
        let signer = self.master_list_signer(csca, csca_key, key).await?;
        let der = prepare_master_list(certificates, &signer, csca, self.now)?.sign(key)?;
        MasterList::from_der(&der, std::slice::from_ref(csca))?;
        Ok(der)
    }

    /// The newest certificate of this key, if it has one.
    async fn stored(&self, role: &str, key: &dyn Signer) -> Result<Option<Certificate>, Error> {
        let wanted = PublicKey::from_spki(key.public_key())?;
        let mut conn = self.db.read().await?;
        for der in certificates::certificates(&mut conn, role).await? {
            let certificate = Certificate::from_der(&der)?;
            if certificate.key()? == wanted {
                return Ok(Some(certificate));
            }
        }
        Ok(None)
    }

    async fn still_signing(&self, role: &str, key: &dyn Signer) -> Result<Option<Certificate>, Error> {
        let stored = self.stored(role, key).await?;
        Ok(stored.filter(|c| signs_until(c).unwrap_or(c.not_after()) >= self.now))
    }

    async fn intend(&mut self, role: &str, subject: &str) -> Result<SerialNumber, Error> {
        let serial = SerialNumber::new(&(self.draw_serial)())?;
        let mut tx = self.db.begin().await?;
        certificates::intend_certificate(&mut tx, &hex(serial.as_bytes()), role, subject, self.now).await?;
        store::commit(tx).await?;
        Ok(serial)
    }

    /// Lints, signs and stores. What fails here leaves an intended serial number that is not used again.
    async fn finish(
        &self,
        prepared: PreparedCertificate,
        serial: SerialNumber,
        key: &dyn Signer,
        issuer: Option<&Certificate>,
    ) -> Result<Certificate, Error> {
        let certificate = prepared.lint()?.sign(SigningToken::after_recording(serial), key)?;
        let serial = hex(certificate.serial());
        let issuer = issuer.map(|issuer| hex(issuer.serial()));
        let mut tx = self.db.begin().await?;
        let (start, end) = (certificate.not_before(), certificate.not_after());
        certificates::complete_certificate(
            &mut tx,
            &serial,
            issuer.as_deref(),
            start,
            end,
            certificate.der(),
        )
        .await?;
        let detail = serde_json::json!({ "issuer": issuer });
        self.audit(&mut tx, "certificate.issue", format!("certificate:{serial}"), detail).await?;
        store::commit(tx).await?;
        Ok(certificate)
    }

    async fn audit(
        &self,
        tx: &mut store::PgConnection,
        action: &str,
        subject: String,
        detail: serde_json::Value,
    ) -> Result<(), Error> {
        let entry = store::audit::Entry {
            at: self.now,
            actor: domain::Actor::Centre,
            action: action.to_owned(),
            subject,
            unit_path: String::new(),
            detail,
        };
        Ok(store::audit::append(tx, &entry).await?)
    }
}

/// Until when the certified key may sign.
pub fn signs_until(certificate: &Certificate) -> Option<OffsetDateTime> {
    certificate.key_usage_period().and_then(|period| period.not_after)
}

fn name(common: &str) -> Result<Name, PkiError> {
    Name::new("VN", "dancu", common)
}

fn revocation(row: &certificates::Revoked) -> Result<Revocation, Error> {
    let inconsistent = |reason: &str| store::Error::Inconsistent {
        table: "certificate",
        row: row.serial.clone(),
        reason: reason.to_owned(),
    };
    let digits = |at: usize| row.serial.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..row.serial.len()).step_by(2).map(digits).collect();
    let bytes = bytes.ok_or_else(|| inconsistent("the serial number is not hexadecimal"))?;
    let reason = row.reason.map(u8::try_from).transpose();
    Ok(Revocation {
        serial: SerialNumber::new(&bytes)?,
        at: row.at,
        reason: reason.map_err(|_| inconsistent("the reason is no CRLReason"))?,
    })
}

/// Lower-case hexadecimal, as serial numbers are stored.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
