//! What holds for every list; the tables of each period are in `tables`, what the check finds in `planted`.

mod planted;
mod properties;
mod tables;

use std::collections::BTreeMap;

use time::macros::date;
use time::{Date, Month};

use super::*;

pub(super) fn official() -> &'static Profile {
    Profile::official()
}

/// Every day from the first of 2021 to the last of 2026.
pub(super) fn every_day() -> impl Iterator<Item = Date> {
    std::iter::successors(Some(date!(2021 - 01 - 01)), |day| day.next_day())
        .take_while(|day| day.year() <= 2026)
}

#[test]
fn every_list_is_sound_and_no_row_is_lost() {
    for list in List::ALL {
        let checked = check(list.csv().as_bytes()).unwrap();
        assert_eq!((checked.list, checked.findings), (list, Vec::new()), "{list}");
        assert_eq!(checked.rows, list.csv().lines().count() - 1, "{list}");
        assert_eq!(checked.marks.iter().sum::<usize>(), checked.rows, "{list}");
        let written = official().rows_of(list);
        assert_eq!(written.len(), checked.rows, "{list}");
        for (at, row) in written.iter().enumerate() {
            assert_eq!((row.basis.list, row.basis.line), (list, at + 2));
            assert!(!row.subject.is_empty() && !row.value.is_empty() && !row.basis.source.is_empty());
        }
    }
}

#[test]
fn a_header_names_one_list_and_codes_lead_back() {
    for list in List::ALL {
        assert_eq!(List::from_code(list.code()), Some(list));
        assert!(List::ALL.into_iter().all(|other| other == list || other.columns() != list.columns()));
    }
    for mark in Mark::ALL {
        assert_eq!(Mark::from_code(mark.code()), Some(mark));
    }
    for standing in Standing::ALL {
        assert_eq!(Standing::from_code(standing.code()), Some(standing));
    }
    for kind in DayKind::ALL {
        assert_eq!(DayKind::from_code(kind.code()), Some(kind));
    }
    for form in FormCode::ALL {
        assert_eq!(FormCode::from_code(form.code()), Some(form));
    }
}

/// How many rows answer for each thing on a day.
fn answers<T: Says>(rows: &[Row<T>], day: Date) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for row in rows.iter().filter(|row| row.basis.holds_on(day)) {
        row.says.keys().into_iter().for_each(|key| *answers.entry(key).or_default() += 1);
    }
    answers
}

#[test]
fn on_each_day_everything_has_exactly_one_row() {
    let profile = official();
    for day in every_day() {
        let of = |list: &str, count: usize, answers: BTreeMap<String, usize>| {
            assert!(answers.values().all(|rows| *rows == 1), "{list} {day}: {answers:?}");
            assert_eq!(answers.len(), count, "{list} {day}: {answers:?}");
        };
        of("fees", 16, answers(&profile.fees, day));
        of("due days", 9, answers(&profile.due_days, day));
        of("ages", 3, answers(&profile.ages, day));
        let law_of_2023 = day >= date!(2024 - 07 - 01);
        of("validity", if law_of_2023 { 4 } else { 3 }, answers(&profile.validity, day));
        of("forms", if law_of_2023 { 0 } else { 4 }, answers(&profile.forms, day));
        let circular_60 = day >= date!(2021 - 07 - 01);
        of("stages", if circular_60 { 4 } else { 0 }, answers(&profile.stage_limits, day));
        of("corrections", if circular_60 { 3 } else { 0 }, answers(&profile.correction_limits, day));
        let named = answers(&profile.holidays, day);
        assert_eq!(named.get("year"), Some(&1), "{day}");
        assert!(named.values().all(|rows| *rows == 1), "{day}: {named:?}");
    }
}

#[test]
fn each_year_has_the_days_off_of_its_law() {
    for year in 2021..=2026 {
        let days_off = |kind: DayKind| -> usize {
            let days = every_day().filter(|day| day.year() == year);
            let is_it = |day: &Date| {
                let rows = &official().holidays;
                rows.iter().any(|row| row.basis.holds_on(*day) && row.says.subject() == kind.code())
            };
            days.filter(is_it).count()
        };
        // Eleven by the Labour Code; in 2026 the Day of Vietnamese Culture, which is marked as an inference.
        assert_eq!(days_off(DayKind::Holiday), if year == 2026 { 12 } else { 11 }, "{year}");
        // What falls on a week's end is taken later; what is moved is worked on another day.
        let on_weekends = every_day()
            .filter(|day| day.year() == year)
            .filter(|day| matches!(day.weekday(), time::Weekday::Saturday | time::Weekday::Sunday))
            .filter(|day| {
                official().working_days().on(*day).unwrap().by.is_some_and(|by| {
                    official().holidays.iter().any(|row| row.basis == *by && row.says.subject() == "holiday")
                })
            })
            .count();
        assert_eq!(days_off(DayKind::InLieu), on_weekends, "{year}");
        assert_eq!(days_off(DayKind::MovedOff), days_off(DayKind::Worked), "{year}");
        let fixed = [(Month::January, 1), (Month::April, 30), (Month::May, 1), (Month::September, 2)];
        for (month, day) in fixed {
            let day = Date::from_calendar_date(year, month, day).unwrap();
            assert!(!official().working_days().on(day).unwrap().is_worked, "{day}");
        }
    }
}
