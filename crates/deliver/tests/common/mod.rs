//! Printed cards in the production store.

#![allow(dead_code, reason = "the example uses its part")]

use time::OffsetDateTime;
use time::macros::{date, datetime};

use domain::application::{Action, Kind};
use domain::card::CardAction;
use domain::id::{AccountId, ApplicationId, CardId, KitId, PersonId};
use domain::unit::Units;
use domain::{Actor, UnitCode};
use store::applications::{self, NewApplication, Transition};
use store::cards::{IntendedCard, SignedCard, record};
use store::{Database, UnitScope};

pub const NOW: OffsetDateTime = datetime!(2021-04-20 08:00 +7);
pub const DISTRICT: &str = "445";

pub fn officer() -> Actor {
    Actor::Account(AccountId::derive(NOW, &[b"officer"]))
}

pub fn scope() -> UnitScope {
    let path = Units::latest().path(DISTRICT.parse().unwrap());
    UnitScope::parse(&path.unwrap()).unwrap()
}

pub fn communes() -> Vec<UnitCode> {
    Units::latest().leaves_of(DISTRICT.parse().unwrap())
}

/// A printed card for each of these people, by turns for the first two communes; `tag` tells a person's cards
/// apart.
pub async fn print(db: &Database, tag: &str, people: std::ops::Range<u32>) -> Vec<ApplicationId> {
    let mut new = Vec::new();
    for n in people.clone() {
        let unit = communes()[n as usize % 2];
        new.push(NewApplication {
            application_id: ApplicationId::derive(NOW, &[tag.as_bytes(), &n.to_be_bytes()]),
            kit_id: KitId::derive(NOW, &[b"kit"]),
            kind: Kind::New,
            unit,
            unit_path: Units::latest().path(unit).unwrap(),
            captured_at: NOW,
            kit_clock_at: None,
            actor: Actor::Centre,
        });
    }
    let ids: Vec<ApplicationId> = new.iter().map(|new| new.application_id).collect();
    let transition = |application_id, action| Transition {
        application_id,
        action,
        at: NOW,
        actor: Actor::Centre,
        reference: None,
        detail: None,
    };
    let actions = [Action::Receive, Action::Accept, Action::Batch, Action::Print];
    let transitions: Vec<Transition> =
        ids.iter().flat_map(|&id| actions.map(|action| transition(id, action))).collect();
    let mut tx = db.begin().await.unwrap();
    applications::create(&mut tx, NOW, &new).await.unwrap();
    assert!(applications::record(&mut tx, NOW, &transitions).await.unwrap().refused.is_empty());
    let cards: Vec<IntendedCard> = new.iter().zip(people).map(|(new, n)| card(tag, new, n)).collect();
    record::intend(&mut tx, &cards, &Actor::Centre, NOW).await.unwrap();
    let signed: Vec<SignedCard> = cards.iter().map(sign).collect();
    assert_eq!(record::sign(&mut tx, "01", &signed, &Actor::Centre, NOW).await.unwrap(), cards.len());
    let printed = |card: &IntendedCard| record::Transition {
        card_id: card.card_id,
        action: CardAction::Personalise,
        at: NOW,
        actor: Actor::Printer,
    };
    let printed: Vec<record::Transition> = cards.iter().map(printed).collect();
    assert!(record::record(&mut tx, NOW, &printed).await.unwrap().refused.is_empty());
    store::commit(tx).await.unwrap();
    ids
}

fn card(tag: &str, new: &NewApplication, n: u32) -> IntendedCard {
    let card_id = CardId::derive(NOW, &[new.application_id.uuid().as_bytes()]);
    IntendedCard {
        card_id,
        number: format!("{tag}{n:08}"),
        application_id: new.application_id,
        person_id: PersonId::derive(NOW, &[&n.to_be_bytes()]),
        pin: String::new(),
        issued_on: date!(2021 - 04 - 19),
        expires_on: None,
        ds_serial: "01".to_owned(),
        token_sha256: card_id.uuid().as_bytes().to_vec(),
        face: serde_json::Value::Null,
        unit_code: new.unit.to_string(),
        unit_path: new.unit_path.clone(),
    }
}

fn sign(card: &IntendedCard) -> SignedCard {
    SignedCard {
        card_id: card.card_id,
        token_sha256: card.token_sha256.clone(),
        dg1: Vec::new(),
        dg13: Vec::new(),
        sod: Vec::new(),
        qr: String::new(),
    }
}
