//! Rules without I/O: how long a card is valid, and which personal number a person gets.

use time::{Date, Month};

use domain::id::PersonId;
use domain::pin::PinError;
use domain::unit::Units;
use domain::{PartialDate, Pin, ResidentRecord, UnitCode};

/// Ages at which a card must be exchanged (2014 law, art. 21).
const MILESTONES: [i32; 3] = [25, 40, 60];

/// The last day of validity of a card issued on `issued`, or `None` when it does not expire.
///
/// A card runs to the next milestone birthday; one issued within two years before a milestone runs to the one
/// after it, and one issued from 58 on does not expire. Of a partial birth date the latest possible day
/// counts.
pub fn expiry(birth: PartialDate, issued: Date) -> Option<Date> {
    let born = birth.latest();
    MILESTONES.iter().find(|&&age| issued < anniversary(born, age - 2)).map(|&age| anniversary(born, age))
}

/// The birthday at `age`; of 29 February it is the 28th in a common year.
fn anniversary(born: Date, age: i32) -> Date {
    let year = born.year() + age;
    Date::from_calendar_date(year, born.month(), born.day()).unwrap_or_else(|_| {
        Date::from_calendar_date(year, Month::February, 28).expect("every February has 28 days")
    })
}

/// Where the six random digits of a new PIN come from: the centre draws them from the system's generator, a
/// simulation derives them from its seed. Called with the person and the number of the try.
pub trait PinSource: Send + Sync {
    /// 0 to 999,999.
    fn serial(&self, person: PersonId, attempt: u32) -> u32;
}

impl<F: Fn(PersonId, u32) -> u32 + Send + Sync> PinSource for F {
    fn serial(&self, person: PersonId, attempt: u32) -> u32 {
        self(person, attempt)
    }
}

/// Three digits of the place of birth registration. Where it is not known, the province of permanent
/// residence stands for it, as the authority that registers the birth late would be there.
pub fn registration_place(record: &ResidentRecord) -> u16 {
    let province = |unit: UnitCode| Units::latest().chain(unit).last().map(|top| top.code.number() as u16);
    record
        .birth_registration
        .and_then(province)
        .or_else(|| province(record.permanent.unit))
        .unwrap_or(record.permanent.unit.number() as u16)
}

/// A candidate PIN for the record.
///
/// # Errors
/// When the number scheme has no code for the birth year.
pub fn pin(
    record: &ResidentRecord,
    person: PersonId,
    attempt: u32,
    source: &dyn PinSource,
) -> Result<Pin, PinError> {
    Pin::compose(
        registration_place(record),
        record.sex,
        record.birth.year(),
        source.serial(person, attempt) % 1_000_000,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn check(birth: &str, issued: Date, expected: Option<Date>) {
        assert_eq!(expiry(PartialDate::parse(birth).unwrap(), issued), expected, "{birth}");
    }

    #[test]
    fn a_card_runs_to_the_next_milestone_or_the_one_after() {
        check("10/05/2005", date!(2021 - 04 - 06), Some(date!(2030 - 05 - 10)));
        // 23 years and a day: within two years before 25.
        check("05/04/1998", date!(2021 - 04 - 06), Some(date!(2038 - 04 - 05)));
        check("07/04/1998", date!(2021 - 04 - 06), Some(date!(2023 - 04 - 07)));
        check("10/05/1970", date!(2021 - 04 - 06), Some(date!(2030 - 05 - 10)));
        check("05/04/1963", date!(2021 - 04 - 06), None);
        check("1940", date!(2021 - 04 - 06), None);
        check("29/02/2000", date!(2021 - 04 - 06), Some(date!(2025 - 02 - 28)));
    }
}
