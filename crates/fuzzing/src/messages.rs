//! What kits and the centre send each other.

use coset::{CborSerializable, CoseSign1, CoseSign1Builder, TaggedCborSerializable};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};

use crate::material::{DAY, centre, content_of, envelope, kit, officer, rng};
use domain::application::Kind;
use domain::id::{ApplicationId, KitId, PacketId};
use packet::desk::{Answer, Page, Request};
use packet::message::{DayReport, Outcome, Receipt, ReceiptItem, Refusal, ReportedCapture};
use packet::rules::problems;
use packet::standing::{Durability, KitStatus, Standing, Watermark};
use packet::wire::{decode_batch, encode_batch};
use packet::{Came, Carries, Changes, Envelope, HandOver, PacketError, Payload, Recapture, Signers};

/// Every step that a packet goes through at the centre. Nobody but the kit can make one that verifies.
pub fn packet(data: &[u8]) -> bool {
    let opened = packet::open(data, &centre().intake);
    let verified = packet::verify_envelope(data, &kit().public, &officer().public);
    assert!(verified.is_err() || packet_seeds().iter().any(|ours| ours == data));
    told(opened.as_ref().err().cloned());
    opened.is_ok() && verified.is_ok()
}

pub(crate) fn packet_seeds() -> Vec<Vec<u8>> {
    static SEEDS: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(|| {
        let signers = Signers { kit: &kit().signer, officer: &officer().signer };
        let sealed = |(carries, payload): (Carries, Payload)| {
            let envelope = Envelope { carries, ..envelope() };
            packet::seal(&envelope, &payload, signers, &centre().public, &mut rng(9)).expect("our own packet")
        };
        payloads().map(sealed).to_vec()
    });
    SEEDS.clone()
}

/// One of each that a packet may carry.
fn payloads() -> [(Carries, Payload); 3] {
    let content = content_of(2);
    let mut record = content.record.clone();
    record.marital = Some(2);
    let recapture = Recapture {
        changes: Changes::between(&content.record, &record).expect("our own record"),
        differs: vec!["marital".to_owned()],
        receipt_hash: [6; 32],
        fingers: content.fingers[..1].to_vec(),
        photo: Some(content.photo.clone()),
        capture: content.capture.clone(),
        finger_images: content.finger_images.clone(),
    };
    let hand_over = HandOver {
        card_sha256: [7; 32],
        receipt_hash: Some([5; 32]),
        attempt: 1,
        came: Came::Holder(content.fingers[..1].to_vec()),
        capture: content.capture.clone(),
    };
    let base = ApplicationId::derive(DAY, &[b"the application before"]);
    [
        (Carries::Application { kind: Kind::New }, content.into()),
        (Carries::Recapture { kind: Kind::Reissue, base }, Payload::Recapture(Box::new(recapture))),
        (Carries::HandOver, Payload::HandOver(hand_over)),
    ]
}

/// What a process without keys and the one that holds them say to each other: what is taken is written the
/// same.
pub(crate) fn desk(data: &[u8]) -> bool {
    let (request, answer) = (Request::decode(data), Answer::decode(data));
    told(request.as_ref().err().cloned());
    told(answer.as_ref().err().cloned());
    if let Ok(request) = &request {
        assert_eq!(request.encode(), data);
    }
    if let Ok(answer) = &answer {
        assert_eq!(answer.encode(), data);
    }
    request.is_ok() || answer.is_ok()
}

pub(crate) fn desk_seeds() -> Vec<Vec<u8>> {
    let photo = Request::Photo {
        session: "00".repeat(32),
        application: ApplicationId::derive(time::OffsetDateTime::UNIX_EPOCH, &[b"desk"]),
        page: Page::Case,
    };
    let kit = Answer::Kit { status: 200, body: b"receipt".to_vec(), refused: 2 };
    vec![
        photo.encode(),
        Request::Packets(batch_seeds()[0].clone()).encode(),
        Request::DayReport(b"report".to_vec()).encode(),
        Request::KitStatus(b"status".to_vec()).encode(),
        Answer::Photo(b"jpeg".to_vec()).encode(),
        Answer::Refused.encode(),
        kit.encode(),
    ]
}

/// The content of a packet as it is after decryption, which an enrolled kit is free to fill as it likes: as
/// each of the three that it may be.
pub fn content(data: &[u8]) -> bool {
    let mut taken = false;
    for (carries, _) in payloads() {
        let payload = match Payload::decode(carries, data) {
            Ok(payload) => payload,
            Err(error) => {
                told(Some(error));
                continue;
            }
        };
        taken = true;
        let joined = match &payload {
            Payload::Application(content) => Some((**content).clone()),
            Payload::Recapture(recapture) => recapture.onto(&content_of(2)).ok(),
            Payload::HandOver(_) => None,
        };
        if let Some(content) = joined {
            let (photo, images) = (content.photo.as_bytes(), &content.finger_images);
            let found = problems(&content.record, &content.fingers, images, photo, DAY);
            assert!(
                found.iter().all(|problem| !problem.code().is_empty() && !problem.to_string().is_empty())
            );
        }
        let written = payload.encode().expect("what was taken can be written");
        assert_eq!(Payload::decode(carries, &written), Ok(payload));
    }
    taken
}

pub(crate) fn content_seeds() -> Vec<Vec<u8>> {
    let whole = [0, 2].map(|fingers| content_of(fingers).encode().expect("our own content").to_vec());
    let others = payloads().map(|(_, payload)| payload.encode().expect("our own content").to_vec());
    [whole.to_vec(), others[1..].to_vec()].concat()
}

pub(crate) fn batch(data: &[u8]) -> bool {
    let Ok(packets) = decode_batch(data) else { return false };
    assert_eq!(encode_batch(packets.iter().copied()), data);
    true
}

pub(crate) fn batch_seeds() -> Vec<Vec<u8>> {
    vec![encode_batch([b"first".as_slice(), b"", b"third"]), encode_batch([packet_seeds()[0].as_slice()])]
}

/// The bytes as a whole receipt, and as what a centre signed.
pub fn receipt(data: &[u8]) -> bool {
    let whole = Receipt::verify(data, &centre().receipts.public);
    let inside = Receipt::verify(&signed(data, b"dancu receipt 2", &[]), &centre().receipts.public);
    for outcome in [&whole, &inside] {
        told(outcome.as_ref().err().cloned());
    }
    let Ok(receipt) = whole.or(inside) else { return false };
    let again = receipt.sign(&centre().receipts.signer).expect("a receipt that was read can be signed");
    assert_eq!(Receipt::verify(&again, &centre().receipts.public), Ok(receipt));
    true
}

pub(crate) fn receipt_seeds() -> Vec<Vec<u8>> {
    let id = PacketId::derive(DAY, &[b"packet"]);
    let item = |packet_id, outcome| ReceiptItem { packet_id, sha256: [7; 32], outcome };
    let receipt = Receipt {
        at: DAY,
        items: vec![item(Some(id), Outcome::Accepted), item(None, Outcome::Refused(Refusal::Malformed))],
        standings: vec![Standing {
            kit_id: KitId::from_uuid(kit().id.uuid()),
            highest: 9,
            missing: vec![(3, 3), (5, 7)],
            durable: Some(Watermark { kit_seq: 8, sha256: [7; 32] }),
            durability: Durability::Archive,
        }],
    };
    let whole = receipt.sign(&centre().receipts.signer).expect("our own receipt");
    vec![payload(&whole), whole]
}

/// The bytes as a whole report, and as what a kit signed.
pub fn day_report(data: &[u8]) -> bool {
    let kit = kit();
    told(DayReport::claimed_kit(data).err());
    let whole = DayReport::verify(data, &kit.public);
    let inside =
        DayReport::verify(&signed(data, b"dancu day report 1", kit.id.uuid().as_bytes()), &kit.public);
    for outcome in [&whole, &inside] {
        told(outcome.as_ref().err().cloned());
    }
    let Ok(report) = whole.or(inside) else { return false };
    let again = report.sign(&kit.signer).expect("a report that was read can be signed");
    assert_eq!(DayReport::verify(&again, &kit.public), Ok(report));
    true
}

pub(crate) fn day_report_seeds() -> Vec<Vec<u8>> {
    let capture = ReportedCapture {
        application_id: ApplicationId::derive(DAY, &[b"application"]),
        kit_seq: 1,
        captured_at: DAY,
        unit: "18562".parse().expect("the code of a commune"),
        kind: Kind::New,
    };
    let report = DayReport {
        kit_id: KitId::from_uuid(kit().id.uuid()),
        day: DAY.date(),
        reported_at: DAY,
        unsent: 1,
        captured_total: 1,
        captures: vec![capture],
    };
    let whole = report.sign(&kit().signer).expect("our own report");
    vec![payload(&whole), whole]
}

/// The bytes as a whole status, and as what a kit signed.
pub fn kit_status(data: &[u8]) -> bool {
    let kit = kit();
    told(KitStatus::claimed_kit(data).err());
    let whole = KitStatus::verify(data, &kit.public);
    let inside =
        KitStatus::verify(&signed(data, b"dancu kit status 1", kit.id.uuid().as_bytes()), &kit.public);
    for outcome in [&whole, &inside] {
        told(outcome.as_ref().err().cloned());
    }
    let Ok(status) = whole.or(inside) else { return false };
    let again = status.sign(&kit.signer).expect("a status that was read can be signed");
    assert_eq!(KitStatus::verify(&again, &kit.public), Ok(status));
    true
}

pub(crate) fn kit_status_seeds() -> Vec<Vec<u8>> {
    let kit_id = KitId::from_uuid(kit().id.uuid());
    let status = KitStatus { kit_id, asked_at: DAY, total: 9, unsent: 2, durable: 7, forgotten: 6 };
    let whole = status.sign(&kit().signer).expect("our own status");
    vec![payload(&whole), whole]
}

/// An error has a sentence and a code, whatever led to it.
fn told(error: Option<PacketError>) {
    if let Some(error) = error {
        assert!(!error.to_string().is_empty() && !error.code().is_empty());
    }
}

/// `payload` under a signature that holds, so that a fuzzer gets behind it. Kit and centre have the same key
/// here.
fn signed(payload: &[u8], context: &[u8], key_id: &[u8]) -> Vec<u8> {
    let header = coset::HeaderBuilder::new().algorithm(coset::iana::Algorithm::ES256).key_id(key_id.to_vec());
    let key = SigningKey::from(crate::material::secret());
    let message = CoseSign1Builder::new()
        .protected(header.build())
        .payload(payload.to_vec())
        .create_signature(context, |message| {
            let signature: Signature = key.sign(message);
            signature.to_bytes().to_vec()
        })
        .build();
    message.to_tagged_vec().expect("a message of our own making")
}

fn payload(message: &[u8]) -> Vec<u8> {
    let message = CoseSign1::from_tagged_slice(message).expect("our own message");
    debug_assert!(message.clone().to_vec().is_ok());
    message.payload.expect("our own message has a payload")
}
