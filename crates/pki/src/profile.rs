use time::{Month, OffsetDateTime};

use crate::SignatureAlgorithm;

/// What kind of certificate a profile makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The country signing certification authority, self-signed.
    Csca,
    /// Signs the security objects of cards.
    DocumentSigner,
}

/// Calendar time from a certificate's first moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    pub years: u8,
    pub months: u8,
}

impl Term {
    /// The same day of the month later, or that month's last day; one second earlier, so that consecutive
    /// terms do not overlap.
    pub fn end_from(self, start: OffsetDateTime) -> OffsetDateTime {
        let months =
            i32::from(self.years) * 12 + i32::from(self.months) + i32::from(u8::from(start.month())) - 1;
        let year = start.year() + months / 12;
        let month = Month::January.nth_next((months % 12) as u8);
        let day = start.day().min(month.length(year));
        let date = time::Date::from_calendar_date(year, month, day).expect("day was limited to the month");
        start.replace_date(date) - time::Duration::seconds(1)
    }
}

/// Everything about a certificate that is policy and not identity.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    pub role: Role,
    pub algorithm: SignatureAlgorithm,
    /// From not-before to not-after.
    pub validity: Term,
    /// How long the private key signs (Doc 9303-12, key periods).
    pub private_key_usage: Term,
    /// Bits of keyUsage, first bit first (RFC 5280 §4.2.1.3).
    pub key_usage: &'static [u8],
    /// pathLenConstraint; absent means no basicConstraints at all.
    pub path_length: Option<u8>,
    /// ISO 3166-1 alpha-3 code for subject and issuer alternative names (Doc 9303-12).
    pub locality: &'static str,
    /// Document types in the MRZ that a document signer may sign for (Doc 9303-12).
    pub document_types: &'static [&'static str],
    /// Where the country publishes its revocation list.
    pub crl_uri: &'static str,
}

const DIGITAL_SIGNATURE: u8 = 0;
const KEY_CERT_SIGN: u8 = 5;
const CRL_SIGN: u8 = 6;

/// Terms as the country's own passport CSCA has them: 15 years, of which the key signs 5.
pub const CSCA_P256: Profile = Profile {
    role: Role::Csca,
    algorithm: SignatureAlgorithm::EcdsaP256Sha256,
    validity: Term { years: 15, months: 0 },
    private_key_usage: Term { years: 5, months: 0 },
    key_usage: &[KEY_CERT_SIGN, CRL_SIGN],
    path_length: Some(0),
    locality: "VNM",
    document_types: &[],
    crl_uri: "http://crl.example/vnm.crl",
};

/// The key signs for three months; the certificate outlives it by ten years, the longest that fits under a
/// CSCA of fifteen years at the end of its own five. A card valid for longer needs both terms longer.
pub const DOCUMENT_SIGNER_P256: Profile = Profile {
    role: Role::DocumentSigner,
    algorithm: SignatureAlgorithm::EcdsaP256Sha256,
    validity: Term { years: 10, months: 0 },
    private_key_usage: Term { years: 0, months: 3 },
    key_usage: &[DIGITAL_SIGNATURE],
    path_length: None,
    locality: "VNM",
    document_types: &["ID"],
    crl_uri: "http://crl.example/vnm.crl",
};

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn terms_end_on_the_same_day_or_the_months_last() {
        let end = |years, months, start| Term { years, months }.end_from(start);
        assert_eq!(end(0, 3, datetime!(2021-11-30 00:00 UTC)), datetime!(2022-02-27 23:59:59 UTC));
        assert_eq!(end(15, 0, datetime!(2021-01-01 00:00 UTC)), datetime!(2035-12-31 23:59:59 UTC));
        assert_eq!(end(1, 0, datetime!(2024-02-29 12:00 UTC)), datetime!(2025-02-28 11:59:59 UTC));
        assert_eq!(end(0, 12, datetime!(2021-12-05 00:00 UTC)), datetime!(2022-12-04 23:59:59 UTC));
    }
}
