//! Speed and accuracy of 1:N search on synthetic people; deterministic but for the times.
//!
//! `cargo run --release -p fingerprint --example identify -- [people] [seed] [searches of each kind]`

use fingerprint::identify::{Gallery, GalleryParams, Probe, SearchWork};
use fingerprint::params::MIN_VOTES;
use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{Hit, Template};

#[path = "fvc/report.rs"]
mod report;

const BATCH: usize = 500;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("a whole number"));
    let people = arguments.next().unwrap_or(20_000);
    let seed = arguments.next().unwrap_or(1) << 40;
    let searches = arguments.next().unwrap_or(1_000);
    let mut gallery = Gallery::new(GalleryParams { expected_people: people as usize, ..Default::default() });
    let (mut preparing, mut inserting) = (0.0, 0.0);
    for first in (0..people).step_by(BATCH) {
        // In batches, because the clock of CPU time advances in ticks.
        let batch = first..people.min(first + BATCH as u64);
        let templates: Vec<_> = batch.clone().map(|person| capture(seed + person, 1)).collect();
        let start = report::cpu_seconds();
        let probes: Vec<Probe> = templates.iter().map(|templates| Probe::new(templates)).collect();
        let middle = report::cpu_seconds();
        for (person, probe) in batch.zip(&probes) {
            gallery.insert_probe(u128::from(seed + person), probe).expect("every person is new");
        }
        preparing += middle - start;
        inserting += report::cpu_seconds() - middle;
    }
    let each = |sum: usize| sum / people as usize;
    let (bytes, quadruples) = (each(gallery.memory_bytes()), each(gallery.indexed_quadruples()));
    println!("{people} people, {bytes} bytes and {quadruples} quadruples each");
    println!("prepare {:.3} ms, insert {:.3} ms", mean_ms(preparing, people), mean_ms(inserting, people));

    let step = (people / searches).max(1);
    let again =
        Run::new(&gallery, (0..people).step_by(step as usize).map(|p| (seed + p, capture(seed + p, 2))));
    again.print("enrolled people, captured again");
    let strangers =
        Run::new(&gallery, (0..searches).map(|p| (seed + people + p, capture(seed + people + p, 2))));
    strangers.print("strangers");
    let some = |range: std::ops::Range<usize>| {
        let probes = (0..people)
            .step_by(step as usize)
            .map(|p| (seed + p, capture(seed + p, 3)[range.clone()].to_vec()));
        Run::new(&gallery, probes)
    };
    some(1..9).print("eight fingers");
    some(0..5).print("one hand");
    some(1..5).print("four fingers");
    let bad = (0..people).step_by(step as usize).map(|p| (seed + p, bad_capture(seed + p)));
    Run::new(&gallery, bad).print("all ten captured badly");
}

/// Condition of all captures: what a station takes.
fn capture(person: u64, occasion: u64) -> Vec<Template> {
    person_masters(person).iter().map(|m| m.impression(person * 16 + occasion, Condition::Station)).collect()
}

fn bad_capture(person: u64) -> Vec<Template> {
    person_masters(person).iter().map(|m| m.impression(person * 16 + 4, Condition::Bad)).collect()
}

fn mean_ms(seconds: f64, searches: u64) -> f64 {
    seconds * 1e3 / searches as f64
}

struct Run {
    seconds: f64,
    elapsed: Vec<f64>,
    searches: usize,
    found: usize,
    /// Not found although the index gave at least as many votes as the gallery asks for.
    missed_with_votes: usize,
    wrong: usize,
    work: SearchWork,
    scores: Vec<f32>,
    votes: Vec<u8>,
}

impl Run {
    fn new(gallery: &Gallery, probes: impl Iterator<Item = (u64, Vec<Template>)>) -> Self {
        let mut run = Run {
            seconds: 0.0,
            elapsed: vec![],
            searches: 0,
            found: 0,
            missed_with_votes: 0,
            wrong: 0,
            work: SearchWork::default(),
            scores: vec![],
            votes: vec![],
        };
        for (person, probe) in probes {
            let probe = Probe::new(&probe);
            // The thread's CPU time advances in ticks: good for means, too coarse for one search.
            let (start, began) = (report::cpu_seconds(), std::time::Instant::now());
            let (hits, work) = gallery.search_counting(&probe, None);
            run.seconds += report::cpu_seconds() - start;
            run.elapsed.push(began.elapsed().as_secs_f64());
            run.searches += 1;
            run.votes.push(gallery.votes_for(&probe, person.into()).unwrap_or(0));
            run.record(person.into(), &hits, work);
        }
        run
    }

    fn record(&mut self, person: u128, hits: &[Hit], work: SearchWork) {
        self.work.lookups += work.lookups;
        self.work.votes += work.votes;
        self.work.candidates += work.candidates;
        self.work.comparisons += work.comparisons;
        self.wrong += hits.iter().filter(|h| h.id != person).count();
        let own = hits.iter().find(|h| h.id == person);
        self.found += usize::from(own.is_some());
        let votes = self.votes.last().copied().unwrap_or(0);
        self.missed_with_votes += usize::from(own.is_none() && votes >= MIN_VOTES);
        self.scores.extend(own.map(|h| h.score));
    }

    fn print(mut self, what: &str) {
        let mean = |sum: usize| sum as f64 / self.searches as f64;
        self.elapsed.sort_unstable_by(f64::total_cmp);
        let slow = self.elapsed[self.searches * 99 / 100] * 1e3;
        println!(
            "{what}: {} searches of {:.3} ms, 99 % within {slow:.3} ms by the wall clock",
            self.searches,
            mean_ms(self.seconds, self.searches as u64)
        );
        println!(
            "  found {} ({:.3} %), wrong hits {}, missed with enough votes {}",
            self.found,
            100.0 * mean(self.found),
            self.wrong,
            self.missed_with_votes
        );
        let work =
            [self.work.lookups, self.work.votes, self.work.candidates, self.work.comparisons].map(mean);
        println!(
            "  lookups {:.0}, votes {:.0}, candidates {:.2}, comparisons {:.2}",
            work[0], work[1], work[2], work[3]
        );
        self.votes.sort_unstable();
        self.scores.sort_unstable_by(f32::total_cmp);
        let at = |share: f64, length: usize| ((length as f64 * share) as usize).min(length.saturating_sub(1));
        let votes = [0.001, 0.01, 0.1, 0.5].map(|s| self.votes[at(s, self.votes.len())]);
        println!("  own votes 0.1/1/10/50 %: {votes:?}");
        if !self.scores.is_empty() {
            let scores = [0.0, 0.001, 0.01, 0.1, 0.5].map(|s| self.scores[at(s, self.scores.len())]);
            println!("  own scores least/0.1/1/10/50 %: {scores:.1?}");
        }
    }
}
