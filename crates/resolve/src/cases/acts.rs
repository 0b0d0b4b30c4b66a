//! One act about a case: load, judge, carry out and record, in one transaction under the lock of deciding.

use time::OffsetDateTime;
use uuid::Uuid;

use super::decision::{Act, ActKind};
use super::facts::Facts;
use super::refusal::{Obstacle, Refusal};
use super::rules::{self, Effect, Stage, Standing, Step};
use crate::Error;
use crate::dedupe::{merge_in, split_in};
use domain::Actor;
use domain::application::Action;
use domain::id::{ApplicationId, CaseId};
use store::applications::{self, Transition};
use store::cases::{self, Case, CaseAction, Decided, resolutions};
use store::{Database, PgConnection, audit};

/// Who does something about which case, and when.
#[derive(Debug, Clone, Copy)]
pub struct Command<'a> {
    /// Made when the form was drawn: the same command sent again is done once.
    pub id: Uuid,
    pub case: CaseId,
    pub by: &'a Actor,
    /// The version of the case that was read ([`Standing::version`]); `None` takes it as it is now.
    pub seen: Option<i16>,
    /// Why, in the actor's words. Blank is none.
    pub reason: Option<&'a str>,
    pub at: OffsetDateTime,
}

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Where the case stands now.
    pub standing: Standing,
    /// The command had been carried out before, and nothing was done.
    pub is_repeat: bool,
}

/// Does one thing about a case. Of people who act at once the second one is judged by what the first one did.
///
/// # Errors
/// [`Error::NoSuchCase`]; [`Error::Refused`] with the reason, when nothing was written; those of the
/// database.
pub async fn act(db: &Database, command: &Command<'_>, act: &Act) -> Result<Done, Error> {
    let mut tx = db.begin().await?;
    resolutions::lock(&mut tx).await?;
    let case = cases::lock_case(&mut tx, command.case).await?.ok_or(Error::NoSuchCase(command.case))?;
    let said = cases::actions(&mut tx, command.case).await?;
    let standing = standing(&case, &said)?;
    let who = command.by;
    let refused = |refusal| Error::Refused { case: command.case, refusal };
    if let Some(earlier) = said.iter().find(|action| action.command_id == Some(command.id)) {
        return match is_same(earlier, act, who) {
            true => Ok(Done { standing, is_repeat: true }),
            false => Err(refused(Refusal::Changed)),
        };
    }
    if command.seen.is_some_and(|seen| seen != standing.version) {
        return Err(refused(Refusal::Changed));
    }
    let facts = Facts::load(&mut tx, &case).await?;
    let reason = command.reason.map(str::trim).filter(|reason| !reason.is_empty());
    let step = rules::decide(&case, &standing, act, who, reason, &facts).map_err(refused)?;
    // Whoever proposed what is carried out is named in the histories of what it changes.
    let author = match &step.stage {
        Stage::Closed { by, .. } => by.clone(),
        Stage::Open | Stage::Proposed { .. } => who.clone(),
    };
    carry_out(&mut tx, &case, &step.effect, &author, command.at).await?;
    let action = CaseAction {
        seq: standing.version + 1,
        action: act.kind().code().to_owned(),
        at: command.at,
        actor: who.clone(),
        decision: step.decision.code().to_owned(),
        decided_person_id: step.decision.person(),
        decision_code: step.decision.reason().map(str::to_owned),
        note: reason.map(str::to_owned),
        command_id: Some(command.id),
    };
    cases::record(&mut tx, command.case, &action, stands(&step.stage)).await?;
    note(&mut tx, &case, act.kind(), &step, &action).await?;
    store::commit(tx).await?;
    let after = said.into_iter().chain([action]).collect::<Vec<_>>();
    Ok(Done { standing: self::standing(&case, &after)?, is_repeat: false })
}

/// The fold of what was said about the case.
pub(super) fn standing(case: &Case, said: &[CaseAction]) -> Result<Standing, Error> {
    rules::fold(said).map_err(|(seq, reason)| {
        Error::Store(store::Error::Inconsistent {
            table: "case_action",
            row: format!("{}, {seq}", case.case_id),
            reason: reason.to_owned(),
        })
    })
}

fn is_same(earlier: &CaseAction, act: &Act, who: &Actor) -> bool {
    let says_the_same = match act {
        Act::Propose(decision) => {
            earlier.decision == decision.code()
                && earlier.decided_person_id == decision.person()
                && earlier.decision_code.as_deref() == decision.reason()
        }
        Act::Confirm | Act::Disagree | Act::Withdraw | Act::Reopen => true,
    };
    earlier.actor == *who && earlier.action == act.kind().code() && says_the_same
}

fn stands(stage: &Stage) -> Option<Decided<'_>> {
    match stage {
        Stage::Open => None,
        Stage::Proposed { by, .. } => Some(Decided { decided_by: by, confirmed_by: None }),
        Stage::Closed { by, confirmed_by, .. } => {
            Some(Decided { decided_by: by, confirmed_by: Some(confirmed_by) })
        }
    }
}

async fn carry_out(
    tx: &mut PgConnection,
    case: &Case,
    effect: &Effect,
    by: &Actor,
    at: OffsetDateTime,
) -> Result<(), Error> {
    match (effect, case.application_id) {
        (Effect::Nothing, _) => Ok(()),
        (Effect::Accept(person), Some(application)) => {
            resolutions::link(tx, &[(application, *person)]).await?;
            step(tx, case, application, Action::Accept, None, by, at).await
        }
        (Effect::Reject(code), Some(application)) => {
            let detail = serde_json::json!({ "code": code });
            step(tx, case, application, Action::Reject, Some(detail), by, at).await
        }
        (Effect::TakeBack, Some(application)) => {
            resolutions::unlink(tx, application).await?;
            step(tx, case, application, Action::Reopen, None, by, at).await
        }
        (Effect::Merge(one, other), _) => {
            let reason = serde_json::json!({ "case": case.case_id });
            merge_in(tx, *one, *other, by, reason, at).await.map(|_| ())
        }
        (Effect::Unmerge, _) => unmerge(tx, case, by, at).await,
        (Effect::Accept(_) | Effect::Reject(_) | Effect::TakeBack, None) => {
            Err(refuse(case, Obstacle::OtherQuestion))
        }
    }
}

async fn unmerge(tx: &mut PgConnection, case: &Case, by: &Actor, at: OffsetDateTime) -> Result<(), Error> {
    let (Some(one), Some(other)) = (case.person_id, case.other_person_id) else { return Ok(()) };
    // Nothing is merged when somebody else had merged the two before, or took them apart since.
    let Some(dropped) = resolutions::merged_by_case(tx, case.case_id, [one, other]).await? else {
        return Ok(());
    };
    match split_in(tx, dropped, by, at).await {
        Err(Error::NotSplittable { .. }) => Err(refuse(case, Obstacle::NotSplittable)),
        split => split.map(|_| ()),
    }
}

fn refuse(case: &Case, obstacle: Obstacle) -> Error {
    Error::Refused { case: case.case_id, refusal: Refusal::Obstacle(obstacle) }
}

async fn step(
    tx: &mut PgConnection,
    case: &Case,
    application_id: ApplicationId,
    action: Action,
    detail: Option<serde_json::Value>,
    by: &Actor,
    at: OffsetDateTime,
) -> Result<(), Error> {
    let transition = Transition {
        application_id,
        action,
        at,
        actor: by.clone(),
        reference: Some(case.case_id.uuid()),
        detail,
    };
    let recorded = applications::record(tx, at, &[transition]).await?;
    // Between the facts and this row the application went into a batch.
    let obstacle = if action == Action::Reopen { Obstacle::InProduction } else { Obstacle::NotInCase };
    if recorded.refused.is_empty() { Ok(()) } else { Err(refuse(case, obstacle)) }
}

async fn note(
    tx: &mut PgConnection,
    case: &Case,
    kind: ActKind,
    step: &Step,
    action: &CaseAction,
) -> Result<(), Error> {
    // What two decided is one entry, of whoever proposed it.
    let (name, actor, confirmed_by) = match &step.stage {
        Stage::Closed { by, confirmed_by, .. } => ("case.decide".to_owned(), by, Some(confirmed_by)),
        Stage::Open | Stage::Proposed { .. } => (format!("case.{}", kind.code()), &action.actor, None),
    };
    let entry = audit::Entry {
        at: action.at,
        actor: actor.clone(),
        action: name,
        subject: format!("case:{}", case.case_id),
        unit_path: case.unit_path.clone(),
        detail: serde_json::json!({
            "kind": case.kind, "decision": step.decision.code(), "confirmed_by": confirmed_by,
            "application": case.application_id, "person": case.person_id,
        }),
    };
    Ok(audit::append(tx, &entry).await?)
}
