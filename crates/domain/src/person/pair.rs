//! Two records of one person becoming one, and two again.
//!
//! Which record stays is for whoever decides ([`crate::person`] knows neither applications nor weights). Here
//! is what the two records are told. The number of the dropped record moves to the one that stays if that has
//! none, and ends otherwise, so that no number is current twice and no record has two.

use super::event::{Event, Origin, Refusal};
use super::{Person, Status, came_from};

/// The events of two records. The dropped record's is recorded first at a merge and last at a split, so that
/// a number never has two holders in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// For the record that stays; `None` when nothing happens to it.
    pub kept: Option<Event>,
    /// For the record that is dropped, or was.
    pub dropped: Event,
}

/// What a merge tells the two records.
///
/// # Errors
/// When both are one record, or one of them is not of a living person.
pub fn merge(keep: &Person, drop: &Person) -> Result<Pair, Refusal> {
    if keep.id == drop.id {
        return Err(Refusal::SamePerson);
    }
    for person in [keep, drop] {
        super::allowed(person.status(), super::Kind::Merged)?;
    }
    let moved = drop.pin().filter(|_| keep.pin().is_none());
    let origin = Origin::Merged { from: drop.id };
    Ok(Pair {
        kept: moved.map(|pin| Event::PinAssigned { pin, origin }),
        dropped: Event::Merged { into: keep.id, pin_moved: moved.is_some() },
    })
}

/// What a split tells them. The dropped record gets its number back even if that was cancelled meanwhile in
/// the record that stayed, where it was wrong.
///
/// # Errors
/// When the dropped record is not merged into the other one, or that was merged itself.
pub fn split(kept: &Person, dropped: &Person) -> Result<Pair, Refusal> {
    if dropped.merged_into != Some(kept.id) {
        return Err(Refusal::NotFrom(kept.id));
    }
    if let Status::Merged { into } = kept.status() {
        return Err(Refusal::KeptIsMerged { into });
    }
    let gives_back = kept.numbers.iter().any(|held| came_from(held, dropped.id));
    Ok(Pair {
        kept: gives_back.then_some(Event::Split { from: dropped.id }),
        dropped: Event::Split { from: kept.id },
    })
}
