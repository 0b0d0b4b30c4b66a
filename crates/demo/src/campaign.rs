//! The campaign day by day: forms into the register, the plan, then every day captures, a night's work at the
//! centre, boxes and hand-overs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::json;
use time::macros::time;
use time::{Date, Duration, Time};

use crate::adjudicate;
use crate::duties;
use crate::kits::{Fleet, Visit};
use crate::middle;
use crate::prepare::{self, FormCounts};
use crate::progress::Stages;
use crate::world::World;
use crate::{BEGIN, Options, Until};
use centre::upkeep::{self, Round};
use centre::{Centre, installation, work};
use domain::application::State;
use domain::clock::{VIETNAM, VirtualClock};
use domain::id::PersonId;
use domain::unit::UnitTable;
use domain::{Actor, UnitCode};
use plan::apply::Area;
use plan::schedule::{self, ShiftCalendar};
use plan::target::Target;
use resolve::Identities;
use simulate::TruthId;
use store::UnitScope;
use ui::say;

/// Days between a missed invitation and the next.
const NOTICE_DAYS: i64 = 3;
/// Blank cards in the store at the beginning, per eligible resident.
const BLANKS_PER_PERSON: f64 = 1.1;
/// However it goes, the simulation ends so many days after the deadline.
const MOST_DAYS_AFTER_DEADLINE: i64 = 60;

/// A simulated campaign as it runs: an installation like any other, and the world that it is about.
pub struct Campaign {
    pub centre: Centre,
    pub clock: Arc<VirtualClock>,
    pub world: World,
    pub district: UnitCode,
    pub scope: UnitScope,
    pub target: Target,
    pub forms: FormCounts,
    /// The first day that is not over.
    pub day: Date,
    fleet: Fleet,
    identities: Identities,
    until: Until,
    leave_cards: bool,
    /// Who has applied, and the day of the first application.
    captured: BTreeMap<TruthId, Date>,
    /// Second applications that are still to come, by day.
    again: BTreeMap<Date, Vec<TruthId>>,
    /// People without a form in the register who come to a kit all the same, by day.
    walk_ins: BTreeMap<Date, Vec<TruthId>>,
    /// People in the register of whom this world knows nothing: somebody imported a file. They are invited as
    /// everybody is, and nobody comes for them.
    strangers: HashSet<PersonId>,
    threads: usize,
    /// Who decides cases.
    adjudicators: [Actor; 2],
}

impl Campaign {
    /// Everything before the first day: units, forms, register, plan.
    pub async fn prepare(
        centre: Centre,
        clock: Arc<VirtualClock>,
        options: &Options,
        stages: &mut Stages,
    ) -> Result<Campaign> {
        let district = options.district;
        let units = UnitTable::official_2021();
        let path = units.path(district).context("the district's path")?;
        let scope = UnitScope::parse(&path)?;
        prepare::check_same_run(&centre, options).await?;
        stages.run("units", async { Ok(((), collect::load_units(&centre.db).await?)) }).await?;
        let folder = centre.place.data.join("forms");
        let (people, seed) = (options.people as usize, options.seed);
        let world = stages
            .run("forms", async {
                let world = tokio::task::spawn_blocking(move || World::make(district, people, seed, &folder))
                    .await??;
                let count = world.forms.forms.len() as u64;
                Ok((world, count))
            })
            .await?;
        let (forms, left) = stages
            .run("collect", async {
                let (forms, left) = prepare::import_forms(&centre, &world).await?;
                Ok(((forms, left), forms.read))
            })
            .await?;
        let target = prepare::province_target(units, district);
        let mut campaign = Campaign {
            day: target.starts_on,
            fleet: Fleet::open(
                &centre.place.data.join("kits"),
                0,
                options.seed,
                &prepare::kit_keys(&centre),
            )?,
            identities: stages.run("dedupe", prepare::dedupe(&centre, &scope)).await?,
            until: options.until,
            leave_cards: options.leave_cards,
            captured: BTreeMap::new(),
            again: BTreeMap::new(),
            walk_ins: BTreeMap::new(),
            strangers: HashSet::new(),
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            adjudicators: adjudicate::adjudicators(&centre, district).await?,
            centre,
            clock,
            world,
            district,
            scope,
            target,
            forms,
        };
        let last = campaign.target.deadline.date + Duration::days(MOST_DAYS_AFTER_DEADLINE + 1);
        prepare::make_signers(&campaign.centre, at(last, time!(0:00))).await?;
        stages.run("plan", campaign.plan(options)).await?;
        campaign.recall(left).await?;
        Ok(campaign)
    }

    /// Quotas, kits, slots and the first invitation of everyone eligible. Returns how many are invited.
    async fn plan(&mut self, options: &Options) -> Result<((), u64)> {
        let (db, now) = (&self.centre.db, BEGIN);
        let folder = self.centre.place.data.join("kits");
        let mut conn = db.begin().await?;
        let planned = store::progress::load(&mut conn, "demo.kits").await?.and_then(|kits| kits.as_u64());
        drop(conn);
        if let Some(kits) = planned {
            // The plan stands as it was made: records that were merged since would change the quotas.
            self.fleet =
                Fleet::open(&folder, usize::try_from(kits)?, options.seed, &prepare::kit_keys(&self.centre))?;
            return Ok(((), 0));
        }
        let areas: Vec<Area> = plan::apply::set_quotas(db, &self.scope, self.target.starts_on, None).await?;
        let name = UnitTable::official_2021().full_name(self.district).unwrap_or_default();
        self.target = plan::apply::district_target(self.district, &name, &areas, &self.target);
        plan::apply::record_targets(db, &plan::target::of_2021(), "docs/simulation.md").await?;
        plan::apply::record_targets(db, std::slice::from_ref(&self.target), "docs/simulation.md").await?;
        let calendar = ShiftCalendar::SPRING_2021;
        let demand = plan::apply::demand(&areas);
        let days = self.target.deadline.days_from(self.target.starts_on);
        let kits = schedule::kits_needed(&demand, u32::try_from(days)?, &calendar);
        self.fleet = Fleet::open(&folder, kits, options.seed, &prepare::kit_keys(&self.centre))?;
        let rows: Vec<store::plan::KitRow> = (0..kits)
            .map(|kit| store::plan::KitRow {
                kit_id: self.fleet.ids[kit],
                name: format!("{}-{:02}", self.district, kit + 1),
                unit_code: self.district.to_string(),
                public_key: self.fleet.public_key(kit),
                registered_at: now,
            })
            .collect();
        let eligible: u32 = areas.iter().map(|area| area.eligible).sum();
        let mut tx = db.begin().await?;
        store::plan::register_kits(&mut tx, &rows).await?;
        store::commit(tx).await?;
        let blanks = (f64::from(eligible) * BLANKS_PER_PERSON).ceil() as u32;
        duties::receive_blanks(&self.centre, blanks).await?;
        let span = (self.target.starts_on, self.target.deadline.last_day());
        let planned =
            plan::apply::plan_and_invite(db, &self.scope, &areas, &self.fleet.ids, span, &calendar, now)
                .await?;
        let mut tx = db.begin().await?;
        store::progress::save(&mut tx, "demo.kits", &json!(kits)).await?;
        store::commit(tx).await?;
        say!(
            "  {eligible} eligible in {} communes; {} kits; {} slots with {} seats; {} without a seat",
            areas.len(),
            kits,
            planned.slots,
            planned.seats,
            planned.unseated
        );
        Ok(((), eligible.into()))
    }

    /// What a run that was interrupted needs to know of the days before.
    async fn recall(&mut self, left: Vec<TruthId>) -> Result<()> {
        let mut conn = self.centre.db.begin().await?;
        if let Some(day) = installation::day_of(&mut conn).await? {
            self.day = day.next_day().context("a day after the last")?;
        }
        let attended = store::plan::attended(&mut conn, self.scope.as_str()).await?;
        drop(conn);
        let today = self.day;
        for (person, day) in attended.into_iter().filter(|(_, day)| *day < today) {
            if let Some(&truth) = self.world.by_person.get(&person) {
                self.note_capture(truth, day);
            }
        }
        for truth in without_form(&self.world, left) {
            let person = self.world.person(truth);
            let day = self.target.starts_on + Duration::days(5 + truth.index() as i64 % 40);
            let age = day.year() - person.birth.year();
            if age > 14 && person.died.is_none() {
                self.walk_ins.entry(day).or_default().push(truth);
                if day < today {
                    self.note_capture(truth, day);
                }
            }
        }
        Ok(())
    }

    fn note_capture(&mut self, truth: TruthId, day: Date) {
        if self.captured.insert(truth, day).is_none()
            && let Some(after) = self.world.draws.applies_again_after(truth)
        {
            self.again.entry(day + after).or_default().push(truth);
        }
    }

    /// Runs day after day until everything is done, or the day is over that the caller named. A campaign
    /// that is further than that stays where it is.
    pub async fn run_days(&mut self, base_url: &str, stages: &mut Stages) -> Result<()> {
        let last = match self.until {
            Until::Day(day) => day,
            Until::Middle | Until::End => {
                self.target.deadline.date + Duration::days(MOST_DAYS_AFTER_DEADLINE)
            }
        };
        let mut shown = self.day;
        while self.day <= last && !self.is_in_the_middle().await? && !self.is_done().await? {
            self.run_day(base_url, stages).await.with_context(|| format!("on {}", self.day))?;
            if (self.day - shown).whole_days() >= 7 {
                self.show_week(stages).await?;
                shown = self.day;
            }
        }
        self.clock.set(at(self.finished()?, time!(23:59)));
        if !self.strangers.is_empty() {
            say!(
                "  {} people in the register are not of this demonstration; they were invited and did not \
                 come",
                self.strangers.len()
            );
        }
        self.show_week(stages).await
    }

    fn finished(&self) -> Result<Date> {
        self.day.previous_day().context("a day before")
    }

    async fn is_in_the_middle(&self) -> Result<bool> {
        match self.until {
            Until::Middle => middle::is_reached(&self.centre, &self.scope, self.finished()?).await,
            Until::Day(_) | Until::End => Ok(false),
        }
    }

    async fn run_day(&mut self, base_url: &str, stages: &mut Stages) -> Result<()> {
        let day = self.day;
        self.clock.set(at(day, time!(17:00)));
        let handed = stages
            .part("deliver", async {
                let done =
                    duties::hand_over(&self.centre, &self.world, &self.scope, day, at(day, time!(17:00)))
                        .await?;
                Ok((done, done.handed_over as u64))
            })
            .await?;
        tracing::debug!(?handed, %day, "hand-overs");
        let (visits, attended) = self.visits(day).await?;
        stages
            .part("capture", async {
                let captured =
                    tokio::task::block_in_place(|| self.fleet.capture(&self.world, &visits, self.threads))?;
                Ok(((), captured))
            })
            .await?;
        self.clock.set(at(day, time!(22:30)));
        stages
            .part("transmit", async {
                let sent = tokio::task::block_in_place(|| {
                    self.fleet.send(&self.world, base_url, day, self.threads)
                })?;
                Ok(((), sent))
            })
            .await?;
        let now = at(day, time!(22:45));
        plan::apply::close_day(
            &self.centre.db,
            &self.scope,
            day,
            &attended,
            day + Duration::days(NOTICE_DAYS),
            now,
        )
        .await?;
        for visit in visits.iter().flatten().filter(|visit| visit.number == 1) {
            self.note_capture(visit.truth, day);
        }
        self.night(day, stages).await?;
        let mut tx = self.centre.db.begin().await?;
        installation::finish_day(&mut tx, day).await?;
        store::commit(tx).await?;
        self.day = day.next_day().context("a day after")?;
        Ok(())
    }

    /// Who stands before which kit today, in the order of time; and whose invitations that answers.
    async fn visits(&mut self, day: Date) -> Result<(Vec<Vec<Visit>>, Vec<PersonId>)> {
        let mut conn = self.centre.db.begin().await?;
        let expected = store::plan::expected_on(&mut conn, self.scope.as_str(), day).await?;
        let (expected, strangers): (Vec<_>, Vec<_>) =
            expected.into_iter().partition(|invited| self.world.by_person.contains_key(&invited.person_id));
        self.strangers.extend(strangers.iter().map(|invited| invited.person_id));
        let mut today = HashSet::new();
        let coming: Vec<_> = expected
            .into_iter()
            .filter(|invited| {
                let truth = self.world.by_person[&invited.person_id];
                let first = self.captured.get(&truth).is_none_or(|captured| *captured == day);
                first
                    && self.world.draws.attends(truth, self.world.person(truth), invited.round, day)
                    && today.insert(truth)
            })
            .collect();
        let ids: Vec<PersonId> = coming.iter().map(|invited| invited.person_id).collect();
        let records: std::collections::HashMap<_, _> =
            store::register::people::records(&mut conn, &ids).await?.into_iter().collect();
        drop(conn);
        let mut visits = vec![Vec::new(); self.fleet.len()];
        for invited in &coming {
            let kit = self
                .fleet
                .ids
                .iter()
                .position(|id| *id == invited.kit_id)
                .context("a kit of another plan")?;
            let register = &records[&invited.person_id];
            let truth = self.world.by_person[&invited.person_id];
            visits[kit].push(Visit {
                truth,
                number: 1,
                at: invited.starts_at + Duration::minutes(5 * i64::from(invited.seat - 1)),
                unit: register.permanent.unit,
                register: Some((invited.person_id, register.clone())),
                declared: self.world.draws.declared(truth, register),
            });
        }
        self.uninvited(day, &mut visits)?;
        for kit in &mut visits {
            kit.sort_by_key(|visit| (visit.at, visit.truth));
        }
        Ok((visits, ids))
    }

    /// People who come without an invitation: the unregistered, and those who apply again.
    fn uninvited(&self, day: Date, visits: &mut [Vec<Visit>]) -> Result<()> {
        let again = self.again.get(&day).into_iter().flatten().map(|truth| (*truth, 2));
        let unregistered = self.walk_ins.get(&day).into_iter().flatten().map(|truth| (*truth, 1));
        for (truth, number) in unregistered.chain(again) {
            let record = self.world.population.record(self.world.person(truth));
            let kit = truth.index() % visits.len();
            let declared =
                if number == 1 { record.clone() } else { self.world.draws.second_record(truth, &record)? };
            visits[kit].push(Visit {
                truth,
                number,
                at: at(day, time!(21:50)) + Duration::seconds((truth.index() % 600) as i64),
                unit: record.permanent.unit,
                register: None,
                declared,
            });
        }
        Ok(())
    }

    /// The centre's night: open, resolve, decide yesterday's cases, make and print cards, move boxes.
    async fn night(&mut self, day: Date, stages: &mut Stages) -> Result<()> {
        self.clock.set(at(day, time!(23:00)));
        let centre = self.centre.clone();
        prepare::keep_lists(&centre).await?;
        stages
            .part("intake", async {
                let (opened, rejected) = work::open_packets(&centre).await?;
                Ok(((), (opened + rejected) as u64))
            })
            .await?;
        stages
            .part("resolve", async {
                work::dedupe(&centre, &mut self.identities).await?;
                let (linked, cases) = work::resolve_waiting(&centre, &mut self.identities).await?;
                let two = &self.adjudicators;
                adjudicate::decide_open(&centre, &self.world, two, day).await?;
                Ok(((), (linked + cases) as u64))
            })
            .await?;
        let authority = centre.authority().await?;
        let district = self.district.to_string();
        let (world, scope) = (&self.world, &self.scope);
        let leaves_cards = self.leave_cards && self.until == Until::Day(day);
        let pins = |person: PersonId, attempt: u32| {
            world.draws.pin_serial(duties::subject(person.uuid().as_u128()), attempt)
        };
        stages
            .part("issue", async {
                upkeep::work_off(&centre.db, &[Round::ExpireCards], centre.clock.now()).await?;
                let batches = work::make_batches(&centre, &authority, scope, &district, &pins).await?;
                if leaves_cards {
                    return Ok(((), 0));
                }
                let (printed, spoiled) = duties::print(&centre, world, &batches).await?;
                Ok(((), (printed + spoiled) as u64))
            })
            .await?;
        stages
            .part("deliver", async {
                Ok((duties::move_boxes(&centre, world, scope, &district, day).await?, 0))
            })
            .await
    }

    /// Nobody is invited any more, nothing is on a kit, in a queue or in a box, and every card that waits has
    /// been offered often enough.
    async fn is_done(&self) -> Result<bool> {
        let day = self.day;
        let pending = |map: &BTreeMap<Date, Vec<TruthId>>| map.range(day..).next().is_some();
        if pending(&self.again) || pending(&self.walk_ins) || self.fleet.holds_anything()? {
            return Ok(false);
        }
        let mut conn = self.centre.db.begin().await?;
        if store::plan::last_invited_day(&mut conn, self.scope.as_str()).await?.is_some() {
            return Ok(false);
        }
        let settled = [State::Rejected, State::HandedOver, State::AtUnit];
        let counts = store::report::state_counts(&mut conn, &self.scope).await?;
        if counts.iter().any(|count| !settled.contains(&count.state) && count.count > 0) {
            return Ok(false);
        }
        let waiting = store::boxes::handovers::waiting_cards(&mut conn, &self.scope).await?;
        let mut ours =
            waiting.iter().filter(|card| self.world.by_application.contains_key(&card.application_id));
        Ok(ours.all(|card| card.attempts >= duties::MOST_ATTEMPTS))
    }

    async fn show_week(&self, stages: &Stages) -> Result<()> {
        let mut conn = self.centre.db.begin().await?;
        let rows = report::funnel(&mut conn, &self.scope).await?;
        let sum = report::total(&rows);
        say!(
            "  {}  captured {:>8}  accepted {:>8}  printed {:>8}  handed over {:>8}  in case {:>5}   {:>6.1} \
             s",
            domain::date::vietnamese(self.day.previous_day().unwrap_or(self.day)),
            sum.captured,
            sum.accepted,
            sum.printed,
            sum.handed_over,
            sum.in_case,
            stages.elapsed().as_secs_f64()
        );
        Ok(())
    }
}

/// Of the people whose refused form nobody corrected, those of whom the register has no other form. Whoever
/// wrote two and had one of them taken was invited like everybody else: as a walk-in they would stand before
/// a kit twice with one application.
fn without_form(world: &World, left: Vec<TruthId>) -> Vec<TruthId> {
    let mut refused: BTreeMap<TruthId, usize> = BTreeMap::new();
    for truth in left {
        *refused.entry(truth).or_default() += 1;
    }
    let mut written: BTreeMap<TruthId, usize> = BTreeMap::new();
    for form in &world.forms.forms {
        *written.entry(form.truth).or_default() += 1;
    }
    refused.retain(|truth, refused| written.get(truth) == Some(refused));
    refused.into_keys().collect()
}

fn at(day: Date, time: Time) -> time::OffsetDateTime {
    day.with_time(time).assume_offset(VIETNAM)
}
