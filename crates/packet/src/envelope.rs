use coset::cbor::Value;
use coset::{Header, HeaderBuilder, Label};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::cbor::{Items, unix_ms, uuid_value};
use crate::{FORMAT_VERSION, PacketError};
use domain::UnitCode;
use domain::application::Kind;
use domain::id::{ApplicationId, KitId, PacketId};

/// The header parameter that holds the envelope; below -65536 is private use (RFC 9052 §11.1).
const LABEL: i64 = -65_537;
const CONTENT_TYPE: &str = "application/cose; cose-type=\"cose-encrypt\"";
const WHAT: &str = "the packet's envelope";

/// What anybody may read of a packet: enough to attribute, order and receipt it, and nothing about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Made by the kit when the form is opened.
    pub packet_id: PacketId,
    /// The application that the packet carries.
    pub application_id: ApplicationId,
    /// The kit that sealed it.
    pub kit_id: KitId,
    /// The kit's own counter from 1: a gap is a packet that is still on the kit.
    pub kit_seq: u64,
    /// By the kit's clock, in whole milliseconds.
    pub captured_at: OffsetDateTime,
    /// Where it was captured.
    pub unit: UnitCode,
    /// First card, exchange or reissue.
    pub kind: Kind,
}

impl Envelope {
    pub(crate) fn header(&self) -> Header {
        let envelope = Value::Array(vec![
            Value::Integer(FORMAT_VERSION.into()),
            uuid_value(self.packet_id.uuid()),
            uuid_value(self.application_id.uuid()),
            Value::Integer(self.kit_seq.into()),
            unix_ms(self.captured_at),
            Value::Text(self.unit.to_string()),
            Value::Text(self.kind.code().to_owned()),
        ]);
        HeaderBuilder::new()
            .key_id(self.kit_id.uuid().as_bytes().to_vec())
            .content_type(CONTENT_TYPE.to_owned())
            .value(LABEL, envelope)
            .build()
    }

    pub(crate) fn from_header(header: &Header) -> Result<Self, PacketError> {
        let structure = |problem| PacketError::Structure { what: WHAT, problem };
        let kit_id = Uuid::from_slice(&header.key_id).map_err(|_| structure("has no kit id of 16 bytes"))?;
        let [(Label::Int(LABEL), envelope)] = header.rest.as_slice() else {
            return Err(structure("is missing, or another header stands beside it"));
        };
        let mut items = Items::of(WHAT, envelope.clone(), 7)?;
        items.version(FORMAT_VERSION)?;
        Ok(Envelope {
            packet_id: PacketId::from_uuid(Uuid::from_bytes(items.bytes()?)),
            application_id: ApplicationId::from_uuid(Uuid::from_bytes(items.bytes()?)),
            kit_id: KitId::from_uuid(kit_id),
            kit_seq: items
                .count()
                .and_then(|seq| if seq > 0 { Ok(seq) } else { Err(structure("has a counter below 1")) })?,
            captured_at: items.instant()?,
            unit: items.text(5)?.parse().map_err(|_| structure("has no unit code of 2, 3 or 5 digits"))?,
            kind: Kind::from_code(&items.text(16)?).ok_or(structure("has an unknown kind of application"))?,
        })
    }
}
