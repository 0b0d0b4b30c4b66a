//! What is done about a case that is there.

use serde_json::Map;

use super::{Acting, CaseError, CaseFault, MOST_REASON, again, due, entry, event_of, text, today, values};
use crate::apply::{self, Outcome, Request};
use crate::decide;
use crate::error::Fault;
use crate::event::{ALWAYS, ChangeText, EventKind, NewEvent, PaperText};
use crate::paper::PaperKind;
use crate::stored::Stored;
use domain::Actor;
use domain::correction::{
    Answer, CaseAction, CaseState, Finding, Outcome as ItemOutcome, Verb, case_next, may,
};
use domain::date::vietnamese;
use domain::field::{Field, Part};
use domain::id::{ActId, CaseId, CorrectionId, PersonId};
use domain::profile::Correction;
use store::accounts;
use store::audit;
use store::register::corrections::{self, ActionRow, CaseRow};
use store::register::{papers, record};
use store::{Database, PgConnection};

/// Something that somebody does about a case.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    pub case_id: CorrectionId,
    /// Made by the sender, so that a repeat is known.
    pub action_id: ActId,
    /// How many actions the case had when it was read; `None` to act on whatever it is.
    pub seen: Option<u16>,
    pub what: What<'a>,
    /// Why, in the actor's words.
    pub reason: &'a str,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum What<'a> {
    /// Somebody of the justice office takes it; `verifies` when others must be asked first.
    Take { verifies: bool },
    /// The paper is issued, with an answer to each item.
    IssuePaper { paper: &'a PaperText, scan: Option<&'a [u8]>, answers: &'a [AnswerText] },
    /// What was granted goes into the register.
    Apply,
    /// No ground was found.
    Refuse,
    /// It is asked for no more.
    Withdraw,
    /// It is given to somebody else of the justice office.
    Reassign { to: Actor },
}

impl What<'_> {
    /// What is done, without what it says.
    pub const fn verb(&self) -> Verb {
        match self {
            What::Take { .. } => Verb::Take,
            What::IssuePaper { .. } => Verb::IssuePaper,
            What::Apply => Verb::Apply,
            What::Refuse => Verb::Refuse,
            What::Withdraw => Verb::Withdraw,
            What::Reassign { .. } => Verb::Reassign,
        }
    }
}

/// An answer to an item, in words. Personal data.
#[derive(Clone)]
pub struct AnswerText {
    pub field: Field,
    pub part: Part,
    /// The value that the paper states; `None` to refuse the item.
    pub granted: Option<String>,
}

impl std::fmt::Debug for AnswerText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerText").field("field", &self.field).finish_non_exhaustive()
    }
}

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    pub case_id: CorrectionId,
    pub state: CaseState,
    /// How many actions the case has now.
    pub actions: u16,
    /// What the register did, of a case that was applied now.
    pub applied: Option<Outcome>,
    /// It was done before, and nothing was changed now.
    pub repeated: bool,
}

/// Does something about a case.
///
/// # Errors
/// [`CaseError::Refused`] with what stands against it; those of the database. Nothing was changed.
pub async fn act_on_case(db: &Database, acting: &Acting<'_>, act: &Act<'_>) -> Result<Acted, CaseError> {
    again(|| async {
        let mut tx = db.begin().await?;
        let acted = run(&mut tx, acting, act).await?;
        store::commit(tx).await?;
        Ok(acted)
    })
    .await
}

async fn run(tx: &mut PgConnection, acting: &Acting<'_>, act: &Act<'_>) -> Result<Acted, CaseError> {
    let refused = |fault| Err(CaseError::Refused(vec![fault]));
    let found = corrections::locked(tx, act.case_id).await?;
    let Some(row) = found.filter(|row| acting.scope.covers(&row.unit_path)) else {
        return refused(CaseFault::NoCase);
    };
    let history = corrections::history(tx, row.case_id).await?;
    let before = history.iter().find(|done| done.action_id == act.action_id);
    if let (None, Err(refusal)) = (before, may(Some(&row.case), acting.by, act.what.verb())) {
        return refused(CaseFault::Case(refusal));
    }
    let mut faults = Vec::new();
    let reason = text(act.reason, MOST_REASON, &mut faults);
    let mut paper = None;
    let action = match &act.what {
        What::Take { verifies } => CaseAction::Take { verifies: *verifies },
        What::Apply => CaseAction::Apply,
        What::Refuse => CaseAction::Refuse,
        What::Withdraw => CaseAction::Withdraw,
        What::Reassign { to } => {
            if before.is_none() && !is_of_justice(tx, to, &row).await? {
                faults.push(CaseFault::NotJustice);
            }
            CaseAction::Reassign { to: to.clone() }
        }
        What::IssuePaper { paper: written, scan, answers } => {
            let issued = issued(tx, acting, &row, (written, *scan), answers, before.is_some()).await;
            let (stored, action) = issued?;
            paper = Some((stored, *scan));
            action
        }
    };
    if let Some(before) = before {
        if before.action != action || before.by != *acting.by || before.reason != reason {
            return refused(CaseFault::OtherAct);
        }
        let (case_id, state, actions) = (row.case_id, row.case.state, row.case.actions);
        return Ok(Acted { case_id, state, actions, applied: None, repeated: true });
    }
    let case = match case_next(Some(&row.case), acting.by, &action) {
        Ok(case) => case,
        Err(refusal) => {
            faults.push(CaseFault::Case(refusal));
            return Err(CaseError::Refused(faults));
        }
    };
    if act.seen.is_some_and(|seen| seen != row.case.actions) {
        faults.push(CaseFault::Stale);
    }
    if action.verb().needs_reason() && reason.is_none() {
        faults.push(CaseFault::NoReason);
    }
    if !faults.is_empty() {
        return Err(CaseError::Refused(faults));
    }
    if let Some((stored, scan)) = paper.as_ref().filter(|(stored, _)| !stored.is_there) {
        let entered = stored.row(&acting.by.actor, acting.now, &row.unit_path);
        papers::put(tx, &entered, *scan).await?;
    }
    let mut entries = Vec::new();
    let mut applied = None;
    if matches!(action, CaseAction::Apply) {
        let done = recorded(tx, acting, &row).await?;
        entries.extend(done.entry);
        applied = Some(done.outcome);
    }
    // The longer limit counts from the request, as the shorter did.
    let due_on = if case.kind == row.case.kind { row.due_on } else { due(case.kind, row.opened_at) };
    let closed_at = (!case.state.is_open()).then_some(acting.now);
    let action = ActionRow {
        seq: case.actions,
        action,
        at: acting.now,
        by: acting.by.clone(),
        action_id: act.action_id,
        event_id: applied.as_ref().map(|outcome| outcome.event_id),
        reason,
    };
    let row = CaseRow { case, due_on, closed_at, ..row };
    corrections::advance(tx, &row, &action).await?;
    entries.push(entry(acting, &row, &action));
    audit::append_all(tx, &entries).await?;
    let (case_id, state, actions) = (row.case_id, row.case.state, row.case.actions);
    Ok(Acted { case_id, state, actions, applied, repeated: false })
}

/// Whether somebody is of the justice office that the case is with.
async fn is_of_justice(tx: &mut PgConnection, to: &Actor, row: &CaseRow) -> Result<bool, store::Error> {
    let Actor::Account(id) = to else { return Ok(false) };
    let account = accounts::by_id(tx, id.uuid()).await?;
    Ok(account.is_some_and(|account| {
        account.role == domain::correction::Desk::Justice.code()
            && account.disabled_at.is_none()
            && account.scope.covers(&row.unit_path)
    }))
}

/// The paper and what it says of each item.
async fn issued(
    tx: &mut PgConnection,
    acting: &Acting<'_>,
    row: &CaseRow,
    (written, scan): (&PaperText, Option<&[u8]>),
    answers: &[AnswerText],
    is_repeat: bool,
) -> Result<(Stored, CaseAction), CaseError> {
    let mut faults = Vec::new();
    let person = record::locked(tx, row.person_id).await?;
    let known = person.ok_or_else(|| gone(row.person_id))?;
    let granted: Vec<ChangeText> = answers
        .iter()
        .filter_map(|answer| Some((answer, answer.granted.as_deref()?)))
        .map(|(answer, value)| values::as_text(answer.field, answer.part, Some(value)))
        .collect();
    let (changes, wrong) = if granted.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        values::judged(&known.person, &granted, acting.now)
    };
    // The paper that was repeated is judged as it was: the register may say since what it grants.
    if !is_repeat {
        faults.extend(wrong.into_iter().map(CaseFault::Event));
    }
    let findings = answers
        .iter()
        .map(|answer| {
            let value = changes.iter().find(|c| (c.field, c.part) == (answer.field, answer.part));
            let answer_is = match (&answer.granted, value) {
                (Some(_), Some(change)) => Answer::Grant(change.value.clone()),
                // It could not be read, which is said.
                (Some(_), None) | (None, _) => Answer::Refuse,
            };
            Finding { field: answer.field, part: answer.part, answer: answer_is }
        })
        .collect();
    let (paper, wrong) = decide::paper_and_scan(written, scan, today(acting));
    faults.extend(wrong.into_iter().map(CaseFault::Event));
    let Some((paper, media)) = paper else { return Err(CaseError::Refused(faults)) };
    let stored = Stored::of(tx, paper, scan.zip(media), Some(row.person_id)).await?;
    if stored.is_taken {
        faults.push(CaseFault::Event(Fault::PaperTaken));
    }
    if !faults.is_empty() {
        return Err(CaseError::Refused(faults));
    }
    let action = CaseAction::IssuePaper { document: stored.id, findings };
    Ok((stored, action))
}

fn gone(person: PersonId) -> store::Error {
    store::Error::Inconsistent {
        table: "correction_case",
        row: person.to_string(),
        reason: "its person is not in the register".to_owned(),
    }
}

/// Records what was granted, by the path of every event. An item that was refused is left out, and one whose
/// register value has gone on since stops the whole.
async fn recorded(
    tx: &mut PgConnection,
    acting: &Acting<'_>,
    row: &CaseRow,
) -> Result<apply::Done, CaseError> {
    let known = record::locked(tx, row.person_id).await?.ok_or_else(|| gone(row.person_id))?;
    let values = known.person.record.values();
    let granted = || {
        row.case.items.iter().filter_map(|((field, part), item)| match &item.outcome {
            ItemOutcome::Granted(value) => Some((*field, *part, item, value)),
            ItemOutcome::Open | ItemOutcome::Applied(_) | ItemOutcome::Refused => None,
        })
    };
    let has_gone_on: Vec<CaseFault> = granted()
        .filter(|(field, part, item, _)| {
            values.get(&(*field, *part)).cloned().flatten() != item.register_value
        })
        .map(|(field, ..)| CaseFault::Changed(field))
        .collect();
    if !has_gone_on.is_empty() {
        return Err(CaseError::Refused(has_gone_on));
    }
    let missing = || store::Error::Inconsistent {
        table: "correction_case",
        row: row.case_id.to_string(),
        reason: "its paper is not there".to_owned(),
    };
    let document = row.case.document.ok_or_else(missing)?;
    let paper = papers::read(tx, document).await?.ok_or_else(missing)?;
    let kind = match row.case.kind {
        Correction::Supplement => EventKind::Supplemented,
        Correction::Correction | Correction::CorrectionVerified => EventKind::Corrected,
    };
    let issued_on = vietnamese(paper.issued_on);
    let event = NewEvent {
        legal_on: issued_on.clone(),
        paper: Some(PaperText {
            kind: PaperKind::from_code(&paper.kind).ok_or_else(missing)?.code().to_owned(),
            number: paper.number,
            authority: paper.authority,
            issued_on,
        }),
        changes: granted().map(|(f, p, _, value)| values::as_text(f, p, value.as_deref())).collect(),
        since: (kind == EventKind::Corrected).then(|| ALWAYS.to_owned()),
        ..NewEvent::new(event_of(row), &row.person_id.to_string(), kind.code())
    };
    let mut note = Map::clone(&acting.note);
    note.insert("correction".to_owned(), serde_json::json!(row.case_id));
    let (scope, actor, now) = (acting.scope, &acting.by.actor, acting.now);
    let request = Request { scope, actor, now, event: &event, scan: None, note };
    Ok(apply::run(tx, &request, Some(CaseId::from_uuid(row.case_id.uuid()))).await?)
}
