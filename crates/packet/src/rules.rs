//! What an application must hold to be worked on. The kit asks before the citizen leaves; the centre asks
//! again.

use thiserror::Error;
use time::{Date, OffsetDateTime};

use crate::{
    Finger, FingerCapture, FingerImage, MAX_FINGER_IMAGE_BYTES, MAX_PHOTO_BYTES, MAX_TEMPLATE_BYTES,
};
use domain::ResidentRecord;
use domain::clock::day_in_vietnam;
use domain::codes::CodeList;
use domain::pin::PinMismatch;
use domain::profile::Profile;
use domain::text;
use fingerprint::FingerPosition;

/// Below it there is no face to print.
pub const MIN_PHOTO_BYTES: usize = 512;
/// House, street, hamlet as written.
pub const MAX_ADDRESS_CHARS: usize = 200;
/// A household's number.
pub const MAX_HOUSEHOLD_CHARS: usize = 32;

/// One thing that must be put right. Names fields and fingers, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Problem {
    #[error("the field {0} is empty")]
    Missing(&'static str),
    #[error("the field {0} holds a code outside its list")]
    UnknownCode(&'static str),
    #[error("the field {0} is too long")]
    TooLong(&'static str),
    #[error("the field {0} holds a control character or an invisible mark")]
    Character(&'static str),
    #[error("the citizen is younger than a card is given to, on the day of capture")]
    UnderAge,
    #[error("the day of birth lies after the day of capture")]
    NotBorn,
    #[error(transparent)]
    Pin(PinMismatch),
    #[error("the {0:?} is neither captured nor given a reason")]
    FingerMissing(FingerPosition),
    #[error("the {0:?} occurs twice")]
    FingerTwice(FingerPosition),
    #[error("the template of the {0:?} cannot be read")]
    FingerUnreadable(FingerPosition),
    #[error("the template of the {0:?} says that it is another finger")]
    FingerMislabelled(FingerPosition),
    #[error("the image of the {0:?} is not a complete JPEG file of at most {MAX_FINGER_IMAGE_BYTES} bytes")]
    FingerImageFormat(FingerPosition),
    #[error(
        "there is an image of the {0:?}, which is not captured or not one of the fingers for the chip, \
         or there are two"
    )]
    FingerImageUnexpected(FingerPosition),
    #[error("the photo is not a complete JPEG file")]
    PhotoFormat,
    #[error("the photo has {0} bytes, outside {MIN_PHOTO_BYTES} to {MAX_PHOTO_BYTES}")]
    PhotoSize(usize),
}

impl Problem {
    /// Stable code, for rejections and statistics.
    pub const fn code(&self) -> &'static str {
        match self {
            Problem::Missing(_) => "field_missing",
            Problem::UnknownCode(_) => "field_unknown_code",
            Problem::TooLong(_) => "field_too_long",
            Problem::Character(_) => "field_character",
            Problem::UnderAge => "under_age",
            Problem::NotBorn => "not_born",
            Problem::Pin(PinMismatch::Sex) => "pin_sex",
            Problem::Pin(PinMismatch::BirthYear) => "pin_birth_year",
            Problem::Pin(PinMismatch::Place) => "pin_place",
            Problem::FingerMissing(_) => "finger_missing",
            Problem::FingerTwice(_) => "finger_twice",
            Problem::FingerUnreadable(_) => "finger_unreadable",
            Problem::FingerMislabelled(_) => "finger_mislabelled",
            Problem::FingerImageFormat(_) => "finger_image_format",
            Problem::FingerImageUnexpected(_) => "finger_image_unexpected",
            Problem::PhotoFormat => "photo_format",
            Problem::PhotoSize(_) => "photo_size",
        }
    }

    /// The field or finger that it is about, by its stable name.
    pub fn subject(&self) -> Option<String> {
        match self {
            Problem::Missing(field)
            | Problem::UnknownCode(field)
            | Problem::TooLong(field)
            | Problem::Character(field) => Some((*field).to_owned()),
            Problem::FingerMissing(finger)
            | Problem::FingerTwice(finger)
            | Problem::FingerUnreadable(finger)
            | Problem::FingerMislabelled(finger)
            | Problem::FingerImageFormat(finger)
            | Problem::FingerImageUnexpected(finger) => Some(finger.code().to_string()),
            _ => None,
        }
    }
}

/// Everything that is wrong with an application captured at `captured_at`; empty when it can be worked on.
pub fn problems(
    record: &ResidentRecord,
    fingers: &[Finger],
    images: &[FingerImage],
    photo: &[u8],
    captured_at: OffsetDateTime,
) -> Vec<Problem> {
    let mut found = record_problems(record, day_in_vietnam(captured_at));
    found.extend(finger_problems(fingers));
    found.extend(image_problems(fingers, images));
    found.extend(photo_problem(photo));
    found
}

fn record_problems(record: &ResidentRecord, day: Date) -> Vec<Problem> {
    let mut found = Vec::new();
    // The place of origin is printed on the card; the place of birth registration begins a number that must
    // be made.
    if record.native_place.is_none() {
        found.push(Problem::Missing("native_place"));
    }
    if record.pin.is_none() && record.birth_registration.is_none() {
        found.push(Problem::Missing("birth_registration"));
    }
    let number = |number: u8| number.to_string();
    let codes = [
        ("ethnicity", CodeList::EthnicGroup, Some(number(record.ethnicity))),
        ("religion", CodeList::Religion, Some(number(record.religion))),
        ("nationality", CodeList::Nationality, Some(record.nationality.clone())),
        ("marital", CodeList::MaritalState, record.marital.map(number)),
        ("blood", CodeList::BloodType, record.blood.clone()),
        ("relation_to_head", CodeList::RelationToHead, record.relation_to_head.map(number)),
    ];
    for (field, list, code) in codes {
        if code.is_some_and(|code| list.find(&code).is_none()) {
            found.push(Problem::UnknownCode(field));
        }
    }
    let texts = [
        ("permanent", Some(&record.permanent.detail), MAX_ADDRESS_CHARS),
        ("current", record.current.as_ref().map(|place| &place.detail), MAX_ADDRESS_CHARS),
        ("household", record.household.as_ref(), MAX_HOUSEHOLD_CHARS),
    ];
    for (field, text, limit) in texts {
        let Some(text) = text else { continue };
        if text.chars().count() > limit {
            found.push(Problem::TooLong(field));
        }
        if text::forbidden(text).is_some() {
            found.push(Problem::Character(field));
        }
    }
    // Who is given one earlier, on request, needs no fingers and a representative: that is another intake.
    // A day before every rule is a kit's clock that is wrong: it decides nothing, and the centre asks again
    // for the day by its own bound.
    match (record.birth.age_on(day), Profile::official().ages_for_card(day)) {
        (age, _) if age < 0 => found.push(Problem::NotBorn),
        (age, Ok(from)) if age < from.due.years => found.push(Problem::UnderAge),
        (_, Ok(_) | Err(_)) => {}
    }
    // The place is not compared: provinces were merged and split since many numbers were given.
    if let Some(pin) = record.pin {
        found.extend(pin.mismatches(record.sex, record.birth.year(), None).into_iter().map(Problem::Pin));
    }
    found
}

fn finger_problems(fingers: &[Finger]) -> Vec<Problem> {
    let mut found = Vec::new();
    for position in FingerPosition::ALL {
        match fingers.iter().filter(|finger| finger.position == position).count() {
            0 => found.push(Problem::FingerMissing(position)),
            1 => {}
            _ => found.push(Problem::FingerTwice(position)),
        }
    }
    found.extend(fingers.iter().filter_map(template_problem));
    found
}

/// The fingers whose images go on the chip: of each hand the index finger, right before left (Doc 9303-10,
/// EF.DG3). In place of one that was not captured stands the middle finger, else the ring finger, else the
/// thumb: the order of the European Union's passports (Commission Decision C(2006) 2909); Doc 9303 leaves it
/// to the state. A hand of which none of these was captured has none.
pub fn chip_fingers(fingers: &[Finger]) -> Vec<FingerPosition> {
    use FingerPosition::{
        LeftIndex, LeftMiddle, LeftRing, LeftThumb, RightIndex, RightMiddle, RightRing, RightThumb,
    };
    const ORDER: [[FingerPosition; 4]; 2] =
        [[RightIndex, RightMiddle, RightRing, RightThumb], [LeftIndex, LeftMiddle, LeftRing, LeftThumb]];
    let captured = |position: &FingerPosition| {
        let is_there = |finger: &Finger| matches!(finger.capture, FingerCapture::Template(_));
        fingers.iter().any(|finger| finger.position == *position && is_there(finger))
    };
    ORDER.iter().filter_map(|hand| hand.iter().copied().find(captured)).collect()
}

/// Images are not asked for: a kit whose scanner gives templates only makes cards whose chip has no DG3.
fn image_problems(fingers: &[Finger], images: &[FingerImage]) -> Vec<Problem> {
    let wanted = chip_fingers(fingers);
    let mut found = Vec::new();
    for (index, image) in images.iter().enumerate() {
        let position = image.position;
        if !wanted.contains(&position) || images[..index].iter().any(|other| other.position == position) {
            found.push(Problem::FingerImageUnexpected(position));
        }
        let jpeg = image.jpeg.as_bytes();
        if jpeg.len() > MAX_FINGER_IMAGE_BYTES || !is_whole_jpeg(jpeg) {
            found.push(Problem::FingerImageFormat(position));
        }
    }
    found
}

/// What is wrong with the template of a finger, if it has one.
pub fn template_problem(finger: &Finger) -> Option<Problem> {
    let FingerCapture::Template(template) = &finger.capture else { return None };
    if template.as_bytes().len() > MAX_TEMPLATE_BYTES {
        return Some(Problem::FingerUnreadable(finger.position));
    }
    match fingerprint::parse(template.as_bytes()).as_deref() {
        Ok([view]) if view.position() == finger.position => None,
        Ok([_]) => Some(Problem::FingerMislabelled(finger.position)),
        _ => Some(Problem::FingerUnreadable(finger.position)),
    }
}

/// Start and end of a JPEG file (ITU-T T.81, annex B): one that is cut off lacks the end.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9])
}

fn photo_problem(photo: &[u8]) -> Option<Problem> {
    if !(MIN_PHOTO_BYTES..=MAX_PHOTO_BYTES).contains(&photo.len()) {
        return Some(Problem::PhotoSize(photo.len()));
    }
    (!is_whole_jpeg(photo)).then_some(Problem::PhotoFormat)
}
