//! The evidence of a resolution or a case, for a human eye: the waterfall of weights, the fingerprint hits, and the rest
//! as it stands. What is stored outlives the program that wrote it, so that an unknown part is left out and never an
//! error.

use serde_json::Value;
use uuid::Uuid;

use ui::chart::balance;
use ui::i18n::Lang;

/// One step of the waterfall.
pub(crate) struct WeightLine {
    pub field: String,
    pub level: String,
    pub weight: String,
    pub bar: String,
}

/// Evidence in words.
#[derive(Default)]
pub(crate) struct Shown {
    pub weights: Vec<WeightLine>,
    /// Codes and numbers: fingerprint scores, thresholds, the model's version.
    pub rest: Vec<(String, String)>,
}

const MOST: usize = 40;

pub(crate) fn show(lang: Lang, evidence: &Value) -> Shown {
    let Some(object) = evidence.as_object() else { return Shown::default() };
    let steps = ["waterfall", "weights", "explanation"].iter().find_map(|key| steps_of(object.get(*key)?));
    let steps = steps.or_else(|| steps_of(object.get("linkage")?.get("waterfall")?)).unwrap_or_default();
    let full = steps.iter().map(|(_, _, weight)| weight.abs()).fold(0.0, f64::max);
    let weights = steps
        .into_iter()
        .take(MOST)
        .map(|(field, level, weight)| WeightLine {
            field: known(lang, "weight", &field),
            level: known(lang, "level", &level),
            weight: decimal(lang, weight),
            bar: balance(weight, full),
        })
        .collect();
    let mut rest = Vec::new();
    for (key, value) in object {
        flatten(lang, key, value, &mut rest);
    }
    rest.truncate(MOST);
    Shown { weights, rest }
}

/// The register's people that were in question, as (person, weight), the likeliest first.
pub(crate) fn candidates(evidence: &Value) -> Vec<(Uuid, f64)> {
    let listed = evidence.pointer("/linkage/candidates").and_then(Value::as_array);
    let one =
        |value: &Value| Some((value.get("person")?.as_str()?.parse().ok()?, value.get("weight")?.as_f64()?));
    listed.map(|listed| listed.iter().filter_map(one).collect()).unwrap_or_default()
}

/// An array of `{field, level, weight}`, or of such triples.
fn steps_of(value: &Value) -> Option<Vec<(String, String, f64)>> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
    value
        .as_array()?
        .iter()
        .map(|step| match step {
            Value::Object(step) => {
                Some((text(step.get("field")), text(step.get("level")), step.get("weight")?.as_f64()?))
            }
            Value::Array(step) => Some((text(step.first()), text(step.get(1)), step.get(2)?.as_f64()?)),
            _ => None,
        })
        .collect()
}

/// Scalars and lists of scalars, two levels deep; ids and texts that may be personal stay out.
fn flatten(lang: Lang, key: &str, value: &Value, out: &mut Vec<(String, String)>) {
    if matches!(key, "waterfall" | "weights" | "explanation" | "candidates") {
        return;
    }
    match value {
        // Fingerprints that met: how many, and the best score; whose they are is in the case.
        Value::Array(hits) if key == "hits" => {
            out.push((known(lang, "evidence", key), ui::format::count(lang, hits.len() as i64)));
            let best = hits
                .iter()
                .filter_map(|hit| hit.get("score")?.as_f64())
                .fold(None, |best: Option<f64>, score| Some(best.map_or(score, |best| best.max(score))));
            out.extend(best.map(|best| (known(lang, "evidence", "best_score"), plain(lang, best))));
        }
        Value::Number(number) => {
            let shown = number.as_i64().map_or_else(
                || plain(lang, number.as_f64().unwrap_or(0.0)),
                |whole| ui::format::count(lang, whole),
            );
            out.push((known(lang, "evidence", key), shown));
        }
        Value::Bool(value) => {
            out.push((known(lang, "evidence", key), lang.text(if *value { "yes" } else { "no" }).to_owned()));
        }
        // A version is a name, not words.
        Value::String(text) if matches!(key, "version" | "model") && text.len() <= 24 && text.is_ascii() => {
            out.push((known(lang, "evidence", key), text.clone()));
        }
        Value::String(text) if text.len() <= 24 && text.is_ascii() => {
            out.push((known(lang, "evidence", key), known(lang, "level", text)));
        }
        Value::Object(inner) => {
            for (key, value) in inner.iter().filter(|(_, value)| !value.is_object()) {
                flatten(lang, key, value, out);
            }
        }
        _ => {}
    }
}

/// The text of a code, or the code itself in plain words.
fn known(lang: Lang, prefix: &str, code: &str) -> String {
    // Both parents are compared as one: `same/missing`.
    if let Some((father, mother)) = code.split_once('/') {
        return format!("{} / {}", known(lang, prefix, father), known(lang, prefix, mother));
    }
    match lang.find(&format!("{prefix}.{code}")) {
        Some(text) => text.to_owned(),
        None => code.replace(['_', '-'], " "),
    }
}

/// A weight with its sign and one decimal.
pub(crate) fn decimal(lang: Lang, weight: f64) -> String {
    let sign = if weight > 0.0 { "+" } else { "" };
    format!("{sign}{}", plain(lang, weight))
}

/// A number with one decimal.
fn plain(lang: Lang, number: f64) -> String {
    let text = format!("{number:.1}").replace('-', "−");
    if lang == Lang::Vi { text.replace('.', ",") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_waterfall_is_read_and_the_rest_kept() {
        let evidence = json!({
            "waterfall": [{"field": "prior", "level": "", "weight": -14.2}, {"field": "name", "level": "exact", "weight": 18.0}],
            "fingerprint": {"hits": 0, "threshold": 40.5, "nested": {"x": 1}},
            "model": "2026-11",
        });
        let shown = show(Lang::Vi, &evidence);
        assert_eq!(shown.weights.len(), 2);
        assert_eq!(shown.weights[0].weight, "−14,2");
        assert_eq!(shown.rest.len(), 3);
        assert!(shown.rest.iter().any(|(_, value)| value == "2026-11"), "{:?}", shown.rest);
    }

    #[test]
    fn candidates_and_hits_are_read_from_what_resolution_writes() {
        let evidence = json!({
            "linkage": {"waterfall": [["prior", "", -14.3], ["name", "exact", 9.0]], "link": 20.0,
                        "candidates": [{"person": Uuid::from_u128(7), "weight": 21.5}]},
            "fingerprint": {"fingers": 10, "threshold": 40.0, "hits": [{"application": Uuid::from_u128(8), "score": 55.5}]},
        });
        assert_eq!(candidates(&evidence), [(Uuid::from_u128(7), 21.5)]);
        let shown = show(Lang::En, &evidence);
        assert_eq!(shown.weights.len(), 2);
        assert!(shown.rest.iter().any(|(_, value)| value == "55.5"), "{:?}", shown.rest);
    }

    #[test]
    fn every_fact_that_resolution_writes_has_a_name() {
        let evidence = json!({
            "linkage": {"version": "2026-11", "link": 12.0, "lead": 8.0, "review": -6.0, "merge": 12.0, "weight": 3.3,
                        "prior": -18.9},
            "fingerprint": {"fingers": 10, "threshold": 15.0, "hits": []},
            "claim": "none",
        });
        for lang in [Lang::Vi, Lang::En] {
            let shown = show(lang, &evidence).rest;
            assert_eq!(shown.len(), 11);
            for (label, _) in shown {
                assert!(label.starts_with(char::is_uppercase), "{label} is a code");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_not_an_error() {
        for evidence in
            [json!(null), json!([1, 2]), json!({"waterfall": "x"}), json!({"waterfall": [{"field": 1}]})]
        {
            assert!(show(Lang::En, &evidence).weights.is_empty());
        }
    }
}
