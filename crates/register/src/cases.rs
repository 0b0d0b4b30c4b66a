//! Cases of correction: opened by the office that keeps the register, decided by the justice office, applied
//! by the same path as every other event. One transaction an act, with its row of the audit trail.

mod act;
mod fault;
mod values;

use std::future::Future;

use serde_json::{Map, Value, json};
use time::{Date, OffsetDateTime};

pub use self::act::{Act, Acted, AnswerText, What, act_on_case};
pub use self::fault::{CaseError, CaseFault};

use crate::event::ChangeText;
use crate::{apply, decide};
use domain::clock::day_in_vietnam;
use domain::correction::{By, CaseAction, Claim, Source, case_next};
use domain::id::{ActId, CorrectionId, EventId, PersonId};
use domain::profile::{Correction, Profile};
use domain::text::{forbidden, tidy};
use store::audit::{self, Entry};
use store::register::corrections::{self, ActionRow, CaseRow};
use store::register::people::records_of;
use store::register::record::Known;
use store::{Database, PgConnection, UnitScope};

/// Characters of a reason at most.
pub const MOST_REASON: usize = 2_000;
/// Characters of what a source is called at most.
const MOST_REF: usize = 100;

/// Who acts on cases, and when.
#[derive(Debug, Clone)]
pub struct Acting<'a> {
    /// What the actor may see and change.
    pub scope: &'a UnitScope,
    /// Who, and for which office.
    pub by: &'a By,
    pub now: OffsetDateTime,
    /// What the audit trail says beside: over which line. It names no person.
    pub note: Map<String, Value>,
}

/// A case to be opened. Personal data: the claims are.
#[derive(Debug, Clone)]
pub struct NewCase {
    /// Made by the sender, so that a repeat is known.
    pub case_id: CorrectionId,
    /// Whom it is about: the id in the register, or the personal number.
    pub person: String,
    /// Code of a [`Source`].
    pub source: String,
    /// Which rule of quality, or which list; empty otherwise.
    pub source_ref: String,
    /// What the register should state, in words.
    pub claims: Vec<ChangeText>,
    /// Why, in the actor's words; may be empty.
    pub reason: String,
}

/// A case that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub case_id: CorrectionId,
    pub person: PersonId,
    /// The last day in time; `None` where the dated lists say nothing of the day.
    pub due_on: Option<Date>,
    /// It was opened before, and nothing was changed now.
    pub repeated: bool,
}

/// Opens a case.
///
/// # Errors
/// [`CaseError::Refused`] with everything that is wrong with it; those of the database. Nothing was changed.
pub async fn open_case(db: &Database, acting: &Acting<'_>, new: &NewCase) -> Result<Opened, CaseError> {
    again(|| async {
        let mut tx = db.begin().await?;
        let opened = open(&mut tx, acting, new).await?;
        store::commit(tx).await?;
        Ok(opened)
    })
    .await
}

/// Somebody may do the same at the same instant: judged again, theirs is there.
async fn again<T, F>(transaction: impl FnMut() -> F) -> Result<T, CaseError>
where
    F: Future<Output = Result<T, CaseError>>,
{
    let met = |error: &CaseError| match error {
        CaseError::Store(store) => {
            let keys = [
                "correction_case_pkey",
                "correction_action_pkey",
                "correction_action_once",
                "civil_event_pkey",
                "legal_document_pkey",
                "legal_document_is_one",
            ];
            store.is_retryable() || keys.iter().any(|key| store.violates(key))
        }
        CaseError::Rule(_) | CaseError::Refused(_) => false,
    };
    store::retry(met, transaction).await
}

async fn open(tx: &mut PgConnection, acting: &Acting<'_>, new: &NewCase) -> Result<Opened, CaseError> {
    let mut faults = Vec::new();
    let source = Source::from_code(new.source.trim());
    if source.is_none() {
        faults.push(CaseFault::Source);
    }
    let source_ref = text(&new.source_ref, MOST_REF, &mut faults);
    let reason = text(&new.reason, MOST_REASON, &mut faults);
    let known = apply::find(tx, decide::find(&new.person), acting.scope).await?;
    let Some(known) = known else {
        faults.push(CaseFault::NoPerson);
        return Err(CaseError::Refused(faults));
    };
    if let Some(before) = corrections::locked(tx, new.case_id).await? {
        return repeated(tx, acting, new, &known, before).await;
    }
    let (claims, wrong) = values::claims(&known.person, &new.claims, acting.now);
    faults.extend(wrong);
    let records = records_of(tx, known.person.id).await?;
    let asked = corrections::open_of(tx, &records).await?;
    let is_asked = |claim: &Claim| asked.iter().any(|(_, f, p)| (*f, *p) == (claim.field, claim.part));
    let twice = claims.iter().filter(|claim| is_asked(claim));
    faults.extend(twice.map(|claim| CaseFault::AskedAlready(claim.field)));
    let action = CaseAction::Request { kind: kind_of(&claims), items: claims };
    match case_next(None, acting.by, &action) {
        Err(refusal) => {
            // Without readable values there is nothing to ask for, which was said.
            if faults.is_empty() || matches!(refusal, domain::correction::CaseRefusal::NotYours { .. }) {
                faults.push(CaseFault::Case(refusal));
            }
            Err(CaseError::Refused(faults))
        }
        Ok(_) if !faults.is_empty() => Err(CaseError::Refused(faults)),
        Ok(case) => {
            let due_on = due(case.kind, acting.now);
            let row = CaseRow {
                case_id: new.case_id,
                person_id: known.person.id,
                source: source.expect("a case without a source has a fault"),
                source_ref,
                case,
                due_on,
                opened_at: acting.now,
                closed_at: None,
                unit_path: known.unit_path,
            };
            let action = ActionRow {
                seq: 1,
                action,
                at: acting.now,
                by: acting.by.clone(),
                action_id: ActId::from_uuid(new.case_id.uuid()),
                event_id: None,
                reason,
            };
            corrections::put(tx, &row, &action).await?;
            audit::append(tx, &entry(acting, &row, &action)).await?;
            Ok(Opened { case_id: row.case_id, person: row.person_id, due_on, repeated: false })
        }
    }
}

/// The answer to a case that is there already: as before for the same one, a refusal for another.
async fn repeated(
    tx: &mut PgConnection,
    acting: &Acting<'_>,
    new: &NewCase,
    known: &Known,
    before: CaseRow,
) -> Result<Opened, CaseError> {
    let history = corrections::history(tx, before.case_id).await?;
    // What the register states has gone on since; what was claimed is compared.
    let asked: Vec<_> =
        before.case.items.iter().map(|(key, item)| (*key, item.claimed_value.clone())).collect();
    let told = values::told(&known.person, &new.claims, acting.now);
    let is_same = before.person_id == known.person.id
        && before.source.code() == new.source.trim()
        && history.first().is_some_and(|first| first.by == *acting.by)
        && told == asked;
    if !is_same {
        return Err(CaseError::Refused(vec![CaseFault::OtherCase]));
    }
    let (case_id, person, due_on) = (before.case_id, before.person_id, before.due_on);
    Ok(Opened { case_id, person, due_on, repeated: true })
}

/// What was missing is supplemented, what was wrong is corrected.
fn kind_of(claims: &[Claim]) -> Correction {
    if claims.iter().all(|claim| claim.register_value.is_none()) {
        Correction::Supplement
    } else {
        Correction::Correction
    }
}

/// The last day in time. Where the dated lists have no row for a day on the way, no limit is invented.
fn due(kind: Correction, asked_at: OffsetDateTime) -> Option<Date> {
    Profile::official().correction_due(kind, asked_at).ok().map(|due| due.on)
}

/// A text that somebody wrote; `None` where there is nothing.
fn text(written: &str, most: usize, faults: &mut Vec<CaseFault>) -> Option<String> {
    let text = tidy(written);
    if forbidden(&text).is_some() || text.chars().count() > most {
        faults.push(CaseFault::Words);
    }
    (!text.is_empty()).then_some(text)
}

/// The row of the trail. It names the fields and no value.
fn entry(acting: &Acting<'_>, row: &CaseRow, action: &ActionRow) -> Entry {
    let mut detail = acting.note.clone();
    let verb = action.action.verb().code();
    let fields: Vec<&str> = row.case.items.keys().map(|(field, _)| field.code()).collect();
    detail.insert("person".to_owned(), json!(row.person_id));
    detail.insert("fields".to_owned(), json!(fields));
    detail.insert("desk".to_owned(), json!(action.by.desk.code()));
    if let Some(document) = row.case.document {
        detail.insert("document".to_owned(), json!(document));
    }
    if let Some(event) = action.event_id {
        detail.insert("event".to_owned(), json!(event));
    }
    if let CaseAction::Reassign { to } = &action.action {
        detail.insert("to".to_owned(), json!(to.to_string()));
    }
    if let Some(reason) = &action.reason {
        detail.insert("reason".to_owned(), json!(reason));
    }
    Entry {
        at: acting.now,
        actor: acting.by.actor.clone(),
        action: format!("correction.{verb}"),
        subject: format!("correction:{}", row.case_id),
        unit_path: row.unit_path.clone(),
        detail: Value::Object(detail),
    }
}

/// Working days since the last day in time; 0 for what is in time or has no limit.
pub fn days_late(due_on: Option<Date>, today: Date) -> u32 {
    let Some(due) = due_on.filter(|due| *due < today) else { return 0 };
    let calendar = Profile::official().working_days();
    let mut days = 0;
    let mut day = due;
    while let Some(next) = day.next_day().filter(|next| *next <= today) {
        day = next;
        // A day of which nothing is known counts: what is late is not made to look better.
        days += u32::from(calendar.on(day).map_or(true, |known| known.is_worked));
    }
    days
}

/// The id of the event by which a case is applied: one a case.
fn event_of(row: &CaseRow) -> EventId {
    EventId::derive(row.opened_at, &[b"correction", row.case_id.uuid().as_bytes()])
}

/// The day of today where the case is worked on.
fn today(acting: &Acting<'_>) -> Date {
    day_in_vietnam(acting.now)
}
