//! Compares all `*.iso` files of a folder with bozorth3, both ways round as its score depends on the order.
//!
//! Build it with `cargo build --release --manifest-path crates/bench/benches/bozorth3/Cargo.toml`, and give
//! the program to `dancu bench fingerprint --bozorth3`. Prints `a,b,score` with the files' numbers in order,
//! then `comparisons,seconds`.

use nbis::load_iso_19794_2_2005;

fn main() {
    let folder = std::env::args().nth(1).expect("the folder of templates");
    let entries = std::fs::read_dir(&folder).expect("a readable folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let load =
        |path| load_iso_19794_2_2005(&std::fs::read(path).expect("a readable file")).expect("a template");
    let prints: Vec<_> = paths.iter().map(load).collect();
    let begun = cpu_seconds();
    let mut scores = Vec::new();
    for (i, a) in prints.iter().enumerate() {
        for (j, b) in prints[..i].iter().enumerate() {
            scores.push((j, i, b.compare(a).max(a.compare(b))));
        }
    }
    let seconds = cpu_seconds() - begun;
    for (a, b, score) in &scores {
        println!("{a},{b},{score}");
    }
    println!("{},{seconds}", 2 * scores.len());
}

/// Processor time of this thread (Linux).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}
