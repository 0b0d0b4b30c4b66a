//! Who may do what about a case, and what comes of it. Pure: the case, what was said about it and the facts
//! of now go in, a step or a refusal comes out.

use super::decision::{Act, ActKind, Decision};
use super::facts::{Facts, in_question};
use super::refusal::{Obstacle, Refusal};
use crate::CaseKind;
use crate::evidence::Stored;
use domain::Actor;
use domain::application::State;
use domain::id::PersonId;
use store::cases::{Case, CaseAction};

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has decided.
    Open,
    /// One adjudicator has; another must agree.
    Proposed { decision: Decision, by: Actor },
    /// Two have, and it is carried out.
    Closed { decision: Decision, by: Actor, confirmed_by: Actor },
}

impl Stage {
    /// What was decided so far.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Stage::Open => None,
            Stage::Proposed { decision, .. } | Stage::Closed { decision, .. } => Some(decision),
        }
    }

    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Stage::Open => "open",
            Stage::Proposed { .. } => "proposed",
            Stage::Closed { .. } => "closed",
        }
    }
}

/// The fold of what was said about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub stage: Stage,
    /// The two of the latest disagreement: a decision now takes a third.
    pub parties: Option<[Actor; 2]>,
    /// How many acts there were: a form that was drawn before the latest is out of date.
    pub version: i16,
}

/// Where a case stands after these acts, the first one first; or what is wrong with them.
///
/// # Errors
/// The number of the act that cannot be read or that has nothing to be about, with what is wrong.
pub fn fold(actions: &[CaseAction]) -> Result<Standing, (i16, &'static str)> {
    let open = Standing { stage: Stage::Open, parties: None, version: 0 };
    actions.iter().try_fold(open, |standing, action| {
        let fail = |reason| Err((action.seq, reason));
        let Some(kind) = ActKind::from_code(&action.action) else { return fail("the act is not known") };
        let (stage, parties) = match (kind, standing.stage) {
            // Releases before this one let a proposer change a proposal without withdrawing it.
            (ActKind::Propose, _) => {
                let code = action.decision_code.as_deref();
                match Decision::from_parts(&action.decision, action.decided_person_id, code) {
                    Some(decision) => {
                        (Stage::Proposed { decision, by: action.actor.clone() }, standing.parties)
                    }
                    None => return fail("the decision is not known"),
                }
            }
            (ActKind::Confirm, Stage::Proposed { decision, by }) => {
                let confirmed_by = action.actor.clone();
                (Stage::Closed { decision, by, confirmed_by }, standing.parties)
            }
            (ActKind::Disagree, Stage::Proposed { by, .. }) => {
                (Stage::Open, Some([by, action.actor.clone()]))
            }
            (ActKind::Confirm | ActKind::Disagree, _) => return fail("nothing was proposed before it"),
            (ActKind::Withdraw, _) => (Stage::Open, standing.parties),
            (ActKind::Reopen, _) => (Stage::Open, None),
        };
        Ok(Standing { stage, parties, version: action.seq })
    })
}

/// What an act does beside being recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// The application goes on as this living person's.
    Accept(PersonId),
    /// The application ends, for this reason.
    Reject(String),
    Merge(PersonId, PersonId),
    /// The application waits for the case again, and is nobody's.
    TakeBack,
    /// What the case merged is taken apart.
    Unmerge,
}

/// An act that is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// What it is about.
    pub decision: Decision,
    pub effect: Effect,
    /// Where the case stands after it.
    pub stage: Stage,
}

/// One decision about a case, and what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub decision: Decision,
    /// `None` when it may be proposed, and would be carried out at once.
    pub obstacle: Option<Obstacle>,
}

/// Everything that can be meant by a case, also what cannot be done now.
pub(super) fn options(case: &Case, facts: &Facts) -> Vec<Choice> {
    let mut meant = Vec::new();
    if case.application_id.is_none() {
        meant.extend([Decision::SamePerson, Decision::Different]);
    } else {
        if case.other_application_id.is_some() {
            meant.push(Decision::SamePerson);
            meant.extend(case.person_id.map(|_| Decision::Different));
        }
        let mut seen = Vec::new();
        for person in in_question(case) {
            // Of several records that were merged into one, the likeliest speaks.
            let living = facts.survivors.get(&person).copied().unwrap_or(person);
            if !seen.contains(&living) {
                seen.push(living);
                meant.push(Decision::Link(person));
            }
        }
        meant.push(Decision::Reject(Decision::BY_ADJUDICATOR.to_owned()));
    }
    let choice = |decision| Choice { obstacle: effect(case, &decision, facts).err(), decision };
    meant.into_iter().map(choice).collect()
}

/// Exactly what may be proposed now: each would be carried out if a colleague confirmed it at once.
pub fn choices(case: &Case, facts: &Facts) -> Vec<Decision> {
    let possible = options(case, facts).into_iter().filter(|choice| choice.obstacle.is_none());
    possible.map(|choice| choice.decision).collect()
}

/// What carrying the decision out does under the facts of now.
pub(super) fn effect(case: &Case, decision: &Decision, facts: &Facts) -> Result<Effect, Obstacle> {
    if case.application_id.is_none() {
        return effect_on_records(case, decision, facts);
    }
    let own = facts.own.filter(|own| own.state == State::InCase).ok_or(Obstacle::NotInCase)?;
    let accept = |person: PersonId| {
        let living = *facts.survivors.get(&person).ok_or(Obstacle::NoLivingRecord)?;
        match facts.is_under_way(living, own.kind) {
            true => Err(Obstacle::ApplicationUnderWay),
            false => Ok(Effect::Accept(living)),
        }
    };
    match decision {
        Decision::Link(person) if !in_question(case).contains(person) => Err(Obstacle::NotInQuestion),
        Decision::Link(person) => accept(*person),
        Decision::SamePerson | Decision::Different if case.other_application_id.is_none() => {
            Err(Obstacle::NoOtherApplication)
        }
        Decision::SamePerson => Ok(Effect::Reject(CaseKind::SamePersonTwice.code().to_owned())),
        Decision::Different => accept(case.person_id.ok_or(Obstacle::NoRecordKnown)?),
        Decision::Reject(code) => Ok(Effect::Reject(code.clone())),
    }
}

fn effect_on_records(case: &Case, decision: &Decision, facts: &Facts) -> Result<Effect, Obstacle> {
    let (Some(one), Some(other)) = (case.person_id, case.other_person_id) else {
        return Err(Obstacle::NoRecordKnown);
    };
    let living = |person| facts.survivors.get(&person).copied();
    let is_one = living(one).is_some() && living(one) == living(other);
    match decision {
        Decision::Link(_) | Decision::Reject(_) => Err(Obstacle::OtherQuestion),
        Decision::Different if is_one => Err(Obstacle::AlreadyOne),
        Decision::Different => Ok(Effect::Nothing),
        // Somebody else merged them: the answer is given, and nothing is left to do.
        Decision::SamePerson if is_one => Ok(Effect::Nothing),
        Decision::SamePerson => {
            let one = living(one).ok_or(Obstacle::NoLivingRecord)?;
            let other = living(other).ok_or(Obstacle::NoLivingRecord)?;
            match facts.has_application(one) && facts.has_application(other) {
                true => Err(Obstacle::BothHaveApplications),
                false => Ok(Effect::Merge(one, other)),
            }
        }
    }
}

/// What taking the decision back does. A rejection can be taken back, and an acceptance until a card was
/// begun.
pub(super) fn undo(case: &Case, decision: &Decision, facts: &Facts) -> Result<Effect, Obstacle> {
    if case.application_id.is_none() {
        return Ok(match decision {
            Decision::SamePerson => Effect::Unmerge,
            Decision::Different | Decision::Link(_) | Decision::Reject(_) => Effect::Nothing,
        });
    }
    match facts.own {
        Some(own) if own.state == State::Rejected => Ok(Effect::TakeBack),
        Some(own) if own.state == State::Accepted && !own.was_batched => Ok(Effect::TakeBack),
        Some(own) if own.state == State::InCase => Err(Obstacle::NotInCase),
        Some(_) => Err(Obstacle::InProduction),
        None => Err(Obstacle::NotInCase),
    }
}

/// Whether `who` may do such a thing now, as far as people go. `Propose` says nothing yet of what is
/// proposed.
pub(super) fn may(standing: &Standing, kind: ActKind, who: &Actor) -> Result<(), Refusal> {
    let is_party =
        |actor: &Actor| standing.parties.as_ref().is_some_and(|two| two.iter().any(|one| one == actor));
    match (kind, &standing.stage) {
        (ActKind::Propose, Stage::Open) => Ok(()),
        (ActKind::Propose, Stage::Proposed { .. }) => Err(Refusal::AlreadyProposed),
        (ActKind::Confirm | ActKind::Disagree, Stage::Proposed { by, .. }) if by == who => {
            Err(Refusal::OwnProposal)
        }
        // Either of two who disagreed may yield to a third, and neither to the other.
        (ActKind::Confirm, Stage::Proposed { by, .. }) if is_party(by) && is_party(who) => {
            Err(Refusal::NeedsThird)
        }
        (ActKind::Confirm | ActKind::Disagree, Stage::Proposed { .. }) => Ok(()),
        (ActKind::Withdraw, Stage::Proposed { by, .. }) if by != who => Err(Refusal::NotTheProposer),
        (ActKind::Withdraw, Stage::Proposed { .. }) => Ok(()),
        (ActKind::Confirm | ActKind::Disagree | ActKind::Withdraw, Stage::Open) => {
            Err(Refusal::NothingProposed)
        }
        (ActKind::Reopen, Stage::Open | Stage::Proposed { .. }) => Err(Refusal::NotClosed),
        (ActKind::Reopen, Stage::Closed { .. }) => Ok(()),
        (
            ActKind::Propose | ActKind::Confirm | ActKind::Disagree | ActKind::Withdraw,
            Stage::Closed { .. },
        ) => Err(Refusal::AlreadyClosed),
    }
}

/// Whether accepting the application takes a paper, which is named in the reason: its fingers are in
/// question, whatever else the case asks about.
pub(super) fn needs_paper(case: &Case) -> bool {
    Stored::read(&case.evidence).finger_fault().is_some()
}

/// What an act does, or why it is refused. Proposing is judged as confirming is.
pub(super) fn decide(
    case: &Case,
    standing: &Standing,
    act: &Act,
    who: &Actor,
    reason: Option<&str>,
    facts: &Facts,
) -> Result<Step, Refusal> {
    may(standing, act.kind(), who)?;
    if act.kind().needs_reason() && reason.is_none() {
        return Err(Refusal::NoReason);
    }
    let step = |decision: &Decision, effect, stage| Step { decision: decision.clone(), effect, stage };
    match (act, &standing.stage) {
        (Act::Propose(decision), _) => {
            let effect = effect(case, decision, facts).map_err(Refusal::Obstacle)?;
            if matches!(effect, Effect::Accept(_)) && needs_paper(case) && reason.is_none() {
                return Err(Refusal::NoPaper);
            }
            let proposed = Stage::Proposed { decision: decision.clone(), by: who.clone() };
            Ok(step(decision, Effect::Nothing, proposed))
        }
        (Act::Confirm, Stage::Proposed { decision, by }) => {
            let effect = effect(case, decision, facts).map_err(Refusal::Obstacle)?;
            let (decision, by, confirmed_by) = (decision.clone(), by.clone(), who.clone());
            Ok(step(&decision.clone(), effect, Stage::Closed { decision, by, confirmed_by }))
        }
        (Act::Disagree | Act::Withdraw, Stage::Proposed { decision, .. }) => {
            Ok(step(decision, Effect::Nothing, Stage::Open))
        }
        (Act::Reopen, Stage::Closed { decision, .. }) => {
            let effect = undo(case, decision, facts).map_err(Refusal::Obstacle)?;
            Ok(step(decision, effect, Stage::Open))
        }
        (Act::Confirm | Act::Disagree | Act::Withdraw, Stage::Open | Stage::Closed { .. }) => {
            Err(Refusal::NothingProposed)
        }
        (Act::Reopen, Stage::Open | Stage::Proposed { .. }) => Err(Refusal::NotClosed),
    }
}

#[cfg(test)]
mod tests;
