//! Batches of applications: load, search on all cores, decide one by one, write in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use rayon::prelude::*;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::decide::{self, Claim, Earlier, Evidence, FingerprintHit, Match, Outcome, Thresholds};
use crate::fingers::{self, Absent, Findings};
use crate::identities::enrol_probe;
use crate::officers::Officers;
use crate::shift::{self, Post, Seat};
use crate::{CaseKind, Error, Identities, evidence, record};
use domain::Actor;
use domain::application::{Action, State};
use domain::id::{ApplicationId, CaseId, PersonId};
use fingerprint::{Gallery, Hit, Prepared, Probe, Template};
use linkage::{Candidate, Explanation, Index, NumberLevel};
use store::applications::officers::fingers as officers;
use store::applications::{self, Transition};
use store::cases;
use store::cases::resolutions::{self, Question, Resolution, Standing};
use store::plan::shifts::{self, Duty, Held, ShiftId};
use store::register::matching;
use store::{Database, PgConnection};

/// An application with its fingers, handed in by the caller, who can decrypt them.
#[derive(Debug, Clone)]
pub struct Opened {
    pub application_id: ApplicationId,
    pub templates: Vec<Template>,
    /// The fingers that were not captured.
    pub absent: Vec<Absent>,
}

/// An application whose fingers are ready to be enrolled and searched.
pub struct Ready {
    application_id: ApplicationId,
    probe: Probe,
    findings: Findings,
}

/// Does on all cores what of enrolling and searching needs neither the gallery nor what others resolve: the
/// next batch can be made ready while one is resolved. Every finger is compared with the officers'.
///
/// # Errors
/// Those of the database; [`Error::Search`] when the program is ending.
pub async fn make_ready(
    db: &Database,
    watched: Arc<Officers>,
    opened: Vec<Opened>,
) -> Result<Vec<Ready>, Error> {
    let hands = if watched.is_empty() {
        HashMap::new()
    } else {
        let asked: Vec<ApplicationId> = opened.iter().map(|opened| opened.application_id).collect();
        officers::hands(&mut *db.read().await?, &asked).await?
    };
    let preparing = tokio::task::spawn_blocking(move || {
        let ready = |opened: &Opened| {
            let look = |prepared: &[Prepared]| match hands.get(&opened.application_id) {
                Some(hands) => watched.look(&opened.templates, prepared, hands),
                None => Vec::new(),
            };
            Ready {
                application_id: opened.application_id,
                probe: Probe::new(&opened.templates),
                findings: Findings::of(&opened.templates, &opened.absent, look),
            }
        };
        opened.par_iter().map(ready).collect()
    });
    preparing.await.map_err(|e| Error::Search(e.to_string()))
}

/// What came of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolveSummary {
    pub linked: usize,
    pub cases_by_kind: BTreeMap<CaseKind, usize>,
    /// Applications that had been decided before, or are not ready.
    pub skipped: usize,
    /// Of all that were resolved, those whose person had no seat at the kit.
    pub walk_ins: usize,
}

impl ResolveSummary {
    /// Applications that were left for an adjudicator.
    pub fn cases(&self) -> usize {
        self.cases_by_kind.values().sum()
    }
}

/// The first `limit` applications that wait to be resolved, in the order of capture.
///
/// # Errors
/// Those of the database.
pub async fn waiting(db: &Database, limit: u32) -> Result<Vec<ApplicationId>, Error> {
    let mut conn = db.read().await?;
    Ok(resolutions::waiting(&mut conn, limit).await?)
}

/// [`make_ready`] and [`resolve_ready`] one after the other.
///
/// # Errors
/// Those of both.
pub async fn resolve_batch(
    db: &Database,
    ids: &mut Identities,
    opened: Vec<Opened>,
    now: OffsetDateTime,
) -> Result<ResolveSummary, Error> {
    let ready = make_ready(db, ids.officers(), opened).await?;
    resolve_ready(db, ids, ready, now).await
}

/// Resolves those of `ready` that still wait, in the order of capture, whatever the order they come in. All
/// or nothing is written; after an error the batch can be run again.
///
/// # Errors
/// Those of the database; a full gallery.
pub async fn resolve_ready(
    db: &Database,
    ids: &mut Identities,
    ready: Vec<Ready>,
    now: OffsetDateTime,
) -> Result<ResolveSummary, Error> {
    let asked: HashSet<ApplicationId> = ready.iter().map(|ready| ready.application_id).collect();
    let mut tx = db.begin().await?;
    resolutions::lock(&mut tx).await?;
    // Under the lock, so that whoever resolved before is known, and nobody resolves before this is written.
    let at = ids.catch_up_in(&mut tx).await?;
    let asked: Vec<ApplicationId> = asked.into_iter().collect();
    let questions = Arc::new(resolutions::questions(&mut tx, &asked).await?);
    let mut summary = ResolveSummary { skipped: asked.len() - questions.len(), ..ResolveSummary::default() };
    if questions.is_empty() {
        store::commit(tx).await?;
        ids.reached(at);
        return Ok(summary);
    }
    let found = search_all((ids.people(), ids.gallery()), Arc::clone(&questions), ready).await?;
    let known = Known::load(&mut tx, &questions, &found).await?;
    let decided = decide_all(&questions, &found, known, now, &mut summary);
    resolutions::write_resolutions(&mut tx, &decided.resolutions, now).await?;
    cases::open_cases(&mut tx, &decided.cases, now).await?;
    let held: Vec<(ShiftId, Held)> = decided.held.into_iter().collect();
    shifts::add_held(&mut tx, &held).await?;
    let recorded = applications::record(&mut tx, now, &decided.transitions).await?;
    if !recorded.refused.is_empty() {
        return Err(Error::Overtaken);
    }
    store::commit(tx).await?;
    ids.reached(at);
    tracing::info!(
        linked = summary.linked,
        cases = summary.cases(),
        skipped = summary.skipped,
        walk_ins = summary.walk_ins,
        "resolved"
    );
    Ok(summary)
}

/// What both searches found for one question.
struct Found {
    candidates: Vec<Candidate>,
    /// Of the best candidate.
    explanation: Option<Explanation>,
    hits: Vec<Hit>,
    findings: Findings,
}

/// Enrols the whole batch and then searches for each: an earlier application of the batch is found by a later
/// one, and the decision leaves out what is later. Should the transaction fail, the enrolled are ignored
/// until they are decided.
async fn search_all(
    (people, gallery): (Arc<RwLock<Index>>, Arc<RwLock<Gallery>>),
    questions: Arc<Vec<Question>>,
    ready: Vec<Ready>,
) -> Result<Vec<Found>, Error> {
    let searching = tokio::task::spawn_blocking(move || {
        let mut ready: HashMap<ApplicationId, Ready> =
            ready.into_iter().map(|ready| (ready.application_id, ready)).collect();
        let asked: Vec<(&Question, Ready)> = questions
            .iter()
            .map(|question| {
                let ready = ready.remove(&question.application_id);
                (question, ready.expect("only what is ready is asked for"))
            })
            .collect();
        {
            let mut gallery = gallery.write().unwrap_or_else(PoisonError::into_inner);
            for (question, ready) in &asked {
                enrol_probe(&mut gallery, question.application_id, &ready.probe)?;
            }
        }
        let people = people.read().unwrap_or_else(PoisonError::into_inner);
        let gallery = gallery.read().unwrap_or_else(PoisonError::into_inner);
        let search = |(question, ready): (&Question, Ready)| search((&people, &gallery), question, ready);
        Ok(asked.into_par_iter().map(search).collect())
    });
    searching.await.map_err(|e| Error::Search(e.to_string()))?
}

fn search((people, gallery): (&Index, &Gallery), question: &Question, ready: Ready) -> Found {
    let id = question.application_id.uuid().as_u128();
    let record = record::of_declared(id, &question.record);
    let mut candidates = people.search(&record);
    let review = linkage::Thresholds::default().review;
    let explanation = candidates.first().and_then(|best| people.explain(&record, best.id));
    // Far below any threshold there is nothing to know of a candidate but a contradicting number.
    candidates.retain(|c| c.weight >= review || c.levels.pin == NumberLevel::Equal);
    let hits = gallery.search_probe(&ready.probe, Some(id));
    Found { candidates, explanation, hits, findings: ready.findings }
}

/// What the database says about everybody and everything the searches found.
struct Known {
    survivors: HashMap<PersonId, PersonId>,
    standings: HashMap<ApplicationId, Standing>,
    applications_of: HashMap<PersonId, Vec<Earlier>>,
    duties: HashMap<ApplicationId, Duty>,
    /// By shift: before this batch, and with what was decided of it.
    held: HashMap<ShiftId, Held>,
}

impl Known {
    async fn load(tx: &mut PgConnection, questions: &[Question], found: &[Found]) -> Result<Known, Error> {
        let candidates = found.iter().flat_map(|f| &f.candidates).map(|c| person(c.id));
        let mut people: Vec<PersonId> =
            candidates.chain(questions.iter().filter_map(|q| q.claimed_person_id)).collect();
        people.sort_unstable();
        people.dedup();
        let mut applications: Vec<ApplicationId> =
            found.iter().flat_map(|f| &f.hits).map(|hit| application_id(hit.id)).collect();
        applications.sort_unstable();
        applications.dedup();
        let standings = resolutions::standings(tx, &applications).await?;
        people.extend(standings.iter().filter_map(|standing| standing.person_id));
        people.sort_unstable();
        people.dedup();
        let survivors = matching::survivors(tx, &people).await?;
        let mut living: Vec<PersonId> = survivors.values().copied().collect();
        living.sort_unstable();
        living.dedup();
        let mut applications_of: HashMap<PersonId, Vec<Earlier>> = HashMap::new();
        for standing in resolutions::standings_of_people(tx, &living).await? {
            if let Some(person) = standing.person_id {
                let earlier = Earlier { application: standing.application_id, person, state: standing.state };
                applications_of.entry(person).or_default().push(earlier);
            }
        }
        let standings = standings.into_iter().map(|s| (s.application_id, s)).collect();
        let asked: Vec<ApplicationId> = questions.iter().map(|question| question.application_id).collect();
        let duties = shifts::duties(tx, &asked).await?;
        let mut near: Vec<ShiftId> = duties
            .values()
            .flat_map(|duty| [duty.before, duty.after].into_iter().flatten())
            .map(|shift| shift.id)
            .collect();
        near.sort_unstable();
        near.dedup();
        let held = shifts::held(tx, &near).await?;
        Ok(Known { survivors, standings, applications_of, duties, held })
    }

    /// The evidence about one question, after the questions before it were decided.
    fn evidence(&self, question: &Question, found: &Found, post: Option<&Post>) -> Evidence {
        let mut matches: Vec<Match> = Vec::with_capacity(found.candidates.len());
        for candidate in &found.candidates {
            // Best first: of two records that were merged since, the likelier one speaks.
            let Some(&person) = self.survivors.get(&person(candidate.id)) else { continue };
            if !matches.iter().any(|m| m.person == person) {
                matches.push(Match::new(candidate, person));
            }
        }
        let hits = found.hits.iter().filter_map(|hit| {
            let standing = self.standings.get(&application_id(hit.id))?;
            let person = standing.person_id.map(|id| self.survivors.get(&id).copied().unwrap_or(id));
            let Standing { application_id: application, state, .. } = *standing;
            Some(FingerprintHit { application, score: hit.score, state, person })
        });
        let claim = match question.claimed_person_id {
            None => Claim::Nobody,
            Some(id) => self.survivors.get(&id).map_or(Claim::Unknown, |&person| Claim::Person(person)),
        };
        let earlier = matches.iter().filter_map(|m| self.applications_of.get(&m.person)).flatten();
        Evidence {
            kind: question.kind,
            claim,
            hits: hits.collect(),
            earlier: earlier.copied().collect(),
            matches,
            fingers: fingers::judge(&found.findings),
            astray: post.and_then(|post| post.astray),
        }
    }

    /// Where the kit was to be when it captured this one.
    fn post(&self, question: &Question) -> Option<Post> {
        let duty = self.duties.get(&question.application_id)?;
        Some(shift::judge(duty, |shift| self.held.get(&shift).copied().unwrap_or_default()))
    }

    /// Counts a capture in its shift, and returns the shift with what it adds.
    fn hold(&mut self, post: &Post) -> Option<(ShiftId, Held)> {
        let id = post.shift?.id;
        let one = match post.seat {
            Seat::Invited => Held { invited: 1, walk_ins: 0 },
            Seat::WalkIn | Seat::Unplanned => Held { invited: 0, walk_ins: 1 },
        };
        self.held.entry(id).or_default().add(one);
        Some((id, one))
    }

    /// The next questions of the batch see this one as decided.
    fn learn(&mut self, question: &Question, outcome: &Outcome) {
        let application = question.application_id;
        let (state, person_id) = match *outcome {
            Outcome::Link(person) => (State::Accepted, Some(person)),
            Outcome::Case { person, .. } => (State::InCase, person),
        };
        if let Outcome::Link(person) = *outcome {
            self.applications_of.entry(person).or_default().push(Earlier { application, person, state });
        }
        let standing = Standing { application_id: application, kind: question.kind, state, person_id };
        self.standings.insert(application, standing);
    }
}

/// Rows to be written.
#[derive(Default)]
struct Decided {
    resolutions: Vec<Resolution>,
    cases: Vec<cases::NewCase>,
    transitions: Vec<Transition>,
    held: HashMap<ShiftId, Held>,
}

fn decide_all(
    questions: &[Question],
    found: &[Found],
    mut known: Known,
    now: OffsetDateTime,
    summary: &mut ResolveSummary,
) -> Decided {
    let thresholds = Thresholds::default();
    let mut decided = Decided::default();
    for (question, found) in questions.iter().zip(found) {
        let post = known.post(question);
        let evidence = known.evidence(question, found, post.as_ref());
        if let Some(post) = &post {
            summary.walk_ins += usize::from(post.seat == Seat::WalkIn);
            if let Some((shift, one)) = known.hold(post) {
                decided.held.entry(shift).or_default().add(one);
            }
        }
        let outcome = decide::decide(&evidence, &thresholds);
        known.learn(question, &outcome);
        let stored =
            evidence::of(&evidence, found.explanation.as_ref(), &found.findings, &outcome, &thresholds, post);
        let (action, reference, detail) = match outcome {
            Outcome::Link(_) => {
                summary.linked += 1;
                (Action::Accept, None, None)
            }
            Outcome::Case { kind, person, other_person, other_application } => {
                *summary.cases_by_kind.entry(kind).or_default() += 1;
                let application_id = question.application_id;
                let case_id = CaseId::derive(question.captured_at, &[application_id.uuid().as_bytes()]);
                decided.cases.push(cases::NewCase {
                    case_id,
                    kind: kind.code(),
                    application_id: Some(application_id),
                    other_application_id: other_application,
                    person_id: person,
                    other_person_id: other_person,
                    evidence: stored.clone(),
                    unit_path: question.unit_path.clone(),
                    due_at: kind.due(now),
                });
                let detail = serde_json::json!({ "kind": kind.code() });
                (Action::OpenCase, Some(case_id.uuid()), Some(detail))
            }
        };
        decided.transitions.push(Transition {
            application_id: question.application_id,
            action,
            at: now,
            actor: Actor::Centre,
            reference,
            detail,
        });
        let person_id = outcome.person();
        let weighed = evidence.matches.iter().find(|m| Some(m.person) == person_id);
        decided.resolutions.push(Resolution {
            application_id: question.application_id,
            outcome: if matches!(outcome, Outcome::Link(_)) { "linked" } else { "case" },
            person_id,
            weight: weighed.map(|m| m.weight),
            probability: weighed.map(|m| m.probability),
            evidence: stored,
        });
    }
    decided
}

fn person(id: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(id))
}

fn application_id(id: u128) -> ApplicationId {
    ApplicationId::from_uuid(Uuid::from_u128(id))
}
