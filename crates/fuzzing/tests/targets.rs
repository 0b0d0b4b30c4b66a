//! The targets without a fuzzer: their seeds are accepted, and a few thousand damaged ones break nothing.

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Damaged inputs for each target; `DANCU_DAMAGED` in the environment asks for more.
const DAMAGED: u64 = 300;

#[test]
fn every_seed_is_accepted_and_no_damage_breaks_a_parser() {
    let damaged =
        std::env::var("DANCU_DAMAGED").ok().and_then(|number| number.parse().ok()).unwrap_or(DAMAGED);
    for target in fuzzing::TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seed", target.name);
        for (number, seed) in seeds.iter().enumerate() {
            assert!((target.run)(seed), "{}: seed {number} is refused", target.name);
        }
        (target.run)(&[]);
        for number in 0..damaged {
            let mut rng = ChaCha20Rng::seed_from_u64(number);
            let mut data = seeds[rng.random_range(0..seeds.len())].clone();
            (0..rng.random_range(1..4)).for_each(|_| damage(&mut data, &mut rng));
            let told = Told { target: target.name, number };
            (target.run)(&data);
            drop(told);
        }
    }
}

/// Says which damage it was when a target panics.
struct Told {
    target: &'static str,
    number: u64,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("broken by damage {} of a seed of {}", self.number, self.target);
        }
    }
}

fn damage(data: &mut Vec<u8>, rng: &mut ChaCha20Rng) {
    if data.is_empty() {
        return;
    }
    let at = rng.random_range(0..data.len());
    match rng.random_range(0..5) {
        0 => data[at] ^= 1 << rng.random_range(0..8),
        1 => data[at] = [0, 1, 0x7f, 0x80, 0xff][rng.random_range(0..5)],
        2 => data.truncate(at),
        3 => data.insert(at, rng.random()),
        _ => {
            let end = rng.random_range(at..data.len());
            let part = data[at..end].to_vec();
            data.splice(at..at, part);
        }
    }
}

#[test]
fn every_target_has_its_file_and_nothing_else_has() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let read = |path: &str| std::fs::read_to_string(fuzz.join(path)).unwrap_or_default();
    let manifest = read("Cargo.toml");
    for target in fuzzing::TARGETS {
        let name = target.name;
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} has no [[bin]] in fuzz/Cargo.toml");
        let source = read(&format!("fuzz_targets/{name}.rs"));
        assert!(source.contains(&format!("fuzzing::run(\"{name}\", data)")), "fuzz_targets/{name}.rs");
    }
    let files = std::fs::read_dir(fuzz.join("fuzz_targets")).expect("the folder of the targets").count();
    assert_eq!(files, fuzzing::TARGETS.len());
}
