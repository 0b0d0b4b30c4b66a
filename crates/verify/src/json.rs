//! A verdict as JSON, the same from the command line and over the network (docs/verify-api.md).

use serde::Serialize;
use serde::ser::{SerializeSeq, SerializeStruct, Serializer};

use crate::{Check, Outcome, Overall, Verdict};

/// A verdict with the sentences for whoever holds the card, as it is serialised. This crate knows the keys of
/// the sentences; the sentences are their owner's.
#[derive(Clone, Copy)]
pub struct Worded<'a> {
    pub verdict: &'a Verdict,
    /// The sentence of a key, in Vietnamese and in English.
    pub words: fn(&str) -> (&'static str, &'static str),
}

impl Overall {
    /// Stable; may be stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Overall::Genuine => "genuine",
            Overall::Rejected => "rejected",
            Overall::Unproven => "unproven",
        }
    }
}

impl Outcome {
    /// Stable; may be stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Pass => "passed",
            Outcome::Fail => "failed",
            Outcome::NotChecked => "not_checked",
        }
    }
}

#[derive(Serialize)]
struct Words {
    vi: &'static str,
    en: &'static str,
}

impl Worded<'_> {
    fn of(&self, key: &str) -> Words {
        let (vi, en) = (self.words)(key);
        Words { vi, en }
    }
}

impl Serialize for Worded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let overall = self.verdict.overall;
        let mut object = serializer.serialize_struct("Verdict", 3)?;
        object.serialize_field("overall", overall.as_str())?;
        object.serialize_field("words", &self.of(overall.words_key()))?;
        object.serialize_field("checks", &WordedChecks(self))?;
        object.end()
    }
}

struct WordedChecks<'a>(&'a Worded<'a>);

impl Serialize for WordedChecks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let checks = &self.0.verdict.checks;
        let mut list = serializer.serialize_seq(Some(checks.len()))?;
        for check in checks {
            list.serialize_element(&WordedCheck { check, words: self.0.of(&check.words_key()) })?;
        }
        list.end()
    }
}

struct WordedCheck<'a> {
    check: &'a Check,
    words: Words,
}

impl Serialize for WordedCheck<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Check", 4)?;
        object.serialize_field("code", self.check.code.as_str())?;
        object.serialize_field("outcome", self.check.outcome.as_str())?;
        object.serialize_field("detail", &self.check.detail)?;
        object.serialize_field("words", &self.words)?;
        object.end()
    }
}
