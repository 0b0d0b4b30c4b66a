//! The life of cards at the database: what the one door lets through, what it writes, and what it makes of
//! the cards of before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sqlx::Connection;
use sqlx::migrate::Migrator;
use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};

use domain::Actor;
use domain::blank::SpoilReason;
use domain::card::{CardAction, CardState, ReinstateReason, RevokeReason, SuspendReason, next};
use domain::id::{ApplicationId, CardId, PersonId};
use store::cards::history::{check_folds, timeline};
use store::cards::record::{Handed, Transition, hand_over, intend, record, sign};
use store::cards::{IntendedCard, SignedCard};
use store::{Database, Error, PgConnection};
use testkit::{FreshDatabase, fresh_database};

const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

fn card(number: u16) -> CardId {
    CardId::derive(NOW, &[&number.to_be_bytes()])
}

fn application(number: u16) -> ApplicationId {
    ApplicationId::derive(NOW, &[&number.to_be_bytes()])
}

fn intended(number: u16, person: u16) -> IntendedCard {
    IntendedCard {
        card_id: card(number),
        number: format!("{number:010}"),
        application_id: application(number),
        person_id: PersonId::derive(NOW, &[&person.to_be_bytes()]),
        pin: format!("{person:012}"),
        issued_on: date!(2021 - 04 - 06),
        expires_on: Some(date!(2031 - 04 - 06)),
        ds_serial: "01".to_owned(),
        token_sha256: number.to_be_bytes().to_vec(),
        face: serde_json::json!({}),
        unit_code: "18562".to_owned(),
        unit_path: "42/445/18562/".to_owned(),
    }
}

fn signed(number: u16) -> SignedCard {
    let bytes = || number.to_be_bytes().to_vec();
    let (card_id, qr) = (card(number), String::new());
    SignedCard { card_id, token_sha256: bytes(), dg1: bytes(), dg13: bytes(), sod: bytes(), qr }
}

fn step(number: u16, action: CardAction) -> Transition {
    Transition { card_id: card(number), action, at: NOW, actor: Actor::Centre }
}

async fn add(tx: &mut PgConnection, number: u16, person: u16) {
    intend(tx, &[intended(number, person)], &Actor::Centre, NOW).await.unwrap();
}

/// The actions that lead to a state, after the intent.
fn way_to(state: CardState) -> Vec<CardAction> {
    let in_hand = [CardAction::Sign, CardAction::Personalise, CardAction::HandOver];
    let then = |last: CardAction| in_hand.into_iter().chain([last]).collect();
    match state {
        CardState::Intended => vec![],
        CardState::Signed => in_hand[..1].to_vec(),
        CardState::Personalised => in_hand[..2].to_vec(),
        CardState::Active => in_hand.to_vec(),
        CardState::Suspended => then(CardAction::Suspend(SuspendReason::Lost)),
        CardState::Spoiled => vec![CardAction::Sign, CardAction::Spoil(SpoilReason::Printer)],
        CardState::Replaced => then(CardAction::Replace),
        CardState::Expired => then(CardAction::Expire),
        CardState::Revoked => then(CardAction::Revoke(RevokeReason::HolderDied)),
    }
}

/// Card `number` of a person of its own, brought to `state`.
async fn bring(tx: &mut PgConnection, number: u16, state: CardState) {
    add(tx, number, number).await;
    for action in way_to(state) {
        match action {
            CardAction::Sign => {
                assert_eq!(sign(tx, "01", &[signed(number)], &Actor::Centre, NOW).await.unwrap(), 1);
            }
            action => assert_eq!(record(tx, NOW, &[step(number, action)]).await.unwrap().applied, 1),
        }
    }
    assert_eq!(stored(tx, number).await, state);
}

async fn stored(tx: &mut PgConnection, number: u16) -> CardState {
    let code: String = sqlx::query_scalar("SELECT state FROM card WHERE card_id = $1")
        .bind(card(number).uuid())
        .fetch_one(tx)
        .await
        .unwrap();
    CardState::from_code(&code).unwrap()
}

async fn is_sound(tx: &mut PgConnection) {
    assert_eq!(check_folds(tx).await.unwrap(), []);
}

#[tokio::test]
async fn every_state_and_action_at_the_door() {
    let db = fresh_database().await;
    let mut number = 0;
    for state in CardState::ALL {
        let mut tx = db.begin().await.unwrap();
        let actions: Vec<CardAction> = CardAction::all().collect();
        let first = number;
        for _ in &actions {
            number += 1;
            bring(&mut tx, number, state).await;
        }
        for (action, number) in actions.into_iter().zip(first + 1..) {
            let expected = next(Some(state), action);
            let before = timeline(&mut tx, application(number), card(number)).await.unwrap();
            // The signature is stored with the action.
            if (action, &expected) == (CardAction::Sign, &Ok(CardState::Signed)) {
                assert!(record(&mut tx, NOW, &[step(number, action)]).await.is_err());
                continue;
            }
            let came = record(&mut tx, NOW, &[step(number, action)]).await.unwrap();
            let after = timeline(&mut tx, application(number), card(number)).await.unwrap();
            match expected {
                Ok(to) => {
                    assert_eq!((came.applied, stored(&mut tx, number).await), (1, to), "{state} {action:?}");
                    assert_eq!(after.last().unwrap().action, action);
                    assert_eq!(after.len(), before.len() + 1);
                }
                Err(refusal) => {
                    assert_eq!(came.refused, [(card(number), refusal)], "{state} {action:?}");
                    assert_eq!(stored(&mut tx, number).await, state);
                    assert_eq!(after, before);
                }
            }
        }
        is_sound(&mut tx).await;
        store::commit(tx).await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_card_is_refused_and_a_list_is_judged_step_by_step() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    bring(&mut tx, 1, CardState::Active).await;
    let suspend = CardAction::Suspend(SuspendReason::Stolen);
    let steps = [
        step(9, suspend),
        step(1, suspend),
        step(1, suspend),
        step(1, CardAction::Reinstate(ReinstateReason::Found)),
        step(1, CardAction::Revoke(RevokeReason::Surrendered)),
    ];
    let came = record(&mut tx, NOW, &steps).await.unwrap();
    assert_eq!(came.applied, 3);
    assert_eq!(came.refused.iter().map(|(card, _)| *card).collect::<Vec<_>>(), [card(9), card(1)]);
    let codes: Vec<(i16, &str, Option<&str>)> = timeline(&mut tx, application(1), card(1))
        .await
        .unwrap()
        .iter()
        .map(|step| (step.seq, step.action.code(), step.action.reason()))
        .collect();
    let expected = [
        (1, "intend", None),
        (2, "sign", None),
        (3, "personalise", None),
        (4, "hand_over", None),
        (5, "suspend", Some("stolen")),
        (6, "reinstate", Some("found")),
        (7, "revoke", Some("surrendered")),
    ];
    assert_eq!(codes, expected);
    is_sound(&mut tx).await;
}

#[tokio::test]
async fn a_token_is_redeemed_once_and_by_its_own_card() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    add(&mut tx, 1, 1).await;
    add(&mut tx, 2, 2).await;
    let foreign = SignedCard { card_id: card(1), ..signed(2) };
    let one = [foreign, signed(2), signed(2)];
    assert_eq!(sign(&mut tx, "02", &one, &Actor::Centre, NOW).await.unwrap(), 1);
    assert_eq!(sign(&mut tx, "03", &one, &Actor::Centre, NOW).await.unwrap(), 0);
    assert_eq!(stored(&mut tx, 1).await, CardState::Intended);
    let serials: Vec<String> =
        sqlx::query_scalar("SELECT ds_serial FROM card ORDER BY number").fetch_all(&mut *tx).await.unwrap();
    assert_eq!(serials, ["01", "02"]);
    is_sound(&mut tx).await;
}

#[tokio::test]
async fn what_is_altered_behind_the_doors_back_is_found() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    for (number, state) in (1..).zip(CardState::ALL) {
        bring(&mut tx, number, state).await;
    }
    is_sound(&mut tx).await;
    store::commit(tx).await.unwrap();
    for (change, number) in [
        ("UPDATE card SET state = 'suspended' WHERE card_id = $1", 4),
        ("UPDATE card SET actions = actions + 1 WHERE card_id = $1", 1),
        ("DELETE FROM card WHERE card_id = $1", 2),
        ("DELETE FROM card_action WHERE card_id = $1 AND seq = 2", 3),
        ("DELETE FROM card_action WHERE card_id = $1", 5),
        ("UPDATE card_action SET seq = 9 WHERE card_id = $1 AND seq = 4", 7),
        ("UPDATE card_action SET reason = 'rain' WHERE card_id = $1 AND action = 'spoil'", 6),
    ] {
        let mut tx = db.admin().begin().await.unwrap();
        sqlx::query(change).bind(card(number).uuid()).execute(&mut *tx).await.unwrap();
        assert_eq!(check_folds(&mut tx).await.unwrap(), [card(number)], "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_hand_overs_at_once_leave_one_active_card() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    // Card 2 is for the holder of card 1, which is suspended.
    bring(&mut tx, 1, CardState::Suspended).await;
    add(&mut tx, 2, 1).await;
    assert_eq!(sign(&mut tx, "01", &[signed(2)], &Actor::Centre, NOW).await.unwrap(), 1);
    record(&mut tx, NOW, &[step(2, CardAction::Personalise)]).await.unwrap();
    store::commit(tx).await.unwrap();
    let attempts: Vec<_> = (0..64)
        .map(|_| {
            let db = Database::clone(&db);
            tokio::spawn(async move {
                let mut tx = db.begin().await.unwrap();
                let handed = Handed { application_id: application(2), at: NOW, actor: Actor::Station };
                hand_over(&mut tx, NOW, &[handed]).await?;
                store::commit(tx).await
            })
        })
        .collect();
    let mut done = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(()) => done += 1,
            Err(error) => {
                assert!(matches!(error, Error::Inconsistent { table: "card", .. }), "{error}");
            }
        }
    }
    assert_eq!(done, 1);
    let mut tx = db.begin().await.unwrap();
    assert_eq!(stored(&mut tx, 1).await, CardState::Replaced);
    assert_eq!(stored(&mut tx, 2).await, CardState::Active);
    is_sound(&mut tx).await;
}

#[tokio::test]
async fn a_card_that_ended_is_not_replaced_and_the_new_one_is_active() {
    let db = fresh_database().await;
    for (number, state) in [(1, CardState::Revoked), (3, CardState::Expired), (5, CardState::Active)] {
        let mut tx = db.begin().await.unwrap();
        bring(&mut tx, number, state).await;
        add(&mut tx, number + 1, number).await;
        sign(&mut tx, "01", &[signed(number + 1)], &Actor::Centre, NOW).await.unwrap();
        record(&mut tx, NOW, &[step(number + 1, CardAction::Personalise)]).await.unwrap();
        let application_id = application(number + 1);
        hand_over(&mut tx, NOW, &[Handed { application_id, at: NOW, actor: Actor::Centre }]).await.unwrap();
        let old = if state == CardState::Active { CardState::Replaced } else { state };
        assert_eq!(stored(&mut tx, number).await, old);
        assert_eq!(stored(&mut tx, number + 1).await, CardState::Active);
        is_sound(&mut tx).await;
        store::commit(tx).await.unwrap();
    }
}

/// The statements of `store` by the file that holds them: the life of cards is written by one.
#[test]
fn nothing_else_writes_the_state_of_a_card() {
    let mut writers = BTreeMap::new();
    let mut files = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let words: Vec<&str> = source.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let writes = words.windows(3).filter(|w| {
            let table = match w[..2] {
                ["UPDATE", "ONLY"] | ["INSERT", "INTO"] | ["MERGE", "INTO"] | ["DELETE", "FROM"] => w[2],
                ["UPDATE" | "COPY" | "TRUNCATE", table] => table,
                _ => "",
            };
            matches!(table, "card" | "card_action")
        });
        let count = writes.count();
        if count > 0 {
            writers.insert(path.file_name().unwrap().to_owned(), count);
        }
    }
    let writers: Vec<(&str, usize)> =
        writers.iter().map(|(file, count)| (file.to_str().unwrap(), *count)).collect();
    // Two inserts and two updates; and where a card is seen follows its unit, which is no state.
    assert_eq!(writers, [("record.rs", 4), ("things.rs", 2)]);
}

/// The last version without actions of cards.
const BEFORE: i64 = 14;

/// Cards of every state that version 14 knows, with what such an installation has recorded of them. Person 4
/// has had a card after card 4; card 6 was revoked by hand before it was fetched, card 8 after.
const CARDS_OF_BEFORE: &[(u16, u16, &str)] = &[
    (1, 1, "intended"),
    (2, 2, "signed"),
    (3, 3, "personalised"),
    (4, 4, "replaced"),
    (5, 4, "active"),
    (6, 6, "revoked"),
    (7, 7, "spoiled"),
    (8, 8, "revoked"),
    // Nothing but the card itself is there.
    (9, 9, "active"),
    (10, 10, "spoiled"),
];

fn hour(hours: i64) -> OffsetDateTime {
    NOW + Duration::hours(hours)
}

async fn put_before(db: &FreshDatabase, number: u16, person: u16, state: &str) {
    let (card, application) = (card(number).uuid(), application(number).uuid());
    let batch = domain::id::BatchId::derive(NOW, &[&number.to_be_bytes()]).uuid();
    let at = |hours: i64| hour(i64::from(number) * 24 + hours);
    sqlx::query(
        "INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, ds_serial, \
                           token_sha256, unit_code, unit_path, intended_at, signed_at) \
         VALUES ($1, $2, $3, $4, '', $5, '2021-04-06', '01', '', '18562', '42/445/18562/', $6, $7)",
    )
    .bind(card)
    .bind(number.to_string())
    .bind(application)
    .bind(PersonId::derive(NOW, &[&person.to_be_bytes()]).uuid())
    .bind(state)
    .bind(at(0))
    .bind((state != "intended").then(|| at(1)))
    .execute(db.admin())
    .await
    .unwrap();
    if number > 8 {
        return;
    }
    sqlx::query(
        "INSERT INTO batch (batch_id, number, unit_code, opened_at, size, manifest_sha256) VALUES ($1, $2, \
         '', $3, 1, '')",
    )
    .bind(batch)
    .bind(i64::from(number))
    .bind(at(0))
    .execute(db.admin())
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO batch_item (batch_id, position, application_id, card_id) VALUES ($1, 1, $2, $3)",
    )
    .bind(batch)
    .bind(application)
    .bind(card)
    .execute(db.admin())
    .await
    .unwrap();
    let action = async |seq: i16, action: &str, hours: i64, reference: Option<uuid::Uuid>, actor: &str| {
        sqlx::query(
            "INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor, ref) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(application)
        .bind(seq)
        .bind(action)
        .bind(at(hours))
        .bind(at(hours + 1))
        .bind(actor)
        .bind(reference)
        .execute(db.admin())
        .await
        .unwrap();
    };
    match state {
        "spoiled" => {
            action(1, "spoil", 2, Some(batch), "station").await;
            sqlx::query("INSERT INTO blank_box (box, received_at, actor) VALUES (1, now(), '')")
                .execute(db.admin())
                .await
                .unwrap();
            sqlx::query(
                "INSERT INTO blank (serial, box, state, card_id, since, reason) \
                 VALUES (repeat('A', 20), 1, 'spoiled', $1, now(), 'verification')",
            )
            .bind(card)
            .execute(db.admin())
            .await
            .unwrap();
        }
        "personalised" | "active" | "replaced" | "revoked" => {
            action(1, "print", 2, Some(batch), "printer").await;
        }
        _ => {}
    }
    if matches!(number, 4 | 5 | 8) {
        action(2, "hand_over", 6, None, "demo-officer").await;
        sqlx::query(
            "INSERT INTO handover (application_id, attempt, at, outcome, officer) \
             VALUES ($1, 1, $2, 'absent', 'demo-officer'), ($1, 2, $3, 'handed_over', 'demo-officer')",
        )
        .bind(application)
        .bind(at(4))
        .bind(at(6))
        .execute(db.admin())
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn cards_of_before_get_the_actions_that_led_to_their_states() {
    let db = fresh_database().await;
    sqlx::raw_sql(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION dancu_owner; \
         GRANT USAGE ON SCHEMA public TO PUBLIC",
    )
    .execute(db.admin())
    .await
    .unwrap();
    let migrations = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
    let all = Migrator::new(migrations).await.unwrap();
    let before = Migrator::with_migrations(all.iter().filter(|m| m.version <= BEFORE).cloned().collect());
    let mut connection = PgConnection::connect_with(&db.logins().owner.unwrap()).await.unwrap();
    before.run(&mut connection).await.unwrap();
    drop(connection);
    for &(number, person, state) in CARDS_OF_BEFORE {
        put_before(&db, number, person, state).await;
    }
    db.migrate().await.unwrap();

    let mut tx = db.begin().await.unwrap();
    is_sound(&mut tx).await;
    for &(number, _, state) in CARDS_OF_BEFORE {
        assert_eq!(stored(&mut tx, number).await.code(), state, "the states stay");
    }
    let mut check = async |number: u16, expected: &[(&str, Option<&str>, i64, i64, &str)]| {
        let steps = timeline(&mut tx, application(number), card(number)).await.unwrap();
        let at = |hours: i64| hour(i64::from(number) * 24 + hours);
        let found: Vec<_> = steps
            .iter()
            .map(|s| (s.action.code(), s.action.reason(), s.at, s.recorded_at, s.actor.as_str()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|&(action, reason, hours, recorded, actor)| (action, reason, at(hours), at(recorded), actor))
            .collect();
        assert_eq!(found, expected, "card {number}");
    };
    let intent = ("intend", None, 0, 0, "centre");
    let signature = ("sign", None, 1, 1, "centre");
    let personalised = ("personalise", None, 2, 3, "printer");
    let handed = ("hand_over", None, 6, 7, "demo-officer");
    check(1, &[intent]).await;
    check(2, &[intent, signature]).await;
    check(3, &[intent, signature, personalised]).await;
    // A day later card 5 was handed over.
    check(4, &[intent, signature, personalised, handed, ("replace", None, 30, 31, "demo-officer")]).await;
    check(5, &[intent, signature, personalised, handed]).await;
    let revoked = |at, recorded| ("revoke", Some("issued_in_error"), at, recorded, "centre");
    check(6, &[intent, signature, personalised, revoked(2, 3)]).await;
    check(7, &[intent, signature, ("spoil", Some("verification"), 2, 3, "station")]).await;
    check(8, &[intent, signature, personalised, handed, revoked(6, 7)]).await;
    let unknown = |action| (action, None, 1, 1, "centre");
    check(9, &[intent, signature, unknown("personalise"), unknown("hand_over")]).await;
    check(10, &[intent, signature, ("spoil", Some("printer"), 1, 1, "centre")]).await;
}
