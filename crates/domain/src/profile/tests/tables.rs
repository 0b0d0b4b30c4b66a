//! Every period's fee and limit, with its source, on its first and its last day.

use time::macros::{date, datetime};

use super::super::*;
use super::official;
use crate::PartialDate;
use crate::application::{Kind, Reason};
use crate::clock::day_in_vietnam;

const NOBODY: Payer<'static> = Payer { standing: &[] };

#[test]
fn fees_of_every_period() {
    // New for an old card, exchange, reissue; the source; how sure each is.
    let (half, full) = ([15_000, 25_000, 35_000], [30_000, 50_000, 70_000]);
    for (first, last, dong, source) in [
        (date!(2021 - 01 - 01), date!(2021 - 06 - 30), half, "112/2020/TT-BTC"),
        (date!(2021 - 07 - 01), date!(2021 - 12 - 31), half, "47/2021/TT-BTC"),
        (date!(2022 - 01 - 01), date!(2022 - 06 - 30), half, "120/2021/TT-BTC"),
        (date!(2022 - 07 - 01), date!(2023 - 06 - 30), full, "59/2019/TT-BTC"),
        (date!(2023 - 07 - 01), date!(2023 - 12 - 31), half, "44/2023/TT-BTC"),
        (date!(2024 - 01 - 01), date!(2024 - 06 - 30), full, "59/2019/TT-BTC"),
        (date!(2024 - 07 - 01), date!(2024 - 10 - 20), half, "43/2024/TT-BTC"),
        (date!(2024 - 10 - 21), date!(2024 - 12 - 31), half, "73/2024/TT-BTC"),
        (date!(2025 - 01 - 01), date!(2025 - 06 - 30), full, "73/2024/TT-BTC"),
        (date!(2025 - 07 - 01), date!(2026 - 12 - 31), half, "64/2025/TT-BTC"),
    ] {
        for day in [first, last] {
            let asked = [
                (Kind::New, Reason::OldCard),
                (Kind::Exchange, Reason::Damaged),
                (Kind::Reissue, Reason::Lost),
            ];
            for ((kind, reason), dong) in asked.into_iter().zip(dong) {
                let fee = official().fee(kind, reason, NOBODY, day).unwrap();
                assert_eq!(
                    (fee.dong, fee.tariff_dong, fee.exempt_by),
                    (dong, dong, None),
                    "{day} {reason:?}"
                );
                assert!(fee.basis.source.contains(source), "{day}: {}", fee.basis.source);
                assert_eq!((fee.basis.from, fee.basis.to), (first, Some(last)), "{day}");
            }
        }
    }
}

#[test]
fn a_fee_outside_its_days_or_of_another_kind_is_an_error_by_name() {
    for day in [date!(2020 - 12 - 31), date!(2027 - 01 - 01)] {
        let error = official().fee(Kind::Reissue, Reason::Lost, NOBODY, day).unwrap_err();
        assert_eq!(error, NoRule { list: List::Fees, subject: "reissue/lost".to_owned(), day });
        let said = error.to_string();
        assert!(said.contains("`fees`") && said.contains("reissue/lost") && said.contains(&day.to_string()));
    }
    let day = date!(2021 - 04 - 06);
    let error = official().fee(Kind::New, Reason::Lost, NOBODY, day).unwrap_err();
    assert_eq!(error.subject, "new/lost");
}

#[test]
fn who_pays_nothing() {
    let poor = Payer { standing: &[Standing::PoorHousehold] };
    let (before, after) = (date!(2021 - 04 - 06), date!(2025 - 04 - 06));
    for (kind, reason, payer, free) in [
        (Kind::New, Reason::FirstCard, NOBODY, true),
        (Kind::New, Reason::OldCard, NOBODY, false),
        (Kind::New, Reason::OldCard, poor, false),
        (Kind::Exchange, Reason::Age, NOBODY, true),
        (Kind::Exchange, Reason::OfficeError, NOBODY, true),
        (Kind::Exchange, Reason::CardError, NOBODY, false),
        (Kind::Exchange, Reason::UnitsRearranged, NOBODY, true),
        (Kind::Exchange, Reason::Damaged, poor, true),
        (Kind::Reissue, Reason::Lost, poor, true),
        (Kind::Reissue, Reason::Lost, NOBODY, false),
    ] {
        for day in [before, after] {
            let fee = official().fee(kind, reason, payer, day).unwrap();
            assert_eq!((fee.dong == 0, fee.exempt_by.is_some()), (free, free), "{reason:?} {day}");
            assert!(fee.tariff_dong > 0 && fee.exempt_by.is_none_or(|by| by.holds_on(day)));
        }
    }
    let law = |day| {
        let fee = official().fee(Kind::Exchange, Reason::OfficeError, NOBODY, day).unwrap();
        fee.exempt_by.unwrap().source.to_string()
    };
    assert!(law(date!(2024 - 06 - 30)).starts_with("Law 59/2014/QH13"));
    assert!(law(date!(2024 - 07 - 01)).starts_with("Law 26/2023/QH15"));
}

#[test]
fn working_days_of_both_laws() {
    use UnitTag::{Border, City, Highland, Island};
    for (kind, tags, of_2014) in [
        (Kind::New, &[City][..], 7),
        (Kind::Exchange, &[City], 7),
        (Kind::Reissue, &[City], 15),
        // A city at the border is a city.
        (Kind::New, &[Border, City], 7),
        (Kind::New, &[Highland], 20),
        (Kind::Exchange, &[Border], 20),
        (Kind::Reissue, &[Island, Border], 20),
        (Kind::New, &[], 15),
        (Kind::Exchange, &[], 15),
        (Kind::Reissue, &[], 15),
    ] {
        for (at, days, source) in [
            (datetime!(2021-01-04 09:00 +7), of_2014, "Law 59/2014/QH13, article 25"),
            (datetime!(2024-06-30 23:59 +7), of_2014, "Law 59/2014/QH13, article 25"),
            (datetime!(2024-07-01 00:00 +7), 7, "Law 26/2023/QH15, article 26"),
            (datetime!(2026-11-02 09:00 +7), 7, "Law 26/2023/QH15, article 26"),
        ] {
            let due = official().due_on(kind, tags, at).unwrap();
            assert_eq!((due.working_days, &*due.basis.source), (days, source), "{kind:?} {tags:?} {at}");
        }
    }
}

#[test]
fn due_days_over_holidays_and_worked_saturdays() {
    use UnitTag::{City, Highland};
    for (kind, tags, at, on, days_off) in [
        // 30 April, 1 May, and the Monday in lieu of it.
        (Kind::New, &[City][..], datetime!(2021-04-26 10:00 +7), date!(2021 - 05 - 07), 3),
        // Tết.
        (Kind::Reissue, &[City], datetime!(2021-02-08 10:00 +7), date!(2021 - 03 - 08), 2),
        // 29 April was moved to Saturday 4 May; received on the Friday before, and on the Saturday at 06:30
        // in Vietnam, which was still Friday at Greenwich.
        (Kind::New, &[], datetime!(2024-04-26 16:59 +7), date!(2024 - 05 - 21), 4),
        (Kind::New, &[], datetime!(2024-04-26 23:30 UTC), date!(2024 - 05 - 21), 4),
        // The last day of the law of 2014, and the first of that of 2023.
        (Kind::New, &[Highland], datetime!(2024-06-30 09:00 +7), date!(2024 - 07 - 26), 0),
        (Kind::New, &[Highland], datetime!(2024-07-01 09:00 +7), date!(2024 - 07 - 10), 0),
    ] {
        let due = official().due_on(kind, tags, at).unwrap();
        assert_eq!((due.on, due.days_off.len()), (on, days_off), "{at}: {:?}", due.days_off);
    }
}

#[test]
fn a_way_into_a_year_without_days_off_is_an_error_by_name() {
    let at = datetime!(2026-12-28 09:00 +7);
    let error = official().due_on(Kind::New, &[UnitTag::City], at).unwrap_err();
    assert_eq!((error.list, error.day), (List::Holidays, date!(2027 - 01 - 01)));
    let at = datetime!(2020-12-31 09:00 +7);
    let error = official().due_on(Kind::New, &[UnitTag::City], at).unwrap_err();
    assert_eq!((error.list, error.day), (List::Holidays, date!(2020 - 12 - 31)));
    let error = official().due_on(Kind::New, &[], datetime!(2015-12-31 09:00 +7)).unwrap_err();
    assert_eq!((error.list, &*error.subject), (List::DueDays, "new/elsewhere"));
    assert!(official().due_on(Kind::New, &[], datetime!(9999-12-31 23:59 UTC)).is_err());
}

#[test]
fn stage_limits_begin_with_circular_60() {
    let limits = [
        (Stage::Transmit, 2),
        (Stage::ApproveAndPrint, 3),
        (Stage::ApproveAndPrintCentral, 4),
        (Stage::DeliverBack, 2),
    ];
    for (stage, days) in limits {
        assert_eq!(Stage::from_code(stage.code()), Some(stage));
        for (day, mark) in [
            (date!(2021 - 07 - 01), Mark::LegalText),
            (date!(2024 - 06 - 30), Mark::LegalText),
            (date!(2024 - 07 - 01), Mark::Inference),
        ] {
            let limit = official().stage_limit(stage, day).unwrap();
            assert_eq!((limit.working_days, limit.basis.mark), (days, mark), "{stage:?} {day}");
            assert!(limit.basis.source.starts_with("Circular 60/2021/TT-BCA, article 11"));
        }
        let error = official().stage_limit(stage, date!(2021 - 06 - 30)).unwrap_err();
        assert_eq!((error.list, &*error.subject), (List::StageLimits, stage.code()));
    }
}

#[test]
fn corrections_of_the_register() {
    use Correction::{CorrectionVerified, Supplement};
    for (case, at, on) in [
        // A Wednesday: until three in the afternoon the same day.
        (Supplement, datetime!(2021-07-07 15:00 +7), date!(2021 - 07 - 07)),
        (Supplement, datetime!(2021-07-07 15:01 +7), date!(2021 - 07 - 08)),
        (Supplement, datetime!(2021-07-07 08:00 UTC), date!(2021 - 07 - 07)),
        // A Friday, a Saturday in the morning and in the evening: Monday.
        (Supplement, datetime!(2021-07-09 15:30 +7), date!(2021 - 07 - 12)),
        (Supplement, datetime!(2021-07-10 09:00 +7), date!(2021 - 07 - 12)),
        (Supplement, datetime!(2021-07-10 18:00 +7), date!(2021 - 07 - 12)),
        // Before the National Day of two days and a week's end.
        (Supplement, datetime!(2021-09-01 16:00 +7), date!(2021 - 09 - 06)),
        (Correction::Correction, datetime!(2021-09-01 10:00 +7), date!(2021 - 09 - 08)),
        (Correction::Correction, datetime!(2021-09-01 16:00 +7), date!(2021 - 09 - 08)),
        (CorrectionVerified, datetime!(2021-09-01 10:00 +7), date!(2021 - 09 - 13)),
    ] {
        assert_eq!(Correction::from_code(case.code()), Some(case));
        let due = official().correction_due(case, at).unwrap();
        assert_eq!((due.on, due.basis.mark), (on, Mark::Press), "{case:?} {at}");
    }
    let error = official().correction_due(Supplement, datetime!(2021-06-30 10:00 +7)).unwrap_err();
    assert_eq!((error.list, error.day), (List::CorrectionLimits, date!(2021 - 06 - 30)));
}

#[test]
fn a_day_of_the_calendar_says_why() {
    let calendar = official().working_days();
    for (day, is_worked, by) in [
        (date!(2024 - 04 - 26), true, None),
        (date!(2024 - 04 - 27), false, None),
        (date!(2024 - 04 - 29), false, Some(Mark::Press)),
        (date!(2024 - 04 - 30), false, Some(Mark::LegalText)),
        (date!(2024 - 05 - 04), true, Some(Mark::Press)),
        (date!(2026 - 11 - 24), false, Some(Mark::Inference)),
    ] {
        let said = calendar.on(day).unwrap();
        assert_eq!((said.is_worked, said.by.map(|by| by.mark)), (is_worked, by), "{day}");
    }
    assert_eq!(calendar.count(date!(2021 - 07 - 10), 0).unwrap().day, date!(2021 - 07 - 12));
    assert_eq!(calendar.count(date!(2021 - 07 - 10), 1).unwrap().day, date!(2021 - 07 - 12));
    assert!(calendar.on(date!(2027 - 01 - 01)).is_err());
}

#[test]
fn ages_of_both_laws() {
    for (day, ages, source) in [
        (date!(2016 - 01 - 01), [14, 14, 14], "Law 59/2014/QH13"),
        (date!(2024 - 06 - 30), [14, 14, 14], "Law 59/2014/QH13"),
        (date!(2024 - 07 - 01), [14, 0, 6], "Law 26/2023/QH15"),
    ] {
        let found = official().ages_for_card(day).unwrap();
        assert_eq!([found.due.years, found.on_request.years, found.biometrics.years], ages, "{day}");
        assert!(found.due.basis.source.starts_with(source));
    }
    let error = official().ages_for_card(date!(2015 - 12 - 31)).unwrap_err();
    assert_eq!((error.list, &*error.subject), (List::Ages, "due"));
    assert_eq!(official().born_by(date!(2021 - 04 - 20)).unwrap(), 20_070_420);
}

#[test]
fn a_card_ends_by_the_law_of_the_day_on_which_it_is_issued() {
    let until = |birth: &str, issued| {
        let validity = official().expiry(PartialDate::parse(birth).unwrap(), issued).unwrap();
        assert!(validity.basis.holds_on(issued));
        validity.until
    };
    // Under the law of 2014 to the next of 25, 40 and 60, or the one after.
    let day = date!(2021 - 04 - 06);
    assert_eq!(until("10/05/2005", day), Some(date!(2030 - 05 - 10)));
    assert_eq!(until("05/04/1998", day), Some(date!(2038 - 04 - 05)));
    assert_eq!(until("07/04/1998", day), Some(date!(2023 - 04 - 07)));
    assert_eq!(until("10/05/1970", day), Some(date!(2030 - 05 - 10)));
    assert_eq!(until("29/02/2000", day), Some(date!(2025 - 02 - 28)));
    assert_eq!(until("1940", day), None);
    // From the law of 2023 on a child's card ends at 14, and one issued in the two years before at 25.
    assert_eq!(until("10/05/2017", date!(2024 - 07 - 01)), Some(date!(2031 - 05 - 10)));
    assert_eq!(until("10/05/2012", date!(2024 - 07 - 01)), Some(date!(2037 - 05 - 10)));
    assert_eq!(until("01/07/2010", date!(2024 - 06 - 30)), Some(date!(2035 - 07 - 01)));
    // 23 years and a day: within two years before 25, under both laws.
    assert_eq!(until("29/06/2001", date!(2024 - 06 - 30)), Some(date!(2041 - 06 - 29)));
    assert_eq!(until("30/06/2001", date!(2024 - 07 - 01)), Some(date!(2041 - 06 - 30)));
    // The day before the 58th birthday, and the birthday.
    assert_eq!(until("07/04/1963", date!(2021 - 04 - 06)), Some(date!(2023 - 04 - 07)));
    assert_eq!(until("06/04/1963", date!(2021 - 04 - 06)), None);
    let day = date!(2015 - 12 - 31);
    let error = official().expiry(PartialDate::parse("1990").unwrap(), day).unwrap_err();
    assert_eq!((error.list, error.day), (List::Validity, day));
}

#[test]
fn forms_by_their_circular() {
    for form in FormCode::ALL {
        for day in [date!(2021 - 01 - 01), date!(2024 - 06 - 30)] {
            assert!(official().form(form, day).unwrap().basis.source.contains("TT-BCA"));
        }
        for day in [date!(2020 - 12 - 31), date!(2024 - 07 - 01)] {
            let error = official().form(form, day).unwrap_err();
            assert_eq!((error.list, &*error.subject), (List::Forms, form.code()));
        }
    }
    let title = official().form(FormCode::Cc03, date!(2021 - 04 - 06)).unwrap().title;
    assert_eq!(title, "Giấy hẹn trả thẻ Căn cước công dân");
}

#[test]
fn the_offset_of_vietnam_decides_the_day() {
    // One instant on two days.
    let at = datetime!(2024-06-30 17:00 UTC);
    assert_eq!((at.date(), day_in_vietnam(at)), (date!(2024 - 06 - 30), date!(2024 - 07 - 01)));
    assert_eq!(official().due_on(Kind::New, &[], at).unwrap().working_days, 7);
}
