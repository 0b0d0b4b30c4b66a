//! How long each kind of act took, and what went wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Error texts that are kept, each with how often it came.
const MOST_TEXTS: usize = 10;

/// What one phase of the measurement gave.
#[derive(Debug, Default)]
pub struct Figures {
    /// Microseconds, by the code of the act.
    took: BTreeMap<&'static str, Vec<u32>>,
    /// How often something failed, by act and reason.
    failed: BTreeMap<String, u64>,
}

impl Figures {
    pub(crate) fn add(&mut self, act: &'static str, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.took.entry(act).or_default().push(micros);
    }

    pub(crate) fn fail(&mut self, act: &'static str, error: &anyhow::Error) {
        let text = format!("{act}: {error:#}");
        let known = self.failed.contains_key(&text) || self.failed.len() < MOST_TEXTS;
        let text = if known { text } else { format!("{act}: other reasons") };
        *self.failed.entry(text).or_default() += 1;
    }

    pub(crate) fn join(&mut self, other: Figures) {
        for (act, took) in other.took {
            self.took.entry(act).or_default().extend(took);
        }
        for (text, times) in other.failed {
            *self.failed.entry(text).or_default() += times;
        }
    }

    pub(crate) fn acts(&self) -> usize {
        self.took.values().map(Vec::len).sum()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Of all acts, and of each kind; `seconds` is how long was counted.
    pub fn report(&self, seconds: f64) -> Map<String, Value> {
        let all: Vec<u32> = self.took.values().flatten().copied().collect();
        let mut report = quantiles(all);
        report.insert("acts".to_owned(), json!(self.acts()));
        report.insert("acts_per_s".to_owned(), json!(tenths(self.acts() as f64 / seconds)));
        report.insert("seconds".to_owned(), json!(tenths(seconds)));
        report.insert("errors".to_owned(), json!(self.errors()));
        let kind = |(act, took): (&&str, &Vec<u32>)| {
            let mut line = quantiles(took.clone());
            line.insert("acts".to_owned(), json!(took.len()));
            ((*act).to_owned(), Value::Object(line))
        };
        report.insert("kinds".to_owned(), Value::Object(self.took.iter().map(kind).collect()));
        if !self.failed.is_empty() {
            report.insert("failed".to_owned(), json!(self.failed));
        }
        report
    }
}

/// Median and 99th percentile in milliseconds.
fn quantiles(mut micros: Vec<u32>) -> Map<String, Value> {
    micros.sort_unstable();
    let at = |per_cent: usize| {
        // The nearest rank: of 100 values the 99th percentile is the 99th.
        let rank = (micros.len() * per_cent).div_ceil(100).max(1) - 1;
        micros.get(rank).map_or(Value::Null, |micros| json!(f64::from(*micros / 10) / 100.0))
    };
    [("p50_ms".to_owned(), at(50)), ("p99_ms".to_owned(), at(99))].into_iter().collect()
}

pub(crate) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank_and_joined_parts_count_together() {
        let (mut one, mut other) = (Figures::default(), Figures::default());
        for ms in 1..=50 {
            one.add("search", Duration::from_millis(ms));
            other.add("search", Duration::from_millis(50 + ms));
        }
        other.add("open", Duration::from_micros(1_230));
        other.fail("open", &anyhow::anyhow!("late"));
        one.join(other);
        let report = one.report(10.0);
        assert_eq!(report["kinds"]["search"]["p50_ms"], 50.0);
        assert_eq!(report["kinds"]["search"]["p99_ms"], 99.0);
        assert_eq!(report["kinds"]["open"]["p99_ms"], 1.23);
        assert_eq!((report["acts"].as_u64(), report["errors"].as_u64()), (Some(101), Some(1)));
        assert_eq!(report["acts_per_s"], 10.1);
        assert_eq!(report["failed"]["open: late"], 1);
        assert!(Figures::default().report(1.0)["p99_ms"].is_null());
    }

    #[test]
    fn reasons_are_bounded_and_every_error_counts() {
        let mut figures = Figures::default();
        for n in 0..100 {
            figures.fail("open", &anyhow::anyhow!("reason {n}"));
        }
        assert_eq!(figures.errors(), 100);
        assert!(figures.failed.len() <= MOST_TEXTS + 1);
    }
}
