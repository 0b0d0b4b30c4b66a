//! What kit and centre say to each other besides packets.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod support;

use proptest::prelude::*;
use time::macros::date;

use domain::application::Kind;
use packet::PacketError;
use packet::keys::PublicKey;
use packet::message::{DayReport, Outcome, Receipt, ReceiptItem, Refusal, ReportedCapture};
use packet::standing::{Durability, KitStatus, Standing, Watermark};
use pki::Signer;
use support::*;

#[test]
fn receipts_and_day_reports_round_trip_and_cannot_pass_for_each_other() {
    let signer = receipt_signer();
    let public = PublicKey::from_spki(signer.public_key()).unwrap();
    let id = envelope(TestKit::new(1).id, 5, 9).packet_id;
    let receipt = Receipt {
        at: DAY,
        items: vec![
            ReceiptItem { packet_id: Some(id), sha256: [1; 32], outcome: Outcome::Accepted },
            ReceiptItem { packet_id: None, sha256: [2; 32], outcome: Outcome::Refused(Refusal::Malformed) },
        ],
        standings: vec![standing(9, &[(2, 2), (5, 8)], Some(4)), standing(0, &[], None)],
    };
    let signed = receipt.sign(&signer).unwrap();
    assert_eq!(Receipt::verify(&signed, &public).unwrap(), receipt);
    assert!(Receipt::verify(&signed, &TestKit::new(1).public()).is_err());

    let kit = TestKit::new(1);
    let envelope = envelope(kit.id, 5, 9);
    let report = DayReport {
        kit_id: kit.id,
        day: date!(2021 - 04 - 06),
        reported_at: DAY,
        unsent: 3,
        captured_total: 9,
        captures: vec![ReportedCapture {
            application_id: envelope.application_id,
            kit_seq: 9,
            captured_at: envelope.captured_at,
            unit: envelope.unit,
            kind: Kind::New,
        }],
    };
    let signed = report.sign(&kit.signer).unwrap();
    assert_eq!(DayReport::verify(&signed, &kit.public()).unwrap(), report);
    assert_eq!(DayReport::claimed_kit(&signed).unwrap(), kit.id);
    // A key that signs both kinds: the context keeps them apart.
    let as_report = receipt.sign(&kit.signer).unwrap();
    assert!(matches!(DayReport::verify(&as_report, &kit.public()), Err(PacketError::BadSignature { .. })));

    let status = KitStatus { kit_id: kit.id, asked_at: DAY, total: 9, unsent: 3, durable: 4, forgotten: 2 };
    let signed = status.sign(&kit.signer).unwrap();
    assert_eq!(KitStatus::verify(&signed, &kit.public()).unwrap(), status);
    assert_eq!(KitStatus::claimed_kit(&signed).unwrap(), kit.id);
    assert!(KitStatus::verify(&as_report, &kit.public()).is_err());
    for (total, unsent, durable, forgotten) in [(2, 3, 0, 0), (2, 0, 3, 0), (9, 0, 4, 5)] {
        let signed =
            KitStatus { total, unsent, durable, forgotten, ..status.clone() }.sign(&kit.signer).unwrap();
        assert!(KitStatus::verify(&signed, &kit.public()).is_err(), "{total} {unsent} {durable} {forgotten}");
    }
}

fn standing(highest: u64, missing: &[(u64, u64)], durable: Option<u64>) -> Standing {
    Standing {
        kit_id: TestKit::new(1).id,
        highest,
        missing: missing.to_vec(),
        durable: durable.map(|kit_seq| Watermark { kit_seq, sha256: [3; 32] }),
        durability: Durability::Commit,
    }
}

#[test]
fn a_standing_that_contradicts_itself_is_refused_though_the_centre_signed_it() {
    let signer = receipt_signer();
    let public = PublicKey::from_spki(signer.public_key()).unwrap();
    let read = |standing: Standing| {
        let receipt = Receipt { at: DAY, items: Vec::new(), standings: vec![standing] };
        Receipt::verify(&receipt.sign(&signer).unwrap(), &public).map(|read| assert_eq!(read, receipt))
    };
    for good in [
        standing(0, &[], None),
        standing(9, &[(1, 1), (3, 8)], Some(9)),
        Standing { durability: Durability::ArchiveAndStandby, ..standing(9, &[], Some(1)) },
    ] {
        assert_eq!(read(good), Ok(()));
    }
    let many: Vec<_> = (1..=101).map(|number| (2 * number, 2 * number)).collect();
    for bad in [
        standing(9, &[(3, 2)], None),
        standing(9, &[(0, 2)], None),
        standing(9, &[(4, 5), (5, 6)], None),
        standing(9, &[(4, 5), (1, 2)], None),
        standing(9, &[(4, 9)], None),
        standing(9, &[], Some(10)),
        standing(9, &[], Some(0)),
        standing(0, &[], Some(1)),
        standing(1_000, &many, None),
    ] {
        assert!(read(bad.clone()).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let public = TestKit::new(1).public();
        prop_assert!(Receipt::verify(&bytes, &public).is_err());
        prop_assert!(DayReport::verify(&bytes, &public).is_err());
        prop_assert!(KitStatus::verify(&bytes, &public).is_err());
    }
}
