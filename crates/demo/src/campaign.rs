//! The campaign day by day: forms into the register, the plan, then every day captures, a night's work at the
//! centre, boxes and hand-overs.

mod visits;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::json;
use time::macros::time;
use time::{Date, Duration, Time};

use crate::kits::Fleet;
use crate::prepare::{self, FormCounts};
use crate::progress::Stages;
use crate::staff::{self, Staff};
use crate::world::World;
use crate::{BEGIN, CREDENTIALS_END, Options, Until, adjudicate, duties, middle};
use centre::upkeep::{self, Round};
use centre::{Centre, installation, work};
use domain::application::State;
use domain::clock::{VIETNAM, VirtualClock};
use domain::id::PersonId;
use domain::unit::Units;
use domain::{Actor, Clock, UnitCode};
use enrol::kits::NewKit;
use enrol::officers::NewCredential;
use plan::campaign::{Kits, NOTICE_DAYS, Opening};
use plan::target::Target;
use resolve::Identities;
use simulate::TruthId;
use store::UnitScope;
use ui::say;

/// Blank cards in the store at the beginning, per eligible resident.
const BLANKS_PER_PERSON: f64 = 1.1;
/// However it goes, the simulation ends so many days after the deadline.
const MOST_DAYS_AFTER_DEADLINE: i64 = 60;

/// A simulated campaign as it runs: an installation like any other, and the world that it is about.
pub struct Campaign {
    pub centre: Centre,
    pub clock: Arc<VirtualClock>,
    pub world: Arc<World>,
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
    cores: usize,
    staff: Staff,
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
        let units = Units::on(clock.today());
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
                Ok((Arc::new(world), count))
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
            cores: std::thread::available_parallelism().map_or(2, usize::from),
            staff: Staff::of(&centre, district).await?,
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
        let mut conn = db.read().await?;
        let planned = store::progress::load(&mut conn, "demo.kits").await?.and_then(|kits| kits.as_u64());
        drop(conn);
        if let Some(kits) = planned {
            // The plan stands as it was made: records that were merged since would change the quotas.
            self.fleet =
                Fleet::open(&folder, usize::try_from(kits)?, options.seed, &prepare::kit_keys(&self.centre))?;
            return Ok(((), 0));
        }
        plan::apply::record_targets(db, &plan::target::of_2021(), "docs/simulation.md").await?;
        let units = Units::on(self.target.starts_on);
        let mut opening = Opening {
            unit: self.district,
            starts_on: self.target.starts_on,
            deadline: self.target.deadline,
            amount: None,
            kits: Kits::These(Vec::new()),
            source: "docs/simulation.md".to_owned(),
        };
        let opened = plan::campaign::open(db, units, &opening, &Actor::Centre, now).await?;
        self.target = opened.target;
        let kits = opened.kits_needed;
        self.fleet = Fleet::open(&folder, kits, options.seed, &prepare::kit_keys(&self.centre))?;
        let Actor::Account(account) = self.staff.officer else { bail!("the officer has no account") };
        let mut fingers = Some(staff::fingers(&self.centre, account, options.seed)?);
        for kit in 0..kits {
            let new = NewKit {
                kit_id: self.fleet.ids[kit],
                name: format!("{}-{:02}", self.district, kit + 1),
                unit: self.district,
                public_key: self.fleet.public_key(kit),
            };
            enrol::kits::register(db, units, &new, &Actor::Centre, now).await?;
            let credential = NewCredential {
                account,
                login: self.staff.officer_login.clone(),
                kit: new.name.clone(),
                public_key: self.fleet.officer_key(kit),
                not_after: CREDENTIALS_END,
                fingers: fingers.take(),
            };
            enrol::officers::issue(db, units, &credential, &Actor::Centre, now).await?;
        }
        let eligible: u32 = opened.areas.iter().map(|area| area.eligible).sum();
        let blanks = (f64::from(eligible) * BLANKS_PER_PERSON).ceil() as u32;
        duties::receive_blanks(&self.centre, blanks).await?;
        opening.kits = Kits::These(self.fleet.ids.clone());
        let opened = plan::campaign::open(db, units, &opening, &Actor::Centre, now).await?;
        // Planned before means interrupted before the next line.
        let planned = opened.planned.unwrap_or_default();
        let mut tx = db.begin().await?;
        store::progress::save(&mut tx, "demo.kits", &json!(kits)).await?;
        store::commit(tx).await?;
        say!(
            "  {eligible} eligible in {} communes; {} kits; {} slots with {} seats; {} without a seat",
            opened.areas.len(),
            kits,
            planned.slots,
            planned.seats,
            planned.unseated
        );
        Ok(((), eligible.into()))
    }

    /// What a run that was interrupted needs to know of the days before.
    async fn recall(&mut self, left: Vec<TruthId>) -> Result<()> {
        let mut conn = self.centre.db.read().await?;
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
                    duties::hand_over(&self.centre, &self.world, &self.scope, &self.staff.officer, day)
                        .await?;
                Ok((done, done.handed_over as u64))
            })
            .await?;
        tracing::debug!(?handed, %day, "hand-overs");
        let (visits, attended) = stages.part("plan", async { Ok((self.visits(day).await?, 0)) }).await?;
        stages
            .part("capture", async {
                let captured =
                    tokio::task::block_in_place(|| self.fleet.capture(&self.world, &visits, self.cores))?;
                Ok(((), captured))
            })
            .await?;
        self.clock.set(at(day, time!(22:30)));
        stages
            .part("transmit", async {
                let sent =
                    tokio::task::block_in_place(|| self.fleet.send(&self.world, base_url, day, self.cores))?;
                Ok(((), sent))
            })
            .await?;
        stages.part("plan", async { Ok(((), self.close_day(day, &attended).await?)) }).await?;
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

    /// Invites those again who did not come. Says how many.
    async fn close_day(&self, day: Date, attended: &[PersonId]) -> Result<u64> {
        let (now, next_from) = (at(day, time!(22:45)), day + Duration::days(NOTICE_DAYS));
        let invited =
            plan::apply::close_day(&self.centre.db, &self.scope, day, attended, next_from, now).await?;
        Ok(invited as u64)
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
                let two = &self.staff.adjudicators;
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
                Ok((duties::move_boxes(&centre, world, scope, &district, &self.staff.officer, day).await?, 0))
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
        let mut conn = self.centre.db.read().await?;
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
        let mut conn = self.centre.db.read().await?;
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
