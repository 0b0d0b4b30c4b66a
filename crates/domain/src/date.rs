//! Dates of which only a part may be known.
//!
//! An unresolvable day or month used to be entered as 01/01, a false precision; here the unknown part stays
//! unknown.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, Month};

/// A date of birth: year; year and month; or year, month and day. Years 1850 to 2399.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartialDate {
    year: i16,
    month: u8,
    day: u8,
}

/// Why a text or a number is no date of the register.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DateError {
    #[error("a date is written dd/mm/yyyy, mm/yyyy or yyyy")]
    Shape,
    #[error("year {0} is outside 1850 to 2399")]
    Year(i32),
    #[error("month {0} does not exist")]
    Month(u32),
    #[error("day {day} does not exist in {month:02}/{year}")]
    Day { day: u32, month: u32, year: i32 },
}

impl PartialDate {
    /// A date of the Gregorian calendar whose day, or day and month, may be unknown.
    ///
    /// # Errors
    ///
    /// When the year is outside 1850 to 2399, the month or day does not exist, or a day comes without a
    /// month.
    pub fn new(year: i16, month: Option<u8>, day: Option<u8>) -> Result<Self, DateError> {
        if !(1850..2400).contains(&year) {
            return Err(DateError::Year(year.into()));
        }
        let (month, day) = match (month, day) {
            (None, None) => (0, 0),
            (None, Some(_)) => return Err(DateError::Shape),
            (Some(m), d) => {
                let month = Month::try_from(m).map_err(|_| DateError::Month(m.into()))?;
                if let Some(d) = d {
                    Date::from_calendar_date(year.into(), month, d).map_err(|_| DateError::Day {
                        day: d.into(),
                        month: m.into(),
                        year: year.into(),
                    })?;
                }
                (m, d.unwrap_or(0))
            }
        };
        Ok(Self { year, month, day })
    }

    /// Reads `dd/mm/yyyy`, `mm/yyyy`, `yyyy`; `00` for a part means unknown; `-` and `.` serve as separators
    /// too.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let text = text.trim();
        let mut parts = [0u32; 3];
        let mut count = 0;
        for part in text.split(['/', '-', '.']) {
            if count == 3 || part.is_empty() || part.len() > 4 || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(DateError::Shape);
            }
            parts[count] = part.parse().map_err(|_| DateError::Shape)?;
            count += 1;
        }
        // A year stands last; four digits before it are a date written the other way round.
        if text.split(['/', '-', '.']).take(count - 1).any(|part| part.len() > 2) {
            return Err(DateError::Shape);
        }
        let (day, month, year) = match count {
            1 => (0, 0, parts[0]),
            2 => (0, parts[0], parts[1]),
            _ => (parts[0], parts[1], parts[2]),
        };
        if month > 12 {
            return Err(DateError::Month(month));
        }
        if day > 31 {
            return Err(DateError::Day { day, month, year: year as i32 });
        }
        if day > 0 && month == 0 {
            return Err(DateError::Shape);
        }
        let known = |part: u32| (part > 0).then_some(part as u8);
        let year = i16::try_from(year).map_err(|_| DateError::Year(year as i32))?;
        Self::new(year, known(month), known(day))
    }

    /// All three parts known.
    pub const fn from_date(date: Date) -> Self {
        Self { year: date.year() as i16, month: date.month() as u8, day: date.day() }
    }

    /// Always known, from 1850 to 2399.
    pub const fn year(self) -> i16 {
        self.year
    }

    /// From 1 to 12; `None` when the paper does not say.
    pub const fn month(self) -> Option<u8> {
        if self.month == 0 { None } else { Some(self.month) }
    }

    /// From 1 on; `None` when the paper does not say.
    pub const fn day(self) -> Option<u8> {
        if self.day == 0 { None } else { Some(self.day) }
    }

    /// The whole date, where all of it is known.
    pub fn exact(self) -> Option<Date> {
        Date::from_calendar_date(self.year.into(), Month::try_from(self.month).ok()?, self.day).ok()
    }

    /// The earliest day it can be.
    pub fn earliest(self) -> Date {
        let month = Month::try_from(self.month.max(1)).expect("1 to 12 by construction");
        Date::from_calendar_date(self.year.into(), month, self.day.max(1))
            .expect("a real day by construction")
    }

    /// The latest day it can be: eligibility by age counts from it, so that nobody is invited too early.
    pub fn latest(self) -> Date {
        let month =
            Month::try_from(if self.month == 0 { 12 } else { self.month }).expect("1 to 12 by construction");
        let day = if self.day == 0 { month.length(self.year.into()) } else { self.day };
        Date::from_calendar_date(self.year.into(), month, day).expect("a real day by construction")
    }

    /// Full years of age on `day`, counted from the latest day the birth can have been.
    pub fn age_on(self, day: Date) -> i32 {
        let birth = self.latest();
        let before_birthday = (day.month() as u8, day.day()) < (birth.month() as u8, birth.day());
        day.year() - birth.year() - i32::from(before_birthday)
    }

    /// `yyyymmdd` with zeros for unknown parts: how it is stored and sorted.
    pub const fn packed(self) -> i32 {
        self.year as i32 * 10_000 + self.month as i32 * 100 + self.day as i32
    }

    /// The inverse of [`PartialDate::packed`], which is how the store keeps dates.
    ///
    /// # Errors
    ///
    /// When the parts are no date.
    pub fn from_packed(packed: i32) -> Result<Self, DateError> {
        let known = |part: i32| (part > 0).then_some(part as u8);
        let year = i16::try_from(packed / 10_000).map_err(|_| DateError::Year(packed / 10_000))?;
        Self::new(year, known(packed / 100 % 100), known(packed % 100))
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.day(), self.month()) {
            (Some(day), Some(month)) => write!(f, "{day:02}/{month:02}/{}", self.year),
            (None, Some(month)) => write!(f, "{month:02}/{}", self.year),
            _ => write!(f, "{}", self.year),
        }
    }
}

impl TryFrom<String> for PartialDate {
    type Error = DateError;

    fn try_from(text: String) -> Result<Self, DateError> {
        Self::parse(&text)
    }
}

impl From<PartialDate> for String {
    fn from(date: PartialDate) -> Self {
        date.to_string()
    }
}

/// The birthday so many years after `born`; of 29 February it is the 28th in a common year, and beyond the
/// calendar the calendar's end.
pub fn birthday(born: Date, years: i32) -> Date {
    let year = born.year().saturating_add(years);
    born.replace_year(year)
        .or_else(|_| Date::from_calendar_date(year, Month::February, 28))
        .unwrap_or(Date::MAX)
}

/// `dd/mm/yyyy`, the form every Vietnamese page, card and report uses.
pub fn vietnamese(date: Date) -> String {
    format!("{:02}/{:02}/{}", date.day(), date.month() as u8, date.year())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::date;

    #[test]
    fn parts_that_are_unknown_stay_unknown() {
        for (text, shown) in [
            ("06/04/1960", "06/04/1960"),
            ("00/04/1960", "04/1960"),
            ("4/1960", "04/1960"),
            ("1960", "1960"),
            ("00/00/1960", "1960"),
        ] {
            assert_eq!(PartialDate::parse(text).unwrap().to_string(), shown);
        }
        assert_eq!(PartialDate::parse("1960").unwrap().exact(), None);
    }

    #[test]
    fn impossible_dates_say_what_is_impossible() {
        assert_eq!(PartialDate::parse("30/02/1990"), Err(DateError::Day { day: 30, month: 2, year: 1990 }));
        assert_eq!(PartialDate::parse("29/02/2019"), Err(DateError::Day { day: 29, month: 2, year: 2019 }));
        assert_eq!(PartialDate::parse("01/13/1990"), Err(DateError::Month(13)));
        assert_eq!(PartialDate::parse("01/01/90"), Err(DateError::Year(90)));
        assert_eq!(PartialDate::parse("hôm qua"), Err(DateError::Shape));
        assert_eq!(PartialDate::parse("05/00/1990"), Err(DateError::Shape));
        assert_eq!(PartialDate::parse("1990-02-01"), Err(DateError::Shape));
        assert_eq!(PartialDate::parse("1990/2"), Err(DateError::Shape));
    }

    #[test]
    fn age_counts_from_the_latest_possible_birthday() {
        assert_eq!(PartialDate::parse("07/04/2007").unwrap().age_on(date!(2021 - 04 - 06)), 13);
        assert_eq!(PartialDate::parse("06/04/2007").unwrap().age_on(date!(2021 - 04 - 06)), 14);
        assert_eq!(PartialDate::parse("2007").unwrap().age_on(date!(2021 - 04 - 06)), 13);
        assert_eq!(PartialDate::parse("29/02/2004").unwrap().age_on(date!(2021 - 02 - 28)), 16);
    }

    proptest! {
        #[test]
        fn packing_and_printing_round_trip(year in 1850i16..2400, month in 0u8..=12, day in 0u8..=31) {
            let month = (month > 0).then_some(month);
            let day = month.and((day > 0).then_some(day));
            if let Ok(date) = PartialDate::new(year, month, day) {
                prop_assert_eq!(PartialDate::from_packed(date.packed()).unwrap(), date);
                prop_assert_eq!(PartialDate::parse(&date.to_string()).unwrap(), date);
            }
        }

        #[test]
        fn no_text_breaks_the_parser(text: String) {
            let _ = PartialDate::parse(&text);
        }
    }
}
