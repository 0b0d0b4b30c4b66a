//! What is printed on a card and written to its chip, fixed when the card is intended.

use serde::{Deserialize, Serialize};
use time::Date;

use crate::Error;
use card::data::{BirthDate, CardData, CardFields, Expiry, Sex};
use domain::codes::CodeList;
use domain::profile::{NoRule, Profile};
use domain::record::Place;
use domain::unit::Units;
use domain::{PartialDate, Pin, ResidentRecord, UnitCode};

/// The card's fields as text, kept with the card so that a reprint or a check needs no other table.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Face {
    pub pin: String,
    pub old_id: Option<String>,
    /// Capitals with all marks.
    pub name: String,
    pub birth: PartialDate,
    /// 1 male, 2 female.
    pub sex: i16,
    pub nationality: String,
    pub ethnicity: String,
    pub religion: String,
    pub native_place: String,
    pub residence: String,
    pub marks: String,
    pub father: Option<String>,
    pub mother: Option<String>,
    pub spouse: Option<String>,
    /// Days as Julian day numbers: `issued_on` and `expires_on` of the card's row, again.
    pub issued: i32,
    pub expires: Option<i32>,
}

impl std::fmt::Debug for Face {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Face(…)")
    }
}

impl Face {
    /// The face of a card for `record`, issued on `issued`.
    ///
    /// # Errors
    /// When no rule says until when a card of that day is valid.
    pub fn new(record: &ResidentRecord, pin: Pin, issued: Date) -> Result<Face, NoRule> {
        let expires = Profile::official().expiry(record.birth, issued)?.until;
        let units = Units::on(issued);
        let relative = |r: &Option<domain::record::Relative>| r.as_ref().map(|r| title(r.name.as_str()));
        let list = |list: CodeList, code: u8| list.name(&format!("{code:02}")).unwrap_or_default().to_owned();
        Ok(Face {
            pin: pin.as_str().to_owned(),
            old_id: record.old_id.map(|id| id.as_str().to_owned()),
            name: record.name.upper(),
            birth: record.birth,
            sex: record.sex.code(),
            nationality: CodeList::Nationality.name(&record.nationality).unwrap_or("Việt Nam").to_owned(),
            ethnicity: list(CodeList::EthnicGroup, record.ethnicity),
            religion: list(CodeList::Religion, record.religion),
            native_place: record.native_place.map(|unit| unit_text(units, unit)).unwrap_or_default(),
            residence: address(units, &record.permanent),
            marks: String::new(),
            father: relative(&record.father),
            mother: relative(&record.mother),
            spouse: relative(&record.spouse),
            issued: issued.to_julian_day(),
            expires: expires.map(Date::to_julian_day),
        })
    }

    /// The day that is printed; kept as a number of days, so that the stored face has no text to be read.
    pub fn issued_on(&self) -> Date {
        Date::from_julian_day(self.issued).unwrap_or(Date::MIN)
    }

    /// The last day of validity; `None` for a card that does not expire.
    pub fn expires_on(&self) -> Option<Date> {
        self.expires.and_then(|day| Date::from_julian_day(day).ok())
    }

    /// Whether a card can be made of these fields: checked, and printed so that it can be read.
    ///
    /// # Errors
    /// The field that cannot stand on a card, and why.
    pub fn printable(&self) -> Result<(), Error> {
        Ok(card::artwork::printable(&self.card_data()?)?)
    }

    /// The fields in the form that the card's codecs and artwork take, checked.
    ///
    /// # Errors
    /// The field that cannot stand on a card, and why.
    pub fn card_data(&self) -> Result<CardData<'_>, Error> {
        let birth = match (self.birth.exact(), self.birth.month()) {
            (Some(date), _) => BirthDate::Full(date),
            (None, Some(month)) => BirthDate::Month { year: self.birth.year().into(), month },
            (None, None) => BirthDate::Year(self.birth.year().into()),
        };
        Ok(CardData::new(CardFields {
            pin: &self.pin,
            cmnd: self.old_id.as_deref(),
            name: &self.name,
            birth,
            sex: if self.sex == 2 { Sex::Female } else { Sex::Male },
            nationality: &self.nationality,
            ethnicity: &self.ethnicity,
            religion: &self.religion,
            native_place: &self.native_place,
            residence: &self.residence,
            marks: &self.marks,
            father: self.father.as_deref(),
            mother: self.mother.as_deref(),
            spouse: self.spouse.as_deref(),
            issued: self.issued_on(),
            expires: self.expires_on().map_or(Expiry::Never, Expiry::On),
        })?)
    }
}

/// `Thạch Đài, Thạch Hà, Hà Tĩnh`: the units of an address from the smallest, without their kinds, as cards
/// print it.
fn unit_text(units: Units<'_>, unit: UnitCode) -> String {
    let names: Vec<&str> = units.chain(unit).map(|unit| unit.name.as_ref()).collect();
    names.join(", ")
}

fn address(units: Units<'_>, place: &Place) -> String {
    match place.detail.trim() {
        "" => unit_text(units, place.unit),
        // '|' separates the QR code's fields (and cannot occur in an address); a comma serves.
        detail => format!("{}, {}", detail.replace('|', ","), unit_text(units, place.unit)),
    }
}

/// Capital first letters: relatives' names may have been written in capitals on the form.
fn title(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut start = true;
    for c in name.chars() {
        if start {
            out.extend(c.to_uppercase())
        } else {
            out.extend(c.to_lowercase())
        }
        start = matches!(c, ' ' | '-' | '\'' | '’');
    }
    out
}
