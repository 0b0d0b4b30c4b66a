//! `docs/packet.md` is what the code does: its vectors are made again here, and a reader that was written
//! from it alone, in another language, reads what the code seals.
//!
//! `DANCU_WRITE_VECTORS=1` writes the vectors anew, after a change of the format that is meant.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use p256::elliptic_curve::Generate;
use rand::{Rng, RngExt};
use time::macros::{date, datetime};

use domain::application::Kind;
use domain::id::{ApplicationId, PersonId};
use fingerprint::FingerPosition;
use packet::keys::{IntakeKey, PublicKey};
use packet::message::{DayReport, Outcome, Receipt, ReceiptItem, Refusal, ReportedCapture};
use packet::standing::{Durability, KitStatus, Standing, Watermark};
use packet::{
    Biometric, Came, Carries, Changes, Content, Envelope, Finger, FingerCapture, FingerImage, HandOver,
    MissingReason, Payload, Recapture, wire,
};
use pki::Signer;
use support::*;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/packet.md");
const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/decode.py");
/// Hexadecimal digits in one line of the document.
const LINE: usize = 100;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The private number that a key of the tests is drawn as.
fn secret(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng(seed).fill_bytes(&mut bytes);
    bytes
}

/// The private number of the tests' intake key, which is drawn in its own way.
fn intake_secret() -> [u8; 32] {
    p256::SecretKey::generate_from_rng(&mut rng(1)).to_bytes().into()
}

/// A content whose parts are short enough to be printed.
fn small() -> Content {
    let captured = |position, bytes: &[u8]| Finger {
        position,
        capture: FingerCapture::Template(Biometric::new(bytes.to_vec())),
    };
    Content {
        claimed_person_id: Some(PersonId::derive(DAY, &[b"person"])),
        fingers: vec![
            captured(FingerPosition::RightThumb, b"FMR thumb"),
            Finger {
                position: FingerPosition::RightIndex,
                capture: FingerCapture::Missing(MissingReason::Injured),
            },
        ],
        photo: Biometric::new(b"\xff\xd8 a face \xff\xd9".to_vec()),
        finger_images: vec![FingerImage {
            position: FingerPosition::RightThumb,
            jpeg: Biometric::new(b"\xff\xd8 a finger \xff\xd9".to_vec()),
        }],
        ..content(1)
    }
}

fn small_recapture() -> Recapture {
    let base = small();
    let mut record = base.record.clone();
    record.household = Some("H-7".to_owned());
    Recapture {
        changes: Changes::between(&base.record, &record).unwrap(),
        differs: vec!["household".to_owned()],
        receipt_hash: [8; 32],
        fingers: Vec::new(),
        photo: Some(Biometric::new(b"\xff\xd8 another \xff\xd9".to_vec())),
        capture: base.capture,
        finger_images: Vec::new(),
    }
}

fn small_hand_over() -> HandOver {
    HandOver {
        card_sha256: [6; 32],
        receipt_hash: None,
        attempt: 1,
        came: Came::Holder(small().fingers[..1].to_vec()),
        capture: small().capture,
    }
}

/// The three packets of one kit, each after the one before.
fn packets(kit: &TestKit) -> [(&'static str, Envelope, Payload, Vec<u8>); 3] {
    let base = application_id(1);
    let carries = [
        ("application", Carries::Application { kind: Kind::New }, Payload::from(small())),
        (
            "recapture",
            Carries::Recapture { kind: Kind::Reissue, base },
            Payload::Recapture(Box::new(small_recapture())),
        ),
        ("hand_over", Carries::HandOver, Payload::HandOver(small_hand_over())),
    ];
    let mut number = 0;
    carries.map(|(name, carries, payload)| {
        number += 1;
        let mut one = Envelope { carries, ..envelope(kit.id, number, number) };
        if number > 1 {
            one.centre_at = Some(datetime!(2021-04-06 00:30 UTC));
        }
        let one = kit.placed(&one);
        let sealed = kit.seal_any(&one, &payload, number);
        (name, one, payload, sealed)
    })
}

fn receipt(kit: &TestKit, packets: &[Vec<u8>]) -> Receipt {
    let item = |(number, packet): (u64, &Vec<u8>)| ReceiptItem {
        packet_id: Some(envelope(kit.id, number, number).packet_id),
        sha256: sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(packet)).into(),
        outcome: Outcome::Accepted,
    };
    let mut items: Vec<_> = (1..).zip(packets).map(item).collect();
    items.push(ReceiptItem {
        packet_id: None,
        sha256: [2; 32],
        outcome: Outcome::Refused(Refusal::Malformed),
    });
    let last = items[packets.len().saturating_sub(1)].sha256;
    let standing = Standing {
        kit_id: kit.id,
        highest: 7,
        missing: vec![(4, 4), (6, 6)],
        durable: Some(Watermark { kit_seq: 3, sha256: last }),
        durability: Durability::Archive,
    };
    Receipt { at: DAY, items, standings: vec![standing] }
}

fn status(kit: &TestKit) -> KitStatus {
    let asked_at = datetime!(2021-04-06 15:45 UTC);
    KitStatus { kit_id: kit.id, asked_at, total: 7, unsent: 2, durable: 3, forgotten: 2 }
}

fn report(kit: &TestKit) -> DayReport {
    let envelope = envelope(kit.id, 1, 1);
    DayReport {
        kit_id: kit.id,
        day: date!(2021 - 04 - 06),
        reported_at: datetime!(2021-04-06 15:30 UTC),
        unsent: 1,
        captured_total: 3,
        captures: vec![ReportedCapture {
            application_id: envelope.application_id,
            kit_seq: 1,
            captured_at: envelope.captured_at,
            unit: envelope.unit,
            kind: Kind::New,
        }],
    }
}

/// Everything that the document prints, by name.
fn vectors() -> Vec<(String, Vec<u8>)> {
    let kit = TestKit::new(1);
    let point = |key: &PublicKey| key.to_point().to_vec();
    let centre = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    let mut all = vec![
        ("kit private".to_owned(), secret(1_001).to_vec()),
        ("kit public".to_owned(), point(&kit.public())),
        ("officer private".to_owned(), secret(2_001).to_vec()),
        ("officer public".to_owned(), point(&kit.officer_public())),
        ("intake private".to_owned(), intake_secret().to_vec()),
        ("intake public".to_owned(), point(intake_key().public_key())),
        ("receipts private".to_owned(), secret(2).to_vec()),
        ("receipts public".to_owned(), point(&centre)),
    ];
    let packets = packets(&kit);
    for (name, _, payload, sealed) in &packets {
        all.push((format!("{name} content"), payload.encode().unwrap().to_vec()));
        all.push((format!("{name} packet"), sealed.clone()));
    }
    let sealed = packets.map(|(.., sealed)| sealed);
    all.push(("batch".to_owned(), wire::encode_batch([b"first".as_slice(), b"second"])));
    all.push(("receipt".to_owned(), receipt(&kit, &sealed).sign(&receipt_signer()).unwrap()));
    all.push(("day report".to_owned(), report(&kit).sign(&kit.signer).unwrap()));
    all.push(("status".to_owned(), status(&kit).sign(&kit.signer).unwrap()));
    all
}

fn block(name: &str, bytes: &[u8]) -> String {
    let digits = hex(bytes);
    let lines: Vec<&str> =
        (0..digits.len()).step_by(LINE).map(|at| &digits[at..digits.len().min(at + LINE)]).collect();
    format!("<!-- vector: {name} -->\n```hex\n{}\n```\n", lines.join("\n"))
}

#[test]
fn the_vectors_of_the_document_are_what_the_code_makes() {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let mut anew = text.clone();
    for (name, bytes) in vectors() {
        let begin = format!("<!-- vector: {name} -->\n");
        let at = text.find(&begin).unwrap_or_else(|| panic!("docs/packet.md has no vector `{name}`"));
        let rest = &text[at + begin.len()..];
        let end = rest.match_indices("```\n").next().map(|(end, _)| end + 4).unwrap_or_default();
        let found = &text[at..at + begin.len() + end];
        anew = anew.replacen(found, &block(&name, &bytes), 1);
    }
    if std::env::var_os("DANCU_WRITE_VECTORS").is_some() {
        std::fs::write(DOCUMENT, &anew).unwrap();
    } else {
        let line = text.lines().zip(anew.lines()).position(|(old, new)| old != new);
        assert!(
            text == anew,
            "docs/packet.md differs from the code from line {:?} on",
            line.map(|at| at + 1)
        );
    }
    let vectors = text.matches("<!-- vector: ").count();
    assert_eq!(vectors, self::vectors().len(), "the document has vectors that nobody makes");
}

/// What the other reader says to a message, and whether it took it.
fn read(what: &str, kit: &TestKit, bytes: &[u8]) -> (bool, String) {
    let centre = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    let given = [
        ("kit", kit.public().to_point().to_vec()),
        ("officer", kit.officer_public().to_point().to_vec()),
        ("centre", centre.to_point().to_vec()),
        ("intake", intake_secret().to_vec()),
        ("bytes", bytes.to_vec()),
    ];
    let mut child = Command::new("python3")
        .arg(Path::new(READER))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3, which ./test installs");
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "what {what}").unwrap();
    for (name, bytes) in given {
        writeln!(input, "{name} {}", hex(&bytes)).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn expect(told: &str, lines: &[(&str, String)]) {
    for (path, value) in lines {
        let line = format!("{path} {value}");
        assert!(told.lines().any(|found| found == line), "no line `{line}` in\n{told}");
    }
}

fn ms(at: time::OffsetDateTime) -> String {
    (at.unix_timestamp_nanos() / 1_000_000).to_string()
}

#[test]
fn a_reader_written_from_the_document_reads_what_a_kit_with_fresh_keys_seals() {
    // Another kit, officer and citizen in every run: only the intake key is the tests' own.
    let seed = rand::rng().random_range(10..1_000_000);
    println!("seed {seed}");
    let kit = TestKit::new(seed);
    let id = |id: uuid::Uuid| format!("h'{}'", hex(id.as_bytes()));
    let mut citizen = content(seed);
    citizen.record.current = Some(domain::record::Place {
        unit: "18562".parse().unwrap(),
        detail: "Tổ 5, đường Lê Lợi".to_owned(),
    });
    let first = kit.packet(seed, 1);
    let mut one = envelope(kit.id, seed + 1, 2);
    one.centre_at = Some(DAY);
    let one = kit.placed(&one);
    let sealed = kit.seal(&one, &citizen, seed + 1);
    for (packet, prev) in
        [(&first, "null".to_owned()), (&sealed, format!("h'{}'", hex(&one.prev_sha256.unwrap())))]
    {
        let (took, told) = read("packet", &kit, packet);
        assert!(took, "{told}");
        expect(&told, &[("envelope.prev_sha256", prev), ("envelope.version", "3".to_owned())]);
    }
    let (_, told) = read("packet", &kit, &sealed);
    expect(
        &told,
        &[
            ("envelope.packet_id", id(one.packet_id.uuid())),
            ("envelope.application_id", id(one.application_id.uuid())),
            ("envelope.kit_id", id(kit.id.uuid())),
            ("envelope.kit_seq", "2".to_owned()),
            ("envelope.credential_id", id(kit.credential().uuid())),
            ("envelope.captured_at", ms(one.captured_at)),
            ("envelope.centre_at", ms(DAY)),
            ("envelope.unit", "18562".to_owned()),
            ("envelope.kind", "new".to_owned()),
            ("envelope.base_application_id", "null".to_owned()),
            ("content.record.name", citizen.record.name.as_str().to_owned()),
            ("content.record.current.detail", "Tổ 5, đường Lê Lợi".to_owned()),
            ("content.receipt_hash", format!("h'{}'", hex(&citizen.receipt_hash))),
            ("content.fingers", "[10]".to_owned()),
            ("content.photo", format!("h'{}'", hex(citizen.photo.as_bytes()))),
            ("content.capture.0", "can-bo-1".to_owned()),
            ("content.finger_images", "[2]".to_owned()),
        ],
    );
    for (at, finger) in citizen.fingers.iter().enumerate() {
        let FingerCapture::Template(template) = &finger.capture else { panic!("all ten are captured") };
        let path = format!("content.fingers.{at}");
        expect(
            &told,
            &[
                (&format!("{path}.0"), finger.position.code().to_string()),
                (&format!("{path}.1"), format!("h'{}'", hex(template.as_bytes()))),
            ],
        );
    }
}

#[test]
fn a_reader_written_from_the_document_reads_the_other_messages() {
    let kit = TestKit::new(1);
    let hash = |bytes: &[u8]| format!("h'{}'", hex(bytes));
    let packets = packets(&kit);
    let (took, told) = read("packet", &kit, &packets[1].3);
    assert!(took, "{told}");
    let base: ApplicationId = application_id(1);
    expect(
        &told,
        &[
            ("envelope.content", "recapture".to_owned()),
            ("envelope.base_application_id", hash(base.uuid().as_bytes())),
            ("content.changes.household", "H-7".to_owned()),
            ("content.fingers", "[0]".to_owned()),
            ("content.photo", hash(b"\xff\xd8 another \xff\xd9")),
        ],
    );
    let (took, told) = read("packet", &kit, &packets[2].3);
    assert!(took, "{told}");
    expect(
        &told,
        &[
            ("envelope.kind", "null".to_owned()),
            ("content.card_sha256", hash(&[6; 32])),
            ("content.came", "holder".to_owned()),
            ("content.fingers.0.1", hash(b"FMR thumb")),
        ],
    );
    let sealed = packets.map(|(.., sealed)| sealed);
    let signed = receipt(&kit, &sealed).sign(&receipt_signer()).unwrap();
    let (took, told) = read("receipt", &kit, &signed);
    assert!(took, "{told}");
    expect(&told, &[("at", ms(DAY)), ("items", "[4]".to_owned()), ("items.3.2", "malformed".to_owned())]);
    expect(&told, &[("standings.0.1", "7".to_owned()), ("standings.0.2.1.0", "6".to_owned())]);
    expect(&told, &[("standings.0.3.0", "3".to_owned()), ("standings.0.4", "archive".to_owned())]);
    let (took, told) = read("day_report", &kit, &report(&kit).sign(&kit.signer).unwrap());
    assert!(took, "{told}");
    expect(&told, &[("unsent", "1".to_owned()), ("captures.0.4", "new".to_owned())]);
    let (took, told) = read("status", &kit, &status(&kit).sign(&kit.signer).unwrap());
    assert!(took, "{told}");
    expect(&told, &[("total", "7".to_owned()), ("unsent", "2".to_owned()), ("forgotten", "2".to_owned())]);
    let (took, told) = read("batch", &kit, &wire::encode_batch([b"first".as_slice(), b"second"]));
    assert!(took, "{told}");
    expect(&told, &[("packets", "[2]".to_owned()), ("packets.1", hash(b"second"))]);
}

#[test]
fn a_reader_written_from_the_document_refuses_what_was_damaged() {
    let (kit, other) = (TestKit::new(1), TestKit::new(2));
    let [(.., whole), ..] = packets(&kit);
    let (took, told) = read("packet", &kit, &whole);
    assert!(took, "undamaged it is taken: {told}");
    let mut rng = rng(5);
    for _ in 0..24 {
        let mut damaged = whole.clone();
        let at = rng.random_range(0..damaged.len());
        damaged[at] ^= 1 << rng.random_range(0..8);
        let (took, told) = read("packet", &kit, &damaged);
        assert!(!took && told.starts_with("refused"), "byte {at}: {told}");
    }
    assert!(!read("packet", &kit, &whole[..whole.len() - 1]).0);
    assert!(!read("packet", &other, &whole).0, "another kit's keys");
    let mut exchanged = TestKit::new(1);
    exchanged.officer = other.officer;
    assert!(!read("packet", &exchanged, &whole).0, "another officer's key");
    let signed = receipt(&kit, &[]).sign(&kit.signer).unwrap();
    assert!(!read("receipt", &kit, &signed).0, "a receipt that the centre did not sign");
    assert!(!read("day_report", &kit, &signed).0, "a receipt is no day report");
    assert!(!read("status", &kit, &signed).0, "nor a status");
}
