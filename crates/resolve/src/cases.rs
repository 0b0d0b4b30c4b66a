//! What people decide: two of them, one after the other or at once, and carried out when the second agrees.

use std::sync::Arc;

use domain::application::Action;
use domain::id::{ApplicationId, CaseId, PersonId};
use store::applications::{self, Transition};
use store::cases::{self, Case, CaseDecision, resolutions};
use store::register::{matching, merging};
use store::{Database, PgConnection, audit};
use time::OffsetDateTime;

use crate::decide::is_under_way;
use crate::dedupe::{merge_in, split_in};
use crate::{CaseKind, Error};

/// What two people decide about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The application is this register record's.
    Link(PersonId),
    /// The application is the same person's second one: rejected. Of two register records: merged.
    SamePerson,
    /// Whoever looks alike is somebody else: the application goes on with the case's person. Two register
    /// records stay.
    Different,
    /// Rejected for another reason, by its code.
    Reject(String),
}

impl Decision {
    /// Why an application is rejected when an adjudicator says no more than that it is.
    pub const BY_ADJUDICATOR: &str = "by_adjudicator";

    /// The decision of a stored code, with whom `link` links to and why `reject` rejects.
    pub fn from_parts(code: &str, person: Option<PersonId>, reason: Option<&str>) -> Option<Decision> {
        match code {
            "link" => person.map(Decision::Link),
            "same_person" => Some(Decision::SamePerson),
            "different_people" => Some(Decision::Different),
            "reject" => Some(Decision::Reject(reason.unwrap_or(Decision::BY_ADJUDICATOR).to_owned())),
            _ => None,
        }
    }

    /// Stable code, as stored.
    pub const fn code(&self) -> &'static str {
        match self {
            Decision::Link(_) => "link",
            Decision::SamePerson => "same_person",
            Decision::Different => "different_people",
            Decision::Reject(_) => "reject",
        }
    }
}

/// What came of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseOutcome {
    /// Somebody else must confirm it.
    AwaitsConfirmation,
    /// Carried out.
    Closed,
}

/// Decides and confirms in one go, for two people at one desk. Repeating it changes nothing.
///
/// # Errors
/// [`Error::SameEyes`], [`Error::NoSuchCase`], [`Error::AlreadyClosed`] with another decision,
/// [`Error::DoesNotFit`].
pub async fn decide_case(
    db: &Database,
    case: CaseId,
    decision: &Decision,
    by: &str,
    confirmed_by: &str,
    now: OffsetDateTime,
) -> Result<CaseOutcome, Error> {
    if by == confirmed_by {
        return Err(Error::SameEyes(by.to_owned()));
    }
    let mut tx = db.begin().await?;
    let Some(open) = find(&mut tx, case, decision).await? else { return Ok(CaseOutcome::Closed) };
    fits(&open, decision)?;
    close(&mut tx, &open, decision, (by, confirmed_by), None, now).await?;
    store::commit(tx).await?;
    Ok(CaseOutcome::Closed)
}

/// One adjudicator's decision about a case. The first one's is a proposal, which its author may change until
/// somebody confirms it; a colleague's that says the same confirms it and carries it out. All is judged under
/// the case's lock: of two people who decide at once one proposes, and the other confirms or is told that
/// they differ. Repeating it changes nothing.
///
/// # Errors
/// [`Error::NoSuchCase`]; [`Error::AlreadyClosed`] with another decision; [`Error::Contradicts`] when a
/// colleague proposed otherwise; [`Error::DoesNotFit`].
pub async fn act(
    db: &Database,
    case: CaseId,
    who: &str,
    decision: &Decision,
    note: Option<&str>,
    now: OffsetDateTime,
) -> Result<CaseOutcome, Error> {
    let mut tx = db.begin().await?;
    resolutions::lock(&mut tx).await?;
    let found = cases::lock_case(&mut tx, case).await?.ok_or(Error::NoSuchCase(case))?;
    let outcome = match judge(&found, who, decision)? {
        Judged::Closed => return Ok(CaseOutcome::Closed),
        Judged::Propose => {
            cases::write_decision(&mut tx, case, &written(decision, (who, None), note), now).await?;
            note_decision(&mut tx, "case.propose", &found, decision.code(), who, None, now).await?;
            CaseOutcome::AwaitsConfirmation
        }
        Judged::Confirm { first } => {
            close(&mut tx, &found, decision, (first, who), note, now).await?;
            CaseOutcome::Closed
        }
    };
    store::commit(tx).await?;
    Ok(outcome)
}

/// What an adjudicator's decision is for a case as it stands.
#[derive(Debug, PartialEq, Eq)]
enum Judged<'a> {
    /// It was closed with this very decision before.
    Closed,
    Propose,
    /// `first` proposed the same.
    Confirm {
        first: &'a str,
    },
}

fn judge<'a>(case: &'a Case, who: &str, decision: &Decision) -> Result<Judged<'a>, Error> {
    let is_same = is_that(case, decision);
    match (case.decided_by.as_deref(), case.confirmed_by.as_deref()) {
        (_, Some(_)) if is_same => Ok(Judged::Closed),
        (_, Some(_)) => Err(Error::AlreadyClosed(case.case_id)),
        (Some(first), None) if first != who && is_same => Ok(Judged::Confirm { first }),
        (Some(first), None) if first != who => Err(Error::Contradicts(case.case_id)),
        // Nobody has proposed, or this adjudicator has.
        (_, None) => fits(case, decision).map(|()| Judged::Propose),
    }
}

/// Opens a case again: a decision that nobody confirmed is withdrawn, and two register records that were
/// merged, or found different, are asked about anew. What an application went on to do is not undone here.
///
/// # Errors
/// [`Error::NoSuchCase`]; [`Error::NotReversible`]; [`Error::NotSplittable`].
pub async fn reopen_case(db: &Database, case: CaseId, by: &str, now: OffsetDateTime) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    resolutions::lock(&mut tx).await?;
    let found = cases::lock_case(&mut tx, case).await?.ok_or(Error::NoSuchCase(case))?;
    let Some(decision) = found.decision.as_deref() else { return Ok(()) };
    if found.confirmed_by.is_some() {
        let (None, Some(a), Some(b)) = (found.application_id, found.person_id, found.other_person_id) else {
            return Err(Error::NotReversible(case));
        };
        if decision == "same_person" {
            let records = merging::lock_people(&mut tx, &[a, b]).await?;
            let merged = records.iter().find(|r| r.status == 3).map(|r| PersonId::from_uuid(r.person_id));
            if let Some(dropped) = merged {
                split_in(&mut tx, dropped, by, now).await?;
            }
        }
    }
    cases::reopen(&mut tx, case, by, decision, now).await?;
    note_decision(&mut tx, "case.reopen", &found, decision, by, None, now).await?;
    store::commit(tx).await?;
    Ok(())
}

/// The case, if it is not closed with this very decision already.
async fn find(tx: &mut PgConnection, id: CaseId, decision: &Decision) -> Result<Option<Case>, Error> {
    resolutions::lock(tx).await?;
    let case = cases::lock_case(tx, id).await?.ok_or(Error::NoSuchCase(id))?;
    match case.confirmed_by {
        None => Ok(Some(case)),
        Some(_) if is_that(&case, decision) => Ok(None),
        Some(_) => Err(Error::AlreadyClosed(id)),
    }
}

fn is_that(case: &Case, decision: &Decision) -> bool {
    let (person, code) = parts(decision);
    case.decision.as_deref() == Some(decision.code())
        && case.decided_person_id == person
        && case.decision_code.as_deref() == code
}

fn parts(decision: &Decision) -> (Option<PersonId>, Option<&str>) {
    match decision {
        Decision::Link(person) => (Some(*person), None),
        Decision::Reject(code) => (None, Some(code)),
        Decision::SamePerson | Decision::Different => (None, None),
    }
}

fn written<'a>(
    decision: &'a Decision,
    (decided_by, confirmed_by): (&'a str, Option<&'a str>),
    note: Option<&'a str>,
) -> CaseDecision<'a> {
    let (person_id, code) = parts(decision);
    CaseDecision { decision: decision.code(), person_id, code, decided_by, confirmed_by, note }
}

/// Whether such a decision answers the question of such a case.
fn fits(case: &Case, decision: &Decision) -> Result<(), Error> {
    let refuse = |reason| Err(Error::DoesNotFit { case: case.case_id, reason });
    let is_register = CaseKind::from_code(&case.kind) == Some(CaseKind::RegisterDuplicate);
    match decision {
        Decision::Link(_) | Decision::Reject(_) if is_register => {
            refuse("two register records are one person or different people")
        }
        Decision::Different if !is_register && case.person_id.is_none() => {
            refuse("no register record is known for the application: link it to one, or reject it")
        }
        _ => Ok(()),
    }
}

async fn close(
    tx: &mut PgConnection,
    case: &Case,
    decision: &Decision,
    (by, confirmed_by): (&str, &str),
    note: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    match (case.application_id, decision) {
        (Some(application), Decision::Link(person)) => {
            accept(tx, case, application, *person, by, now).await?
        }
        (Some(application), Decision::Different) => {
            let reason = "no register record is known for the application: link it to one, or reject it";
            let person = case.person_id.ok_or(Error::DoesNotFit { case: case.case_id, reason })?;
            accept(tx, case, application, person, by, now).await?;
        }
        (Some(application), Decision::SamePerson) => {
            reject(tx, case, application, CaseKind::SamePersonTwice.code(), by, now).await?;
        }
        (Some(application), Decision::Reject(code)) => reject(tx, case, application, code, by, now).await?,
        (None, Decision::SamePerson) => {
            let (Some(a), Some(b)) = (case.person_id, case.other_person_id) else {
                return Err(Error::DoesNotFit { case: case.case_id, reason: "it names no two records" });
            };
            merge_in(tx, a, b, by, serde_json::json!({ "case": case.case_id }), now).await?;
        }
        (None, _) => {}
    }
    let both = (by, Some(confirmed_by));
    cases::write_decision(tx, case.case_id, &written(decision, both, note), now).await?;
    note_decision(tx, "case.decide", case, decision.code(), by, Some(confirmed_by), now).await
}

async fn accept(
    tx: &mut PgConnection,
    case: &Case,
    application: ApplicationId,
    person: PersonId,
    by: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let refuse = |reason| Err(Error::DoesNotFit { case: case.case_id, reason });
    let Some(&person) = matching::survivors(tx, &[person]).await?.get(&person) else {
        return refuse("no living person has this record");
    };
    let own = resolutions::standings(tx, &[application]).await?;
    let Some(own) = own.first() else { return refuse("its application was never looked at") };
    let others = resolutions::standings_of_people(tx, &[person]).await?;
    if others.iter().any(|o| o.application_id != application && is_under_way(o.state, own.kind)) {
        return refuse(
            "this person has another application under way: it is the same person's, or another record's",
        );
    }
    resolutions::link(tx, &[(application, person)]).await?;
    step(tx, case, application, Action::Accept, None, by, now).await
}

async fn reject(
    tx: &mut PgConnection,
    case: &Case,
    application: ApplicationId,
    code: &str,
    by: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let detail = serde_json::json!({ "code": code });
    step(tx, case, application, Action::Reject, Some(detail), by, now).await
}

async fn step(
    tx: &mut PgConnection,
    case: &Case,
    application_id: ApplicationId,
    action: Action,
    detail: Option<serde_json::Value>,
    by: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let transition = Transition {
        application_id,
        action,
        at: now,
        actor: Arc::from(by),
        reference: Some(case.case_id.uuid()),
        detail,
    };
    let recorded = applications::record(tx, now, &[transition]).await?;
    if recorded.refused.is_empty() { Ok(()) } else { Err(Error::NotReversible(case.case_id)) }
}

async fn note_decision(
    tx: &mut PgConnection,
    action: &str,
    case: &Case,
    decision: &str,
    by: &str,
    confirmed_by: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let entry = audit::Entry {
        at: now,
        actor: by.to_owned(),
        action: action.to_owned(),
        subject: format!("case:{}", case.case_id),
        unit_path: case.unit_path.clone(),
        detail: serde_json::json!({
            "kind": case.kind, "decision": decision, "confirmed_by": confirmed_by,
            "application": case.application_id, "person": case.person_id,
        }),
    };
    Ok(audit::append(tx, &entry).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(proposal: Option<(&str, &Decision)>, confirmed_by: Option<&str>) -> Case {
        let decided = proposal.map(|(_, decision)| parts(decision));
        Case {
            case_id: CaseId::from_uuid(uuid::Uuid::from_u128(1)),
            kind: CaseKind::SamePersonTwice.code().to_owned(),
            application_id: Some(ApplicationId::from_uuid(uuid::Uuid::from_u128(2))),
            other_application_id: None,
            person_id: None,
            other_person_id: None,
            unit_path: "42/445/".to_owned(),
            decision: proposal.map(|(_, decision)| decision.code().to_owned()),
            decided_person_id: decided.and_then(|(person, _)| person),
            decision_code: decided.and_then(|(_, code)| code.map(str::to_owned)),
            decided_by: proposal.map(|(who, _)| who.to_owned()),
            confirmed_by: confirmed_by.map(str::to_owned),
        }
    }

    fn check(case: &Case, who: &str, decision: &Decision, expected: Result<Judged<'_>, &str>) {
        match (judge(case, who, decision), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{error}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_decision_comes_back_from_its_stored_parts() {
        let person = PersonId::from_uuid(uuid::Uuid::from_u128(8));
        let reject = Decision::Reject("fraud".to_owned());
        for decision in [Decision::Link(person), Decision::SamePerson, Decision::Different, reject] {
            let (person, reason) = parts(&decision);
            assert_eq!(Decision::from_parts(decision.code(), person, reason), Some(decision));
        }
        assert_eq!(Decision::from_parts("link", None, None), None);
        assert_eq!(Decision::from_parts("burn", None, None), None);
    }

    #[test]
    fn the_first_proposes_the_second_confirms_and_differing_is_told() {
        let link = |person| Decision::Link(PersonId::from_uuid(uuid::Uuid::from_u128(person)));
        let (one, other) = (link(8), link(9));
        let open = case(None, None);
        check(&open, "a", &one, Ok(Judged::Propose));
        check(&open, "a", &Decision::Different, Err("does not fit"));
        let proposed = case(Some(("a", &one)), None);
        check(&proposed, "a", &one, Ok(Judged::Propose));
        check(&proposed, "a", &other, Ok(Judged::Propose));
        check(&proposed, "b", &one, Ok(Judged::Confirm { first: "a" }));
        check(&proposed, "b", &other, Err("decided otherwise by a colleague"));
        check(&proposed, "b", &Decision::SamePerson, Err("decided otherwise by a colleague"));
        let closed = case(Some(("a", &one)), Some("b"));
        for who in ["a", "b", "c"] {
            check(&closed, who, &one, Ok(Judged::Closed));
            check(&closed, who, &other, Err("closed with another decision"));
        }
    }
}
