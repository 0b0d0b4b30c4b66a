//! Recorded actions against a real database.

use std::time::Instant;

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use domain::Actor;
use domain::application::{Action, Kind, LifeError, State};
use domain::id::{ApplicationId, KitId};
use store::applications::{
    NewApplication, Recorded, Transition, by_state, check_folds, create, find, record, timeline,
};

const DAY: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

fn id(number: u32) -> ApplicationId {
    ApplicationId::derive(DAY, &[&number.to_be_bytes()])
}

fn new(number: u32) -> NewApplication {
    NewApplication {
        application_id: id(number),
        kit_id: KitId::derive(DAY, &[b"kit"]),
        kind: Kind::New,
        unit: "18562".parse().unwrap(),
        unit_path: "42/445/18562/".to_owned(),
        captured_at: DAY + Duration::seconds(i64::from(number)),
        kit_clock_at: None,
        actor: Actor::Kit(KitId::derive(DAY, &[b"kit"])),
    }
}

fn step(number: u32, action: Action) -> Transition {
    Transition {
        application_id: id(number),
        action,
        at: DAY + Duration::hours(2),
        actor: Actor::Centre,
        reference: None,
        detail: Some(serde_json::json!({ "code": 7 })),
    }
}

#[tokio::test]
async fn the_state_is_the_fold_of_the_recorded_actions() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let recorded_at = DAY + Duration::hours(3);
    assert_eq!(create(&mut tx, recorded_at, &[new(2), new(1), new(2)]).await.unwrap(), 2);
    assert_eq!(create(&mut tx, recorded_at, &[new(1)]).await.unwrap(), 0, "an existing one stays as it is");
    let transitions = [
        step(1, Action::Receive),
        step(1, Action::Print),
        step(2, Action::Receive),
        step(1, Action::Accept),
        step(3, Action::Receive),
    ];
    let recorded = record(&mut tx, recorded_at, &transitions).await.unwrap();
    let refused = vec![
        (id(1), LifeError::NotAllowed { state: State::Received, action: Action::Print }),
        (id(3), LifeError::NoBeginning(Action::Receive)),
    ];
    assert_eq!(recorded, Recorded { applied: 3, refused });

    let first = find(&mut tx, id(1)).await.unwrap().unwrap();
    assert_eq!((first.state, first.state_since), (State::Accepted, DAY + Duration::hours(2)));
    assert_eq!(first.received_at, Some(recorded_at));
    let steps = timeline(&mut tx, id(1)).await.unwrap();
    let told: Vec<_> = steps.iter().map(|step| (step.seq, step.action)).collect();
    assert_eq!(told, [(1, Action::Capture), (2, Action::Receive), (3, Action::Accept)]);
    assert_eq!(steps[0].at, DAY + Duration::seconds(1));
    assert_eq!(steps[2].detail, Some(serde_json::json!({ "code": 7 })));
    assert!(find(&mut tx, id(3)).await.unwrap().is_none());
    assert!(record(&mut tx, DAY, &[step(3, Action::Capture)]).await.is_err());
    assert_eq!(check_folds(&mut tx).await.unwrap(), []);
}

#[tokio::test]
async fn a_queue_is_ordered_by_capture_and_limited() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    create(&mut tx, DAY, &[new(3), new(1), new(2), new(4)]).await.unwrap();
    record(&mut tx, DAY, &[step(2, Action::Receive)]).await.unwrap();
    let queue = by_state(&mut tx, State::Captured, 2).await.unwrap();
    assert_eq!(queue.iter().map(|a| a.application_id).collect::<Vec<_>>(), [id(1), id(3)]);
}

#[tokio::test]
async fn every_kind_of_disagreement_is_found() {
    let db = testkit::fresh_database().await;
    let mut tx = db.admin().begin().await.unwrap();
    create(&mut tx, DAY, &[new(1), new(2), new(3), new(4), new(5)]).await.unwrap();
    record(&mut tx, DAY, &(1..=5).map(|n| step(n, Action::Receive)).collect::<Vec<_>>()).await.unwrap();
    for (sql, number) in [
        ("UPDATE application SET state = 'printed' WHERE application_id = $1", 1),
        ("UPDATE application SET actions = 5 WHERE application_id = $1", 2),
        ("UPDATE application_action SET seq = 7 WHERE application_id = $1 AND seq = 2", 3),
        ("DELETE FROM application WHERE application_id = $1", 4),
    ] {
        sqlx::query(sql).bind(id(number).uuid()).execute(&mut *tx).await.unwrap();
    }
    let mut expected = vec![id(1), id(2), id(3), id(4)];
    expected.sort_unstable();
    assert_eq!(check_folds(&mut tx).await.unwrap(), expected);
}

#[tokio::test]
async fn two_stages_at_once_do_not_both_move_an_application() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    create(&mut tx, DAY, &(0..200).map(new).collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
    let forward: Vec<_> = (0..200).map(|n| step(n, Action::Receive)).collect();
    let backward: Vec<_> = forward.iter().rev().cloned().collect();
    let run = async |transitions: Vec<Transition>| {
        let mut tx = db.begin().await.unwrap();
        let recorded = record(&mut tx, DAY, &transitions).await.unwrap();
        tx.commit().await.unwrap();
        recorded
    };
    let (one, other) = tokio::join!(run(forward), run(backward));
    assert_eq!(one.applied + other.applied, 200);
    assert_eq!(one.refused.len() + other.refused.len(), 200);
    let mut conn = db.begin().await.unwrap();
    assert_eq!(check_folds(&mut conn).await.unwrap(), []);
}

/// Prints the rate; the floor is far below what is measured, so that a busy machine does not fail it.
#[tokio::test]
async fn five_thousand_at_a_time_are_quick() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    create(&mut tx, DAY, &(0..5000).map(new).collect::<Vec<_>>()).await.unwrap();
    let begun = Instant::now();
    let actions = [Action::Receive, Action::Accept, Action::Batch, Action::Print];
    for action in actions {
        let transitions: Vec<_> = (0..5000).map(|n| step(n, action)).collect();
        assert_eq!(record(&mut tx, DAY, &transitions).await.unwrap().applied, 5000);
    }
    tx.commit().await.unwrap();
    let rate = 20_000.0 / begun.elapsed().as_secs_f64();
    println!("{rate:.0} transitions/s");
    assert!(rate > 2_000.0, "{rate:.0} transitions/s");
}
