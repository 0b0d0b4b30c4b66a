//! Typed ids. Every id is a UUID made by whoever creates the thing, so that a repeat carries the same id and
//! a distributed database needs no sequence. Live ids are UUIDv7; a simulation derives its ids from its seed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

/// One newtype per kind of thing: a person's id cannot be passed where a card's is wanted.
macro_rules! typed_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// For ids that come from outside: a stored row, a packet.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// For storing and sending; nothing is encoded in it that a reader may rely on.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The id for `parts` under `seed`: the same input gives the same id on every run and machine.
            pub fn derive(at: OffsetDateTime, parts: &[&[u8]]) -> Self {
                Self(derive(stringify!($name), at, parts))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Ok(Self(Uuid::parse_str(text)?))
            }
        }
    )+};
}

typed_id! {
    /// The internal key of a person; the PIN is an attribute.
    PersonId,
    /// One event of the register, as its sender names it; it may concern several people.
    EventId,
    /// A paper behind an event, as its authority issued it.
    DocumentId,
    /// One application (hồ sơ) for a card.
    ApplicationId,
    /// One sealed packet; a correction sent again is a new packet for the same application.
    PacketId,
    /// A conflict that an adjudicator decides.
    CaseId,
    /// A case of correction, which the justice office decides.
    CorrectionId,
    /// Something that somebody does about a case of correction, as its sender names it.
    ActId,
    /// One chip card, from blank to expiry.
    CardId,
    /// A production batch.
    BatchId,
    /// A box of cards on its way from one unit to another.
    ConsignmentId,
    /// A team's laptop.
    KitId,
    /// An officer's credential: that a key of theirs may sign on one kit, until its end.
    CredentialId,
    /// A time slot at a site.
    SlotId,
    /// One imported file.
    ImportId,
    /// A user of the centre's pages.
    AccountId,
    /// A queued piece of work.
    JobId,
}

/// UUIDv7 layout (RFC 9562 §5.7) whose 74 random bits come from a hash of the parts instead of a generator.
fn derive(kind: &str, at: OffsetDateTime, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(kind.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut random = [0u8; 10];
    random.copy_from_slice(&digest[..10]);
    let unix_ms = (at.unix_timestamp().max(0) as u64) * 1000 + u64::from(at.millisecond());
    uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_same_parts_give_the_same_id_and_other_parts_another() {
        let at = datetime!(2021-04-06 01:00 UTC);
        let a = PersonId::derive(at, &[b"42", b"1"]);
        assert_eq!(a, PersonId::derive(at, &[b"42", b"1"]));
        assert_ne!(a, PersonId::derive(at, &[b"421", b""]));
        assert_ne!(a.uuid(), CardId::derive(at, &[b"42", b"1"]).uuid());
        assert_eq!(a.uuid().get_version_num(), 7);
    }
}
