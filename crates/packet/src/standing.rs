//! What the centre has of a kit's packets, and which of them a lost disk does not take away any more; and the
//! kit's question about it.
//!
//! A receipt says that a packet is in the centre's database. Whoever restores that database from a backup may
//! bring back a state from before the receipt, so that a kit keeps what it captured until the centre says, in
//! a later receipt, that it is safe.

use coset::HeaderBuilder;
use coset::cbor::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::PacketError;
use crate::cbor::{self, Items, unix_ms, uuid_value};
use crate::keys::PublicKey;
use crate::sign1::{self, Context};
use domain::id::KitId;

const VERSION: u16 = 1;
const STANDING: &str = "a kit's standing in the receipt";
const STATUS: &str = "the kit's status";
/// A status is some 150 bytes.
const MAX_STATUS_BYTES: usize = 1024;
/// Ranges of missing packets in one standing; whoever misses more is told the first, and the rest once they
/// have come.
pub const MAX_MISSING: usize = 100;
/// Kits in one receipt: an upload comes from one, a courier's from a few.
pub const MAX_STANDINGS: usize = 64;

/// Of what the watermark speaks: where packets must be before the centre calls them safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On the centre's own disk: there is no archive and no standby, and what that disk holds is lost with
    /// it.
    Commit,
    /// In the archive of the write-ahead log, from which the database can be restored.
    Archive,
    /// On the disk of every standby.
    Standby,
    /// In the archive, and on the disk of every standby.
    ArchiveAndStandby,
}

impl Durability {
    /// Every one, for readers of codes and for tests.
    pub const ALL: [Durability; 4] =
        [Durability::Commit, Durability::Archive, Durability::Standby, Durability::ArchiveAndStandby];

    /// Stable code, as receipts have it.
    pub const fn code(self) -> &'static str {
        match self {
            Durability::Commit => "commit",
            Durability::Archive => "archive",
            Durability::Standby => "standby",
            Durability::ArchiveAndStandby => "archive_and_standby",
        }
    }

    /// The durability of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|durability| durability.code() == code)
    }
}

/// Durable until: of the packets that the centre has, those up to this one are safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// The counter of the last safe packet.
    pub kit_seq: u64,
    /// SHA-256 of that packet: by the chain, a kit that made it made all before it too.
    pub sha256: [u8; 32],
}

/// What the centre has of one kit's packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub kit_id: KitId,
    /// The highest counter that the centre has; 0 when it has none.
    pub highest: u64,
    /// Counters below it that the centre does not have, as ranges from and to, lowest first; up to
    /// [`MAX_MISSING`].
    pub missing: Vec<(u64, u64)>,
    /// `None` as long as nothing is safe.
    pub durable: Option<Watermark>,
    /// What `durable` rests on.
    pub durability: Durability,
}

impl Standing {
    pub(crate) fn encode(&self) -> Value {
        let number = |number: u64| Value::Integer(number.into());
        let range = |(from, to): &(u64, u64)| Value::Array(vec![number(*from), number(*to)]);
        let durable = self.durable.map_or(Value::Null, |durable| {
            Value::Array(vec![number(durable.kit_seq), cbor::bytes(&durable.sha256)])
        });
        Value::Array(vec![
            uuid_value(self.kit_id.uuid()),
            number(self.highest),
            Value::Array(self.missing.iter().map(range).collect()),
            durable,
            Value::Text(self.durability.code().to_owned()),
        ])
    }

    pub(crate) fn decode(value: Value) -> Result<Self, PacketError> {
        let structure = |problem| PacketError::Structure { what: STANDING, problem };
        let mut items = Items::of(STANDING, value, 5)?;
        let kit_id = KitId::from_uuid(Uuid::from_bytes(items.bytes()?));
        let highest = items.count()?;
        let mut missing = Vec::new();
        // Ranges that overlap or run backwards would ask for a packet twice, or for none.
        let mut after = 0;
        for range in items.array(MAX_MISSING)? {
            let mut range = Items::of(STANDING, range, 2)?;
            let (from, to) = (range.count()?, range.count()?);
            if from <= after || to < from || to >= highest {
                return Err(structure("misses packets out of order, or above the highest"));
            }
            after = to;
            missing.push((from, to));
        }
        let durable = match items.value() {
            Value::Null => None,
            value => {
                let mut durable = Items::of(STANDING, value, 2)?;
                Some(Watermark { kit_seq: durable.count()?, sha256: durable.bytes()? })
            }
        };
        if durable.is_some_and(|durable| durable.kit_seq == 0 || durable.kit_seq > highest) {
            return Err(structure("calls a packet safe that the centre does not have"));
        }
        let durability =
            Durability::from_code(&items.text(32)?).ok_or(structure("is durable by an unknown means"))?;
        Ok(Standing { kit_id, highest, missing, durable, durability })
    }
}

/// A kit's question what the centre has of its packets, with what it knows itself. The answer is a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitStatus {
    /// The kit that asks.
    pub kit_id: KitId,
    /// By the kit's clock, in whole milliseconds.
    pub asked_at: OffsetDateTime,
    /// Packets since the kit was set up.
    pub total: u64,
    /// Packets without a receipt, or refused.
    pub unsent: u64,
    /// Up to which counter the centre said that packets are safe; 0 when it never did.
    pub durable: u64,
    /// How many packets the kit has forgotten for that, and cannot send again: those up to `durable` that the
    /// centre had.
    pub forgotten: u64,
}

impl KitStatus {
    /// # Errors
    /// [`PacketError::Signer`].
    pub fn sign(&self, kit: &dyn pki::Signer) -> Result<Vec<u8>, PacketError> {
        let number = |number: u64| Value::Integer(number.into());
        let payload = Value::Array(vec![
            Value::Integer(VERSION.into()),
            unix_ms(self.asked_at),
            number(self.total),
            number(self.unsent),
            number(self.durable),
            number(self.forgotten),
        ]);
        let header = HeaderBuilder::new().key_id(self.kit_id.uuid().as_bytes().to_vec()).build();
        sign1::sign(Context::KitStatus, header, cbor::encode(&payload), kit)
    }

    /// The kit that a status claims to come from: for choosing the key to verify it with.
    ///
    /// # Errors
    /// As [`KitStatus::verify`].
    pub fn claimed_kit(bytes: &[u8]) -> Result<KitId, PacketError> {
        sign1::parse(Context::KitStatus, bytes, MAX_STATUS_BYTES)?.kit_id()
    }

    /// Reads a status and checks that the kit signed it.
    ///
    /// # Errors
    /// What is wrong, and at which byte where it is known; [`PacketError::BadSignature`].
    pub fn verify(bytes: &[u8], kit: &PublicKey) -> Result<Self, PacketError> {
        let message = sign1::parse(Context::KitStatus, bytes, MAX_STATUS_BYTES)?;
        message.verify(kit)?;
        let mut items = Items::of(STATUS, cbor::decode(STATUS, message.payload())?, 6)?;
        items.version(VERSION)?;
        let status = KitStatus {
            kit_id: message.kit_id()?,
            asked_at: items.instant()?,
            total: items.count()?,
            unsent: items.count()?,
            durable: items.count()?,
            forgotten: items.count()?,
        };
        let KitStatus { total, unsent, durable, forgotten, .. } = status;
        if unsent > total || durable > total || forgotten > durable {
            return Err(PacketError::Structure { what: STATUS, problem: "counts more than there is" });
        }
        Ok(status)
    }
}
