//! What is stored of a decision, for those who must understand it years later: codes, weights, scores and
//! ids, and the version of the model. No name, date or number of anybody.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decide::{self, Claim, Evidence, Match, Outcome, Thresholds};
use crate::fingers::Findings;
use crate::officers::OfficerHit;
use crate::shift;
use domain::id::{AccountId, ApplicationId, PersonId};
use linkage::{Caution, Explanation, VERSION};

/// People and hits listed, the likeliest.
const MOST: usize = 8;

/// The evidence of a resolution or of a case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// What the register's record says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linkage: Option<Linkage>,
    /// What the fingers say; a pair of register records has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprints>,
    /// Whom the officer chose: `none`, `person` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// The register's own doubt, of a case that asks about something graver: the code of its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// What the plan says of where and when the kit captured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
}

/// A capture, beside the plan of the kit that made it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Post {
    /// `invited`, `walk_in` or `unplanned`.
    pub seat: String,
    /// The code of the case that asks about it, also where it asks about something graver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub astray: Option<String>,
    /// The shift that it counts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<Shift>,
}

/// A shift of the kit, and how many were captured in it before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// yyyy-mm-dd.
    pub day: String,
    pub number: i16,
    pub held: u32,
    pub seats: u32,
}

/// The register's records as linkage weighed them. Weights are bits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Linkage {
    /// Of the model.
    pub version: String,
    /// Of a pair of register records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// From which weight a record is the applicant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<f64>,
    /// By how much it must be ahead of every other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<f64>,
    /// From which weight two register records are one person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<f64>,
    /// From which weight people are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<f64>,
    /// Of the likeliest record, or of the pair; `None` when there is no record at all.
    pub waterfall: Option<Vec<Weight>>,
    /// The likeliest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
}

/// One step of the waterfall: the field's stable code, the code of the level at which the two agree, and the
/// bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weight(pub String, pub String, pub f64);

/// A person of the register who was in question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub person: PersonId,
    pub weight: f64,
    /// The code of what a number says beside the weight.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub caution: String,
}

/// The applications with the same fingers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fingerprints {
    /// How many were taken.
    pub fingers: usize,
    /// The score from which fingers are one person's.
    pub threshold: f64,
    /// The best first.
    pub hits: Vec<Hit>,
    /// How many of the fingers a search can go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable: Option<usize>,
    /// The code of the case that asks about the fingers, also where it asks about something graver: whoever
    /// accepts the application says by which paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The positions that were not captured, and why not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
    /// Positions that show one finger.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Alike>,
    /// Officers whose fingers are among them, whoever signed first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub officers: Vec<OfficerFound>,
}

/// An officer one of whose fingers is in the application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfficerFound {
    pub account: AccountId,
    /// Whether this officer signed the application.
    pub signed: bool,
    /// Whether nearly all fingers are this officer's: it may be the officer's own application.
    pub may_be_own: bool,
    pub fingers: Vec<OfficersFinger>,
}

/// A position (1 to 10) that shows a finger of an officer, and which (1 to 10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfficersFinger {
    pub position: u8,
    pub of: u8,
    pub score: f64,
}

/// A position (1 to 10) that was not captured, with the code of the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    pub position: u8,
    pub reason: String,
}

/// Two positions (1 to 10) that show one finger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alike {
    pub positions: [u8; 2],
    pub score: f64,
}

/// An application with the same fingers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    pub application: ApplicationId,
    pub score: f64,
}

impl Stored {
    /// Reads what was stored. It outlives the program that wrote it: a part that this one does not understand
    /// is left out, and never an error.
    pub fn read(stored: &Value) -> Stored {
        Stored {
            linkage: part(stored, "linkage"),
            fingerprint: part(stored, "fingerprint"),
            claim: part(stored, "claim"),
            doubt: part(stored, "doubt"),
            post: part(stored, "post"),
        }
    }

    /// The code of what is wrong with the fingers, if anything is.
    pub fn finger_fault(&self) -> Option<&str> {
        self.fingerprint.as_ref()?.fault.as_deref()
    }

    /// The register's people that were in question, the likeliest first.
    pub fn candidates(&self) -> &[Candidate] {
        self.linkage.as_ref().map(|linkage| linkage.candidates.as_slice()).unwrap_or_default()
    }
}

fn part<T: DeserializeOwned>(stored: &Value, key: &str) -> Option<T> {
    T::deserialize(stored.get(key)?).ok()
}

pub(crate) fn of(
    evidence: &Evidence,
    explanation: Option<&Explanation>,
    findings: &Findings,
    outcome: &Outcome,
    thresholds: &Thresholds,
    post: Option<shift::Post>,
) -> Value {
    let fault = decide::finger_fault(evidence, outcome.person());
    // A case that asks about the register names its doubt by its kind.
    let asks_about = match *outcome {
        Outcome::Link(_) => None,
        Outcome::Case { kind, .. } => Some(kind),
    };
    let doubt = decide::register_doubt(evidence, thresholds).filter(|doubt| Some(*doubt) != asks_about);
    let hit =
        |hit: &decide::FingerprintHit| Hit { application: hit.application, score: tenths(hit.score.into()) };
    let stored = Stored {
        linkage: Some(Linkage {
            version: VERSION.to_owned(),
            link: Some(thresholds.linkage.link),
            lead: Some(thresholds.linkage.lead),
            review: Some(thresholds.linkage.review),
            waterfall: explanation.map(waterfall),
            candidates: evidence.matches.iter().take(MOST).map(candidate).collect(),
            ..Linkage::default()
        }),
        fingerprint: Some(Fingerprints {
            fingers: findings.captured.len(),
            usable: Some(findings.usable()),
            fault: fault.map(|fault| fault.kind().code().to_owned()),
            absent: findings.absent.iter().map(absent).collect(),
            alike: findings.alike.iter().take(MOST).map(alike).collect(),
            officers: findings.officers.iter().take(MOST).map(officer).collect(),
            threshold: tenths(thresholds.fingerprint.into()),
            hits: evidence.hits.iter().take(MOST).map(hit).collect(),
        }),
        claim: Some(claim(evidence.claim).to_owned()),
        doubt: doubt.map(|doubt| doubt.code().to_owned()),
        post: post.map(on_post),
    };
    serde_json::to_value(stored).expect("codes, ids and finite numbers always serialise")
}

fn on_post(post: shift::Post) -> Post {
    let shift = post.shift.map(|shift| Shift {
        day: shift.id.day.to_string(),
        number: shift.id.number,
        held: post.held,
        seats: shift.seats,
    });
    let astray = post.astray.map(|astray| astray.kind().code().to_owned());
    Post { seat: post.seat.code().to_owned(), astray, shift }
}

fn absent(finger: &crate::fingers::Absent) -> Absent {
    Absent { position: finger.position.code(), reason: finger.reason.to_owned() }
}

fn alike(pair: &crate::fingers::Alike) -> Alike {
    Alike { positions: [pair.first.code(), pair.second.code()], score: tenths(pair.score.into()) }
}

fn officer(hit: &OfficerHit) -> OfficerFound {
    let finger = |pair: &crate::officers::Shown| OfficersFinger {
        position: pair.position.code(),
        of: pair.of.code(),
        score: tenths(pair.score.into()),
    };
    let OfficerHit { account, signed, may_be_own, ref pairs } = *hit;
    OfficerFound { account, signed, may_be_own, fingers: pairs.iter().map(finger).collect() }
}

fn claim(claim: Claim) -> &'static str {
    match claim {
        Claim::Nobody => "none",
        Claim::Person(_) => "person",
        Claim::Unknown => "unknown",
    }
}

/// The comparison vector: for each field the level's stable code and the bits it added.
pub(crate) fn waterfall(explanation: &Explanation) -> Vec<Weight> {
    let step = |field: &linkage::FieldWeight| {
        Weight(field.field.code().to_owned(), field.level.to_owned(), tenths(field.weight))
    };
    explanation.fields.iter().map(step).collect()
}

fn candidate(m: &Match) -> Candidate {
    Candidate { person: m.person, weight: tenths(m.weight), caution: caution(m.caution).to_owned() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_and_what_is_not_understood_is_left_out() {
        let written = json!({
            "linkage": {"version": "2026-11", "link": 12.0, "lead": 8.0, "review": -6.0,
                        "waterfall": [["prior", "", -14.3], ["name", "exact", 9.0]],
                        "candidates": [{"person": uuid::Uuid::from_u128(7), "weight": 21.5,
                                        "caution": "none"}]},
            "fingerprint": {"fingers": 10, "threshold": 40.0,
                            "hits": [{"application": uuid::Uuid::from_u128(8), "score": 55.5}],
                            "usable": 9, "fault": "fingers_repeated",
                            "absent": [{"position": 10, "reason": "amputated"}],
                            "alike": [{"positions": [1, 6], "score": 48.7}],
                            "officers": [{"account": uuid::Uuid::from_u128(9), "signed": true,
                                          "may_be_own": false,
                                          "fingers": [{"position": 7, "of": 1, "score": 21.4}]}]},
            "claim": "person", "doubt": "pin_conflict",
        });
        let read = Stored::read(&written);
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
        assert_eq!(read.candidates()[0].person, PersonId::from_uuid(uuid::Uuid::from_u128(7)));
        let older = json!({"linkage": {"waterfall": "x"}, "claim": "none", "more": {"x": 1}});
        assert_eq!(Stored::read(&older), Stored { claim: Some("none".to_owned()), ..Stored::default() });
        for nothing in [json!(null), json!([1, 2]), json!("x")] {
            assert_eq!(Stored::read(&nothing), Stored::default());
        }
    }
}
