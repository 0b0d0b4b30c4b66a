#![allow(dead_code, reason = "each example uses its part")]

/// Prints error rates at fixed false match rates and the spread of both kinds of scores.
pub fn print(mut genuine: Vec<f32>, mut impostor: Vec<f32>) {
    genuine.sort_by(f32::total_cmp);
    impostor.sort_by(|a, b| b.total_cmp(a));
    println!("{} genuine and {} impostor pairs", genuine.len(), impostor.len());
    let below = |t: f32| genuine.partition_point(|&s| s <= t) as f64 / genuine.len() as f64;
    for fmr in [1e-2, 1e-3, 1e-4] {
        let threshold = impostor[(impostor.len() as f64 * fmr) as usize];
        println!("FMR {fmr:.0e}: threshold {threshold:.2}, FNMR {:.2} %", 100.0 * below(threshold));
    }
    let eer = impostor.iter().enumerate().find(|&(k, &t)| k as f64 / impostor.len() as f64 >= below(t));
    if let Some((k, _)) = eer {
        println!("EER {:.2} %", 100.0 * k as f64 / impostor.len() as f64);
    }
    let percentiles = |v: &[f32]| [0.01, 0.1, 0.5, 0.9, 0.99].map(|p| v[(v.len() as f64 * p) as usize]);
    println!("genuine  1/10/50/90/99 %: {:.1?}", percentiles(&genuine));
    let fused = fuse_strangers(&impostor);
    println!(
        "strangers of ten fingers, a million drawn: 99.9 % below {:.2}, 99.99 % {:.2}, 99.999 % {:.2}, \
         greatest {:.2}",
        fused[999_000], fused[999_900], fused[999_990], fused[999_999]
    );
    let mean = impostor.iter().sum::<f32>() / impostor.len() as f32;
    println!("impostor mean {mean:.2}, greatest of ten about {:.2}", impostor[impostor.len() * 7 / 100]);
    impostor.reverse();
    println!("impostor 1/10/50/90/99 %: {:.1?}", percentiles(&impostor));
}

/// A million pairs of strangers, each of ten impostor scores drawn at random (a linear congruential generator
/// with Knuth's MMIX constants), fused as `compare_person` does; sorted.
fn fuse_strangers(impostor: &[f32]) -> Vec<f32> {
    use fingerprint::params::{IMPOSTOR_MEAN, MAX_FINGER_EVIDENCE};
    let mut state = 1u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let score = impostor[(state >> 33) as usize % impostor.len()];
        (score - IMPOSTOR_MEAN).min(MAX_FINGER_EVIDENCE)
    };
    let mut fused: Vec<f32> =
        (0..1_000_000).map(|_| (0..10).map(|_| draw()).sum::<f32>() / 10f32.sqrt()).collect();
    fused.sort_by(f32::total_cmp);
    fused
}

/// Processor time of this thread, so that a busy machine does not spoil the figures (Linux; elsewhere the
/// figures are zero).
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}
