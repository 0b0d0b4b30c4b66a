//! What holds on any day.

use proptest::prelude::*;
use time::macros::date;
use time::{Date, Duration, Month, OffsetDateTime};

use super::super::*;
use super::official;
use crate::PartialDate;
use crate::application::Kind;
use crate::clock::VIETNAM;

/// The rule for the validity of cards as it stood in the program before the lists: the law of 2014.
fn expiry_of_2021(birth: PartialDate, issued: Date) -> Option<Date> {
    let born = birth.latest();
    let anniversary = |age: i32| {
        let year = born.year() + age;
        Date::from_calendar_date(year, born.month(), born.day())
            .unwrap_or_else(|_| Date::from_calendar_date(year, Month::February, 28).unwrap())
    };
    [25, 40, 60].into_iter().find(|&age| issued < anniversary(age - 2)).map(anniversary)
}

/// The birth date of the youngest who are 14, as it stood in the program before the lists.
fn born_by_of_2021(day: Date) -> i32 {
    (day.year() - 14) * 10_000 + i32::from(day.month() as u8) * 100 + i32::from(day.day())
}

fn birth() -> impl Strategy<Value = PartialDate> {
    (1900i16..2024, 0u8..=12, 0u8..=31).prop_filter_map("no date", |(year, month, day)| {
        let month = (month > 0).then_some(month);
        let day = month.and((day > 0).then_some(day));
        PartialDate::new(year, month, day).ok()
    })
}

fn day_of(first: Date, last: Date) -> impl Strategy<Value = Date> {
    (0..=(last - first).whole_days()).prop_map(move |days| first + Duration::days(days))
}

fn morning(day: Date) -> OffsetDateTime {
    day.with_hms(9, 0, 0).unwrap().assume_offset(VIETNAM)
}

const KINDS: [Kind; 3] = Kind::ALL;
const TAGS: [&[UnitTag]; 3] = [&[UnitTag::City], &[UnitTag::Island], &[]];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn in_2021_a_card_ends_on_the_day_on_which_it_always_did(
        birth in birth(),
        issued in day_of(date!(2021 - 01 - 01), date!(2021 - 12 - 31)),
    ) {
        let now = official().expiry(birth, issued).unwrap().until;
        prop_assert_eq!(now, expiry_of_2021(birth, issued));
        prop_assert_eq!(official().born_by(issued).unwrap(), born_by_of_2021(issued));
    }

    #[test]
    fn a_card_that_is_issued_later_ends_no_earlier(
        birth in birth(),
        law_of_2023: bool,
        first in 0i64..900,
        wait in 0i64..900,
    ) {
        let begin = if law_of_2023 { date!(2024 - 07 - 01) } else { date!(2019 - 07 - 01) };
        let issued = begin + Duration::days(first);
        let until = |day: Date| official().expiry(birth, day).unwrap().until.unwrap_or(Date::MAX);
        prop_assert!(until(issued) <= until(issued + Duration::days(wait)));
        prop_assert!(until(issued) > issued);
    }

    #[test]
    fn the_due_day_is_worked_and_so_many_working_days_away(
        received in day_of(date!(2021 - 01 - 01), date!(2026 - 11 - 01)),
        kind in 0usize..3,
        tags in 0usize..3,
    ) {
        let due = official().due_on(KINDS[kind], TAGS[tags], morning(received)).unwrap();
        let calendar = official().working_days();
        prop_assert!(calendar.on(due.on).unwrap().is_worked);
        let between = std::iter::successors(received.next_day(), |day| day.next_day());
        let worked = between
            .take_while(|day| *day <= due.on)
            .filter(|day| calendar.on(*day).unwrap().is_worked)
            .count();
        prop_assert_eq!(worked, due.working_days as usize);
        prop_assert!(due.basis.holds_on(received));
        prop_assert!(due.days_off.iter().all(|row| row.from <= due.on && row.to >= Some(received)));
    }

    #[test]
    fn who_comes_later_waits_no_shorter_under_one_law(
        received in day_of(date!(2021 - 01 - 01), date!(2026 - 10 - 01)),
        later in 0i64..30,
        kind in 0usize..3,
        tags in 0usize..3,
        case in 0usize..3,
    ) {
        let second = received + Duration::days(later);
        let due = |day: Date| official().due_on(KINDS[kind], TAGS[tags], morning(day)).unwrap();
        let (one, other) = (due(received), due(second));
        if one.basis == other.basis {
            prop_assert!(one.on <= other.on);
        }
        if received >= date!(2021 - 07 - 01) {
            let case = Correction::ALL[case];
            let evening = morning(received) + Duration::hours(8);
            let due = |at| official().correction_due(case, at).unwrap().on;
            prop_assert!(due(morning(received)) <= due(evening));
            prop_assert!(due(evening) <= due(morning(second + Duration::days(1))));
        }
    }

    #[test]
    fn no_bytes_break_the_check(bytes: Vec<u8>, text in "[a-z0-9,\"\\-\n]{0,200}", list in 0usize..9) {
        let _ = check(&bytes);
        let list = List::ALL[list];
        let checked = check(format!("{}\n{text}", list.columns().join(",")).as_bytes()).unwrap();
        prop_assert_eq!(checked.list, list);
        prop_assert!(checked.findings.iter().all(|finding| !finding.to_string().is_empty()));
    }
}
