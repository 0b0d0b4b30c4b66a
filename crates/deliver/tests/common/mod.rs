//! Printed cards in the production store.

#![allow(dead_code, reason = "the example uses its part")]

use domain::UnitCode;
use domain::application::{Action, Kind};
use domain::id::{ApplicationId, CardId, KitId, PersonId};
use domain::unit::UnitTable;
use std::sync::Arc;
use store::applications::{self, NewApplication, Transition};
use store::{Database, UnitScope};
use time::OffsetDateTime;
use time::macros::datetime;

pub const NOW: OffsetDateTime = datetime!(2021-04-20 08:00 +7);
pub const DISTRICT: &str = "445";
pub const OFFICER: &str = "account:test";

pub fn scope() -> UnitScope {
    let path = UnitTable::official_2021().path(DISTRICT.parse().unwrap());
    UnitScope::parse(&path.unwrap()).unwrap()
}

pub fn communes() -> Vec<UnitCode> {
    UnitTable::official_2021().leaves_of(DISTRICT.parse().unwrap())
}

/// A printed card for each of these people, by turns for the first two communes; `tag` tells a person's cards apart.
pub async fn print(db: &Database, tag: &str, people: std::ops::Range<u32>) -> Vec<ApplicationId> {
    let actor: Arc<str> = Arc::from("centre");
    let mut new = Vec::new();
    for n in people.clone() {
        let unit = communes()[n as usize % 2];
        new.push(NewApplication {
            application_id: ApplicationId::derive(NOW, &[tag.as_bytes(), &n.to_be_bytes()]),
            kit_id: KitId::derive(NOW, &[b"kit"]),
            kind: Kind::New,
            unit,
            unit_path: UnitTable::official_2021().path(unit).unwrap(),
            captured_at: NOW,
            actor: Arc::clone(&actor),
        });
    }
    let ids: Vec<ApplicationId> = new.iter().map(|new| new.application_id).collect();
    let transition = |application_id, action| Transition {
        application_id,
        action,
        at: NOW,
        actor: Arc::clone(&actor),
        reference: None,
        detail: None,
    };
    let actions = [Action::Receive, Action::Accept, Action::Batch, Action::Print];
    let transitions: Vec<Transition> =
        ids.iter().flat_map(|&id| actions.map(|action| transition(id, action))).collect();
    let mut tx = db.begin().await.unwrap();
    applications::create(&mut tx, NOW, &new).await.unwrap();
    assert!(applications::record(&mut tx, NOW, &transitions).await.unwrap().refused.is_empty());
    sqlx::query(
        "INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, ds_serial, token_sha256, \
                           unit_code, unit_path, intended_at) \
         SELECT card, card::text, application, person, '', 'personalised', '2021-04-19', '', '', unit, path, $6 \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) AS t (card, application, person, unit, path)",
    )
    .bind(ids.iter().map(|id| CardId::derive(NOW, &[id.uuid().as_bytes()]).uuid()).collect::<Vec<_>>())
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .bind(people.map(|n| PersonId::derive(NOW, &[&n.to_be_bytes()]).uuid()).collect::<Vec<_>>())
    .bind(new.iter().map(|new| new.unit.to_string()).collect::<Vec<_>>())
    .bind(new.iter().map(|new| new.unit_path.as_str()).collect::<Vec<_>>())
    .bind(NOW)
    .execute(&mut *tx)
    .await
    .unwrap();
    store::commit(tx).await.unwrap();
    ids
}
