use der::asn1::ObjectIdentifier;
use time::{Month, OffsetDateTime};

use crate::{ParameterForm, SignatureAlgorithm};

/// What kind of certificate a profile makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The country signing certification authority, self-signed.
    Csca,
    /// The new CSCA key under the old one's signature, for those who trust the old one.
    CscaLink,
    /// Signs the security objects of cards.
    DocumentSigner,
    /// Signs lists of CSCA certificates.
    MasterListSigner,
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

impl Term {
    /// One term after the other.
    pub const fn then(self, next: Term) -> Term {
        let months = self.months as u16 + next.months as u16;
        Term { years: self.years + next.years + (months / 12) as u8, months: (months % 12) as u8 }
    }
}

/// Everything about a certificate that is policy and not identity.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    pub role: Role,
    /// What the certified key signs with.
    pub algorithm: SignatureAlgorithm,
    /// How the certified key's curve is written.
    pub parameters: ParameterForm,
    /// From not-before to not-after.
    pub validity: Term,
    /// How long the private key signs (Doc 9303-12, key periods).
    pub private_key_usage: Term,
    /// The longest validity of what the key signs: cards, certificates, lists. A certificate must be valid
    /// for the key's use and this after it (Doc 9303-12, key periods), or what was signed last outlives its
    /// proof.
    pub longest_product: Term,
    /// Bits of keyUsage, first bit first (RFC 5280 §4.2.1.3).
    pub key_usage: &'static [u8],
    /// The one purpose in a critical extKeyUsage; absent means no such extension.
    pub extended_key_usage: Option<ObjectIdentifier>,
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

/// id-icao-mrtd-security-cscaMasterListSigningKey (Doc 9303-12, master list signer).
pub(crate) const MASTER_LIST_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.3");

/// How long a citizen card may run. A card issued on the 38th birthday runs to the 60th, 22 years, the
/// longest that bears a date; one issued from 58 on bears none (Law on Citizen Identification 2014, art. 20
/// and 21). Such a card counts here to its holder's hundredth birthday, which is 42 years from the 58th.
pub const LONGEST_CARD: Term = Term { years: 42, months: 0 };

/// The longest that Doc 9303-12 lets a document signer's key sign.
const DOCUMENT_SIGNER_USAGE: Term = Term { years: 0, months: 3 };
const DOCUMENT_SIGNER_VALIDITY: Term = DOCUMENT_SIGNER_USAGE.then(LONGEST_CARD);

/// A CSCA key signs for five years, as that of the country's own passports does.
const CSCA_USAGE: Term = Term { years: 5, months: 0 };

/// A master list is replaced by the next; a year is ample for one that is carried on paper roads.
const MASTER_LIST_SIGNER_USAGE: Term = Term { years: 1, months: 0 };
const LONGEST_MASTER_LIST: Term = Term { years: 1, months: 0 };

/// What the profiles of one CSCA and everything under it have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// As a command line names it.
    pub name: &'static str,
    pub algorithm: SignatureAlgorithm,
    pub parameters: ParameterForm,
}

impl Suite {
    /// Every choice that `pki init` offers.
    pub const ALL: [Suite; 6] = [
        suite("p256", SignatureAlgorithm::EcdsaP256Sha256, ParameterForm::Named),
        suite("p256-explicit", SignatureAlgorithm::EcdsaP256Sha256, ParameterForm::Explicit),
        suite("brainpool-p256r1", SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256, ParameterForm::Named),
        suite(
            "brainpool-p256r1-explicit",
            SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256,
            ParameterForm::Explicit,
        ),
        suite("p384", SignatureAlgorithm::EcdsaP384Sha384, ParameterForm::Named),
        suite("p384-explicit", SignatureAlgorithm::EcdsaP384Sha384, ParameterForm::Explicit),
    ];

    /// The suite of this name.
    pub fn named(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.name == name)
    }

    /// Self-signed. The certificate is valid until the last document signer's that it may sign has expired.
    pub const fn csca(self) -> Profile {
        Profile {
            role: Role::Csca,
            algorithm: self.algorithm,
            parameters: self.parameters,
            validity: CSCA_USAGE.then(DOCUMENT_SIGNER_VALIDITY),
            private_key_usage: CSCA_USAGE,
            longest_product: DOCUMENT_SIGNER_VALIDITY,
            key_usage: &[KEY_CERT_SIGN, CRL_SIGN],
            extended_key_usage: None,
            path_length: Some(0),
            locality: "VNM",
            document_types: &[],
            crl_uri: "http://crl.example/vnm.crl",
        }
    }

    /// The same key, use and validity as the self-signed certificate of the new key.
    pub const fn csca_link(self) -> Profile {
        Profile { role: Role::CscaLink, ..self.csca() }
    }

    /// The key signs for three months; its certificate is valid until the last card it may sign has expired.
    pub const fn document_signer(self) -> Profile {
        Profile {
            role: Role::DocumentSigner,
            validity: DOCUMENT_SIGNER_VALIDITY,
            private_key_usage: DOCUMENT_SIGNER_USAGE,
            longest_product: LONGEST_CARD,
            key_usage: &[DIGITAL_SIGNATURE],
            path_length: None,
            document_types: &["ID"],
            ..self.csca()
        }
    }

    /// The profile of the certificate that signs master lists (Doc 9303-12).
    pub const fn master_list_signer(self) -> Profile {
        Profile {
            role: Role::MasterListSigner,
            validity: MASTER_LIST_SIGNER_USAGE.then(LONGEST_MASTER_LIST),
            private_key_usage: MASTER_LIST_SIGNER_USAGE,
            longest_product: LONGEST_MASTER_LIST,
            key_usage: &[DIGITAL_SIGNATURE],
            extended_key_usage: Some(MASTER_LIST_SIGNING),
            path_length: None,
            ..self.csca()
        }
    }
}

const fn suite(name: &'static str, algorithm: SignatureAlgorithm, parameters: ParameterForm) -> Suite {
    Suite { name, algorithm, parameters }
}

/// [`Suite::csca`] on P-256 with the curve by name.
pub const CSCA_P256: Profile = Suite::ALL[0].csca();

/// [`Suite::document_signer`] on P-256 with the curve by name.
pub const DOCUMENT_SIGNER_P256: Profile = Suite::ALL[0].document_signer();

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

    #[test]
    fn terms_add_up() {
        let term = |years, months| Term { years, months };
        assert_eq!(term(0, 3).then(term(42, 0)), term(42, 3));
        assert_eq!(term(5, 10).then(term(1, 3)), term(7, 1));
    }
}
