//! What kit and centre say to each other besides packets: the centre's signed receipt and the kit's signed
//! day report.

use coset::HeaderBuilder;
use coset::cbor::Value;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::PacketError;
use crate::cbor::{self, Items, unix_ms, uuid_value};
use crate::keys::PublicKey;
use crate::sign1::{self, Context};
use crate::standing::{MAX_STANDINGS, Standing};
use domain::UnitCode;
use domain::application::Kind;
use domain::id::{ApplicationId, KitId, PacketId};

/// 2 says what the centre has of the kit's packets, and what of it is safe.
const RECEIPT_VERSION: u16 = 2;
const REPORT_VERSION: u16 = 1;
/// A receipt of a full batch has about 100 bytes a packet.
const MAX_RECEIPT_BYTES: usize = 1024 * 1024;
const MAX_REPORT_BYTES: usize = 1024 * 1024;
const MAX_RECEIPT_ITEMS: usize = 5_000;
/// A kit captures some 60 people a day.
pub const MAX_REPORT_CAPTURES: usize = 5_000;

/// Why the centre did not take a packet over. The kit keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Not a packet, cut off or altered on the way: send it again.
    Malformed,
    TooLarge,
    /// A packet of a newer format.
    UnknownVersion,
    BadSignature,
    /// The kit is not registered at this centre.
    UnknownKit,
    /// Another packet has this id.
    PacketIdReused,
    /// The application has a packet already, or belongs to another kit.
    ApplicationConflict,
    /// The place of capture does not exist.
    UnknownUnit,
    /// The officer's credential was not issued by this centre.
    UnknownOfficer,
    /// The application that a recapture or a hand-over is about is not known here.
    UnknownApplication,
}

impl Refusal {
    /// Every reason, for readers of codes and for tests.
    pub const ALL: [Refusal; 10] = [
        Refusal::Malformed,
        Refusal::TooLarge,
        Refusal::UnknownVersion,
        Refusal::BadSignature,
        Refusal::UnknownKit,
        Refusal::PacketIdReused,
        Refusal::ApplicationConflict,
        Refusal::UnknownUnit,
        Refusal::UnknownOfficer,
        Refusal::UnknownApplication,
    ];

    /// Stable code, as receipts have it.
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::TooLarge => "too_large",
            Refusal::UnknownVersion => "unknown_version",
            Refusal::BadSignature => "bad_signature",
            Refusal::UnknownKit => "unknown_kit",
            Refusal::PacketIdReused => "packet_id_reused",
            Refusal::ApplicationConflict => "application_conflict",
            Refusal::UnknownUnit => "unknown_unit",
            Refusal::UnknownOfficer => "unknown_officer",
            Refusal::UnknownApplication => "unknown_application",
        }
    }

    /// The reason of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

/// The centre's answer to one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored: the centre answers for it from now on.
    Accepted,
    Refused(Refusal),
}

impl Outcome {
    /// Stable code: `accepted`, or that of the refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused(refusal) => refusal.code(),
        }
    }

    /// The outcome of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        if code == "accepted" {
            Some(Outcome::Accepted)
        } else {
            Refusal::from_code(code).map(Outcome::Refused)
        }
    }
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptItem {
    /// As the packet claimed; `None` when it could not be read.
    pub packet_id: Option<PacketId>,
    /// SHA-256 of the bytes that arrived: a refusal with another hash than the kit's own packet means damage
    /// on the way.
    pub sha256: [u8; 32],
    /// What became of the packet.
    pub outcome: Outcome,
}

/// The centre's answer to a batch, in the order of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// By the centre's clock, in whole milliseconds.
    pub at: OffsetDateTime,
    /// One line for each packet.
    pub items: Vec<ReceiptItem>,
    /// What the centre has of the kits that the message came from; up to [`MAX_STANDINGS`].
    pub standings: Vec<Standing>,
}

impl Receipt {
    /// # Errors
    /// [`PacketError::Signer`].
    pub fn sign(&self, signer: &dyn pki::Signer) -> Result<Vec<u8>, PacketError> {
        let item = |item: &ReceiptItem| {
            Value::Array(vec![
                item.packet_id.map_or(Value::Null, |id| uuid_value(id.uuid())),
                cbor::bytes(&item.sha256),
                Value::Text(item.outcome.code().to_owned()),
            ])
        };
        let payload = Value::Array(vec![
            Value::Integer(RECEIPT_VERSION.into()),
            unix_ms(self.at),
            Value::Array(self.items.iter().map(item).collect()),
            Value::Array(self.standings.iter().map(Standing::encode).collect()),
        ]);
        let key_id = PublicKey::from_spki(signer.public_key())?.key_id();
        let header = HeaderBuilder::new().key_id(key_id.to_vec()).build();
        sign1::sign(Context::Receipt, header, cbor::encode(&payload), signer)
    }

    /// Reads a receipt and checks that the centre signed it.
    ///
    /// # Errors
    /// What is wrong, and at which byte where it is known; [`PacketError::BadSignature`].
    pub fn verify(bytes: &[u8], centre: &PublicKey) -> Result<Self, PacketError> {
        const WHAT: &str = "the receipt";
        let message = sign1::parse(Context::Receipt, bytes, MAX_RECEIPT_BYTES)?;
        message.verify(centre)?;
        let mut items = Items::versioned(WHAT, cbor::decode(WHAT, message.payload())?, RECEIPT_VERSION, 4)?;
        let at = items.instant()?;
        let lines = items.array(MAX_RECEIPT_ITEMS)?.into_iter().map(|line| {
            let mut line = Items::of("a line of the receipt", line, 3)?;
            let packet_id = match line.value() {
                Value::Null => None,
                Value::Bytes(id) => Uuid::from_slice(&id).ok().map(PacketId::from_uuid),
                _ => {
                    return Err(PacketError::Structure {
                        what: WHAT,
                        problem: "has a packet id of another shape",
                    });
                }
            };
            let sha256 = line.bytes()?;
            let outcome = Outcome::from_code(&line.text(32)?).ok_or(PacketError::Structure {
                what: WHAT,
                problem: "has an outcome that this version does not know",
            })?;
            Ok(ReceiptItem { packet_id, sha256, outcome })
        });
        let lines = lines.collect::<Result<_, _>>()?;
        let standings = items.array(MAX_STANDINGS)?.into_iter().map(Standing::decode);
        Ok(Receipt { at, items: lines, standings: standings.collect::<Result<_, _>>()? })
    }
}

/// One capture in a day report: what the envelope of its packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedCapture {
    /// The application that was captured.
    pub application_id: ApplicationId,
    /// The kit's own counter from 1.
    pub kit_seq: u64,
    /// Whole milliseconds.
    pub captured_at: OffsetDateTime,
    /// Where it was captured.
    pub unit: UnitCode,
    /// First card, exchange or reissue.
    pub kind: Kind,
}

/// A kit's end-of-day report: the centre learns of what is still on the kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayReport {
    /// The kit that reports.
    pub kit_id: KitId,
    /// The day in Vietnam that the report is about.
    pub day: Date,
    /// By the kit's clock, in whole milliseconds.
    pub reported_at: OffsetDateTime,
    /// Packets that the kit still holds at the time of the report: without a receipt, or refused.
    pub unsent: u64,
    /// Since the kit was set up.
    pub captured_total: u64,
    /// That day's captures, sent or not.
    pub captures: Vec<ReportedCapture>,
}

impl DayReport {
    /// # Errors
    /// [`PacketError::TooMany`], [`PacketError::Signer`].
    pub fn sign(&self, kit: &dyn pki::Signer) -> Result<Vec<u8>, PacketError> {
        if self.captures.len() > MAX_REPORT_CAPTURES {
            return Err(PacketError::TooMany {
                what: "the day report",
                items: self.captures.len(),
                limit: MAX_REPORT_CAPTURES,
            });
        }
        let capture = |capture: &ReportedCapture| {
            Value::Array(vec![
                uuid_value(capture.application_id.uuid()),
                Value::Integer(capture.kit_seq.into()),
                unix_ms(capture.captured_at),
                Value::Text(capture.unit.to_string()),
                Value::Text(capture.kind.code().to_owned()),
            ])
        };
        let payload = Value::Array(vec![
            Value::Integer(REPORT_VERSION.into()),
            Value::Integer(self.day.to_julian_day().into()),
            unix_ms(self.reported_at),
            Value::Integer(self.unsent.into()),
            Value::Integer(self.captured_total.into()),
            Value::Array(self.captures.iter().map(capture).collect()),
        ]);
        let header = HeaderBuilder::new().key_id(self.kit_id.uuid().as_bytes().to_vec()).build();
        sign1::sign(Context::DayReport, header, cbor::encode(&payload), kit)
    }

    /// The kit that a report claims to come from: for choosing the key to verify it with.
    ///
    /// # Errors
    /// As [`DayReport::verify`].
    pub fn claimed_kit(bytes: &[u8]) -> Result<KitId, PacketError> {
        sign1::parse(Context::DayReport, bytes, MAX_REPORT_BYTES)?.kit_id()
    }

    /// Reads a report and checks that the kit signed it.
    ///
    /// # Errors
    /// What is wrong, and at which byte where it is known; [`PacketError::BadSignature`].
    pub fn verify(bytes: &[u8], kit: &PublicKey) -> Result<Self, PacketError> {
        const WHAT: &str = "the day report";
        let structure = |problem| PacketError::Structure { what: WHAT, problem };
        let message = sign1::parse(Context::DayReport, bytes, MAX_REPORT_BYTES)?;
        message.verify(kit)?;
        let mut items = Items::of(WHAT, cbor::decode(WHAT, message.payload())?, 6)?;
        items.version(REPORT_VERSION)?;
        let day = items.day()?;
        let reported_at = items.instant()?;
        let unsent = items.count()?;
        let captured_total = items.count()?;
        let captures = items.array(MAX_REPORT_CAPTURES)?.into_iter().map(|capture| {
            let mut items = Items::of("a capture in the day report", capture, 5)?;
            Ok(ReportedCapture {
                application_id: ApplicationId::from_uuid(Uuid::from_bytes(items.bytes()?)),
                kit_seq: items.count()?,
                captured_at: items.instant()?,
                unit: items.text(5)?.parse().map_err(|_| structure("has a capture without a unit code"))?,
                kind: Kind::from_code(&items.text(16)?)
                    .ok_or(structure("has a capture of an unknown kind"))?,
            })
        });
        let captures = captures.collect::<Result<_, PacketError>>()?;
        Ok(DayReport { kit_id: message.kit_id()?, day, reported_at, unsent, captured_total, captures })
    }
}
