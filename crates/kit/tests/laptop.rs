//! A kit and a real centre, with everything that can happen between them.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

#[path = "../../packet/tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use sha2::{Digest, Sha256};
use time::Duration;
use time::macros::date;

use domain::Field;
use domain::id::{AccountId, KitId, PersonId};
use domain::pin::Pin;
use enrol::intake::{open_received, receive_batch, receive_day_report, receive_status};
use fingerprint::{Capture, FingerPosition, Impression, Minutia, MinutiaKind, Template};
use kit::{
    CaptureInput, CentrePublicKeys, Counters, KitError, Laptop, Officer, OfficerKey, PacketState, Transport,
    TransportError,
};
use packet::check::{Advice, Check, MIN_QUALITY};
use packet::keys::PublicKey;
use packet::message::{Outcome, Receipt, ReceiptItem, Refusal};
use packet::wire;
use packet::{Biometric, FingerCapture, verify_envelope};
use pki::Signer;
use store::Database;
use store::applications::check_folds;
use store::applications::kits::{Kit, Standing, register_kit, sequence_gaps};
use store::applications::officers::{Credential, insert};
use support::*;
use testkit::FreshDatabase;

fn kit_id() -> KitId {
    KitId::derive(DAY, &[b"laptop"])
}

fn centre_keys_of_kit() -> CentrePublicKeys {
    let receipt = PublicKey::from_spki(receipt_signer().public_key()).unwrap();
    CentrePublicKeys { intake: centre_public(), receipt }
}

fn laptop(dir: &Path) -> Laptop {
    Laptop::open(dir, kit_id(), centre_keys_of_kit(), &mut rng(100)).unwrap()
}

/// The officer of every test: made once, since opening a key takes its time.
fn officer() -> &'static Officer {
    static OFFICER: LazyLock<Officer> = LazyLock::new(|| {
        let directory = tempfile::tempdir().unwrap();
        let key = OfficerKey::make(&directory.path().join("officer.key"), "mười hai chữ", &mut rng(200));
        Officer {
            key: key.unwrap(),
            credential_id: credential_of(kit_id()),
            not_after: DAY + Duration::weeks(18),
        }
    });
    &OFFICER
}

fn input(number: u64) -> CaptureInput {
    let (envelope, content) = (envelope(kit_id(), number, 1), content(number));
    CaptureInput {
        packet_id: envelope.packet_id,
        application_id: envelope.application_id,
        kind: envelope.carries.kind().unwrap(),
        unit: envelope.unit,
        record: content.record,
        register: None,
        fingers: content.fingers,
        finger_images: content.finger_images,
        photo: content.photo,
        meta: content.capture,
    }
}

fn capture(laptop: &mut Laptop, number: u64) -> kit::Saved {
    laptop
        .capture(input(number), officer(), DAY + Duration::minutes(number as i64), &mut rng(number))
        .unwrap()
}

fn pending(laptop: &Laptop) -> Vec<kit::PendingPacket> {
    laptop.outbox().pending(100, wire::MAX_BATCH_BYTES).unwrap()
}

fn receipt_for(sealed: &[&[u8]], outcome: Outcome, signer: &dyn Signer) -> Vec<u8> {
    let item = |bytes: &&[u8]| ReceiptItem {
        packet_id: packet::parse(bytes).ok().map(|packet| packet.claimed().packet_id),
        sha256: Sha256::digest(bytes).into(),
        outcome,
    };
    Receipt { at: DAY, items: sealed.iter().map(item).collect(), standings: Vec::new() }.sign(signer).unwrap()
}

#[test]
fn what_was_saved_survives_a_crash_and_is_not_saved_twice() {
    let (dir, after_crash) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut first = laptop(dir.path());
    let saved = capture(&mut first, 1);
    assert_eq!((saved.kit_seq, saved.repeated), (1, false));
    // The disk as a power cut leaves it: the files of a database that nobody closed.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), after_crash.path().join(entry.file_name())).unwrap();
    }
    let mut second = laptop(after_crash.path());
    assert_eq!(pending(&second), pending(&first));
    let again = capture(&mut second, 1);
    assert!(again.repeated);
    assert_eq!((again.kit_seq, again.receipt_code), (saved.kit_seq, saved.receipt_code));
    assert_eq!(capture(&mut second, 2).kit_seq, 2);
    assert_eq!(second.outbox().counters().unwrap().captured_total, 2);
    assert!(
        verify_envelope(&pending(&second)[0].sealed, &first.public_key(), &officer().key.public()).is_ok()
    );
}

#[test]
fn an_incomplete_application_is_not_saved() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    let mut incomplete = input(1);
    incomplete.fingers.pop();
    incomplete.record.pin = Some(Pin::compose(42, domain::Sex::Female, 1990, 1).unwrap());
    let error = laptop.capture(incomplete, officer(), DAY, &mut rng(1)).unwrap_err();
    assert!(matches!(&error, KitError::NotComplete(problems) if problems.len() == 2), "{error}");
    assert_eq!(laptop.outbox().counters().unwrap(), Counters::default());
}

#[test]
fn the_officer_is_told_before_saving_what_capture_would_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    let sound = laptop.check(&input(1), DAY);
    assert_eq!(sound, Check::default());
    let mut wrong = input(1);
    wrong.fingers.pop();
    wrong.record.native_place = None;
    wrong.photo = Biometric::new(b"no photo".to_vec());
    let told = laptop.check(&wrong, DAY).problems;
    assert_eq!(told.len(), 3, "{told:?}");
    let refused = laptop.capture(wrong, officer(), DAY, &mut rng(1));
    assert!(matches!(&refused, Err(KitError::NotComplete(problems)) if *problems == told), "{refused:?}");
}

#[test]
fn advice_names_poor_fingers_and_does_not_hinder_saving() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    let mut poor = input(1);
    // A smudge: eight minutiae in a corner of the image.
    for finger in &mut poor.fingers[..7] {
        finger.capture = FingerCapture::Template(Biometric::new(smudge(finger.position)));
    }
    poor.finger_images.clear();
    let mut register = poor.record.clone();
    register.marital = Some(2);
    poor.register = Some((PersonId::derive(DAY, &[b"person"]), register));
    let checked = laptop.check(&poor, DAY);
    assert!(checked.can_be_saved(), "{:?}", checked.problems);
    assert_eq!(checked.differs, [Field::Marital]);
    let low = checked.advice.iter().filter_map(|advice| match advice {
        Advice::LowQuality { finger, quality } => {
            assert!(*quality < MIN_QUALITY);
            Some(*finger)
        }
        _ => None,
    });
    assert_eq!(low.collect::<Vec<_>>(), FingerPosition::ALL[..7]);
    assert_eq!(checked.advice.last(), Some(&Advice::FewGoodFingers { good: 3 }));

    assert_eq!(laptop.capture(poor, officer(), DAY, &mut rng(1)).unwrap().kit_seq, 1);
    let (payload, _) = packet::open(&pending(&laptop)[0].sealed, &intake_key()).unwrap();
    let packet::Payload::Application(content) = payload else { panic!("no application") };
    let seen: Vec<&str> = checked.differs.iter().map(|field| field.code()).collect();
    assert_eq!(content.differs, seen, "what the officer saw is what the centre gets");
}

fn smudge(position: FingerPosition) -> Vec<u8> {
    let capture =
        Capture { position, impression: Impression::LiveScanPlain, quality: 20, width: 320, height: 480 };
    let minutia = |i: u16| Minutia { x: 10 + 3 * i, y: 10, angle: 0, kind: MinutiaKind::Ending, quality: 20 };
    fingerprint::encode(&[Template::new(capture, (0..8).map(minutia).collect()).unwrap()]).unwrap()
}

#[test]
fn only_the_centres_receipt_for_these_very_bytes_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    let id = capture(&mut laptop, 1).packet_id;
    let sealed = pending(&laptop)[0].sealed.clone();
    let centre = centre_keys_of_kit().receipt;
    let forged = receipt_for(&[&sealed], Outcome::Accepted, &TestKit::new(9).signer);
    assert!(laptop.outbox_mut().apply_receipt(&forged, &centre, DAY).is_err());
    let mut damaged = sealed.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let refused = Outcome::Refused(Refusal::BadSignature);
    let of_damaged = receipt_for(&[&damaged], refused, &receipt_signer());
    let applied = laptop.outbox_mut().apply_receipt(&of_damaged, &centre, DAY).unwrap();
    assert_eq!((applied.accepted, applied.refused, applied.unmatched), (0, 0, 1));
    assert_eq!(pending(&laptop).len(), 1);

    let genuine = receipt_for(&[&sealed], Outcome::Accepted, &receipt_signer());
    assert_eq!(laptop.outbox_mut().apply_receipt(&genuine, &centre, DAY).unwrap().accepted, 1);
    assert_eq!(laptop.outbox_mut().apply_receipt(&genuine, &centre, DAY).unwrap().accepted, 0);
    // A late refusal of the same bytes does not undo it.
    let late = receipt_for(&[&sealed], refused, &receipt_signer());
    assert_eq!(laptop.outbox_mut().apply_receipt(&late, &centre, DAY).unwrap().refused, 0);
    let saved = laptop.outbox().find(id).unwrap().unwrap();
    assert_eq!((saved.state, saved.receipt_code), (PacketState::Accepted, None));
    assert_eq!(laptop.outbox().counters().unwrap().accepted, 1);
}

#[test]
fn a_batch_is_as_large_as_the_line_allows_and_the_outbox_belongs_to_one_kit() {
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    for number in 1..=5 {
        capture(&mut laptop, number);
    }
    let one = pending(&laptop)[0].sealed.len();
    assert_eq!(laptop.outbox().pending(3, usize::MAX).unwrap().len(), 3);
    assert_eq!(laptop.outbox().pending(9, one * 2 + 500).unwrap().len(), 2);
    assert_eq!(laptop.outbox().pending(9, 1).unwrap().len(), 1, "a packet above the limit still leaves");
    let other = KitId::derive(DAY, &[b"another"]);
    let opened = Laptop::open(dir.path(), other, centre_keys_of_kit(), &mut rng(1));
    assert!(matches!(opened, Err(KitError::OtherKit { .. })));
}

/// What a request meets on its way.
#[derive(Clone, Copy, PartialEq)]
enum Weather {
    Fine,
    /// The centre books the packets and the answer is lost.
    AnswerLost,
    /// A byte of the upload's last packet changes on the way.
    Damaged,
    Overloaded,
    /// Somebody else answers.
    Impostor,
}

struct Server {
    url: String,
    weather: Arc<Mutex<Vec<Weather>>>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Serves until the test ends; each request takes the next weather, and fine weather follows.
    fn start(db: Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let weather: Arc<Mutex<Vec<Weather>>> = Arc::default();
        let requests = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Handle::current();
        let (to_come, seen) = (weather.clone(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (path, mut body) = read_request(&mut stream);
                seen.fetch_add(1, Ordering::SeqCst);
                let weather = to_come.lock().unwrap().pop().unwrap_or(Weather::Fine);
                if weather == Weather::Overloaded {
                    stream
                        .write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                        .unwrap();
                    continue;
                }
                if weather == Weather::Damaged {
                    *body.last_mut().unwrap() ^= 1;
                }
                let signer =
                    if weather == Weather::Impostor { TestKit::new(66).signer } else { receipt_signer() };
                let at = DAY + Duration::hours(9);
                let answer = runtime.block_on(async {
                    match path.as_str() {
                        wire::DAY_REPORT_PATH => receive_day_report(&db, &body, at, &signer).await,
                        wire::STATUS_PATH => receive_status(&db, &body, at, &signer).await,
                        _ => receive_batch(&db, &body, at, &signer).await.map(|received| received.signed),
                    }
                });
                let answer = answer.unwrap();
                if weather == Weather::AnswerLost {
                    continue;
                }
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    answer.len()
                );
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer)).unwrap();
            }
        });
        Self { url, weather, requests }
    }

    fn transport(&self) -> Transport {
        Transport::to_this_machine(&self.url).unwrap().with_delays(Vec::new())
    }

    fn next(&self, weather: &[Weather]) {
        *self.weather.lock().unwrap() = weather.iter().rev().copied().collect();
    }
}

fn read_request(stream: &mut std::net::TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, body)
}

async fn centre() -> FreshDatabase {
    let db = testkit::fresh_database().await;
    sqlx::query(
        "INSERT INTO unit (code, valid_from, level, kind, name, parent, path) \
         VALUES ('18562', '2004-01-01', 3, 'thị trấn', 'Thạch Hà', '445', '42/445/18562/')",
    )
    .execute(db.admin())
    .await
    .unwrap();
    db
}

async fn register(db: &FreshDatabase, laptop: &Laptop) {
    let kit = Kit {
        kit_id: kit_id(),
        name: "test".to_owned(),
        unit: "18562".parse().unwrap(),
        public_key: laptop.public_key().to_point().to_vec(),
        registered_at: DAY,
        revoked_at: None,
        heard_at: None,
        standing: Standing::default(),
    };
    let mut conn = db.begin().await.unwrap();
    register_kit(&mut conn, &kit).await.unwrap();
    let credential = Credential {
        credential_id: officer().credential_id,
        account_id: AccountId::derive(DAY, &[b"officer"]),
        login: "canbo".to_owned(),
        kit_id: kit_id(),
        public_key: officer().key.public().to_point().to_vec(),
        not_before: DAY,
        not_after: officer().not_after,
        issued_by: "centre".to_owned(),
        revoked_at: None,
        revoked_reason: None,
        proposed: None,
    };
    insert(&mut conn, &credential).await.unwrap();
    conn.commit().await.unwrap();
}

async fn packets(db: &FreshDatabase) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM packet").fetch_one(db.admin()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_on_the_way_every_packet_arrives_once() {
    let db = centre().await;
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    register(&db, &laptop).await;
    for number in 1..=6 {
        capture(&mut laptop, number);
    }
    let server = Server::start(Database::clone(&db));
    let transport = server.transport();
    let sync = |laptop: &mut Laptop| tokio::task::block_in_place(|| laptop.sync(&transport, DAY));

    server.next(&[Weather::Overloaded]);
    let busy = sync(&mut laptop).unwrap_err();
    assert!(matches!(busy, KitError::Transport(TransportError::Busy(503))), "{busy}");
    server.next(&[Weather::AnswerLost]);
    assert!(matches!(sync(&mut laptop), Err(KitError::Transport(TransportError::Unreachable(_)))));
    assert_eq!(packets(&db).await, 6, "the centre has them, and the kit does not know");
    assert_eq!(pending(&laptop).len(), 6);
    server.next(&[Weather::Impostor]);
    assert!(matches!(sync(&mut laptop), Err(KitError::Message(_))));
    assert_eq!(pending(&laptop).len(), 6);
    server.next(&[Weather::Damaged]);
    let summary = sync(&mut laptop).unwrap();
    assert_eq!((summary.requests, summary.accepted, summary.refused, summary.pending), (2, 6, 0, 0));
    assert_eq!(sync(&mut laptop).unwrap().requests, 0, "it asks after the packets and sends none");
    assert_eq!(packets(&db).await, 6);
    assert_eq!(laptop.outbox().counters().unwrap().accepted, 6);
    let events: Vec<_> =
        laptop.outbox().log_lines(50).unwrap().into_iter().rev().map(|line| line.event).collect();
    let expected = [
        "sent", "failed", "sent", "failed", "sent", "failed", "sent", "receipt", "sent", "receipt", "status",
    ];
    assert_eq!(events, expected);
    let opened = open_received(&db, centre_keys(), DAY, 100).await.unwrap();
    assert_eq!((opened.opened, opened.rejected), (6, 0));
    let mut conn = db.begin().await.unwrap();
    assert_eq!(check_folds(&mut conn).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_damages_every_upload_is_given_up_and_nothing_is_lost() {
    let db = centre().await;
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    register(&db, &laptop).await;
    capture(&mut laptop, 1);
    let server = Server::start(Database::clone(&db));
    server.next(&[Weather::Damaged; 9]);
    let outcome = tokio::task::block_in_place(|| laptop.sync(&server.transport(), DAY));
    assert!(matches!(outcome, Err(KitError::NoProgress { rounds: 3 })));
    assert_eq!(pending(&laptop).len(), 1);
    server.next(&[]);
    assert_eq!(tokio::task::block_in_place(|| laptop.sync(&server.transport(), DAY)).unwrap().accepted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passing_failure_is_tried_again_by_itself() {
    let db = centre().await;
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    register(&db, &laptop).await;
    capture(&mut laptop, 1);
    let server = Server::start(Database::clone(&db));
    server.next(&[Weather::Overloaded, Weather::AnswerLost]);
    let transport = server.transport().with_delays(vec![std::time::Duration::from_millis(1); 2]);
    assert_eq!(tokio::task::block_in_place(|| laptop.sync(&transport, DAY)).unwrap().accepted, 1);
    assert_eq!(server.requests.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_packet_is_kept_until_the_reason_is_gone() {
    let db = centre().await;
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    let id = capture(&mut laptop, 1).packet_id;
    let server = Server::start(Database::clone(&db));
    let transport = server.transport();
    let sync = |laptop: &mut Laptop| tokio::task::block_in_place(|| laptop.sync(&transport, DAY)).unwrap();
    assert_eq!(sync(&mut laptop).refused, 1);
    let refused = laptop.outbox().refused().unwrap();
    assert_eq!((refused[0].packet_id, refused[0].refusal), (id, Refusal::UnknownKit));
    assert!(laptop.outbox().find(id).unwrap().unwrap().receipt_code.is_some());
    assert_eq!(sync(&mut laptop).requests, 0, "a refused packet is not sent by itself");
    register(&db, &laptop).await;
    assert_eq!(laptop.outbox_mut().retry_refused(DAY).unwrap(), 1);
    assert_eq!(sync(&mut laptop).accepted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_evening_report_tells_the_centre_what_is_still_on_the_kit() {
    let db = centre().await;
    let dir = tempfile::tempdir().unwrap();
    let mut laptop = laptop(dir.path());
    register(&db, &laptop).await;
    capture(&mut laptop, 1);
    let server = Server::start(Database::clone(&db));
    let transport = server.transport();
    tokio::task::block_in_place(|| laptop.sync(&transport, DAY)).unwrap();
    capture(&mut laptop, 2);
    capture(&mut laptop, 3);
    let day = date!(2021 - 04 - 06);
    tokio::task::block_in_place(|| laptop.send_day_report(&transport, day, DAY)).unwrap();
    let row: (i64, i64, i64) = sqlx::query_as("SELECT captured, unsent, captured_total FROM kit_report")
        .fetch_one(db.admin())
        .await
        .unwrap();
    assert_eq!(row, (3, 2, 3));
    let mut conn = db.begin().await.unwrap();
    assert_eq!(sequence_gaps(&mut conn, kit_id()).await.unwrap(), [(2, 3)]);
    server.next(&[Weather::Impostor]);
    let impostor = tokio::task::block_in_place(|| laptop.send_day_report(&transport, day, DAY));
    assert!(matches!(impostor, Err(KitError::Message(_))));
}
