//! Cards are found by what people call them.

use time::OffsetDateTime;
use time::macros::{date, datetime};

use domain::Actor;
use domain::blank::SpoilReason;
use domain::card::{CardAction, CardState};
use domain::id::{ApplicationId, CardId, PersonId};
use store::cards::lookup::find;
use store::cards::record::{Transition, intend, record, sign};
use store::cards::{IntendedCard, SignedCard};
use store::{Database, PgConnection};
use testkit::fresh_database;

const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

fn card(number: u16) -> CardId {
    CardId::derive(NOW, &[&number.to_be_bytes()])
}

/// Card `number` of the holder of `pin`.
async fn add(tx: &mut PgConnection, number: u16, pin: &str) {
    let intended = IntendedCard {
        card_id: card(number),
        number: format!("{number:010}"),
        application_id: ApplicationId::derive(NOW, &[&number.to_be_bytes()]),
        person_id: PersonId::derive(NOW, &[pin.as_bytes()]),
        pin: pin.to_owned(),
        issued_on: date!(2021 - 04 - 06),
        expires_on: None,
        ds_serial: "01".to_owned(),
        token_sha256: number.to_be_bytes().to_vec(),
        face: serde_json::json!({}),
        unit_code: "18562".to_owned(),
        unit_path: "42/445/18562/".to_owned(),
    };
    intend(tx, &[intended], &Actor::Centre, NOW).await.unwrap();
}

/// The numbers of the cards that bear a name, newest first, with their states.
async fn check(db: &Database, name: &str, expect: &[(u16, CardState)]) {
    let cards = find(&mut db.begin().await.unwrap(), &name.parse().unwrap()).await.unwrap();
    let found: Vec<_> = cards.iter().map(|card| (card.number.clone(), card.state)).collect();
    let expect: Vec<_> = expect.iter().map(|(number, state)| (format!("{number:010}"), *state)).collect();
    assert_eq!(found, expect, "{name}");
}

#[tokio::test]
async fn by_each_number_on_them_and_by_their_ids() {
    let db = fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    add(&mut tx, 1, "042095000123").await;
    let bytes = || 1u16.to_be_bytes().to_vec();
    let (dg1, dg13, sod) = (bytes(), bytes(), bytes());
    let signed = SignedCard { card_id: card(1), token_sha256: bytes(), dg1, dg13, sod, qr: String::new() };
    assert_eq!(sign(&mut tx, "01", &[signed], &Actor::Centre, NOW).await.unwrap(), 1);
    let (card_id, action) = (card(1), CardAction::Spoil(SpoilReason::Printer));
    let spoilt = [Transition { card_id, action, at: NOW, actor: Actor::Centre }];
    assert_eq!(record(&mut tx, NOW, &spoilt).await.unwrap().applied, 1);
    add(&mut tx, 2, "042095000123").await;
    // Another holder, with the same document number.
    add(&mut tx, 3, "001095000123").await;
    tx.commit().await.unwrap();

    let (one, two, three) = ((1, CardState::Spoiled), (2, CardState::Intended), (3, CardState::Intended));
    check(&db, &card(2).to_string(), &[two]).await;
    check(&db, "0000 000 001", &[one]).await;
    check(&db, "042 095 000 123", &[two, one]).await;
    check(&db, "095000123", &[three, two, one]).await;
    for unknown in [card(4).to_string().as_str(), "0000000004", "042095000124", "095000124"] {
        check(&db, unknown, &[]).await;
    }
}
