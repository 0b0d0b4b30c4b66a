//! Whom the chip trusts to authorise inspection systems, and which day it believes it is.

use time::Date;

use crate::Error;
use crate::terminal::{MOST_TRUST_POINTS, encode_trust_points, own_key};
use card::tlv::{self, Tag, Tlv};
use pki::{CvCertificate, CvPublicKey, HolderReference, Parameters, Rights, cv_date, cv_date_bytes};

/// Objects in the bytes of a memory.
pub(super) const TRUST_POINT: Tag = Tag(0xA1);
/// The effective date of a certificate and the day of the chip have one form.
pub(super) const DAY: Tag = Tag(0x5F25);

/// A CVCA's key. The certificate that brought it says until when it verifies others, and what it may pass on.
pub(super) struct TrustPoint {
    certificate: CvCertificate,
    key: CvPublicKey,
}

impl TrustPoint {
    pub(super) fn new(certificate: CvCertificate, key: CvPublicKey) -> TrustPoint {
        TrustPoint { certificate, key }
    }

    /// From a CVCA's certificate of its own key.
    pub(super) fn own(bytes: &[u8]) -> Result<TrustPoint, Error> {
        let certificate = CvCertificate::parse(bytes)?;
        let key = own_key(&certificate)?;
        Ok(TrustPoint { certificate, key })
    }

    pub(super) fn key(&self) -> &CvPublicKey {
        &self.key
    }

    pub(super) fn rights(&self) -> Rights {
        self.certificate.authorization().map_or(Rights::NONE, |authorization| authorization.rights)
    }
}

/// The trust points, at most two, the most recent first; and the day.
#[derive(Default)]
pub(super) struct Trust {
    points: Vec<TrustPoint>,
    day: Option<Date>,
    /// EF.CVCA, which follows from the points.
    file: Vec<u8>,
}

impl Trust {
    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub(super) fn find(&self, holder: &HolderReference) -> Option<&TrustPoint> {
        self.points.iter().find(|point| point.certificate.holder() == holder)
    }

    /// EF.CVCA; `None` where nobody is trusted.
    pub(super) fn file(&self) -> Option<&[u8]> {
        (!self.points.is_empty()).then_some(&self.file)
    }

    #[cfg(test)]
    pub(super) fn day(&self) -> Option<Date> {
        self.day
    }

    /// Whether a certificate with this last day is over. Only certificates tell the chip the day, so that a
    /// chip which has not met a recent one believes a stale one.
    pub(super) fn is_over(&self, last: Date) -> bool {
        self.day.is_some_and(|day| last < day)
    }

    /// Whether the point's certificate is over, after which it verifies links only (Doc 9303-11 §7.1.4.3.4).
    pub(super) fn is_point_over(&self, point: &TrustPoint) -> bool {
        self.is_over(point.certificate.expires())
    }

    /// At the personalisation: this point and no other.
    pub(super) fn begin_with(&mut self, point: TrustPoint) {
        self.points.clear();
        self.enable(point);
    }

    /// The day never goes back. True when it changed.
    pub(super) fn advance(&mut self, day: Date) -> bool {
        let later = self.day.is_none_or(|known| known < day);
        if later {
            self.day = Some(day);
        }
        later
    }

    /// Trusts one more. Of three the one that is in effect for longest is dropped.
    pub(super) fn enable(&mut self, point: TrustPoint) {
        self.advance(point.certificate.effective());
        self.points.insert(0, point);
        self.points.sort_by_key(|point| std::cmp::Reverse(point.certificate.effective()));
        self.points.truncate(MOST_TRUST_POINTS);
        self.file = encode_trust_points(self.points.iter().map(|point| point.certificate.holder()));
    }

    /// The objects of [`Trust::load`], for the bytes of a memory.
    pub(super) fn objects(&self) -> Vec<Vec<u8>> {
        let points = self.points.iter().map(|point| {
            let key = point.key.to_object(Parameters::Present);
            tlv::encode(TRUST_POINT, &[&key, point.certificate.bytes()])
        });
        let day = self.day.and_then(cv_date_bytes).map(|day| tlv::encode(DAY, &[&day]));
        points.chain(day).collect()
    }

    /// Takes one object of a memory; the points must come as they stand, the most recent first.
    pub(super) fn load(&mut self, object: &Tlv<'_>) -> Result<(), Error> {
        let wrong = Error::Memory;
        if object.tag == DAY {
            self.day = Some(cv_date(object.value).ok_or(wrong("a day"))?);
            return Ok(());
        }
        let mut reader = object.children()?;
        let key = CvPublicKey::from_object(reader.expect(Tag(0x7F49), "public key (7F49) expected")?.raw)?;
        let certificate =
            CvCertificate::parse(reader.expect(Tag(0x7F21), "certificate (7F21) expected")?.raw)?;
        reader.finish()?;
        if self.points.len() == MOST_TRUST_POINTS || self.find(certificate.holder()).is_some() {
            return Err(wrong("more trust points than a chip has"));
        }
        if self.points.iter().any(|point| point.certificate.effective() < certificate.effective()) {
            return Err(wrong("trust points out of their order"));
        }
        self.points.push(TrustPoint { certificate, key });
        self.file = encode_trust_points(self.points.iter().map(|point| point.certificate.holder()));
        Ok(())
    }

    /// After [`Trust::load`] of every object.
    pub(super) fn check(&self) -> Result<(), Error> {
        match (self.points.first(), self.day) {
            (Some(point), Some(day)) if day >= point.certificate.effective() => Ok(()),
            (Some(_), _) => Err(Error::Memory("trust points without a day, or from after it")),
            (None, _) => Ok(()),
        }
    }
}
