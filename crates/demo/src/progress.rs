//! The stages of a run with what each took, and the lines that show it.

mod processor;

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::Options;
use processor::Busy;
use ui::say;

/// What one stage did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    pub name: &'static str,
    /// Items worked on: forms, invitations, packets, cards …
    pub count: u64,
    pub seconds: f64,
    /// Processor seconds of this program meanwhile, on all cores.
    pub program_cpu: Option<f64>,
    /// Processor seconds of the database's server meanwhile, where it is this program's own.
    pub database_cpu: Option<f64>,
}

/// Does the work; on a terminal a line says meanwhile what is done and since when, so that a long stage is
/// not taken for one that hangs.
async fn shown<T>(name: &str, started: Instant, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let mut work = pin!(work);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            done = &mut work => {
                let _ = write!(std::io::stderr(), "\r\x1b[K");
                return done;
            }
            _ = ticks.tick() => {
                // A terminal that went away is no reason to stop the work.
                let seconds = started.elapsed().as_secs();
                let _ = write!(std::io::stderr(), "\r  {name:<12} …         {seconds:>7} s");
            }
        }
    }
}

/// Collects stages in the order in which they first ran. A stage that runs every day is summed up.
#[derive(Debug)]
pub struct Stages {
    begun: Instant,
    /// The process of the database's server.
    server: Option<u32>,
    all: Vec<(&'static str, u64, Duration, Busy)>,
}

impl Stages {
    /// Says what begins, and starts the clock of the whole run.
    pub fn begin(options: &Options) -> Stages {
        say!("dancu demo: district {}, {} people, seed {}", options.district, options.people, options.seed);
        Stages { begun: Instant::now(), server: None, all: Vec::new() }
    }

    /// From now on the processor time of this server is counted too.
    pub fn watch_server(&mut self, server: Option<u32>) {
        self.server = server;
    }

    /// Runs a stage that is worth a line of its own; the work says how many items it was.
    pub async fn run<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, u64)>>,
    ) -> Result<T> {
        let (started, before) = (Instant::now(), Busy::now(self.server));
        let (value, count) = shown(name, started, work).await?;
        let took = started.elapsed();
        self.add(name, count, took, Busy::now(self.server) - before);
        say!("  {name:<12} {count:>9}   {:>7.1} s", took.as_secs_f64());
        Ok(value)
    }

    /// Adds a part of a stage that runs in many parts.
    pub async fn part<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, u64)>>,
    ) -> Result<T> {
        let (started, before) = (Instant::now(), Busy::now(self.server));
        let (value, count) = work.await?;
        self.add(name, count, started.elapsed(), Busy::now(self.server) - before);
        Ok(value)
    }

    fn add(&mut self, name: &'static str, count: u64, took: Duration, busy: Busy) {
        match self.all.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, total, time, sum)) => {
                *total += count;
                *time += took;
                *sum = sum.plus(busy);
            }
            None => self.all.push((name, count, took, busy)),
        }
    }

    /// The last stage, which reports on the others.
    pub async fn run_last<T, F: Future<Output = Result<T>>>(
        &mut self,
        work: impl FnOnce(Vec<Stage>) -> F,
    ) -> Result<T> {
        work(self.list()).await
    }

    /// The stages that are over, in the order in which they first ran; times are rounded to milliseconds.
    pub fn list(&self) -> Vec<Stage> {
        self.all
            .iter()
            .map(|(name, count, took, busy)| Stage {
                name,
                count: *count,
                seconds: seconds(*took),
                program_cpu: busy.program.map(seconds),
                database_cpu: busy.database.map(seconds),
            })
            .collect()
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// To the millisecond.
fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e3).round() / 1e3
}
