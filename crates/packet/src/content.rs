use std::fmt;

use coset::cbor::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::PacketError;
use crate::cbor::{self, Items, uuid_value};
use crate::rules::chip_fingers;
use crate::sealed::{
    FORMAT_VERSION, MAX_DIFFERS, MAX_FINGER_IMAGE_BYTES, MAX_FINGER_IMAGES, MAX_PHOTO_BYTES,
    MAX_TEMPLATE_BYTES,
};
use domain::ResidentRecord;
use domain::id::PersonId;
use fingerprint::{FingerPosition, Template};

const WHAT: &str = "the packet's content";
const FINGER: &str = "a finger in the packet's content";
const IMAGE: &str = "an image of a finger in the packet's content";
const CAPTURE: &str = "the capture data in the packet's content";
/// A person has ten; room for a second capture of each.
const MAX_FINGERS: usize = 20;
/// Officers, devices and software are named by short codes.
const MAX_META_BYTES: usize = 64;

/// What is encrypted of a whole application: the citizen's declaration and biometrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// As the citizen declared it before the officer.
    pub record: ResidentRecord,
    /// Whom the officer found in the register.
    pub claimed_person_id: Option<PersonId>,
    /// Names of the fields in which `record` differs from the register's record.
    pub differs: Vec<String>,
    /// SHA-256 of the receipt code printed for the citizen.
    pub receipt_hash: [u8; 32],
    /// All ten positions, each captured or with the reason why not.
    pub fingers: Vec<Finger>,
    /// JPEG.
    pub photo: Biometric,
    /// Who captured, with what.
    pub capture: CaptureMeta,
    /// Of the fingers that go on the chip ([`crate::rules::chip_fingers`]); none from kits that do not keep
    /// the scanner's images, and from people without fingers.
    pub finger_images: Vec<FingerImage>,
}

/// What the scanner showed of one finger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FingerImage {
    /// Which finger.
    pub position: FingerPosition,
    /// Grey, 500 dpi.
    pub jpeg: Biometric,
}

/// What a packet has for the chip's fingerprints (EF.DG3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImagesForChip<'a> {
    /// The kit gave templates only: nobody can say what the fingers look like.
    NotTaken,
    /// One or two.
    Taken(&'a [FingerImage]),
    /// No finger that could go on the chip was captured.
    None,
}

/// One position of the ten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finger {
    /// Which finger.
    pub position: FingerPosition,
    /// Its template, or why there is none.
    pub capture: FingerCapture,
}

/// A finger's template, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FingerCapture {
    /// One view in an ISO/IEC 19794-2:2005 record.
    Template(Biometric),
    Missing(MissingReason),
}

/// Why a finger was not captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingReason {
    Amputated,
    /// Bandaged or injured.
    Injured,
    /// Worn or diseased skin: no usable impression after repeated attempts.
    Unreadable,
}

impl MissingReason {
    /// Every reason, for readers of codes and for tests.
    pub const ALL: [MissingReason; 3] =
        [MissingReason::Amputated, MissingReason::Injured, MissingReason::Unreadable];

    /// Stable code, as a packet has it.
    pub const fn code(self) -> &'static str {
        match self {
            MissingReason::Amputated => "amputated",
            MissingReason::Injured => "injured",
            MissingReason::Unreadable => "unreadable",
        }
    }

    /// The reason of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Who captured, with what. Codes, not names of people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaptureMeta {
    /// The officer's account or badge.
    pub officer: String,
    /// The fingerprint scanner's model.
    pub scanner: String,
    /// The camera's model.
    pub camera: String,
    /// The kit's program and its version.
    pub software: String,
}

/// Bytes of a template or an image: never printed, overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Biometric(Zeroizing<Vec<u8>>);

impl Biometric {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for whoever parses or seals them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Biometric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Biometric({} bytes)", self.0.len())
    }
}

impl Content {
    /// The templates of the fingers, in the packet's order; missing fingers have none.
    ///
    /// # Errors
    /// [`PacketError::Template`]. A packet that [`crate::rules::problems`] let in has no such finger.
    pub fn templates(&self) -> Result<Vec<Template>, PacketError> {
        let mut all = Vec::with_capacity(self.fingers.len());
        for finger in &self.fingers {
            if let FingerCapture::Template(bytes) = &finger.capture {
                let views = fingerprint::parse(bytes.as_bytes());
                all.extend(views.map_err(|error| PacketError::Template { finger: finger.position, error })?);
            }
        }
        Ok(all)
    }

    /// What of this packet goes into the chip's DG3.
    pub fn images_for_chip(&self) -> ImagesForChip<'_> {
        match self.finger_images.as_slice() {
            [] if chip_fingers(&self.fingers).is_empty() => ImagesForChip::None,
            [] => ImagesForChip::NotTaken,
            images => ImagesForChip::Taken(images),
        }
    }

    /// The CBOR that is encrypted into a packet.
    ///
    /// # Errors
    /// A size limit.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, PacketError> {
        let record = Value::serialized(&self.record).map_err(|_| PacketError::Structure {
            what: WHAT,
            problem: "has a record that cannot be written",
        })?;
        let items = vec![
            Value::Integer(FORMAT_VERSION.into()),
            record,
            self.claimed_person_id.map_or(Value::Null, |id| uuid_value(id.uuid())),
            names(&self.differs)?,
            cbor::bytes(&self.receipt_hash),
            fingers(&self.fingers)?,
            photo(&self.photo)?,
            self.capture.value()?,
            images(&self.finger_images)?,
        ];
        Ok(Zeroizing::new(cbor::encode(&Value::Array(items))))
    }

    /// Reads the CBOR that was decrypted from a packet. Says nothing about whether the application can be
    /// worked on, see [`crate::rules`].
    ///
    /// # Errors
    /// What is wrong, and at which byte where it is known; never a value.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        let mut items = Items::versioned(WHAT, cbor::decode(WHAT, bytes)?, FORMAT_VERSION, 9)?;
        // The parser's own message may quote a field, so it is not passed on.
        let record = items.value().deserialized().map_err(|_| PacketError::Structure {
            what: WHAT,
            problem: "has a record with a missing field or a field of another shape",
        })?;
        let claimed_person_id = items.optional(|items| {
            let id: [u8; 16] = items.bytes()?;
            Ok(PersonId::from_uuid(Uuid::from_bytes(id)))
        })?;
        Ok(Content {
            record,
            claimed_person_id,
            differs: read_names(&mut items)?,
            receipt_hash: items.bytes()?,
            fingers: read_fingers(&mut items)?,
            photo: read_photo(&mut items)?,
            capture: CaptureMeta::parse(items.value())?,
            finger_images: read_images(&mut items)?,
        })
    }
}

impl CaptureMeta {
    pub(crate) fn value(&self) -> Result<Value, PacketError> {
        let texts = [&self.officer, &self.scanner, &self.camera, &self.software];
        for text in texts {
            limit(CAPTURE, text.len(), MAX_META_BYTES)?;
        }
        Ok(Value::Array(texts.map(|text| Value::Text(text.clone())).to_vec()))
    }

    pub(crate) fn parse(value: Value) -> Result<Self, PacketError> {
        let mut meta = Items::of(CAPTURE, value, 4)?;
        Ok(CaptureMeta {
            officer: meta.text(MAX_META_BYTES)?,
            scanner: meta.text(MAX_META_BYTES)?,
            camera: meta.text(MAX_META_BYTES)?,
            software: meta.text(MAX_META_BYTES)?,
        })
    }
}

fn limit(what: &'static str, bytes: usize, limit: usize) -> Result<(), PacketError> {
    if bytes > limit { Err(PacketError::TooLarge { what, bytes, limit }) } else { Ok(()) }
}

fn most(what: &'static str, items: usize, limit: usize) -> Result<(), PacketError> {
    if items > limit { Err(PacketError::TooMany { what, items, limit }) } else { Ok(()) }
}

pub(crate) fn names(names: &[String]) -> Result<Value, PacketError> {
    most("the list of differing fields", names.len(), MAX_DIFFERS)?;
    Ok(Value::Array(names.iter().map(|name| Value::Text(name.clone())).collect()))
}

pub(crate) fn read_names(items: &mut Items) -> Result<Vec<String>, PacketError> {
    items.array(MAX_DIFFERS)?.into_iter().map(field_name).collect()
}

pub(crate) fn fingers(fingers: &[Finger]) -> Result<Value, PacketError> {
    most("the list of fingers", fingers.len(), MAX_FINGERS)?;
    for finger in fingers {
        if let FingerCapture::Template(template) = &finger.capture {
            limit("a fingerprint template", template.as_bytes().len(), MAX_TEMPLATE_BYTES)?;
        }
    }
    Ok(Value::Array(fingers.iter().map(Finger::value).collect()))
}

pub(crate) fn read_fingers(items: &mut Items) -> Result<Vec<Finger>, PacketError> {
    items.array(MAX_FINGERS)?.into_iter().map(Finger::parse).collect()
}

pub(crate) fn photo(photo: &Biometric) -> Result<Value, PacketError> {
    limit("the photo", photo.as_bytes().len(), MAX_PHOTO_BYTES)?;
    Ok(cbor::bytes(photo.as_bytes()))
}

pub(crate) fn read_photo(items: &mut Items) -> Result<Biometric, PacketError> {
    Ok(Biometric::new(items.byte_string(MAX_PHOTO_BYTES)?))
}

pub(crate) fn images(images: &[FingerImage]) -> Result<Value, PacketError> {
    most("the list of finger images", images.len(), MAX_FINGER_IMAGES)?;
    for image in images {
        limit(IMAGE, image.jpeg.as_bytes().len(), MAX_FINGER_IMAGE_BYTES)?;
    }
    Ok(Value::Array(images.iter().map(FingerImage::value).collect()))
}

pub(crate) fn read_images(items: &mut Items) -> Result<Vec<FingerImage>, PacketError> {
    items.array(MAX_FINGER_IMAGES)?.into_iter().map(FingerImage::parse).collect()
}

fn field_name(value: Value) -> Result<String, PacketError> {
    match value {
        Value::Text(name)
            if (1..=32).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') =>
        {
            Ok(name)
        }
        _ => Err(PacketError::Structure {
            what: WHAT,
            problem: "lists a differing field that is not a field name",
        }),
    }
}

impl FingerImage {
    fn value(&self) -> Value {
        Value::Array(vec![Value::Integer(self.position.code().into()), cbor::bytes(self.jpeg.as_bytes())])
    }

    fn parse(value: Value) -> Result<Self, PacketError> {
        let mut items = Items::of(IMAGE, value, 2)?;
        let position = FingerPosition::from_code(items.integer()?)
            .filter(|position| *position != FingerPosition::Unknown)
            .ok_or(PacketError::Structure { what: IMAGE, problem: "has a position outside 1 to 10" })?;
        let jpeg = Biometric::new(items.byte_string(MAX_FINGER_IMAGE_BYTES)?);
        Ok(FingerImage { position, jpeg })
    }
}

impl Finger {
    fn value(&self) -> Value {
        let capture = match &self.capture {
            FingerCapture::Template(template) => cbor::bytes(template.as_bytes()),
            FingerCapture::Missing(reason) => Value::Text(reason.code().to_owned()),
        };
        Value::Array(vec![Value::Integer(self.position.code().into()), capture])
    }

    fn parse(value: Value) -> Result<Self, PacketError> {
        let structure = |problem| PacketError::Structure { what: FINGER, problem };
        let mut items = Items::of(FINGER, value, 2)?;
        let position = FingerPosition::from_code(items.integer()?)
            .filter(|position| *position != FingerPosition::Unknown)
            .ok_or(structure("has a position outside 1 to 10"))?;
        let capture = match items.value() {
            Value::Bytes(template) if template.len() > MAX_TEMPLATE_BYTES => {
                return Err(PacketError::TooLarge {
                    what: "a fingerprint template",
                    bytes: template.len(),
                    limit: MAX_TEMPLATE_BYTES,
                });
            }
            Value::Bytes(template) => FingerCapture::Template(Biometric::new(template)),
            Value::Text(code) => FingerCapture::Missing(
                MissingReason::from_code(&code).ok_or(structure("is missing for an unknown reason"))?,
            ),
            _ => return Err(structure("is neither a template nor a reason")),
        };
        Ok(Finger { position, capture })
    }
}
