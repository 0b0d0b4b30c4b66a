//! What is wrong with one row: field, stable code, and a sentence that says what to do.

use std::fmt;

macro_rules! fault_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal),+ $(,)?) => {
        /// The stable code of a fault, for programs and statistics. A code is never given another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultCode {
            $($(#[doc = $doc])+ $variant),+
        }

        impl FaultCode {
            /// In the order in which they are declared, which is that of the documentation of the format.
            pub const ALL: &[FaultCode] = &[$(FaultCode::$variant),+];

            /// The word that stands in a rejects file, stable between versions.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(FaultCode::$variant => $code),+
                }
            }
        }
    };
}

fault_codes! {
    /// A mandatory field is empty.
    Missing = "missing",
    /// A value is longer than its field.
    TooLong = "too_long",
    /// A character that cannot stand in the field.
    BadCharacter = "bad_character",
    /// A number has another number of digits, or characters that are no digits.
    BadNumber = "bad_number",
    /// A code that its list does not have.
    UnknownCode = "unknown_code",
    /// A text that is not a date, or a day that does not exist.
    BadDate = "bad_date",
    /// A birth after the day of collection.
    BirthInFuture = "birth_in_future",
    /// A text that is not a unit code.
    BadUnit = "bad_unit",
    /// A unit code that did not exist on the day of collection.
    UnknownUnit = "unknown_unit",
    /// A unit of a level that does not fit the field.
    UnitLevel = "unit_level",
    /// The number's fourth digit says another sex.
    PinSex = "pin_sex",
    /// The number says another birth year.
    PinBirthYear = "pin_birth_year",
    /// The number says another province of birth registration.
    PinPlace = "pin_place",
    /// The number is held by another person.
    PinTaken = "pin_taken",
    /// A form of the same number and other content is in the register.
    FormConflict = "form_conflict",
    /// A row has more or fewer fields than the header.
    FieldCount = "field_count",
    /// A quote at a place where CSV has none.
    StrayQuote = "stray_quote",
    /// An element that may stand once stands twice.
    Repeated = "repeated",
    /// A part of the address or family without the part it belongs to.
    Incomplete = "incomplete",
}

/// One thing that is wrong with one field of one row. Holds no value of the row except codes of closed lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Column name of the form, or `row` for the row as a whole.
    pub field: &'static str,
    pub code: FaultCode,
    pub message: String,
}

impl Fault {
    /// `field` is a column of [`DC01`](domain::dc01::DC01); `message` says what is wrong and what is wanted.
    pub fn new(field: &'static str, code: FaultCode, message: impl Into<String>) -> Self {
        Fault { field, code, message: message.into() }
    }
}

/// As it stands in the column `errors` of a rejects file.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.field, self.message, self.code.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_the_readme() {
        let readme = include_str!("../README.md");
        for (index, code) in FaultCode::ALL.iter().enumerate() {
            assert!(FaultCode::ALL[..index].iter().all(|other| other.as_str() != code.as_str()));
            assert!(readme.contains(&format!("| `{}` |", code.as_str())), "{}", code.as_str());
        }
    }
}
