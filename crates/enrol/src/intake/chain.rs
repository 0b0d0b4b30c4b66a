//! The chain of a kit's packets: each names the hash of the one before it. One kit makes one chain; where two
//! packets cannot stand in one, its disk runs on two machines. Pure.

use std::collections::{HashMap, HashSet};

use super::quarantine::Reason;
use domain::id::KitId;
use packet::Envelope;

/// What shows that a kit's packets were not made by one kit, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// Two packets have the same number.
    SequenceReused,
    /// A packet does not follow the one before it, or two follow the same.
    ChainBroken,
}

impl Contradiction {
    /// Why the packet that showed it is set aside.
    pub fn reason(self) -> Reason {
        match self {
            Contradiction::SequenceReused => Reason::SequenceReused,
            Contradiction::ChainBroken => Reason::ChainBroken,
        }
    }
}

/// What is known of the packets around those of a batch. A kit that was let go on after it was stopped has
/// several of one number.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Hash, and the hash before it, of the packets with a number.
    links: HashMap<(KitId, u64), Vec<Link>>,
    /// Numbers of the packets that follow one.
    following: HashMap<(KitId, [u8; 32]), HashSet<u64>>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    sha256: [u8; 32],
    prev: Option<[u8; 32]>,
}

impl Chain {
    /// Notes a packet that is there.
    pub fn add(&mut self, kit: KitId, seq: u64, sha256: [u8; 32], prev: Option<[u8; 32]>) {
        let links = self.links.entry((kit, seq)).or_default();
        if links.iter().all(|link| link.sha256 != sha256) {
            links.push(Link { sha256, prev });
        }
        if let Some(prev) = prev {
            self.following.entry((kit, prev)).or_default().insert(seq);
        }
    }

    /// Whether the kit has a packet of this number.
    pub fn has(&self, kit: KitId, seq: u64) -> bool {
        self.links.contains_key(&(kit, seq))
    }

    /// Whether a packet that is not there yet cannot stand in one chain with those that are. Packets come in
    /// any order: one whose neighbours are not there contradicts nothing.
    pub fn contradiction(&self, envelope: &Envelope, sha256: [u8; 32]) -> Option<Contradiction> {
        let (kit, seq) = (envelope.kit_id, envelope.kit_seq);
        if self.has(kit, seq) {
            return Some(Contradiction::SequenceReused);
        }
        let of = |seq| self.links.get(&(kit, seq));
        let before = of(seq - 1)
            .is_some_and(|links| links.iter().all(|link| Some(link.sha256) != envelope.prev_sha256));
        let after = of(seq + 1).is_some_and(|links| links.iter().all(|link| link.prev != Some(sha256)));
        let beside = envelope.prev_sha256.and_then(|prev| self.following.get(&(kit, prev)));
        let beside = beside.is_some_and(|numbers| numbers.iter().any(|other| *other != seq));
        (before || after || beside).then_some(Contradiction::ChainBroken)
    }
}
