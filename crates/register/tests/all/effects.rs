//! What an event does beside the record, in its transaction: invitation, cards, and whom a campaign counts.

use domain::card::{CardAction, SuspendReason};
use domain::id::CardId;
use domain::{Actor, UnitCode};
use register::{CardEffect, Counted, Error, Request};
use store::cards::record::{Transition, record};
use testkit::FreshDatabase;

use crate::world::{
    AT, NOW, TODAY, at, campaign, card, card_state, corrected, count, decided, died, event_id, everything,
    home, invite, moved, person, sound, world,
};

fn home_unit() -> UnitCode {
    "18562".parse().unwrap()
}

async fn state_of_invitation(db: &FreshDatabase, who: u32) -> (String, Option<i16>) {
    let sql = "SELECT state, seat FROM invitation WHERE person_id = $1 ORDER BY round DESC LIMIT 1";
    sqlx::query_as(sql).bind(person(who).uuid()).fetch_one(db.admin()).await.unwrap()
}

#[tokio::test]
async fn a_death_withdraws_the_invitation_blocks_the_card_and_takes_one_from_the_denominator() {
    let db = world().await;
    campaign(&db).await;
    invite(&db, &[3, 1], 2).await;
    let card = card(&db, 1, true).await;
    let outcome = at(&db, 0, &died("a", 1, "1/2021")).await.unwrap();
    assert_eq!(outcome.effects.invitations_withdrawn, 1);
    assert_eq!(outcome.effects.cards, [(card, CardEffect::Blocked)]);
    assert_eq!(outcome.effects.counted, [Counted { unit: home_unit(), delta: -1 }]);
    assert_eq!(state_of_invitation(&db, 1).await, ("withdrawn".to_owned(), None));
    assert_eq!(state_of_invitation(&db, 3).await, ("invited".to_owned(), Some(1)));
    assert_eq!(card_state(&db, card).await, "suspended");
    let mut conn = db.work().acquire().await.unwrap();
    let entries = store::plan::denominator::caused_by(&mut conn, event_id("a")).await.unwrap();
    let told: Vec<_> = entries.iter().map(|e| (e.seq, e.delta, e.reason.as_str(), e.person_id)).collect();
    assert_eq!(told, [(1, -1, "died", person(1).uuid())]);
    // The last seat of the slot is free again.
    let open = store::plan::open_slots(&mut conn, "42/", TODAY, None).await.unwrap();
    assert_eq!(open.iter().map(|slot| slot.next_seat).collect::<Vec<_>>(), [2]);
    let expected = store::plan::expected_on(&mut conn, "42/", time::macros::date!(2021 - 05 - 03)).await;
    assert_eq!(expected.unwrap().iter().map(|e| e.person_id).collect::<Vec<_>>(), [person(3)]);
    sound(&db).await;
}

#[tokio::test]
async fn an_undone_death_puts_the_card_in_force_and_the_person_back() {
    let db = world().await;
    campaign(&db).await;
    invite(&db, &[1], 2).await;
    let card = card(&db, 1, true).await;
    at(&db, 0, &died("a", 1, "1/2021")).await.unwrap();
    let outcome = at(&db, 1, &decided("b", 1, "death_undone")).await.unwrap();
    assert_eq!(outcome.effects.cards, [(card, CardEffect::Reinstated)]);
    assert_eq!(outcome.effects.counted, [Counted { unit: home_unit(), delta: 1 }]);
    assert_eq!(card_state(&db, card).await, "active");
    assert_eq!(count(&db, "SELECT sum(delta)::bigint FROM denominator_entry").await, 0);
    // Whoever lives after all is invited again as one who missed the seat.
    let mut conn = db.work().acquire().await.unwrap();
    let again = store::plan::missed(&mut conn, "42/", 3).await.unwrap();
    assert_eq!(again.iter().map(|m| (m.person_id, m.rounds)).collect::<Vec<_>>(), [(person(1), 1)]);
    sound(&db).await;
}

#[tokio::test]
async fn a_card_that_was_lost_before_stays_suspended_when_the_death_is_undone() {
    let db = world().await;
    let card = card(&db, 1, true).await;
    suspend(&db, card).await;
    let outcome = at(&db, 0, &died("a", 1, "1/2021")).await.unwrap();
    assert_eq!(outcome.effects.cards, []);
    at(&db, 1, &decided("b", 1, "death_undone")).await.unwrap();
    assert_eq!(card_state(&db, card).await, "suspended");
}

async fn suspend(db: &FreshDatabase, card_id: CardId) {
    let action = CardAction::Suspend(SuspendReason::Lost);
    let lost = Transition { card_id, action, at: AT, actor: Actor::Centre };
    let mut tx = db.begin().await.unwrap();
    assert_eq!(record(&mut tx, AT, &[lost]).await.unwrap().applied, 1);
    store::commit(tx).await.unwrap();
}

#[tokio::test]
async fn a_card_that_is_not_fetched_yet_is_held_and_freed() {
    let db = world().await;
    let card = card(&db, 1, false).await;
    let outcome = at(&db, 0, &died("a", 1, "1/2021")).await.unwrap();
    assert_eq!(outcome.effects.cards, [(card, CardEffect::Held)]);
    assert_eq!(card_state(&db, card).await, "personalised");
    let outcome = at(&db, 1, &decided("b", 1, "death_undone")).await.unwrap();
    assert_eq!(outcome.effects.cards, [(card, CardEffect::Freed)]);
}

#[tokio::test]
async fn whoever_is_missing_is_neither_invited_nor_counted_and_keeps_the_card() {
    let db = world().await;
    campaign(&db).await;
    invite(&db, &[1], 2).await;
    let card = card(&db, 1, true).await;
    let outcome = at(&db, 0, &decided("a", 1, "declared_missing")).await.unwrap();
    assert_eq!(outcome.effects.invitations_withdrawn, 1);
    assert_eq!(outcome.effects.counted, [Counted { unit: home_unit(), delta: -1 }]);
    assert_eq!(card_state(&db, card).await, "active");
    // Dead after that: counted once, not twice; and the card is blocked now.
    let outcome = at(&db, 1, &died("b", 1, "1/2021")).await.unwrap();
    assert_eq!(outcome.effects.counted, []);
    assert_eq!(card_state(&db, card).await, "suspended");
    let back = at(&db, 2, &decided("c", 1, "death_undone")).await.unwrap();
    assert_eq!(back.effects.counted, [], "missing again");
    let back = at(&db, 3, &decided("d", 1, "found")).await.unwrap();
    assert_eq!(back.effects.counted, [Counted { unit: home_unit(), delta: 1 }]);
}

#[tokio::test]
async fn a_move_and_a_corrected_birth_change_what_is_counted() {
    let db = world().await;
    campaign(&db).await;
    let next = "18565".parse().unwrap();
    let outcome = at(&db, 0, &moved("a", 1, "18565")).await.unwrap();
    let expect = [Counted { unit: home_unit(), delta: -1 }, Counted { unit: next, delta: 1 }];
    assert_eq!(outcome.effects.counted, expect);
    // Fourteen on the day after the campaign began.
    let young = at(&db, 1, &corrected("b", 1, &[("birth", "02/03/2007")])).await.unwrap();
    assert_eq!(young.effects.counted, [Counted { unit: next, delta: -1 }]);
    let old = at(&db, 2, &corrected("c", 1, &[("birth", "01/03/2007")])).await.unwrap();
    assert_eq!(old.effects.counted, [Counted { unit: next, delta: 1 }]);
    let away = at(&db, 3, &moved("d", 1, "21550")).await.unwrap();
    assert_eq!(away.effects.counted, [Counted { unit: next, delta: -1 }], "out of the campaign");
    let seqs = count(&db, "SELECT count(DISTINCT seq) FROM denominator_entry").await;
    assert_eq!((seqs, count(&db, "SELECT max(seq) FROM denominator_entry").await), (5, 5));
}

#[tokio::test]
async fn a_name_is_corrected_and_nothing_else_happens() {
    let db = world().await;
    campaign(&db).await;
    invite(&db, &[1], 2).await;
    let card = card(&db, 1, true).await;
    let outcome = at(&db, 0, &corrected("a", 1, &[("name", "Lê Thị Hoa")])).await.unwrap();
    assert_eq!(outcome.effects, register::Effects::default());
    assert_eq!(card_state(&db, card).await, "active");
    assert_eq!(state_of_invitation(&db, 1).await.0, "invited");
}

/// The last write of an event fails, whichever it is: everything before it is undone.
#[tokio::test]
async fn an_effect_that_fails_undoes_the_event() {
    for (table, when) in [
        ("invitation", "UPDATE"),
        ("card_action", "INSERT"),
        ("card", "UPDATE"),
        ("denominator_entry", "INSERT"),
        ("legal_document", "INSERT"),
        ("document_scan", "INSERT"),
        ("audit", "INSERT"),
    ] {
        let db = world().await;
        campaign(&db).await;
        invite(&db, &[1], 2).await;
        card(&db, 1, true).await;
        let before = everything(&db).await;
        let sql = format!(
            "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'the disk is broken'; END $$; \
             CREATE TRIGGER fails BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION fails()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
        let event = died("a", 1, "1/2021");
        let request = Request {
            scope: &home(),
            actor: &Actor::Centre,
            now: NOW,
            event: &event,
            scan: Some(b"%PDF-1.7"),
            note: serde_json::Map::new(),
        };
        let failed = register::apply(&db, &request).await.unwrap_err();
        assert!(matches!(failed, Error::Store(_)), "{table}: {failed}");
        assert_eq!(everything(&db).await, before, "{table}");
        let sql = format!("DROP TRIGGER fails ON {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db.admin()).await.unwrap();
        register::apply(&db, &request).await.unwrap();
        sound(&db).await;
    }
}

#[tokio::test]
async fn what_a_clerks_page_may_do_is_enough_for_all_of_it() {
    let db = world().await;
    campaign(&db).await;
    invite(&db, &[1], 2).await;
    let card = card(&db, 1, true).await;
    for (name, event) in [("a", died("a", 1, "1/2021")), ("b", decided("b", 1, "death_undone"))] {
        let request = Request {
            scope: &home(),
            actor: &Actor::Centre,
            now: NOW,
            event: &event,
            scan: Some(b"%PDF-1.7"),
            note: serde_json::Map::new(),
        };
        register::apply(&db.for_pages(), &request).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(card_state(&db, card).await, "active");
    sound(&db).await;
}
