//! The official lists that the program has, and which of them an installation works by.
//!
//! Two things are asked, and they are kept apart. What the law says of a day: [`UnitTable::official`] and
//! [`UnitTable::within`]. And by which list the people of this installation are registered: [`Units::latest`]
//! and [`Units::on`]. On the morning of 1 July 2025 the first has changed and the second has not, until
//! somebody applies the change; a list that was not applied here has no people, quotas or officers.

use std::sync::OnceLock;

use time::Date;
use time::macros::date;

use super::{Unit, UnitCode, UnitTable, Units, rows_in};

/// The lists that take the place of everything before them, with the first day of each.
const LISTS: [(Date, &str); 2] = [
    (date!(2021 - 01 - 01), include_str!("../../data/units-2021.csv")),
    (date!(2025 - 07 - 01), include_str!("../../data/units-2025.csv")),
];

/// Single units that changed since the last of the lists: a row takes the place of the one of its code.
const CHANGED_SINCE: &str = include_str!("../../data/units-2026.csv");

/// The day on which the lists were last compared with what the office publishes (`data/README.md`). Of later
/// days they may lack a change.
const COMPARED: Date = date!(2026 - 09 - 25);

/// Which of [`LISTS`] the process works by, if not the first.
static ADOPTED: OnceLock<Date> = OnceLock::new();

/// A day of which the lists say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{day} lies outside the lists of units, which tell of {from} to {to}; ask about a day between")]
pub struct OutsideLists {
    /// The day.
    pub day: Date,
    /// The first day of which they tell.
    pub from: Date,
    /// The last one.
    pub to: Date,
}

/// Why no unit bears a code on a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoUnit {
    /// The lists do not tell of the day.
    #[error(transparent)]
    Outside(#[from] OutsideLists),
    /// The code was borne on other days.
    #[error("no unit bears the code {code} on {day}; on other days: {}", .others.join("; "))]
    NotThen {
        /// The code.
        code: UnitCode,
        /// The day.
        day: Date,
        /// Who bore it, with the first day and the day after the last.
        others: Vec<String>,
    },
    /// The code is in no list.
    #[error("no unit of the lists bears the code {0} on any day; codes come from `dancu units list`")]
    Never(UnitCode),
}

impl UnitTable {
    /// The official lists from 2021 on: first 63 provinces, 705 districts and 10,599 communes, from 1 July
    /// 2025 34 provinces and 3,321 communes without districts. Parsed once per process, in a few
    /// milliseconds.
    pub fn official() -> &'static UnitTable {
        static TABLE: OnceLock<UnitTable> = OnceLock::new();
        TABLE.get_or_init(|| {
            let mut rows: Vec<(usize, Unit)> = Vec::new();
            let of = |csv| rows_in(csv).expect("the lists are part of the program and a test parses them");
            for (first, csv) in LISTS {
                for (_, row) in rows.iter_mut().filter(|(_, row)| row.valid_to.is_none()) {
                    row.valid_to = Some(first);
                }
                rows.extend(of(csv));
            }
            for (line, row) in of(CHANGED_SINCE) {
                let before = rows.iter_mut().find(|(_, b)| b.code == row.code && b.valid_to.is_none());
                before.expect("a unit that changed was there").1.valid_to = Some(row.valid_from);
                rows.push((line, row));
            }
            UnitTable::of(rows).expect("the lists are part of the program and a test reads them together")
        })
    }

    /// The first day of each list, ascending: the days on which people get other units.
    pub fn first_days() -> [Date; LISTS.len()] {
        LISTS.map(|(first, _)| first)
    }

    /// The units as the law has them on a day.
    ///
    /// # Errors
    /// A day before the first list, or after the lists were compared with the office's for the last time.
    pub fn within(day: Date) -> Result<Units<'static>, OutsideLists> {
        let (from, to) = (LISTS[0].0, COMPARED);
        if day < from || day > to {
            return Err(OutsideLists { day, from, to });
        }
        Ok(UnitTable::official().on(day))
    }

    /// The unit that bears this code on this day, by the law.
    ///
    /// # Errors
    /// [`NoUnit`], which tells a day that no list knows from a code that nobody bears then, or ever.
    pub fn bearer(code: UnitCode, day: Date) -> Result<&'static Unit, NoUnit> {
        if let Some(unit) = UnitTable::within(day)?.get(code) {
            return Ok(unit);
        }
        let rows = UnitTable::official().rows_of(code);
        if rows.is_empty() {
            return Err(NoUnit::Never(code));
        }
        let told = |row: &Unit| match row.valid_to {
            Some(end) => format!("{}, from {} to before {end}", row.full_name(), row.valid_from),
            None => format!("{}, from {}", row.full_name(), row.valid_from),
        };
        Err(NoUnit::NotThen { code, day, others: rows.iter().map(told).collect() })
    }

    /// All that a code meant and means, by the first day.
    pub fn history(code: UnitCode) -> &'static [Unit] {
        UnitTable::official().rows_of(code)
    }
}

impl Units<'static> {
    /// Those on a day, as far as this installation has come: on days of a list that it has not adopted, they
    /// stand as before it. What the law has is [`UnitTable::within`].
    pub fn on(day: Date) -> Units<'static> {
        UnitTable::official().on(day.min(reached()))
    }

    /// Those by which this installation works, for a code that comes without a day.
    pub fn latest() -> Units<'static> {
        Units::on(Date::MAX)
    }

    /// Says by which list this process works: the one that begins on this day. The program says it once,
    /// before anything is asked, from what its database says was applied there; until then it is the first
    /// list. A process that runs while a change is applied goes on with the list that it began with.
    ///
    /// Returns whether the process works by that list now.
    pub fn adopt(first: Date) -> bool {
        LISTS.iter().any(|(day, _)| *day == first) && *ADOPTED.get_or_init(|| first) == first
    }
}

/// The last day of the list that was adopted.
fn reached() -> Date {
    let adopted = ADOPTED.get().copied().unwrap_or(LISTS[0].0);
    let next = LISTS.iter().map(|(first, _)| *first).find(|first| *first > adopted);
    next.and_then(Date::previous_day).unwrap_or(Date::MAX)
}

// No list is adopted in these tests: the other tests of the process would work by it too.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::UnitLevel;

    fn code(text: &str) -> UnitCode {
        text.parse().unwrap()
    }

    fn counts(day: Date) -> [usize; 3] {
        let units = UnitTable::within(day).unwrap();
        [UnitLevel::Province, UnitLevel::District, UnitLevel::Commune].map(|level| units.level(level).count())
    }

    #[test]
    fn the_country_has_other_units_from_july_2025_on() {
        assert_eq!(counts(date!(2021 - 01 - 01)), [63, 705, 10_599]);
        assert_eq!(counts(date!(2025 - 06 - 30)), [63, 705, 10_599]);
        assert_eq!(counts(date!(2025 - 07 - 01)), [34, 0, 3_321]);
        assert_eq!(counts(COMPARED), [34, 0, 3_321]);
    }

    #[test]
    fn a_code_is_the_unit_that_bore_it_on_that_day() {
        let name = |text, day| UnitTable::bearer(code(text), day).map(Unit::full_name);
        assert_eq!(name("00004", date!(2025 - 06 - 30)).as_deref(), Ok("Phường Trúc Bạch"));
        assert_eq!(name("00004", date!(2025 - 07 - 01)).as_deref(), Ok("Phường Ba Đình"));
        assert_eq!(name("26368", date!(2026 - 04 - 29)).as_deref(), Ok("Xã Long Thành"));
        assert_eq!(name("26368", date!(2026 - 04 - 30)).as_deref(), Ok("Phường Long Thành"));
        let units = |day| UnitTable::within(day).unwrap();
        assert_eq!(
            units(date!(2026 - 04 - 29)).full_name(code("26368")).as_deref(),
            Some("Xã Long Thành, Tỉnh Đồng Nai")
        );
        assert_eq!(
            units(date!(2026 - 04 - 30)).full_name(code("26368")).as_deref(),
            Some("Phường Long Thành, Thành phố Đồng Nai")
        );
        assert_eq!(units(date!(2025 - 07 - 01)).path(code("18562")).as_deref(), Some("42/18562/"));
    }

    #[test]
    fn a_day_outside_the_lists_is_not_a_unit_that_is_missing() {
        for day in [date!(2020 - 12 - 31), COMPARED.next_day().unwrap()] {
            let outside = UnitTable::within(day).unwrap_err();
            assert_eq!(outside, OutsideLists { day, from: date!(2021 - 01 - 01), to: COMPARED });
            assert_eq!(UnitTable::bearer(code("445"), day), Err(NoUnit::Outside(outside)));
            assert!(outside.to_string().contains("outside the lists"));
        }
        let gone = UnitTable::bearer(code("445"), date!(2025 - 07 - 01)).unwrap_err();
        assert!(gone.to_string().contains("Huyện Thạch Hà, from 2021-01-01 to before 2025-07-01"), "{gone}");
        assert_eq!(UnitTable::bearer(code("999"), date!(2021 - 05 - 01)), Err(NoUnit::Never(code("999"))));
    }

    #[test]
    fn what_is_law_and_was_not_applied_has_nobody_here() {
        assert_eq!(Units::latest().path(code("18562")).as_deref(), Some("42/445/18562/"));
        assert_eq!(Units::on(date!(2026 - 01 - 01)).path(code("18562")).as_deref(), Some("42/445/18562/"));
        assert!(!Units::adopt(date!(2025 - 07 - 02)), "no list begins on that day");
    }

    /// The changes of 2026 are kinds only: no name, parent or code differs from the list that they amend.
    #[test]
    fn single_changes_keep_code_name_and_place() {
        let changed = rows_in(CHANGED_SINCE).unwrap();
        assert_eq!(changed.len(), 3 + 10 + 12);
        for (_, unit) in changed {
            let before = UnitTable::bearer(unit.code, unit.valid_from.previous_day().unwrap()).unwrap();
            assert_eq!((&before.name, before.parent), (&unit.name, unit.parent), "{}", unit.code);
            assert_ne!(before.kind, unit.kind, "{}", unit.code);
        }
    }
}
