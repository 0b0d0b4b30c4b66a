//! Numbers, dates and times as Vietnam writes them: 1.234.567; 25,1%; 30/06/2021; 07:05. English pages keep
//! the dates and swap the marks of numbers.

use time::{Date, OffsetDateTime};

use crate::i18n::Lang;
use domain::clock::{in_utc, in_vietnam};
use domain::date::vietnamese;

/// A whole number in groups of three.
pub fn count(lang: Lang, number: i64) -> String {
    let mark = if lang == Lang::Vi { '.' } else { ',' };
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

/// A share in tenths of a per cent (251), never clipped: `25,1%`, `100,8%`.
pub fn percent(lang: Lang, tenths: i64) -> String {
    let mark = if lang == Lang::Vi { ',' } else { '.' };
    format!("{}{mark}{}%", count(lang, tenths / 10), tenths.abs() % 10)
}

/// A daily rate as a whole number, rounded up: what is required is never understated.
pub fn rate_up(lang: Lang, per_day: f64) -> String {
    count(lang, per_day.ceil() as i64)
}

/// A daily rate as a whole number, rounded down: what is achieved is never overstated.
pub fn rate_down(lang: Lang, per_day: f64) -> String {
    count(lang, per_day.floor() as i64)
}

/// `dd/mm/yyyy`.
pub fn date(date: Date) -> String {
    vietnamese(date)
}

/// `dd/mm/yyyy hh:mm` in Vietnam.
pub fn moment(at: OffsetDateTime) -> String {
    let local = in_vietnam(at);
    format!("{} {:02}:{:02}", vietnamese(local.date()), local.hour(), local.minute())
}

/// `hh:mm` in Vietnam.
pub fn clock_time(at: OffsetDateTime) -> String {
    let local = in_vietnam(at);
    format!("{:02}:{:02}", local.hour(), local.minute())
}

/// `yyyy-mm-ddThh:mm:ssZ` for the `datetime` attribute.
pub fn machine(at: OffsetDateTime) -> String {
    let utc = in_utc(at);
    let (date, time) = (utc.date(), utc.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        date.month() as u8,
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// How long ago, in the largest unit that says enough: minutes, hours, days.
pub fn age(lang: Lang, from: OffsetDateTime, now: OffsetDateTime) -> String {
    let minutes = (now - from).whole_minutes().max(0);
    let (key, number) = match minutes {
        0..=119 => ("age.minutes", minutes),
        120..=2879 => ("age.hours", minutes / 60),
        _ => ("age.days", minutes / 1440),
    };
    lang.fill(key, &[("n", &count(lang, number))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    #[test]
    fn numbers_take_the_marks_of_the_language() {
        assert_eq!(count(Lang::Vi, 1_234_567), "1.234.567");
        assert_eq!(count(Lang::En, 1_234_567), "1,234,567");
        assert_eq!(count(Lang::Vi, 999), "999");
        assert_eq!(count(Lang::Vi, 0), "0");
        assert_eq!(count(Lang::Vi, -12_345), "−12.345");
    }

    #[test]
    fn a_share_has_a_tenth_and_is_never_clipped() {
        assert_eq!(percent(Lang::Vi, 251), "25,1%");
        assert_eq!(percent(Lang::Vi, 1_008), "100,8%");
        assert_eq!(percent(Lang::En, 12_500), "1,250.0%");
        assert_eq!(percent(Lang::Vi, 0), "0,0%");
    }

    #[test]
    fn required_rates_round_up_and_achieved_ones_down() {
        assert_eq!(rate_up(Lang::Vi, 411.2), "412");
        assert_eq!(rate_down(Lang::Vi, 411.9), "411");
    }

    #[test]
    fn times_are_those_of_vietnam() {
        assert_eq!(moment(datetime!(2021-04-06 18:05 UTC)), "07/04/2021 01:05");
        assert_eq!(machine(datetime!(2021-04-06 18:05 UTC)), "2021-04-06T18:05:00Z");
        assert_eq!(date(date!(2021 - 06 - 30)), "30/06/2021");
    }

    #[test]
    fn an_age_is_said_in_one_unit() {
        let now = datetime!(2021-04-06 12:00 UTC);
        assert_eq!(age(Lang::En, datetime!(2021-04-06 11:15 UTC), now), "45 min");
        assert_eq!(age(Lang::En, datetime!(2021-04-05 12:00 UTC), now), "24 h");
        assert_eq!(age(Lang::Vi, datetime!(2021-03-30 12:00 UTC), now), "7 ngày");
        assert_eq!(age(Lang::En, datetime!(2021-04-07 12:00 UTC), now), "0 min");
    }
}
