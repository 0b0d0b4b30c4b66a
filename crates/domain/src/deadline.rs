//! A deadline as its document words it. "Trước 30/6" leaves the day out; "đến", "đến hết" and "tính đến 30/6"
//! count it. One day of a province's campaign is twelve thousand people.

use time::{Date, Duration};

/// How a document words a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wording {
    /// "Trước ngày …": all is done when the day begins.
    Before,
    /// "Đến ngày …", "đến hết ngày …", "tính đến ngày …": the day still counts.
    Through,
}

impl Wording {
    /// Both wordings that the plans of 2021 use.
    pub const ALL: [Wording; 2] = [Wording::Before, Wording::Through];

    /// The word under which the wording is stored and given on the command line.
    pub const fn code(self) -> &'static str {
        match self {
            Wording::Before => "before",
            Wording::Through => "through",
        }
    }

    /// The inverse of [`Wording::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Wording> {
        Wording::ALL.into_iter().find(|wording| wording.code() == code)
    }
}

/// The date that a document names, and how. Days are counted by [`Deadline::last_day`], never by the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Deadline {
    pub date: Date,
    pub wording: Wording,
}

impl Deadline {
    /// "Trước ngày …".
    pub const fn before(date: Date) -> Deadline {
        Deadline { date, wording: Wording::Before }
    }

    /// "Đến hết ngày …".
    pub const fn through(date: Date) -> Deadline {
        Deadline { date, wording: Wording::Through }
    }

    /// The last day on which work still counts.
    pub fn last_day(self) -> Date {
        match self.wording {
            // There is no day before the first of the calendar, and no campaign either.
            Wording::Before => self.date.previous_day().unwrap_or(self.date),
            Wording::Through => self.date,
        }
    }

    /// The days that count from `first` on, `first` among them; zero when it lies after the last.
    pub fn days_from(self, first: Date) -> i64 {
        ((self.last_day() - first).whole_days() + 1).max(0)
    }

    /// The days that are left when `day` is over.
    pub fn days_after(self, day: Date) -> i64 {
        self.days_from(day.saturating_add(Duration::DAY))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn before_leaves_the_day_out_and_through_counts_it() {
        let day = date!(2021 - 06 - 30);
        let (before, through) = (Deadline::before(day), Deadline::through(day));
        assert_eq!((before.last_day(), through.last_day()), (date!(2021 - 06 - 29), day));
        // From the evening of 17 April: 13 days of April, 31 of May, 29 or 30 of June.
        let evening = date!(2021 - 04 - 17);
        assert_eq!((before.days_after(evening), through.days_after(evening)), (73, 74));
        assert_eq!((before.days_from(evening), through.days_from(evening)), (74, 75));
        let last = date!(2021 - 06 - 29);
        assert_eq!((before.days_after(last), through.days_after(last)), (0, 1));
        assert_eq!((before.days_from(day), through.days_from(day)), (0, 1));
        assert_eq!(through.days_after(date!(2021 - 08 - 01)), 0);
    }

    #[test]
    fn codes_are_read_back() {
        for wording in Wording::ALL {
            assert_eq!(Wording::from_code(wording.code()), Some(wording));
        }
        assert_eq!(Wording::from_code("until"), None);
    }
}
