//! Events with their papers, as clerks record them: each a transaction of its own, several at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Map;
use tokio::task::JoinSet;

use super::{NOW, Resident};
use domain::Actor;
use domain::id::{EventId, PersonId};
use register::{ChangeText, Destination, NewEvent, PaperText, Request};
use store::{Database, UnitScope};

/// Clerks who record at once: as many as the pool of a working process lets in.
const AT_ONCE: usize = 16;

/// What was recorded.
pub struct Recorded {
    pub took: Duration,
    /// About whom.
    pub people: Vec<PersonId>,
}

/// Records one event each of people who are spread over the province.
pub async fn record(db: &Database, scope: &UnitScope, all: &[Resident], count: u32) -> Result<Recorded> {
    let step = (all.len() / count as usize).max(1);
    let people: Vec<PersonId> =
        all.iter().step_by(step).take(count as usize).map(|resident| resident.id).collect();
    let shared = Arc::new((people, scope.clone()));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for lane in 0..AT_ONCE {
        let (db, shared) = (db.clone(), Arc::clone(&shared));
        tasks.spawn(async move {
            let (people, scope) = &*shared;
            for (at, person) in people.iter().enumerate().skip(lane).step_by(AT_ONCE) {
                let event = event(at, *person);
                let request = Request {
                    scope,
                    actor: &Actor::Centre,
                    now: NOW,
                    event: &event,
                    scan: None,
                    note: Map::new(),
                };
                register::apply(&db, &request).await.context("an event was not recorded")?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let took = begun.elapsed();
    let people = shared.0.clone();
    Ok(Recorded { took, people })
}

/// Of ten events five are moves, four corrections, and one is a death.
fn event(at: usize, person: PersonId) -> NewEvent {
    let id = EventId::derive(NOW, &[person.uuid().as_bytes(), b"bench"]);
    let paper = |kind: &str| PaperText {
        kind: kind.to_owned(),
        number: format!("{}/TLHT", at + 1),
        authority: "Uỷ ban nhân dân xã".to_owned(),
        issued_on: "12/04/2021".to_owned(),
    };
    let kind = match at % 10 {
        0..5 => "moved",
        5..9 => "corrected",
        _ => "died",
    };
    let mut event = NewEvent::new(id, &person.to_string(), kind);
    event.legal_on = "12/04/2021".to_owned();
    match kind {
        "moved" => {
            event.to = Some(Destination {
                permanent_unit: "14758".to_owned(),
                permanent_detail: format!("Số {at}, phố mới"),
                ..Destination::default()
            });
        }
        "corrected" => {
            // Nobody has it yet: the forms' old numbers begin with a province's.
            let (field, value) = ("old_id".to_owned(), format!("{}", 990_000_000 + at));
            event.changes = vec![ChangeText { field, part: String::new(), value }];
            event.since = Some(register::ALWAYS.to_owned());
            event.paper = Some(paper("civil_status"));
        }
        _ => event.paper = Some(paper("death_extract")),
    }
    event
}
