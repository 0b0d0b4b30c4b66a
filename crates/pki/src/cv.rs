//! Card-verifiable certificates (Doc 9303-12 §7.2.2): what inspection systems show a chip before it gives out
//! fingers.
//!
//! A chip trusts a country verifying certification authority (CVCA). That certifies document verifiers (DV),
//! and those certify inspection systems (IS), each with the rights that it may pass on.

mod certificate;
mod issue;
mod key;
mod read;

use time::{Date, Month};

use crate::{PkiError, Term};

pub use certificate::CvCertificate;
pub use issue::{CvSubject, PreparedCvCertificate, prepare_cv_certificate, prepare_cv_link, prepare_cvca};
pub use key::{CvPublicKey, Parameters, sign_plain};

/// Characters of a sequence number, which ends a reference.
const SEQUENCE_LEN: usize = 5;

/// The name of a key: two letters of a country, up to nine characters of its holder, and a sequence number of
/// five (Doc 9303-12 §7.2.2.2). As a certificate's own it is the holder reference, as its issuer's the
/// authority reference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderReference(String);

impl HolderReference {
    /// `mnemonic` has one to nine letters and digits, `sequence` five digits.
    pub fn new(country: &str, mnemonic: &str, sequence: u32) -> Result<HolderReference, PkiError> {
        let letters = mnemonic.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !(1..=9).contains(&mnemonic.len()) || !letters {
            let problem = "one to nine upper-case letters and digits are allowed (Doc 9303-12 §7.2.2.2)";
            return Err(PkiError::Invalid { field: "holder's mnemonic", problem });
        }
        if sequence > 99_999 {
            return Err(PkiError::Invalid { field: "sequence number", problem: "five digits at most" });
        }
        HolderReference::parse(&format!("{country}{mnemonic}{sequence:05}"))
    }

    /// Letters, digits and signs of ASCII. The standard allows those of ISO 8859-1, which nobody uses.
    pub fn parse(text: &str) -> Result<HolderReference, PkiError> {
        let country = text.bytes().take(2).all(|b| b.is_ascii_uppercase());
        let graphic = text.bytes().all(|b| b.is_ascii_graphic());
        if country && graphic && (3 + SEQUENCE_LEN..=16).contains(&text.len()) {
            return Ok(HolderReference(text.to_owned()));
        }
        let problem =
            "two letters of a country, one to nine characters and a sequence number of five expected";
        Err(PkiError::Invalid { field: "reference of a key", problem })
    }

    /// Country, holder's mnemonic and sequence number, without spaces (BSI TR-03110-3 §A.6.1).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Country and mnemonic, which stay when the holder changes its key.
    pub fn holder(&self) -> &str {
        &self.0[..self.0.len() - SEQUENCE_LEN]
    }

    /// The sequence number, where it is one: letters are allowed too.
    pub fn sequence(&self) -> Option<u32> {
        self.0[self.0.len() - SEQUENCE_LEN..].parse().ok()
    }
}

impl std::fmt::Display for HolderReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for HolderReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HolderReference({})", self.0)
    }
}

/// What the holder of a certificate is: the two highest bits of the authorisation (BSI TR-03110-3 appendix
/// C.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CvRole {
    Cvca,
    /// A verifier of the chip's own country, whose inspection systems the chip believes the date.
    DomesticVerifier,
    ForeignVerifier,
    InspectionSystem,
}

impl CvRole {
    fn bits(self) -> u8 {
        match self {
            CvRole::Cvca => 0xC0,
            CvRole::DomesticVerifier => 0x80,
            CvRole::ForeignVerifier => 0x40,
            CvRole::InspectionSystem => 0x00,
        }
    }

    fn from_bits(byte: u8) -> CvRole {
        match byte & 0xC0 {
            0xC0 => CvRole::Cvca,
            0x80 => CvRole::DomesticVerifier,
            0x40 => CvRole::ForeignVerifier,
            _ => CvRole::InspectionSystem,
        }
    }

    /// Whether it stands between a CVCA and inspection systems.
    pub fn is_verifier(self) -> bool {
        matches!(self, CvRole::DomesticVerifier | CvRole::ForeignVerifier)
    }

    /// Whether a holder of this role may certify one of the other.
    pub fn may_certify(self, other: CvRole) -> bool {
        match self {
            CvRole::Cvca => other == CvRole::Cvca || other.is_verifier(),
            CvRole::DomesticVerifier | CvRole::ForeignVerifier => other == CvRole::InspectionSystem,
            CvRole::InspectionSystem => false,
        }
    }

    /// How long a certificate of this role runs at most here. Nobody revokes one, so that short terms are
    /// what takes a right away: a stolen inspection system is harmless after a month. A CVCA's key changes
    /// before its certificate ends.
    pub const fn longest(self) -> Term {
        match self {
            CvRole::Cvca => Term { years: 3, months: 0 },
            CvRole::DomesticVerifier | CvRole::ForeignVerifier => Term { years: 0, months: 3 },
            CvRole::InspectionSystem => Term { years: 0, months: 1 },
        }
    }

    /// In English, for messages and lists.
    pub fn name(self) -> &'static str {
        match self {
            CvRole::Cvca => "country verifying CA",
            CvRole::DomesticVerifier => "domestic document verifier",
            CvRole::ForeignVerifier => "foreign document verifier",
            CvRole::InspectionSystem => "inspection system",
        }
    }
}

/// What may be read of the files that are closed to everybody else (Doc 9303-11 appendix K.1). Other bits
/// mean nothing here and are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    /// DG3.
    pub fingers: bool,
    /// DG4.
    pub irises: bool,
}

impl Rights {
    /// Reads the portrait and the text, but no finger and no iris.
    pub const NONE: Rights = Rights { fingers: false, irises: false };
    /// Reads everything on the chip.
    pub const ALL: Rights = Rights { fingers: true, irises: true };

    /// What both grant: rights along a chain never grow (Doc 9303-11 §7.1.4.3.6).
    pub fn and(self, other: Rights) -> Rights {
        Rights { fingers: self.fingers && other.fingers, irises: self.irises && other.irises }
    }

    fn bits(self) -> u8 {
        u8::from(self.fingers) | u8::from(self.irises) << 1
    }

    fn from_bits(byte: u8) -> Rights {
        Rights { fingers: byte & 1 != 0, irises: byte & 2 != 0 }
    }
}

/// The certificate holder authorisation template (CHAT) of an inspection system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization {
    pub role: CvRole,
    pub rights: Rights,
}

/// Six digits of one byte each, yymmdd (Doc 9303-12 §7.2.3.1). The century is the twenty-first.
pub fn cv_date_bytes(date: Date) -> Option<[u8; 6]> {
    let year = u8::try_from(date.year().checked_sub(2_000)?).ok().filter(|&year| year < 100)?;
    let (month, day) = (u8::from(date.month()), date.day());
    Some([year / 10, year % 10, month / 10, month % 10, day / 10, day % 10])
}

/// Reads [`cv_date_bytes`].
pub fn cv_date(bytes: &[u8]) -> Option<Date> {
    let digits: [u8; 6] = bytes.try_into().ok()?;
    if digits.iter().any(|&digit| digit > 9) {
        return None;
    }
    let two = |at: usize| digits[at] * 10 + digits[at + 1];
    Date::from_calendar_date(2_000 + i32::from(two(0)), Month::try_from(two(2)).ok()?, two(4)).ok()
}
