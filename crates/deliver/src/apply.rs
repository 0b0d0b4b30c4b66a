//! Moves boxes and hands cards over.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::Error;
use crate::decide::{self, Check, Presented};
use domain::Actor;
use domain::application::{Action, State};
use domain::handover::Outcome;
use domain::id::{ApplicationId, ConsignmentId};
use store::applications::{self, Transition};
use store::audit::{self, Entry};
use store::boxes::{self, handovers};
use store::cards::{self, record::Handed};
use store::{Database, PgConnection, UnitScope};

/// A consignment that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub consignment: ConsignmentId,
    pub to: String,
    pub applications: Vec<ApplicationId>,
}

/// Sends every printed card below `scope` (a district's path) from the production store to the district.
/// `None` when there is none.
pub async fn dispatch(
    db: &Database,
    scope: &UnitScope,
    district: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Option<Sent>, Error> {
    let mut tx = db.begin().await?;
    let cards = boxes::in_state(&mut tx, State::Printed, scope).await?;
    if cards.is_empty() {
        return Ok(None);
    }
    let applications = cards.into_iter().map(|card| card.application_id).collect();
    let leg = Leg { leg: "district", from: "centre", to: district, action: Action::Dispatch };
    let sent = send(&mut tx, &leg, applications, by, now).await?;
    store::commit(tx).await?;
    Ok(Some(sent))
}

/// Sends every card that waits at the district on to its commune, one consignment each.
pub async fn forward(
    db: &Database,
    scope: &UnitScope,
    district: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Vec<Sent>, Error> {
    let mut tx = db.begin().await?;
    let mut by_commune: BTreeMap<String, Vec<ApplicationId>> = BTreeMap::new();
    for card in boxes::in_state(&mut tx, State::AtDistrict, scope).await? {
        by_commune.entry(card.unit_code).or_default().push(card.application_id);
    }
    let mut all = Vec::new();
    for (commune, applications) in by_commune {
        let leg = Leg { leg: "commune", from: district, to: &commune, action: Action::Forward };
        all.push(send(&mut tx, &leg, applications, by, now).await?);
    }
    store::commit(tx).await?;
    Ok(all)
}

/// A part of the way.
struct Leg<'a> {
    leg: &'a str,
    from: &'a str,
    to: &'a str,
    action: Action,
}

async fn send(
    tx: &mut PgConnection,
    &Leg { leg, from, to, action }: &Leg<'_>,
    applications: Vec<ApplicationId>,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Sent, Error> {
    let mut manifest = Sha256::new();
    for application in &applications {
        manifest.update(application.uuid().as_bytes());
    }
    let manifest: [u8; 32] = manifest.finalize().into();
    let consignment =
        ConsignmentId::derive(now, &[leg.as_bytes(), from.as_bytes(), to.as_bytes(), &manifest]);
    boxes::put_consignment(
        tx,
        &boxes::Consignment { consignment, leg, from, to },
        &applications,
        &manifest,
        now,
    )
    .await?;
    move_all(tx, &applications, action, by, consignment, now).await?;
    let detail = serde_json::json!({ "leg": leg, "from": from, "to": to, "size": applications.len() });
    audit_box(tx, consignment, "consignment.sent", by, detail, now).await?;
    Ok(Sent { consignment, to: to.to_owned(), applications })
}

/// Counts a box at arrival. `by` is who counted, as an actor of the audit trail; `missing` are the items that
/// are not in it. Counting again changes nothing and answers how many items have arrived by now.
pub async fn receive(
    db: &Database,
    consignment: ConsignmentId,
    missing: &[ApplicationId],
    by: &Actor,
    now: OffsetDateTime,
) -> Result<usize, Error> {
    let mut tx = db.begin().await?;
    let leg =
        boxes::lock_consignment(&mut tx, consignment).await?.ok_or(Error::NoConsignment(consignment))?;
    if let Some(received) = leg.received {
        return Ok(received as usize);
    }
    let items = boxes::items(&mut tx, consignment).await?;
    let missing: BTreeSet<ApplicationId> = missing.iter().copied().collect();
    // `items` is in the order of the ids.
    if let Some(&application) = missing.iter().find(|m| items.binary_search(m).is_err()) {
        return Err(Error::NotInBox { consignment, application });
    }
    let (absent, present): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| missing.contains(item));
    boxes::count_items(&mut tx, consignment, &present, &absent, now).await?;
    move_all(&mut tx, &present, arrival(&leg.leg), by, consignment, now).await?;
    let detail = serde_json::json!({ "present": present.len(), "missing": absent.len() });
    audit_box(&mut tx, consignment, "consignment.counted", by, detail, now).await?;
    store::commit(tx).await?;
    Ok(present.len())
}

/// Items that were missing when the box was counted and have turned up since. Returns how many are new; those
/// that had arrived before, and all items of a box that is not counted yet, are not.
pub async fn arrived_late(
    db: &Database,
    consignment: ConsignmentId,
    found: &[ApplicationId],
    by: &Actor,
    now: OffsetDateTime,
) -> Result<usize, Error> {
    let mut tx = db.begin().await?;
    let leg =
        boxes::lock_consignment(&mut tx, consignment).await?.ok_or(Error::NoConsignment(consignment))?;
    let items: HashSet<ApplicationId> = boxes::items(&mut tx, consignment).await?.into_iter().collect();
    if let Some(&application) = found.iter().find(|found| !items.contains(found)) {
        return Err(Error::NotInBox { consignment, application });
    }
    let still_missing = boxes::take_missing(&mut tx, consignment, found).await?;
    move_all(&mut tx, &still_missing, arrival(&leg.leg), by, consignment, now).await?;
    if !still_missing.is_empty() {
        let detail = serde_json::json!({ "found": still_missing.len() });
        audit_box(&mut tx, consignment, "consignment.found", by, detail, now).await?;
    }
    store::commit(tx).await?;
    Ok(still_missing.len())
}

async fn audit_box(
    tx: &mut PgConnection,
    consignment: ConsignmentId,
    action: &str,
    actor: &Actor,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let entry = Entry {
        at: now,
        actor: actor.clone(),
        action: action.to_owned(),
        subject: format!("consignment:{consignment}"),
        unit_path: String::new(),
        detail,
    };
    Ok(audit::append(tx, &entry).await?)
}

fn arrival(leg: &str) -> Action {
    if leg == "district" { Action::DistrictReceive } else { Action::UnitReceive }
}

/// One attempt to hand a card over.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub application: ApplicationId,
    pub at: OffsetDateTime,
    pub officer: Actor,
    /// From 1; with the application it names the attempt, so that it is recorded once.
    pub number: i16,
    /// `None` when the citizen did not come.
    pub presented: Option<Presented>,
}

/// What came of the attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandedOver {
    pub handed_over: usize,
    pub absent: usize,
    pub no_match: usize,
    /// Attempts that were recorded before.
    pub repeated: usize,
}

/// Checks the fingers of everyone who came and hands over the cards of those who match.
pub async fn hand_over(
    db: &Database,
    attempts: &[Attempt],
    now: OffsetDateTime,
) -> Result<HandedOver, Error> {
    let checks = compare(attempts).await?;
    let results: Vec<handovers::HandoverRow> =
        attempts.iter().zip(checks).map(|(a, check)| row(a, check)).collect();
    let mut tx = db.begin().await?;
    let mut new: HashSet<(ApplicationId, i16)> =
        handovers::put_handovers(&mut tx, &results).await?.into_iter().collect();
    none_is_dead(&mut tx, results.iter().filter(|row| new.contains(&(row.application, row.attempt)))).await?;
    let mut summary = HandedOver { repeated: results.len() - new.len(), ..HandedOver::default() };
    let (mut transitions, mut handed, mut recorded) = (Vec::new(), Vec::new(), Vec::new());
    // Taken out as they are met, so that an attempt that is in the list twice counts once.
    for row in results.iter().filter(|row| new.remove(&(row.application, row.attempt))) {
        match row.outcome {
            Outcome::HandedOver => {
                summary.handed_over += 1;
                handed.push(Handed {
                    application_id: row.application,
                    at: row.at,
                    actor: row.officer.clone(),
                });
            }
            Outcome::Absent => summary.absent += 1,
            Outcome::NoMatch => summary.no_match += 1,
        }
        let action = row.outcome.action();
        recorded.push(row);
        transitions.push(Transition {
            application_id: row.application,
            action,
            at: row.at,
            actor: row.officer.clone(),
            reference: None,
            detail: (action == Action::HandoverFail)
                .then(|| serde_json::json!({ "code": row.outcome.code() })),
        });
    }
    refuse_none(applications::record(&mut tx, now, &transitions).await?)?;
    cards::record::hand_over(&mut tx, now, &handed).await?;
    audit_attempts(&mut tx, &recorded).await?;
    store::commit(tx).await?;
    Ok(summary)
}

/// Nobody gets the card of somebody whom the register knows to be dead or missing. People are held before
/// applications and cards, as whoever records a death holds them.
async fn none_is_dead(
    tx: &mut PgConnection,
    attempts: impl Iterator<Item = &handovers::HandoverRow>,
) -> Result<(), Error> {
    let taken = attempts.filter(|row| row.outcome == Outcome::HandedOver);
    let applications: Vec<ApplicationId> = taken.map(|row| row.application).collect();
    let found = handovers::of_the_not_living(tx, &applications).await?;
    match found.into_iter().next() {
        None => Ok(()),
        Some((application, status)) => Err(Error::NotLiving { application, status: status.code() }),
    }
}

/// Who got a card from whom, and who was turned away: one row of the audit trail for each attempt.
async fn audit_attempts(tx: &mut PgConnection, attempts: &[&handovers::HandoverRow]) -> Result<(), Error> {
    let applications: Vec<ApplicationId> = attempts.iter().map(|row| row.application).collect();
    let units = applications::unit_paths(tx, &applications).await?;
    let entries: Vec<Entry> = attempts
        .iter()
        .map(|row| Entry {
            at: row.at,
            actor: row.officer.clone(),
            action: match row.outcome {
                Outcome::HandedOver => "card.handed_over",
                Outcome::Absent => "card.not_fetched",
                Outcome::NoMatch => "card.refused",
            }
            .to_owned(),
            subject: format!("application:{}", row.application),
            unit_path: units.get(&row.application).cloned().unwrap_or_default(),
            detail: serde_json::json!({ "attempt": row.attempt }),
        })
        .collect();
    Ok(audit::append_all(tx, &entries).await?)
}

/// Compares on all cores, off the runtime's threads and outside any transaction: each comparison is a
/// millisecond's work.
async fn compare(attempts: &[Attempt]) -> Result<Vec<Option<Check>>, Error> {
    let presented: Vec<Option<Presented>> =
        attempts.iter().map(|attempt| attempt.presented.clone()).collect();
    if presented.iter().all(Option::is_none) {
        return Ok(vec![None; attempts.len()]);
    }
    let check = |presented: &Option<Presented>| presented.as_ref().map(decide::check);
    Ok(tokio::task::spawn_blocking(move || presented.par_iter().map(check).collect()).await?)
}

fn row(attempt: &Attempt, check: Option<Check>) -> handovers::HandoverRow {
    handovers::HandoverRow {
        application: attempt.application,
        attempt: attempt.number,
        at: attempt.at,
        outcome: match check {
            None => Outcome::Absent,
            Some(check) if check.matches => Outcome::HandedOver,
            Some(_) => Outcome::NoMatch,
        },
        score: check.map(|check| check.score),
        officer: attempt.officer.clone(),
    }
}

async fn move_all(
    tx: &mut PgConnection,
    applications: &[ApplicationId],
    action: Action,
    actor: &Actor,
    consignment: ConsignmentId,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let transitions: Vec<Transition> = applications
        .iter()
        .map(|&application_id| Transition {
            application_id,
            action,
            at: now,
            actor: actor.clone(),
            reference: Some(consignment.uuid()),
            detail: None,
        })
        .collect();
    refuse_none(applications::record(tx, now, &transitions).await?)
}

/// A box with one impossible item is not moved at all: the transaction is given up and the item is named.
fn refuse_none(recorded: applications::Recorded) -> Result<(), Error> {
    match recorded.refused.into_iter().next() {
        None => Ok(()),
        Some((application, reason)) => Err(Error::State { application, reason: reason.to_string() }),
    }
}
