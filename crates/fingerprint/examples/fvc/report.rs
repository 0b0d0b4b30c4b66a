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
    impostor.reverse();
    println!("impostor 1/10/50/90/99 %: {:.1?}", percentiles(&impostor));
}

/// Processor time of this thread, so that a busy machine does not spoil the figures (Linux; elsewhere the figures are zero).
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}
