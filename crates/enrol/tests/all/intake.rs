//! Taking packets over, on a real database.

use sqlx::Row;
use sqlx::types::Uuid;
use time::Duration;
use time::macros::date;

use crate::support::*;
use domain::application::{Action, State};
use domain::id::{AccountId, KitId};
use enrol::EnrolError;
use enrol::intake::{open_received, read_contents, receive, receive_batch, receive_day_report, report_day};
use packet::keys::{CentreKeys, PublicKey};
use packet::message::{DayReport, Outcome, Receipt, Refusal, ReportedCapture};
use packet::wire;
use packet::{Biometric, FingerCapture};
use pki::Signer;
use store::applications::kits::{Kit, Standing, register_kit, revoke_kit, sequence_gaps};
use store::applications::officers::{Credential, insert};
use store::applications::{check_folds, find, timeline};
use testkit::FreshDatabase;

pub(crate) async fn centre_with(kits: &[&TestKit]) -> FreshDatabase {
    let db = testkit::fresh_database().await;
    let mut conn = db.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO unit (code, valid_from, level, kind, name, parent, path) \
         VALUES ('18562', '2004-01-01', 3, 'thị trấn', 'Thạch Hà', '445', '42/445/18562/')",
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    for kit in kits {
        let row = Kit {
            kit_id: kit.id,
            name: kit.id.to_string(),
            unit: "18562".parse().unwrap(),
            public_key: kit.public().to_point().to_vec(),
            registered_at: DAY,
            revoked_at: None,
            heard_at: None,
            standing: Standing::default(),
        };
        register_kit(&mut conn, &row).await.unwrap();
        insert(&mut conn, &credential(kit)).await.unwrap();
    }
    conn.commit().await.unwrap();
    db
}

/// The credential of a kit's officer, for the campaign.
pub(crate) fn credential(kit: &TestKit) -> Credential {
    Credential {
        credential_id: kit.credential(),
        account_id: AccountId::derive(DAY, &[b"officer"]),
        login: "canbo".to_owned(),
        kit_id: kit.id,
        public_key: kit.officer_public().to_point().to_vec(),
        not_before: DAY - Duration::DAY,
        not_after: DAY + Duration::weeks(18),
        issued_by: "centre".to_owned(),
        revoked_at: None,
        revoked_reason: None,
        proposed: None,
    }
}

pub(crate) async fn send(db: &FreshDatabase, packets: Vec<Vec<u8>>) -> Vec<Outcome> {
    let received = receive(db, packets, DAY + Duration::hours(9), &receipt_signer()).await.unwrap();
    received.receipt.items.iter().map(|item| item.outcome).collect()
}

pub(crate) async fn count(db: &FreshDatabase, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(db.admin()).await.unwrap().get(0)
}

pub(crate) async fn sound(db: &FreshDatabase) {
    let mut conn = db.begin().await.unwrap();
    assert_eq!(check_folds(&mut conn).await.unwrap(), []);
    let elsewhere = "SELECT count(*) FROM packet p JOIN application a USING (application_id) \
                     WHERE p.unit_path <> a.unit_path";
    assert_eq!(count(db, elsewhere).await, 0, "a packet is seen where its application is");
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused(refusal)
}

#[tokio::test]
async fn a_packet_is_received_once_and_a_repeat_gets_the_same_answer() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let packets = vec![kit.packet(1, 1), kit.packet(2, 2), kit.packet(1, 1)];
    assert_eq!(send(&db, packets.clone()).await, [Outcome::Accepted; 3]);
    assert_eq!(send(&db, packets).await, [Outcome::Accepted; 3]);
    assert_eq!(count(&db, "SELECT count(*) FROM packet").await, 2);
    assert_eq!(count(&db, "SELECT count(*) FROM intake_refusal").await, 0);
    let mut conn = db.begin().await.unwrap();
    let application = find(&mut conn, application_id(1)).await.unwrap().unwrap();
    assert_eq!((application.state, application.kit_id), (State::Received, kit.id));
    assert_eq!(application.unit_path, "42/445/18562/");
    let steps = timeline(&mut conn, application_id(1)).await.unwrap();
    assert_eq!(steps.iter().map(|step| step.action).collect::<Vec<_>>(), [Action::Capture, Action::Receive]);
    assert_eq!(steps[0].at, DAY + Duration::seconds(1));
    assert_eq!(steps[0].actor, format!("kit:{}", kit.id));
    sound(&db).await;
}

#[tokio::test]
async fn the_receipt_is_signed_by_the_centre_and_names_what_arrived() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let packet = kit.packet(1, 1);
    let body = wire::encode_batch([packet.as_slice(), b"noise"]);
    let answer = receive_batch(&db, &body, DAY, &receipt_signer()).await.unwrap().signed;
    let centre = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    let receipt = Receipt::verify(&answer, &centre).unwrap();
    assert_eq!(receipt.items.len(), 2);
    assert_eq!(receipt.items[0].packet_id, Some(envelope(kit.id, 1, 1).packet_id));
    assert_eq!(receipt.items[1].packet_id, None);
    assert_eq!(receipt.items[1].outcome, refused(Refusal::Malformed));
    let cut_off = receive_batch(&db, &body[..body.len() - 1], DAY, &receipt_signer()).await.unwrap_err();
    assert!(cut_off.is_senders_fault() && matches!(cut_off, EnrolError::Batch(_)), "{cut_off}");
    let bodies = "SELECT sum(times)::bigint FROM intake_refusal \
                  WHERE code = 'malformed' AND kit_id = '00000000-0000-0000-0000-000000000000'";
    assert_eq!(count(&db, bodies).await, 2, "the noise in the first body, and the second body as a whole");
}

#[tokio::test]
async fn what_is_not_taken_over_is_answered_counted_and_kept() {
    let (kit, unknown, revoked) = (TestKit::new(1), TestKit::new(2), TestKit::new(3));
    let db = centre_with(&[&kit, &revoked]).await;
    let mut conn = db.begin().await.unwrap();
    assert!(revoke_kit(&mut conn, revoked.id, DAY).await.unwrap());
    assert!(!revoke_kit(&mut conn, unknown.id, DAY).await.unwrap());
    conn.commit().await.unwrap();

    let packet = kit.packet(1, 1);
    let mut tampered = packet.clone();
    let middle = tampered.len() / 2;
    tampered[middle] ^= 1;
    // Signed by an unregistered key in a registered kit's name.
    let forged = unknown.seal(&envelope(kit.id, 4, 4), &content(4), 4);
    let mut nowhere = envelope(kit.id, 5, 5);
    nowhere.unit = "99999".parse().unwrap();
    let nowhere = kit.seal(&nowhere, &content(5), 5);
    let truncated = packet[..packet.len() - 10].to_vec();
    let batch =
        vec![tampered, truncated, unknown.packet(2, 1), revoked.packet(3, 1), forged, nowhere, packet];
    let expect = [
        refused(Refusal::BadSignature),
        refused(Refusal::Malformed),
        refused(Refusal::UnknownKit),
        Outcome::Accepted,
        refused(Refusal::BadSignature),
        refused(Refusal::UnknownUnit),
        Outcome::Accepted,
    ];
    assert_eq!(send(&db, batch.clone()).await, expect);
    assert_eq!(send(&db, batch).await, expect);
    assert_eq!(count(&db, "SELECT count(*) FROM packet").await, 2);
    let of_kit = |code: &'static str| {
        let sql =
            "SELECT k.kit_id, r.times FROM intake_refusal r LEFT JOIN kit k USING (kit_id) WHERE code = $1";
        sqlx::query_as::<_, (Option<Uuid>, i64)>(sql).bind(code).fetch_one(db.admin())
    };
    // Twice each. A kit's name on an upload counts when there is such a kit.
    for (code, expect_kit, times) in [
        ("bad_signature", Some(kit.id), 4),
        ("unknown_unit", Some(kit.id), 2),
        ("malformed", None, 2),
        ("unknown_kit", None, 2),
    ] {
        assert_eq!(of_kit(code).await.unwrap(), (expect_kit.map(KitId::uuid), times), "{code}");
    }
    assert_eq!(count(&db, "SELECT count(*) FROM intake_refusal").await, 4);
    sound(&db).await;
}

#[tokio::test]
async fn reused_ids_and_applications_are_refused() {
    let (kit, other) = (TestKit::new(1), TestKit::new(2));
    let db = centre_with(&[&kit, &other]).await;
    assert_eq!(send(&db, vec![kit.packet(1, 1)]).await, [Outcome::Accepted]);
    let mut same_application = envelope(kit.id, 3, 2);
    same_application.application_id = application_id(1);
    let same_application = kit.seal(&same_application, &content(3), 3);
    let others_id = other.packet(1, 7);
    assert_eq!(
        send(&db, vec![same_application, others_id]).await,
        [refused(Refusal::ApplicationConflict), refused(Refusal::PacketIdReused)]
    );
    let stopped = "SELECT count(*) FROM kit WHERE stopped_at IS NOT NULL";
    assert_eq!(count(&db, stopped).await, 0, "neither says that there are two of a kit");
    sound(&db).await;
}

#[tokio::test]
async fn the_same_batch_at_the_same_time_is_stored_once() {
    let (kit, other) = (TestKit::new(1), TestKit::new(2));
    let db = centre_with(&[&kit, &other]).await;
    let batch: Vec<_> = (1..=20).map(|n| kit.packet(n, n)).collect();
    // Another kit claims the same packet ids: the locks on the kits do not keep these two apart.
    let rival: Vec<_> = (1..=20).rev().map(|n| other.packet(n, n)).collect();
    let (one, two, three) = tokio::join!(send(&db, batch.clone()), send(&db, batch), send(&db, rival));
    assert_eq!(one, two);
    assert_eq!(count(&db, "SELECT count(*) FROM packet").await, 20);
    let accepted = |outcomes: &[Outcome]| outcomes.iter().filter(|o| **o == Outcome::Accepted).count();
    assert_eq!(accepted(&one) + accepted(&three), 20);
    sound(&db).await;
}

#[tokio::test]
async fn opening_stores_the_declaration_and_the_wrapped_key() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, (1..=5).map(|n| kit.packet(n, n)).collect()).await;
    let first = open_received(&db, centre_keys(), DAY, 3).await.unwrap();
    assert_eq!((first.opened, first.rejected), (3, 0));
    // Two workers at once.
    let (a, b) =
        tokio::join!(open_received(&db, centre_keys(), DAY, 9), open_received(&db, centre_keys(), DAY, 9));
    assert_eq!(a.unwrap().opened + b.unwrap().opened, 2);
    assert_eq!(open_received(&db, centre_keys(), DAY, 9).await.unwrap().opened, 0);

    let mut conn = db.begin().await.unwrap();
    let declared = store::applications::content::declared(&mut conn, 10).await.unwrap();
    assert_eq!(declared.len(), 5);
    assert_eq!(declared[0].application_id, application_id(1));
    assert_eq!(declared[0].record, record(1));
    assert_eq!(declared[0].differs, ["permanent", "marital"]);
    let ids = [application_id(2), application_id(4)];
    let contents = read_contents(&db, centre_keys(), &ids, DAY).await.unwrap();
    assert_eq!((contents.opened.len(), contents.altered.len()), (2, 0));
    assert!(contents.opened.iter().any(|(id, found)| *id == application_id(4) && *found == content(4)));
    sound(&db).await;
}

#[tokio::test]
async fn an_invalid_content_ends_the_application_with_coded_reasons() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let mut young = content(1);
    young.record.birth = domain::PartialDate::parse("07/04/2007").unwrap();
    young.record.pin = None;
    young.fingers.pop();
    let mut mislabelled = content(2);
    mislabelled.fingers.swap(0, 1);
    let (right, left) = (mislabelled.fingers[0].position, mislabelled.fingers[1].position);
    mislabelled.fingers[0].position = left;
    mislabelled.fingers[1].position = right;
    let mut wrong_pin = content(3);
    wrong_pin.record.sex = domain::Sex::Female;
    let mut no_photo = content(4);
    no_photo.photo = Biometric::new(vec![0xff; 2_000]);
    let mut same_code = content(5);
    same_code.receipt_hash = content(6).receipt_hash;
    let mut unreadable = content(7);
    unreadable.fingers[4].capture = FingerCapture::Template(Biometric::new(b"FMR\0 20\0".to_vec()));
    let contents = [young, mislabelled, wrong_pin, no_photo, same_code, content(6), unreadable];
    let packets = contents.iter().zip(1..).map(|(c, n)| kit.seal(&envelope(kit.id, n, n), c, n));
    assert_eq!(send(&db, packets.collect()).await, [Outcome::Accepted; 7]);
    let summary = open_received(&db, centre_keys(), DAY, 100).await.unwrap();
    assert_eq!((summary.opened, summary.rejected), (1, 6));

    let mut conn = db.begin().await.unwrap();
    let mut reasons = Vec::new();
    for number in [1, 2, 3, 4, 7] {
        let steps = timeline(&mut conn, application_id(number)).await.unwrap();
        assert_eq!(steps[2].action, Action::Reject);
        reasons.push(steps[2].detail.clone().unwrap()["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(reasons, ["under_age", "finger_mislabelled", "pin_sex", "photo_format", "finger_unreadable"]);
    let detail = timeline(&mut conn, application_id(1)).await.unwrap()[2].detail.clone().unwrap();
    let codes: Vec<_> = detail["problems"].as_array().unwrap().iter().map(|p| p["code"].clone()).collect();
    assert_eq!(codes, ["under_age", "finger_missing"]);
    let reused = "SELECT count(*) FROM packet WHERE refused = 'receipt_code_reused'";
    assert_eq!(count(&db, reused).await, 1);
    sound(&db).await;
}

#[tokio::test]
async fn more_packets_than_one_transaction_takes_are_opened_in_one_step() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    // A step writes 250 at a time: the last part has one whose code an earlier part took.
    let packets = (1..=520).map(|number| {
        let mut content = content(number);
        if number == 519 {
            content.receipt_hash = self::content(3).receipt_hash;
        }
        kit.seal(&envelope(kit.id, number, number), &content, number)
    });
    send(&db, packets.collect()).await;
    let summary = open_received(&db, centre_keys(), DAY, 1_000).await.unwrap();
    assert_eq!((summary.opened, summary.rejected, summary.waiting_for_key), (519, 1, 0));
    assert_eq!(count(&db, "SELECT count(*) FROM application_record").await, 519);
    assert_eq!(open_received(&db, centre_keys(), DAY, 1_000).await.unwrap().opened, 0);
    sound(&db).await;
}

#[tokio::test]
async fn a_packet_for_a_key_that_is_not_held_waits_and_hides_nothing() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1), kit.packet(2, 2)]).await;
    let other = || TestIntakeKey::new(55);
    let keys = |intake: Vec<Box<dyn packet::keys::IntakeKey>>| {
        std::sync::Arc::new(CentreKeys { intake, wrapping: Box::new(TestWrappingKey::new(7)) })
    };
    let without = open_received(&db, keys(vec![Box::new(other())]), DAY, 1).await.unwrap();
    assert_eq!((without.opened, without.rejected, without.waiting_for_key), (0, 0, 2));
    let with =
        open_received(&db, keys(vec![Box::new(other()), Box::new(intake_key())]), DAY, 9).await.unwrap();
    assert_eq!((with.opened, with.waiting_for_key), (2, 0));
}

pub(crate) fn report(kit_id: KitId, numbers: &[u64], unsent: u64, total: u64) -> DayReport {
    let captures = numbers.iter().map(|&number| {
        let envelope = envelope(kit_id, number, number);
        ReportedCapture {
            application_id: envelope.application_id,
            kit_seq: envelope.kit_seq,
            captured_at: envelope.captured_at,
            unit: envelope.unit,
            kind: envelope.carries.kind().unwrap(),
        }
    });
    DayReport {
        kit_id,
        day: date!(2021 - 04 - 06),
        reported_at: DAY + Duration::hours(10),
        unsent,
        captured_total: total,
        captures: captures.collect(),
    }
}

#[tokio::test]
async fn a_day_report_tells_what_is_still_on_the_kit() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1), kit.packet(4, 4)]).await;
    let message = report(kit.id, &[1, 2, 3, 4, 5], 3, 5).sign(&kit.signer).unwrap();
    let summary = report_day(&db, &message, DAY).await.unwrap();
    assert_eq!((summary.created, summary.unplaced, summary.stored), (3, 0, true));
    let again = report_day(&db, &message, DAY).await.unwrap();
    assert_eq!((again.created, again.stored), (0, true));
    let mut conn = db.begin().await.unwrap();
    assert_eq!(find(&mut conn, application_id(2)).await.unwrap().unwrap().state, State::Captured);
    assert_eq!(sequence_gaps(&mut conn, kit.id).await.unwrap(), [(2, 3), (5, 5)]);
    conn.rollback().await.unwrap();

    assert_eq!(
        send(&db, vec![kit.packet(2, 2), kit.packet(3, 3), kit.packet(5, 5)]).await,
        [Outcome::Accepted; 3]
    );
    let mut conn = db.begin().await.unwrap();
    assert_eq!(find(&mut conn, application_id(2)).await.unwrap().unwrap().state, State::Received);
    assert_eq!(sequence_gaps(&mut conn, kit.id).await.unwrap(), []);
    sound(&db).await;
}

#[tokio::test]
async fn a_day_report_is_taken_from_its_own_kit_only() {
    let (kit, unknown) = (TestKit::new(1), TestKit::new(2));
    let db = centre_with(&[&kit]).await;
    let forged = report(kit.id, &[1], 1, 1).sign(&unknown.signer).unwrap();
    let foreign = report(unknown.id, &[1], 1, 1).sign(&unknown.signer).unwrap();
    for (message, expected) in
        [(forged, "bad_signature"), (foreign, "unknown_kit"), (b"noise".to_vec(), "malformed")]
    {
        let error = receive_day_report(&db, &message, DAY, &receipt_signer()).await.unwrap_err();
        assert!(matches!(&error, EnrolError::ReportRefused { code, .. } if *code == expected), "{error}");
    }
    assert_eq!(count(&db, "SELECT count(*) FROM application").await, 0);
    assert_eq!(count(&db, "SELECT count(*) FROM kit_report").await, 0);
    assert_eq!(count(&db, "SELECT count(*) FROM intake_refusal").await, 3);
}
