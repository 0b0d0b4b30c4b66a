//! The personal identification number (số định danh cá nhân) and the older nine-digit number.
//!
//! Structure: Decree 137/2015 art. 13 and Circular 59/2021 art. 4: `PPP G YY RRRRRR`. No check digit exists,
//! so the structure is the only thing a number can be checked by.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The two sexes that form DC01 and the structure of the personal number know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sex {
    Male,
    Female,
}

impl Sex {
    /// As printed on the card.
    pub const fn vi(self) -> &'static str {
        match self {
            Sex::Male => "Nam",
            Sex::Female => "Nữ",
        }
    }

    /// As in the MRZ (ICAO Doc 9303-5 §4.2.2).
    pub const fn mrz(self) -> char {
        match self {
            Sex::Male => 'M',
            Sex::Female => 'F',
        }
    }

    /// The code of form DC01: 1 is male, 2 is female.
    pub const fn code(self) -> i16 {
        match self {
            Sex::Male => 1,
            Sex::Female => 2,
        }
    }

    /// The inverse of [`Sex::code`]; `None` for any other number.
    pub const fn from_code(code: i16) -> Option<Self> {
        match code {
            1 => Some(Sex::Male),
            2 => Some(Sex::Female),
            _ => None,
        }
    }
}

/// Twelve digits with a known structure. Unique while current; never the key of a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pin([u8; 12]);

/// Why a text or its parts are no personal number.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PinError {
    #[error("a personal number has 12 digits; this has {0} characters")]
    Length(usize),
    #[error("character {position} of the personal number is not a digit")]
    NotADigit {
        /// Counted from one.
        position: usize,
    },
    #[error("the personal number has no structure for births in {0}; numbers exist for 1900 to 2399")]
    Year(i16),
    #[error("a place-of-registration code has three digits; {0} is outside 1 to 999")]
    Place(u16),
    #[error("the random part of a personal number has six digits; {0} does not fit")]
    Serial(u32),
}

/// How a number's structure and the holder's data disagree (Circular 59/2021 art. 6: grounds for a new
/// number).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PinMismatch {
    #[error("the personal number's fourth digit says another sex")]
    Sex,
    #[error("the personal number says another birth year")]
    BirthYear,
    #[error("the personal number says another place of birth registration")]
    Place,
}

impl Pin {
    /// Checks the shape only: twelve ASCII digits. Whether place, sex and year are possible is asked apart.
    ///
    /// # Errors
    ///
    /// When the length is another or a character is not a digit.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        let bytes = text.as_bytes();
        if bytes.len() != 12 {
            return Err(PinError::Length(text.chars().count()));
        }
        if let Some(i) = bytes.iter().position(|b| !b.is_ascii_digit()) {
            return Err(PinError::NotADigit { position: i + 1 });
        }
        let mut digits = [0u8; 12];
        digits.copy_from_slice(bytes);
        Ok(Self(digits))
    }

    /// Builds the number with this structure. `place`: three-digit code of the province or country of birth
    /// registration.
    pub fn compose(place: u16, sex: Sex, birth_year: i16, serial: u32) -> Result<Self, PinError> {
        if !(1..=999).contains(&place) {
            return Err(PinError::Place(place));
        }
        if serial > 999_999 {
            return Err(PinError::Serial(serial));
        }
        let century = century_sex_digit(sex, birth_year).ok_or(PinError::Year(birth_year))?;
        let text = format!("{place:03}{century}{:02}{serial:06}", birth_year.rem_euclid(100));
        Self::parse(&text)
    }

    /// The twelve digits, without spaces.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a Pin holds ASCII digits only")
    }

    /// Three-digit code of the province (or country) of birth registration.
    pub fn place(&self) -> u16 {
        self.number(0, 3) as u16
    }

    /// As the fourth digit says: even is male, odd is female (Decree 137/2015/NĐ-CP, article 13).
    pub fn sex(&self) -> Sex {
        if (self.0[3] - b'0').is_multiple_of(2) { Sex::Male } else { Sex::Female }
    }

    /// As the fourth digit, which is also the century, and the two after it say.
    pub fn birth_year(&self) -> i16 {
        1900 + 100 * i16::from((self.0[3] - b'0') / 2) + self.number(4, 6) as i16
    }

    /// Last six digits, which are also the card's CAN.
    pub fn serial(&self) -> u32 {
        self.number(6, 12)
    }

    /// Everything in which the number's structure disagrees with the holder's data; unknown data is not
    /// compared.
    pub fn mismatches(&self, sex: Sex, birth_year: i16, place: Option<u16>) -> Vec<PinMismatch> {
        let mut found = Vec::new();
        if self.sex() != sex {
            found.push(PinMismatch::Sex);
        }
        if self.birth_year() != birth_year {
            found.push(PinMismatch::BirthYear);
        }
        if place.is_some_and(|place| place != self.place()) {
            found.push(PinMismatch::Place);
        }
        found
    }

    fn number(&self, from: usize, to: usize) -> u32 {
        self.0[from..to].iter().fold(0, |n, d| n * 10 + u32::from(d - b'0'))
    }
}

fn century_sex_digit(sex: Sex, birth_year: i16) -> Option<u8> {
    if !(1900..2400).contains(&birth_year) {
        return None;
    }
    let century = ((birth_year - 1900) / 100) as u8;
    Some(century * 2 + u8::from(sex == Sex::Female))
}

impl TryFrom<String> for Pin {
    type Error = PinError;

    fn try_from(text: String) -> Result<Self, PinError> {
        Self::parse(&text)
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> Self {
        pin.as_str().to_owned()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// The old nine-digit identity-card number (CMND). One person may hold several, and some are shared by two
/// people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OldId([u8; 9]);

/// Why a text is no old identity-card number.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OldIdError {
    #[error("an old identity-card number has 9 digits; this has {0} characters")]
    Length(usize),
    #[error("character {position} of the old identity-card number is not a digit")]
    NotADigit {
        /// Counted from one.
        position: usize,
    },
}

impl OldId {
    /// Checks the shape: nine ASCII digits (chứng minh nhân dân).
    ///
    /// # Errors
    ///
    /// When the length is another or a character is not a digit.
    pub fn parse(text: &str) -> Result<Self, OldIdError> {
        let bytes = text.as_bytes();
        if bytes.len() != 9 {
            return Err(OldIdError::Length(text.chars().count()));
        }
        if let Some(i) = bytes.iter().position(|b| !b.is_ascii_digit()) {
            return Err(OldIdError::NotADigit { position: i + 1 });
        }
        let mut digits = [0u8; 9];
        digits.copy_from_slice(bytes);
        Ok(Self(digits))
    }

    /// The nine digits, without spaces.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an OldId holds ASCII digits only")
    }
}

impl TryFrom<String> for OldId {
    type Error = OldIdError;

    fn try_from(text: String) -> Result<Self, OldIdError> {
        Self::parse(&text)
    }
}

impl From<OldId> for String {
    fn from(id: OldId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Debug for OldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OldId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn structure_of_a_number() {
        let pin = Pin::parse("001199012345").unwrap();
        assert_eq!((pin.place(), pin.sex(), pin.birth_year(), pin.serial()), (1, Sex::Female, 1999, 12345));
        assert_eq!(pin.mismatches(Sex::Female, 1999, Some(1)), vec![]);
        assert_eq!(
            pin.mismatches(Sex::Male, 2000, Some(42)),
            vec![PinMismatch::Sex, PinMismatch::BirthYear, PinMismatch::Place]
        );
    }

    #[test]
    fn what_is_not_a_number_is_refused_with_its_place() {
        assert_eq!(Pin::parse("12345"), Err(PinError::Length(5)));
        assert_eq!(Pin::parse("00119901234x"), Err(PinError::NotADigit { position: 12 }));
        assert_eq!(Pin::compose(42, Sex::Male, 1899, 1), Err(PinError::Year(1899)));
        assert_eq!(OldId::parse("18x000000"), Err(OldIdError::NotADigit { position: 3 }));
    }

    proptest! {
        #[test]
        fn composing_and_reading_agree(
            place in 1u16..=999,
            female: bool,
            year in 1900i16..2400,
            serial in 0u32..1_000_000,
        ) {
            let sex = if female { Sex::Female } else { Sex::Male };
            let pin = Pin::compose(place, sex, year, serial).unwrap();
            let parts = (pin.place(), pin.sex(), pin.birth_year(), pin.serial());
            prop_assert_eq!(parts, (place, sex, year, serial));
        }

        #[test]
        fn no_text_breaks_the_parser(text: String) {
            let _ = Pin::parse(&text);
            let _ = OldId::parse(&text);
        }
    }
}
