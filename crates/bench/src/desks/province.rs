//! The register that the officers work in: a simulated province a few weeks into its campaign, written
//! through the store's own writers. It is kept, and a run that was stopped goes on where it was.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use serde_json::{Value, json};
use time::macros::{date, datetime};
use time::{Date, Duration, OffsetDateTime};

use centre::installation;
use domain::application::{Action, Kind};
use domain::clock::VIETNAM;
use domain::deadline::Wording;
use domain::id::{ApplicationId, CaseId, CredentialId, ImportId, KitId, PacketId, PersonId, SlotId};
use domain::profile::Profile;
use domain::text::fold_ascii;
use domain::unit::Units;
use domain::{Actor, Deadline, ResidentRecord, UnitCode};
use resolve::CaseKind;
use resolve::evidence::{Candidate, Linkage, Stored, Weight};
use simulate::{Model, Population};
use store::applications::content::{Opened, store_opened};
use store::applications::packets::{NewPacket, insert_packets};
use store::applications::{NewApplication, Transition};
use store::cases::NewCase;
use store::cases::resolutions::{Resolution, write_resolutions};
use store::plan::{InvitationRow, KitRow, SlotRow, TargetRow};
use store::register::record::NewPerson;
use store::{Database, PgConnection, progress};
use ui::say;

/// The campaign's present: half past nine on a Tuesday.
pub const NOW: OffsetDateTime = datetime!(2021-04-20 09:30 +7);
const TODAY: Date = date!(2021 - 04 - 20);
const BEGUN: OffsetDateTime = datetime!(2021-03-01 08:00 +7);

/// People to a transaction.
const CHUNK: usize = 10_000;
/// One in so many people has applied.
const APPLIED: usize = 4;
/// Of so many applications one is a case, one was rejected, and one is not looked at yet.
const CASE: usize = 50;
const REJECTED: usize = 200;
const WAITING: usize = 10;

/// Slots of a commune's day, and seats of a slot.
const SLOTS: usize = 8;
const SEATS: usize = 15;
const SLOT_MINUTES: i16 = 50;

/// Which register.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub province: UnitCode,
    pub people: usize,
    pub seed: u64,
}

/// How far the writing has come; the same plan goes on with it.
const KEY: &str = "bench.desks";

/// Makes the register in a database that holds nothing else, or finds it there.
///
/// # Errors
/// A database that holds something else, or another register; those of the database.
pub async fn make(db: &Database, plan: &Plan) -> Result<Population> {
    let mut written = begun(db, plan).await?;
    let begun = Instant::now();
    let Plan { province, people, seed } = *plan;
    let population = tokio::task::spawn_blocking(move || {
        let model = Model { as_of: BEGUN.date(), ..Model::default() };
        Population::generate(&model, seed, province, people)
    })
    .await??;
    say!("people     {people} drawn in {:.1} s", begun.elapsed().as_secs_f64());
    let world = World::new(plan, &population)?;
    let from = written;
    while written < population.people.len() {
        let until = (written + CHUNK).min(population.people.len());
        world.write(db, written, until).await?;
        written = until;
        if written % (CHUNK * 10) == 0 || written == population.people.len() {
            let rate = (written - from) as f64 / begun.elapsed().as_secs_f64();
            say!("register   {written} of {people} people, {rate:.0} a second");
        }
    }
    world.finish(db).await?;
    Ok(population)
}

/// How many people were written before.
async fn begun(db: &Database, plan: &Plan) -> Result<usize> {
    let mut tx = db.begin().await?;
    let (mark, described) = (progress::load(&mut tx, KEY).await?, plan.described());
    let Some(mark) = mark else {
        let used = !store::accounts::all(&mut tx).await?.is_empty()
            || progress::load(&mut tx, "campaign.day").await?.is_some()
            || !store::plan::count_areas(&mut tx, "", i32::MAX).await?.is_empty();
        ensure!(!used, "this database is an installation's; give an empty one, or another --data directory");
        installation::mark_invented(&mut tx).await?;
        progress::save(&mut tx, KEY, &json!({ "plan": described, "written": 0 })).await?;
        store::commit(tx).await?;
        return Ok(0);
    };
    if mark["plan"] != described {
        bail!("the register there is of {}, not of {described}; remove it first", mark["plan"]);
    }
    let written = mark["written"].as_u64().and_then(|written| usize::try_from(written).ok());
    written.context("how far the register was written cannot be read; remove it first")
}

impl Plan {
    fn described(&self) -> Value {
        json!({ "province": self.province.to_string(), "people": self.people, "seed": self.seed })
    }
}

/// Paths of units by their code.
type Paths = HashMap<UnitCode, String>;

/// What is written into the store follows from this.
struct World<'a> {
    plan: &'a Plan,
    population: &'a Population,
    paths: Paths,
    import: ImportId,
    /// From which a card is due.
    age: i32,
    actor: Actor,
}

/// Where somebody stands in the list of all.
struct One<'a> {
    index: usize,
    id: PersonId,
    record: ResidentRecord,
    fold: String,
    path: &'a str,
    form: String,
    /// Took part in the campaign.
    application: Option<ApplicationId>,
}

impl One<'_> {
    fn row<'r>(&'r self, form_hash: &'r [u8; 32]) -> NewPerson<'r> {
        NewPerson {
            person_id: self.id,
            record: &self.record,
            name_fold: &self.fold,
            unit_path: self.path,
            form_no: &self.form,
            form_hash,
        }
    }
}

pub(crate) fn person_id(index: usize) -> PersonId {
    PersonId::derive(BEGUN, &[b"bench desks", &index.to_be_bytes()])
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, population: &'a Population) -> Result<World<'a>> {
        let units = Units::latest();
        let path = |unit: UnitCode| Ok((unit, units.path(unit).context("a commune has a path")?));
        let paths = population.communes.iter().map(|commune| path(commune.unit)).collect::<Result<_>>()?;
        let import = ImportId::derive(BEGUN, &[b"bench desks"]);
        let age = Profile::official().ages_for_card(TODAY)?.due.years;
        Ok(World { plan, population, paths, import, age, actor: Actor::Centre })
    }

    fn one(&self, index: usize) -> One<'_> {
        let person = &self.population.people[index];
        let record = self.population.record(person);
        // The youngest of a household come too, with their parents: age is looked at as the plan does.
        let old_enough = person.stated_birth().age_on(TODAY) >= self.age;
        let id = person_id(index);
        let applied = index.is_multiple_of(APPLIED) && old_enough;
        One {
            index,
            id,
            fold: fold_ascii(record.name.as_str()),
            path: self.paths.get(&record.permanent.unit).map_or("", String::as_str),
            record,
            form: format!("BENCH-{index:08}"),
            application: applied
                .then(|| ApplicationId::derive(BEGUN, &[b"bench desks", &index.to_be_bytes()])),
        }
    }

    /// Writes the people from one place in the list to another, with all that is theirs.
    async fn write(&self, db: &Database, from: usize, until: usize) -> Result<()> {
        let people: Vec<One<'_>> = tokio::task::block_in_place(|| {
            (from..until).into_par_iter().map(|index| self.one(index)).collect()
        });
        let mut tx = db.begin().await?;
        let hash = [0; 32];
        let rows: Vec<NewPerson<'_>> = people.iter().map(|one| one.row(&hash)).collect();
        let outcome = store::register::register(&mut tx, self.import, &self.actor, BEGUN, &rows).await?;
        ensure!(outcome.refused.is_empty(), "{} people were refused", outcome.refused.len());
        let applied: Vec<Applied<'_>> = people.iter().filter_map(Applied::of).collect();
        self.apply(&mut tx, &applied).await?;
        let mark = json!({ "plan": self.plan.described(), "written": until });
        progress::save(&mut tx, KEY, &mark).await?;
        Ok(store::commit(tx).await?)
    }

    async fn apply(&self, tx: &mut PgConnection, applied: &[Applied<'_>]) -> Result<()> {
        let new: Vec<NewApplication> = applied.iter().map(|one| self.application(one)).collect();
        store::applications::create(tx, BEGUN, &new).await?;
        let packet = |one: &Applied<'_>| NewPacket {
            packet_id: one.packet,
            kit_id: kit_of(one.person.record.permanent.unit),
            application_id: one.id,
            kit_seq: one.person.index as u64 + 1,
            sha256: [0; 32],
            sealed: b"nothing is sealed here",
            quarantined: None,
            prev_sha256: None,
            credential_id: CredentialId::derive(BEGUN, &[b"officer"]),
            content: "application",
            base: None,
            twin: false,
        };
        insert_packets(tx, BEGUN, &applied.iter().map(packet).collect::<Vec<_>>()).await?;
        let opened = applied.iter().map(Applied::opened).collect::<Result<Vec<_>>>()?;
        store_opened(tx, &opened).await?;
        let looked_at = || applied.iter().filter(|one| one.step != Action::Receive);
        let resolutions = looked_at().map(Applied::resolution).collect::<Result<Vec<_>>>()?;
        write_resolutions(tx, &resolutions, BEGUN).await?;
        let cases = looked_at().filter(|one| one.step == Action::OpenCase);
        let cases = cases.map(Applied::case).collect::<Result<Vec<_>>>()?;
        store::cases::open_cases(tx, &cases, BEGUN).await?;
        let mut steps = Vec::with_capacity(applied.len() * 2);
        for one in applied {
            steps.push(self.step(one, Action::Receive));
            if one.step != Action::Receive {
                steps.push(self.step(one, one.step));
            }
        }
        let recorded = store::applications::record(tx, BEGUN, &steps).await?;
        ensure!(recorded.refused.is_empty(), "{} steps were refused", recorded.refused.len());
        Ok(())
    }

    fn application(&self, one: &Applied<'_>) -> NewApplication {
        let unit = one.person.record.permanent.unit;
        NewApplication {
            application_id: one.id,
            kit_id: kit_of(unit),
            kind: Kind::New,
            unit,
            unit_path: one.person.path.to_owned(),
            captured_at: one.at,
            kit_clock_at: None,
            actor: self.actor.clone(),
        }
    }

    fn step(&self, one: &Applied<'_>, action: Action) -> Transition {
        Transition {
            application_id: one.id,
            action,
            at: one.at + Duration::hours(if action == Action::Receive { 9 } else { 10 }),
            actor: self.actor.clone(),
            reference: None,
            detail: None,
        }
    }

    /// What is there once: the plan with its areas, kits, slots and seats, and the statistics by which the
    /// database plans. All of it may be written again.
    async fn finish(&self, db: &Database) -> Result<()> {
        const DONE: &str = "bench.desks.planned";
        let mut tx = db.begin().await?;
        if progress::load(&mut tx, DONE).await?.is_some() {
            return Ok(());
        }
        let province = Units::latest().path(self.plan.province).context("a province has a path")?;
        let born_by = Profile::official().born_by(TODAY)?;
        for area in store::plan::count_areas(&mut tx, &province, born_by).await? {
            store::plan::put_area(&mut tx, &area, TODAY, area.eligible).await?;
        }
        store::plan::put_target(&mut tx, &self.target()).await?;
        let communes = &self.population.communes;
        let kits: Vec<KitRow> = communes.iter().map(|commune| kit(commune.unit)).collect();
        store::plan::register_kits(&mut tx, &kits).await?;
        let (slots, seats) = self.seats();
        store::plan::put_slots(&mut tx, &slots).await?;
        store::plan::put_invitations(&mut tx, &seats, BEGUN).await?;
        progress::save(&mut tx, DONE, &json!(true)).await?;
        store::commit(tx).await?;
        let begun = Instant::now();
        db.vacuum_analyze().await?;
        say!("register   {} seats given, statistics in {:.1} s", seats.len(), begun.elapsed().as_secs_f64());
        Ok(())
    }

    fn target(&self) -> TargetRow {
        TargetRow {
            unit_code: self.plan.province.to_string(),
            name: "bench desks".to_owned(),
            amount: None,
            kind: "floor".to_owned(),
            starts_on: BEGUN.date(),
            deadline: Deadline { date: date!(2021 - 07 - 01), wording: Wording::Before },
            source: "invented".to_owned(),
        }
    }

    /// Yesterday's, today's and tomorrow's slots of every commune, with people in their seats.
    fn seats(&self) -> (Vec<SlotRow>, Vec<InvitationRow>) {
        let (mut slots, mut seats) = (Vec::new(), Vec::new());
        for commune in &self.population.communes {
            let Some(path) = self.paths.get(&commune.unit) else { continue };
            let mut people = commune.people.clone();
            for (day, slot) in (-1..=1).flat_map(|day| (0..SLOTS).map(move |slot| (day, slot))) {
                let day = TODAY + Duration::days(day);
                let minutes = Duration::minutes(i64::from(SLOT_MINUTES) * slot as i64);
                let starts_at =
                    day.with_hms(7, 30, 0).expect("a time of day").assume_offset(VIETNAM) + minutes;
                let slot_id = SlotId::derive(starts_at, &[commune.unit.to_string().as_bytes()]);
                slots.push(SlotRow {
                    slot_id,
                    kit_id: kit_of(commune.unit),
                    unit_code: commune.unit.to_string(),
                    unit_path: path.clone(),
                    site: "Trụ sở UBND".to_owned(),
                    day,
                    shift: (slot / 2 + 1) as i16,
                    round: 1,
                    starts_at,
                    minutes: SLOT_MINUTES,
                    capacity: SEATS as i16,
                });
                seats.extend(people.by_ref().take(SEATS).enumerate().map(|(seat, person)| InvitationRow {
                    person_id: person_id(person),
                    round: 1,
                    slot_id,
                    slot_capacity: SEATS as i16,
                    seat: seat as i16 + 1,
                    unit_path: path.clone(),
                }));
            }
        }
        (slots, seats)
    }
}

/// Somebody who applied.
struct Applied<'a> {
    person: &'a One<'a>,
    id: ApplicationId,
    packet: PacketId,
    at: OffsetDateTime,
    /// The last step so far.
    step: Action,
}

impl<'a> Applied<'a> {
    fn of(person: &'a One<'a>) -> Option<Applied<'a>> {
        let id = person.application?;
        let number = person.index / APPLIED;
        let step = match number {
            n if n % CASE == 1 => Action::OpenCase,
            n if n % REJECTED == 2 => Action::Reject,
            n if n % WAITING == 3 => Action::Receive,
            _ => Action::Accept,
        };
        // Spread over the days and hours of the campaign, whatever the order of the people.
        let minute = (number * 7_919) % (49 * 9 * 60);
        let at = BEGUN + Duration::days((minute / 540) as i64) + Duration::minutes((minute % 540) as i64);
        Some(Applied { person, id, packet: PacketId::derive(at, &[id.uuid().as_bytes()]), at, step })
    }

    fn opened(&self) -> Result<Opened> {
        let mut receipt_hash = [0; 32];
        receipt_hash[..16].copy_from_slice(self.id.uuid().as_bytes());
        Ok(Opened {
            packet_id: self.packet,
            application_id: self.id,
            wrapped_key: vec![0; 88],
            record: serde_json::to_value(&self.person.record)?,
            differs: Vec::new(),
            claimed_person_id: Some(self.person.id),
            receipt_hash,
        })
    }

    fn resolution(&self) -> Result<Resolution> {
        let linked = self.step == Action::Accept;
        Ok(Resolution {
            application_id: self.id,
            outcome: if linked { "linked" } else { "case" },
            person_id: Some(self.person.id),
            weight: Some(41.5),
            probability: Some(0.999),
            evidence: self.evidence()?,
        })
    }

    /// Of the size that evidence has: the weights of a record's fields and the likeliest people.
    fn evidence(&self) -> Result<Value> {
        let weight = |field: &str, bits| Weight(field.to_owned(), "exact".to_owned(), bits);
        let steps = [("name", 12.25), ("birth", 13.5), ("sex", 1.0), ("hometown", 6.5), ("family", 8.25)];
        let candidate = |person, weight| Candidate { person, weight, caution: String::new() };
        let linkage = Linkage {
            version: "bench".to_owned(),
            link: Some(20.0),
            lead: Some(8.0),
            waterfall: Some(steps.into_iter().map(|(field, bits)| weight(field, bits)).collect()),
            candidates: vec![
                candidate(self.person.id, 41.5),
                candidate(person_id(self.person.index.saturating_sub(1)), 35.5),
            ],
            ..Linkage::default()
        };
        let claim = Some("person".to_owned());
        let stored = Stored { linkage: Some(linkage), claim, ..Stored::default() };
        Ok(serde_json::to_value(stored)?)
    }

    fn case(&self) -> Result<NewCase> {
        Ok(NewCase {
            case_id: CaseId::derive(self.at, &[self.id.uuid().as_bytes()]),
            kind: CaseKind::AmbiguousMatch.code(),
            application_id: Some(self.id),
            other_application_id: None,
            person_id: Some(self.person.id),
            other_person_id: None,
            evidence: self.evidence()?,
            unit_path: self.person.path.to_owned(),
            due_at: self.at + Duration::days(15),
        })
    }
}

fn kit_of(unit: UnitCode) -> KitId {
    KitId::derive(BEGUN, &[b"bench desks", unit.to_string().as_bytes()])
}

fn kit(unit: UnitCode) -> KitRow {
    KitRow {
        kit_id: kit_of(unit),
        name: format!("bench-{unit}"),
        unit_code: unit.to_string(),
        // A point that no key belongs to: these kits send nothing.
        public_key: vec![4; 65],
        registered_at: BEGUN,
    }
}
