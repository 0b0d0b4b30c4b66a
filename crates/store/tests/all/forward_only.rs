//! Blanks go forward and cards that are spoiled stay spoiled, whoever asks and however often.

use time::OffsetDateTime;
use time::macros::{date, datetime};

use domain::Actor;
use domain::blank::SpoilReason;
use domain::id::{ApplicationId, BatchId, CardId, PersonId};
use store::cards::record::{Handed, hand_over, sign};
use store::cards::{IntendedCard, SignedCard, batches, put_cards, stock};
use store::{Error, PgConnection};

const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);
const BOX: i64 = 7;

fn serial(number: u8) -> String {
    format!("{number:020X}")
}

fn card(number: u8) -> CardId {
    CardId::derive(NOW, &[&[number]])
}

fn application(number: u8) -> ApplicationId {
    ApplicationId::derive(NOW, &[&[number]])
}

fn batch() -> BatchId {
    BatchId::derive(NOW, &[b"batch"])
}

/// Three signed cards of a batch, and three blanks in stock.
async fn signed(tx: &mut PgConnection) {
    let numbers = [0, 1, 2];
    assert!(stock::put_box(tx, BOX, None, &Actor::Centre, NOW).await.unwrap());
    stock::put_blanks(tx, BOX, &numbers.map(serial), NOW).await.unwrap();
    batches::put_batch(tx, batch(), 1, "445", 3, &[0; 32], NOW).await.unwrap();
    put_cards(tx, batch(), &numbers.map(|n| intended(n, n)), &Actor::Centre, NOW).await.unwrap();
    assert_eq!(sign(tx, "01", &numbers.map(token), &Actor::Centre, NOW).await.unwrap(), 3);
}

fn intended(number: u8, blank: u8) -> IntendedCard {
    IntendedCard {
        card_id: card(number),
        number: format!("{blank:09}"),
        application_id: application(number),
        person_id: PersonId::derive(NOW, &[&[number]]),
        pin: format!("{number:012}"),
        issued_on: date!(2021 - 04 - 06),
        expires_on: None,
        ds_serial: "01".to_owned(),
        token_sha256: vec![number; 32],
        face: serde_json::json!({}),
        unit_code: "18562".to_owned(),
        unit_path: "42/445/18562/".to_owned(),
    }
}

fn token(number: u8) -> SignedCard {
    let bytes = || vec![number; 8];
    SignedCard {
        card_id: card(number),
        token_sha256: vec![number; 32],
        dg1: bytes(),
        dg13: bytes(),
        sod: bytes(),
        qr: String::new(),
    }
}

async fn states(tx: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(tx).await.unwrap()
}

async fn blanks(tx: &mut PgConnection) -> Vec<String> {
    states(tx, "SELECT concat_ws(' ', state, reason, card_id IS NOT NULL) FROM blank ORDER BY serial").await
}

async fn cards(tx: &mut PgConnection) -> Vec<String> {
    states(
        tx,
        "SELECT concat_ws(' ', state, outcome) FROM card JOIN batch_item USING (card_id) ORDER BY number",
    )
    .await
}

#[tokio::test]
async fn a_blank_is_used_once_and_comes_to_one_end() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    signed(&mut tx).await;
    let refused = |outcome: Result<(), Error>, end: &str| {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Inconsistent { table: "blank", .. }), "{error}");
        assert!(error.to_string().contains(end), "{error}");
    };
    // Unwritten it can be spoiled and not used.
    refused(stock::finish_blank(&mut tx, &serial(0), None, NOW).await, "used");
    stock::finish_blank(&mut tx, &serial(0), Some(SpoilReason::Damaged), NOW).await.unwrap();
    assert!(stock::begin_writing(&mut tx, &serial(1), card(1), NOW).await.unwrap());
    stock::finish_blank(&mut tx, &serial(1), None, NOW).await.unwrap();
    assert!(stock::begin_writing(&mut tx, &serial(2), card(2), NOW).await.unwrap());
    let written = blanks(&mut tx).await;
    assert_eq!(written, ["spoiled damaged f", "used t", "writing t"]);
    // What is over is over, and what is being written keeps its card.
    for number in [0, 1, 2] {
        assert!(!stock::begin_writing(&mut tx, &serial(number), card(0), NOW).await.unwrap());
    }
    for number in [0, 1] {
        refused(stock::finish_blank(&mut tx, &serial(number), None, NOW).await, "used");
        refused(
            stock::finish_blank(&mut tx, &serial(number), Some(SpoilReason::Damaged), NOW).await,
            "spoiled",
        );
    }
    refused(stock::finish_blank(&mut tx, &serial(9), None, NOW).await, "used");
    assert_eq!(stock::take_blanks(&mut tx, &[card(0)], None, NOW).await.unwrap(), 0);
    // The same box again brings nothing back.
    assert_eq!(stock::put_blanks(&mut tx, BOX, &[serial(0), serial(1), serial(2)], NOW).await.unwrap(), 0);
    assert_eq!(blanks(&mut tx).await, written);
}

#[tokio::test]
async fn a_spoiled_card_stays_spoiled() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    signed(&mut tx).await;
    assert_eq!(
        batches::put_outcomes(&mut tx, batch(), &[card(0)], Some(SpoilReason::Printer), &Actor::Printer, NOW)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        batches::put_outcomes(&mut tx, batch(), &[card(1)], None, &Actor::Printer, NOW).await.unwrap(),
        1
    );
    assert_eq!(cards(&mut tx).await, ["spoiled spoiled", "personalised printed", "signed"]);
    // Neither the printer's results, nor its signature, nor a hand-over brings it back.
    for spoiled in [None, Some(SpoilReason::Printer)] {
        let again = [card(0), card(1)];
        let moved =
            batches::put_outcomes(&mut tx, batch(), &again, spoiled, &Actor::Printer, NOW).await.unwrap();
        assert_eq!(moved, 0);
    }
    assert_eq!(sign(&mut tx, "01", &[token(0)], &Actor::Centre, NOW).await.unwrap(), 0);
    let handed = Handed { application_id: application(0), at: NOW, actor: Actor::Centre };
    assert!(matches!(
        hand_over(&mut tx, NOW, &[handed]).await,
        Err(Error::Inconsistent { table: "card", .. })
    ));
    assert_eq!(cards(&mut tx).await, ["spoiled spoiled", "personalised printed", "signed"]);
    // Its number stands for no other card.
    let error = put_cards(&mut tx, batch(), &[intended(3, 0)], &Actor::Centre, NOW).await.unwrap_err();
    assert!(
        matches!(&error, Error::Sql(sql) if sql.constraint.as_deref() == Some("card_number_key")),
        "{error}"
    );
}
