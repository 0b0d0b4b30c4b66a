//! What was captured anew is joined with the application that has the rest, and judged as a whole.

use time::Duration;

use crate::intake::{centre_with, count, send, sound};
use crate::support::*;
use domain::application::Kind;
use domain::id::ApplicationId;
use enrol::intake::quarantine::{Reason, retry};
use enrol::intake::{open_received, read_contents};
use packet::message::Outcome;
use packet::{Biometric, Carries, Changes, Envelope, Payload, Recapture};
use testkit::FreshDatabase;

/// A new photo and right index of citizen `of`, as application `number`.
fn parts(of: u64, number: u64) -> Recapture {
    let (base, anew) = (content(of), content(number));
    let mut record = base.record.clone();
    record.marital = Some(2);
    Recapture {
        changes: Changes::between(&base.record, &record).unwrap(),
        differs: vec!["marital".to_owned()],
        receipt_hash: anew.receipt_hash,
        fingers: vec![anew.fingers[1].clone()],
        photo: Some(anew.photo.clone()),
        capture: anew.capture.clone(),
        finger_images: vec![anew.finger_images[0].clone()],
    }
}

fn sealed(kit: &TestKit, base: ApplicationId, number: u64, seq: u64, parts: Recapture) -> Vec<u8> {
    let carries = Carries::Recapture { kind: Kind::Reissue, base };
    let envelope = Envelope { carries, ..envelope(kit.id, number, seq) };
    kit.seal_any(&envelope, &Payload::Recapture(Box::new(parts)), number)
}

async fn open(db: &FreshDatabase) -> (usize, usize, usize) {
    let summary = open_received(db, centre_keys(), DAY + Duration::hours(10), 100).await.unwrap();
    assert_eq!(summary.failed, 0);
    (summary.opened, summary.rejected, summary.quarantined)
}

#[tokio::test]
async fn what_was_captured_anew_is_joined_with_the_rest() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    // Old and new come in one batch; the new one stands on the old, and a third on both.
    let mut third = parts(1, 3);
    third.fingers.clear();
    third.finger_images.clear();
    let first = vec![kit.packet(1, 1), sealed(&kit, application_id(1), 2, 2, parts(1, 2))];
    assert_eq!(send(&db, first).await, [Outcome::Accepted; 2]);
    assert_eq!(open(&db).await, (1, 0, 0), "what it stands on is opened first");
    assert_eq!(open(&db).await, (1, 0, 0));
    let packets = vec![sealed(&kit, application_id(2), 3, 3, third)];
    assert_eq!(send(&db, packets).await, [Outcome::Accepted]);
    assert_eq!(open(&db).await, (1, 0, 0));

    let ids = [application_id(1), application_id(2), application_id(3)];
    let contents = read_contents(&db, centre_keys(), &ids, DAY + Duration::hours(10)).await.unwrap();
    assert_eq!((contents.opened.len(), contents.altered.len()), (3, 0));
    let of = |number| {
        let id = application_id(number);
        contents.opened.iter().find(|(application, _)| *application == id).unwrap().1.clone()
    };
    let (base, joined, last) = (of(1), of(2), of(3));
    assert_eq!(base, content(1));
    assert_eq!((&joined.photo, &joined.fingers[1]), (&content(2).photo, &content(2).fingers[1]));
    assert_eq!((&joined.fingers[0], joined.record.marital), (&base.fingers[0], Some(2)));
    assert_eq!((&last.photo, &last.fingers[1]), (&content(3).photo, &content(2).fingers[1]));
    // The centre's books have the whole record, as of any application.
    let whole = "SELECT count(*) FROM application_record WHERE record ->> 'marital' = '2' \
                 AND record ->> 'name' IS NOT NULL";
    assert_eq!(count(&db, whole).await, 2);
    sound(&db).await;
}

#[tokio::test]
async fn a_recapture_is_judged_by_the_same_rules() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1)]).await;
    assert_eq!(open(&db).await, (1, 0, 0));
    let photo = Recapture { photo: Some(Biometric::new(b"no JPEG".to_vec())), ..parts(1, 2) };
    let mut other = content(1).record;
    other.sex = domain::Sex::Female;
    let somebody_else =
        Recapture { changes: Changes::between(&content(1).record, &other).unwrap(), ..parts(1, 3) };
    // Number, sex and day of birth of one real person: no rule about a record finds anything.
    let mut stranger = content(1).record;
    let real = content(5).record;
    (stranger.pin, stranger.sex, stranger.birth) = (real.pin, real.sex, real.birth);
    let stranger =
        Recapture { changes: Changes::between(&content(1).record, &stranger).unwrap(), ..parts(1, 4) };
    let packets = vec![
        sealed(&kit, application_id(1), 2, 2, photo),
        sealed(&kit, application_id(1), 3, 3, somebody_else),
        sealed(&kit, application_id(1), 4, 4, stranger),
    ];
    assert_eq!(send(&db, packets).await, [Outcome::Accepted; 3]);
    assert_eq!(open(&db).await, (0, 3, 0));
    sound(&db).await;
}

#[tokio::test]
async fn a_recapture_of_what_is_not_there_waits_for_it() {
    let (kit, other) = (TestKit::new(1), TestKit::new(2));
    let db = centre_with(&[&kit, &other]).await;
    assert_eq!(
        send(&db, vec![sealed(&kit, application_id(1), 2, 1, parts(1, 2))]).await,
        [Outcome::Accepted]
    );
    assert_eq!(open(&db).await, (0, 0, 1));
    let code: String =
        sqlx::query_scalar("SELECT quarantined FROM packet").fetch_one(db.work()).await.unwrap();
    assert_eq!(Reason::from_code(&code), Some(Reason::BaseMissing));
    // The other kit brings what it stands on; then the base is altered in the database.
    send(&db, vec![other.packet(1, 1)]).await;
    assert_eq!(open(&db).await, (1, 0, 0));
    let now = DAY + Duration::hours(10);
    assert_eq!(
        retry(&db, &store::UnitScope::everything(), None, &domain::Actor::Centre, now).await.unwrap(),
        1
    );
    assert_eq!(open(&db).await, (1, 0, 0));
    sqlx::raw_sql("UPDATE packet SET sealed = substring(sealed FOR 100) WHERE content = 'application'")
        .execute(db.admin())
        .await
        .unwrap();
    let contents = read_contents(&db, centre_keys(), &[application_id(2)], now).await.unwrap();
    assert_eq!((contents.opened.len(), contents.altered.len()), (0, 1), "old biometrics are checked too");
}
