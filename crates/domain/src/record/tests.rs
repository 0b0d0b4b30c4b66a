use super::*;

pub(crate) fn person() -> ResidentRecord {
    let relative = |name: &str, pin: Option<&str>| {
        Some(Relative {
            name: PersonName::parse(name).unwrap(),
            pin: pin.map(|pin| Pin::parse(pin).unwrap()),
        })
    };
    ResidentRecord {
        name: PersonName::parse("Nguyễn Thị Mẫu").unwrap(),
        sex: Sex::Female,
        birth: PartialDate::parse("07/11/1986").unwrap(),
        pin: Some(Pin::parse("042186000001").unwrap()),
        old_id: Some(OldId::parse("183456789").unwrap()),
        ethnicity: 1,
        religion: 0,
        nationality: "VNM".to_owned(),
        marital: Some(2),
        blood: Some("04".to_owned()),
        birth_registration: Some("18562".parse().unwrap()),
        native_place: Some("445".parse().unwrap()),
        permanent: Place { unit: "18562".parse().unwrap(), detail: "Thôn 4".to_owned() },
        current: None,
        father: relative("Nguyễn Văn Mẫu", Some("042060000002")),
        mother: relative("Trần Thị Mẫu", None),
        spouse: None,
        household: Some("H-1".to_owned()),
        relation_to_head: Some(2),
    }
}

/// What differs between the declaration and the register's record after these changes.
fn check(
    declared: impl FnOnce(&mut ResidentRecord),
    register: impl FnOnce(&mut ResidentRecord),
    expected: &[Field],
) {
    let (mut one, mut other) = (person(), person());
    declared(&mut one);
    register(&mut other);
    assert_eq!(one.differing_fields(&other), expected);
}

/// Another readable value for each part.
pub(crate) fn another(field: Field, part: Part) -> &'static str {
    match (field, part) {
        (Field::Name, _) | (_, Part::Name) => "Lê Thị Khác",
        (Field::Sex, _) => "1",
        (Field::Birth, _) => "1987",
        (Field::Pin, _) | (_, Part::Pin) => "042187000009",
        (Field::OldId, _) => "183456780",
        (Field::Ethnicity | Field::Religion | Field::Marital | Field::Relation, _) => "3",
        (Field::Nationality, _) => "LAO",
        (Field::Blood, _) => "01",
        (Field::BirthRegistration | Field::NativePlace, _) | (_, Part::Unit) => "18565",
        (Field::Household, _) => "H-2",
        (Field::Permanent | Field::Current, _) => "Thôn 9",
        (Field::Father | Field::Mother | Field::Spouse, Part::Whole | Part::Detail) => {
            unreachable!("no such part")
        }
    }
}

#[test]
fn another_value_of_any_field_differs_in_that_field_alone() {
    for field in Field::ALL {
        let changes: Vec<Change> = field
            .parts()
            .iter()
            .map(|&part| Change { field, part, value: Some(another(field, part).to_owned()) })
            .collect();
        assert_eq!(person().with(&changes).unwrap().differing_fields(&person()), [field], "{field}");
    }
    check(|_| {}, |_| {}, &[]);
}

#[test]
fn what_nobody_is_asked_for_contradicts_only_when_it_is_stated() {
    let silent = |record: &mut ResidentRecord| {
        (record.blood, record.household, record.relation_to_head) = (None, None, None);
    };
    check(silent, |_| {}, &[]);
    check(|_| {}, silent, &[Field::Blood, Field::Household, Field::Relation]);
}

#[test]
fn what_an_applicant_is_asked_for_differs_when_one_side_is_silent() {
    let silent = |record: &mut ResidentRecord| (record.marital, record.mother) = (None, None);
    check(silent, |_| {}, &[Field::Marital, Field::Mother]);
    check(|_| {}, silent, &[Field::Marital, Field::Mother]);
}

#[test]
fn the_permanent_residence_as_the_current_one_says_the_same_as_nothing() {
    let at_home = |record: &mut ResidentRecord| record.current = Some(record.permanent.clone());
    let away = |record: &mut ResidentRecord| {
        record.current = Some(Place { unit: "18565".parse().unwrap(), detail: String::new() });
    };
    check(at_home, |_| {}, &[]);
    check(|_| {}, at_home, &[]);
    check(away, |_| {}, &[Field::Current]);
    check(|_| {}, away, &[Field::Current]);
}

#[test]
fn a_relative_differs_by_name_and_by_a_number_that_both_sides_state() {
    let number = |pin: Option<&'static str>| {
        move |record: &mut ResidentRecord| {
            record.father.as_mut().unwrap().pin = pin.map(|pin| Pin::parse(pin).unwrap());
        }
    };
    check(number(None), |_| {}, &[]);
    check(|_| {}, number(None), &[]);
    check(number(Some("042061000003")), |_| {}, &[Field::Father]);
    let capitals = |record: &mut ResidentRecord| {
        record.mother.as_mut().unwrap().name = PersonName::parse("TRẦN THỊ MẪU").unwrap();
    };
    check(capitals, |_| {}, &[]);
}

#[test]
fn values_hold_every_part_of_every_field_and_lead_back_to_the_record() {
    let values = person().values();
    let parts: Vec<(Field, Part)> =
        Field::ALL.iter().flat_map(|field| field.parts().iter().map(|part| (*field, *part))).collect();
    assert_eq!(values.keys().copied().collect::<Vec<_>>(), parts);
    assert_eq!(ResidentRecord::from_values(&values), Ok(person()));
}

#[test]
fn all_faults_are_told_at_once_and_without_values() {
    let change = |field, part, value: Option<&str>| Change { field, part, value: text_of(value) };
    let faults = person()
        .with(&[
            change(Field::Name, Part::Whole, None),
            change(Field::Sex, Part::Whole, Some("3")),
            change(Field::Current, Part::Detail, Some("Thôn 1")),
            change(Field::Spouse, Part::Pin, Some("042061000003")),
        ])
        .unwrap_err();
    let fields: Vec<Field> = faults.iter().map(FieldFault::field).collect();
    assert_eq!(fields, [Field::Sex, Field::Current, Field::Spouse, Field::Name]);
    let said: String = faults.iter().map(|fault| format!("{fault} {fault:?}")).collect();
    assert!(!said.contains("Thôn") && !said.contains("042061"), "{said}");
    let wrong = person().with(&[change(Field::Name, Part::Unit, Some("18562"))]);
    assert_eq!(wrong, Err(vec![FieldFault::NoSuchPart { field: Field::Name, part: Part::Unit }]));
}
