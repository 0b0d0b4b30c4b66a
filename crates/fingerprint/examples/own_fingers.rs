//! What the fingers of one person are to each other, on synthetic people: how good they are, how alike two
//! different ones come out, how alike one finger taken twice, and what the 45 comparisons cost.
//!
//! `cargo run --release -p fingerprint --example own_fingers -- [people] [seed]`

use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{Prepared, Probe, Template, compare, quality};

#[path = "fvc/report.rs"]
mod report;

const SCORES: [f32; 8] = [8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 24.0];
const QUALITIES: [u8; 6] = [20, 30, 35, 40, 50, 60];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("a whole number"));
    let people = arguments.next().unwrap_or(2_000);
    let seed = arguments.next().unwrap_or(1) << 40;
    for (name, condition) in
        [("station", Condition::Station), ("unguided", Condition::Unguided), ("bad", Condition::Bad)]
    {
        println!("{name}, {people} people");
        measure(people, seed, condition);
    }
}

fn capture(seed: u64, occasion: u64, condition: Condition) -> Vec<Template> {
    person_masters(seed).iter().map(|master| master.impression(seed ^ (occasion << 20), condition)).collect()
}

fn measure(people: u64, seed: u64, condition: Condition) {
    let (mut counts, mut qualities) = (Vec::new(), Vec::new());
    let mut few = [0u64; QUALITIES.len()];
    let (mut different, mut alike) = ([0u64; SCORES.len()], [0u64; SCORES.len()]);
    let (mut same, mut greatest) = ([0u64; SCORES.len()], 0.0f32);
    let (mut searching, mut comparing) = (0.0, 0.0);
    for person in 0..people {
        let first = capture(seed + person, 1, condition);
        let second = capture(seed + person, 2, condition);
        counts.extend(first.iter().map(|template| template.minutiae().len()));
        let own: Vec<u8> = first.iter().map(quality).collect();
        for (few, least) in few.iter_mut().zip(QUALITIES) {
            *few += u64::from(own.iter().filter(|quality| **quality >= least).count() < 4);
        }
        qualities.extend(own);
        let start = report::cpu_seconds();
        std::hint::black_box(Probe::new(&first));
        let middle = report::cpu_seconds();
        let prepared: Vec<Prepared> = first.iter().map(Prepared::new).collect();
        let mut scores = Vec::with_capacity(45);
        for (at, one) in prepared.iter().enumerate() {
            scores.extend(prepared[at + 1..].iter().map(|other| compare(one, other).score));
        }
        searching += middle - start;
        comparing += report::cpu_seconds() - middle;
        greatest = scores.iter().copied().fold(greatest, f32::max);
        for (at, least) in SCORES.into_iter().enumerate() {
            different[at] += scores.iter().filter(|score| **score >= least).count() as u64;
            alike[at] += u64::from(scores.iter().any(|score| *score >= least));
        }
        for (one, again) in prepared.iter().zip(&second) {
            let score = compare(one, &Prepared::new(again)).score;
            for (same, least) in same.iter_mut().zip(SCORES) {
                *same += u64::from(score >= least);
            }
        }
    }
    counts.sort_unstable();
    qualities.sort_unstable();
    let at = |share: usize| counts.len() * share / 1_000;
    println!(
        "  minutiae: least {}, 1 in 1,000 {}, 1 % {}, half {}",
        counts[0],
        counts[at(1)],
        counts[at(10)],
        counts[at(500)]
    );
    println!(
        "  quality: least {}, 1 in 1,000 {}, 1 % {}, half {}",
        qualities[0],
        qualities[at(1)],
        qualities[at(10)],
        qualities[at(500)]
    );
    for (few, least) in few.iter().zip(QUALITIES) {
        println!("  fewer than 4 fingers of quality {least}: {few} people");
    }
    println!("  two different fingers: at most {greatest:.1}");
    for (at, least) in SCORES.into_iter().enumerate() {
        println!(
            "  from {least}: {} pairs of different fingers, {} people with one, {:.2} % of one finger twice",
            different[at],
            alike[at],
            same[at] as f64 * 10.0 / people as f64
        );
    }
    let ms = |seconds: f64| seconds * 1_000.0 / people as f64;
    println!(
        "  ready to search {:.3} ms, prepared and compared 45 times {:.3} ms",
        ms(searching),
        ms(comparing)
    );
}
