//! What is inside a packet: a whole application, the parts of one that were captured anew, or the record of a
//! hand-over.

use std::fmt;

use coset::cbor::Value;
use zeroize::Zeroizing;

use crate::cbor::{self, Items};
use crate::content::{self, Finger, FingerImage};
use crate::rules::chip_fingers;
use crate::sealed::FORMAT_VERSION;
use crate::{Biometric, CaptureMeta, Carries, Content, FingerCapture, PacketError};
use domain::ResidentRecord;

const RECAPTURE: &str = "the recapture's content";
const CHANGES: &str = "the changed fields in the recapture's content";
const HAND_OVER: &str = "the hand-over's content";
/// A record has fewer fields.
const MAX_CHANGES: usize = 32;
/// Attempts to hand one card over.
const MAX_ATTEMPT: u64 = 10_000;

/// What is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A whole application.
    Application(Box<Content>),
    /// What was captured anew.
    Recapture(Box<Recapture>),
    /// That a card was handed over, or not.
    HandOver(HandOver),
}

impl From<Content> for Payload {
    fn from(content: Content) -> Self {
        Payload::Application(Box::new(content))
    }
}

impl Payload {
    /// The CBOR that is encrypted into a packet.
    ///
    /// # Errors
    /// A size limit.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, PacketError> {
        match self {
            Payload::Application(content) => content.encode(),
            Payload::Recapture(recapture) => recapture.encode(),
            Payload::HandOver(record) => record.encode(),
        }
    }

    /// Reads the CBOR that was decrypted from a packet whose envelope says what it carries.
    ///
    /// # Errors
    /// As [`Content::decode`].
    pub fn decode(carries: Carries, bytes: &[u8]) -> Result<Self, PacketError> {
        Ok(match carries {
            Carries::Application { .. } => Payload::Application(Box::new(Content::decode(bytes)?)),
            Carries::Recapture { .. } => Payload::Recapture(Box::new(Recapture::decode(bytes)?)),
            Carries::HandOver => Payload::HandOver(HandOver::decode(bytes)?),
        })
    }

    /// Whether this is what an envelope says that its packet carries.
    pub(crate) fn is(&self, carries: Carries) -> bool {
        match self {
            Payload::Application(_) => matches!(carries, Carries::Application { .. }),
            Payload::Recapture(_) => matches!(carries, Carries::Recapture { .. }),
            Payload::HandOver(_) => matches!(carries, Carries::HandOver),
        }
    }
}

/// The parts of an application that were captured anew; the rest stays with the application before it, so
/// that old biometrics do not travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recapture {
    /// Fields of the record that are others now.
    pub changes: Changes,
    /// Names of the fields in which the record differs from the register's.
    pub differs: Vec<String>,
    /// SHA-256 of the receipt code printed for the citizen.
    pub receipt_hash: [u8; 32],
    /// Positions captured anew, or missing by now.
    pub fingers: Vec<Finger>,
    /// JPEG; `None` when the old one stays. Without fingers there is one.
    pub photo: Option<Biometric>,
    /// Who captured, with what.
    pub capture: CaptureMeta,
    /// Of the fingers captured anew that go on the chip.
    pub finger_images: Vec<FingerImage>,
}

impl Recapture {
    /// The application that it makes of the one before it.
    ///
    /// # Errors
    /// Changed fields that make no record, or another person's.
    pub fn onto(&self, base: &Content) -> Result<Content, PacketError> {
        let is_anew = |position| self.fingers.iter().any(|finger| finger.position == position);
        let mut fingers: Vec<Finger> =
            base.fingers.iter().filter(|finger| !is_anew(finger.position)).cloned().collect();
        fingers.extend(self.fingers.iter().cloned());
        fingers.sort_by_key(|finger| finger.position.code());
        let of_chip = chip_fingers(&fingers);
        let stays = |image: &&FingerImage| !is_anew(image.position) && of_chip.contains(&image.position);
        let mut finger_images: Vec<FingerImage> = base.finger_images.iter().filter(stays).cloned().collect();
        finger_images.extend(self.finger_images.iter().cloned());
        let record = self.changes.onto(&base.record)?;
        let who = |record: &ResidentRecord| (record.pin, record.sex, record.birth);
        if who(&record) != who(&base.record) {
            return Err(PacketError::Structure {
                what: CHANGES,
                problem: "make somebody else of the person: another number, sex or day of birth",
            });
        }
        Ok(Content {
            record,
            claimed_person_id: base.claimed_person_id,
            differs: self.differs.clone(),
            receipt_hash: self.receipt_hash,
            fingers,
            photo: self.photo.clone().unwrap_or_else(|| base.photo.clone()),
            capture: self.capture.clone(),
            finger_images,
        })
    }

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, PacketError> {
        let items = vec![
            Value::Integer(FORMAT_VERSION.into()),
            Value::Map(self.changes.0.clone()),
            content::names(&self.differs)?,
            cbor::bytes(&self.receipt_hash),
            content::fingers(&self.fingers)?,
            self.photo.as_ref().map_or(Ok(Value::Null), content::photo)?,
            self.capture.value()?,
            content::images(&self.finger_images)?,
        ];
        Ok(Zeroizing::new(cbor::encode(&Value::Array(items))))
    }

    fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        let structure = |problem| PacketError::Structure { what: RECAPTURE, problem };
        let mut items = Items::versioned(RECAPTURE, cbor::decode(RECAPTURE, bytes)?, FORMAT_VERSION, 8)?;
        let recapture = Recapture {
            changes: Changes::parse(items.value())?,
            differs: content::read_names(&mut items)?,
            receipt_hash: items.bytes()?,
            fingers: content::read_fingers(&mut items)?,
            photo: items.optional(content::read_photo)?,
            capture: CaptureMeta::parse(items.value())?,
            finger_images: content::read_images(&mut items)?,
        };
        if recapture.fingers.is_empty() && recapture.photo.is_none() {
            return Err(structure("has neither a finger nor a photo"));
        }
        Ok(recapture)
    }
}

/// Fields of a record with their new values; never printed.
#[derive(Clone, Default, PartialEq)]
pub struct Changes(Vec<(Value, Value)>);

// The values are texts, integers, nulls, arrays and maps of such: a record has no floating point number.
impl Eq for Changes {}

impl Changes {
    /// What is other in `new`.
    ///
    /// # Errors
    /// A record that cannot be written.
    pub fn between(old: &ResidentRecord, new: &ResidentRecord) -> Result<Changes, PacketError> {
        let (old, new) = (fields(old)?, fields(new)?);
        Ok(Changes(new.into_iter().filter(|field| !old.contains(field)).collect()))
    }

    /// How many fields are others.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the record stays as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn onto(&self, base: &ResidentRecord) -> Result<ResidentRecord, PacketError> {
        let mut merged = fields(base)?;
        for (name, value) in &self.0 {
            let Some(field) = merged.iter_mut().find(|(known, _)| known == name) else {
                return Err(PacketError::Structure {
                    what: CHANGES,
                    problem: "name a field that no record has",
                });
            };
            field.1 = value.clone();
        }
        Value::Map(merged)
            .deserialized()
            .map_err(|_| PacketError::Structure { what: CHANGES, problem: "have a value of another shape" })
    }

    fn parse(value: Value) -> Result<Changes, PacketError> {
        let structure = |problem| PacketError::Structure { what: CHANGES, problem };
        let Value::Map(fields) = value else { return Err(structure("are no map")) };
        if fields.len() > MAX_CHANGES {
            return Err(PacketError::TooMany { what: CHANGES, items: fields.len(), limit: MAX_CHANGES });
        }
        for (at, (name, _)) in fields.iter().enumerate() {
            if !name.is_text() || fields[..at].iter().any(|(before, _)| before == name) {
                return Err(structure("name a field twice, or something that is no field"));
            }
        }
        Ok(Changes(fields))
    }
}

fn fields(record: &ResidentRecord) -> Result<Vec<(Value, Value)>, PacketError> {
    match Value::serialized(record) {
        Ok(Value::Map(fields)) => Ok(fields),
        _ => Err(PacketError::Structure { what: CHANGES, problem: "are of a record that cannot be written" }),
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changes({} fields)", self.0.len())
    }
}

/// The record of one attempt to hand a card over at a kit. The envelope names the application whose card it
/// is, the officer, and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// SHA-256 of the card's number, as it is printed on it.
    pub card_sha256: [u8; 32],
    /// SHA-256 of the receipt code that was shown, if one was.
    pub receipt_hash: Option<[u8; 32]>,
    /// From 1; with the application it names the attempt, so that it is recorded once.
    pub attempt: u16,
    /// Who came, and what the kit found.
    pub came: Came,
    /// Who served, with what.
    pub capture: CaptureMeta,
}

/// Who came for a card, and by which check the kit knew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// Nobody.
    Nobody,
    /// The holder, who showed these fingers: the centre compares them again.
    Holder(Vec<Finger>),
    /// Somebody whose fingers did not match on the kit, or could not be compared.
    NoMatch,
}

impl HandOver {
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, PacketError> {
        let (code, shown) = match &self.came {
            Came::Nobody => ("nobody", [].as_slice()),
            Came::Holder(fingers) => ("holder", fingers.as_slice()),
            Came::NoMatch => ("no_match", [].as_slice()),
        };
        let items = vec![
            Value::Integer(FORMAT_VERSION.into()),
            cbor::bytes(&self.card_sha256),
            self.receipt_hash.map_or(Value::Null, |hash| cbor::bytes(&hash)),
            Value::Integer(self.attempt.into()),
            Value::Text(code.to_owned()),
            content::fingers(shown)?,
            self.capture.value()?,
        ];
        Ok(Zeroizing::new(cbor::encode(&Value::Array(items))))
    }

    fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        let structure = |problem| PacketError::Structure { what: HAND_OVER, problem };
        let mut items = Items::versioned(HAND_OVER, cbor::decode(HAND_OVER, bytes)?, FORMAT_VERSION, 7)?;
        let card_sha256 = items.bytes()?;
        let receipt_hash = items.optional(Items::bytes)?;
        let attempt = items.count()?;
        let attempt = u16::try_from(attempt).ok().filter(|_| (1..=MAX_ATTEMPT).contains(&attempt));
        let attempt = attempt.ok_or(structure("has an attempt outside 1 to 10,000"))?;
        let code = items.text(16)?;
        let shown = content::read_fingers(&mut items)?;
        let is_shown = shown.iter().any(|finger| matches!(finger.capture, FingerCapture::Template(_)));
        let came = match (code.as_str(), is_shown, shown.is_empty()) {
            ("nobody", false, true) => Came::Nobody,
            ("holder", true, _) => Came::Holder(shown),
            ("no_match", false, true) => Came::NoMatch,
            _ => return Err(structure("does not say who came, or shows fingers of nobody")),
        };
        Ok(HandOver { card_sha256, receipt_hash, attempt, came, capture: CaptureMeta::parse(items.value())? })
    }
}
