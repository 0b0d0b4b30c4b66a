//! The adjudicators' desk behind the pages: two people, one decision.

use crate::centre::Centre;
use resolve::{Decision, Error};
use web::{CaseDecision, CaseOutcome, CaseRefusal};

/// Proposes a decision, or confirms a colleague's.
pub async fn decide(centre: &Centre, asked: CaseDecision) -> Result<CaseOutcome, CaseRefusal> {
    let unavailable = |error: &dyn std::fmt::Display| {
        tracing::error!(case.id = %asked.case_id, %error, "a decision could not be written");
        CaseRefusal::Unavailable
    };
    let mut conn = centre.db.begin().await.map_err(|e| unavailable(&e))?;
    let case = store::resolve::lock_case(&mut conn, asked.case_id).await.map_err(|e| unavailable(&e))?;
    drop(conn);
    let Some(case) = case else { return Err(CaseRefusal::DoesNotFit) };
    let decision = match asked.decision {
        web::Decision::SamePerson => Decision::SamePerson,
        web::Decision::DifferentPeople => Decision::Different,
        web::Decision::Link => {
            Decision::Link(asked.person.or(case.person_id).ok_or(CaseRefusal::DoesNotFit)?)
        }
        web::Decision::Reject => Decision::Reject("by_adjudicator".to_owned()),
    };
    let by = domain::Actor::Account(asked.account).to_string();
    let note = Some(asked.note.as_str()).filter(|note| !note.is_empty());
    let now = centre.clock.now();
    let proposed_by_another = case.decided_by.as_deref().is_some_and(|first| first != by);
    let outcome = if proposed_by_another {
        resolve::confirm_case(&centre.db, asked.case_id, &decision, &by, note, now).await
    } else {
        resolve::propose_case(&centre.db, asked.case_id, &decision, &by, note, now).await
    };
    match outcome {
        Ok(resolve::CaseOutcome::AwaitsConfirmation) => Ok(CaseOutcome::AwaitsConfirmation),
        Ok(resolve::CaseOutcome::Closed) => Ok(CaseOutcome::Closed),
        Err(Error::SameEyes(_)) => Err(CaseRefusal::SameEyes),
        Err(Error::AlreadyClosed(_)) => Err(CaseRefusal::AlreadyClosed),
        Err(Error::Contradicts(_)) => Err(CaseRefusal::Contradicts),
        Err(Error::DoesNotFit { .. }) => Err(CaseRefusal::DoesNotFit),
        Err(error) => Err(unavailable(&error)),
    }
}
