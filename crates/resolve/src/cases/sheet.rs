//! A case as an adjudicator reads it, on a page or by a command.

use super::acts::standing;
use super::decision::ActKind;
use super::facts::{Facts, in_question};
use super::refusal::{Obstacle, Refusal};
use super::rules::{self, Choice, Stage, Standing};
use crate::Error;
use crate::evidence::{Candidate, Stored};
use domain::Actor;
use domain::id::{CaseId, PersonId};
use store::cases::{self, Case, CaseAction};
use store::{Database, UnitScope};

/// A case with what was said about it and what can be done.
#[derive(Debug, Clone)]
pub struct Sheet {
    pub case: Case,
    pub evidence: Stored,
    /// What was said, from the first.
    pub said: Vec<CaseAction>,
    pub standing: Standing,
    /// Everything that can be meant by the case; what has no obstacle may be proposed.
    pub options: Vec<Choice>,
    /// What stands in the way of what is proposed, since then, or of opening the case again.
    pub obstacle: Option<Obstacle>,
}

/// The case, if the reader sees its unit. What can be done depends on facts that the reader may not see.
///
/// # Errors
/// Those of the database.
pub async fn read(db: &Database, scope: &UnitScope, id: CaseId) -> Result<Option<Sheet>, Error> {
    let mut scoped = db.scoped(scope).await?;
    let Some(case) = cases::pages::case(&mut scoped, id).await? else { return Ok(None) };
    let said = cases::actions(&mut scoped, id).await?;
    drop(scoped);
    let facts = Facts::load(&mut *db.read().await?, &case).await?;
    let standing = standing(&case, &said)?;
    let obstacle = match &standing.stage {
        Stage::Open => None,
        Stage::Proposed { decision, .. } => rules::effect(&case, decision, &facts).err(),
        Stage::Closed { decision, .. } => rules::undo(&case, decision, &facts).err(),
    };
    let options = rules::options(&case, &facts);
    Ok(Some(Sheet { evidence: Stored::read(&case.evidence), case, said, standing, options, obstacle }))
}

impl Sheet {
    /// Whether `who` may do such a thing now; [`ActKind::Propose`] with one of the choices.
    ///
    /// # Errors
    /// Why not.
    pub fn may(&self, kind: ActKind, who: &Actor) -> Result<(), Refusal> {
        rules::may(&self.standing, kind, who)?;
        match (kind, self.obstacle) {
            (ActKind::Confirm | ActKind::Reopen, Some(obstacle)) => Err(Refusal::Obstacle(obstacle)),
            _ => Ok(()),
        }
    }

    /// Whether accepting the application takes a paper, named in the reason.
    pub fn needs_paper(&self) -> bool {
        rules::needs_paper(&self.case)
    }

    /// The people whom the case or its evidence names, with their weights where they were weighed.
    pub fn people(&self) -> Vec<(PersonId, Option<f64>)> {
        let weight = |person: PersonId| {
            let weighed: Option<&Candidate> = self.evidence.candidates().iter().find(|c| c.person == person);
            weighed.map(|candidate| candidate.weight)
        };
        in_question(&self.case).into_iter().map(|person| (person, weight(person))).collect()
    }
}
