use coset::cbor::Value;
use coset::{Header, HeaderBuilder, Label};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::cbor::{self, Items, unix_ms, uuid_value};
use crate::{FORMAT_VERSION, PacketError};
use domain::UnitCode;
use domain::application::Kind;
use domain::id::{ApplicationId, CredentialId, KitId, PacketId};

/// The header parameter that holds the envelope; below -65536 is private use (RFC 9052 §11.1).
const LABEL: i64 = -65_537;
const CONTENT_TYPE: &str = "application/cose; cose-type=\"cose-encrypt\"";
const WHAT: &str = "the packet's envelope";

/// What anybody may read of a packet: enough to attribute, order and receipt it, and nothing about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Made by the kit when the form is opened.
    pub packet_id: PacketId,
    /// The application that the packet carries, or whose card was handed over.
    pub application_id: ApplicationId,
    /// The kit that sealed it.
    pub kit_id: KitId,
    /// The kit's own counter from 1: a gap is a packet that is still on the kit.
    pub kit_seq: u64,
    /// SHA-256 of the kit's packet before this one, as it was sealed; `None` for the first, and for no other.
    pub prev_sha256: Option<[u8; 32]>,
    /// With which the officer signed.
    pub credential_id: CredentialId,
    /// By the kit's clock, in whole milliseconds.
    pub captured_at: OffsetDateTime,
    /// The centre's time as the kit knew it from its last signed receipt, and what has passed since by a
    /// clock that nobody can set; `None` when the kit knows none.
    pub centre_at: Option<OffsetDateTime>,
    /// Where it was captured.
    pub unit: UnitCode,
    /// What is inside.
    pub carries: Carries,
}

/// What a packet has inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// A whole application ([`crate::Content`]).
    Application {
        /// First card, exchange or reissue.
        kind: Kind,
    },
    /// What was captured anew ([`crate::Recapture`]); the rest is in an application before it.
    Recapture {
        /// As of any application.
        kind: Kind,
        /// The application that has the rest.
        base: ApplicationId,
    },
    /// A record that a card was handed over, or not ([`crate::HandOver`]).
    HandOver,
}

impl Carries {
    /// Stable code, as the envelope and the table `packet` have it.
    pub const fn code(self) -> &'static str {
        match self {
            Carries::Application { .. } => "application",
            Carries::Recapture { .. } => "recapture",
            Carries::HandOver => "hand_over",
        }
    }

    /// The kind of the application that it makes, if it makes one.
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Carries::Application { kind } | Carries::Recapture { kind, .. } => Some(kind),
            Carries::HandOver => None,
        }
    }

    /// The application that has the rest, if it is elsewhere.
    pub const fn base(self) -> Option<ApplicationId> {
        match self {
            Carries::Recapture { base, .. } => Some(base),
            Carries::Application { .. } | Carries::HandOver => None,
        }
    }
}

impl Envelope {
    pub(crate) fn header(&self) -> Header {
        let nothing_or = |value: Option<Value>| value.unwrap_or(Value::Null);
        let envelope = Value::Array(vec![
            Value::Integer(FORMAT_VERSION.into()),
            uuid_value(self.packet_id.uuid()),
            uuid_value(self.application_id.uuid()),
            uuid_value(self.kit_id.uuid()),
            Value::Integer(self.kit_seq.into()),
            nothing_or(self.prev_sha256.map(|sha256| cbor::bytes(&sha256))),
            uuid_value(self.credential_id.uuid()),
            unix_ms(self.captured_at),
            nothing_or(self.centre_at.map(unix_ms)),
            Value::Text(self.unit.to_string()),
            Value::Text(self.carries.code().to_owned()),
            nothing_or(self.carries.kind().map(|kind| Value::Text(kind.code().to_owned()))),
            nothing_or(self.carries.base().map(|base| uuid_value(base.uuid()))),
        ]);
        HeaderBuilder::new().content_type(CONTENT_TYPE.to_owned()).value(LABEL, envelope).build()
    }

    pub(crate) fn from_header(header: &Header) -> Result<Self, PacketError> {
        let structure = |problem| PacketError::Structure { what: WHAT, problem };
        let [(Label::Int(LABEL), envelope)] = header.rest.as_slice() else {
            return Err(structure("is missing, or another header stands beside it"));
        };
        let mut items = Items::versioned(WHAT, envelope.clone(), FORMAT_VERSION, 13)?;
        let id = |items: &mut Items| Ok::<_, PacketError>(Uuid::from_bytes(items.bytes()?));
        let packet_id = PacketId::from_uuid(id(&mut items)?);
        let application_id = ApplicationId::from_uuid(id(&mut items)?);
        let kit_id = KitId::from_uuid(id(&mut items)?);
        let kit_seq = items.count()?;
        let prev_sha256 = items.optional(Items::bytes)?;
        if kit_seq == 0 {
            return Err(structure("has a counter below 1"));
        }
        if (kit_seq == 1) != prev_sha256.is_none() {
            return Err(structure("names no packet before it, or is the first and names one"));
        }
        let credential_id = CredentialId::from_uuid(id(&mut items)?);
        let captured_at = items.instant()?;
        let centre_at = items.optional(Items::instant)?;
        let unit = items.text(5)?.parse().map_err(|_| structure("has no unit code of 2, 3 or 5 digits"))?;
        let code = items.text(16)?;
        let kind = items.optional(|items| {
            Kind::from_code(&items.text(16)?).ok_or(structure("has an unknown kind of application"))
        })?;
        let base = items.optional(id)?.map(ApplicationId::from_uuid);
        let carries = match (code.as_str(), kind, base) {
            ("application", Some(kind), None) => Carries::Application { kind },
            ("recapture", Some(kind), Some(base)) => Carries::Recapture { kind, base },
            ("hand_over", None, None) => Carries::HandOver,
            _ => return Err(structure("says of its content what no content is")),
        };
        if carries.base() == Some(application_id) {
            return Err(structure("is based on itself"));
        }
        Ok(Envelope {
            packet_id,
            application_id,
            kit_id,
            kit_seq,
            prev_sha256,
            credential_id,
            captured_at,
            centre_at,
            unit,
            carries,
        })
    }
}
