use der::asn1::ObjectIdentifier;

use crate::{PkiError, write};

pub(crate) const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
pub(crate) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
pub(crate) const LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.7");

/// The name of a certificate's subject: country, organisation, common name (Doc 9303-12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    country: String,
    organization: String,
    common_name: String,
}

impl Name {
    /// `country` is the two upper-case letters of ISO 3166-1, such as `VN`.
    pub fn new(country: &str, organization: &str, common_name: &str) -> Result<Name, PkiError> {
        let invalid = |field, problem| Err(PkiError::Invalid { field, problem });
        if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            return invalid("country", "must be two upper-case letters of ISO 3166-1");
        }
        // RFC 5280 appendix A: ub-organization-name and ub-common-name.
        for (field, text) in [("organization", organization), ("common name", common_name)] {
            if text.is_empty() || text.chars().count() > 64 {
                return invalid(field, "must have 1 to 64 characters");
            }
        }
        Ok(Name {
            country: country.to_owned(),
            organization: organization.to_owned(),
            common_name: common_name.to_owned(),
        })
    }

    pub(crate) fn to_der(&self) -> Vec<u8> {
        write::sequence(&[
            // countryName must be a PrintableString (RFC 5280 appendix A.1).
            &attribute(COUNTRY, 0x13, &self.country),
            &attribute(ORGANIZATION, 0x0C, &self.organization),
            &attribute(COMMON_NAME, 0x0C, &self.common_name),
        ])
    }
}

/// A RelativeDistinguishedName with one attribute.
pub(crate) fn attribute(kind: ObjectIdentifier, string_tag: u8, text: &str) -> Vec<u8> {
    let value = write::tlv(string_tag, &[text.as_bytes()]);
    write::tlv(0x31, &[&write::sequence(&[&write::oid(kind), &value])])
}
