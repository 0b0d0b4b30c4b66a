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
    let decision = match asked.decision {
        web::Decision::SamePerson => Decision::SamePerson,
        web::Decision::DifferentPeople => Decision::Different,
        web::Decision::Link => Decision::Link(asked.person.ok_or(CaseRefusal::DoesNotFit)?),
        web::Decision::Reject => Decision::Reject("by_adjudicator".to_owned()),
    };
    let by = format!("account:{}", asked.account);
    let note = Some(asked.note.as_str()).filter(|note| !note.is_empty());
    let now = centre.clock.now();
    match resolve::act(&centre.db, asked.case_id, &by, &decision, note, now).await {
        Ok(resolve::CaseOutcome::AwaitsConfirmation) => Ok(CaseOutcome::AwaitsConfirmation),
        Ok(resolve::CaseOutcome::Closed) => Ok(CaseOutcome::Closed),
        Err(Error::SameEyes(_)) => Err(CaseRefusal::SameEyes),
        Err(Error::AlreadyClosed(_)) => Err(CaseRefusal::AlreadyClosed),
        Err(Error::Contradicts(_)) => Err(CaseRefusal::Contradicts),
        Err(Error::DoesNotFit { .. }) => Err(CaseRefusal::DoesNotFit),
        Err(error) => Err(unavailable(&error)),
    }
}
