//! Dates of birth against each other.

use crate::level::BirthLevel;

/// 0 stands for "not known" in each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Birth {
    pub day: u8,
    pub month: u8,
    pub year: u16,
}

impl Birth {
    /// Impossible parts count as missing rather than as evidence.
    pub(crate) fn new(day: Option<u8>, month: Option<u8>, year: Option<u16>) -> Birth {
        Birth {
            day: day.filter(|d| (1..=31).contains(d)).unwrap_or(0),
            month: month.filter(|m| (1..=12).contains(m)).unwrap_or(0),
            year: year.unwrap_or(0),
        }
    }

    pub(crate) fn is_full(self) -> bool {
        self.day != 0 && self.month != 0 && self.year != 0
    }

    /// 01/01 is what forms carry when nobody knew better.
    pub(crate) fn is_default(self) -> bool {
        self.day == 1 && self.month == 1
    }
}

pub(crate) fn compare(a: Birth, b: Birth) -> BirthLevel {
    if a.year == 0 || b.year == 0 {
        return BirthLevel::Missing;
    }
    let gap = a.year.abs_diff(b.year);
    if !a.is_full() || !b.is_full() {
        return compare_partial(a, b, gap);
    }
    let same_day_month = a.day == b.day && a.month == b.month;
    if gap == 0 {
        return match () {
            () if same_day_month && a.is_default() => BirthLevel::ExactDefault,
            () if same_day_month => BirthLevel::Exact,
            () if a.day == b.month && a.month == b.day => BirthLevel::Swapped,
            () if a.is_default() || b.is_default() => BirthLevel::Default,
            () if one_digit(a, b) => BirthLevel::OneDigit,
            () if a.day == b.day || a.month == b.month => BirthLevel::OnePart,
            () => BirthLevel::SameYear,
        };
    }
    if same_day_month && !a.is_default() {
        return match () {
            () if gap == 1 => BirthLevel::YearOff,
            () if year_typo(a.year, b.year) => BirthLevel::YearDigit,
            () => BirthLevel::SameDayMonth,
        };
    }
    if gap == 1 && (a.is_default() || b.is_default()) {
        return BirthLevel::PartialNear;
    }
    by_gap(gap)
}

fn compare_partial(a: Birth, b: Birth, gap: u16) -> BirthLevel {
    let agrees = |x: u8, y: u8| x == 0 || y == 0 || x == y;
    match gap {
        0 if agrees(a.day, b.day) && agrees(a.month, b.month) => BirthLevel::Partial,
        0 if a.is_default() || b.is_default() => BirthLevel::Default,
        0 => BirthLevel::SameYear,
        1 => BirthLevel::PartialNear,
        _ => by_gap(gap),
    }
}

fn by_gap(gap: u16) -> BirthLevel {
    match gap {
        1..=4 => BirthLevel::Near,
        16..=50 => BirthLevel::Generation,
        _ => BirthLevel::Different,
    }
}

fn one_digit(a: Birth, b: Birth) -> bool {
    let digits = |x: Birth| [x.day / 10, x.day % 10, x.month / 10, x.month % 10];
    digits(a).iter().zip(digits(b)).filter(|(x, y)| **x != *y).count() == 1
}

fn year_typo(a: u16, b: u16) -> bool {
    digits_typo(u64::from(a), u64::from(b))
}

/// Two numbers of the same length that differ by one digit or by one exchange of neighbours.
pub(crate) fn digits_typo(mut a: u64, mut b: u64) -> bool {
    let (mut differing, mut last) = (0, None);
    let mut place = 0;
    let mut transposed = false;
    while a != 0 || b != 0 {
        let (x, y) = (a % 10, b % 10);
        if x != y {
            differing += 1;
            if differing > 2 {
                return false;
            }
            if let Some((at, lx, ly)) = last {
                transposed = at + 1 == place && x == ly && y == lx;
            }
            last = Some((place, x, y));
        }
        (a, b, place) = (a / 10, b / 10, place + 1);
    }
    differing == 1 || (differing == 2 && transposed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: (u8, u8, u16), b: (u8, u8, u16), expected: BirthLevel) {
        let birth = |(d, m, y)| Birth::new(Some(d), Some(m), Some(y));
        assert_eq!(compare(birth(a), birth(b)), expected);
        assert_eq!(compare(birth(b), birth(a)), expected);
    }

    #[test]
    fn levels() {
        check((12, 3, 1980), (12, 3, 1980), BirthLevel::Exact);
        check((1, 1, 1980), (1, 1, 1980), BirthLevel::ExactDefault);
        check((12, 3, 1980), (3, 12, 1980), BirthLevel::Swapped);
        check((1, 1, 1980), (3, 12, 1980), BirthLevel::Default);
        check((0, 0, 1980), (3, 12, 1980), BirthLevel::Partial);
        check((0, 11, 1980), (3, 12, 1980), BirthLevel::SameYear);
        check((13, 3, 1980), (18, 3, 1980), BirthLevel::OneDigit);
        check((13, 3, 1980), (28, 3, 1980), BirthLevel::OnePart);
        check((13, 3, 1980), (13, 12, 1980), BirthLevel::OnePart);
        check((13, 3, 1980), (28, 12, 1980), BirthLevel::SameYear);
        check((13, 3, 1980), (13, 3, 1981), BirthLevel::YearOff);
        check((13, 3, 1980), (13, 3, 1908), BirthLevel::YearDigit);
        check((13, 3, 1980), (13, 3, 1940), BirthLevel::YearDigit);
        check((13, 3, 1980), (13, 3, 1957), BirthLevel::SameDayMonth);
        check((0, 0, 1980), (13, 3, 1981), BirthLevel::PartialNear);
        check((13, 3, 1980), (25, 11, 1982), BirthLevel::Near);
        check((13, 3, 1980), (25, 11, 2005), BirthLevel::Generation);
        check((13, 3, 0), (25, 11, 2005), BirthLevel::Missing);
        check((45, 13, 1980), (25, 11, 1980), BirthLevel::Partial);
    }

    #[test]
    fn number_typos() {
        assert!(digits_typo(123_456_789, 123_456_798));
        assert!(digits_typo(123_456_789, 123_956_789));
        assert!(digits_typo(23_456_789, 123_456_789), "a lost or added leading digit is one digit");
        assert!(!digits_typo(123_456_789, 123_459_786));
        assert!(!digits_typo(5, 5));
    }
}
