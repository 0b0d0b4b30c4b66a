//! Working days: Monday to Friday but the days off, and the Saturdays that are worked instead.

use time::{Date, Weekday};

use super::list::{Basis, List};
use super::read::{Cells, Row, Why};
use super::rows::{Coverage, Says};
use super::{NoRule, Profile};

/// What a row of the calendar says of its days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DayKind {
    /// The days off of this year are all known: what no other row names is as the week has it.
    Year,
    /// A public holiday.
    Holiday,
    /// Off, because a public holiday fell on a day of the week's end.
    InLieu,
    /// Off, because another day is worked.
    MovedOff,
    /// A day of the week's end that is worked.
    Worked,
}

impl DayKind {
    /// As the list's README explains them.
    pub const ALL: [DayKind; 5] =
        [DayKind::Year, DayKind::Holiday, DayKind::InLieu, DayKind::MovedOff, DayKind::Worked];

    /// The word in the list.
    pub const fn code(self) -> &'static str {
        match self {
            DayKind::Year => "year",
            DayKind::Holiday => "holiday",
            DayKind::InLieu => "in_lieu",
            DayKind::MovedOff => "moved_off",
            DayKind::Worked => "worked",
        }
    }

    /// The inverse of [`DayKind::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<DayKind> {
        DayKind::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Days of the calendar, with their Vietnamese name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CalendarDays {
    kind: DayKind,
    name: String,
}

/// The longest row of days off: a whole year is named by `year` only.
const MOST_DAYS: i64 = 14;

impl Says for CalendarDays {
    const LIST: List = List::Holidays;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let kind = cells.code("day", DayKind::from_code, &DayKind::ALL.map(DayKind::code).join(", "));
        let name = cells.words("name");
        Some(CalendarDays { kind: kind?, name: name? })
    }

    fn contradicts(&self, basis: &Basis) -> Option<(&'static str, Why)> {
        let Some(last) = basis.to else {
            return Some(("to", Why::Missing));
        };
        if self.kind == DayKind::Year {
            return None;
        }
        if (last - basis.from).whole_days() >= MOST_DAYS {
            return Some(("to", Why::ManyDays(MOST_DAYS)));
        }
        let at_the_end = std::iter::successors(Some(basis.from), |day| day.next_day())
            .take_while(|day| *day <= last)
            .map(is_weekend);
        let wrong = match self.kind {
            DayKind::Worked => "only a Saturday or Sunday is worked instead of another day",
            DayKind::InLieu | DayKind::MovedOff => "a Saturday or Sunday is off anyway",
            DayKind::Year | DayKind::Holiday => return None,
        };
        let is_wrong = |at_the_end| at_the_end != (self.kind == DayKind::Worked);
        at_the_end.into_iter().any(is_wrong).then_some(("from", Why::DayOfWeek(wrong)))
    }

    fn subject(&self) -> String {
        self.kind.code().to_owned()
    }

    /// A day is one thing only; years are apart from days.
    fn keys(&self) -> Vec<String> {
        vec![if self.kind == DayKind::Year { YEAR } else { "the day" }.to_owned()]
    }

    fn value(&self) -> String {
        self.name.clone()
    }

    fn coverage() -> Coverage {
        Coverage::Whole(vec![YEAR.to_owned()])
    }
}

const YEAR: &str = "year";

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The calendar as it counts working days.
#[derive(Debug, Clone, Copy)]
pub struct WorkingDays<'a> {
    rows: &'a [Row<CalendarDays>],
}

/// Whether a day is worked, and by which row, where it is not as the week has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day<'a> {
    pub is_worked: bool,
    /// The row that takes the day off or makes it a working day.
    pub by: Option<&'a Basis>,
}

/// A day that was counted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<'a> {
    pub day: Date,
    /// The rows that made the way longer or shorter.
    pub by: Vec<&'a Basis>,
}

impl Profile {
    /// The calendar of this profile.
    pub fn working_days(&self) -> WorkingDays<'_> {
        WorkingDays { rows: &self.holidays }
    }
}

impl<'a> WorkingDays<'a> {
    /// What the calendar says of a day.
    ///
    /// # Errors
    /// When the days off of its year are not in the list.
    pub fn on(self, day: Date) -> Result<Day<'a>, NoRule> {
        let holding = || self.rows.iter().filter(|row| row.basis.holds_on(day));
        if !holding().any(|row| row.says.kind == DayKind::Year) {
            return Err(NoRule { list: List::Holidays, subject: "the days off".to_owned(), day });
        }
        let named = holding().find(|row| row.says.kind != DayKind::Year);
        let is_worked = match named.map(|row| row.says.kind) {
            Some(DayKind::Worked) => true,
            Some(DayKind::Holiday | DayKind::InLieu | DayKind::MovedOff) => false,
            Some(DayKind::Year) | None => !is_weekend(day),
        };
        Ok(Day { is_worked, by: named.map(|row| &row.basis) })
    }

    /// The `n`th working day after `day`, which itself does not count (Civil Code 91/2015, art. 147); with
    /// zero, `day` itself or the first working day after it.
    ///
    /// # Errors
    /// When the way leads into a year whose days off are not in the list.
    pub fn count(self, day: Date, n: u32) -> Result<Counted<'a>, NoRule> {
        let (mut at, mut left) = (day, n);
        let mut by: Vec<&Basis> = Vec::new();
        let mut look = |at: Date| -> Result<bool, NoRule> {
            let day = self.on(at)?;
            if let Some(basis) = day.by.filter(|basis| !by.contains(basis)) {
                by.push(basis);
            }
            Ok(day.is_worked)
        };
        let mut is_worked = look(at)?;
        while left > 0 || !is_worked {
            at = at.next_day().ok_or_else(|| NoRule {
                list: List::Holidays,
                subject: "the days off".to_owned(),
                day: at,
            })?;
            is_worked = look(at)?;
            left = left.saturating_sub(u32::from(is_worked));
        }
        Ok(Counted { day: at, by })
    }
}
