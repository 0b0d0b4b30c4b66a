//! What is stored of a decision, for those who must understand it years later: codes, weights, scores and ids, and the
//! version of the model. No name, date or number of anybody.

use domain::id::PersonId;
use linkage::{Caution, Explanation, VERSION};
use serde_json::{Value, json};

use crate::decide::{Claim, Evidence, Match, Thresholds};

/// People and hits listed, the likeliest.
const MOST: usize = 8;

pub(crate) fn of(
    evidence: &Evidence,
    explanation: Option<&Explanation>,
    fingers: usize,
    thresholds: &Thresholds,
) -> Value {
    let candidates: Vec<Value> = evidence.matches.iter().take(MOST).map(candidate).collect();
    let hits: Vec<Value> = evidence
        .hits
        .iter()
        .take(MOST)
        .map(|hit| json!({ "application": hit.application, "score": tenths(hit.score.into()) }))
        .collect();
    json!({
        "linkage": {
            "version": VERSION,
            "link": thresholds.linkage.link,
            "lead": thresholds.linkage.lead,
            "review": thresholds.linkage.review,
            "waterfall": explanation.map(waterfall),
            "candidates": candidates,
        },
        "fingerprint": { "fingers": fingers, "threshold": tenths(thresholds.fingerprint.into()), "hits": hits },
        "claim": match evidence.claim {
            Claim::Nobody => "none",
            Claim::Person(_) => "person",
            Claim::Unknown => "unknown",
        },
    })
}

/// The comparison vector: for each field the level's stable code and the bits it added.
pub(crate) fn waterfall(explanation: &Explanation) -> Value {
    let step = |field: &linkage::FieldWeight| json!([field.field.code(), field.level, tenths(field.weight)]);
    explanation.fields.iter().map(step).collect()
}

fn candidate(m: &Match) -> Value {
    let person: PersonId = m.person;
    json!({ "person": person, "weight": tenths(m.weight), "caution": caution(m.caution) })
}

/// Stable code.
pub(crate) fn caution(caution: Caution) -> &'static str {
    match caution {
        Caution::None => "none",
        Caution::PinConfirmed => "pin_confirmed",
        Caution::PinContradicted => "pin_contradicted",
        Caution::PinDiffers => "pin_differs",
        Caution::SexDiffers => "sex_differs",
    }
}

/// Weights are meaningful to about a tenth of a bit; longer fractions would only fill the table.
pub(crate) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
