//! The stages of a run with what each took, and the lines that show it.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::Options;

/// What one stage did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    pub name: &'static str,
    /// Items worked on: forms, invitations, packets, cards …
    pub count: u64,
    pub seconds: f64,
}

/// Collects stages in the order in which they first ran. A stage that runs every day is summed up.
#[derive(Debug)]
pub struct Stages {
    begun: Instant,
    all: Vec<(&'static str, u64, Duration)>,
}

impl Stages {
    pub fn begin(options: &Options) -> Stages {
        println!(
            "dancu demo: district {}, {} people, seed {}",
            options.district, options.people, options.seed
        );
        Stages { begun: Instant::now(), all: Vec::new() }
    }

    /// Runs a stage that is worth a line of its own; the work says how many items it was.
    pub async fn run<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, u64)>>,
    ) -> Result<T> {
        let started = Instant::now();
        let (value, count) = work.await?;
        let took = started.elapsed();
        self.add(name, count, took);
        println!("  {name:<12} {count:>9}   {:>7.1} s", took.as_secs_f64());
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

    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}
