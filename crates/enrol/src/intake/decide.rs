//! What becomes of each packet of a batch, from what is known already. Pure.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::chain::{Chain, Contradiction};
use super::clock::{self, Heard};
use super::quarantine::Reason;
use crate::officers::Officer;
use domain::UnitCode;
use domain::application::State;
use domain::id::{ApplicationId, CredentialId, KitId, PacketId};
use packet::message::{Outcome, Refusal};
use packet::{Carries, Envelope};
use store::applications::kits::Kit;

/// One packet of a batch after the checks that need no database but the keys of kit and officer.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub sha256: [u8; 32],
    pub size: usize,
    /// As claimed, whether or not the signatures hold; `None` when it could not be read.
    pub claimed: Option<Envelope>,
    /// `Err` when a check failed; then `claimed` is only a claim.
    pub verified: Result<(), Refusal>,
}

/// What is known of the ids that a batch names. Decisions add to it, so that a batch that repeats itself is
/// judged as if its packets had come one after the other.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The kits, whose rows are held.
    pub kits: Vec<Kit>,
    pub revoked: HashSet<KitId>,
    /// Kits of which somebody proposes that they be revoked.
    pub doubted: HashSet<KitId>,
    pub stopped: HashSet<KitId>,
    /// Kits that this batch stops.
    pub stops: Vec<Stop>,
    pub heard: HashMap<KitId, Heard>,
    pub packets: HashMap<PacketId, (KitId, [u8; 32])>,
    pub chain: Chain,
    pub officers: HashMap<CredentialId, Officer>,
    pub applications: HashMap<ApplicationId, (KitId, State)>,
    pub units: HashMap<UnitCode, String>,
}

/// A kit that is stopped, and what showed that there are two of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    pub kit: KitId,
    pub packet: PacketId,
    pub unit: UnitCode,
    pub contradiction: Contradiction,
}

/// The decision on one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Store it.
    Store,
    /// Store it, and do not open it before somebody has looked at it.
    SetAside {
        reason: Reason,
        /// Whether its kit has another packet of the same number.
        twin: bool,
    },
    /// It is stored already, byte for byte: answer as the first time.
    Repeat,
    Refuse(Refusal),
}

impl Decision {
    /// Whether the packet is stored now.
    pub fn is_new(self) -> bool {
        matches!(self, Decision::Store | Decision::SetAside { .. })
    }

    /// Why it is not opened before somebody has looked at it.
    pub fn quarantine(self) -> Option<Reason> {
        match self {
            Decision::SetAside { reason, .. } => Some(reason),
            Decision::Store | Decision::Repeat | Decision::Refuse(_) => None,
        }
    }

    /// Whether its kit has another packet of the same number.
    pub fn is_twin(self) -> bool {
        match self {
            Decision::SetAside { twin, .. } => twin,
            Decision::Store | Decision::Repeat | Decision::Refuse(_) => false,
        }
    }

    /// What the receipt tells the kit: a repeat is accepted as the first was.
    pub fn outcome(self) -> Outcome {
        match self {
            Decision::Store | Decision::SetAside { .. } | Decision::Repeat => Outcome::Accepted,
            Decision::Refuse(refusal) => Outcome::Refused(refusal),
        }
    }
}

pub(super) fn decide(arrived: &Arrived, known: &mut Known, now: OffsetDateTime) -> Decision {
    let envelope = match (&arrived.verified, &arrived.claimed) {
        (Ok(()), Some(envelope)) => envelope,
        (Err(refusal), _) => return Decision::Refuse(*refusal),
        (Ok(()), None) => return Decision::Refuse(Refusal::Malformed),
    };
    let kit = envelope.kit_id;
    match known.packets.get(&envelope.packet_id) {
        Some((of, sha256)) if *of == kit && *sha256 == arrived.sha256 => return Decision::Repeat,
        Some((of, _)) => {
            // A kit seals what it saved once and never again: whoever has other bytes under the same id has
            // the disk of before.
            if *of == kit {
                stop(known, envelope, Contradiction::SequenceReused);
            }
            return Decision::Refuse(Refusal::PacketIdReused);
        }
        None => {}
    }
    let application = known.applications.get(&envelope.application_id);
    match (envelope.carries, application) {
        (Carries::HandOver, Some(_)) => {}
        (Carries::HandOver, None) => return Decision::Refuse(Refusal::UnknownApplication),
        (Carries::Application { .. } | Carries::Recapture { .. }, None) => {}
        (Carries::Application { .. } | Carries::Recapture { .. }, Some((of, State::Captured)))
            if *of == kit => {}
        (Carries::Application { .. } | Carries::Recapture { .. }, Some(_)) => {
            return Decision::Refuse(Refusal::ApplicationConflict);
        }
    }
    if !known.units.contains_key(&envelope.unit) {
        return Decision::Refuse(Refusal::UnknownUnit);
    }
    let contradiction = known.chain.contradiction(envelope, arrived.sha256);
    let twin = known.chain.has(kit, envelope.kit_seq);
    known.packets.insert(envelope.packet_id, (kit, arrived.sha256));
    known.chain.add(kit, envelope.kit_seq, arrived.sha256, envelope.prev_sha256);
    if envelope.carries.kind().is_some() {
        known.applications.insert(envelope.application_id, (kit, State::Received));
    }
    match doubt(envelope, contradiction, known, now) {
        None => Decision::Store,
        Some(reason) => {
            if let Some(contradiction) = contradiction {
                stop(known, envelope, contradiction);
            }
            Decision::SetAside { reason, twin }
        }
    }
}

/// Why somebody should look first. What a stolen kit sends is evidence, and what an honest team captured
/// before its kit was revoked, or was copied, is somebody's application: neither is lost, and neither is
/// worked on unseen.
fn doubt(
    envelope: &Envelope,
    contradiction: Option<Contradiction>,
    known: &Known,
    now: OffsetDateTime,
) -> Option<Reason> {
    let kit = &envelope.kit_id;
    if known.revoked.contains(kit) {
        return Some(Reason::KitRevoked);
    }
    if let Some(contradiction) = contradiction {
        return Some(contradiction.reason());
    }
    if known.stopped.contains(kit) {
        return Some(Reason::KitStopped);
    }
    if known.doubted.contains(kit) {
        return Some(Reason::KitDoubted);
    }
    let captured = clock::bound(envelope, known.heard.get(kit), now);
    match known.officers.get(&envelope.credential_id) {
        Some(officer) => officer.doubt(*kit, captured.at, now),
        // Its signature was checked a moment ago: somebody took it out of the database since.
        None => Some(Reason::OfficerRevoked),
    }
}

fn stop(known: &mut Known, envelope: &Envelope, contradiction: Contradiction) {
    let (kit, packet, unit) = (envelope.kit_id, envelope.packet_id, envelope.unit);
    if !known.revoked.contains(&kit) && known.stopped.insert(kit) {
        known.stops.push(Stop { kit, packet, unit, contradiction });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::application::Kind;
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2021-04-06 09:00 UTC);

    fn kit(number: u8) -> KitId {
        KitId::derive(datetime!(2021-04-06 01:00 UTC), &[&[number]])
    }

    fn credential() -> CredentialId {
        CredentialId::derive(datetime!(2021-04-06 01:00 UTC), &[b"officer"])
    }

    /// The packet after the one whose hash is full of `prev`.
    fn arrived(number: u8, kit_seq: u64, hash: u8, prev: u8) -> Arrived {
        let at = datetime!(2021-04-06 01:00 UTC);
        let claimed = Some(Envelope {
            packet_id: PacketId::derive(at, &[&[number]]),
            application_id: ApplicationId::derive(at, &[&[number]]),
            kit_id: kit(1),
            kit_seq,
            prev_sha256: (kit_seq > 1).then_some([prev; 32]),
            credential_id: credential(),
            captured_at: at,
            centre_at: None,
            unit: "18562".parse().unwrap(),
            carries: Carries::Application { kind: Kind::New },
        });
        Arrived { sha256: [hash; 32], size: 1, claimed, verified: Ok(()) }
    }

    fn known() -> Known {
        let units = [("18562".parse().unwrap(), "42/445/18562/".to_owned())].into();
        let begin = datetime!(2021-04-01 00:00 UTC);
        let officer = Officer {
            kit_id: kit(1),
            not_after: begin + Duration::days(30),
            is_revoked: false,
            is_doubted: false,
        };
        let heard = [(kit(1), Heard { registered_at: begin, last_at: begin })].into();
        Known { units, heard, officers: [(credential(), officer)].into(), ..Known::default() }
    }

    fn check(batch: &[Arrived], mut known: Known, expect: &[Decision]) -> Known {
        let decided: Vec<_> = batch.iter().map(|arrived| decide(arrived, &mut known, NOW)).collect();
        assert_eq!(decided, expect);
        known
    }

    fn aside(reason: Reason) -> Decision {
        Decision::SetAside { reason, twin: false }
    }

    fn twin(reason: Reason) -> Decision {
        Decision::SetAside { reason, twin: true }
    }

    #[test]
    fn a_repeat_is_answered_as_the_first_and_a_chain_is_followed_in_any_order() {
        use Decision::*;
        let one = |number| arrived(number, number.into(), number, number - 1);
        let known = check(
            &[one(1), one(1), one(4), one(3), one(2), one(6)],
            known(),
            &[Store, Repeat, Store, Store, Store, Store],
        );
        assert!(known.stops.is_empty(), "a gap is no contradiction");
    }

    #[test]
    fn a_number_used_twice_stops_the_kit_and_loses_nobody() {
        let batch = [arrived(1, 1, 1, 0), arrived(2, 1, 2, 0), arrived(3, 2, 3, 1), arrived(4, 2, 4, 2)];
        let known = check(
            &batch,
            known(),
            &[
                Decision::Store,
                twin(Reason::SequenceReused),
                aside(Reason::KitStopped),
                twin(Reason::SequenceReused),
            ],
        );
        assert_eq!(known.stops.len(), 1, "it is stopped once");
        assert_eq!(known.stops[0].kit, kit(1));
    }

    #[test]
    fn a_broken_chain_stops_the_kit_whichever_end_comes_first() {
        let broken = aside(Reason::ChainBroken);
        check(&[arrived(1, 1, 1, 0), arrived(2, 2, 2, 9)], known(), &[Decision::Store, broken]);
        check(&[arrived(2, 2, 2, 9), arrived(1, 1, 1, 0)], known(), &[Decision::Store, broken]);
        // Two that follow the same packet.
        check(&[arrived(3, 3, 3, 2), arrived(5, 5, 5, 2)], known(), &[Decision::Store, broken]);
    }

    #[test]
    fn other_bytes_under_an_id_stop_their_own_kit_only() {
        let mut foreign = arrived(1, 7, 3, 6);
        foreign.claimed.as_mut().unwrap().kit_id = kit(2);
        let reused = Decision::Refuse(Refusal::PacketIdReused);
        let known = check(&[arrived(1, 1, 1, 0), foreign], known(), &[Decision::Store, reused]);
        assert!(known.stops.is_empty());
        let known = check(&[arrived(1, 1, 2, 0)], known, &[reused]);
        assert_eq!(known.stops.len(), 1);
    }

    #[test]
    fn a_revoked_kit_still_gets_its_old_answers_and_what_it_sends_is_set_aside() {
        let mut known = check(&[arrived(1, 1, 1, 0)], known(), &[Decision::Store]);
        known.revoked.insert(kit(1));
        let known = check(
            &[arrived(1, 1, 1, 0), arrived(2, 2, 2, 1), arrived(3, 2, 3, 1)],
            known,
            &[Decision::Repeat, aside(Reason::KitRevoked), twin(Reason::KitRevoked)],
        );
        assert!(known.stops.is_empty());
    }

    #[test]
    fn what_is_only_proposed_sets_aside_already() {
        let mut of_kit = known();
        of_kit.doubted.insert(kit(1));
        check(&[arrived(1, 1, 1, 0)], of_kit, &[aside(Reason::KitDoubted)]);
        let mut of_officer = known();
        of_officer.officers.get_mut(&credential()).unwrap().is_doubted = true;
        check(&[arrived(1, 1, 1, 0)], of_officer, &[aside(Reason::OfficerDoubted)]);
    }

    #[test]
    fn an_application_is_received_once_and_from_its_own_kit() {
        let reported = arrived(1, 1, 1, 0);
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
    fn a_hand_over_is_about_an_application_that_is_there() {
        let mut record = arrived(1, 1, 1, 0);
        record.claimed.as_mut().unwrap().carries = Carries::HandOver;
        let unknown = Decision::Refuse(Refusal::UnknownApplication);
        check(std::slice::from_ref(&record), known(), &[unknown]);
        let mut there = known();
        let application = record.claimed.as_ref().unwrap().application_id;
        there.applications.insert(application, (kit(2), State::AtUnit));
        check(&[record], there, &[Decision::Store]);
    }

    #[test]
    fn what_could_not_be_verified_changes_nothing() {
        let forged = Arrived { verified: Err(Refusal::BadSignature), ..arrived(1, 1, 9, 0) };
        let unread = Arrived { claimed: None, verified: Ok(()), ..arrived(1, 1, 9, 0) };
        check(
            &[forged, unread, arrived(1, 1, 1, 0)],
            known(),
            &[Decision::Refuse(Refusal::BadSignature), Decision::Refuse(Refusal::Malformed), Decision::Store],
        );
        let nowhere = Known { units: HashMap::new(), ..known() };
        check(&[arrived(1, 1, 1, 0)], nowhere, &[Decision::Refuse(Refusal::UnknownUnit)]);
    }
}
