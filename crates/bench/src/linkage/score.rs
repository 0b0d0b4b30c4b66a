//! How right an engine's pairs and clusters are.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::measure::Usage;
use super::row_of;

/// Precision, recall and F1 of pairs: at probability 0.95, and at the threshold where F1 is best. `people`
/// gives the person of each row.
pub fn score(usage: &Usage, pairs: &Path, clusters: &Path, people: &[u64]) -> Result<Value> {
    let total = pairs_within(people.iter().copied());
    let mut found = read_pairs(pairs, people)?;
    // Of equal weights none may come first because it is right.
    found.sort_by(|x, y| y.0.total_cmp(&x.0));
    let (mut right, mut at, mut best) = (0u64, Value::Null, (0.0, Value::Null));
    for (place, (weight, probability, is_right)) in found.iter().enumerate() {
        right += u64::from(*is_right);
        let is_last_of_weight = found.get(place + 1).is_none_or(|next| next.0 < *weight);
        if !is_last_of_weight {
            continue;
        }
        let (precision, recall) = (right as f64 / (place + 1) as f64, right as f64 / total as f64);
        let f1 = 2.0 * right as f64 / ((place + 1) as f64 + total as f64);
        let figures =
            json!({ "f1": f1, "precision": precision, "recall": recall, "probability": probability });
        if *probability >= 0.95 {
            at = figures.clone();
        }
        if f1 > best.0 {
            best = (f1, figures);
        }
    }
    Ok(json!({
        "wall_s": usage.wall_s, "cpu_s": usage.cpu_s, "peak_mb": usage.peak_mb, "true_pairs": total,
        "at_0.95": at, "best": best.1, "cluster_f1": cluster_f1(clusters, people, total)?,
    }))
}

fn pairs_within(groups: impl Iterator<Item = u64>) -> u64 {
    let mut sizes: HashMap<u64, u64> = HashMap::new();
    groups.for_each(|group| *sizes.entry(group).or_default() += 1);
    sizes.values().map(|size| size * (size - 1) / 2).sum()
}

/// Weight, probability, and whether both records are of one person.
fn read_pairs(path: &Path, people: &[u64]) -> Result<Vec<(f64, f64, bool)>> {
    let mut found = Vec::new();
    for record in csv::Reader::from_path(path)?.into_records() {
        let record = record?;
        let person = |at: usize| record.get(at).and_then(row_of).and_then(|row| people.get(row));
        let number = |at: usize| record.get(at).and_then(|text| text.parse::<f64>().ok());
        let pair = || Some((number(2)?, number(3)?, person(0)? == person(1)?));
        found.push(pair().with_context(|| format!("{} holds a line that is no pair", path.display()))?);
    }
    Ok(found)
}

/// F1 of the pairs that share a cluster.
fn cluster_f1(path: &Path, people: &[u64], total: u64) -> Result<f64> {
    let mut clusters: HashMap<String, Vec<u64>> = HashMap::new();
    for record in csv::Reader::from_path(path)?.into_records() {
        let record = record?;
        let person = record.get(0).and_then(row_of).and_then(|row| people.get(row));
        let person = person.with_context(|| format!("{} holds an unknown record", path.display()))?;
        clusters.entry(record.get(1).unwrap_or_default().to_owned()).or_default().push(*person);
    }
    let (mut stated, mut right) = (0, 0);
    for members in clusters.values().filter(|members| members.len() > 1) {
        let size = members.len() as u64;
        stated += size * (size - 1) / 2;
        right += pairs_within(members.iter().copied());
    }
    Ok(2.0 * right as f64 / (stated + total) as f64)
}
