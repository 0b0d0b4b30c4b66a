//! A registered kit that lies: what one kit's key can do to the centre, and to the packets behind its own.

use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};

use crate::intake::{centre_with, count, report, send, sound};
use crate::support::*;
use domain::Actor;
use domain::application::State;
use enrol::EnrolError;
use enrol::intake::quarantine::{Reason, release, retry};
use enrol::intake::{open_received, read_contents, report_day};
use packet::Content;
use packet::message::{Outcome, Refusal};
use store::UnitScope;
use store::applications::find;
use store::applications::kits::revoke_kit;
use store::applications::quarantine::waiting;
use testkit::FreshDatabase;

/// The packet of a citizen whose content somebody else wrote.
fn packet_of(kit: &TestKit, number: u64, content: &Content) -> Vec<u8> {
    kit.seal(&envelope(kit.id, number, number), content, number)
}

fn with(number: u64, change: impl FnOnce(&mut Content)) -> Content {
    let mut content = content(number);
    change(&mut content);
    content
}

async fn state(db: &FreshDatabase, number: u64) -> Option<State> {
    let mut conn = db.begin().await.unwrap();
    find(&mut conn, application_id(number)).await.unwrap().map(|application| application.state)
}

#[tokio::test]
async fn one_kits_key_does_not_stop_the_opening_nor_hide_what_is_behind() {
    let (hostile, kit) = (TestKit::new(1), TestKit::new(2));
    let db = centre_with(&[&hostile, &kit]).await;
    let detail = |text: &str| {
        let text = text.to_owned();
        move |content: &mut Content| content.record.permanent.detail = text
    };
    let contents = [
        with(1, detail("Thôn\0 3")),
        with(2, |content| content.record.household = Some("\0".to_owned())),
        with(3, |content| content.record.blood = Some("A\0".to_owned())),
        with(4, |content| {
            content.record.current =
                Some(domain::record::Place { unit: "18562".parse().unwrap(), detail: "\u{1b}[2J".to_owned() })
        }),
        // Right to left from here on: what stands after it is shown in another order.
        with(5, detail("Thôn \u{202e}3")),
        with(6, |content| content.record.relation_to_head = Some(250)),
    ];
    let bad = contents.iter().zip(1..).map(|(content, number)| packet_of(&hostile, number, content));
    assert_eq!(send(&db, bad.collect()).await, [Outcome::Accepted; 6]);
    let good = kit.seal(&envelope(kit.id, 7, 1), &content(7), 7);
    assert_eq!(send(&db, vec![good]).await, [Outcome::Accepted]);
    for _ in 0..3 {
        open_received(&db, centre_keys(), DAY + Duration::hours(10), 100).await.unwrap();
    }
    assert_eq!(state(&db, 7).await, Some(State::Received));
    let opened = "SELECT count(*) FROM packet WHERE wrapped_key IS NOT NULL";
    assert_eq!(count(&db, opened).await, 1);
    for number in 1..=6 {
        assert_eq!(state(&db, number).await, Some(State::Rejected), "citizen {number}");
    }
    sound(&db).await;
}

#[tokio::test]
async fn a_packet_of_the_year_9999_is_not_taken_over_and_breaks_nothing() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    let dated = |number: u64, at: OffsetDateTime| {
        let mut envelope = envelope(kit.id, number, number);
        envelope.captured_at = at;
        kit.seal(&envelope, &content(number), number)
    };
    let batch = vec![
        dated(1, datetime!(9999-12-31 23:59:59 UTC)),
        dated(2, datetime!(-4000-01-01 00:00 UTC)),
        kit.packet(3, 3),
    ];
    let malformed = Outcome::Refused(Refusal::Malformed);
    assert_eq!(send(&db, batch).await, [malformed, malformed, Outcome::Accepted]);
    let mut last = report(kit.id, &[4], 1, 4);
    last.captures[0].captured_at = datetime!(9999-12-31 23:59:59 UTC);
    let mut endless = report(kit.id, &[4], 1, 4);
    endless.captured_total = i64::MAX as u64;
    let mut owing = report(kit.id, &[4], 1, 4);
    owing.unsent = i64::MAX as u64;
    let mut dayless = report(kit.id, &[4], 1, 4);
    dayless.day = date!(9999 - 12 - 31);
    for report in [last, endless, owing, dayless] {
        let message = report.sign(&kit.signer).unwrap();
        report_day(&db, &message, DAY + Duration::hours(9)).await.unwrap_err();
    }
    let summary = open_received(&db, centre_keys(), DAY + Duration::hours(10), 100).await.unwrap();
    assert_eq!((summary.opened, summary.rejected), (1, 0));
    sound(&db).await;
}

#[tokio::test]
async fn a_wrong_clock_decides_nothing_and_is_kept_beside_the_centres_own_time() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    // Seven years old by the centre's calendar, and fourteen by the kit's.
    let child = with(1, |content| {
        content.record.birth = domain::PartialDate::parse("07/04/2014").unwrap();
        content.record.pin = None;
    });
    let mut ahead = envelope(kit.id, 1, 1);
    ahead.captured_at = datetime!(2028-05-01 02:00 UTC);
    let mut behind = envelope(kit.id, 2, 2);
    behind.captured_at = datetime!(2018-01-01 00:00 UTC);
    let packets = vec![kit.seal(&ahead, &child, 1), kit.seal(&behind, &content(2), 2)];
    assert_eq!(send(&db, packets).await, [Outcome::Accepted; 2]);
    let summary = open_received(&db, centre_keys(), DAY + Duration::hours(10), 100).await.unwrap();
    assert_eq!((summary.opened, summary.rejected), (1, 1), "the child is too young, the adult is not");
    let outside = "SELECT count(*) FROM application \
                   WHERE captured_at NOT BETWEEN '2021-04-06 01:00Z' AND '2021-04-06 10:00Z'";
    assert_eq!(count(&db, outside).await, 0);
    let kept = "SELECT count(*) FROM application \
                WHERE kit_clock_at IN ('2028-05-01 02:00Z', '2018-01-01 00:00Z')";
    assert_eq!(count(&db, kept).await, 2);
    sound(&db).await;
}

#[tokio::test]
async fn what_cannot_be_written_is_tried_again_and_then_set_aside_alone() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, (1..=5).map(|number| kit.packet(number, number)).collect()).await;
    // A fault of ours that nobody foresaw: the server refuses what one packet holds, whatever it is.
    sqlx::raw_sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON application_record FOR EACH ROW \
         WHEN (NEW.record ->> 'pin' LIKE '%000003') EXECUTE FUNCTION refuse()",
    )
    .execute(db.admin())
    .await
    .unwrap();
    let mut set_aside = 0;
    for _ in 0..10 {
        let summary = open_received(&db, centre_keys(), DAY + Duration::hours(10), 100).await.unwrap();
        set_aside += summary.quarantined;
    }
    assert_eq!(set_aside, 1);
    assert_eq!(count(&db, "SELECT count(*) FROM packet WHERE wrapped_key IS NOT NULL").await, 4);
    assert_eq!(count(&db, "SELECT count(*) FROM packet WHERE quarantined = 'not_opened'").await, 1);
    assert_eq!(state(&db, 3).await, Some(State::Received), "nothing is decided about the citizen");
    sqlx::raw_sql("DROP TRIGGER refuse ON application_record").execute(db.admin()).await.unwrap();
    assert_eq!(
        retry(&db, &UnitScope::everything(), None, &Actor::Centre, DAY + Duration::hours(10)).await.unwrap(),
        1
    );
    let summary = open_received(&db, centre_keys(), DAY + Duration::hours(10), 100).await.unwrap();
    assert_eq!((summary.opened, summary.failed), (1, 0));
    sound(&db).await;
}

/// Two packets that were opened, and what somebody who may write to the database does to their rows.
async fn altered(what: &str) {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1), kit.packet(2, 2), kit.packet(3, 3)]).await;
    let now = DAY + Duration::hours(10);
    assert_eq!(open_received(&db, centre_keys(), now, 100).await.unwrap().opened, 3);
    sqlx::raw_sql(sqlx::AssertSqlSafe(what)).execute(db.admin()).await.unwrap();

    let all = [application_id(1), application_id(2), application_id(3)];
    for _ in 0..2 {
        let contents = read_contents(&db, centre_keys(), &all, now).await.unwrap();
        for (application, content) in &contents.opened {
            let own = (1..=3).find(|number| application_id(*number) == *application).unwrap();
            assert!(*content == self::content(own), "{what}: another's photo");
        }
        assert_eq!((contents.opened.len(), contents.altered.len()), (1, 2), "{what}");
    }
    let audited = "SELECT count(*) FROM audit WHERE action = 'packet.set_aside'";
    assert_eq!(count(&db, audited).await, 2, "{what}: each is found once");
    let first = [envelope(kit.id, 1, 1).packet_id];
    let why = release(&db, &UnitScope::everything(), &first, "vội", &Actor::Centre, now).await.unwrap_err();
    assert!(matches!(&why, EnrolError::Packet(said) if said.contains("altered")), "{why}");
}

/// Pairs each of the two rows with the other.
const OTHER: &str = "FROM packet o WHERE p.kit_seq < 3 AND o.kit_seq = 3 - p.kit_seq";

#[tokio::test]
async fn two_packet_rows_that_are_swapped_are_found_at_once() {
    // The attack that was done: both cards were signed with the other's photo.
    altered(&format!("UPDATE packet p SET sealed = o.sealed, wrapped_key = o.wrapped_key {OTHER}")).await;
    let all = "sealed = o.sealed, sha256 = o.sha256, wrapped_key = o.wrapped_key";
    altered(&format!("UPDATE packet p SET {all} {OTHER}")).await;
    altered(&format!("UPDATE packet p SET sealed = o.sealed {OTHER}")).await;
    altered(&format!("UPDATE packet p SET wrapped_key = o.wrapped_key {OTHER}")).await;
    altered(&format!("UPDATE packet p SET application_id = o.application_id {OTHER}")).await;
    altered("UPDATE packet SET kit_id = gen_random_uuid() WHERE kit_seq < 3").await;
    altered("UPDATE packet SET credential_id = gen_random_uuid() WHERE kit_seq < 3").await;
    altered(
        "UPDATE packet SET content = 'recapture', base_application_id = gen_random_uuid() WHERE kit_seq < 3",
    )
    .await;
}

#[tokio::test]
async fn two_packet_rows_that_are_swapped_before_they_are_opened_cost_nobody_the_application() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1), kit.packet(2, 2), kit.packet(3, 3)]).await;
    let swap = format!("UPDATE packet p SET sealed = o.sealed {OTHER}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(swap.clone())).execute(db.admin()).await.unwrap();
    let now = DAY + Duration::hours(10);
    let summary = open_received(&db, centre_keys(), now, 100).await.unwrap();
    assert_eq!((summary.opened, summary.rejected, summary.quarantined), (1, 0, 2));
    for number in 1..=2 {
        assert_eq!(state(&db, number).await, Some(State::Received), "citizen {number} did nothing wrong");
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(swap)).execute(db.admin()).await.unwrap();
    assert_eq!(retry(&db, &UnitScope::everything(), None, &Actor::Centre, now).await.unwrap(), 2);
    assert_eq!(open_received(&db, centre_keys(), now, 100).await.unwrap().opened, 2);
    sound(&db).await;
}

#[tokio::test]
async fn a_kit_that_an_administrator_makes_up_cannot_replace_what_was_opened() {
    let (kit, made_up) = (TestKit::new(1), TestKit::new(9));
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1)]).await;
    let now = DAY + Duration::hours(10);
    open_received(&db, centre_keys(), now, 100).await.unwrap();
    // The row is the victim's, the key and the packet are the administrator's: every signature holds.
    let mut made_up = made_up;
    made_up.id = kit.id;
    let forged = made_up.seal(&envelope(kit.id, 1, 1), &content(5), 5);
    let points =
        [TestKit::new(9).public(), TestKit::new(9).officer_public()].map(|key| key.to_point().to_vec());
    for (sql, point) in
        ["UPDATE kit SET public_key = $1", "UPDATE officer_credential SET public_key = $1"].iter().zip(points)
    {
        sqlx::query(*sql).bind(point).execute(db.admin()).await.unwrap();
    }
    sqlx::query("UPDATE packet SET sealed = $1").bind(&forged).execute(db.admin()).await.unwrap();
    let contents = read_contents(&db, centre_keys(), &[application_id(1)], now).await.unwrap();
    assert_eq!((contents.opened.len(), contents.altered.len()), (0, 1));
}

/// Everybody may seal for the centre, whose key is public: before a packet is opened nothing but the
/// signatures says who wrote it.
#[tokio::test]
async fn what_an_administrator_seals_in_the_place_of_an_unopened_packet_is_not_opened() {
    let (kit, made_up) = (TestKit::new(1), TestKit::new(9));
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1)]).await;
    // The envelope is the victim's to the letter; the keys are the administrator's, one of them or both.
    let envelope = envelope(kit.id, 1, 1);
    let sealed = |kit: &dyn pki::Signer, officer: &dyn pki::Signer| {
        let signers = packet::Signers { kit, officer };
        packet::seal(&envelope, &content(5).into(), signers, &centre_public(), &mut rng(5)).unwrap()
    };
    let now = DAY + Duration::hours(10);
    for forged in [
        sealed(&made_up.signer, &made_up.officer),
        sealed(&made_up.signer, &kit.officer),
        sealed(&kit.signer, &made_up.officer),
    ] {
        sqlx::query("UPDATE packet SET sealed = $1, sha256 = sha256($1), quarantined = NULL")
            .bind(&forged)
            .execute(db.admin())
            .await
            .unwrap();
        let summary = open_received(&db, centre_keys(), now, 100).await.unwrap();
        assert_eq!((summary.opened, summary.rejected, summary.quarantined), (0, 0, 1));
        assert_eq!(state(&db, 1).await, Some(State::Received), "the citizen did nothing wrong");
    }
}

/// Who sealed a packet knows its content key and may sign another content with it. Signatures, ids and key
/// all hold then: only that the key is bound to the sealed bytes stops it.
#[tokio::test]
async fn a_kit_and_an_administrator_cannot_replace_what_was_opened() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1)]).await;
    let now = DAY + Duration::hours(10);
    assert_eq!(open_received(&db, centre_keys(), now, 100).await.unwrap().opened, 1);
    // From the same random numbers, and so under the same content key, with somebody else's face.
    let forged = kit.seal(&envelope(kit.id, 1, 1), &content(5), 1);
    sqlx::query("UPDATE packet SET sealed = $1, sha256 = sha256($1)")
        .bind(&forged)
        .execute(db.admin())
        .await
        .unwrap();
    let contents = read_contents(&db, centre_keys(), &[application_id(1)], now).await.unwrap();
    assert!(contents.opened.iter().all(|(_, opened)| *opened != content(5)), "another's content");
    assert_eq!((contents.opened.len(), contents.altered.len()), (0, 1));
}

#[tokio::test]
async fn what_a_revoked_kit_sends_is_kept_and_not_opened_before_somebody_says_so() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    send(&db, vec![kit.packet(1, 1)]).await;
    let mut conn = db.begin().await.unwrap();
    assert!(revoke_kit(&mut conn, kit.id, DAY + Duration::hours(9)).await.unwrap());
    conn.commit().await.unwrap();
    assert_eq!(send(&db, vec![kit.packet(1, 1), kit.packet(2, 2)]).await, [Outcome::Accepted; 2]);
    let now = DAY + Duration::hours(10);
    assert_eq!(open_received(&db, centre_keys(), now, 100).await.unwrap().opened, 1);
    let mut conn = db.begin().await.unwrap();
    let set_aside = waiting(&mut conn, false, 10).await.unwrap();
    conn.rollback().await.unwrap();
    let [packet] = set_aside.as_slice() else { panic!("{set_aside:?}") };
    assert_eq!(packet.quarantined.as_deref().and_then(Reason::from_code), Some(Reason::KitRevoked));
    assert_eq!(
        retry(&db, &UnitScope::everything(), None, &Actor::Centre, now).await.unwrap(),
        0,
        "nobody's word was given"
    );
    let id = [packet.packet_id];
    for why in ["", " ", &"x".repeat(201)] {
        assert!(release(&db, &UnitScope::everything(), &id, why, &Actor::Centre, now).await.is_err());
    }
    assert_eq!(
        release(&db, &UnitScope::everything(), &id, "đội đã xác nhận", &Actor::Centre, now).await.unwrap(),
        1
    );
    assert!(release(&db, &UnitScope::everything(), &id, "lần nữa", &Actor::Centre, now).await.is_err());
    assert_eq!(open_received(&db, centre_keys(), now, 100).await.unwrap().opened, 1);
    sound(&db).await;
}
