//! Hand-made families: what must be found, and who must never be taken for somebody else.

use linkage::{Caution, Decision, Field, Index, Place, Record, Sex, Thresholds, decide, explain};

mod support;

fn hoa() -> Record {
    Record {
        id: 1,
        full_name: "Nguyễn Thị Thu Hòa".into(),
        sex: Some(Sex::Female),
        birth_day: Some(7),
        birth_month: Some(11),
        birth_year: Some(1986),
        ethnicity: Some(1),
        birth_province: Some(42),
        native_place: Place::new(42, 445, 18_562).ok(),
        residence: Place::new(42, 445, 18_562).ok(),
        address_line: Some("Xóm 3".into()),
        father_name: Some("Nguyễn Đình Khôi".into()),
        mother_name: Some("Phan Thị Liễu".into()),
        pin: None,
        cmnd: Some(183_456_789),
    }
}

fn decision(register: Vec<Record>, asked: &Record) -> Decision {
    let mut all = support::Population::new(7).people(3_000);
    all.iter_mut().for_each(|person| person.id += 1_000_000);
    all.extend(register);
    let index = Index::build(all);
    decide(&index.search(asked), Thresholds::default())
}

/// The same woman on another paper, which names no number, differs by `change`.
#[track_caller]
fn check_found(change: impl FnOnce(&mut Record), expected: Decision) {
    let mut asked = Record { id: 2, cmnd: None, ..hoa() };
    change(&mut asked);
    let weight = explain(&hoa(), &asked).weight;
    assert_eq!(decision(vec![hoa()], &asked), expected, "{weight:.1} bits");
}

#[test]
fn finds_a_person_despite_one_slip() {
    check_found(|_| {}, Decision::Link(1));
    check_found(|r| r.full_name = "NGUYỄN THỊ THU HOÀ".into(), Decision::Link(1));
    check_found(|r| r.full_name = "Nguyen Thi Thu Hoa".into(), Decision::Link(1));
    check_found(|r| (r.birth_day, r.birth_month) = (Some(11), Some(7)), Decision::Link(1));
    check_found(|r| (r.birth_day, r.birth_month) = (Some(1), Some(1)), Decision::Link(1));
    check_found(|r| (r.birth_day, r.birth_month) = (None, None), Decision::Link(1));
    check_found(|r| r.birth_day = Some(17), Decision::Link(1));
    check_found(|r| r.native_place = None, Decision::Link(1));
    check_found(|r| r.mother_name = None, Decision::Link(1));
    check_found(|r| r.father_name = Some("Nguyễn Đình Khôii".into()), Decision::Link(1));
}

#[test]
fn asks_a_human_where_a_slip_could_be_a_sister() {
    // One letter in the given name is how twins are told apart.
    check_found(|r| r.full_name = "Nguyễn Thị Thu Hoài".into(), Decision::Review(vec![1]));
    // Sisters may share a given name and differ in the middle.
    check_found(|r| r.full_name = "Nguyễn Thu Hòa".into(), Decision::Review(vec![1]));
    check_found(|r| r.full_name = "Nguyễn Thị Thư Hòa".into(), Decision::Review(vec![1]));
    check_found(|r| r.full_name = "Thu Hòa Nguyễn Thị".into(), Decision::Review(vec![1]));
    // The old number restores certainty; with a slip of its own it does not.
    check_found(
        |r| {
            r.full_name = "Nguyễn Thị Thu Hào".into();
            r.cmnd = Some(183_456_798);
        },
        Decision::Review(vec![1]),
    );
    check_found(
        |r| {
            r.full_name = "Nguyễn Thị Thu Hào".into();
            r.cmnd = Some(183_456_789);
        },
        Decision::Link(1),
    );
    check_found(
        |r| {
            r.full_name = "Nguyễn Thu Hòa".into();
            r.cmnd = Some(183_456_789);
        },
        Decision::Link(1),
    );
}

#[test]
fn a_slip_in_the_old_number_does_not_hide_a_person() {
    check_found(|r| r.cmnd = Some(183_456_798), Decision::Link(1));
    check_found(|r| r.cmnd = Some(183_456_781), Decision::Link(1));
}

#[test]
fn twins_and_siblings_stay_apart() {
    let twin = |name: &str| Record { id: 2, full_name: name.into(), cmnd: None, ..hoa() };
    for name in ["Nguyễn Thị Thu Hương", "Nguyễn Thị Thu Hoài", "Nguyễn Thị Thu Hoá", "Nguyễn Thị Hồng Hoa"]
    {
        let asked = twin(name);
        assert!(!matches!(decision(vec![hoa()], &asked), Decision::Link(_)), "{name}");
    }
    // With the twin herself in the register, she is the one who is found.
    let mut asked = twin("Nguyễn Thị Thu Hương");
    asked.id = 3;
    assert_eq!(decision(vec![hoa(), twin("Nguyễn Thị Thu Hương")], &asked), Decision::Link(2));
    let brother = Record {
        sex: Some(Sex::Male),
        full_name: "Nguyễn Đình Hòa".into(),
        birth_year: Some(1988),
        birth_day: Some(21),
        ..twin("")
    };
    assert_eq!(decision(vec![hoa()], &brother), Decision::NoMatch);
    let sister = Record { full_name: "Nguyễn Thị Thu Hà".into(), birth_year: Some(1988), ..twin("") };
    assert_eq!(decision(vec![hoa()], &sister), Decision::NoMatch);
}

#[test]
fn father_and_son_of_one_name_stay_apart() {
    let father = Record {
        id: 1,
        full_name: "Hồ Văn Y".into(),
        sex: Some(Sex::Male),
        birth_year: Some(1955),
        father_name: Some("Hồ Văn Y".into()),
        mother_name: Some("Hồ Thị Nga".into()),
        ethnicity: Some(20),
        cmnd: None,
        ..hoa()
    };
    let son = Record { id: 2, birth_year: Some(1981), mother_name: None, ..father.clone() };
    let ordinary = Record { father_name: Some("Hồ Văn Lương".into()), ..father.clone() };
    assert_eq!(decision(vec![ordinary], &son), Decision::NoMatch);
    // Three generations of one name, born on one day of the year, and no mother's name on the paper.
    assert_eq!(decision(vec![father], &son), Decision::Review(vec![1]));
}

#[test]
fn regional_variants_of_a_surname_meet_but_do_not_merge() {
    let huynh = Record { full_name: "Huỳnh Thị Thu Hòa".into(), father_name: None, ..hoa() };
    let hoang =
        Record { id: 2, full_name: "Hoàng Thị Thu Hòa".into(), father_name: None, cmnd: None, ..hoa() };
    let found = Index::build(vec![huynh.clone()]).search(&hoang);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].levels.name.code(), "surname_variant");
    let stranger = Record { birth_day: Some(8), birth_month: Some(2), mother_name: None, ..hoang };
    assert!(!matches!(decision(vec![huynh], &stranger), Decision::Link(_)));
}

#[test]
fn the_pin_links_what_agrees_and_stops_what_contradicts() {
    let pin = Some(42_186_000_123);
    let held = Record { pin, ..hoa() };
    let same = Record { id: 2, pin, full_name: "Nguyễn Thu Hoà".into(), father_name: None, ..hoa() };
    assert_eq!(decision(vec![held.clone()], &same), Decision::Link(1));
    let other = Record {
        id: 2,
        full_name: "Trần Văn Bình".into(),
        sex: Some(Sex::Male),
        birth_year: Some(1961),
        birth_day: Some(30),
        father_name: None,
        mother_name: None,
        cmnd: None,
        ..same.clone()
    };
    let index = Index::build(vec![held.clone()]);
    assert_eq!(index.search(&other)[0].caution, Caution::PinContradicted);
    assert_eq!(decision(vec![held.clone()], &other), Decision::Review(vec![1]));
    // Even the holder's sister who brings the wrong number is not taken for her.
    let sister =
        Record {
            id: 2, full_name: "Nguyễn Thị Thu Hương".into(), birth_year: Some(1989), ..same.clone()
        };
    assert!(matches!(decision(vec![held.clone()], &sister), Decision::Review(_)));
    // Two valid numbers that differ: a clerk decides, however alike the rest.
    let renumbered = Record { id: 2, pin: Some(42_186_777_555), ..hoa() };
    assert_eq!(decision(vec![held], &renumbered), Decision::Review(vec![1]));
}

#[test]
fn two_equal_records_are_a_case_and_not_a_coin_toss() {
    let second = Record { id: 5, ..hoa() };
    let asked = Record { id: 9, ..hoa() };
    assert_eq!(decision(vec![hoa(), second], &asked), Decision::Review(vec![1, 5]));
}

#[test]
fn one_pin_on_two_records_is_a_case_however_unlike_they_are() {
    let pin = Some(42_186_000_123);
    let held = Record { pin, ..hoa() };
    let bare = Record {
        id: 5,
        pin,
        full_name: "Nguyễn Mai Hòa".into(),
        sex: None,
        birth_year: None,
        father_name: Some("Trần Văn Bình".into()),
        mother_name: None,
        cmnd: None,
        ..hoa()
    };
    let asked = Record { id: 9, ..held.clone() };
    let found = Index::build(vec![held.clone(), bare.clone()]).search(&asked);
    assert!(found[0].weight - found[1].weight > Thresholds::default().lead, "the lead alone would link");
    assert_eq!(found[1].caution, Caution::PinConfirmed);
    assert_eq!(decision(vec![held, bare], &asked), Decision::Review(vec![1, 5]));
}

#[test]
fn common_names_weigh_less() {
    let weight = |name: &str| {
        let a = Record { full_name: name.into(), ..hoa() };
        let b = Record { id: 2, ..a.clone() };
        let fields = explain(&Record { father_name: None, mother_name: None, ..a }, &b).fields;
        fields.iter().find(|f| f.field == Field::Name).map(|f| f.weight)
    };
    assert!(weight("Nguyễn Văn Hòa") < weight("Tạ Khắc Hòa"));
}

#[test]
fn the_waterfall_sums_to_the_weight_and_names_every_field() {
    let other = Record { id: 2, full_name: "Nguyễn Thu Hoà".into(), mother_name: None, ..hoa() };
    let explanation = explain(&hoa(), &other);
    let sum: f64 = explanation.fields.iter().map(|f| f.weight).sum();
    assert!((sum - explanation.weight).abs() < 1e-9);
    let levels: Vec<_> = explanation.fields.iter().map(|f| (f.field.code(), f.level)).collect();
    assert_eq!(
        levels,
        [
            ("prior", "prior"),
            ("pin", "missing"),
            ("cmnd", "equal"),
            ("parents", "same/missing"),
            ("native_place", "commune"),
            ("birth_province", "implied"),
            ("ethnicity", "same"),
            ("residence", "address"),
            ("birth", "exact"),
            ("name", "middle_missing"),
            ("sex", "implied"),
        ]
    );
}

#[test]
fn debug_output_shows_no_personal_data() {
    assert_eq!(format!("{:?}", hoa()), "Record { id: 1, .. }");
}
