//! Measures building, searching, deciding and deduplicating on invented families.
//!
//! `cargo run --release -p linkage --example search -- [records] [share of papers with numbers]`

use std::collections::HashMap;
use std::time::Instant;

use linkage::{Decision, Index, Pair, Params, Record, Thresholds, decide};

#[path = "../tests/support/mod.rs"]
mod support;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let size: usize = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let numbers: f64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(0.5);
    let mut population = support::Population::new(2026);
    let everyone = population.people(size + size / 50);
    // Strangers to the register are relatives of people in it: the hard case.
    let (strangers, register): (Vec<_>, Vec<_>) =
        everyone.into_iter().enumerate().partition(|(at, _)| at % 51 == 50);
    let strangers: Vec<Record> = strangers.into_iter().map(|(_, person)| person).collect();
    let register: Vec<Record> = register.into_iter().map(|(_, person)| person).collect();

    let started = Instant::now();
    let index = Index::build_with(Params::default(), &register);
    let seconds = started.elapsed().as_secs_f64();
    let per_record = index.memory_bytes() as f64 / index.len() as f64;
    println!("build: {} records in {seconds:.2} s, {per_record:.0} bytes a record", index.len());

    let step = (register.len() / 20_000).max(1);
    let known: Vec<(Record, u128)> =
        register.iter().step_by(step).map(|person| (population.again(person, numbers), person.id)).collect();
    let unknown: Vec<Record> =
        strangers.iter().take(20_000).map(|person| population.again(person, numbers)).collect();
    search("known", &index, known.iter().map(|(record, id)| (record, Some(*id))));
    search("unknown", &index, unknown.iter().map(|record| (record, None)));
    deduplicate(&mut population, register, numbers);
}

fn search<'a>(label: &str, index: &Index, queries: impl Iterator<Item = (&'a Record, Option<u128>)>) {
    let mut micros = Vec::new();
    let mut outcomes: HashMap<&str, u32> = HashMap::new();
    let (mut best_false, mut candidates) = (f64::NEG_INFINITY, 0);
    for (record, truth) in queries {
        let started = Instant::now();
        let found = index.search(record);
        micros.push(started.elapsed().as_nanos() as f64 / 1e3);
        candidates += found.len();
        let false_weight =
            found.iter().filter(|c| Some(c.id) != truth).map(|c| c.weight).fold(f64::MIN, f64::max);
        best_false = best_false.max(false_weight);
        let outcome = match decide(&found, Thresholds::default()) {
            Decision::Link(id) if Some(id) == truth => "linked",
            Decision::Link(_) => "FALSELY LINKED",
            Decision::Review(ids) if truth.is_some_and(|id| ids.contains(&id)) => "review with truth",
            Decision::Review(_) => "review in vain",
            Decision::NoMatch if truth.is_some() => "missed",
            Decision::NoMatch => "no match",
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    let mean = micros.iter().sum::<f64>() / micros.len() as f64;
    let mut outcomes: Vec<_> = outcomes.into_iter().collect();
    outcomes.sort_unstable();
    println!(
        "{label}: {} searches, mean {mean:.1} µs, p50 {:.1}, p99 {:.1}, max {:.0}; {:.1} candidates; \
         heaviest wrong candidate {best_false:.1} bits; {outcomes:?}",
        micros.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        candidates as f64 / micros.len() as f64
    );
}

fn deduplicate(population: &mut support::Population, mut register: Vec<Record>, numbers: f64) {
    let mut truth = HashMap::new();
    for at in (0..register.len()).step_by(100) {
        let copy = population.again(&register[at], numbers);
        truth.insert((register[at].id, copy.id), ());
        register.push(copy);
    }
    let started = Instant::now();
    let found = Index::build_with(Params::for_dedupe(), &register).dedupe(0.2);
    println!(
        "dedupe: {} records in {:.2} s, {:.2} comparisons a record, {} blocks of {} entries skipped",
        register.len(),
        started.elapsed().as_secs_f64(),
        found.compared as f64 / register.len() as f64,
        found.skipped_blocks,
        found.skipped_entries
    );
    for limit in [0.2, 0.95, 0.999, 0.99975] {
        let pairs = found.pairs.iter().filter(|pair| pair.probability >= limit);
        let (right, wrong): (Vec<&Pair>, Vec<&Pair>) =
            pairs.partition(|pair| truth.contains_key(&(pair.a, pair.b)));
        println!(
            "  p ≥ {limit}: precision {:.4}, recall {:.4}, {} wrong pairs",
            right.len() as f64 / (right.len() + wrong.len()).max(1) as f64,
            right.len() as f64 / truth.len() as f64,
            wrong.len()
        );
    }
}
