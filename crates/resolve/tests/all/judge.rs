//! What becomes of two records: merged, asked about, or left.

use linkage::{Place, Record, Sex, explain};
use resolve::dedupe::{Verdict, verdict};

fn known() -> Record {
    let home = Place::new(42, 445, 18_562).unwrap();
    Record {
        id: 1,
        full_name: "Nguyễn Thị Thu Hòa".into(),
        sex: Some(Sex::Female),
        birth_day: Some(7),
        birth_month: Some(11),
        birth_year: Some(1986),
        native_place: Some(home),
        residence: Some(home),
        father_name: Some("Nguyễn Đình Khôi".into()),
        mother_name: Some("Phan Thị Liễu".into()),
        cmnd: Some(183_456_789),
        ..Record::default()
    }
}

fn check(expected: Verdict, change: impl FnOnce(&mut Record, &mut Record)) {
    let (mut a, mut b) = (known(), Record { id: 2, ..known() });
    change(&mut a, &mut b);
    let found = verdict(&a, |a| Some(explain(a, &b))).unwrap();
    assert_eq!(found.verdict, expected, "{found:?}");
}

#[test]
fn one_person_respelt_is_merged() {
    check(Verdict::Merge, |_, b| b.full_name = "NGUYỄN THỊ THU HOÀ".into());
}

#[test]
fn twins_and_two_numbers_are_never_merged() {
    let twin = |b: &mut Record| {
        b.full_name = "Nguyễn Thị Thu Hằng".into();
        b.cmnd = None;
    };
    check(Verdict::Leave, |_, b| twin(b));
    check(Verdict::Case, |a, b| (a.pin, b.pin) = (Some(42_186_000_001), Some(42_186_777_779)));
    check(Verdict::Case, |_, b| b.cmnd = Some(183_999_111));
    // Without parents too, and with two old numbers; but not with the name of a twin.
    check(Verdict::Case, |a, b| {
        (a.pin, b.pin) = (Some(42_186_000_001), Some(42_186_777_779));
        (b.cmnd, b.father_name, b.mother_name) = (None, None, None);
    });
    check(Verdict::Case, |a, b| {
        (a.pin, b.pin) = (Some(42_186_000_001), Some(42_186_777_779));
        b.cmnd = Some(183_999_111);
    });
    check(Verdict::Leave, |a, b| {
        (a.pin, b.pin) = (Some(42_186_000_001), Some(42_186_777_779));
        twin(b);
    });
}

#[test]
fn an_old_number_that_two_people_have_is_no_duplicate() {
    check(Verdict::Leave, |_, b| {
        b.full_name = "Trần Văn Bảo".into();
        b.birth_year = Some(1951);
        (b.father_name, b.mother_name) = (None, None);
    });
}
