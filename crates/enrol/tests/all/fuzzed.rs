//! The opening step with the database behind it, on what a registered kit may put into a packet: contents
//! whose CBOR is damaged, and contents of the right shape with values that nobody would write.
//!
//! `DANCU_FUZZ_SECONDS=600` goes on for ten minutes; without it there are a few rounds.

use std::time::{Duration, Instant};

use coset::cbor::Value;
use coset::cbor::de::from_reader;
use coset::cbor::ser::into_writer;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use crate::intake::{centre_with, count, sound};
use crate::support::*;
use enrol::intake::{open_received, read_contents, receive};
use packet::message::Outcome;
use testkit::FreshDatabase;

/// Packets of one round, the last of which is sound.
const A_ROUND: u64 = 40;
const ROUNDS: u64 = 8;

/// Texts that have broken something somewhere.
const TEXTS: &[&str] = &[
    "",
    "\0",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    "\u{202e}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "'; --",
    "%",
    "\\",
    "{}",
    "null",
    "\u{1ea0}\u{0323}\u{0301}",
    "9999-12-31",
    "31/12/2399",
    "00/00/0000",
    "01/01/1850",
    "9007199254740993",
    "0",
    "00000000000",
    "000000000000",
    "999999999999",
    "99999",
    "000",
    "VNM",
    "vnm",
    "255",
    "-1",
];

/// Integers at the ends of types.
const INTEGERS: &[i128] = &[
    -1,
    0,
    1,
    9,
    10,
    99,
    127,
    128,
    255,
    256,
    32_767,
    32_768,
    65_535,
    65_536,
    2_147_483_647,
    2_147_483_648,
    i64::MAX as i128,
    i64::MIN as i128,
    u64::MAX as i128,
];

/// Changes some values anywhere in a content, and leaves its shape mostly alone.
fn shaped(encoded: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut value: Value = from_reader(encoded).unwrap();
    for _ in 0..rng.random_range(1..4) {
        let mut leaves = Vec::new();
        collect(&mut value, &mut leaves);
        let chosen = rng.random_range(0..leaves.len());
        let leaf = leaves.swap_remove(chosen);
        *leaf = other(leaf, rng);
    }
    let mut bytes = Vec::new();
    into_writer(&value, &mut bytes).unwrap();
    bytes
}

fn collect<'v>(value: &'v mut Value, leaves: &mut Vec<&'v mut Value>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| collect(item, leaves)),
        Value::Map(pairs) => pairs.iter_mut().for_each(|(_, item)| collect(item, leaves)),
        leaf => leaves.push(leaf),
    }
}

fn other(leaf: &Value, rng: &mut ChaCha20Rng) -> Value {
    let text = TEXTS[rng.random_range(0..TEXTS.len())];
    let integer = INTEGERS[rng.random_range(0..INTEGERS.len())];
    let integer = || Value::Integer(integer.try_into().unwrap());
    match (leaf, rng.random_range(0..8)) {
        (Value::Text(before), 0) => Value::Text(format!("{before}{text}")),
        (Value::Text(before), 1) => Value::Text(before.repeat(rng.random_range(0..400))),
        (Value::Text(_), 2..) => Value::Text(text.to_owned()),
        (Value::Integer(_), 0..7) => integer(),
        (Value::Bytes(before), 0..7) => {
            let mut bytes = before.clone();
            if !bytes.is_empty() {
                let at = rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << rng.random_range(0..8);
                bytes.truncate(rng.random_range(at..bytes.len()) + 1);
            }
            Value::Bytes(bytes)
        }
        (Value::Null, 0..3) => Value::Text(text.to_owned()),
        (Value::Null, 3..6) => integer(),
        (_, 7) => Value::Null,
        (_, 6) => Value::Array(vec![Value::Bool(true)]),
        _ => Value::Text(text.to_owned()),
    }
}

/// Damages bytes wherever they are.
fn damaged(encoded: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = encoded.to_vec();
    for _ in 0..rng.random_range(1..5) {
        let at = rng.random_range(0..bytes.len().min(600));
        bytes[at] = rng.random();
    }
    bytes
}

async fn round(db: &FreshDatabase, kit: &TestKit, number: u64) {
    let mut rng = rng(number);
    let mut packets = Vec::new();
    let first = number * A_ROUND + 1;
    for one in first..first + A_ROUND {
        let mut envelope = envelope(kit.id, one, one);
        let encoded = content(one).encode().unwrap();
        let bytes = match one {
            sound if sound == first + A_ROUND - 1 => encoded.to_vec(),
            even if even % 2 == 0 => damaged(&encoded, &mut rng),
            _ => shaped(&encoded, &mut rng),
        };
        // Any clock that the door lets in.
        envelope.captured_at += time::Duration::days(rng.random_range(-40_000..60_000));
        let placed = kit.placed(&envelope);
        let mut seal =
            |bytes: &[u8]| packet::seal_encoded(&placed, bytes, kit.signers(), &centre_public(), &mut rng);
        // What is too large for a packet does not leave a kit.
        let packet = seal(&bytes).or_else(|_| seal(&encoded)).unwrap();
        kit.note(&placed, &packet);
        packets.push(packet);
    }
    let now = DAY + time::Duration::hours(9);
    let received = receive(db, packets, now, &receipt_signer()).await.unwrap();
    assert!(received.receipt.items.iter().all(|item| item.outcome == Outcome::Accepted), "round {number}");
    let summary = open_received(db, centre_keys(), now, 1_000).await.unwrap();
    assert_eq!(summary.opened + summary.rejected, A_ROUND as usize, "round {number}: {summary:?}");
    assert_eq!((summary.failed, summary.quarantined), (0, 0), "round {number}: a fault of ours");
    let all: Vec<_> = (first..first + A_ROUND).map(application_id).collect();
    let contents = read_contents(db, centre_keys(), &all, now).await.unwrap();
    assert_eq!((contents.opened.len(), contents.altered.len()), (summary.opened, 0), "round {number}");
    let mut conn = db.begin().await.unwrap();
    let declared = store::applications::content::declared(&mut conn, 1_000_000).await.unwrap();
    assert!(declared.iter().any(|one| one.application_id == application_id(first + A_ROUND - 1)));
}

#[tokio::test]
async fn whatever_a_kit_seals_is_opened_or_rejected_and_stops_nothing() {
    let kit = TestKit::new(1);
    let seconds = std::env::var("DANCU_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut db = centre_with(&[&kit]).await;
    let mut rounds = 0;
    for number in 0.. {
        let is_over = end.map_or(number == ROUNDS, |end| Instant::now() >= end);
        if is_over {
            break;
        }
        // A database of its own from time to time, so that the last rounds do not read what all left.
        if number % 50 == 49 {
            db = centre_with(&[&kit]).await;
        }
        round(&db, &kit, number).await;
        rounds += 1;
    }
    println!("{} packets in {rounds} rounds", rounds * A_ROUND);
    assert!(count(&db, "SELECT count(*) FROM packet").await > 0);
    sound(&db).await;
}

/// U+0000 at the end of every text of a content, and in the place of everything that is not there.
#[tokio::test]
async fn a_text_that_no_database_takes_is_rejected_wherever_it_stands() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let mut packets = Vec::new();
    for number in 1.. {
        let mut value: Value = from_reader(&content(number).encode().unwrap()[..]).unwrap();
        let mut leaves = Vec::new();
        collect(&mut value, &mut leaves);
        let texts = leaves.into_iter().filter(|leaf| matches!(leaf, Value::Text(_) | Value::Null));
        let Some(leaf) = texts.into_iter().nth(packets.len()) else { break };
        *leaf = Value::Text(format!("{}\0", leaf.as_text().unwrap_or_default()));
        let mut bytes = Vec::new();
        into_writer(&value, &mut bytes).unwrap();
        let placed = kit.placed(&envelope(kit.id, number, number));
        let packet =
            packet::seal_encoded(&placed, &bytes, kit.signers(), &centre_public(), &mut rng(number)).unwrap();
        kit.note(&placed, &packet);
        packets.push(packet);
    }
    let all = packets.len();
    assert!(all >= 10, "{all} texts in a content");
    let now = DAY + time::Duration::hours(9);
    receive(&db, packets, now, &receipt_signer()).await.unwrap();
    let summary = open_received(&db, centre_keys(), now, 1_000).await.unwrap();
    let found = (summary.opened, summary.rejected, summary.failed, summary.quarantined);
    assert_eq!(found, (0, all, 0, 0), "opened, rejected, failed, set aside");
    sound(&db).await;
}
