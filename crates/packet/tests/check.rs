//! The kit's check before the citizen leaves.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use time::macros::datetime;

use domain::Field;
use domain::record::Place;
use fingerprint::FingerPosition;
use packet::check::{Advice, Check, check};
use packet::rules::{Problem, chip_fingers};
use packet::{Biometric, Content, Finger, FingerCapture, MissingReason};
use support::*;

fn run(content: &Content, register: Option<&domain::ResidentRecord>, quality: u8) -> Check {
    let images = &content.finger_images;
    check(&content.record, register, &content.fingers, images, content.photo.as_bytes(), DAY, |_| quality)
}

#[test]
fn a_complete_application_can_be_saved() {
    let checked = run(&content(1), Some(&record(1)), 80);
    assert_eq!(checked, Check::default());
    assert!(checked.can_be_saved());
}

#[test]
fn what_differs_from_the_register_is_listed_and_does_not_hinder() {
    let mut register = record(1);
    register.marital = Some(2);
    register.permanent = Place { unit: "18562".parse().unwrap(), detail: "Thôn 4".to_owned() };
    let checked = run(&content(1), Some(&register), 80);
    assert_eq!(checked.differs, [Field::Marital, Field::Permanent]);
    assert!(checked.can_be_saved());
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let mut content = content(1);
    content.record.native_place = None;
    content.record.ethnicity = 99;
    content.record.birth = domain::PartialDate::parse("2007").unwrap();
    content.fingers.truncate(9);
    let twice = content.fingers[0].clone();
    content.fingers.push(twice);
    let problems = run(&content, None, 80).problems;
    for expected in [
        Problem::Missing("native_place"),
        Problem::UnknownCode("ethnicity"),
        Problem::UnderAge,
        Problem::Pin(domain::pin::PinMismatch::BirthYear),
        Problem::FingerMissing(FingerPosition::LeftLittle),
        Problem::FingerTwice(FingerPosition::RightThumb),
    ] {
        assert!(problems.contains(&expected), "{expected}");
    }
    assert_eq!(problems.len(), 6, "{problems:?}");
}

#[test]
fn the_age_is_that_of_the_law_on_the_day_of_capture() {
    let problems = |day: time::OffsetDateTime, birth: &str| {
        let mut content = content(1);
        content.record.pin = None;
        content.record.birth = domain::PartialDate::parse(birth).unwrap();
        let images = &content.finger_images;
        let photo = content.photo.as_bytes();
        check(&content.record, None, &content.fingers, images, photo, day, |_| 80).problems
    };
    let (of_2014, of_2023) = (datetime!(2024-06-30 09:00 +7), datetime!(2024-07-01 09:00 +7));
    for day in [DAY, of_2014, of_2023] {
        let birth = |years: i32| {
            let day = domain::clock::day_in_vietnam(day);
            format!("{:02}/{:02}/{}", day.day(), u8::from(day.month()), day.year() - years)
        };
        assert_eq!(problems(day, &birth(14)), [], "{day}");
        assert_eq!(problems(day, &birth(13)), [Problem::UnderAge], "{day}");
    }
    // A kit whose clock stands before the first law of the list works on.
    assert_eq!(problems(datetime!(2015-12-31 09:00 +7), "2009"), []);
    assert_eq!(problems(datetime!(2016-01-01 09:00 +7), "2009"), [Problem::UnderAge]);
}

#[test]
fn poor_fingerprints_are_pointed_out_and_missing_ones_need_a_reason() {
    let mut content = content(1);
    let poor = run(&content, None, 10);
    assert!(poor.can_be_saved());
    let finger = FingerPosition::RightThumb;
    assert!(poor.advice.contains(&Advice::LowQuality { finger, quality: 10 }));
    assert!(poor.advice.contains(&Advice::FewGoodFingers { good: 0 }));
    content.fingers = FingerPosition::ALL
        .map(|position| Finger { position, capture: FingerCapture::Missing(MissingReason::Amputated) })
        .to_vec();
    content.finger_images.clear();
    let none = run(&content, None, 80);
    assert!(none.can_be_saved());
    assert_eq!(none.advice, [Advice::FewGoodFingers { good: 0 }]);
}

#[test]
fn a_number_from_another_province_is_advice() {
    let mut content = content(1);
    content.record.birth_registration = Some("01".parse().unwrap());
    let checked = run(&content, None, 80);
    assert_eq!(checked.advice, [Advice::PinPlace]);
    assert!(checked.can_be_saved());
}

fn without(content: &mut Content, missing: &[FingerPosition]) {
    for finger in &mut content.fingers {
        if missing.contains(&finger.position) {
            finger.capture = FingerCapture::Missing(MissingReason::Injured);
        }
    }
}

#[test]
fn the_next_finger_of_a_hand_stands_in_for_a_missing_one() {
    use FingerPosition::*;
    let chosen = |missing: &[FingerPosition]| {
        let mut content = content(1);
        without(&mut content, missing);
        chip_fingers(&content.fingers)
    };
    assert_eq!(chosen(&[]), [RightIndex, LeftIndex]);
    assert_eq!(chosen(&[LeftIndex]), [RightIndex, LeftMiddle]);
    assert_eq!(chosen(&[RightIndex, RightMiddle, LeftIndex]), [RightRing, LeftMiddle]);
    assert_eq!(chosen(&[RightIndex, RightMiddle, RightRing]), [RightThumb, LeftIndex]);
    assert_eq!(chosen(&[RightIndex, RightMiddle, RightRing, RightThumb]), [LeftIndex]);
    assert_eq!(chosen(&FingerPosition::ALL), []);
}

#[test]
fn images_are_of_the_fingers_for_the_chip_and_whole() {
    let image = content(1).finger_images[0].clone();
    let found = |change: &dyn Fn(&mut Content)| {
        let mut content = content(1);
        change(&mut content);
        run(&content, None, 80).problems
    };
    assert_eq!(found(&|content| content.finger_images.clear()), []);
    let missing = found(&|content| without(content, &[FingerPosition::RightIndex]));
    assert_eq!(missing, [Problem::FingerImageUnexpected(FingerPosition::RightIndex)]);
    let twice = found(&|content| content.finger_images = vec![image.clone(), image.clone()]);
    assert_eq!(twice, [Problem::FingerImageUnexpected(FingerPosition::RightIndex)]);
    let cut = found(&|content| {
        let bytes = image.jpeg.as_bytes();
        content.finger_images[0].jpeg = Biometric::new(bytes[..bytes.len() - 1].to_vec());
    });
    assert_eq!(cut, [Problem::FingerImageFormat(FingerPosition::RightIndex)]);
    assert_eq!(cut[0].code(), "finger_image_format");
    assert_eq!(cut[0].subject().as_deref(), Some("2"));
}
