//! `dancu bench desks`: officers who search, list, open and decide at once, through the real pages, on a
//! province's register.

mod acts;
mod figures;
mod officers;
mod province;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::browser::Browser;
use acts::{Act, Desk, Think};
use centre::Place;
use domain::UnitCode;
use domain::clock::VirtualClock;
use domain::id::ApplicationId;
use domain::text::fold_ascii;
use enrol::desks::{Answer, Asker, KitAnswer, KitDesk, Photo, PhotoSource};
use figures::{Figures, tenths};
use officers::{Officer, make_accounts, officers, sign_in};
use province::Plan;
use simulate::stream::Streams;
use store::register::pages::{PeopleQuery, people};
use store::{Database, OpenOptions, UnitScope};
use ui::{say, terminal};
use web::{AppState, Entrance, Limits, Quota, Role, Server, Settings};

/// So many sign in at once, and the next when one of them is in.
const DOOR: usize = 4;
/// Connections of the limit: as many as the pages' pool has.
const STRAIGHT: usize = 12;

/// What `dancu bench desks` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// People in the register.
    #[arg(long, default_value = "3000000", value_parser = terminal::count)]
    people: u32,
    /// Officers at their desks.
    #[arg(long, default_value = "300", value_parser = terminal::count)]
    officers: u32,
    /// Code of the province (GSO list of 2021).
    #[arg(long, default_value = "38")]
    province: UnitCode,
    #[arg(long, default_value_t = 2021)]
    seed: u64,
    /// Seconds of each part of the measurement; the first tenth warms up.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Seconds for which an officer looks at a page, from–to.
    #[arg(long, default_value = "3-10", value_parser = think)]
    think: Think,
    /// Write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn think(text: &str) -> Result<Think, String> {
    let wrong = || format!("`{text}` is not a time from–to in seconds, such as 3-10 or 0.5-2");
    let (from, to) = text.split_once(['-', '–']).ok_or_else(wrong)?;
    let seconds = |text: &str| {
        let seconds = text.trim().parse::<f64>().ok().filter(|seconds| (0.0..=3_600.0).contains(seconds));
        seconds.map(Duration::from_secs_f64).ok_or_else(wrong)
    };
    let (from, to) = (seconds(from)?, seconds(to)?);
    if from > to { Err(wrong()) } else { Ok(Think { from, to }) }
}

/// Measures officers who search, list and write at once, and prints and writes the figures.
///
/// # Errors
///
/// When the register cannot be made, the server does not answer, or the figures cannot be written.
pub async fn run(place: &Place, options: &Options) -> Result<()> {
    ensure!(
        options.officers > 0 && options.seconds > 0,
        "there must be somebody at the desks, for some time"
    );
    let folder = place.data.join(format!("bench-desks-{}", options.people));
    let open = OpenOptions { data_dir: folder.clone(), database_url: place.database_url.clone() };
    let db = Database::open(&open).await?;
    db.migrate().await?;
    let plan = Plan { province: options.province, people: options.people as usize, seed: options.seed };
    let outcome = measure(&db, &plan, options).await;
    db.stop().await?;
    let report = outcome?;
    print(&report);
    say!("the register stays in {} for the next run", folder.display());
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

async fn measure(db: &Database, plan: &Plan, options: &Options) -> Result<Value> {
    let population = province::make(db, plan).await?;
    let officers = officers(&population, options.officers as usize, options.seed)?;
    drop(population);
    make_accounts(db, &officers).await?;
    let state = AppState::of_installation(
        db.clone(),
        Arc::new(VirtualClock::at(province::NOW)),
        Arc::new(Without),
        Arc::new(Without),
        Settings { specimen: true, quota: Quota::NONE, ..Settings::default() },
    );
    let entrance = Entrance { limits: PATIENT, ..Entrance::default() };
    let server = Server::start_with(web::listen(0).await?, state, entrance)?;
    let hall = Hall { server: &server, db, officers: Arc::new(officers), options };
    let report = hall.measure().await;
    server.stop();
    report
}

/// All officers come from one address, and think for as long as they are told to.
const PATIENT: Limits = Limits {
    connections: 16_384,
    from_one: 16_384,
    head: Duration::from_secs(2 * 3_600),
    stalled: Duration::from_secs(30),
    grace: Duration::from_secs(10),
};

/// The register has no packets: nobody's photo was taken, and no kit calls.
struct Without;

impl PhotoSource for Without {
    fn photo<'a>(&'a self, _: Asker<'a>, _: ApplicationId) -> Answer<'a, Photo> {
        Box::pin(std::future::ready(Photo::NotShown))
    }
}

impl KitDesk for Without {
    fn packets(&self, _: Vec<u8>) -> Answer<'_, KitAnswer> {
        Box::pin(std::future::ready(KitAnswer { status: 503, body: Vec::new(), refused: 0 }))
    }

    fn day_report(&self, body: Vec<u8>) -> Answer<'_, KitAnswer> {
        self.packets(body)
    }

    fn status(&self, body: Vec<u8>) -> Answer<'_, KitAnswer> {
        self.packets(body)
    }
}

/// All the desks, and the server in front of them.
struct Hall<'a> {
    server: &'a Server,
    db: &'a Database,
    officers: Arc<Vec<Officer>>,
    options: &'a Options,
}

impl Hall<'_> {
    async fn measure(&self) -> Result<Value> {
        let seconds = Duration::from_secs(u64::from(self.options.seconds));
        let begun = Instant::now();
        let mut browsers = self.sign_everybody_in().await?;
        let signing_in = begun.elapsed().as_secs_f64();
        say!("desks      {} officers signed in in {signing_in:.1} s", browsers.len());

        let (reading, counted) = self.all(&mut browsers, self.options.think, seconds).await?;
        say!("desks      {} acts with time to read", reading.acts());
        let (beside, beside_counted) = self.while_signing_in(&mut browsers, seconds / 2).await?;
        let (hurried, hurried_counted) = self.all(&mut browsers, Think::NONE, seconds / 2).await?;
        say!("desks      {} acts without", hurried.acts());
        let limits = self.limits(&mut browsers, seconds / 4).await?;

        let errors = reading.errors() + beside.errors() + hurried.errors();
        let mut report = reading.report(counted);
        report.insert("errors".to_owned(), json!(errors));
        report.insert("without_think".to_owned(), hurried.report(hurried_counted).into());
        report.insert("while_signing_in".to_owned(), beside.report(beside_counted).into());
        let Think { from, to } = self.options.think;
        let described = json!({
            "benchmark": "desks", "people": self.options.people, "officers": self.options.officers,
            "think_s": [from.as_secs_f64(), to.as_secs_f64()], "limits": limits,
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "signing_in_s": tenths(signing_in),
        });
        report.extend(described.as_object().cloned().unwrap_or_default());
        Ok(report.into())
    }

    /// A few at a time, as at the beginning of a morning.
    async fn sign_everybody_in(&self) -> Result<Vec<Browser>> {
        let mut browsers: Vec<Option<Browser>> = self.officers.iter().map(|_| None).collect();
        let (mut tasks, mut next) = (JoinSet::new(), 0);
        while next < browsers.len() || !tasks.is_empty() {
            while next < browsers.len() && tasks.len() < DOOR {
                let (officers, address, number) = (Arc::clone(&self.officers), self.server.address(), next);
                tasks.spawn(async move { (number, sign_in(address, &officers[number]).await) });
                next += 1;
            }
            if let Some(done) = tasks.join_next().await {
                let (number, browser) = done?;
                browsers[number] = Some(browser?);
            }
        }
        Ok(browsers.into_iter().flatten().collect())
    }

    async fn all(&self, browsers: &mut Vec<Browser>, think: Think, time: Duration) -> Result<(Figures, f64)> {
        self.some(browsers, usize::MAX, None, think, time).await
    }

    /// Puts the first of the officers who can do such a thing to work, and gives their browsers back.
    async fn some(
        &self,
        browsers: &mut Vec<Browser>,
        most: usize,
        only: Option<Act>,
        think: Think,
        time: Duration,
    ) -> Result<(Figures, f64)> {
        let counted = Instant::now() + time / 10;
        let end = counted + time - time / 10;
        let streams = Streams::new(self.options.seed, b"bench desks");
        let mut tasks = JoinSet::new();
        let (mut resting, mut at_work) = (Vec::new(), 0);
        for (number, browser) in browsers.drain(..).enumerate() {
            let fits = only.is_none() || self.officers[number].role == Role::Officer;
            if !fits || at_work == most {
                resting.push((number, browser));
                continue;
            }
            at_work += 1;
            let (officers, stream) = (Arc::clone(&self.officers), streams.stream(number as u64));
            tasks.spawn(async move {
                let mut desk = Desk::new(&officers[number], browser, stream);
                let figures = desk.work(think, only, counted, end).await;
                (number, desk.leave(), figures)
            });
        }
        let mut all = Figures::default();
        while let Some(done) = tasks.join_next().await {
            let (number, browser, figures) = done?;
            resting.push((number, browser));
            all.join(figures);
        }
        resting.sort_by_key(|(number, _)| *number);
        browsers.extend(resting.into_iter().map(|(_, browser)| browser));
        Ok((all, (end - counted).as_secs_f64()))
    }

    /// As with time to read, while others sign in one after the other: passwords are hashed all the time.
    async fn while_signing_in(&self, browsers: &mut Vec<Browser>, time: Duration) -> Result<(Figures, f64)> {
        let (officers, address) = (Arc::clone(&self.officers), self.server.address());
        let late = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            for number in (0..officers.len()).cycle() {
                let officers = Arc::clone(&officers);
                tasks.spawn(async move { sign_in(address, &officers[number]).await.map(drop) });
                if tasks.len() == DOOR
                    && let Some(done) = tasks.join_next().await
                {
                    done??;
                }
            }
            anyhow::Ok(())
        });
        let outcome = self.all(browsers, self.options.think, time).await;
        ensure!(!late.is_finished(), "signing in failed while the others worked");
        late.abort();
        outcome
    }

    /// What the machine gives of the same without the pages: searches by name straight through the store,
    /// and a file that needs no database.
    async fn limits(&self, browsers: &mut Vec<Browser>, time: Duration) -> Result<Value> {
        let (search, counted) =
            self.some(browsers, STRAIGHT, Some(Act::SearchName), Think::NONE, time).await?;
        let pages = search.acts() as f64 / counted;
        let straight = self.straight(time).await?;
        let page = browsers.first_mut().context("nobody is there")?.get("/cu-dan").await?.good()?;
        let sheet = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let sheet = sheet.into_iter().find(|href| href.ends_with(".css") || href.contains(".css?"));
        let sheet = self.sheets(sheet.context("a page names its style sheet")?, time).await?;
        Ok(json!({
            "search_by_name": {
                "connections": STRAIGHT, "pages_per_s": tenths(pages),
                "through_store_per_s": tenths(straight),
                "ratio": (pages / straight.max(1e-9) * 100.0).round() / 100.0,
            },
            "style_sheets_per_s": tenths(sheet), "errors": search.errors(),
        }))
    }

    /// Searches a second by [`STRAIGHT`] commune officers at once, without HTTP, session and page.
    async fn straight(&self, time: Duration) -> Result<f64> {
        let end = Instant::now() + time;
        let mut tasks = JoinSet::new();
        let is_officer = |number: &usize| self.officers[*number].role == Role::Officer;
        for number in (0..self.officers.len()).filter(is_officer).take(STRAIGHT) {
            let (db, officers) = (self.db.clone(), Arc::clone(&self.officers));
            tasks.spawn(async move {
                let officer = &officers[number];
                let scope = officer.scope()?;
                let mut done = 0u64;
                for sought in officer.sought.iter().cycle() {
                    if Instant::now() >= end {
                        break;
                    }
                    done += u64::from(!straight(&db, &scope, &sought.name).await?.is_empty());
                }
                anyhow::Ok(done)
            });
        }
        let mut all = 0;
        while let Some(done) = tasks.join_next().await {
            all += done??;
        }
        Ok(all as f64 / time.as_secs_f64())
    }

    /// Style sheets a second over [`STRAIGHT`] connections.
    async fn sheets(&self, path: &str, time: Duration) -> Result<f64> {
        let end = Instant::now() + time;
        let mut tasks = JoinSet::new();
        for _ in 0..STRAIGHT {
            let (path, address) = (path.to_owned(), self.server.address());
            tasks.spawn(async move {
                let mut browser = Browser::new(address);
                let mut done = 0u64;
                while Instant::now() < end {
                    browser.get(&path).await?.good()?;
                    done += 1;
                }
                anyhow::Ok(done)
            });
        }
        let mut all = 0;
        while let Some(done) = tasks.join_next().await {
            all += done??;
        }
        Ok(all as f64 / time.as_secs_f64())
    }
}

async fn straight(
    db: &Database,
    scope: &UnitScope,
    name: &str,
) -> Result<Vec<store::register::pages::PersonHit>> {
    let query = PeopleQuery { name_fold: Some(fold_ascii(name)), limit: 51, ..PeopleQuery::default() };
    let mut tx = db.scoped(scope).await?;
    Ok(people(&mut tx, &query).await?)
}

fn print(report: &Value) {
    let line = |name: &str, of: &Value| {
        say!(
            "{name:<22} {:>8} acts {:>8} acts/s   p50 {:>9} ms   p99 {:>9} ms",
            of["acts"],
            of["acts_per_s"],
            of["p50_ms"],
            of["p99_ms"]
        );
    };
    for (name, of) in [
        ("with time to read", report),
        ("while others sign in", &report["while_signing_in"]),
        ("without", &report["without_think"]),
    ] {
        line(name, of);
        for (kind, of) in of["kinds"].as_object().into_iter().flatten() {
            say!(
                "  {kind:<20} {:>8} {:>31} {:>9} {:>14} {:>9}",
                of["acts"],
                "",
                of["p50_ms"],
                "",
                of["p99_ms"]
            );
        }
        for (text, times) in of["failed"].as_object().into_iter().flatten() {
            say!("  {times} times: {text}");
        }
    }
    let limits = &report["limits"];
    say!(
        "searches by name: {} pages a second, {} straight through the store (ratio {}); style sheets: {}",
        limits["search_by_name"]["pages_per_s"],
        limits["search_by_name"]["through_store_per_s"],
        limits["search_by_name"]["ratio"],
        limits["style_sheets_per_s"]
    );
    say!("errors: {}", report["errors"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_think_is_read_or_refused_with_an_example() {
        let read = think("3-10").unwrap();
        assert_eq!((read.from.as_secs(), read.to.as_secs()), (3, 10));
        assert_eq!(think("0.5–2").unwrap().from, Duration::from_millis(500));
        for bad in ["", "3", "10-3", "a-b", "-1-2", "1-99999"] {
            assert!(think(bad).unwrap_err().contains("3-10"), "{bad}");
        }
    }
}
