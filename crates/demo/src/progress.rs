//! The stages of a run with what each took, and the lines that show it.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::Options;
use ui::say;

/// What one stage did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    pub name: &'static str,
    /// Items worked on: forms, invitations, packets, cards …
    pub count: u64,
    pub seconds: f64,
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
    all: Vec<(&'static str, u64, Duration)>,
}

impl Stages {
    /// Says what begins, and starts the clock of the whole run.
    pub fn begin(options: &Options) -> Stages {
        say!("dancu demo: district {}, {} people, seed {}", options.district, options.people, options.seed);
        Stages { begun: Instant::now(), all: Vec::new() }
    }

    /// Runs a stage that is worth a line of its own; the work says how many items it was.
    pub async fn run<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, u64)>>,
    ) -> Result<T> {
        let started = Instant::now();
        let (value, count) = shown(name, started, work).await?;
        let took = started.elapsed();
        self.add(name, count, took);
        say!("  {name:<12} {count:>9}   {:>7.1} s", took.as_secs_f64());
        Ok(value)
    }

    /// Adds a part of a stage that runs in many parts.
    pub async fn part<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, u64)>>,
    ) -> Result<T> {
        let started = Instant::now();
        let (value, count) = work.await?;
        self.add(name, count, started.elapsed());
        Ok(value)
    }

    fn add(&mut self, name: &'static str, count: u64, took: Duration) {
        match self.all.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, total, time)) => {
                *total += count;
                *time += took;
            }
            None => self.all.push((name, count, took)),
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
            .map(|(name, count, took)| Stage {
                name,
                count: *count,
                seconds: (took.as_secs_f64() * 1e3).round() / 1e3,
            })
            .collect()
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}
