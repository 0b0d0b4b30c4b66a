//! Moves everybody of a scope, a batch a transaction. What is done shows in the rows themselves: whoever went
//! has the path of a new unit, and whoever must be asked has a question. So a run that was stopped, at
//! whatever point, goes on where it was.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::json;
use time::OffsetDateTime;

use super::{Change, CurrentResidence, Error, destination, under_way};
use domain::clock::{VIETNAM, day_in_vietnam};
use domain::id::{EventId, PersonId};
use domain::person::Event;
use domain::unit::{UnitLevel, UnitTable};
use domain::{Actor, PartialDate, UnitCode};
use store::audit::{self, Entry};
use store::register::quality::inhabited;
use store::register::rearranged::things::{self, Taken};
use store::register::rearranged::waiting::{self, Question, Residence};
use store::register::rearranged::{self, ChangeRow, Placed};
use store::register::record::{self, CivilEvent, Happening};
use store::{Database, PgConnection, UnitScope};

/// People of one transaction, where nobody says otherwise: enough that its own cost does not count, few
/// enough that pages do not wait.
pub const BATCH: u32 = 1_000;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The old unit of the last batch.
    pub unit: UnitCode,
    /// Old units that are done, with those of runs before.
    pub units_done: usize,
    /// Old units in all.
    pub units: usize,
    /// People who went in this run.
    pub moved: u64,
    /// People who were left to be asked in this run.
    pub asked: u64,
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// People who went.
    pub moved: u64,
    /// People who were left to be asked.
    pub asked: u64,
    /// Old units that were finished in this run.
    pub units: usize,
    /// Old units of the scope that are not finished: the run was stopped.
    pub units_left: usize,
    /// What went to successors.
    pub things: Taken,
    /// Whether nobody in the whole register is left but those who must be asked: from now on the installation
    /// works by the new list.
    pub finished: bool,
}

/// Applies a change to a scope, at most `batch` people a transaction. `told` hears of each batch after it is
/// safe, and may stop the run.
///
/// # Errors
/// [`Error`]. Batches that were told of are kept.
pub async fn apply(
    db: &Database,
    change: &Change,
    scope: &UnitScope,
    actor: &Actor,
    now: OffsetDateTime,
    batch: u32,
    mut told: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Applied, Error> {
    may_begin(db, change, scope, now).await?;
    begin(db, change, scope, actor, now).await?;
    let mut conn = db.read().await?;
    let units = rearranged::old_units(&mut conn, change.effective_on, scope.as_str()).await?;
    drop(conn);
    let mut applied = Applied::default();
    let mut units_done = units.iter().filter(|unit| unit.finished_at.is_some()).count();
    'units: for unit in units.iter().filter(|unit| unit.finished_at.is_none()) {
        let Some(code) = change.old_unit(&unit.path) else { continue };
        loop {
            let run = Run { change, actor, now, batch: i64::from(batch.max(1)), code, path: &unit.path };
            let step = store::retry(is_retryable, || run.step(db)).await?;
            applied.moved += step.moved;
            applied.asked += step.asked;
            if step.is_last {
                applied.units += 1;
                units_done += 1;
                add(&mut applied.things, step.things);
            }
            let (moved, asked) = (applied.moved, applied.asked);
            let progress = Progress { unit: code, units_done, units: units.len(), moved, asked };
            if told(&progress).is_break() {
                break 'units;
            }
            if step.is_last {
                break;
            }
        }
    }
    applied.units_left = units.len() - units_done;
    if applied.units_left == 0 {
        applied.finished = finish(db, change, actor, now).await?;
    }
    Ok(applied)
}

fn is_retryable(error: &Error) -> bool {
    matches!(error, Error::Store(store) if store.is_retryable())
}

fn add(sum: &mut Taken, more: Taken) {
    sum.accounts += more.accounts;
    sum.kits += more.kits;
    sum.applications += more.applications;
    sum.cases += more.cases;
    sum.boxes += more.boxes;
}

async fn may_begin(
    db: &Database,
    change: &Change,
    scope: &UnitScope,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let today = day_in_vietnam(now);
    if today < change.effective_on {
        return Err(Error::NotYet { effective_on: change.effective_on, today });
    }
    let mut conn = db.read().await?;
    if let Some(one) = under_way(&mut conn, change, scope).await?.into_iter().next() {
        return Err(Error::Campaign { unit: one.unit_code, starts_on: one.starts_on });
    }
    let begun = rearranged::changes(&mut conn).await?;
    let [_, lists @ ..] = UnitTable::first_days();
    for earlier in lists.into_iter().filter(|first| *first < change.effective_on) {
        if !begun.iter().any(|one| one.effective_on == earlier && one.finished_at.is_some()) {
            return Err(Error::EarlierFirst(earlier));
        }
    }
    match begun.iter().find(|one| one.effective_on == change.effective_on) {
        Some(one) if one.map_sha256 != change.map_sha256 => Err(Error::OtherMap(change.effective_on)),
        Some(_) | None => Ok(()),
    }
}

/// Writes the change down with its map and lists, and the old units that the scope has anything in.
async fn begin(
    db: &Database,
    change: &Change,
    scope: &UnitScope,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    rearranged::lock(&mut tx).await?;
    let row = ChangeRow {
        effective_on: change.effective_on,
        decree: change.decree.clone(),
        map_sha256: change.map_sha256.to_vec(),
        begun_at: now,
        begun_by: actor.to_string(),
        finished_at: None,
    };
    rearranged::begin(&mut tx, &row, &change.ways(), change.after).await?;
    let mut paths = inhabited(&mut tx, scope.as_str()).await?;
    paths.extend(things::places(&mut tx, change.effective_on, scope.as_str()).await?);
    paths.sort_unstable();
    paths.dedup();
    let mut units = Vec::new();
    for path in paths {
        let Some(code) = change.old_unit(&path) else { continue };
        let (people, _) = rearranged::count_at(&mut tx, change.effective_on, &path).await?;
        units.push((code, path, people));
    }
    rearranged::note_units(&mut tx, change.effective_on, &units).await?;
    let detail = json!({ "map": hex(&change.map_sha256), "units": units.len() });
    audit::append(&mut tx, &entry(change, actor, now, "register.units_begun", scope.as_str(), detail))
        .await?;
    Ok(store::commit(tx).await?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(
    change: &Change,
    actor: &Actor,
    at: OffsetDateTime,
    action: &str,
    unit_path: &str,
    detail: serde_json::Value,
) -> Entry {
    Entry {
        at,
        actor: actor.clone(),
        action: action.to_owned(),
        subject: format!("units:{}", change.effective_on),
        unit_path: unit_path.to_owned(),
        detail,
    }
}

/// One old unit in a run.
struct Run<'a> {
    change: &'a Change,
    actor: &'a Actor,
    now: OffsetDateTime,
    batch: i64,
    code: UnitCode,
    path: &'a str,
}

/// What one transaction did.
#[derive(Debug, Default)]
struct Step {
    moved: u64,
    asked: u64,
    is_last: bool,
    things: Taken,
}

impl Run<'_> {
    async fn step(&self, db: &Database) -> Result<Step, Error> {
        let mut tx = db.begin().await?;
        rearranged::lock(&mut tx).await?;
        let people = rearranged::people_at(&mut tx, self.change.effective_on, self.path, self.batch).await?;
        let step =
            if people.is_empty() { self.end(&mut tx).await? } else { self.batch(&mut tx, &people).await? };
        store::commit(tx).await?;
        Ok(step)
    }

    /// Nobody is left but whom somebody must ask: what else the unit had goes to its successor.
    async fn end(&self, tx: &mut PgConnection) -> Result<Step, Error> {
        let day = self.change.effective_on;
        let (found, expected) = rearranged::count_at(tx, day, self.path).await?;
        self.agree(self.path, expected, found)?;
        rearranged::finish_unit(tx, day, self.path, self.now).await?;
        let mut things = Taken::default();
        if let [successor] = self.change.map.successors(self.code)[..]
            && let Some(path) = self.change.after.path(successor)
        {
            let to = (successor, path.as_str());
            rearranged::settle_unit(tx, day, self.path, to, self.actor, self.now).await?;
            things = things::take_over(tx, day, (self.code, self.path), to).await?;
        }
        Ok(Step { is_last: true, things, ..Step::default() })
    }

    async fn batch(&self, tx: &mut PgConnection, people: &[Placed]) -> Result<Step, Error> {
        let day = self.change.effective_on;
        let (before, _) = rearranged::count_at(tx, day, self.path).await?;
        let mut events = Vec::with_capacity(people.len());
        let mut going: BTreeMap<PersonId, (UnitCode, UnitCode)> = BTreeMap::new();
        let mut questions = Vec::new();
        for person in people {
            let destination = destination(person, &self.change.map);
            let Some(permanent) = destination.permanent else {
                questions.push(self.question(person.id, Residence::Permanent, person.permanent));
                continue;
            };
            let current = match destination.current {
                CurrentResidence::Goes(to) => Some(to),
                CurrentResidence::Stays => None,
                CurrentResidence::Asked(from) => {
                    questions.push(self.question(person.id, Residence::Current, from));
                    None
                }
            };
            going.insert(person.id, (person.permanent, permanent));
            events.push(self.event(person.id, Event::Readdressed { permanent, current }));
        }
        let refused = record::record(tx, self.now, &events).await?.refused;
        for (event, _) in refused {
            // A record that is not the fold of its events, which the log tells: it is repaired, then
            // answered.
            let at = events.iter().position(|one| one.event_id == event);
            let Some(Happening::People(told)) = at.map(|at| &events[at].what) else { continue };
            for (person, _) in told {
                if let Some((from, _)) = going.remove(person) {
                    questions.retain(|one| one.person != *person);
                    questions.push(self.question(*person, Residence::Permanent, from));
                }
            }
        }
        waiting::ask(tx, day, &questions).await?;
        self.conserved(tx, before, &going).await?;
        let ids: Vec<PersonId> = going.keys().copied().collect();
        rearranged::follow(tx, &ids).await?;
        let mut ways: BTreeMap<(UnitCode, UnitCode), i64> = BTreeMap::new();
        going.values().for_each(|way| *ways.entry(*way).or_default() += 1);
        let asked = people.len() - going.len();
        rearranged::count_moved(tx, day, self.path, &ways, i64::try_from(asked).unwrap_or(i64::MAX)).await?;
        Ok(Step { moved: going.len() as u64, asked: asked as u64, ..Step::default() })
    }

    /// Everybody who was to go is where they were to go, and as many fewer are here.
    async fn conserved(
        &self,
        tx: &mut PgConnection,
        before: i64,
        going: &BTreeMap<PersonId, (UnitCode, UnitCode)>,
    ) -> Result<(), Error> {
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for (_, to) in going.values() {
            let path = self.change.after.path(*to).unwrap_or_default();
            *expected.entry(path).or_default() += 1;
        }
        let ids: Vec<PersonId> = going.keys().copied().collect();
        let found = rearranged::where_now(tx, &ids).await?;
        for path in expected.keys().chain(found.keys()) {
            let of = |counts: &BTreeMap<String, i64>| counts.get(path).copied().unwrap_or_default();
            self.agree(path, of(&expected), of(&found))?;
        }
        let (after, _) = rearranged::count_at(tx, self.change.effective_on, self.path).await?;
        self.agree(self.path, before - i64::try_from(going.len()).unwrap_or(i64::MAX), after)
    }

    fn agree(&self, path: &str, expected: i64, found: i64) -> Result<(), Error> {
        if expected == found {
            return Ok(());
        }
        Err(Error::NotConserved { path: path.to_owned(), expected, found })
    }

    fn question(&self, person: PersonId, residence: Residence, from: UnitCode) -> Question {
        Question { person, residence, unit_path: self.path.to_owned(), from }
    }

    fn event(&self, person: PersonId, event: Event) -> CivilEvent {
        super::apply::event(self.change.effective_on, person, "apply", event, self.actor)
    }
}

/// The event of somebody whose units were rearranged: it has effect from the day of the change, whenever it
/// is recorded, and no paper but the decree. Its id follows from the change, so that it is recorded once.
pub(super) fn event(
    effective_on: time::Date,
    person: PersonId,
    step: &str,
    event: Event,
    actor: &Actor,
) -> CivilEvent {
    let at = effective_on.midnight().assume_offset(VIETNAM);
    CivilEvent {
        event_id: EventId::derive(at, &[b"units", person.uuid().as_bytes(), step.as_bytes()]),
        what: Happening::People(vec![(person, event)]),
        legal_on: PartialDate::from_date(effective_on),
        document_id: None,
        case_id: None,
        actor: actor.clone(),
    }
}

/// Says that the change is finished when nobody in the whole register is left but those who must be asked.
async fn finish(db: &Database, change: &Change, actor: &Actor, now: OffsetDateTime) -> Result<bool, Error> {
    let mut tx = db.begin().await?;
    rearranged::lock(&mut tx).await?;
    for path in inhabited(&mut tx, "").await? {
        let is_commune = change.old_unit(&path).is_some_and(|code| code.level() != UnitLevel::Province);
        let (people, asked) = rearranged::count_at(&mut tx, change.effective_on, &path).await?;
        if is_commune && people > asked {
            return Ok(false);
        }
    }
    let known = rearranged::changes(&mut tx).await?;
    let is_news =
        known.iter().any(|one| one.effective_on == change.effective_on && one.finished_at.is_none());
    if is_news {
        rearranged::finish(&mut tx, change.effective_on, now).await?;
        let entry = entry(change, actor, now, "register.units_applied", "", json!({}));
        audit::append(&mut tx, &entry).await?;
        store::commit(tx).await?;
    }
    Ok(true)
}
