//! What the register and the applications say today about the question of a case.

use std::collections::HashMap;

use crate::Error;
use crate::decide::is_under_way;
use crate::evidence::Stored;
use domain::application::{Kind, State};
use domain::id::{ApplicationId, PersonId};
use store::PgConnection;
use store::applications;
use store::cases::{Case, resolutions};
use store::register::matching;

/// Facts of now, whatever the reader may see of them: what the confirmer would be refused must not be
/// offered.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// For each person in question: the living person whose record it is now.
    pub(super) survivors: HashMap<PersonId, PersonId>,
    /// The application in question; `None` for two register records.
    pub(super) own: Option<Own>,
    /// Other applications of these people that were not rejected.
    pub(super) others: Vec<Other>,
}

/// The application in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Own {
    pub kind: Kind,
    pub state: State,
    pub was_batched: bool,
}

/// Another application of somebody in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Other {
    pub person: PersonId,
    pub state: State,
}

/// The people whom the case or its evidence names, the likeliest first.
pub(super) fn in_question(case: &Case) -> Vec<PersonId> {
    let evidence = Stored::read(&case.evidence);
    let weighed = evidence.candidates().iter().map(|candidate| candidate.person);
    let mut people: Vec<PersonId> = Vec::new();
    for person in [case.person_id, case.other_person_id].into_iter().flatten().chain(weighed) {
        if !people.contains(&person) {
            people.push(person);
        }
    }
    people
}

impl Facts {
    /// Reads them. They hold as long as the lock of [`resolutions::lock`] is held, where it is.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn load(conn: &mut PgConnection, case: &Case) -> Result<Facts, Error> {
        let survivors = matching::survivors(conn, &in_question(case)).await?;
        let mut living: Vec<PersonId> = survivors.values().copied().collect();
        living.sort_unstable();
        living.dedup();
        let standings = resolutions::standings_of_people(conn, &living).await?;
        let others = standings
            .into_iter()
            .filter(|standing| Some(standing.application_id) != case.application_id)
            .filter_map(|standing| Some(Other { person: standing.person_id?, state: standing.state }))
            .collect();
        let own = match case.application_id {
            Some(id) => own(conn, id).await?,
            None => None,
        };
        Ok(Facts { survivors, own, others })
    }

    /// Whether this person has another application that forbids one of `kind`.
    pub(super) fn is_under_way(&self, person: PersonId, kind: Kind) -> bool {
        self.others.iter().any(|other| other.person == person && is_under_way(other.state, kind))
    }

    /// Whether this person has an application that was not rejected.
    pub(super) fn has_application(&self, person: PersonId) -> bool {
        self.others.iter().any(|other| other.person == person)
    }
}

async fn own(conn: &mut PgConnection, id: ApplicationId) -> Result<Option<Own>, Error> {
    let Some(found) = applications::find(conn, id).await? else { return Ok(None) };
    let was_batched = resolutions::was_batched(conn, id).await?;
    Ok(Some(Own { kind: found.kind, state: found.state, was_batched }))
}
