//! Giving seats to named people.

use std::collections::{BTreeMap, VecDeque};

use time::Date;

use domain::UnitCode;
use domain::id::{PersonId, SlotId};

/// A slot with the seats that are still free, numbered from `next_seat` to `capacity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSlot {
    pub slot: SlotId,
    pub unit: UnitCode,
    pub day: Date,
    pub capacity: u16,
    /// The lowest seat that nobody has; `capacity + 1` when full.
    pub next_seat: u16,
}

/// An eligible resident who is to get a seat in the commune of residence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest {
    pub person: PersonId,
    pub unit: UnitCode,
}

/// The place in a slot that a person is invited to, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    pub person: PersonId,
    pub slot: SlotId,
    pub capacity: u16,
    pub seat: u16,
}

/// Seats each guest in the earliest free slot of the own commune, or, when that has none left, of any commune
/// on offer (the caller offers the district's slots only). `slots` are in the order of time. Returns the
/// seats and who got none.
pub fn assign(guests: &[Guest], slots: &[OpenSlot]) -> (Vec<Seat>, Vec<Guest>) {
    let mut free: Vec<u16> = slots.iter().map(|slot| slot.next_seat).collect();
    let mut at_home: BTreeMap<UnitCode, VecDeque<usize>> = BTreeMap::new();
    for (i, slot) in slots.iter().enumerate() {
        at_home.entry(slot.unit).or_default().push_back(i);
    }
    let mut anywhere: VecDeque<usize> = (0..slots.len()).collect();
    let mut take = |queue: &mut VecDeque<usize>| -> Option<(usize, u16)> {
        while let Some(&i) = queue.front() {
            if free[i] <= slots[i].capacity {
                free[i] += 1;
                return Some((i, free[i] - 1));
            }
            queue.pop_front();
        }
        None
    };
    let (mut seats, mut strangers, mut unseated) = (Vec::new(), Vec::new(), Vec::new());
    let seat = |guest: &Guest, (i, seat): (usize, u16)| Seat {
        person: guest.person,
        slot: slots[i].slot,
        capacity: slots[i].capacity,
        seat,
    };
    // Everyone is first tried at home, so that nobody travels because a neighbour was seated before.
    for guest in guests {
        match at_home.get_mut(&guest.unit).and_then(&mut take) {
            Some(found) => seats.push(seat(guest, found)),
            None => strangers.push(*guest),
        }
    }
    for guest in strangers {
        match take(&mut anywhere) {
            Some(found) => seats.push(seat(&guest, found)),
            None => unseated.push(guest),
        }
    }
    (seats, unseated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use time::macros::{date, datetime};

    fn guest(n: u8, unit: &str) -> Guest {
        Guest {
            person: PersonId::derive(datetime!(2021-03-01 0:00 UTC), &[&[n]]),
            unit: unit.parse().unwrap(),
        }
    }

    fn slot(n: u8, unit: &str, capacity: u16, next_seat: u16) -> OpenSlot {
        let slot = SlotId::derive(datetime!(2021-03-01 0:00 UTC), &[&[n]]);
        OpenSlot { slot, unit: unit.parse().unwrap(), day: date!(2021 - 03 - 01), capacity, next_seat }
    }

    #[test]
    fn home_first_then_the_neighbour_then_nobody() {
        let guests: Vec<Guest> = (0..5).map(|n| guest(n, "00001")).chain([guest(9, "00002")]).collect();
        let slots = [slot(1, "00001", 2, 1), slot(2, "00002", 3, 2)];
        let (seats, unseated) = assign(&guests, &slots);
        assert_eq!(seats.len(), 4);
        assert_eq!(unseated.len(), 2);
        let places: HashSet<_> = seats.iter().map(|s| (s.slot, s.seat)).collect();
        assert_eq!(places.len(), 4, "no seat is given twice");
        assert!(seats.iter().all(|s| s.seat >= 1 && s.seat <= s.capacity));
        assert!(seats.iter().any(|s| s.person == guest(9, "00002").person), "the local keeps a local seat");
    }
}
