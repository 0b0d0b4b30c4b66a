//! The kit's check while the citizen stands there: what must be put right, what the officer should look at
//! again, and what differs from the register.

use time::OffsetDateTime;

use crate::rules::{Problem, problems};
use crate::{Finger, FingerCapture, FingerImage};
use domain::clock::day_in_vietnam;
use domain::pin::PinMismatch;
use domain::unit::{UnitLevel, Units};
use domain::{Field, ResidentRecord};
use fingerprint::FingerPosition;

/// Fingerprints below this quality are captured again ([`fingerprint::quality`], 0 to 100).
pub const MIN_QUALITY: u8 = 40;
/// With fewer fingers of [`MIN_QUALITY`] a search among millions is not sure.
pub const MIN_GOOD_FINGERS: usize = 4;

/// Something to look at again; the officer decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Capture this finger again.
    LowQuality { finger: FingerPosition, quality: u8 },
    /// Fewer good fingers than [`MIN_GOOD_FINGERS`].
    FewGoodFingers { good: usize },
    /// The number's place of registration is another province than the one declared; right for provinces that
    /// changed.
    PinPlace,
}

/// What the officer sees before saving.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Check {
    /// Saving is not offered while there are any.
    pub problems: Vec<Problem>,
    /// The officer decides about each.
    pub advice: Vec<Advice>,
    /// Fields in which the declaration differs from the register; empty without a register record.
    pub differs: Vec<Field>,
}

impl Check {
    /// Whether nothing has to be put right.
    pub fn can_be_saved(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks an application before the citizen leaves. `register` is the record that the officer found, if any;
/// `quality` rates a template ([`fingerprint::quality`], or the scanner's own figure).
pub fn check(
    record: &ResidentRecord,
    register: Option<&ResidentRecord>,
    fingers: &[Finger],
    images: &[FingerImage],
    photo: &[u8],
    captured_at: OffsetDateTime,
    quality: impl Fn(&fingerprint::Template) -> u8,
) -> Check {
    let mut advice = Vec::new();
    let mut good = 0;
    for finger in fingers {
        let FingerCapture::Template(template) = &finger.capture else { continue };
        // A template that cannot be read is among the problems.
        let Ok(views) = fingerprint::parse(template.as_bytes()) else { continue };
        let Some(best) = views.iter().map(&quality).max() else { continue };
        if best < MIN_QUALITY {
            advice.push(Advice::LowQuality { finger: finger.position, quality: best });
        } else {
            good += 1;
        }
    }
    if good < MIN_GOOD_FINGERS {
        advice.push(Advice::FewGoodFingers { good });
    }
    if pin_place_differs(record, captured_at) {
        advice.push(Advice::PinPlace);
    }
    Check {
        problems: problems(record, fingers, images, photo, captured_at),
        advice,
        differs: register.map(|register| record.differing_fields(register)).unwrap_or_default(),
    }
}

fn pin_place_differs(record: &ResidentRecord, captured_at: OffsetDateTime) -> bool {
    let (Some(pin), Some(unit)) = (record.pin, record.birth_registration) else { return false };
    let units = Units::on(day_in_vietnam(captured_at));
    let province = units.chain(unit).find(|unit| unit.code.level() == UnitLevel::Province);
    let place = province.and_then(|unit| u16::try_from(unit.code.number()).ok());
    place.is_some() && pin.mismatches(record.sex, record.birth.year(), place).contains(&PinMismatch::Place)
}
