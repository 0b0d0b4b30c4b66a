//! A verdict as JSON, the same from the command line and over the network (docs/verify-api.md).

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::{Check, Language, Outcome, Overall, Verdict};

#[derive(Serialize)]
struct Words {
    vi: &'static str,
    en: &'static str,
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

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Check", 4)?;
        object.serialize_field("code", self.code.as_str())?;
        object.serialize_field("outcome", self.outcome.as_str())?;
        object.serialize_field("detail", &self.detail)?;
        let words = |language| self.plain(language);
        let words = Words { vi: words(Language::Vietnamese), en: words(Language::English) };
        object.serialize_field("words", &words)?;
        object.end()
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Verdict", 3)?;
        object.serialize_field("overall", self.overall.as_str())?;
        let words = |language| self.overall.plain(language);
        let words = Words { vi: words(Language::Vietnamese), en: words(Language::English) };
        object.serialize_field("words", &words)?;
        object.serialize_field("checks", &self.checks)?;
        object.end()
    }
}
