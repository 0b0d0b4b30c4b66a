//! Records an event: loads its person under the lock, asks `decide`, and writes the event, its paper, its
//! effects and a row of the audit trail in one transaction.

use std::future::Future;

use serde_json::{Map, Value, json};
use time::{Date, Duration, OffsetDateTime, Time};

use crate::decide::{self, Reading, Whom};
use crate::effects::{self, Counted, Effects, Stand};
use crate::error::{Error, Fault};
use crate::event::NewEvent;
use crate::stored::Stored;
use domain::Actor;
use domain::clock::{VIETNAM, day_in_vietnam};
use domain::id::{CaseId, EventId, PersonId};
use domain::person::Event;
use store::audit::{self, Entry};
use store::cards::record::Transition;
use store::plan::{denominator, withdrawn};
use store::register::papers;
use store::register::people::records_of;
use store::register::pins::holder_of_pin;
use store::register::record::{self, CivilEvent, Happening, Known, KnownEvent};
use store::{Database, PgConnection, UnitScope};

/// An event that somebody asks to record.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What the actor may see and change.
    pub scope: &'a UnitScope,
    /// Who records it.
    pub actor: &'a Actor,
    /// When. The day in Vietnam is the day on which nothing later has happened yet.
    pub now: OffsetDateTime,
    /// What happened.
    pub event: &'a NewEvent,
    /// The bytes of the paper's scan.
    pub scan: Option<&'a [u8]>,
    /// What the audit trail says beside the event: why, and over which line. It names no person.
    pub note: Map<String, Value>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The event.
    pub event_id: EventId,
    /// Whom it is about.
    pub person: PersonId,
    /// Which event of the person it is, from the registration, which is 1.
    pub version: usize,
    /// It was recorded before, and nothing was changed now.
    pub repeated: bool,
    /// What it did beside the record. Of a repeat nothing: it did it then.
    pub effects: Effects,
}

/// The last instant of a day in Vietnam: what is known at it was known on that day.
pub fn known_on(day: Date) -> OffsetDateTime {
    let next = day.next_day().map(|next| next.with_time(Time::MIDNIGHT).assume_offset(VIETNAM));
    let last = next.map(|next| next - Duration::microseconds(1));
    last.unwrap_or_else(|| day.with_time(Time::MIDNIGHT).assume_offset(VIETNAM))
}

/// Records an event.
///
/// # Errors
/// [`Error::Refused`] with everything that is wrong with it; those of the database. In either case nothing
/// was changed.
pub async fn apply(db: &Database, request: &Request<'_>) -> Result<Outcome, Error> {
    again(|| async {
        let mut tx = db.begin().await?;
        let done = run(&mut tx, request, None).await?;
        if let Some(entry) = &done.entry {
            audit::append(&mut tx, entry).await?;
        }
        store::commit(tx).await?;
        Ok(done.outcome)
    })
    .await
}

/// What [`apply`] would answer, and would do. Nothing is changed.
///
/// # Errors
/// Those of [`apply`].
pub async fn preview(db: &Database, request: &Request<'_>) -> Result<Outcome, Error> {
    again(|| async {
        let mut tx = db.begin().await?;
        // Taken back when it is dropped.
        Ok(run(&mut tx, request, None).await?.outcome)
    })
    .await
}

/// Somebody may enter the same event, or the same paper, at the same instant: judged again, theirs is there.
async fn again<F>(transaction: impl FnMut() -> F) -> Result<Outcome, Error>
where
    F: Future<Output = Result<Outcome, Error>>,
{
    let met = |error: &Error| match error {
        Error::Store(store) => {
            let keys = ["civil_event_pkey", "legal_document_pkey", "legal_document_is_one"];
            store.is_retryable() || keys.iter().any(|key| store.violates(key))
        }
        Error::Rule(_) | Error::Refused(_) => false,
    };
    store::retry(met, transaction).await
}

/// What was done, and the row of the audit trail that the caller appends, last.
pub(crate) struct Done {
    pub outcome: Outcome,
    /// `None` of what was done before.
    pub entry: Option<Entry>,
}

/// Records an event in the caller's transaction; `case` is the one that it closes.
pub(crate) async fn run(
    tx: &mut PgConnection,
    request: &Request<'_>,
    case: Option<CaseId>,
) -> Result<Done, Error> {
    let event = request.event;
    let (reading, mut faults) = decide::read(event, request.scan, day_in_vietnam(request.now));
    let known = find(tx, reading.whom, request.scope).await?;
    if known.is_none() && reading.whom.is_some() {
        faults.push(Fault::NoPerson);
    }
    let before = record::known_event(tx, event.event_id).await?;
    let told = known.as_ref().and_then(|k| decide::told(&reading, &k.person, &k.event_ids));
    let paper = match reading.paper.clone() {
        Some(paper) => {
            let (scan, person) = (request.scan.zip(reading.media), known.as_ref().map(|k| k.person.id));
            Some(Stored::of(tx, paper, scan, person).await?)
        }
        None => None,
    };
    if let Some(known) = &known {
        let same = before.as_ref().and_then(|b| repeat(b, known, told.as_ref(), &reading, paper.as_ref()));
        if let (Some(version), true) = (same, faults.is_empty()) {
            let (event_id, person) = (event.event_id, known.person.id);
            let effects = Effects::default();
            let outcome = Outcome { event_id, person, version, repeated: true, effects };
            return Ok(Done { outcome, entry: None });
        }
        if before.is_none() {
            faults.extend(decide::judge(&reading, &known.person, told.as_ref(), request.now));
        }
    }
    if before.is_some() {
        faults.push(Fault::OtherEvent);
    }
    if paper.as_ref().is_some_and(|paper| paper.is_taken) {
        faults.push(Fault::PaperTaken);
    }
    match (known, told) {
        (Some(known), Some(told)) if faults.is_empty() => {
            write(tx, request, &reading, (known, told), paper, case).await
        }
        _ => Err(Error::Refused(faults)),
    }
}

/// The person, locked, if the actor may see it.
pub(crate) async fn find(
    tx: &mut PgConnection,
    whom: Option<Whom>,
    scope: &UnitScope,
) -> Result<Option<Known>, store::Error> {
    let id = match whom {
        None => None,
        Some(Whom::Id(id)) => Some(id),
        Some(Whom::Pin(pin)) => holder_of_pin(tx, pin.as_str()).await?,
    };
    let Some(id) = id else { return Ok(None) };
    let known = record::locked(tx, id).await?;
    Ok(known.filter(|known| scope.covers(&known.unit_path)))
}

/// The version that the same event has already; `None` when what is recorded under its id is another one.
fn repeat(
    before: &KnownEvent,
    known: &Known,
    told: Option<&Event>,
    reading: &Reading,
    paper: Option<&Stored>,
) -> Option<usize> {
    let [only] = before.told.as_slice() else { return None };
    let detail = serde_json::to_value(told?).ok()?;
    let is_same = only.person == known.person.id
        && only.detail.as_ref() == Some(&detail)
        && Some(before.legal_on) == reading.legal_on
        && before.document_id == paper.map(|paper| paper.id)
        && !paper.is_some_and(|paper| paper.is_taken);
    if is_same { usize::try_from(only.version).ok() } else { None }
}

async fn write(
    tx: &mut PgConnection,
    request: &Request<'_>,
    reading: &Reading,
    (before, told): (Known, Event),
    paper: Option<Stored>,
    case_id: Option<CaseId>,
) -> Result<Done, Error> {
    let (event_id, person) = (request.event.event_id, before.person.id);
    let legal_on = reading.legal_on.expect("an event without a day has a fault");
    let kind = reading.kind.expect("an event of no kind has a fault").code();
    let civil = CivilEvent {
        event_id,
        what: Happening::People(vec![(person, told)]),
        legal_on,
        document_id: paper.as_ref().map(|paper| paper.id.uuid()),
        case_id,
        actor: request.actor.clone(),
    };
    let recorded = record::record(tx, request.now, &[civil]).await?;
    if let Some((_, refused)) = recorded.refused.into_iter().next() {
        return Err(Error::Refused(vec![Fault::from(refused)]));
    }
    let gone = || store::Error::Inconsistent {
        table: "person",
        row: person.to_string(),
        reason: "it was locked, and it is gone".to_owned(),
    };
    let after = record::locked(tx, person).await?.ok_or_else(gone)?;
    if let Some(paper) = paper.as_ref().filter(|paper| !paper.is_there) {
        papers::put(tx, &paper.row(request.actor, request.now, &after.unit_path), request.scan).await?;
    }
    let effects = spread(tx, request, (&before, &after), (event_id, kind, legal_on)).await?;
    let entry = Some(audit_row(request, &after, kind, paper.as_ref()));
    let version = after.person.version();
    Ok(Done { outcome: Outcome { event_id, person, version, repeated: false, effects }, entry })
}

/// What follows outside the record.
async fn spread(
    tx: &mut PgConnection,
    request: &Request<'_>,
    (before, after): (&Known, &Known),
    cause: (EventId, &'static str, domain::PartialDate),
) -> Result<Effects, Error> {
    let mut effects = Effects::default();
    let (was, is) = (before.person.status(), after.person.status());
    if was != is {
        let records = records_of(tx, after.person.id).await?;
        if effects::takes_invitation_back(was, is) {
            effects.invitations_withdrawn = withdrawn::withdraw(tx, &records).await?;
        }
        let cards = store::cards::holders::of_people(tx, &records).await?;
        let on_cards = effects::on_cards(was, is, &cards);
        let transitions: Vec<Transition> = on_cards
            .iter()
            .filter_map(|(card_id, _, action)| {
                let (at, actor) = (request.now, request.actor.clone());
                Some(Transition { card_id: *card_id, action: (*action)?, at, actor })
            })
            .collect();
        let refused = store::cards::record::record(tx, request.now, &transitions).await?.refused;
        // A card that ended between reading and locking needs no blocking.
        let stands = |card| !refused.iter().any(|(refused, _)| refused == card);
        let done = on_cards.iter().filter(|(card, ..)| stands(card));
        effects.cards = done.map(|(card, effect, _)| (*card, *effect)).collect();
    }
    let campaigns = denominator::running(tx, day_in_vietnam(request.now)).await?;
    let entries = effects::on_campaigns(stand(before), stand(after), &campaigns, cause)?;
    denominator::put(tx, &entries, request.now).await?;
    effects.counted = entries.iter().map(|e| Counted { unit: e.unit, delta: e.delta }).collect();
    Ok(effects)
}

fn stand(known: &Known) -> Stand<'_> {
    Stand { person: &known.person, unit_path: &known.unit_path }
}

fn audit_row(request: &Request<'_>, after: &Known, kind: &str, paper: Option<&Stored>) -> Entry {
    let mut detail = request.note.clone();
    detail.insert("event".to_owned(), json!(request.event.event_id));
    if let Some(paper) = paper {
        detail.insert("document".to_owned(), json!(paper.id));
    }
    Entry {
        at: request.now,
        actor: request.actor.clone(),
        action: format!("register.{kind}"),
        subject: format!("person:{}", after.person.id),
        unit_path: after.unit_path.clone(),
        detail: Value::Object(detail),
    }
}
