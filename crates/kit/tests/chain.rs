//! What each packet of a kit says of the one before it, of the centre's time, and of who signed.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

#[path = "../../packet/tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use domain::application::Kind;
use domain::id::KitId;
use kit::{
    AppliedStanding, CaptureInput, CentrePublicKeys, HandOverInput, KitError, KitTime, Laptop, Officer,
    OfficerKey, RecaptureInput, Steady,
};
use packet::keys::PublicKey;
use packet::message::{Outcome, Receipt, ReceiptItem};
use packet::standing::{Durability, Standing, Watermark};
use packet::{Came, Carries, Changes, Envelope, HandOver, wire};
use pki::Signer;
use support::*;

fn kit_id() -> KitId {
    KitId::derive(DAY, &[b"laptop"])
}

fn laptop(dir: &Path) -> Laptop {
    let receipt = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    let keys = CentrePublicKeys { intake: centre_public(), receipt };
    Laptop::open(dir, kit_id(), keys, &mut rng(100)).unwrap()
}

fn officer() -> &'static Officer {
    static OFFICER: LazyLock<Officer> = LazyLock::new(|| {
        let directory = tempfile::tempdir().unwrap();
        let key = OfficerKey::make(&directory.path().join("officer.key"), "mười hai chữ", &mut rng(200));
        let credential_id = credential_of(kit_id());
        Officer { key: key.unwrap(), credential_id, not_after: DAY + Duration::weeks(2) }
    });
    &OFFICER
}

fn input(number: u64) -> CaptureInput {
    let (envelope, content) = (envelope(kit_id(), number, 1), content(number));
    CaptureInput {
        packet_id: envelope.packet_id,
        application_id: envelope.application_id,
        kind: Kind::New,
        unit: envelope.unit,
        record: content.record,
        register: None,
        fingers: content.fingers,
        finger_images: content.finger_images,
        photo: content.photo,
        meta: content.capture,
    }
}

fn capture(laptop: &mut Laptop, number: u64, now: KitTime) -> Result<kit::Saved, KitError> {
    laptop.capture(input(number), officer(), now, &mut rng(number))
}

/// The packets that wait, each with its envelope, after both signatures were checked.
fn waiting(laptop: &Laptop) -> Vec<(Envelope, Vec<u8>)> {
    let packets = laptop.outbox().pending(100, wire::MAX_BATCH_BYTES).unwrap();
    let verified = |packet: kit::PendingPacket| {
        let (kit, officer) = (laptop.public_key(), officer().key.public());
        (packet::verify_envelope(&packet.sealed, &kit, &officer).unwrap(), packet.sealed)
    };
    packets.into_iter().map(verified).collect()
}

fn receipt(sealed: &[Vec<u8>], at: OffsetDateTime) -> Vec<u8> {
    let item = |bytes: &Vec<u8>| ReceiptItem {
        packet_id: packet::parse(bytes).ok().map(|packet| packet.claimed().packet_id),
        sha256: Sha256::digest(bytes).into(),
        outcome: Outcome::Accepted,
    };
    signed(Receipt { at, items: sealed.iter().map(item).collect(), standings: Vec::new() })
}

fn signed(receipt: Receipt) -> Vec<u8> {
    receipt.sign(&receipt_signer()).unwrap()
}

fn taken_over(laptop: &mut Laptop, sealed: &[Vec<u8>], at: OffsetDateTime, now: KitTime) {
    let centre = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    laptop.outbox_mut().apply_receipt(&receipt(sealed, at), &centre, now).unwrap();
}

#[test]
fn a_capture_repeated_after_a_crash_is_the_same_packet() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut one, mut other) = (laptop(one.path()), laptop(other.path()));
    // On the other laptop the crash came before the packet was on the disk.
    let draft = kit::Draft {
        packet_id: input(1).packet_id,
        application_id: input(1).application_id,
        captured_at: DAY,
        unit: input(1).unit,
        kind: Some(input(1).kind),
        receipt_code: Some(packet::ReceiptCode::generate(&mut rng(1))),
    };
    let failed = other.outbox_mut().save(&draft, None, |_| Err(KitError::Row("the battery is empty")));
    assert!(failed.is_err());
    assert_eq!(other.outbox().counters().unwrap().captured_total, 0);
    let codes = [&mut one, &mut other].map(|laptop| capture(laptop, 1, DAY.into()).unwrap().receipt_code);
    assert_eq!(codes[0], codes[1]);
    assert_eq!(waiting(&one), waiting(&other));
}

#[test]
fn each_packet_names_the_one_before_it_also_when_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    for number in 1..=2 {
        capture(&mut laptop, number, DAY.into()).unwrap();
    }
    let first = waiting(&laptop);
    let hash = |packet: &[u8]| Some(Sha256::digest(packet).into());
    assert_eq!(first[0].0.prev_sha256, None);
    assert_eq!(first[1].0.prev_sha256, hash(&first[0].1));
    let sealed: Vec<_> = first.iter().map(|(_, sealed)| sealed.clone()).collect();
    taken_over(&mut laptop, &sealed, DAY, DAY.into());
    drop(laptop);
    let mut laptop = self::laptop(dir.path());
    capture(&mut laptop, 3, DAY.into()).unwrap();
    let [(third, _)] = waiting(&laptop).try_into().unwrap();
    assert_eq!((third.kit_seq, third.prev_sha256), (3, hash(&sealed[1])));
}

/// The kit books what the centre says of its packets; the watermark is at the packet of this counter.
fn told(
    laptop: &mut Laptop,
    highest: u64,
    missing: &[(u64, u64)],
    durable: Option<(u64, &[u8])>,
) -> AppliedStanding {
    let standing = Standing {
        kit_id: kit_id(),
        highest,
        missing: missing.to_vec(),
        durable: durable.map(|(kit_seq, of)| Watermark { kit_seq, sha256: Sha256::digest(of).into() }),
        durability: Durability::Archive,
    };
    let centre = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    let receipt = signed(Receipt { at: DAY, items: Vec::new(), standings: vec![standing] });
    laptop.outbox_mut().apply_receipt(&receipt, &centre, DAY).unwrap().standing
}

fn applied(safe: usize, asked_again: usize, lost: usize) -> AppliedStanding {
    AppliedStanding { safe, asked_again, lost }
}

/// A kit whose packets from the first to this one the centre has, and the packets.
fn received(dir: &Path, packets: u64) -> (Laptop, Vec<Vec<u8>>) {
    let mut laptop = laptop(dir);
    for number in 1..=packets {
        capture(&mut laptop, number, DAY.into()).unwrap();
    }
    let sealed: Vec<_> = waiting(&laptop).into_iter().map(|(_, sealed)| sealed).collect();
    taken_over(&mut laptop, &sealed, DAY, DAY.into());
    (laptop, sealed)
}

/// Counters of the packets whose bytes are still on the disk.
fn on_the_disk(dir: &Path) -> Vec<i64> {
    let db = rusqlite::Connection::open(dir.join("outbox.sqlite")).unwrap();
    let mut rows =
        db.prepare("SELECT kit_seq FROM packet WHERE sealed IS NOT NULL ORDER BY kit_seq").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_receipt_alone_forgets_nothing_and_the_watermark_forgets_what_it_covers() {
    let dir = tempfile::tempdir().unwrap();
    let (mut laptop, sealed) = received(dir.path(), 4);
    assert_eq!(on_the_disk(dir.path()), [1, 2, 3, 4], "the centre has them, and may lose them yet");
    assert_eq!(waiting(&laptop), [], "nothing is sent twice for that");
    capture(&mut laptop, 5, DAY.into()).unwrap();
    assert_eq!(told(&mut laptop, 4, &[], Some((2, &sealed[1]))), applied(2, 0, 0));
    assert_eq!(on_the_disk(dir.path()), [3, 4, 5]);
    assert_eq!(told(&mut laptop, 4, &[], Some((4, &sealed[3]))).safe, 2);
    assert_eq!(on_the_disk(dir.path()), [5], "what was never sent is kept, whatever the centre says");
    let counters = laptop.outbox().counters().unwrap();
    assert_eq!((counters.accepted, counters.kept, counters.pending), (4, 0, 1));
    assert_eq!(laptop.outbox().durable().unwrap(), 4);
}

#[test]
fn what_the_centre_has_lost_is_sent_again_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (mut laptop, sealed) = received(dir.path(), 6);
    assert_eq!(told(&mut laptop, 6, &[], Some((1, &sealed[0]))).safe, 1);
    // Its database was brought back from a state in which the second, the third and the sixth had not come.
    let lost = told(&mut laptop, 5, &[(2, 3)], Some((1, &sealed[0])));
    assert_eq!(lost, applied(0, 3, 0));
    let again: Vec<_> = waiting(&laptop).into_iter().map(|(_, sealed)| sealed).collect();
    assert_eq!(again, [&sealed[1], &sealed[2], &sealed[5]].map(Clone::clone));
    assert_eq!(laptop.outbox().counters().unwrap().accepted, 3, "the evening report counts them as unsent");
    taken_over(&mut laptop, &again, DAY, DAY.into());
    assert_eq!(told(&mut laptop, 6, &[], Some((6, &sealed[5]))), applied(5, 0, 0));
    // A state from before what was called safe: the bytes are nowhere any more, and the kit says how many.
    assert_eq!(told(&mut laptop, 4, &[(2, 2)], Some((1, &sealed[0]))), applied(0, 0, 3));
    // All of it, from a state before the first.
    let dir = tempfile::tempdir().unwrap();
    let (mut laptop, _) = received(dir.path(), 2);
    assert_eq!(told(&mut laptop, 0, &[], None).asked_again, 2);
}

#[test]
fn nothing_is_forgotten_over_the_packets_of_another_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (mut laptop, sealed) = received(dir.path(), 3);
    let nothing = AppliedStanding::default();
    assert_eq!(told(&mut laptop, 3, &[], Some((3, b"another packet with the third's number"))), nothing);
    assert_eq!(told(&mut laptop, 9, &[], Some((9, b"a packet that this disk never had"))), nothing);
    let centre = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    let foreign = Standing {
        kit_id: KitId::derive(DAY, &[b"another kit"]),
        highest: 3,
        missing: Vec::new(),
        durable: Some(Watermark { kit_seq: 3, sha256: Sha256::digest(&sealed[2]).into() }),
        durability: Durability::Commit,
    };
    let receipt = signed(Receipt { at: DAY, items: Vec::new(), standings: vec![foreign] });
    assert_eq!(laptop.outbox_mut().apply_receipt(&receipt, &centre, DAY).unwrap().standing, nothing);
    assert_eq!(on_the_disk(dir.path()), [1, 2, 3]);
}

#[test]
fn the_centres_time_goes_on_by_a_clock_that_nobody_sets() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    let at = |wall: OffsetDateTime, boot: u8, minutes: i64| {
        let steady = Steady { boot: [boot; 16], since: Duration::minutes(minutes) };
        KitTime { wall, steady: Some(steady) }
    };
    let years = Duration::days(4_000);
    capture(&mut laptop, 1, at(DAY - years, 1, 5)).unwrap();
    assert_eq!(waiting(&laptop)[0].0.centre_at, None, "nothing was said yet");
    let sealed = [waiting(&laptop)[0].1.clone()];
    taken_over(&mut laptop, &sealed, DAY, at(DAY + years, 1, 10));
    let known = |laptop: &Laptop, now: KitTime| laptop.outbox().centre_at(now.steady).unwrap().unwrap();
    assert_eq!(
        known(&laptop, at(DAY - years, 1, 40)),
        DAY + Duration::minutes(30),
        "whatever the clock shows"
    );
    assert_eq!(known(&laptop, at(DAY, 2, 500)), DAY, "started anew: nobody knows how long it was off");
    assert_eq!(known(&laptop, DAY.into()), DAY);
    // An old receipt that comes again does not set it back.
    taken_over(&mut laptop, &sealed, DAY - Duration::HOUR, at(DAY, 1, 20));
    assert_eq!(known(&laptop, at(DAY, 1, 20)), DAY + Duration::minutes(10));
    capture(&mut laptop, 2, at(DAY + years, 1, 70)).unwrap();
    let [(second, _)] = waiting(&laptop).try_into().unwrap();
    assert_eq!((second.captured_at, second.centre_at), (DAY + years, Some(DAY + Duration::HOUR)));
}

#[test]
fn an_ended_credential_signs_no_more_and_a_wrong_clock_neither_helps_nor_hurts() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    let end = officer().not_after;
    capture(&mut laptop, 1, (end + Duration::days(400)).into()).unwrap();
    let sealed = [waiting(&laptop)[0].1.clone()];
    taken_over(&mut laptop, &sealed, end + Duration::DAY, DAY.into());
    let ended = capture(&mut laptop, 2, DAY.into()).unwrap_err();
    assert!(ended.to_string().contains("has ended on 2021-04-20"), "{ended}");
    assert_eq!(laptop.outbox().counters().unwrap().captured_total, 1, "no number is used up");
}

#[test]
fn an_outbox_of_before_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    drop(laptop(dir.path()));
    let db = rusqlite::Connection::open(dir.path().join("outbox.sqlite")).unwrap();
    db.execute("UPDATE kit SET format = 1", []).unwrap();
    let receipt = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    let keys = CentrePublicKeys { intake: centre_public(), receipt };
    let old = Laptop::open(dir.path(), kit_id(), keys, &mut rng(100)).unwrap_err().to_string();
    assert!(old.contains("has format 1") && old.contains("new kit"), "{old}");
}

#[test]
fn recaptures_and_hand_overs_stand_in_the_same_chain() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    let first = capture(&mut laptop, 1, DAY.into()).unwrap();
    let (mut anew, other) = (input(2), envelope(kit_id(), 3, 1));
    let recapture = |photo| RecaptureInput {
        packet_id: anew.packet_id,
        application_id: anew.application_id,
        base: first.application_id,
        kind: Kind::Reissue,
        unit: anew.unit,
        changes: Changes::default(),
        differs: Vec::new(),
        fingers: Vec::new(),
        photo,
        finger_images: Vec::new(),
        meta: anew.meta.clone(),
    };
    let nothing = laptop.recapture(recapture(None), officer(), DAY, &mut rng(2)).unwrap_err();
    assert!(matches!(nothing, KitError::Message(_)), "{nothing}");
    let saved = laptop.recapture(recapture(Some(anew.photo.clone())), officer(), DAY, &mut rng(2)).unwrap();
    assert!(saved.receipt_code.is_some());
    anew.meta.software = "kit".to_owned();
    let input = HandOverInput {
        packet_id: other.packet_id,
        application_id: first.application_id,
        unit: other.unit,
        record: HandOver {
            card_sha256: [6; 32],
            receipt_hash: None,
            attempt: 1,
            came: Came::Nobody,
            capture: anew.meta,
        },
    };
    let saved = laptop.hand_over(input.clone(), officer(), DAY, &mut rng(3)).unwrap();
    assert_eq!((saved.kit_seq, saved.receipt_code), (3, None));
    assert!(laptop.hand_over(input, officer(), DAY, &mut rng(4)).unwrap().repeated);
    let carried: Vec<_> = waiting(&laptop).into_iter().map(|(envelope, _)| envelope.carries).collect();
    let base = first.application_id;
    assert_eq!(
        carried,
        [
            Carries::Application { kind: Kind::New },
            Carries::Recapture { kind: Kind::Reissue, base },
            Carries::HandOver
        ]
    );
    let reported = laptop.outbox().captures_on(domain::clock::day_in_vietnam(DAY)).unwrap();
    assert_eq!(reported.len(), 2, "a hand-over is no capture");
    assert_eq!(laptop.outbox().counters().unwrap().captured_total, 3);
}
