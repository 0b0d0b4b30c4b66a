//! What whoever stole a kit, or copied its disk, may send. The tests play the attacker of the row "a stolen
//! kit" of the list of attacks.

use time::Duration;

use crate::intake::{centre_with, count, credential, send, sound};
use crate::kits::account;
use crate::support::*;
use domain::unit::Units;
use enrol::intake::quarantine::{self, Reason, release, retry};
use enrol::intake::{open_received, receive};
use enrol::{kits, officers};
use hsm::SoftwareSigner;
use packet::message::{Outcome, Refusal};
use packet::{Envelope, Signers, seal};
use store::UnitScope;
use store::applications::officers::{Credential, find, insert};
use testkit::FreshDatabase;

const KEPT: [Outcome; 1] = [Outcome::Accepted];

/// Why the packets of a kit are set aside, by number and arrival; `None` for one that is not.
async fn reasons(db: &FreshDatabase) -> Vec<(i64, Option<Reason>)> {
    let rows: Vec<(i64, Option<String>)> =
        sqlx::query_as("SELECT kit_seq, quarantined FROM packet ORDER BY kit_seq, twin, packet_id")
            .fetch_all(db.work())
            .await
            .unwrap();
    rows.into_iter().map(|(seq, code)| (seq, code.map(|code| Reason::from_code(&code).unwrap()))).collect()
}

async fn opened(db: &FreshDatabase) -> usize {
    open_received(db, centre_keys(), DAY + Duration::hours(10), 100).await.unwrap().opened
}

/// A centre with a kit whose officer's credential is another than the usual.
async fn centre_where(kit: &TestKit, change: impl FnOnce(&mut Credential)) -> FreshDatabase {
    let db = centre_with(&[kit]).await;
    sqlx::query("DELETE FROM officer_credential").execute(db.admin()).await.unwrap();
    let mut credential = credential(kit);
    change(&mut credential);
    let mut conn = db.begin().await.unwrap();
    insert(&mut conn, &credential).await.unwrap();
    conn.commit().await.unwrap();
    db
}

/// A packet of citizen 1 that somebody else signs in the officer's place.
fn signed_by(kit: &TestKit, officer: &SoftwareSigner, change: impl FnOnce(&mut Envelope)) -> Vec<u8> {
    let mut envelope = envelope(kit.id, 1, 1);
    change(&mut envelope);
    let signers = Signers { kit: &kit.signer, officer };
    seal(&envelope, &content(1).into(), signers, &centre_public(), &mut rng(1)).unwrap()
}

#[tokio::test]
async fn a_stolen_kit_seals_without_an_officer() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    // The laptop's own key stands in for the officer's; so does a key that the thief made; so does nobody.
    let thief = SoftwareSigner::generate(&mut rng(77)).reproducible();
    let own = signed_by(&kit, &kit.signer, |_| {});
    let made_up = signed_by(&kit, &thief, |_| {});
    let forged = Outcome::Refused(Refusal::BadSignature);
    assert_eq!(send(&db, vec![own, made_up]).await, [forged; 2]);
    let unknown = signed_by(&kit, &thief, |envelope| {
        envelope.credential_id = officers::id_of(&kit.public());
    });
    assert_eq!(send(&db, vec![unknown]).await, [Outcome::Refused(Refusal::UnknownOfficer)]);
    let whole = kit.packet(1, 1);
    // The array of two signatures with one of them cut out: 0x82 becomes 0x81.
    let at = whole.len() - 2 * (1 + 22 + 1 + 66) - 1;
    assert_eq!(whole[at], 0x82, "the signatures are where the document says");
    let cut = [&whole[..at], &[0x81], &whole[at + 1..at + 1 + 90]].concat();
    assert_eq!(send(&db, vec![cut]).await, [Outcome::Refused(Refusal::Malformed)]);
    assert_eq!(count(&db, "SELECT count(*) FROM packet").await, 0);
    assert_eq!(send(&db, vec![whole]).await, KEPT);
}

#[tokio::test]
async fn a_stolen_kit_has_an_officer_of_another_kit() {
    let (kit, other) = (TestKit::new(1), TestKit::new(2));
    let db = centre_with(&[&kit, &other]).await;
    let packet = signed_by(&kit, &other.officer, |envelope| envelope.credential_id = other.credential());
    assert_eq!(send(&db, vec![packet]).await, KEPT);
    assert_eq!(reasons(&db).await, [(1, Some(Reason::OtherKitsOfficer))]);
    assert_eq!(opened(&db).await, 0);
    sound(&db).await;
}

#[tokio::test]
async fn a_stolen_kit_has_a_credential_that_has_ended() {
    let kit = TestKit::new(1);
    let db = centre_where(&kit, |one| one.not_after = DAY + Duration::hours(2)).await;
    let dated = |number: u64, hours: i64| {
        let mut envelope = envelope(kit.id, number, number);
        envelope.captured_at = DAY + Duration::hours(hours);
        kit.seal(&envelope, &content(number), number)
    };
    // Before the end, after it, and with a clock in the next year: that one was captured when it came.
    assert_eq!(send(&db, vec![dated(1, 1), dated(2, 3), dated(3, 9_000)]).await, [Outcome::Accepted; 3]);
    let ended = Some(Reason::CredentialEnded);
    assert_eq!(reasons(&db).await, [(1, None), (2, ended), (3, ended)]);
    // The thief sets the clock back, and sends it weeks later.
    let late = DAY + Duration::days(20);
    receive(&db, vec![dated(4, 1)], late, &receipt_signer()).await.unwrap();
    assert_eq!(reasons(&db).await[3], (4, ended));
    // The thief sets the clock back behind what the centre told the kit.
    let mut known = envelope(kit.id, 5, 5);
    known.captured_at = DAY + Duration::HOUR;
    known.centre_at = Some(DAY + Duration::hours(5));
    assert_eq!(send(&db, vec![kit.seal(&known, &content(5), 5)]).await, KEPT);
    assert_eq!(reasons(&db).await[4], (5, ended));
    assert_eq!(opened(&db).await, 1);
    sound(&db).await;
}

#[tokio::test]
async fn a_stolen_officers_key_is_set_aside_at_once_and_revoked_by_two() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let (id, units, now) = (kit.credential(), Units::latest(), DAY + Duration::hours(8));
    let (one, other) = (account("one"), account("other"));
    assert_eq!(send(&db, vec![kit.packet(1, 1)]).await, KEPT);
    officers::revoke(&db, units, id, "mật khẩu bị lộ", &one, now).await.unwrap();
    assert_eq!(send(&db, vec![kit.packet(2, 2)]).await, KEPT);
    assert_eq!(reasons(&db).await[1].1, Some(Reason::OfficerDoubted));
    assert!(
        officers::confirm(&db, units, id, &one, now).await.unwrap_err().to_string().contains("another must")
    );
    assert!(
        officers::keep(&db, units, id, &one, now).await.is_err(),
        "nor does a thief's friend withdraw it"
    );
    // It was a mistake: what was set aside is opened.
    assert_eq!(officers::keep(&db, units, id, &other, now).await.unwrap(), 1);
    assert_eq!(reasons(&db).await[1].1, None);
    officers::revoke(&db, units, id, "mật khẩu bị lộ", &other, now).await.unwrap();
    officers::confirm(&db, units, id, &one, now).await.unwrap();
    assert_eq!(send(&db, vec![kit.packet(3, 3)]).await, KEPT);
    assert_eq!(reasons(&db).await[2].1, Some(Reason::OfficerRevoked));
    let mut conn = db.begin().await.unwrap();
    let row = find(&mut conn, &[id]).await.unwrap().remove(0);
    conn.rollback().await.unwrap();
    assert_eq!(row.revoked_reason.as_deref(), Some("mật khẩu bị lộ"));
    assert_eq!(opened(&db).await, 2);
    assert_eq!(count(&db, "SELECT count(*) FROM audit WHERE action LIKE 'officer.%'").await, 4);
    sound(&db).await;
}

/// Two officers share a kit, and both keys are in doubt: what is withdrawn of one says nothing of the other.
#[tokio::test]
async fn a_stolen_officers_key_is_not_released_with_a_colleagues() {
    let (kit, other_key) = (TestKit::new(1), TestKit::new(5));
    let db = centre_with(&[&kit]).await;
    let colleague = Credential {
        credential_id: officers::id_of(&other_key.officer_public()),
        public_key: other_key.officer_public().to_point().to_vec(),
        ..credential(&kit)
    };
    let mut conn = db.begin().await.unwrap();
    insert(&mut conn, &colleague).await.unwrap();
    conn.commit().await.unwrap();
    let (units, now) = (Units::latest(), DAY + Duration::hours(8));
    let (one, other) = (account("one"), account("other"));
    for id in [kit.credential(), colleague.credential_id] {
        officers::revoke(&db, units, id, "mật khẩu bị lộ", &one, now).await.unwrap();
    }
    let signed = signed_by(&kit, &other_key.officer, |it| it.credential_id = colleague.credential_id);
    kit.note(&envelope(kit.id, 1, 1), &signed);
    assert_eq!(send(&db, vec![signed, kit.packet(2, 2)]).await, [Outcome::Accepted; 2]);
    assert_eq!(officers::keep(&db, units, kit.credential(), &other, now).await.unwrap(), 1);
    assert_eq!(reasons(&db).await, [(1, Some(Reason::OfficerDoubted)), (2, None)]);
    sound(&db).await;
}

/// What is withdrawn of the kit is not withdrawn of its officer.
#[tokio::test]
async fn a_stolen_officers_key_stays_in_doubt_when_its_kit_is_found() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let (id, units, now) = (kit.credential(), Units::latest(), DAY + Duration::hours(8));
    let (one, other, name) = (account("one"), account("other"), kit.id.to_string());
    kits::revoke(&db, units, &name, "mất cắp", &one, now).await.unwrap();
    assert_eq!(send(&db, vec![kit.packet(1, 1)]).await, KEPT);
    officers::revoke(&db, units, id, "mật khẩu bị lộ", &one, now).await.unwrap();
    assert_eq!(kits::keep(&db, units, &name, None, &other, now).await.unwrap(), 0);
    assert_eq!(reasons(&db).await, [(1, Some(Reason::OfficerDoubted))]);
    assert_eq!(officers::keep(&db, units, id, &other, now).await.unwrap(), 1);
    assert_eq!(opened(&db).await, 1);
    sound(&db).await;
}

#[tokio::test]
async fn a_stolen_kits_disk_runs_on_two_laptops() {
    let (kit, copy) = (TestKit::new(1), TestKit::new(1));
    let other = TestKit::new(2);
    let db = centre_with(&[&kit, &other]).await;
    // Both go on from packet 1. The copy is 101, 102: other citizens under the same numbers.
    let first = kit.packet(1, 1);
    copy.note(&envelope(kit.id, 1, 1), &first);
    let of_copy = |number: u64, seq: u64| copy.packet(number, seq);
    assert_eq!(send(&db, vec![first, kit.packet(2, 2)]).await, [Outcome::Accepted; 2]);
    assert_eq!(opened(&db).await, 2);
    let copies = vec![of_copy(102, 2), of_copy(103, 3)];
    assert_eq!(send(&db, copies.clone()).await, [Outcome::Accepted; 2], "nobody's application is lost");
    assert_eq!(send(&db, vec![kit.packet(3, 3), other.packet(9, 1)]).await, [Outcome::Accepted; 2]);
    let (reused, stopped) = (Some(Reason::SequenceReused), Some(Reason::KitStopped));
    let expect = [(1, None), (1, None), (2, None), (2, reused), (3, stopped), (3, reused)];
    assert_eq!(reasons(&db).await, expect, "both laptops are stopped, and no other kit");
    assert_eq!(send(&db, copies).await, [Outcome::Accepted; 2], "a repeat is answered as the first");
    assert_eq!(opened(&db).await, 1, "the other kit's");
    assert_eq!(count(&db, "SELECT count(*) FROM audit WHERE action = 'kit.stopped'").await, 1);
    // Two people let the laptop go on that was found to be the team's.
    let (units, now, name) = (Units::latest(), DAY + Duration::hours(11), kit.id.to_string());
    let (one, another) = (account("one"), account("other"));
    assert!(kits::resume(&db, units, &other.id.to_string(), "nhầm", &one, now).await.is_err(), "not stopped");
    kits::resume(&db, units, &name, "bản sao đã bị xoá", &one, now).await.unwrap();
    assert!(kits::confirm(&db, units, &name, None, &one, now).await.is_err());
    assert_eq!(send(&db, vec![kit.packet(4, 4)]).await, KEPT);
    assert_eq!(reasons(&db).await.last(), Some(&(4, stopped)), "a proposal does not let it go on");
    let (confirmed, _) = kits::confirm(&db, units, &name, None, &another, now).await.unwrap();
    assert_eq!(confirmed, kits::Confirmed::Resumed);
    assert_eq!(send(&db, vec![kit.packet(5, 5)]).await, KEPT);
    assert_eq!(reasons(&db).await.last(), Some(&(5, None)));
    // What was set aside is opened on somebody's word, twins included; the kit stays in one chain.
    assert_eq!(retry(&db, &UnitScope::everything(), None, &one, now).await.unwrap(), 0);
    let ids: Vec<_> = [(102, 2), (103, 3), (3, 3), (4, 4)]
        .map(|(number, seq)| envelope(kit.id, number, seq).packet_id)
        .to_vec();
    assert_eq!(
        release(&db, &UnitScope::everything(), &ids, "đã hỏi từng người", &one, now).await.unwrap(),
        4
    );
    assert_eq!(opened(&db).await, 5);
    sound(&db).await;
}

#[tokio::test]
async fn a_stolen_kits_copy_shows_by_the_chain_alone() {
    let kit = TestKit::new(1);
    // The numbers are never used twice: the copy leaves out the one that the other laptop used.
    for in_order in [true, false] {
        let db = centre_with(&[&kit]).await;
        let mut broken = envelope(kit.id, 30, 3);
        broken.prev_sha256 = Some([7; 32]);
        let (second, third) = (kit.packet(2, 2), kit.seal(&broken, &content(30), 30));
        let [first, last] = if in_order { [second, third] } else { [third, second] };
        assert_eq!(send(&db, vec![kit.packet(1, 1)]).await, KEPT);
        assert_eq!(send(&db, vec![first]).await, KEPT);
        assert_eq!(send(&db, vec![last]).await, KEPT);
        let set_aside: Vec<_> = reasons(&db).await.into_iter().filter_map(|(_, reason)| reason).collect();
        assert_eq!(set_aside, [Reason::ChainBroken], "in order: {in_order}");
        assert_eq!(count(&db, "SELECT count(*) FROM kit WHERE stopped_for = 'chain_broken'").await, 1);
    }
}

#[tokio::test]
async fn a_stolen_kits_copy_shows_by_other_bytes_under_one_id() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    assert_eq!(send(&db, vec![kit.packet(1, 1)]).await, KEPT);
    let again = kit.seal(&envelope(kit.id, 1, 1), &content(1), 99);
    assert_eq!(send(&db, vec![again]).await, [Outcome::Refused(Refusal::PacketIdReused)]);
    assert_eq!(send(&db, vec![kit.packet(2, 2)]).await, KEPT);
    assert_eq!(reasons(&db).await, [(1, None), (2, Some(Reason::KitStopped))]);
}

#[tokio::test]
async fn two_laptops_with_one_disk_that_send_at_once_are_both_stopped() {
    let (kit, copy) = (TestKit::new(1), TestKit::new(1));
    let db = centre_with(&[&kit]).await;
    let first = kit.packet(1, 1);
    copy.note(&envelope(kit.id, 1, 1), &first);
    send(&db, vec![first]).await;
    let ours: Vec<_> = (2..=8).map(|seq| kit.packet(seq, seq)).collect();
    let theirs: Vec<_> = (2..=8).map(|seq| copy.packet(100 + seq, seq)).collect();
    // Whoever comes first stays in the middle of its transaction until the other is in its own.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$; \
                CREATE TRIGGER slow BEFORE INSERT ON application FOR EACH STATEMENT EXECUTE FUNCTION slow()";
    sqlx::raw_sql(slow).execute(db.admin()).await.unwrap();
    let (one, other) = tokio::join!(send(&db, ours), send(&db, theirs));
    assert_eq!((one, other), (vec![Outcome::Accepted; 7], vec![Outcome::Accepted; 7]));
    assert_eq!(count(&db, "SELECT count(*) FROM packet").await, 15, "nothing is lost");
    assert_eq!(count(&db, "SELECT count(*) FROM packet WHERE quarantined IS NULL").await, 8);
    assert_eq!(count(&db, "SELECT count(*) FROM kit WHERE stopped_at IS NOT NULL").await, 1);
    // Whoever came first: what follows its own packets as it should is looked at all the same.
    assert_eq!(send(&db, vec![kit.packet(9, 9)]).await, KEPT);
    assert_eq!(reasons(&db).await.last(), Some(&(9, Some(Reason::KitStopped))));
}

#[tokio::test]
async fn a_stolen_kit_is_set_aside_at_once_and_revoked_by_two() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let (units, now, name) = (Units::latest(), DAY + Duration::hours(8), kit.id.to_string());
    let (one, other) = (account("one"), account("other"));
    kits::revoke(&db, units, &name, "mất cắp", &one, now).await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM kit WHERE revoked_at IS NOT NULL").await, 0);
    assert_eq!(send(&db, vec![kit.packet(1, 1)]).await, KEPT);
    assert_eq!(reasons(&db).await, [(1, Some(Reason::KitDoubted))]);
    for not_two in [&one, &domain::Actor::Centre] {
        assert!(kits::confirm(&db, units, &name, None, not_two, now).await.is_err());
        assert!(kits::keep(&db, units, &name, None, not_two, now).await.is_err());
    }
    assert_eq!(kits::keep(&db, units, &name, None, &other, now).await.unwrap(), 1, "found under the seat");
    assert_eq!(opened(&db).await, 1);
    kits::revoke(&db, units, &name, "mất cắp thật", &other, now).await.unwrap();
    assert_eq!(kits::confirm(&db, units, &name, None, &one, now).await.unwrap().0, kits::Confirmed::Revoked);
    assert_eq!(send(&db, vec![kit.packet(2, 2)]).await, KEPT);
    assert_eq!(reasons(&db).await[1], (2, Some(Reason::KitRevoked)));
    let reason: String =
        sqlx::query_scalar("SELECT revoked_reason FROM kit").fetch_one(db.work()).await.unwrap();
    assert_eq!(reason, "mất cắp thật");
    sound(&db).await;
}

/// One commander proposes that a stopped kit goes on; before a colleague answers, it turns out to be
/// stolen. Who saw the first proposal neither confirms nor withdraws the second.
#[tokio::test]
async fn a_stolen_kit_is_not_saved_by_a_page_that_is_out_of_date() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let (units, now, name) = (Units::latest(), DAY + Duration::hours(8), kit.id.to_string());
    let (one, other) = (account("one"), account("other"));
    sqlx::query("UPDATE kit SET stopped_at = $1, stopped_for = 'chain_broken'")
        .bind(now)
        .execute(db.admin())
        .await
        .unwrap();
    kits::resume(&db, units, &name, "ổ đĩa được phục hồi", &one, now).await.unwrap();
    let (first, later) = (Some(now), now + Duration::MINUTE);
    kits::revoke(&db, units, &name, "mất cắp", &one, later).await.unwrap();
    for answer in [
        kits::confirm(&db, units, &name, first, &other, later).await.map(|_| ()),
        kits::keep(&db, units, &name, first, &other, later).await.map(|_| ()),
    ] {
        let why = answer.unwrap_err().to_string();
        assert!(why.contains("something else is proposed"), "{why}");
    }
    assert_eq!(count(&db, "SELECT count(*) FROM kit WHERE revoked_at IS NOT NULL").await, 0);
    assert_eq!(count(&db, "SELECT count(*) FROM kit WHERE proposed = 'revoke'").await, 1);
    let (confirmed, _) = kits::confirm(&db, units, &name, Some(later), &other, later).await.unwrap();
    assert_eq!(confirmed, kits::Confirmed::Revoked);
}

/// What a unit's commander may have opened is the unit's.
#[tokio::test]
async fn a_stolen_kits_packets_are_released_by_their_own_unit_only() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let (now, one) = (DAY + Duration::hours(8), account("one"));
    assert_eq!(send(&db, vec![kit.packet(1, 1), kit.packet(2, 2)]).await, [Outcome::Accepted; 2]);
    sqlx::query("UPDATE packet SET quarantined = 'kit_revoked', quarantined_at = $1 WHERE kit_seq = 1")
        .bind(now)
        .execute(db.admin())
        .await
        .unwrap();
    sqlx::query("UPDATE packet SET quarantined = 'not_opened', quarantined_at = $1 WHERE kit_seq = 2")
        .bind(now)
        .execute(db.admin())
        .await
        .unwrap();
    let listed = async |unit: &str| {
        let asked = store::applications::quarantine::Asked { limit: 10, ..Default::default() };
        let held = quarantine::list(&db, &UnitScope::parse(unit).unwrap(), &asked).await.unwrap();
        held.into_iter().map(|held| (held.packet.packet_id, held.packet.kit_seq, held.kit, held.officer))
    };
    let all: Vec<_> = listed("42/445").await.collect();
    let officer = || "canbo".to_owned();
    assert_eq!(all.len(), 2);
    assert!(
        all.iter().all(|(_, _, name, login)| *name == kit.id.to_string() && *login == officer()),
        "{all:?}"
    );
    assert_eq!(listed("42/446").await.len(), 0);
    let ids: Vec<_> = all.iter().map(|(id, ..)| *id).collect();
    let (neighbour, own) = (UnitScope::parse("42/446").unwrap(), UnitScope::parse("42/445/18562").unwrap());
    assert_eq!(retry(&db, &neighbour, None, &one, now).await.unwrap(), 0);
    assert_eq!(retry(&db, &neighbour, Some(&ids), &one, now).await.unwrap(), 0);
    assert!(release(&db, &neighbour, &ids, "xin giúp", &one, now).await.is_err());
    assert_eq!(quarantine::counts(&db, &own).await.unwrap().len(), 2);
    assert_eq!(retry(&db, &own, None, &one, now).await.unwrap(), 1);
    assert_eq!(release(&db, &own, &ids[..1], "đã hỏi tổ công tác", &one, now).await.unwrap(), 1);
    assert_eq!(quarantine::counts(&db, &own).await.unwrap(), []);
    sound(&db).await;
}

/// Of an officer who has none; whose are taken is what the tests of `officers` are about.
fn without_fingers(name: &str) -> officers::fingers::SealedFingers {
    let account = domain::id::AccountId::derive(DAY, &[name.as_bytes()]);
    let lacking = Some("giấy xác nhận số 7");
    officers::fingers::seal(&*centre_keys().wrapping, account, &[], lacking, &mut rng(3)).unwrap()
}

#[tokio::test]
async fn a_credential_is_issued_for_one_kit_and_ends() {
    let kit = TestKit::new(1);
    let db = centre_where(&kit, |_| {}).await;
    let (units, now) = (Units::latest(), DAY);
    let new = officers::NewCredential {
        account: domain::id::AccountId::derive(DAY, &[b"kim"]),
        login: "kim".to_owned(),
        kit: kit.id.to_string(),
        public_key: TestKit::new(5).officer_public(),
        not_after: DAY + Duration::weeks(8),
        fingers: Some(without_fingers("kim")),
    };
    let issue = async |new: &officers::NewCredential| {
        let issued = officers::issue(&db, units, new, &account("one"), now).await;
        issued.map_err(|error| error.to_string())
    };
    let (first, came) = issue(&new).await.unwrap();
    assert_eq!((first.credential_id, came), (officers::id_of(&new.public_key), kits::Came::Now));
    let (again, came) = issue(&new).await.unwrap();
    assert_eq!((again, came), (Credential { revoked_at: None, ..first }, kits::Came::Before));
    let fails = async |change: &dyn Fn(&mut officers::NewCredential), says: &str| {
        let mut other =
            officers::NewCredential { public_key: TestKit::new(6).officer_public(), ..new.clone() };
        change(&mut other);
        let error = issue(&other).await.unwrap_err();
        assert!(error.contains(says), "{error}");
    };
    fails(&|new| new.kit = "445-09".to_owned(), "there is no kit").await;
    fails(&|new| new.not_after = DAY, "over already").await;
    fails(&|new| new.not_after = DAY + Duration::days(officers::MOST_DAYS + 1), "at most").await;
    fails(&|new| new.public_key = kit.public(), "kit's own key").await;
    let somebodys = |new: &mut officers::NewCredential| {
        new.public_key = TestKit::new(5).officer_public();
        new.account = domain::id::AccountId::derive(DAY, &[b"another"]);
        new.fingers = Some(without_fingers("another"));
    };
    fails(&somebodys, "has a credential already").await;
}
