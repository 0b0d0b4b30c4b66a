//! Error rates of 1:1 comparison, on real prints by the protocol of the FVC campaigns and on synthetic ones.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Print, bozorth, cpu_seconds, print, rounded};
use fingerprint::synthetic::{Condition, person_masters};
use fingerprint::{Prepared, compare, parse};

/// The folders of `folder`, one for each extractor, in the order of their names.
pub fn extractors(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Every impression below `DB1` to `DB4`.
pub fn real(folder: &Path) -> Result<Vec<Print>> {
    let mut prints = Vec::new();
    for database in 1..=4 {
        let folder = folder.join(format!("DB{database}"));
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        paths.sort_unstable();
        for path in paths {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let finger = name.split('_').next().and_then(|finger| finger.parse().ok());
            let finger =
                finger.with_context(|| format!("{} is not <finger>_<impression>.iso", path.display()))?;
            let views = parse(&std::fs::read(&path)?).with_context(|| format!("{}", path.display()))?;
            let template =
                views.into_iter().next().with_context(|| format!("{} is empty", path.display()))?;
            prints.push(Print { finger: (database, finger), template });
        }
    }
    Ok(prints)
}

/// As many fingers and impressions as the real ones have, taken without guidance; numbered 101 to 110 four
/// times.
pub fn synthetic() -> Vec<Print> {
    let mut prints = Vec::new();
    for seed in 1000..1040u64 {
        let master = &person_masters(seed)[(seed % 10) as usize];
        let finger = ((seed % 4) as u32 + 1, 101 + ((seed - 1000) / 4) as u32);
        prints.extend(
            (0..8).map(|n| Print { finger, template: master.impression(seed * 8 + n, Condition::Unguided) }),
        );
    }
    prints
}

/// Every pair once: the scores are the same both ways.
pub fn measure(name: &str, prints: &[Print], bozorth3: Option<&Path>) -> Result<Value> {
    let begun = cpu_seconds();
    let prepared: Vec<Prepared> = prints.iter().map(|print| Prepared::new(&print.template)).collect();
    let preparing = (cpu_seconds() - begun) / prints.len().max(1) as f64;
    let mut scores = Vec::new();
    let begun = cpu_seconds();
    for (i, a) in prepared.iter().enumerate() {
        for (j, b) in prepared[..i].iter().enumerate() {
            scores.push((j, i, compare(b, a).score));
        }
    }
    let rate = scores.len() as f64 / (cpu_seconds() - begun);
    let ours = json!({
        "comparisons_per_cpu_second": rate.round(), "prepare_us": rounded(preparing * 1e6, 1),
        "error_rates": error_rates(prints, &scores), "histogram": histograms(prints, &scores),
    });
    let mut report = json!({ "prints": name, "impressions": prints.len(), "dancu": ours });
    if let Some(program) = bozorth3 {
        let (scores, rate) = bozorth::measure(program, prints)?;
        report["bozorth3"] = json!({
            "comparisons_per_cpu_second": rate.round(), "error_rates": error_rates(prints, &scores),
        });
    }
    print(&report);
    Ok(report)
}

/// Of the fingers that parameters are chosen on, of the others, and of all.
fn error_rates(prints: &[Print], scores: &[(usize, usize, f32)]) -> Value {
    let of = |low: u32, high: u32| {
        let within = |index: usize| (low..=high).contains(&prints[index].finger.1);
        let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
        for &(a, b, score) in scores.iter().filter(|&&(a, b, _)| within(a) && within(b)) {
            if prints[a].finger == prints[b].finger { genuine.push(score) } else { impostor.push(score) }
        }
        rates(genuine, impostor)
    };
    json!({ "101-105": of(101, 105), "106-110": of(106, 110), "all": of(0, u32::MAX) })
}

/// Shares in percent. At a false match rate the threshold is the score that so many impostor pairs exceed.
fn rates(mut genuine: Vec<f32>, mut impostor: Vec<f32>) -> Value {
    genuine.sort_unstable_by(f32::total_cmp);
    impostor.sort_unstable_by(|a, b| b.total_cmp(a));
    if genuine.is_empty() || impostor.is_empty() {
        return Value::Null;
    }
    let missed = |threshold: f32| genuine.partition_point(|&s| s <= threshold) as f64 / genuine.len() as f64;
    let at = |rate: f64| {
        let threshold = impostor[(impostor.len() as f64 * rate) as usize];
        let fnmr_percent = rounded(100.0 * missed(threshold), 2);
        json!({ "threshold": rounded(threshold.into(), 2), "fnmr_percent": fnmr_percent })
    };
    let share = |index: usize| index as f64 / impostor.len() as f64;
    let equal = impostor.iter().enumerate().find(|&(index, &threshold)| share(index) >= missed(threshold));
    let equal = equal.map_or(100.0, |(index, _)| 100.0 * share(index));
    json!({
        "genuine_pairs": genuine.len(), "impostor_pairs": impostor.len(), "eer_percent": rounded(equal, 2),
        "fmr_1e-3": at(1e-3), "fmr_1e-4": at(1e-4),
    })
}

/// Percent of genuine and of impostor pairs in steps of two, the last for 40 and more.
fn histograms(prints: &[Print], scores: &[(usize, usize, f32)]) -> Value {
    const BINS: usize = 21;
    let mut counts = [[0u32; BINS]; 2];
    for &(a, b, score) in scores {
        let impostor = usize::from(prints[a].finger != prints[b].finger);
        counts[impostor][((score / 2.0) as usize).min(BINS - 1)] += 1;
    }
    let [genuine, impostor] = counts.map(|counts| {
        let all: u32 = counts.iter().sum();
        counts.map(|count| rounded(100.0 * f64::from(count) / f64::from(all.max(1)), 2)).to_vec()
    });
    json!({ "step": 2, "genuine_percent": genuine, "impostor_percent": impostor })
}
