//! What becomes of each packet of a batch, from what is known already. Pure.

use std::collections::{HashMap, HashSet};

use super::clock::Heard;
use super::quarantine::Reason;
use domain::UnitCode;
use domain::application::State;
use domain::id::{ApplicationId, KitId, PacketId};
use packet::Envelope;
use packet::message::{Outcome, Refusal};

/// One packet of a batch after the checks that need no database but the kit's key.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub sha256: [u8; 32],
    pub size: usize,
    /// As claimed, whether or not the signature holds; `None` when it could not be read.
    pub claimed: Option<Envelope>,
    /// `Err` when a check failed; then `claimed` is only a claim.
    pub verified: Result<(), Refusal>,
}

/// What is known of the ids that a batch names. Decisions add to it, so that a batch that repeats itself is
/// judged as if its packets had come one after the other.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub revoked: HashSet<KitId>,
    pub heard: HashMap<KitId, Heard>,
    pub packets: HashMap<PacketId, (KitId, [u8; 32])>,
    pub counters: HashMap<(KitId, u64), PacketId>,
    pub applications: HashMap<ApplicationId, (KitId, State)>,
    pub units: HashMap<UnitCode, String>,
}

/// The decision on one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Store it.
    Store,
    /// Store it, and do not open it before somebody has looked at it.
    SetAside(Reason),
    /// It is stored already, byte for byte: answer as the first time.
    Repeat,
    Refuse(Refusal),
}

impl Decision {
    /// Whether the packet is stored now.
    pub fn is_new(self) -> bool {
        matches!(self, Decision::Store | Decision::SetAside(_))
    }

    /// Why it is not opened before somebody has looked at it.
    pub fn quarantine(self) -> Option<Reason> {
        match self {
            Decision::SetAside(reason) => Some(reason),
            Decision::Store | Decision::Repeat | Decision::Refuse(_) => None,
        }
    }

    /// What the receipt tells the kit: a repeat is accepted as the first was.
    pub fn outcome(self) -> Outcome {
        match self {
            Decision::Store | Decision::SetAside(_) | Decision::Repeat => Outcome::Accepted,
            Decision::Refuse(refusal) => Outcome::Refused(refusal),
        }
    }
}

pub(super) fn decide(arrived: &Arrived, known: &mut Known) -> Decision {
    let envelope = match (&arrived.verified, &arrived.claimed) {
        (Ok(()), Some(envelope)) => envelope,
        (Err(refusal), _) => return Decision::Refuse(*refusal),
        (Ok(()), None) => return Decision::Refuse(Refusal::Malformed),
    };
    match known.packets.get(&envelope.packet_id) {
        Some((kit, sha256)) if *kit == envelope.kit_id && *sha256 == arrived.sha256 => {
            return Decision::Repeat;
        }
        Some(_) => return Decision::Refuse(Refusal::PacketIdReused),
        None => {}
    }
    if known.counters.contains_key(&(envelope.kit_id, envelope.kit_seq)) {
        return Decision::Refuse(Refusal::SequenceReused);
    }
    match known.applications.get(&envelope.application_id) {
        None => {}
        Some((kit, State::Captured)) if *kit == envelope.kit_id => {}
        Some(_) => return Decision::Refuse(Refusal::ApplicationConflict),
    }
    if !known.units.contains_key(&envelope.unit) {
        return Decision::Refuse(Refusal::UnknownUnit);
    }
    known.packets.insert(envelope.packet_id, (envelope.kit_id, arrived.sha256));
    known.counters.insert((envelope.kit_id, envelope.kit_seq), envelope.packet_id);
    known.applications.insert(envelope.application_id, (envelope.kit_id, State::Received));
    // What a stolen kit sends is evidence, and what an honest team captured before its kit was revoked is
    // somebody's application: neither is lost, and neither is worked on unseen.
    if known.revoked.contains(&envelope.kit_id) {
        return Decision::SetAside(Reason::KitRevoked);
    }
    Decision::Store
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::application::Kind;
    use time::macros::datetime;

    fn kit(number: u8) -> KitId {
        KitId::derive(datetime!(2021-04-06 01:00 UTC), &[&[number]])
    }

    fn arrived(number: u8, kit_seq: u64, hash: u8) -> Arrived {
        let at = datetime!(2021-04-06 01:00 UTC);
        let claimed = Some(Envelope {
            packet_id: PacketId::derive(at, &[&[number]]),
            application_id: ApplicationId::derive(at, &[&[number]]),
            kit_id: kit(1),
            kit_seq,
            captured_at: at,
            unit: "18562".parse().unwrap(),
            kind: Kind::New,
        });
        Arrived { sha256: [hash; 32], size: 1, claimed, verified: Ok(()) }
    }

    fn known() -> Known {
        let units = [("18562".parse().unwrap(), "42/445/18562/".to_owned())].into();
        Known { units, ..Known::default() }
    }

    fn check(batch: &[Arrived], mut known: Known, expect: &[Decision]) {
        let decided: Vec<_> = batch.iter().map(|arrived| decide(arrived, &mut known)).collect();
        assert_eq!(decided, expect);
    }

    #[test]
    fn a_repeat_is_answered_as_the_first_and_a_reuse_is_refused() {
        use Decision::*;
        check(
            &[arrived(1, 1, 1), arrived(1, 1, 1), arrived(1, 1, 2), arrived(2, 1, 3), arrived(2, 2, 3)],
            known(),
            &[Store, Repeat, Refuse(Refusal::PacketIdReused), Refuse(Refusal::SequenceReused), Store],
        );
    }

    #[test]
    fn a_revoked_kit_still_gets_its_old_answers_and_what_it_sends_is_set_aside() {
        let mut known = known();
        assert_eq!(decide(&arrived(1, 1, 1), &mut known), Decision::Store);
        known.revoked.insert(kit(1));
        check(
            &[arrived(1, 1, 1), arrived(2, 2, 1)],
            known,
            &[Decision::Repeat, Decision::SetAside(Reason::KitRevoked)],
        );
    }

    #[test]
    fn an_application_is_received_once_and_from_its_own_kit() {
        let reported = arrived(1, 1, 1);
        let application = reported.claimed.as_ref().unwrap().application_id;
        for (holder, state, expect) in [
            (kit(1), State::Captured, Decision::Store),
            (kit(2), State::Captured, Decision::Refuse(Refusal::ApplicationConflict)),
            (kit(1), State::Received, Decision::Refuse(Refusal::ApplicationConflict)),
            (kit(1), State::Rejected, Decision::Refuse(Refusal::ApplicationConflict)),
        ] {
            let mut known = known();
            known.applications.insert(application, (holder, state));
            check(std::slice::from_ref(&reported), known, &[expect]);
        }
    }

    #[test]
    fn what_could_not_be_verified_changes_nothing() {
        let forged = Arrived { verified: Err(Refusal::BadSignature), ..arrived(1, 1, 9) };
        let unread = Arrived { claimed: None, verified: Ok(()), ..arrived(1, 1, 9) };
        check(
            &[forged, unread, arrived(1, 1, 1)],
            known(),
            &[Decision::Refuse(Refusal::BadSignature), Decision::Refuse(Refusal::Malformed), Decision::Store],
        );
        let nowhere = Known::default();
        check(&[arrived(1, 1, 1)], nowhere, &[Decision::Refuse(Refusal::UnknownUnit)]);
    }
}
