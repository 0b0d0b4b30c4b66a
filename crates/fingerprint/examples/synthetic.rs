//! Scores and speed on synthetic fingers, in the format of the `fvc` example, to see whether they are about
//! as hard as real ones.
//!
//! `cargo run --release -p fingerprint --example synthetic`

use std::hint::black_box;

use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{Prepared, compare};

#[path = "fvc/report.rs"]
mod report;

fn main() {
    let start = report::cpu_seconds();
    for seed in 0..500 {
        for master in person_masters(seed) {
            black_box(master.impression(seed, Condition::Unguided));
        }
    }
    println!("{:.3} ms for ten masters with an impression each", (report::cpu_seconds() - start) * 2.0);

    // The shape of the FVC data: 40 fingers, 8 impressions of each.
    let mut fingers: Vec<(u64, Prepared)> = Vec::new();
    for seed in 1000..1040u64 {
        let master = &person_masters(seed)[(seed % 10) as usize];
        let impressions =
            (0..8).map(|n| Prepared::new(&master.impression(seed * 8 + n, Condition::Unguided)));
        fingers.extend(impressions.map(|prepared| (seed, prepared)));
    }
    let mean = fingers.iter().map(|(_, p)| p.len()).sum::<usize>() as f32 / fingers.len() as f32;
    println!("{mean:.1} minutiae per impression");
    let start = report::cpu_seconds();
    let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
    for (i, (finger, a)) in fingers.iter().enumerate() {
        for (other, b) in &fingers[i + 1..] {
            let score = compare(a, b).score;
            if finger == other { genuine.push(score) } else { impostor.push(score) }
        }
    }
    let per_second = (genuine.len() + impostor.len()) as f64 / (report::cpu_seconds() - start);
    report::print(genuine, impostor);
    println!("{per_second:.0} comparisons/s on one core");
}
