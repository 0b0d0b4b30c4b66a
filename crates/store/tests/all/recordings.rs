//! The recorded actions as a part of the audit trail: the database's own administrator is the attacker.

use sqlx::AssertSqlSafe;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use domain::Actor;
use domain::application::{Action, Kind as Application};
use domain::id::{ApplicationId, KitId};
use store::Database;
use store::applications::{NewApplication, Transition, create, record};
use store::audit;
use store::recordings::{self, Break, Kind, Verdict};
use testkit::{FreshDatabase, fresh_database};

const DAY: OffsetDateTime = datetime!(2021-04-06 01:00:00.123456789 UTC);

fn id(number: u32) -> ApplicationId {
    ApplicationId::derive(DAY, &[&number.to_be_bytes()])
}

/// Captures five applications and receives them, in two calls.
async fn ten_actions(db: &Database, first: u32) {
    let mut tx = db.begin().await.unwrap();
    let new = |number: u32| NewApplication {
        application_id: id(number),
        kit_id: KitId::derive(DAY, &[b"kit"]),
        kind: Application::New,
        unit: "18562".parse().unwrap(),
        unit_path: "42/445/18562/".to_owned(),
        captured_at: DAY,
        kit_clock_at: None,
        actor: Actor::Kit(KitId::derive(DAY, &[b"kit"])),
    };
    let numbers = first..first + 5;
    create(&mut tx, DAY, &numbers.clone().map(new).collect::<Vec<_>>()).await.unwrap();
    let received = numbers.map(|number| Transition {
        application_id: id(number),
        action: Action::Receive,
        at: DAY + Duration::hours(1),
        actor: Actor::Centre,
        reference: Some(id(number).uuid()),
        // What `jsonb` writes in another way than this program.
        detail: Some(serde_json::json!({ "b": 1e16, "a": [1.0, -0.0, 1e-7, "ơ\n"], "n": null })),
    });
    record(&mut tx, DAY + Duration::hours(2), &received.collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn verdict(db: &Database) -> Verdict {
    recordings::verify(&mut db.begin_snapshot().await.unwrap()).await.unwrap()
}

async fn run(db: &FreshDatabase, sql: &str) -> u64 {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(db.admin()).await.unwrap().rows_affected()
}

/// Ten actions of which a seal knows, and ten of which none does.
async fn sealed_and_not() -> FreshDatabase {
    let db = fresh_database().await;
    ten_actions(&db, 1).await;
    let sealed = recordings::seal(&db, DAY).await.unwrap();
    // Two calls, and the two empty ones of before.
    assert_eq!((sealed.seals, sealed.recordings, sealed.actions), (1, 4, 10));
    ten_actions(&db, 11).await;
    assert_eq!(verdict(&db).await, Verdict::Intact { actions: 20, unsealed: 10 });
    db
}

#[tokio::test]
async fn the_database_altered_the_actions_of_applications() {
    let check = async |sql: &str, how: Break, near: Option<(u32, i16)>| {
        let db = sealed_and_not().await;
        assert!(run(&db, sql).await > 0, "{sql}");
        let Verdict::Broken(broken) = verdict(&db).await else { panic!("{sql}: it is said to be intact") };
        assert_eq!(broken.how, how, "{sql}: {broken:?}");
        if let Some((number, seq)) = near {
            assert_eq!(broken.near, Some((id(number).uuid(), seq)), "{sql}");
            assert_eq!(broken.kind, Some(Kind::Application));
        }
        // The trail alone says nothing of it.
        let trail = audit::verify_snapshot(&db).await.unwrap();
        assert!(matches!(trail, audit::Verdict::Intact { rows: 1 }), "{trail:?}");
    };
    let of = |number: u32| id(number).to_string();
    for set in [
        "actor = 'printer'",
        "action = 'accept'",
        "at = at + interval '1 microsecond'",
        "recorded_at = recorded_at - interval '1 day'",
        "ref = NULL",
        "detail = NULL",
        "detail = jsonb_set(detail, '{b}', '2')",
    ] {
        for number in [3, 13] {
            let sql = format!(
                "UPDATE application_action SET {set} WHERE application_id = '{}' AND seq = 2",
                of(number)
            );
            check(&sql, Break::Altered, Some((number, 2))).await;
        }
    }
    check(
        &format!("DELETE FROM application_action WHERE application_id = '{}'", of(3)),
        Break::Missing,
        None,
    )
    .await;
    check("DELETE FROM application_action", Break::Missing, None).await;
    let more = "INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor, \
                recording) \
                SELECT application_id, 3, 'accept', at, recorded_at, 'centre', ";
    for (recording, near) in [
        // In the recording of another action, in one of its own, and as if from before there were any, which
        // keeps no marks by which the action would be named.
        ("recording", Some((3, 3))),
        ("gen_random_uuid()", Some((3, 3))),
        ("'00000000-0000-0000-0000-000000000000'", None),
    ] {
        let from = format!("FROM application_action WHERE application_id = '{}' AND seq = 2", of(3));
        check(&format!("{more}{recording} {from}"), Break::Inserted, near).await;
    }
    check("UPDATE recording SET digest = sha256('x') WHERE actions > 0", Break::Recording, None).await;
}

#[tokio::test]
async fn the_database_rewrote_an_application_with_its_recording() {
    // The attacker knows the program: one recording is taken out and made anew by the program's own code,
    // with another officer.
    let forge = async |seal: &str| {
        let db = sealed_and_not().await;
        let before: i64 =
            sqlx::query_scalar("SELECT count(*) FROM recording").fetch_one(db.admin()).await.unwrap();
        run(
            &db,
            "DELETE FROM recording WHERE actions > 0 AND seal = 1; DELETE FROM application_action x WHERE \
             recording NOT IN (SELECT recording_id FROM recording); \
             DELETE FROM application a WHERE NOT EXISTS \
             (SELECT FROM application_action x WHERE x.application_id = a.application_id)",
        )
        .await;
        ten_actions(&db, 1).await;
        let recordings = "UPDATE recording SET seal = ";
        run(
            &db,
            &format!(
                "{recordings}{seal} WHERE recording_id IN (SELECT recording FROM application_action \
                 WHERE application_id = '{}')",
                id(1)
            ),
        )
        .await;
        let after: i64 =
            sqlx::query_scalar("SELECT count(*) FROM recording").fetch_one(db.admin()).await.unwrap();
        assert_eq!(after, before);
        // That it is sealed again, as the program does every few minutes, hides nothing.
        recordings::seal(&db, DAY).await.unwrap();
        match verdict(&db).await {
            Verdict::Broken(broken) => (broken.how, broken.seal),
            Verdict::Intact { .. } => panic!("rewritten under seal {seal}, and said to be intact"),
        }
    };
    assert_eq!(forge("1").await, (Break::Seal, Some(1)));
    assert_eq!(forge("NULL").await, (Break::Seal, Some(1)));
    assert_eq!(forge("7").await, (Break::Seal, Some(1)));
}

#[tokio::test]
async fn a_whole_application_that_is_removed_with_its_recordings_is_missed() {
    let db = sealed_and_not().await;
    run(
        &db,
        "DELETE FROM application WHERE true; DELETE FROM application_action; DELETE FROM recording WHERE \
         actions > 0",
    )
    .await;
    let Verdict::Broken(broken) = verdict(&db).await else { panic!("nothing is left, and it is intact") };
    assert_eq!((broken.how, broken.seal), (Break::Seal, Some(1)));
}

#[tokio::test]
async fn actions_of_before_are_sealed_as_they_are_found() {
    let db = fresh_database().await;
    ten_actions(&db, 1).await;
    // As a release without recordings has written them.
    run(
        &db,
        "UPDATE application_action SET recording = '00000000-0000-0000-0000-000000000000'; DELETE FROM \
         recording",
    )
    .await;
    assert_eq!(verdict(&db).await, Verdict::Intact { actions: 10, unsealed: 10 });
    ten_actions(&db, 11).await;
    assert_eq!(recordings::seal(&db, DAY).await.unwrap().actions, 20);
    assert_eq!(recordings::seal(&db, DAY).await.unwrap().seals, 0, "nothing is new");
    assert_eq!(verdict(&db).await, Verdict::Intact { actions: 20, unsealed: 0 });
    run(&db, "UPDATE application_action SET actor = 'printer' WHERE seq = 1").await;
    assert!(matches!(verdict(&db).await, Verdict::Broken(broken) if broken.how == Break::Altered));
}

#[tokio::test]
async fn who_records_does_not_wait_for_a_seal() {
    let db = fresh_database().await;
    ten_actions(&db, 1).await;
    let mut open = db.begin().await.unwrap();
    let step = Transition {
        application_id: id(1),
        action: Action::Accept,
        at: DAY,
        actor: Actor::Centre,
        reference: None,
        detail: None,
    };
    record(&mut open, DAY, &[step]).await.unwrap();
    // A transaction that is open is not sealed, and what it wrote is sealed the next time.
    assert_eq!(recordings::seal(&db, DAY).await.unwrap().actions, 10);
    open.commit().await.unwrap();
    assert_eq!(recordings::seal(&db, DAY).await.unwrap().actions, 1);
    assert_eq!(verdict(&db).await, Verdict::Intact { actions: 11, unsealed: 0 });
}
