//! Document signers and revocation lists: made ahead with the CSCA's key by `dancu pki`, and found by the day
//! by whoever signs cards. Nothing here that signs cards opens the CSCA's key.
//!
//! A document signer's key signs for three months at most (ICAO Doc 9303-12, key periods). Several are made
//! at once, each from the end of the one before, so that the CSCA's key may sleep for as long as they reach.

use std::sync::{Arc, Mutex};

use time::{Duration, OffsetDateTime};

use crate::keys::cscas;
use crate::{Centre, Error, Installation, Keys};
use issue::Authority;
use issue::certificates::{hex, signs_until};
use pki::{Certificate, Crl, PublicKey, Signer, Suite};
use store::PgConnection;
use store::cards::certificates::{self, Listed};

/// Signers of one command at most: those of the five years for which a CSCA's key signs, and some.
const MOST_AT_ONCE: u32 = 24;
/// Days for which a revocation list is in force; Doc 9303-12 allows no more.
pub const LIST_DAYS: u8 = 90;

/// How many document signers are to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// One that signs from now on, beside whatever there is: after a suspected leak, for example.
    Now,
    /// So many more, the first from the end of what there is.
    Periods(u32),
    /// As many as it takes for one to sign at every instant until this one.
    Until(OffsetDateTime),
}

/// When one document signer may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// The certificate's serial number in lower-case hexadecimal.
    pub serial: String,
    /// Its first second.
    pub from: OffsetDateTime,
    /// Its last second.
    pub until: OffsetDateTime,
}

/// Until when there is a document signer at every instant from now on, if there is one now.
pub fn covered_until(periods: &[Period], now: OffsetDateTime) -> Option<OffsetDateTime> {
    let mut covered = None;
    let mut at = now;
    // Each turn ends later, and there are no more ends than periods.
    while let Some(until) = periods
        .iter()
        .filter(|period| period.from <= at && at <= period.until)
        .map(|period| period.until)
        .max()
    {
        covered = Some(until);
        at = until + Duration::SECOND;
    }
    covered
}

/// The signer that signs at this instant: of several the one that began last, so that a new one takes the
/// place of one that is doubted.
pub fn signing(periods: &[Period], now: OffsetDateTime) -> Option<&Period> {
    let may = periods.iter().filter(|period| period.from <= now && now <= period.until);
    may.max_by_key(|period| (period.from, period.until, &period.serial))
}

/// A certificate's period, and what is stored of it.
struct Signing {
    period: Period,
    row: Listed,
    certificate: Certificate,
}

/// The document signers that are not revoked, nor certified by a CSCA that is.
async fn document_signers(conn: &mut PgConnection) -> Result<Vec<Signing>, Error> {
    let rows = certificates::all(conn).await?;
    let revoked: Vec<String> =
        rows.iter().filter(|row| row.revoked_at.is_some()).map(|row| row.serial.clone()).collect();
    let is_revoked = |serial: &Option<String>| serial.as_ref().is_some_and(|serial| revoked.contains(serial));
    let good = rows.into_iter().filter(|row| {
        row.role == "document_signer" && row.revoked_at.is_none() && !is_revoked(&row.issuer_serial)
    });
    good.map(|row| {
        let certificate = Certificate::from_der(&row.der)?;
        let until = signs_until(&certificate).unwrap_or(certificate.not_after());
        let period = Period { serial: row.serial.clone(), from: certificate.not_before(), until };
        Ok(Signing { period, row, certificate })
    })
    .collect()
}

/// When each document signer that is not revoked may sign.
///
/// # Errors
/// Those of the database; a stored certificate that cannot be read.
pub async fn periods(centre: &Installation) -> Result<Vec<Period>, Error> {
    let mut conn = centre.db.read().await?;
    Ok(document_signers(&mut conn).await?.into_iter().map(|signing| signing.period).collect())
}

/// Makes the CSCA's key and its certificate. A key that was made and not certified, because somebody pulled
/// the plug, is taken.
///
/// # Errors
/// A key store that cannot be used.
pub async fn make_csca(centre: &Installation, keys: &Keys) -> Result<Certificate, Error> {
    let key = keys.make(Keys::csca_name(keys.settings.csca)).await?;
    Ok(keys.certifier(centre).csca(key.as_ref()).await?)
}

/// Makes document signers: a key and a certificate each, under the CSCA's key of today. Doing it again until
/// the same instant makes none.
///
/// # Errors
/// A CSCA that there is not yet, or whose key may sign no more; [`Error::BeyondCsca`],
/// [`Error::TooFarAhead`].
pub async fn issue(
    centre: &Installation,
    keys: &Keys,
    ahead: Ahead,
) -> Result<Vec<(u32, Certificate)>, Error> {
    let now = centre.clock.now();
    let covered = covered_until(&periods(centre).await?, now);
    let mut next = match (ahead, covered) {
        (Ahead::Now, _) | (_, None) => now,
        (Ahead::Periods(_) | Ahead::Until(_), Some(until)) => until + Duration::SECOND,
    };
    let is_enough = |made: u32, next: OffsetDateTime| match ahead {
        Ahead::Now => made == 1,
        Ahead::Periods(wanted) => made == wanted,
        Ahead::Until(until) => next > until,
    };
    let mut issued = Vec::new();
    if is_enough(0, next) {
        return Ok(issued);
    }
    let csca_key = keys.current_csca().await?;
    let csca = keys.certifier(centre).csca(csca_key.as_ref()).await?;
    let mut conn = centre.db.read().await?;
    let mut certified = Vec::new();
    for der in certificates::certificates(&mut conn, "document_signer").await? {
        certified.push(Certificate::from_der(&der)?.key()?);
    }
    drop(conn);
    for number in 1.. {
        if is_enough(issued.len() as u32, next) {
            break;
        }
        if issued.len() as u32 == MOST_AT_ONCE {
            return Err(Error::TooFarAhead { made: MOST_AT_ONCE });
        }
        if let Some(until) = beyond(&csca, keys.suite, next) {
            return Err(Error::BeyondCsca { until: until.date(), made: issued.len() });
        }
        // One that was made and not certified, because somebody pulled the plug, is taken.
        let key = keys.make(Keys::document_signer_name(number)).await?;
        if certified.contains(&PublicKey::from_spki(key.public_key())?) {
            continue;
        }
        let mut certifier = keys.certifier(centre);
        let made = certifier.document_signer_from(&csca, csca_key.as_ref(), key.as_ref(), next).await?;
        next = signs_until(&made).unwrap_or(made.not_after()) + Duration::SECOND;
        issued.push((number, made));
    }
    Ok(issued)
}

/// Until when the CSCA's key certifies, when it does not certify a signer that begins at this instant: its
/// own use is over, or the signer would outlive it. Months are not equally long: quarters counted from 30
/// November soon begin on the 28th, so that one more than twenty begins within the five years of the key, and
/// it ends in the same February as the CSCA, at a later time of the day.
fn beyond(csca: &Certificate, suite: Suite, next: OffsetDateTime) -> Option<OffsetDateTime> {
    let outlives = suite.document_signer().validity.end_from(next) > csca.not_after();
    let until = signs_until(csca)?;
    (until < next || outlives).then_some(until.min(next))
}

/// The authority that signed last, so that its key is opened once and not in every round.
#[derive(Clone, Default)]
pub(crate) struct Remembered(Arc<Mutex<Option<Kept>>>);

/// An authority under the serial number of its document signer's certificate.
type Kept = (String, Arc<Authority>);

impl Remembered {
    fn get(&self, serial: &str) -> Option<Arc<Authority>> {
        let kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.as_ref().filter(|(of, _)| of == serial).map(|(_, authority)| Arc::clone(authority))
    }

    fn set(&self, serial: String, authority: &Arc<Authority>) {
        let mut kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *kept = Some((serial, Arc::clone(authority)));
    }
}

/// The authority that signs cards now: the document signer of the day with its key. The CSCA's key is not
/// opened, and nothing is made.
///
/// # Errors
/// [`Error::NoSigner`] when none may sign now; [`Error::SignersKey`] when its key is not here.
pub(crate) async fn authority(centre: &Centre, remembered: &Remembered) -> Result<Arc<Authority>, Error> {
    let now = centre.clock.now();
    let mut conn = centre.db.read().await?;
    let signers = document_signers(&mut conn).await?;
    let periods: Vec<Period> = signers.iter().map(|signing| signing.period.clone()).collect();
    let Some(of_the_day) = signing(&periods, now) else {
        let next = periods.iter().map(|period| period.from).filter(|from| *from > now).min();
        return Err(Error::NoSigner { day: centre.clock.today(), next: next.map(OffsetDateTime::date) });
    };
    if let Some(authority) = remembered.get(&of_the_day.serial) {
        return Ok(authority);
    }
    let found = signers.iter().find(|signing| signing.period.serial == of_the_day.serial);
    let Signing { row, certificate, .. } = found.expect("the period is of one of them");
    let issuer = row.issuer_serial.as_deref().unwrap_or_default();
    let csca = certificates::certificate(&mut conn, issuer).await?;
    drop(conn);
    let csca = csca.ok_or_else(|| store::Error::Inconsistent {
        table: "certificate",
        row: row.serial.clone(),
        reason: "the certificate of its issuer is not there".to_owned(),
    })?;
    let key = key_of(&Keys::of(centre).await?, certificate).await?;
    let authority = Authority::with(Certificate::from_der(&csca.der)?, certificate.clone(), key)?;
    let authority = Arc::new(authority.with_chip_keys(centre.chip_keys()));
    remembered.set(row.serial.clone(), &authority);
    Ok(authority)
}

/// The key of this document signer, among those that are here.
async fn key_of(keys: &Keys, certificate: &Certificate) -> Result<Arc<dyn Signer>, Error> {
    let wanted = certificate.key()?;
    for number in 1.. {
        match keys.key(Keys::document_signer_name(number)).await {
            Ok(key) if PublicKey::from_spki(key.public_key())? == wanted => return Ok(key),
            Ok(_) => {}
            Err(Error::NoKey { .. } | Error::NoTokenKey { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Err(Error::SignersKey { serial: hex(certificate.serial()) })
}

/// A revocation list and the CSCA that signed it.
#[derive(Debug)]
pub struct IssuedList {
    /// The CSCA's certificate.
    pub csca: Certificate,
    /// The list, in DER.
    pub der: Vec<u8>,
}

/// Issues the revocation list of every CSCA key, the next ones due after `days`.
///
/// # Errors
/// [`Error::NoCsca`]; those of [`cscas`]; a term that Doc 9303-12 does not allow.
pub async fn issue_lists(centre: &Installation, keys: &Keys, days: u8) -> Result<Vec<IssuedList>, Error> {
    let cscas = cscas(centre, keys).await?;
    if cscas.is_empty() {
        return Err(Error::NoCsca);
    }
    let mut issued = Vec::new();
    for (csca, key) in cscas {
        let der = keys.certifier(centre).crl(&csca, key.as_ref(), days).await?;
        issued.push(IssuedList { csca, der });
    }
    Ok(issued)
}

/// The first instant at which the newest list of some CSCA is over; `None` when one has no list at all.
///
/// # Errors
/// Those of the database; a stored certificate or list that cannot be read.
pub async fn lists_due(centre: &Installation) -> Result<Option<OffsetDateTime>, Error> {
    let mut conn = centre.db.read().await?;
    let mut first = None;
    for der in certificates::certificates(&mut conn, "csca").await? {
        let csca = Certificate::from_der(&der)?;
        let Some(der) = certificates::newest_crl(&mut conn, &hex(csca.serial())).await? else {
            return Ok(None);
        };
        let due = Crl::from_der(&der, &csca)?.next_update();
        first = [first, due].into_iter().flatten().min();
    }
    Ok(first)
}

/// The newest revocation list of the CSCA certificate with this serial number, in force or over, and when the
/// next was due. Only `dancu pki crl` issues lists.
///
/// # Errors
/// Those of the database; a stored list that cannot be read.
pub async fn newest_list(
    centre: &Installation,
    csca: &Certificate,
) -> Result<Option<(Vec<u8>, Option<OffsetDateTime>)>, Error> {
    let mut conn = centre.db.read().await?;
    let Some(der) = certificates::newest_crl(&mut conn, &hex(csca.serial())).await? else { return Ok(None) };
    let due = Crl::from_der(&der, csca)?.next_update();
    Ok(Some((der, due)))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn period(serial: &str, from: OffsetDateTime, until: OffsetDateTime) -> Period {
        Period { serial: serial.to_owned(), from, until }
    }

    fn three() -> [Period; 3] {
        [
            period("a", datetime!(2021-01-01 0:00 UTC), datetime!(2021-03-31 23:59:59 UTC)),
            period("b", datetime!(2021-04-01 0:00 UTC), datetime!(2021-06-30 23:59:59 UTC)),
            // After a gap of a day.
            period("c", datetime!(2021-07-02 0:00 UTC), datetime!(2021-10-01 23:59:59 UTC)),
        ]
    }

    fn check_cover(now: OffsetDateTime, expect: Option<OffsetDateTime>) {
        assert_eq!(covered_until(&three(), now), expect, "{now}");
    }

    #[test]
    fn what_follows_on_one_another_covers_until_the_first_gap() {
        check_cover(datetime!(2020-12-31 23:59:59 UTC), None);
        check_cover(datetime!(2021-01-01 0:00 UTC), Some(datetime!(2021-06-30 23:59:59 UTC)));
        check_cover(datetime!(2021-06-30 23:59:59 UTC), Some(datetime!(2021-06-30 23:59:59 UTC)));
        check_cover(datetime!(2021-07-01 12:00 UTC), None);
        check_cover(datetime!(2021-07-02 0:00 UTC), Some(datetime!(2021-10-01 23:59:59 UTC)));
        check_cover(datetime!(2021-10-02 0:00 UTC), None);
    }

    #[test]
    fn the_signer_of_the_day_is_the_one_that_began_last() {
        let mut periods = three().to_vec();
        let of = |periods: &[Period], now| signing(periods, now).map(|period| period.serial.clone());
        assert_eq!(of(&periods, datetime!(2021-02-01 0:00 UTC)).as_deref(), Some("a"));
        assert_eq!(of(&periods, datetime!(2021-04-01 0:00 UTC)).as_deref(), Some("b"));
        assert_eq!(of(&periods, datetime!(2021-07-01 0:00 UTC)), None);
        periods.push(period("new", datetime!(2021-02-01 0:00 UTC), datetime!(2021-04-30 23:59:59 UTC)));
        assert_eq!(of(&periods, datetime!(2021-01-31 0:00 UTC)).as_deref(), Some("a"));
        assert_eq!(of(&periods, datetime!(2021-02-01 0:00 UTC)).as_deref(), Some("new"));
    }
}
