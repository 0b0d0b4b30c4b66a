//! Makes every personal number the only one of its kind, and plants the few nine-digit numbers that two
//! people share.

use std::collections::HashSet;

use super::{Model, Person};
use crate::error::SimulateError;
use crate::stream::Streams;
use domain::{OldId, Pin};

/// Where a drawn number is taken the next free serial is used, in the order of the people.
///
/// # Errors
/// [`SimulateError::NumbersExhausted`] when a million numbers of one place, sex and year are not enough.
pub(super) fn settle(model: &Model, seed: u64, people: &mut [Person]) -> Result<(), SimulateError> {
    let mut pins: HashSet<Pin> = HashSet::with_capacity(people.len());
    let mut old_ids: HashSet<OldId> = HashSet::with_capacity(people.len());
    for person in people.iter_mut() {
        if let Some(drawn) = person.pin {
            person.pin = Some(free_pin(&mut pins, drawn)?);
        }
        for old_id in person.old_ids.iter_mut().flatten() {
            while !old_ids.insert(*old_id) {
                *old_id = next_old_id(*old_id);
            }
        }
    }
    share_old_ids(model, seed, people);
    Ok(())
}

fn free_pin(taken: &mut HashSet<Pin>, drawn: Pin) -> Result<Pin, SimulateError> {
    let mut pin = drawn;
    while !taken.insert(pin) {
        let serial = (pin.serial() + 1) % 1_000_000;
        if serial == drawn.serial() {
            return Err(SimulateError::NumbersExhausted { place: drawn.place() });
        }
        pin = Pin::compose(drawn.place(), drawn.sex(), drawn.birth_year(), serial)
            .expect("only the serial changes, and it stays below a million");
    }
    Ok(pin)
}

/// The next number of the same issuing province; ten million of a prefix are more than its people.
fn next_old_id(old_id: OldId) -> OldId {
    let (prefix, serial) = old_id.as_str().split_at(2);
    let serial = serial.bytes().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    OldId::parse(&format!("{prefix}{:07}", (serial + 1) % 10_000_000)).expect("two digits and seven are nine")
}

/// Gives some holders the number of another holder some households away.
fn share_old_ids(model: &Model, seed: u64, people: &mut [Person]) {
    let holders: Vec<u32> =
        (0..people.len() as u32).filter(|&at| people[at as usize].old_ids[0].is_some()).collect();
    // Each planted pair makes two holders of a shared number.
    let pairs = (holders.len() as f64 * model.shared_old_id_share / 2.0).round() as usize;
    let mut stream = Streams::new(seed, b"shared-ids").stream(0);
    let chosen = stream.distinct(holders.len() as u32, pairs * 2);
    for pair in chosen.chunks_exact(2) {
        let (one, other) = (holders[pair[0] as usize] as usize, holders[pair[1] as usize] as usize);
        if people[one].household != people[other].household {
            people[other].old_ids[0] = people[one].old_ids[0];
        }
    }
}
