//! Accuracy and speed of 1:1 comparison on real templates, by the protocol of the FVC campaigns.
//!
//! `FVC_TEMPLATES=folder cargo run --release -p fingerprint --example fvc`, where the folder holds
//! `DB<n>/<finger>_<impression>.iso`. Prints a message and stops when the variable is not set.

use fingerprint::{Prepared, compare, parse};

mod report;

fn main() {
    let Some(folder) = std::env::var_os("FVC_TEMPLATES") else {
        println!("FVC_TEMPLATES is not set: nothing to measure");
        return;
    };
    let mut fingers: Vec<(String, Prepared)> = Vec::new();
    for db in 1..=4 {
        let mut paths: Vec<_> = std::fs::read_dir(std::path::Path::new(&folder).join(format!("DB{db}")))
            .expect("a folder per database")
            .map(|entry| entry.expect("a readable folder").path())
            .collect();
        paths.sort();
        for path in paths {
            let name = path.file_stem().expect("a file name").to_string_lossy().into_owned();
            let finger = name.split('_').next().expect("finger_impression").to_owned();
            let views = parse(&std::fs::read(&path).expect("a readable file")).expect("a valid record");
            fingers.push((format!("{db}/{finger}"), Prepared::new(&views[0])));
        }
    }
    let mean = fingers.iter().map(|(_, p)| p.len()).sum::<usize>() as f32 / fingers.len() as f32;
    println!("{mean:.1} minutiae per impression");
    let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
    let start = report::cpu_seconds();
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
