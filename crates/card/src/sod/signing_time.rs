//! The signed attribute signingTime (RFC 5652 §11.3).

use time::{Date, Month, OffsetDateTime, Time};

use crate::{
    CardError,
    tlv::{Tag, Tlv},
};

const UTC_TIME: Tag = Tag(0x17);
const GENERALIZED_TIME: Tag = Tag(0x18);

/// RFC 5652 §11.3: in UTC with seconds and without fractions; two digits of year up to 2049.
pub(super) fn read(value: &Tlv<'_>) -> Result<OffsetDateTime, CardError> {
    let problem =
        || super::read::error(value.offset, "signingTime must be a UTCTime or GeneralizedTime ending in Z");
    let text = std::str::from_utf8(value.value).map_err(|_| problem())?;
    let digits =
        text.strip_suffix('Z').filter(|d| d.bytes().all(|b| b.is_ascii_digit())).ok_or_else(problem)?;
    let (year, rest) = match (value.tag, digits.len()) {
        (UTC_TIME, 12) => {
            // RFC 5280 §4.1.2.5.1: 50 and more are of the last century.
            let year = digits[..2].parse::<i32>().map_err(|_| problem())?;
            (if year >= 50 { 1900 + year } else { 2000 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (digits[..4].parse::<i32>().map_err(|_| problem())?, &digits[4..]),
        _ => return Err(problem()),
    };
    moment(year, rest).ok_or_else(problem)
}

fn moment(year: i32, rest: &str) -> Option<OffsetDateTime> {
    let number = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let month = Month::try_from(number(0)?).ok()?;
    let date = Date::from_calendar_date(year, month, number(2)?).ok()?;
    let time = Time::from_hms(number(4)?, number(6)?, number(8)?).ok()?;
    Some(date.with_time(time).assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv;
    use time::macros::datetime;

    fn parse(tag: Tag, text: &str) -> Result<OffsetDateTime, CardError> {
        let file = tlv::encode(tag, &[text.as_bytes()]);
        read(&tlv::single(&file, tag, "one element").unwrap())
    }

    #[test]
    fn both_kinds_of_time() {
        assert_eq!(parse(UTC_TIME, "210406010203Z"), Ok(datetime!(2021-04-06 01:02:03 UTC)));
        assert_eq!(parse(UTC_TIME, "991231235959Z"), Ok(datetime!(1999-12-31 23:59:59 UTC)));
        assert_eq!(parse(GENERALIZED_TIME, "20500101000000Z"), Ok(datetime!(2050-01-01 00:00 UTC)));
        for (tag, text) in [
            (UTC_TIME, "2104060102Z"),
            (UTC_TIME, "210406010203+0700"),
            (UTC_TIME, "210431010203Z"),
            (UTC_TIME, "2104060102é3Z"),
            (GENERALIZED_TIME, "20500101000000.5Z"),
            (GENERALIZED_TIME, "210406010203Z"),
            (Tag::UTF8_STRING, "210406010203Z"),
        ] {
            assert!(parse(tag, text).is_err(), "{text}");
        }
    }
}
