//! The facts that a card carries, checked once and then used by every codec.

use time::Date;

use crate::CardError;

/// Longest text field in bytes: the chip's DG13 and the front of the card both stay readable below it.
const MAX_TEXT_LEN: usize = 300;

/// Sex as the card shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    Male,
    Female,
}

impl Sex {
    /// As it is printed on the card and stored in DG13.
    pub fn vietnamese(self) -> &'static str {
        match self {
            Sex::Male => "Nam",
            Sex::Female => "Nữ",
        }
    }

    /// As it is printed below the Vietnamese.
    pub fn english(self) -> &'static str {
        match self {
            Sex::Male => "Male",
            Sex::Female => "Female",
        }
    }

    /// As Doc 9303-3 writes it.
    pub fn mrz(self) -> char {
        match self {
            Sex::Male => 'M',
            Sex::Female => 'F',
        }
    }

    /// The inverse of [`Sex::vietnamese`]; `None` for any other text.
    pub fn from_vietnamese(text: &str) -> Option<Sex> {
        match text {
            "Nam" => Some(Sex::Male),
            "Nữ" => Some(Sex::Female),
            _ => None,
        }
    }
}

/// A date of birth of which day, or day and month, may be unknown. An unknown part stays unknown: it never
/// becomes 01, in print or on the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BirthDate {
    Full(Date),
    Month { year: i32, month: u8 },
    Year(i32),
}

impl BirthDate {
    /// Always known, whatever else is.
    pub fn year(self) -> i32 {
        match self {
            BirthDate::Full(date) => date.year(),
            BirthDate::Month { year, .. } | BirthDate::Year(year) => year,
        }
    }

    /// `dd/mm/yyyy`, `mm/yyyy` or `yyyy`.
    pub fn printed(self) -> String {
        match self {
            BirthDate::Full(date) => printed(date),
            BirthDate::Month { year, month } => format!("{month:02}/{year:04}"),
            BirthDate::Year(year) => format!("{year:04}"),
        }
    }

    /// Reads what [`BirthDate::printed`] writes.
    pub fn parse_printed(text: &str) -> Option<BirthDate> {
        let valid = |birth: BirthDate| (birth.printed() == text).then_some(birth);
        match text.split('/').collect::<Vec<_>>()[..] {
            [year] => valid(BirthDate::Year(year.parse().ok()?)),
            [month, year] => {
                let month = month.parse().ok().filter(|m| (1..=12).contains(m))?;
                valid(BirthDate::Month { year: year.parse().ok()?, month })
            }
            _ => Some(BirthDate::Full(parse_printed(text)?)),
        }
    }

    /// `yymmdd` with `<<` for a part that is not known (Doc 9303-3, dates).
    pub fn mrz(self) -> String {
        let year = self.year().rem_euclid(100);
        match self {
            BirthDate::Full(date) => mrz_date(date),
            BirthDate::Month { month, .. } => format!("{year:02}{month:02}<<"),
            BirthDate::Year(_) => format!("{year:02}<<<<"),
        }
    }
}

/// The end of a card's validity. From the age of 60 a card does not expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    On(Date),
    Never,
}

impl Expiry {
    /// `dd/mm/yyyy`, or "Không thời hạn" for a card that does not expire.
    pub fn printed(self) -> String {
        match self {
            Expiry::On(date) => printed(date),
            Expiry::Never => "Không thời hạn".to_owned(),
        }
    }

    /// `yymmdd`. Doc 9303 knows no document without an end, so "never" is the last day that two digits of
    /// year can say; no other card of ours can expire on it, because a term ends on a birthday before 60.
    pub fn mrz(self) -> String {
        match self {
            Expiry::On(date) => mrz_date(date),
            Expiry::Never => "991231".to_owned(),
        }
    }
}

/// The facts as the caller has them. Text is NFC with diacritics, as it is to be printed.
#[derive(Clone)]
pub struct CardFields<'a> {
    /// 12 digits.
    pub pin: &'a str,
    /// The old 9-digit number, if the holder had one.
    pub cmnd: Option<&'a str>,
    /// Family name first, as in the birth certificate.
    pub name: &'a str,
    pub birth: BirthDate,
    pub sex: Sex,
    pub nationality: &'a str,
    pub ethnicity: &'a str,
    pub religion: &'a str,
    pub native_place: &'a str,
    pub residence: &'a str,
    /// Appearance marks, such as a scar; may be empty.
    pub marks: &'a str,
    pub father: Option<&'a str>,
    pub mother: Option<&'a str>,
    pub spouse: Option<&'a str>,
    pub issued: Date,
    pub expires: Expiry,
}

/// [`CardFields`] that were checked.
#[derive(Clone)]
pub struct CardData<'a>(CardFields<'a>);

impl<'a> CardData<'a> {
    /// Checks that the fields can be written to a card.
    ///
    /// # Errors
    ///
    /// When a number has another length, the name has no letter, a date is out of range or a text is too
    /// long; the error names the field.
    pub fn new(fields: CardFields<'a>) -> Result<Self, CardError> {
        let error = |field, problem| Err(CardError::Field { field, problem });
        if fields.pin.len() != 12 || !is_digits(fields.pin) {
            return error("pin", "must be exactly 12 digits");
        }
        if fields.cmnd.is_some_and(|old| old.len() != 9 || !is_digits(old)) {
            return error("cmnd", "must be exactly 9 digits");
        }
        if crate::transliterate::transliterate(fields.name).is_empty() {
            return error("name", "contains no letter");
        }
        if !(1800..=2399).contains(&fields.birth.year()) {
            return error("birth", "year must lie between 1800 and 2399");
        }
        if let BirthDate::Month { month, .. } = fields.birth
            && !(1..=12).contains(&month)
        {
            return error("birth", "month must lie between 1 and 12");
        }
        if let Expiry::On(expires) = fields.expires
            && expires <= fields.issued
        {
            return error("expires", "must be after the day of issue");
        }
        for (field, text) in Self::texts(&fields) {
            if text.len() > MAX_TEXT_LEN {
                return error(field, "is longer than 300 bytes");
            }
            if text.chars().any(|c| c.is_control() || c == '|') {
                return error(
                    field,
                    "contains a control character or '|', which separates fields in the QR code",
                );
            }
        }
        Ok(CardData(fields))
    }

    /// What was checked, for those who write it to a file.
    pub fn fields(&self) -> &CardFields<'a> {
        &self.0
    }

    /// The card access number: the last six digits of the personal number.
    pub fn can(&self) -> &'a str {
        &self.0.pin[6..]
    }

    fn texts(fields: &CardFields<'a>) -> [(&'static str, &'a str); 10] {
        [
            ("name", fields.name),
            ("nationality", fields.nationality),
            ("ethnicity", fields.ethnicity),
            ("religion", fields.religion),
            ("native_place", fields.native_place),
            ("residence", fields.residence),
            ("marks", fields.marks),
            ("father", fields.father.unwrap_or("")),
            ("mother", fields.mother.unwrap_or("")),
            ("spouse", fields.spouse.unwrap_or("")),
        ]
    }
}

/// Personal data stays out of logs.
impl std::fmt::Debug for CardData<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardData(redacted)")
    }
}

/// `dd/mm/yyyy`.
pub fn printed(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), u8::from(date.month()), date.year())
}

/// Reads `dd/mm/yyyy`.
pub fn parse_printed(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || day.len() != 2 || month.len() != 2 || year.len() != 4 {
        return None;
    }
    date_from_digits(day, month, year)
}

pub(crate) fn date_from_digits(day: &str, month: &str, year: &str) -> Option<Date> {
    if !is_digits(day) || !is_digits(month) || !is_digits(year) {
        return None;
    }
    let month = time::Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
}

pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn mrz_date(date: Date) -> String {
    format!("{:02}{:02}{:02}", date.year().rem_euclid(100), u8::from(date.month()), date.day())
}

#[cfg(test)]
pub(crate) mod tests {
    use time::macros::date;

    use super::*;

    /// A person who does not exist, with every field filled.
    pub(crate) fn sample() -> CardFields<'static> {
        CardFields {
            pin: "001199012345",
            cmnd: Some("012345678"),
            name: "Nguyễn Thị Mẫu",
            birth: BirthDate::Full(date!(1999 - 01 - 01)),
            sex: Sex::Female,
            nationality: "Việt Nam",
            ethnicity: "Kinh",
            religion: "Không",
            native_place: "Xã Mẫu, Huyện Thử, Tỉnh Ví Dụ",
            residence: "Thôn 1, Xã Mẫu, Huyện Thử, Tỉnh Ví Dụ",
            marks: "Nốt ruồi C: 2cm trên trước đầu lông mày phải",
            father: Some("Nguyễn Văn A"),
            mother: Some("Trần Thị B"),
            spouse: None,
            issued: date!(2021 - 04 - 06),
            expires: Expiry::On(date!(2039 - 01 - 01)),
        }
    }

    fn refused(change: impl Fn(&mut CardFields<'static>)) -> String {
        let mut fields = sample();
        change(&mut fields);
        CardData::new(fields).unwrap_err().to_string()
    }

    #[test]
    fn bad_fields_are_named() {
        assert!(CardData::new(sample()).is_ok());
        assert!(refused(|f| f.pin = "00119901234").contains("pin"));
        assert!(refused(|f| f.cmnd = Some("12345678x")).contains("cmnd"));
        assert!(refused(|f| f.name = "  ").contains("name"));
        assert!(refused(|f| f.residence = "a|b").contains("residence"));
        assert!(refused(|f| f.expires = Expiry::On(f.issued)).contains("expires"));
        assert!(refused(|f| f.birth = BirthDate::Month { year: 1950, month: 13 }).contains("month"));
    }

    #[test]
    fn partial_births_stay_partial() {
        for birth in [
            BirthDate::Full(date!(1950 - 12 - 31)),
            BirthDate::Month { year: 1950, month: 3 },
            BirthDate::Year(1950),
        ] {
            assert_eq!(BirthDate::parse_printed(&birth.printed()), Some(birth));
        }
        assert_eq!(BirthDate::Year(1950).mrz(), "50<<<<");
        assert_eq!(BirthDate::Month { year: 1950, month: 3 }.mrz(), "5003<<");
        for wrong in ["", "31/02/1999", "13/1999", "1/1/1999", "99", "+999", "01/01/1999/"] {
            assert_eq!(BirthDate::parse_printed(wrong), None, "{wrong}");
        }
    }
}
