//! The life of applications as rows: recorded actions, and beside them the state that they lead to.
//!
//! Every stage moves applications through [`record`] and through nothing else, so that the column `state` is
//! always the fold of the recorded actions; [`check_folds`] proves it.

pub mod content;
pub mod intake;
pub mod kits;
pub mod officers;
pub mod packets;
pub mod pages;
pub mod proposals;
pub mod quarantine;
pub mod standing;

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::platform::audit::to_microseconds;
use crate::platform::folds::{self, Folded};
use crate::platform::recordings::{self, Act, Kind as Recorder};
use domain::application::{Action, Kind, LifeError, State, fold, next};
use domain::id::{ApplicationId, KitId, PersonId};
use domain::{Actor, UnitCode};

/// One thing that happened to one application.
#[derive(Debug, Clone)]
pub struct Transition {
    pub application_id: ApplicationId,
    pub action: Action,
    /// When it happened, by the clock of whoever did it.
    pub at: OffsetDateTime,
    pub actor: Actor,
    /// The packet, case, batch, card or consignment that it belongs to.
    pub reference: Option<Uuid>,
    /// Codes and numbers, never personal data.
    pub detail: Option<serde_json::Value>,
}

/// What came of a list of transitions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    pub applied: usize,
    /// In the order of the transitions. An application that does not exist is refused as one without a
    /// beginning.
    pub refused: Vec<(ApplicationId, LifeError)>,
}

/// An application to be created by its first action, `capture`.
#[derive(Debug, Clone)]
pub struct NewApplication {
    pub application_id: ApplicationId,
    pub kit_id: KitId,
    pub kind: Kind,
    pub unit: UnitCode,
    /// Path of `unit` (`42/445/18562/`), which row-level security compares.
    pub unit_path: String,
    pub captured_at: OffsetDateTime,
    /// What the kit's clock said, where that cannot be.
    pub kit_clock_at: Option<OffsetDateTime>,
    pub actor: Actor,
}

/// One row of `application`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    pub application_id: ApplicationId,
    pub kit_id: KitId,
    pub kind: Kind,
    pub state: State,
    /// When the action that led to `state` happened.
    pub state_since: OffsetDateTime,
    pub unit: UnitCode,
    pub unit_path: String,
    /// Whom the officer found in the register.
    pub claimed_person_id: Option<PersonId>,
    /// Whom the centre linked it to.
    pub person_id: Option<PersonId>,
    pub captured_at: OffsetDateTime,
    pub received_at: Option<OffsetDateTime>,
}

/// One recorded action of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// From 1, without gaps.
    pub seq: i16,
    pub action: Action,
    pub at: OffsetDateTime,
    pub recorded_at: OffsetDateTime,
    pub actor: String,
    pub reference: Option<Uuid>,
    pub detail: Option<serde_json::Value>,
}

/// Creates the applications that do not exist yet, each with its action `capture`; those that exist stay as
/// they are. Returns how many were created.
///
/// # Errors
/// Those of the database.
pub async fn create(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    new: &[NewApplication],
) -> Result<usize, Error> {
    if new.is_empty() {
        return Ok(0);
    }
    let mut sorted: Vec<&NewApplication> = new.iter().collect();
    // One order of insertion for everybody, so that two batches with the same applications cannot deadlock.
    sorted.sort_by_key(|application| application.application_id);
    sorted.dedup_by_key(|application| application.application_id);
    let created: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, \
         unit_path, captured_at, kit_clock_at) \
         SELECT id, kit, kind, 'captured', at, 1, unit, path, at, clock \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], \
                     $7::timestamptz[]) AS n (id, kit, kind, at, unit, path, clock) \
         ON CONFLICT (application_id) DO NOTHING RETURNING application_id",
    )
    .bind(sorted.iter().map(|n| n.application_id.uuid()).collect::<Vec<_>>())
    .bind(sorted.iter().map(|n| n.kit_id.uuid()).collect::<Vec<_>>())
    .bind(sorted.iter().map(|n| n.kind.code()).collect::<Vec<_>>())
    .bind(sorted.iter().map(|n| n.captured_at).collect::<Vec<_>>())
    .bind(sorted.iter().map(|n| n.unit.to_string()).collect::<Vec<_>>())
    .bind(sorted.iter().map(|n| n.unit_path.as_str()).collect::<Vec<_>>())
    .bind(sorted.iter().map(|n| n.kit_clock_at).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await?;
    let mut actions = ActionRows::default();
    for id in &created {
        let found = sorted.binary_search_by_key(id, |n| n.application_id.uuid());
        let application = sorted[found.expect("the database returns ids that it was given")];
        actions.push(
            1,
            &application.unit_path,
            &Transition {
                application_id: application.application_id,
                action: Action::Capture,
                at: application.captured_at,
                actor: application.actor.clone(),
                reference: None,
                detail: None,
            },
        );
    }
    actions.insert(tx, recorded_at).await?;
    Ok(created.len())
}

/// Records the transitions that the life of an application allows and moves the applications' states with
/// them.
///
/// Locks the applications in the order of their ids. Each transition is judged against the state that the
/// ones before it in the list led to; a refused one changes nothing. `received_at` becomes `recorded_at` with
/// the action `receive`.
///
/// # Errors
/// Those of the database; an unknown state in the table.
pub async fn record(
    tx: &mut PgConnection,
    recorded_at: OffsetDateTime,
    transitions: &[Transition],
) -> Result<Recorded, Error> {
    let mut recorded = Recorded::default();
    if transitions.is_empty() {
        return Ok(recorded);
    }
    let (mut standings, index) = lock(tx, transitions).await?;
    let mut actions = ActionRows::default();
    for transition in transitions {
        let found = index.get(&transition.application_id.uuid()).map(|&at| &mut standings[at]);
        let state = found.as_ref().map(|standing| standing.state);
        match (next(state, transition.action), found) {
            (Ok(state), Some(standing)) => {
                standing.apply(state, transition, recorded_at);
                actions.push(standing.actions, &standing.unit_path, transition);
                recorded.applied += 1;
            }
            (Ok(_), None) => {
                return Err(Error::Inconsistent {
                    table: "application",
                    row: transition.application_id.to_string(),
                    reason: "an application is captured by `create`, which knows its kit and unit".to_owned(),
                });
            }
            (Err(refusal), _) => recorded.refused.push((transition.application_id, refusal)),
        }
    }
    actions.insert(tx, recorded_at).await?;
    standings.retain(|standing| standing.moved);
    write_standings(tx, &standings).await?;
    Ok(recorded)
}

/// Where an application stands while its transitions are judged.
struct Standing {
    id: Uuid,
    state: State,
    since: OffsetDateTime,
    actions: i16,
    received_at: Option<OffsetDateTime>,
    unit_path: String,
    moved: bool,
}

impl Standing {
    fn apply(&mut self, state: State, transition: &Transition, recorded_at: OffsetDateTime) {
        if state != self.state {
            self.since = transition.at;
        }
        self.state = state;
        self.actions += 1;
        self.moved = true;
        if transition.action == Action::Receive {
            self.received_at = Some(recorded_at);
        }
    }
}

async fn lock(
    tx: &mut PgConnection,
    transitions: &[Transition],
) -> Result<(Vec<Standing>, HashMap<Uuid, usize>), Error> {
    let mut ids: Vec<Uuid> = transitions.iter().map(|t| t.application_id.uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows: Vec<(Uuid, String, OffsetDateTime, i16, Option<OffsetDateTime>, String)> = sqlx::query_as(
        "SELECT application_id, state, state_since, actions, received_at, unit_path FROM application \
         WHERE application_id = ANY($1) ORDER BY application_id FOR NO KEY UPDATE",
    )
    .bind(ids)
    .fetch_all(tx)
    .await?;
    let mut standings = Vec::with_capacity(rows.len());
    let mut index = HashMap::with_capacity(rows.len());
    for (id, state, since, actions, received_at, unit_path) in rows {
        index.insert(id, standings.len());
        let state = parse("application", id, "state", &state, State::from_code)?;
        standings.push(Standing { id, state, since, actions, received_at, unit_path, moved: false });
    }
    Ok((standings, index))
}

async fn write_standings(tx: &mut PgConnection, standings: &[Standing]) -> Result<(), Error> {
    if standings.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE application a SET state = u.state, state_since = u.since, actions = u.actions, \
         received_at = u.received_at \
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::smallint[], $5::timestamptz[]) \
              AS u (id, state, since, actions, received_at) \
         WHERE a.application_id = u.id",
    )
    .bind(standings.iter().map(|s| s.id).collect::<Vec<_>>())
    .bind(standings.iter().map(|s| s.state.code()).collect::<Vec<_>>())
    .bind(standings.iter().map(|s| s.since).collect::<Vec<_>>())
    .bind(standings.iter().map(|s| s.actions).collect::<Vec<_>>())
    .bind(standings.iter().map(|s| s.received_at).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Columns of `application_action`, gathered for one bulk insert.
#[derive(Default)]
struct ActionRows {
    ids: Vec<Uuid>,
    seqs: Vec<i16>,
    actions: Vec<&'static str>,
    ats: Vec<OffsetDateTime>,
    actors: Vec<String>,
    references: Vec<Option<Uuid>>,
    details: Vec<Option<serde_json::Value>>,
    unit_paths: Vec<String>,
}

impl ActionRows {
    fn push(&mut self, seq: i16, unit_path: &str, transition: &Transition) {
        self.ids.push(transition.application_id.uuid());
        self.seqs.push(seq);
        self.actions.push(transition.action.code());
        self.ats.push(to_microseconds(transition.at));
        self.actors.push(transition.actor.to_string());
        self.references.push(transition.reference);
        self.details.push(transition.detail.clone());
        self.unit_paths.push(unit_path.to_owned());
    }

    /// The row of this number, as its recording covers it.
    fn act(&self, row: usize, recorded_at: OffsetDateTime) -> Act<'_> {
        Act {
            application: self.ids[row],
            card: None,
            seq: self.seqs[row],
            action: self.actions[row],
            at: self.ats[row],
            recorded_at,
            actor: &self.actors[row],
            reference: self.references[row],
            reason: None,
            detail: self.details[row].as_ref(),
        }
    }

    async fn insert(self, tx: &mut PgConnection, recorded_at: OffsetDateTime) -> Result<(), Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let recorded_at = to_microseconds(recorded_at);
        let acts = (0..self.ids.len()).map(|row| self.act(row, recorded_at));
        let recording = recordings::digest(Recorder::Application, acts);
        sqlx::query(
            "WITH r AS (INSERT INTO recording (kind, recording_id, recorded_at, actions, digest, marks) \
             VALUES ($10, gen_random_uuid(), $9, $11, $12, $13) RETURNING recording_id) \
             INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor, ref, \
             detail, unit_path, recording) \
             SELECT id, seq, action, at, $9, actor, ref, detail, path, recording_id \
             FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[], $6::uuid[], \
             $7::jsonb[], \
                         $8::text[]) \
                  AS n (id, seq, action, at, actor, ref, detail, path), r",
        )
        .bind(self.ids)
        .bind(self.seqs)
        .bind(self.actions)
        .bind(self.ats)
        .bind(self.actors)
        .bind(self.references)
        .bind(self.details)
        .bind(self.unit_paths)
        .bind(recorded_at)
        .bind(Recorder::Application.code())
        .bind(recording.actions)
        .bind(recording.digest.as_slice())
        .bind(recording.marks)
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// One application, or `None`.
///
/// # Errors
/// Those of the database; a code that this program does not know.
pub async fn find(conn: &mut PgConnection, id: ApplicationId) -> Result<Option<Application>, Error> {
    let row: Option<ApplicationRow> = sqlx::query_as(
        "SELECT application_id, kit_id, kind, state, state_since, unit_code, unit_path, claimed_person_id, \
         person_id, \
                captured_at, received_at FROM application WHERE application_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(conn)
    .await?;
    row.map(Application::try_from).transpose()
}

/// The first `limit` applications in `state`, in the order (captured_at, application_id) in which every stage
/// works.
///
/// # Errors
/// Those of the database; a code that this program does not know.
pub async fn by_state(conn: &mut PgConnection, state: State, limit: u32) -> Result<Vec<Application>, Error> {
    let rows: Vec<ApplicationRow> = sqlx::query_as(
        "SELECT application_id, kit_id, kind, state, state_since, unit_code, unit_path, claimed_person_id, \
         person_id, \
                captured_at, received_at FROM application WHERE state = $1 \
         ORDER BY captured_at, application_id LIMIT $2",
    )
    .bind(state.code())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Application::try_from).collect()
}

/// Everything that happened to an application, from its first action; empty for an unknown one.
///
/// # Errors
/// Those of the database; an action that this program does not know.
pub async fn timeline(conn: &mut PgConnection, id: ApplicationId) -> Result<Vec<Step>, Error> {
    let rows: Vec<StepRow> = sqlx::query_as(
        "SELECT seq, action, at, recorded_at, actor, ref, detail FROM application_action \
         WHERE application_id = $1 ORDER BY seq",
    )
    .bind(id.uuid())
    .fetch_all(conn)
    .await?;
    let step = |row: StepRow| {
        let (seq, action, at, recorded_at, actor, reference, detail) = row;
        let action = parse("application_action", id.uuid(), "action", &action, Action::from_code)?;
        Ok(Step { seq, action, at, recorded_at, actor, reference, detail })
    };
    rows.into_iter().map(step).collect()
}

/// The applications whose state, number of actions or sequence is not what their recorded actions say, by id;
/// actions without an application count too. Empty in a sound database.
///
/// # Errors
/// Those of the database.
pub async fn check_folds(conn: &mut PgConnection) -> Result<Vec<ApplicationId>, Error> {
    let folded = Folded {
        table: "application",
        actions: "application_action",
        id: "application_id",
        key: "application_id",
        says: "x.action",
    };
    let leads_to = |history: &[String]| {
        let actions: Option<Vec<Action>> = history.iter().map(|code| Action::from_code(code)).collect();
        actions.and_then(|actions| fold(actions).ok().flatten()).map(State::code)
    };
    let found = folds::check(conn, &folded, leads_to).await?;
    Ok(found.into_iter().map(ApplicationId::from_uuid).collect())
}

#[derive(sqlx::FromRow)]
struct ApplicationRow {
    application_id: Uuid,
    kit_id: Uuid,
    kind: String,
    state: String,
    state_since: OffsetDateTime,
    unit_code: String,
    unit_path: String,
    claimed_person_id: Option<Uuid>,
    person_id: Option<Uuid>,
    captured_at: OffsetDateTime,
    received_at: Option<OffsetDateTime>,
}

impl TryFrom<ApplicationRow> for Application {
    type Error = Error;

    fn try_from(row: ApplicationRow) -> Result<Self, Error> {
        let id = row.application_id;
        Ok(Application {
            application_id: ApplicationId::from_uuid(id),
            kit_id: KitId::from_uuid(row.kit_id),
            kind: parse("application", id, "kind", &row.kind, Kind::from_code)?,
            state: parse("application", id, "state", &row.state, State::from_code)?,
            state_since: row.state_since,
            unit: parse("application", id, "unit_code", &row.unit_code, |code| code.parse().ok())?,
            unit_path: row.unit_path,
            claimed_person_id: row.claimed_person_id.map(PersonId::from_uuid),
            person_id: row.person_id.map(PersonId::from_uuid),
            captured_at: row.captured_at,
            received_at: row.received_at,
        })
    }
}

type StepRow = (i16, String, OffsetDateTime, OffsetDateTime, String, Option<Uuid>, Option<serde_json::Value>);

fn parse<T>(
    table: &'static str,
    row: Uuid,
    column: &str,
    code: &str,
    from_code: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Error> {
    from_code(code).ok_or_else(|| Error::Inconsistent {
        table,
        row: row.to_string(),
        reason: format!("column {column} holds a code that this program does not know"),
    })
}

/// The paths of the units that these applications belong to.
///
/// # Errors
/// Of the database.
pub async fn unit_paths(
    conn: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<HashMap<ApplicationId, String>, Error> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT application_id, unit_path FROM application WHERE application_id = ANY($1)")
            .bind(applications.iter().map(|id| id.uuid()).collect::<Vec<_>>())
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, path)| (ApplicationId::from_uuid(id), path)).collect())
}

/// The program's counters come from messages that were checked to fit.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
