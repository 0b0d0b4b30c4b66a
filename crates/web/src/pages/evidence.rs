//! The evidence of a resolution or a case, for a human eye: the waterfall of weights, the fingerprint hits,
//! and the thresholds. What is stored outlives the program that wrote it, so that a part that is not
//! understood is left out and never an error.

use serde_json::Value;
use time::Date;
use time::macros::format_description;

use crate::pages::actor::Actors;
use domain::Actor;
use resolve::evidence::{Absent, Alike, Fingerprints, Linkage, OfficerFound, Post, Stored, Weight};
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

/// Evidence as it is stored, in words.
pub(crate) fn show(lang: Lang, evidence: &Value) -> Shown {
    in_words(lang, &Stored::read(evidence))
}

/// Evidence in words. Who was in question, and whose fingers met, is told elsewhere.
pub(crate) fn in_words(lang: Lang, evidence: &Stored) -> Shown {
    let mut shown = Shown::default();
    if let Some(linkage) = &evidence.linkage {
        shown.weights = weights(lang, linkage.waterfall.as_deref().unwrap_or_default());
        shown.rest.extend(numbers(lang, linkage));
    }
    shown.rest.extend(evidence.fingerprint.iter().flat_map(|found| fingers(lang, found)));
    shown.rest.extend(evidence.claim.iter().map(|claim| (name(lang, "claim"), known(lang, "level", claim))));
    shown
        .rest
        .extend(evidence.doubt.iter().map(|doubt| (name(lang, "doubt"), known(lang, "case.kind", doubt))));
    shown.rest.extend(evidence.post.iter().flat_map(|post| on_post(lang, post)));
    shown
}

fn weights(lang: Lang, steps: &[Weight]) -> Vec<WeightLine> {
    let full = steps.iter().map(|Weight(_, _, weight)| weight.abs()).fold(0.0, f64::max);
    let line = |Weight(field, level, weight): &Weight| WeightLine {
        field: known(lang, "weight", field),
        level: known(lang, "level", level),
        weight: decimal(lang, *weight),
        bar: balance(*weight, full),
    };
    steps.iter().map(line).collect()
}

fn numbers(lang: Lang, linkage: &Linkage) -> Vec<(String, String)> {
    let Linkage { version, weight, link, lead, merge, review, waterfall: _, candidates: _ } = linkage;
    let numbers = [("weight", weight), ("link", link), ("lead", lead), ("merge", merge), ("review", review)];
    let mut lines: Vec<(String, String)> = numbers
        .into_iter()
        .filter_map(|(key, number)| Some((name(lang, key), plain(lang, (*number)?))))
        .collect();
    if !version.is_empty() {
        lines.push((name(lang, "version"), version.clone()));
    }
    lines
}

fn on_post(lang: Lang, post: &Post) -> Vec<(String, String)> {
    let mut lines = vec![(name(lang, "seat"), known(lang, "seat", &post.seat))];
    lines.extend(post.astray.iter().map(|astray| (name(lang, "astray"), known(lang, "case.kind", astray))));
    if let Some(shift) = &post.shift {
        let day = Date::parse(&shift.day, format_description!("[year]-[month]-[day]"));
        let day = day.map_or_else(|_| shift.day.clone(), ui::format::date);
        let count = |number: u32| ui::format::count(lang, i64::from(number));
        lines.push((name(lang, "shift"), format!("{day}, {}", count(shift.number.unsigned_abs().into()))));
        lines.push((name(lang, "held"), format!("{} / {}", count(shift.held), count(shift.seats))));
    }
    lines
}

fn fingers(lang: Lang, found: &Fingerprints) -> Vec<(String, String)> {
    let count = |number: usize| ui::format::count(lang, i64::try_from(number).unwrap_or(i64::MAX));
    let mut lines = vec![
        (name(lang, "fingers"), count(found.fingers)),
        (name(lang, "threshold"), plain(lang, found.threshold)),
        (name(lang, "hits"), count(found.hits.len())),
    ];
    let best = found.hits.iter().map(|hit| hit.score).max_by(f64::total_cmp);
    lines.extend(best.map(|best| (name(lang, "best_score"), plain(lang, best))));
    lines.extend(found.usable.map(|usable| (name(lang, "usable"), count(usable))));
    lines.extend(found.fault.iter().map(|fault| (name(lang, "fault"), known(lang, "case.kind", fault))));
    let finger = |position: u8| known(lang, "finger", &position.to_string());
    let absent =
        |absent: &Absent| format!("{}: {}", finger(absent.position), known(lang, "absent", &absent.reason));
    let absent: Vec<String> = found.absent.iter().map(absent).collect();
    if !absent.is_empty() {
        lines.push((name(lang, "absent"), absent.join("; ")));
    }
    lines.extend(found.alike.iter().map(|Alike { positions: [first, second], score }| {
        let pair = format!("{} = {} ({})", finger(*first), finger(*second), plain(lang, *score));
        (name(lang, "one_finger"), pair)
    }));
    lines.extend(found.officers.iter().flat_map(|officer| &officer.fingers).map(|shown| {
        let pair =
            format!("{} = {} ({})", finger(shown.position), finger(shown.of), plain(lang, shown.score));
        (name(lang, "officer_finger"), pair)
    }));
    lines
}

/// The officers whose fingers are in an application, as actors.
pub(crate) fn officers(evidence: &Stored) -> Vec<String> {
    let found = evidence.fingerprint.iter().flat_map(|found| &found.officers);
    found.map(|officer| Actor::Account(officer.account).to_string()).collect()
}

/// The same by name, with what is known of each.
pub(crate) fn officers_by_name(lang: Lang, evidence: &Stored, actors: &Actors) -> Vec<(String, String)> {
    let line = |officer: &OfficerFound| {
        let mut told = vec![actors.name(lang, &Actor::Account(officer.account).to_string())];
        told.extend(officer.signed.then(|| name(lang, "officer_signed")));
        told.extend(officer.may_be_own.then(|| name(lang, "officer_own")));
        (name(lang, "officer"), told.join("; "))
    };
    evidence.fingerprint.iter().flat_map(|found| &found.officers).map(line).collect()
}

fn name(lang: Lang, key: &str) -> String {
    known(lang, "evidence", key)
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
    use uuid::Uuid;

    #[test]
    fn the_waterfall_and_the_hits_are_read_from_what_resolution_writes() {
        let evidence = json!({
            "linkage": {"version": "2026-11", "link": 20.0,
                        "waterfall": [["prior", "", -14.2], ["name", "exact", 9.0]],
                        "candidates": [{"person": Uuid::from_u128(7), "weight": 21.5}]},
            "fingerprint": {"fingers": 10, "threshold": 40.0,
                            "hits": [{"application": Uuid::from_u128(8), "score": 55.5}]},
        });
        let shown = show(Lang::Vi, &evidence);
        let weights: Vec<&str> = shown.weights.iter().map(|line| line.weight.as_str()).collect();
        assert_eq!(weights, ["−14,2", "+9,0"]);
        let rest = show(Lang::En, &evidence).rest;
        let values: Vec<&str> = rest.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["20.0", "2026-11", "10", "40.0", "1", "55.5"]);
    }

    #[test]
    fn every_fact_that_resolution_writes_has_a_name() {
        let evidence = json!({
            "linkage": {"version": "2026-11", "link": 12.0, "lead": 8.0, "review": -6.0,
                        "merge": 12.0, "weight": 3.3},
            "fingerprint": {"fingers": 9, "threshold": 15.0, "hits": [], "usable": 3,
                            "fault": "fingers_repeated", "absent": [{"position": 10, "reason": "injured"}],
                            "alike": [{"positions": [1, 6], "score": 48.7}],
                            "officers": [{"account": Uuid::from_u128(9), "signed": true, "may_be_own": true,
                                          "fingers": [{"position": 7, "of": 1, "score": 21.4}]}]},
            "claim": "none", "doubt": "pin_conflict",
            "post": {"seat": "walk_in", "astray": "shift_overfull",
                     "shift": {"day": "2021-04-06", "number": 2, "held": 63, "seats": 42}},
        });
        for lang in [Lang::Vi, Lang::En] {
            let shown = show(lang, &evidence).rest;
            assert_eq!(shown.len(), 20);
            for (label, _) in shown {
                assert!(label.starts_with(char::is_uppercase), "{label} is a code");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_not_an_error() {
        for evidence in
            [json!(null), json!([1, 2]), json!({"linkage": "x"}), json!({"linkage": {"waterfall": [1]}})]
        {
            assert!(show(Lang::En, &evidence).weights.is_empty());
        }
    }
}
