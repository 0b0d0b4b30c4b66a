//! Speed and accuracy of 1:N search on synthetic people.

use anyhow::{Context, Result};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::{cpu_seconds, rounded};
use fingerprint::identify::{Gallery, GalleryParams};
use fingerprint::params::PERSON_THRESHOLD;
use fingerprint::scan::{Kernel, ScanWork};
use fingerprint::synthetic::{Condition, person_masters, some_masters};
use fingerprint::{FingerPosition, Positions, Probe, Scan, ScanQuery, Template, threshold_for};

/// What a team captures when it captures four fingers.
const FOUR: [FingerPosition; 4] = [
    FingerPosition::RightThumb,
    FingerPosition::RightIndex,
    FingerPosition::LeftThumb,
    FingerPosition::LeftIndex,
];
const BATCH: usize = 2_000;

/// Pairs of fingers per CPU second in the exhaustive search's first stage, with every kind of instructions.
pub fn stages() -> Value {
    let fingers: Vec<Vec<Template>> = (0..500).map(|person| four(person, 1)).collect();
    let kernels: Vec<Value> = Kernel::available()
        .into_iter()
        .map(|kernel| {
            let mut scan = Scan::with_kernel(kernel);
            for (person, templates) in fingers.iter().enumerate() {
                scan.insert(person as u128, templates).expect("four fingers of someone new");
            }
            let begun = cpu_seconds();
            let pairs: usize = fingers.iter().flatten().take(400).map(|finger| scan.sketch_all(finger)).sum();
            let rate = pairs as f64 / (cpu_seconds() - begun);
            json!({ "instructions": format!("{kernel:?}"), "sketches_per_cpu_second": rate.round() })
        })
        .collect();
    json!({ "stage": "sketches", "kernels": kernels })
}

fn ten(person: u64, occasion: u64) -> Vec<Template> {
    person_masters(person).iter().map(|m| m.impression(person * 16 + occasion, Condition::Station)).collect()
}

fn four(person: u64, occasion: u64) -> Vec<Template> {
    let masters = some_masters(person, &FOUR);
    masters.iter().map(|m| m.impression(person * 16 + occasion, Condition::Station)).collect()
}

/// What became of searches.
#[derive(Default)]
struct Outcome {
    searches: usize,
    /// Those for somebody who is enrolled.
    wanted: usize,
    cpu_seconds: f64,
    found: usize,
    wrong: usize,
}

impl Outcome {
    fn add(&mut self, wanted: Option<u128>, hits: impl Iterator<Item = u128>, seconds: f64) {
        self.searches += 1;
        self.wanted += usize::from(wanted.is_some());
        self.cpu_seconds += seconds;
        for id in hits {
            if Some(id) == wanted { self.found += 1 } else { self.wrong += 1 }
        }
    }

    fn report(&self) -> Value {
        let searches = self.searches.max(1) as f64;
        let missed = (self.wanted - self.found) as f64 / self.wanted as f64;
        json!({
            "searches": self.searches, "cpu_ms": rounded(self.cpu_seconds * 1e3 / searches, 3),
            "found": self.found, "false_hits": self.wrong,
            "missed_percent": (self.wanted > 0).then(|| rounded(100.0 * missed, 2)),
        })
    }
}

/// Ten fingers, the index: preparing, inserting, searching; and searching for people of whom only some
/// fingers are captured.
pub fn gallery(people: usize, searches: usize, seed: u64) -> Result<Value> {
    let first = seed << 40;
    let mut gallery = Gallery::new(GalleryParams { expected_people: people, ..GalleryParams::default() });
    // The last are prepared and inserted on this thread, whose clock is read.
    let timed = people.saturating_sub(BATCH);
    for start in (0..timed).step_by(BATCH) {
        let batch = first + start as u64..first + timed.min(start + BATCH) as u64;
        let batch: Vec<_> = batch.into_par_iter().map(|person| (person.into(), ten(person, 1))).collect();
        gallery.insert_all(&batch)?;
    }
    let batch: Vec<u64> = (timed..people).map(|person| first + person as u64).collect();
    let captured: Vec<Vec<Template>> = batch.par_iter().map(|&person| ten(person, 1)).collect();
    let begun = cpu_seconds();
    let probes: Vec<Probe> = captured.iter().map(|templates| Probe::new(templates)).collect();
    let middle = cpu_seconds();
    for (&person, probe) in batch.iter().zip(&probes) {
        gallery.insert_probe(person.into(), probe)?;
    }
    let (preparing, inserting) = (middle - begun, cpu_seconds() - middle);
    let mut variants = Vec::new();
    for (name, fingers, searches) in
        [("ten", 0..10, searches), ("one hand", 0..5, searches / 4), ("four", 1..5, searches / 4)]
    {
        let (mut known, mut strangers) = (Outcome::default(), Outcome::default());
        for index in 0..searches {
            let person = first + (index * people / searches) as u64;
            for (person, wanted, outcome) in [
                (person, Some(u128::from(person)), &mut known),
                (first + (people + index) as u64, None, &mut strangers),
            ] {
                let probe = Probe::new(&ten(person, 2)[fingers.clone()]);
                let begun = cpu_seconds();
                let hits = gallery.search_probe(&probe, None);
                outcome.add(wanted, hits.iter().map(|hit| hit.id), cpu_seconds() - begun);
            }
        }
        let (enrolled, strangers) = (known.report(), strangers.report());
        variants.push(json!({ "fingers": name, "enrolled": enrolled, "strangers": strangers }));
    }
    let each = |seconds: f64| rounded(seconds * 1e3 / batch.len().max(1) as f64, 3);
    Ok(json!({
        "search": "gallery, ten \
                   fingers", "people": people, "bytes_per_person": gallery.memory_bytes() / people.max(1),
        "prepare_cpu_ms": each(preparing), "insert_cpu_ms": each(inserting),
        "threshold": PERSON_THRESHOLD, "variants": variants,
    }))
}

/// How times and memory grow from one number of people to the next of one kind of search.
pub fn growth(searches: &[Value]) -> Vec<Value> {
    let follows = |pair: &&[Value]| pair[0]["search"] == pair[1]["search"];
    let grown = |pair: &[Value]| {
        let mut factors = serde_json::Map::new();
        compare("", &pair[0], &pair[1], &mut factors);
        json!({
            "search": pair[0]["search"], "from": pair[0]["people"], "to": pair[1]["people"],
            "factors": factors,
        })
    };
    searches.windows(2).filter(follows).map(grown).collect()
}

/// The factor between every two times or sizes in the same place of two reports.
fn compare(path: &str, from: &Value, to: &Value, factors: &mut serde_json::Map<String, Value>) {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            // Variants are told apart by what they are called.
            let name = ["positions", "fingers"].iter().find_map(|key| from.get(*key)?.as_str());
            let path = [path, name.unwrap_or_default()].join(" ");
            for (key, from) in from {
                compare(&[&path, key.as_str()].join(" "), from, to.get(key).unwrap_or(&Value::Null), factors);
            }
        }
        (Value::Array(from), Value::Array(to)) => {
            from.iter().zip(to).for_each(|(from, to)| compare("", from, to, factors));
        }
        _ => {
            let measured = path.ends_with("cpu_ms") || path.ends_with("bytes_per_person");
            if let (true, Some(from), Some(to)) = (measured, from.as_f64(), to.as_f64()) {
                let words: Vec<&str> = path.split_whitespace().collect();
                factors.insert(words.join(" "), rounded(to / from.max(1e-9), 2).into());
            }
        }
    }
}

/// Four fingers, everybody looked at; on one thread, so that its clock counts everything.
pub fn exhaustive(people: usize, searches: usize, seed: u64) -> Result<Value> {
    let first = (seed << 40) + (1 << 36);
    let mut scan = Scan::new();
    for start in (0..people).step_by(BATCH) {
        let batch: Vec<u64> = (start..people.min(start + BATCH)).map(|p| first + p as u64).collect();
        let captured: Vec<Vec<Template>> = batch.par_iter().map(|&person| four(person, 1)).collect();
        for (&person, templates) in batch.iter().zip(&captured) {
            scan.insert(person.into(), templates)?;
        }
    }
    let pool = ThreadPoolBuilder::new().num_threads(1).build().context("cannot start a thread")?;
    let threshold = threshold_for(people, 1e-4);
    let mut variants = Vec::new();
    for (name, positions, searches) in
        [("as stated", Positions::AsStated, searches), ("any position", Positions::Any, searches / 4)]
    {
        let query = ScanQuery { positions, threshold, most: 10 };
        let (mut known, mut strangers) = (Outcome::default(), Outcome::default());
        let mut work = ScanWork::default();
        for index in 0..searches {
            let person = first + (index * people / searches.max(1)) as u64;
            for (person, wanted, outcome) in [
                (person, Some(u128::from(person)), &mut known),
                (first + (people + index) as u64, None, &mut strangers),
            ] {
                let probe = four(person, 2);
                let (found, seconds) = pool.install(|| {
                    let begun = cpu_seconds();
                    (scan.search(&probe, None, query), cpu_seconds() - begun)
                });
                let (hits, done) = found?;
                work.candidates += done.candidates;
                work.comparisons += done.comparisons;
                outcome.add(wanted, hits.iter().map(|hit| hit.id), seconds);
            }
        }
        let each = |sum: usize| sum / (2 * searches).max(1);
        variants.push(json!({
            "positions": name, "enrolled": known.report(), "strangers": strangers.report(),
            "compared_people": each(work.candidates), "comparisons": each(work.comparisons),
        }));
    }
    Ok(json!({
        "search": "exhaustive, four \
                   fingers", "people": people, "bytes_per_person": scan.memory_bytes() / people.max(1),
        "threshold": rounded(threshold.into(), 2), "variants": variants,
    }))
}
