//! An event as somebody sends it: in words, which are read and judged later, so that everything that is wrong
//! with it is said at once.

use std::fmt;

use serde::{Deserialize, Serialize};

use domain::id::EventId;
use domain::person;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A death (khai tử).
    Died,
    /// A death that was recorded in error, or that a court took back.
    DeathUndone,
    /// Declared missing by a court (tuyên bố mất tích).
    DeclaredMissing,
    /// The declaration was taken back.
    Found,
    /// Values that were wrong, or were changed by a decision (cải chính, thay đổi).
    Corrected,
    /// Values that were missing (bổ sung).
    Supplemented,
    /// Another residence.
    Moved,
    /// A correction or a move that was recorded in error.
    Reversed,
}

impl EventKind {
    /// Every kind, in the order in which a page offers them.
    pub const ALL: [EventKind; 8] = [
        EventKind::Corrected,
        EventKind::Supplemented,
        EventKind::Moved,
        EventKind::Died,
        EventKind::DeathUndone,
        EventKind::DeclaredMissing,
        EventKind::Found,
        EventKind::Reversed,
    ];

    /// Stable code, as it is sent.
    pub const fn code(self) -> &'static str {
        match self {
            EventKind::Died => "died",
            EventKind::DeathUndone => "death_undone",
            EventKind::DeclaredMissing => "declared_missing",
            EventKind::Found => "found",
            EventKind::Corrected => "corrected",
            EventKind::Supplemented => "supplemented",
            EventKind::Moved => "moved",
            EventKind::Reversed => "reversed",
        }
    }

    /// The kind of this code; `None` when there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// As which the register records it. A supplement is a correction of what was not stated.
    pub const fn recorded_as(self) -> person::Kind {
        match self {
            EventKind::Died => person::Kind::Died,
            EventKind::DeathUndone => person::Kind::DeathUndone,
            EventKind::DeclaredMissing => person::Kind::DeclaredMissing,
            EventKind::Found => person::Kind::Found,
            EventKind::Corrected | EventKind::Supplemented => person::Kind::Corrected,
            EventKind::Moved => person::Kind::Moved,
            EventKind::Reversed => person::Kind::Reversed,
        }
    }
}

/// What `since` says of a value that always was so.
pub const ALWAYS: &str = "always";

/// An event to be recorded. Personal data: `Debug` shows the id and the kind alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// Made by the sender, so that a repeat is known.
    pub event_id: EventId,
    /// Whom it is about: the id in the register, or the personal number.
    pub person: String,
    /// Code of an [`EventKind`].
    pub kind: String,
    /// From when it has legal effect: dd/mm/yyyy, mm/yyyy or yyyy, as exactly as the paper says.
    #[serde(default)]
    pub legal_on: String,
    /// The paper behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<PaperText>,
    /// The values of a correction or a supplement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeText>,
    /// Of a correction: the day from which the values hold, or [`ALWAYS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Of a move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Destination>,
    /// Of a reversal: the event that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<EventId>,
    /// In a list of events, the file of the paper's scan, from where the list lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<String>,
}

/// A paper, in words.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperText {
    /// Code of a [`crate::paper::PaperKind`].
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub number: String,
    /// Who issued it.
    #[serde(default)]
    pub authority: String,
    /// The day of issue, dd/mm/yyyy.
    #[serde(default)]
    pub issued_on: String,
}

/// A value that is to be in the register, in words.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeText {
    /// Code of a field.
    pub field: String,
    /// Code of a part of it; empty for a field that has one part.
    #[serde(default)]
    pub part: String,
    /// Empty when nothing is to be stated any more.
    #[serde(default)]
    pub value: String,
}

/// Where somebody moves.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Code of the unit.
    #[serde(default)]
    pub permanent_unit: String,
    /// House, street, hamlet.
    #[serde(default)]
    pub permanent_detail: String,
    /// Code of the unit of the current residence, where it is another.
    #[serde(default)]
    pub current_unit: String,
    #[serde(default)]
    pub current_detail: String,
}

impl NewEvent {
    /// An event that says nothing yet but whom it is about and what happened.
    pub fn new(event_id: EventId, person: &str, kind: &str) -> NewEvent {
        NewEvent {
            event_id,
            person: person.to_owned(),
            kind: kind.to_owned(),
            legal_on: String::new(),
            paper: None,
            changes: Vec::new(),
            since: None,
            to: None,
            reverses: None,
            scan: None,
        }
    }
}

impl PaperText {
    /// Whether nothing was written of it.
    pub fn is_empty(&self) -> bool {
        [&self.kind, &self.number, &self.authority, &self.issued_on].iter().all(|text| text.trim().is_empty())
    }
}

impl fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = EventKind::from_code(&self.kind);
        f.debug_struct("NewEvent")
            .field("event_id", &self.event_id)
            .field("kind", &kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PaperText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaperText").finish_non_exhaustive()
    }
}

impl fmt::Debug for ChangeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeText").finish_non_exhaustive()
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").finish_non_exhaustive()
    }
}
