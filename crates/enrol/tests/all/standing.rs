//! What a kit is told about its packets besides the receipt: which the centre has, and up to which they are
//! safe. The real loss of a database is in `dancu` `province::restored`.

use std::time::Duration as Wait;

use sha2::{Digest, Sha256};

use crate::intake::{centre_with, count, send, sound};
use crate::kits::account;
use crate::support::*;
use domain::unit::Units;
use enrol::intake::receive_status;
use enrol::{EnrolError, kits};
use packet::keys::PublicKey;
use packet::message::{Outcome, Receipt};
use packet::standing::{Durability, KitStatus, Standing, Watermark};
use pki::Signer;
use store::applications::kits::{heard, sequence_gaps};
use testkit::FreshDatabase;

fn status(kit: &TestKit, total: u64, unsent: u64, durable: u64) -> KitStatus {
    KitStatus { kit_id: kit.id, asked_at: DAY, total, unsent, durable, forgotten: 0 }
}

/// What the centre answers to a kit's question.
async fn told(db: &FreshDatabase, kit: &TestKit, status: &KitStatus) -> Standing {
    let message = status.sign(&kit.signer).unwrap();
    let answer = receive_status(db, &message, DAY, &receipt_signer()).await.unwrap();
    let centre = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    let receipt = Receipt::verify(&answer, &centre).unwrap();
    assert_eq!(receipt.items.len(), 1);
    assert_eq!(receipt.items[0].outcome, Outcome::Accepted);
    let [standing] = receipt.standings.try_into().unwrap();
    standing
}

/// The tests' server does not wait for its disk at a commit: it follows within a second.
async fn until_safe(db: &FreshDatabase, kit: &TestKit, kit_seq: u64) -> Standing {
    for _ in 0..300 {
        let standing = told(db, kit, &status(kit, 9, 0, 0)).await;
        if standing.durable.is_some_and(|durable| durable.kit_seq >= kit_seq) {
            return standing;
        }
        tokio::time::sleep(Wait::from_millis(50)).await;
    }
    panic!("packet {kit_seq} does not become safe");
}

fn at(kit_seq: u64, sealed: &[u8]) -> Option<Watermark> {
    Some(Watermark { kit_seq, sha256: Sha256::digest(sealed).into() })
}

#[tokio::test]
async fn a_kit_is_told_what_is_missing_and_what_is_safe() {
    let (kit, other) = (TestKit::new(1), TestKit::new(2));
    let db = centre_with(&[&kit, &other]).await;
    let nothing = told(&db, &kit, &status(&kit, 0, 0, 0)).await;
    assert_eq!((nothing.highest, nothing.missing, nothing.durable), (0, vec![], None));
    let packets: Vec<_> = (1..=6).map(|number| kit.packet(number, number)).collect();
    let come = |numbers: &[usize]| numbers.iter().map(|number| packets[number - 1].clone()).collect();
    assert_eq!(send(&db, come(&[1, 2, 4, 6])).await, [Outcome::Accepted; 4]);
    let gaps = told(&db, &kit, &status(&kit, 6, 2, 0)).await;
    assert_eq!((gaps.highest, gaps.missing, gaps.durability), (6, vec![(3, 3), (5, 5)], Durability::Commit));
    let safe = until_safe(&db, &kit, 6).await;
    assert_eq!(safe.durable, at(6, &packets[5]), "of those that are here");
    // What fills a gap below is not safe because others are.
    assert_eq!(send(&db, come(&[3])).await, [Outcome::Accepted]);
    let row = "SELECT durable_seq FROM kit ORDER BY durable_seq DESC LIMIT 1";
    assert_eq!(count(&db, row).await, 2, "until its own commit is");
    let safe = until_safe(&db, &kit, 6).await;
    assert_eq!((safe.missing, safe.durable), (vec![(5, 5)], at(6, &packets[5])));
    assert_eq!(told(&db, &other, &status(&other, 0, 0, 0)).await.highest, 0, "each kit has its own");
    sound(&db).await;
}

#[tokio::test]
async fn a_batch_is_answered_with_the_standing_of_its_own_kits() {
    let (kit, other, forged) = (TestKit::new(1), TestKit::new(2), TestKit::new(3));
    let db = centre_with(&[&kit, &other]).await;
    let packets = vec![kit.packet(1, 2), other.packet(2, 1), forged.packet(3, 9)];
    let received = enrol::intake::receive(&db, packets, DAY, &receipt_signer()).await.unwrap();
    let mut standings = received.receipt.standings;
    standings.sort_by_key(|standing| standing.highest);
    let told: Vec<_> = standings.iter().map(|one| (one.kit_id, one.highest, one.missing.clone())).collect();
    assert_eq!(told, [(other.id, 1, vec![]), (kit.id, 2, vec![(1, 1)])], "a claim is told nothing");
}

#[tokio::test]
async fn a_status_is_taken_from_its_own_kit_only() {
    let (kit, unknown) = (TestKit::new(1), TestKit::new(2));
    let db = centre_with(&[&kit]).await;
    let forged = status(&kit, 1, 1, 0).sign(&unknown.signer).unwrap();
    let foreign = status(&unknown, 1, 1, 0).sign(&unknown.signer).unwrap();
    for (message, expected) in
        [(forged, "bad_signature"), (foreign, "unknown_kit"), (b"noise".to_vec(), "malformed")]
    {
        let error = receive_status(&db, &message, DAY, &receipt_signer()).await.unwrap_err();
        assert!(matches!(&error, EnrolError::ReportRefused { code, .. } if *code == expected), "{error}");
        assert!(error.is_senders_fault(), "{error}");
    }
    assert_eq!(count(&db, "SELECT count(*) FROM intake_refusal").await, 3);
    assert_eq!(count(&db, "SELECT count(*) FROM kit WHERE told_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_centre_that_lost_what_it_called_safe_says_how_many_are_gone() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1), kit.packet(2, 2), kit.packet(4, 4)]).await;
    let told_now =
        |total, unsent, durable, forgotten| KitStatus { forgotten, ..status(&kit, total, unsent, durable) };
    // The third was refused once, and is still on the kit.
    told(&db, &kit, &told_now(9, 1, 7, 6)).await;
    let lost = async |db: &FreshDatabase| {
        let mut conn = db.read().await.unwrap();
        let gaps = sequence_gaps(&mut conn, kit.id).await.unwrap();
        assert_eq!(gaps, [(3, 3), (5, 9)], "what the kit counted is known to be missing");
        let heard = heard(&mut conn, &[kit.id]).await.unwrap().remove(&kit.id).unwrap();
        assert_eq!(heard.missing, 6);
        heard.lost
    };
    assert_eq!(lost(&db).await, 3, "the fifth to the seventh");
    // An old question that comes again, from before, changes nothing.
    told(&db, &kit, &told_now(5, 0, 2, 2)).await;
    assert_eq!(lost(&db).await, 3);
    told(&db, &kit, &told_now(9, 0, 2, 2)).await;
    assert_eq!(lost(&db).await, 3, "what a kit has forgotten it does not find again");
}

#[tokio::test]
async fn nothing_of_a_kit_of_which_there_are_two_is_called_safe_any_more() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1)]).await;
    until_safe(&db, &kit, 1).await;
    // The copied disk captured another person under the next number, and comes first.
    send(&db, vec![kit.packet(2, 2), kit.packet(3, 2)]).await;
    let standing = told(&db, &kit, &status(&kit, 2, 0, 1)).await;
    assert_eq!((standing.highest, standing.durable), (2, at(1, &kit.packet(1, 1))));
    let (one, other) = (account("one"), account("other"));
    kits::resume(&db, Units::latest(), &kit.id.to_string(), "đã xem", &one, DAY).await.unwrap();
    kits::confirm(&db, Units::latest(), &kit.id.to_string(), None, &other, DAY).await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM kit WHERE stopped_at IS NULL AND contradicted").await, 1);
    for _ in 0..3 {
        tokio::time::sleep(Wait::from_millis(300)).await;
        let standing = told(&db, &kit, &status(&kit, 2, 0, 1)).await;
        assert_eq!(standing.durable, at(1, &kit.packet(1, 1)), "nobody knows whose the second is");
    }
}

#[tokio::test]
async fn a_revoked_kit_is_told_what_is_missing() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let (one, other) = (account("one"), account("other"));
    kits::revoke(&db, Units::latest(), &kit.id.to_string(), "mất trên đường", &one, DAY).await.unwrap();
    kits::confirm(&db, Units::latest(), &kit.id.to_string(), None, &other, DAY).await.unwrap();
    send(&db, vec![kit.packet(2, 2)]).await;
    let standing = told(&db, &kit, &status(&kit, 2, 1, 0)).await;
    assert_eq!((standing.missing, standing.durable), (vec![(1, 1)], None));
}
