//! What events replaced, kept sparsely: a person whose data never changed has no facts.
//!
//! The first change of a part writes two facts: the value that it displaced, as version 1 that holds for all
//! days, and the new value from the day on that the change has effect. Of the facts that cover a day, the
//! latest version wins. Those that were recorded until an instant give what was known then.

use time::{Date, OffsetDateTime};

use crate::field::{Change, Field, FieldFault, Part};
use crate::{PartialDate, ResidentRecord};

/// The version of the registration, which displaced values belong to.
pub const REGISTRATION: usize = 1;

/// A value of one part of a field over some days. Personal data: `Debug` does not show the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Fact {
    /// The event that wrote it, counted from the registration, which is 1.
    pub version: usize,
    /// Which field.
    pub field: Field,
    /// Which part of it.
    pub part: Part,
    /// As the register stores it; `None` when nothing is stated.
    pub value: Option<String>,
    /// The first day, counted from the latest day that it can be; `None` when it was always so.
    pub valid_from: Option<PartialDate>,
    /// The day after the last, where a later value was known when this one was recorded.
    pub valid_to: Option<PartialDate>,
    /// When the centre learned of it.
    pub recorded_at: OffsetDateTime,
}

/// An event that was taken back: its facts count no longer, by whoever knows that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reversal {
    /// The event that was taken back.
    pub version: usize,
    /// When that was recorded.
    pub recorded_at: OffsetDateTime,
}

impl Fact {
    /// The value that the first change of a part displaces.
    pub const fn displaced(
        field: Field,
        part: Part,
        value: Option<String>,
        registered_at: OffsetDateTime,
    ) -> Self {
        let (version, valid_from, valid_to) = (REGISTRATION, None, None);
        Self { version, field, part, value, valid_from, valid_to, recorded_at: registered_at }
    }

    /// Whether it says something about this day. A day of which only the month or year is known counts from
    /// its last day, so that nothing is said to hold before it surely did.
    pub fn covers(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from.latest() <= day)
            && self.valid_to.is_none_or(|to| day < to.latest())
    }
}

impl std::fmt::Debug for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fact")
            .field("version", &self.version)
            .field("field", &self.field)
            .field("part", &self.part)
            .field("valid_from", &self.valid_from)
            .field("valid_to", &self.valid_to)
            .finish_non_exhaustive()
    }
}

/// The record on a day, by what was known at an instant. Of `current`, which is the record of now, the parts
/// that never changed are taken.
///
/// # Errors
/// When the facts make no record.
pub fn as_of(
    current: &ResidentRecord,
    facts: &[Fact],
    reversals: &[Reversal],
    on: Date,
    known_at: OffsetDateTime,
) -> Result<ResidentRecord, Vec<FieldFault>> {
    let withdrawn =
        |fact: &Fact| reversals.iter().any(|r| r.version == fact.version && r.recorded_at <= known_at);
    // A displaced value was known from the registration on, whoever asks.
    let known = |fact: &Fact| fact.version == REGISTRATION || fact.recorded_at <= known_at;
    let holds = |fact: &&Fact| fact.covers(on) && known(fact) && !withdrawn(fact);
    current.with(&latest(facts.iter().filter(holds)))
}

/// The record as it was registered: what [`super::fold`] begins with, where only the record of now and the
/// facts are stored.
///
/// # Errors
/// When the facts make no record.
pub fn as_registered(current: &ResidentRecord, facts: &[Fact]) -> Result<ResidentRecord, Vec<FieldFault>> {
    current.with(&latest(facts.iter().filter(|fact| fact.version == REGISTRATION)))
}

/// Of each part the value of the latest version.
fn latest<'f>(facts: impl Iterator<Item = &'f Fact>) -> Vec<Change> {
    let mut winners = std::collections::BTreeMap::<(Field, Part), &Fact>::new();
    for fact in facts {
        let winner = winners.entry((fact.field, fact.part)).or_insert(fact);
        if fact.version > winner.version {
            *winner = fact;
        }
    }
    let change = |fact: &Fact| Change { field: fact.field, part: fact.part, value: fact.value.clone() };
    winners.into_values().map(change).collect()
}

/// Where the next known value of a part begins after `since`: a late paper ends there and does not undo what
/// came after it.
pub(super) fn next_start(
    facts: &[Fact],
    reversals: &[Reversal],
    field: Field,
    part: Part,
    since: Option<PartialDate>,
) -> Option<PartialDate> {
    facts
        .iter()
        .filter(|fact| (fact.field, fact.part) == (field, part) && !is_reversed(reversals, fact.version))
        .filter_map(|fact| fact.valid_from)
        .filter(|from| since.is_none_or(|since| from.latest() > since.latest()))
        .min_by_key(|from| from.latest())
}

pub(super) fn is_reversed(reversals: &[Reversal], version: usize) -> bool {
    reversals.iter().any(|reversal| reversal.version == version)
}
