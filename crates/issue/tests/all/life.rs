//! Cards after they were handed over: suspended, reinstated, revoked, expired, and what the register says of
//! them.

use time::{Date, Duration, Time};

use crate::common::*;
use domain::Actor;
use domain::Sex;
use domain::application::Kind;
use domain::card::{CardAction, CardState, ReinstateReason, RevokeReason, SuspendReason};
use domain::clock::VIETNAM;
use domain::id::{AccountId, ApplicationId, CardId, PersonId};
use issue::{Came, Error, expire, open_batch, record_results, reinstate, revoke, sign_batch, suspend};
use store::Database;
use store::cards::history::{check_folds, timeline};
use store::cards::record::{Handed, hand_over};
use testkit::FreshDatabase;

const LOST: SuspendReason = SuspendReason::Lost;

fn officer() -> Actor {
    Actor::Account(AccountId::from_uuid(uuid::Uuid::from_u128(7)))
}

/// The finished cards of so many people, not fetched yet.
async fn finished(people: usize) -> (FreshDatabase, Vec<Applicant>, Vec<CardId>) {
    let db = testkit::fresh_database().await;
    let records: Vec<_> = (0..people).map(|_| (record(Sex::Male, "1990"), None)).collect();
    let applicants = register(&db, 0, &records).await;
    make(&db, &applicants, 1).await;
    let mut cards = Vec::new();
    for applicant in &applicants {
        cards.push(card_of(&db, applicant.application).await);
    }
    (db, applicants, cards)
}

fn serials(person: PersonId, attempt: u32) -> u32 {
    (person.uuid().as_u128() % 900_000) as u32 + attempt
}

async fn make(db: &Database, applicants: &[Applicant], number: i64) {
    let authority = authority(db).await;
    let opened = open_batch(db, &authority, &scope(), DISTRICT, 100, &serials, NOW).await.unwrap();
    assert_eq!(opened.cards, applicants.len());
    sign_batch(db, &authority, opened.batch.unwrap(), photos(applicants), NOW).await.unwrap();
    receive(db, number, 100).await;
    record_results(db, opened.batch.unwrap(), &[], NOW).await.unwrap();
}

async fn handed_over(people: usize) -> (FreshDatabase, Vec<Applicant>, Vec<CardId>) {
    let (db, applicants, cards) = finished(people).await;
    hand(&db, &applicants).await;
    (db, applicants, cards)
}

async fn hand(db: &Database, applicants: &[Applicant]) {
    let mut tx = db.begin().await.unwrap();
    let handed = |a: &Applicant| Handed { application_id: a.application, at: NOW, actor: officer() };
    hand_over(&mut tx, NOW, &applicants.iter().map(handed).collect::<Vec<_>>()).await.unwrap();
    store::commit(tx).await.unwrap();
}

async fn card_of(db: &Database, application: ApplicationId) -> CardId {
    let id = sqlx::query_scalar("SELECT card_id FROM card WHERE application_id = $1")
        .bind(application.uuid())
        .fetch_one(db.work())
        .await
        .unwrap();
    CardId::from_uuid(id)
}

async fn stands(db: &Database, card: CardId) -> CardState {
    let code: String = sqlx::query_scalar("SELECT state FROM card WHERE card_id = $1")
        .bind(card.uuid())
        .fetch_one(db.work())
        .await
        .unwrap();
    CardState::from_code(&code).unwrap()
}

async fn sound(db: &Database) {
    let mut conn = db.work().acquire().await.unwrap();
    assert_eq!(check_folds(&mut conn).await.unwrap(), []);
    assert_eq!(store::applications::check_folds(&mut conn).await.unwrap(), []);
}

/// Rows of the audit trail about cards in somebody's hand.
async fn audited(db: &Database) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', action, actor, detail->>'reason', unit_path <> '') FROM audit \
         WHERE action IN ('card.suspend', 'card.reinstate', 'card.revoke', 'card.expire')",
    )
    .fetch_all(db.work())
    .await
    .unwrap()
}

#[tokio::test]
async fn a_lost_card_is_suspended_found_lost_again_and_revoked_each_once() {
    let (db, applicants, cards) = handed_over(2).await;
    let (card, by) = (cards[0], &officer());
    let state_before = state(&db, applicants[0].application).await;
    for expected in [Came::Now, Came::Before] {
        assert_eq!(suspend(&db, card, LOST, by, NOW).await.unwrap(), expected);
        assert_eq!(stands(&db, card).await, CardState::Suspended);
    }
    for expected in [Came::Now, Came::Before] {
        assert_eq!(reinstate(&db, card, ReinstateReason::Found, by, NOW).await.unwrap(), expected);
        assert_eq!(stands(&db, card).await, CardState::Active);
    }
    suspend(&db, card, SuspendReason::Stolen, by, NOW).await.unwrap();
    for expected in [Came::Now, Came::Before] {
        assert_eq!(revoke(&db, card, RevokeReason::Stolen, by, NOW).await.unwrap(), expected);
        assert_eq!(stands(&db, card).await, CardState::Revoked);
    }
    assert_eq!(stands(&db, cards[1]).await, CardState::Active, "another's card");
    let mut trail = audited(&db).await;
    trail.sort();
    let line = |action: &str, reason: &str| format!("card.{action} {by} {reason} t");
    let expected = [
        line("reinstate", "found"),
        line("revoke", "stolen"),
        line("suspend", "lost"),
        line("suspend", "stolen"),
    ];
    assert_eq!(trail, expected, "each once");
    assert_eq!(state(&db, applicants[0].application).await, state_before, "the application is as it was");
    sound(&db).await;
}

#[tokio::test]
async fn what_cannot_happen_is_refused_with_card_state_and_action() {
    let (db, _, cards) = finished(1).await;
    let by = &officer();
    let early = suspend(&db, cards[0], LOST, by, NOW).await.unwrap_err();
    assert!(early.to_string().contains("`suspend` cannot follow the state `personalised`"), "{early}");
    let early = reinstate(&db, cards[0], ReinstateReason::Cleared, by, NOW).await.unwrap_err();
    assert!(matches!(early, Error::CardLife { card, .. } if card == cards[0]), "{early}");
    let nobody = CardId::derive(NOW, &[b"none"]);
    let unknown = revoke(&db, nobody, RevokeReason::Recalled, by, NOW).await.unwrap_err();
    assert!(matches!(unknown, Error::NoCard(card) if card == nobody), "{unknown}");
    // A card that was not fetched is revoked, and cannot come back.
    revoke(&db, cards[0], RevokeReason::HolderDied, by, NOW).await.unwrap();
    for refused in [
        suspend(&db, cards[0], LOST, by, NOW).await,
        reinstate(&db, cards[0], ReinstateReason::Cleared, by, NOW).await,
    ] {
        assert!(matches!(refused, Err(Error::CardLife { .. })), "{refused:?}");
    }
    assert_eq!(audited(&db).await.len(), 1, "what is refused leaves no row");
    sound(&db).await;
}

#[tokio::test]
async fn whoever_has_no_card_in_force_any_more_gets_a_new_one() {
    let (db, applicants, cards) = handed_over(3).await;
    let by = &officer();
    revoke(&db, cards[0], RevokeReason::Lost, by, NOW).await.unwrap();
    suspend(&db, cards[1], LOST, by, NOW).await.unwrap();
    let again: Vec<Applicant> = applicants
        .iter()
        .map(|a| Applicant {
            person: a.person,
            application: ApplicationId::derive(NOW, &[b"again", a.application.uuid().as_bytes()]),
        })
        .collect();
    let record = record(Sex::Male, "1990");
    accept(&db, &again, Kind::New, again.iter().map(|_| &record)).await;
    // A suspended card may come back, and an active one is there.
    make(&db, &again[..1], 2).await;
    hand(&db, &again[..1]).await;
    assert_eq!(stands(&db, cards[0]).await, CardState::Revoked, "it is not replaced");
    assert_eq!(stands(&db, card_of(&db, again[0].application).await).await, CardState::Active);
    sound(&db).await;
}

#[tokio::test]
async fn a_card_expires_when_its_last_day_is_over_in_vietnam() {
    let (db, applicants, cards) = handed_over(4).await;
    suspend(&db, cards[1], LOST, &officer(), NOW).await.unwrap();
    revoke(&db, cards[2], RevokeReason::Lost, &officer(), NOW).await.unwrap();
    let last_day: Date = sqlx::query_scalar("SELECT expires_on FROM card WHERE card_id = $1")
        .bind(cards[0].uuid())
        .fetch_one(db.admin())
        .await
        .unwrap();
    sqlx::query("UPDATE card SET expires_on = NULL WHERE card_id = $1")
        .bind(cards[3].uuid())
        .execute(db.admin())
        .await
        .unwrap();
    let over = last_day.next_day().unwrap().with_time(Time::MIDNIGHT).assume_offset(VIETNAM);
    assert_eq!(expire(&db, over - Duration::SECOND).await.unwrap(), 0);
    let found = over + Duration::days(3);
    for expected in [2, 0] {
        assert_eq!(expire(&db, found).await.unwrap(), expected);
    }
    let states = [CardState::Expired, CardState::Expired, CardState::Revoked, CardState::Active];
    for (card, state) in cards.iter().zip(states) {
        assert_eq!(stands(&db, *card).await, state);
    }
    let mut conn = db.work().acquire().await.unwrap();
    let steps = timeline(&mut conn, applicants[0].application, cards[0]).await.unwrap();
    let last = steps.last().unwrap();
    assert_eq!((last.action, last.at, last.recorded_at), (CardAction::Expire, over, found));
    assert_eq!(audited(&db).await.iter().filter(|line| line.starts_with("card.expire centre")).count(), 2);
    sound(&db).await;
}
