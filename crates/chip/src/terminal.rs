//! Terminal Authentication (Doc 9303-11 §7.1): what both sides compute alike, and what each of them has to
//! begin with.

use std::sync::Arc;

use time::Date;

use crate::Error;
use card::tlv::{self, Reader, Tag};
use pki::{CvCertificate, CvPublicKey, CvRole, HolderReference, Signer, cv_date_bytes};

/// Bytes of EF.CVCA (Doc 9303-11 appendix K.2).
pub(crate) const EF_CVCA_LEN: usize = 36;
/// References in it at most.
pub(crate) const MOST_TRUST_POINTS: usize = 2;
const AUTHORITY_REFERENCE: Tag = Tag(0x42);
/// Certificates of one inspection system at most: its own, its verifier's, and links of many changes of key.
const MOST_CERTIFICATES: usize = 64;

/// What the inspection system signs: who the chip is, the chip's challenge, and the key under which both talk
/// (Doc 9303-11 §7.1.2), so that the signature is worth nothing to another chip, at another time, or in
/// another channel.
pub(crate) fn message(chip: &[u8], challenge: &[u8; 8], reader_key: &[u8]) -> Vec<u8> {
    [chip, challenge, reader_key].concat()
}

/// EF.CVCA: the most recent reference first, zeros to the end.
pub(crate) fn encode_trust_points<'a>(points: impl Iterator<Item = &'a HolderReference>) -> Vec<u8> {
    let mut file = Vec::with_capacity(EF_CVCA_LEN);
    for point in points.take(MOST_TRUST_POINTS) {
        file.extend(tlv::encode(AUTHORITY_REFERENCE, &[point.as_str().as_bytes()]));
    }
    file.resize(EF_CVCA_LEN, 0);
    file
}

/// Reads EF.CVCA. `None` if it is something else.
pub(crate) fn parse_trust_points(file: &[u8]) -> Option<Vec<HolderReference>> {
    let end = file.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let mut reader = Reader::new(&file[..end]);
    let mut points = Vec::new();
    while let Some(object) = reader.read().ok()? {
        let text =
            (object.tag == AUTHORITY_REFERENCE).then(|| std::str::from_utf8(object.value).ok()).flatten()?;
        points.push(HolderReference::parse(text).ok()?);
    }
    (points.len() <= MOST_TRUST_POINTS).then_some(points)
}

/// Whom a new chip trusts to say who may read fingers, and the day from which it counts.
#[derive(Debug, Clone)]
pub struct TrustAnchor {
    pub(crate) cvca: CvCertificate,
    pub(crate) today: Date,
}

impl TrustAnchor {
    /// `cvca` is a country verifying CA's certificate of its own key; `today` the day of the personalisation,
    /// which is the chip's date until a certificate tells it a later one (Doc 9303-11 §7.1.4.3.1).
    pub fn new(cvca: CvCertificate, today: Date) -> Result<TrustAnchor, Error> {
        own_key(&cvca)?;
        if cv_date_bytes(today).is_none() {
            return Err(Error::Unfit("a chip knows the years 2000 to 2099 only"));
        }
        Ok(TrustAnchor { cvca, today })
    }

    /// The certificate of the country verifying CA that inspection systems must stand under.
    pub fn cvca(&self) -> &CvCertificate {
        &self.cvca
    }
}

/// The key of a CVCA's certificate of its own key, which must be genuine in itself.
pub(crate) fn own_key(cvca: &CvCertificate) -> Result<CvPublicKey, Error> {
    let role = cvca.authorization().map(|authorization| authorization.role);
    if role != Some(CvRole::Cvca) || !cvca.is_self_signed() {
        return Err(Error::Unfit(
            "the trust anchor must be a country verifying CA's certificate of its own key",
        ));
    }
    let key = cvca.public_key(None)?;
    cvca.verify(&key)?;
    Ok(key)
}

/// An inspection system: its key, and the certificates that lead from what a chip trusts to it.
#[derive(Clone)]
pub struct InspectionSystem {
    key: Arc<dyn Signer>,
    own: CvCertificate,
    others: Vec<CvCertificate>,
}

impl std::fmt::Debug for InspectionSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InspectionSystem({:?})", self.own)
    }
}

impl InspectionSystem {
    /// `certificates` are its own, its verifier's, and any links between keys of the CVCA; others are passed
    /// over. Of several for this key the one that lasts longest is taken.
    ///
    /// # Errors
    /// When none of the certificates is an inspection system's with this key, or there are more than 64.
    pub fn new(certificates: Vec<CvCertificate>, key: Arc<dyn Signer>) -> Result<InspectionSystem, Error> {
        if certificates.len() > MOST_CERTIFICATES {
            return Err(Error::InspectionSystem("it has more than 64 certificates"));
        }
        let public = CvPublicKey::from_spki(key.public_key())?;
        let is_own = |certificate: &&CvCertificate| {
            let role = certificate.authorization().map(|authorization| authorization.role);
            role == Some(CvRole::InspectionSystem)
                && certificate.public_key(Some(public.curve())).is_ok_and(|certified| certified == public)
        };
        let own = certificates.iter().filter(is_own).max_by_key(|certificate| certificate.expires()).cloned();
        let own = own.ok_or(Error::InspectionSystem("none of the certificates is its key's"))?;
        Ok(InspectionSystem { key, own, others: certificates })
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &CvCertificate {
        &self.own
    }

    pub(crate) fn key(&self) -> &dyn Signer {
        self.key.as_ref()
    }

    /// The certificates to show, in order: the first is under one of these trust points, the last is its own.
    pub(crate) fn chain_from(&self, trust: &[HolderReference]) -> Option<Vec<&CvCertificate>> {
        let mut chain = vec![&self.own];
        loop {
            let issuer = chain[chain.len() - 1].issuer();
            if trust.contains(issuer) {
                chain.reverse();
                return Some(chain);
            }
            let above =
                self.others.iter().find(|other| other.holder() == issuer && !other.is_self_signed())?;
            if chain.len() > self.others.len() {
                // The certificates go round in a circle.
                return None;
            }
            chain.push(above);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_file_is_read_without_a_panic(
            file in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
        ) {
            if let Some(points) = parse_trust_points(&file) {
                proptest::prop_assert!(points.len() <= MOST_TRUST_POINTS);
            }
        }
    }

    #[test]
    fn trust_points_fill_a_file_of_fixed_length() {
        let point = |sequence| HolderReference::new("VN", "ABCDEFGHI", sequence).unwrap();
        for points in [vec![], vec![point(1)], vec![point(2), point(1)]] {
            let file = encode_trust_points(points.iter());
            assert_eq!(file.len(), 36);
            assert_eq!(parse_trust_points(&file), Some(points));
        }
        assert_eq!(encode_trust_points([point(1)].iter())[..3], [0x42, 16, b'V']);
        assert_eq!(parse_trust_points(&[0x42, 3, b'V', b'N', b'1']), None);
        assert_eq!(parse_trust_points(&[0x43, 0x00, 0x01]), None);
    }
}
