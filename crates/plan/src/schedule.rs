//! Kits, shifts and slots: where which kit stands on which day.
//!
//! The work is a tape of shifts, commune after commune, in three rounds: everyone once, then a return for
//! those who did not come, then a last one. Each round is cut into as many even pieces as there are kits, so
//! that a kit moves through neighbouring communes with contiguous stays, and a commune larger than a kit's
//! share is worked by several.

use time::{Date, Duration, OffsetDateTime, Time};

use domain::UnitCode;
use domain::clock::VIETNAM;

/// How a day is worked. Nam Định, 2021: four shifts a day from 06:00, weekends and holidays too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShiftCalendar {
    pub first_hour: u8,
    pub shifts_per_day: u8,
    pub hours_per_shift: u8,
    pub seats_per_shift: u16,
    /// Slots into which a shift is divided; its seats are spread over them evenly.
    pub slots_per_shift: u8,
}

impl ShiftCalendar {
    /// 42 people a shift, four shifts: 168 a kit-day.
    pub const SPRING_2021: ShiftCalendar = ShiftCalendar {
        first_hour: 6,
        shifts_per_day: 4,
        hours_per_shift: 4,
        seats_per_shift: 42,
        slots_per_shift: 4,
    };

    /// People whom one kit captures a day when every seat is taken.
    pub const fn seats_per_day(&self) -> u32 {
        self.shifts_per_day as u32 * self.seats_per_shift as u32
    }
}

/// Eligible residents of one commune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    pub unit: UnitCode,
    pub eligible: u32,
}

/// Seats offered per eligible resident in each round. With four in five invited people coming, the second and
/// third rounds hold everyone who missed the round before, with some room.
pub const ROUNDS: [f64; 3] = [1.0, 0.3, 0.12];

/// A slot before it is stored: seats of one kit, at one time in one commune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedSlot {
    /// Counted from zero.
    pub kit: usize,
    pub unit: UnitCode,
    /// 1 to 3.
    pub round: u8,
    pub day: Date,
    /// 1 to 4.
    pub shift: u8,
    pub starts_at: OffsetDateTime,
    pub minutes: u16,
    pub capacity: u16,
}

/// Shifts that `demand` asks for, round by round.
fn shifts_per_round(demand: &[Demand], calendar: &ShiftCalendar) -> [Vec<u32>; 3] {
    ROUNDS.map(|share| {
        let seats = f64::from(calendar.seats_per_shift);
        demand.iter().map(|d| (f64::from(d.eligible) * share / seats).ceil() as u32).collect()
    })
}

/// The fewest kits that can finish all rounds in `days` days.
pub fn kits_needed(demand: &[Demand], days: u32, calendar: &ShiftCalendar) -> usize {
    let fits = |kits: u64| {
        let per_kit: u64 = shifts_per_round(demand, calendar)
            .iter()
            .map(|round| round.iter().map(|&s| u64::from(s)).sum::<u64>().div_ceil(kits))
            .sum();
        per_kit <= u64::from(days) * u64::from(calendar.shifts_per_day)
    };
    // Each kit can take at least one shift of a round, so that many kits always suffice when anything does.
    let most: u64 =
        shifts_per_round(demand, calendar).iter().flatten().map(|&s| u64::from(s)).sum::<u64>().max(1);
    let (mut low, mut high) = (1, most);
    while low < high {
        let middle = (low + high) / 2;
        if fits(middle) { high = middle } else { low = middle + 1 }
    }
    low as usize
}

/// Lays out every slot of the campaign, ordered by kit and time. A slot that would fall after `last_day` is
/// left out; the caller compares seats with demand to see what stays unserved.
pub fn plan(
    demand: &[Demand],
    kits: usize,
    first_day: Date,
    last_day: Date,
    calendar: &ShiftCalendar,
) -> Vec<PlannedSlot> {
    let mut slots = Vec::new();
    let mut used = vec![0u32; kits];
    for (round, shifts) in (1u8..).zip(shifts_per_round(demand, calendar)) {
        let tape: Vec<UnitCode> =
            demand.iter().zip(&shifts).flat_map(|(d, &n)| std::iter::repeat_n(d.unit, n as usize)).collect();
        // The longest piece of this round decides when the next begins, so that nobody is asked back too
        // early.
        let longest = tape.len().div_ceil(kits) as u32;
        for kit in 0..kits {
            let piece = &tape[tape.len() * kit / kits..tape.len() * (kit + 1) / kits];
            for (i, &unit) in (used[kit]..).zip(piece) {
                let day = first_day + Duration::days(i64::from(i / u32::from(calendar.shifts_per_day)));
                if day <= last_day {
                    let shift = (i % u32::from(calendar.shifts_per_day)) as u8;
                    push_shift(&mut slots, calendar, PlannedShift { kit, unit, round, day, shift });
                }
            }
            used[kit] += longest;
        }
    }
    slots.sort_by_key(|slot| (slot.kit, slot.starts_at));
    slots
}

/// Lays out slots for people who have no seat in the plan that stands: once each, as the second round is.
pub fn plan_returns(
    demand: &[Demand],
    kits: usize,
    first_day: Date,
    last_day: Date,
    calendar: &ShiftCalendar,
) -> Vec<PlannedSlot> {
    let once = plan(demand, kits, first_day, last_day, calendar).into_iter().filter(|slot| slot.round == 1);
    once.map(|slot| PlannedSlot { round: 2, ..slot }).collect()
}

struct PlannedShift {
    kit: usize,
    unit: UnitCode,
    round: u8,
    day: Date,
    /// Counted from zero.
    shift: u8,
}

fn push_shift(slots: &mut Vec<PlannedSlot>, calendar: &ShiftCalendar, planned: PlannedShift) {
    let PlannedShift { kit, unit, round, day, shift } = planned;
    let count = u16::from(calendar.slots_per_shift);
    let minutes = u16::from(calendar.hours_per_shift) * 60 / count;
    let opening = day.with_time(Time::MIDNIGHT).assume_offset(VIETNAM)
        + Duration::hours(i64::from(calendar.first_hour));
    for n in 0..count {
        let after = i64::from(shift) * i64::from(calendar.hours_per_shift) * 60 + i64::from(n * minutes);
        // The first slots of a shift take the seats that do not divide evenly.
        let capacity = calendar.seats_per_shift / count + u16::from(n < calendar.seats_per_shift % count);
        slots.push(PlannedSlot {
            kit,
            unit,
            round,
            day,
            shift: shift + 1,
            starts_at: opening + Duration::minutes(after),
            minutes,
            capacity,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet};
    use time::macros::{date, datetime};

    fn communes(eligible: &[u32]) -> Vec<Demand> {
        (1..)
            .zip(eligible)
            .map(|(n, &eligible)| Demand { unit: format!("{n:05}").parse().unwrap(), eligible })
            .collect()
    }

    #[test]
    fn kien_giang_needs_as_many_kits_as_the_province_lacked() {
        // 1,171,200 people by 30/6 from 17/4 with 23% done: 901,824 in 75 days, 168 a kit-day, nobody
        // missing.
        let demand = communes(&[901_824]);
        let days = 75;
        let floor = 901_824f64 / 168.0 / f64::from(days);
        let kits = kits_needed(&demand, days, &ShiftCalendar::SPRING_2021);
        assert!(kits as f64 >= floor && (kits as f64) < floor * 1.5, "{kits} kits");
    }

    #[test]
    fn everyone_has_a_seat_and_no_kit_is_in_two_places() {
        let demand = communes(&[700, 41, 43, 0, 5_000, 1_300]);
        let (from, to) = (date!(2021 - 03 - 01), date!(2021 - 06 - 10));
        let kits = kits_needed(&demand, 102, &ShiftCalendar::SPRING_2021);
        let slots = plan(&demand, kits, from, to, &ShiftCalendar::SPRING_2021);
        let mut seats: BTreeMap<UnitCode, u32> = BTreeMap::new();
        let mut places = HashSet::new();
        for slot in &slots {
            assert!(places.insert((slot.kit, slot.starts_at)), "a kit stands in two places at once");
            if slot.round == 1 {
                *seats.entry(slot.unit).or_default() += u32::from(slot.capacity);
            }
        }
        for d in &demand {
            assert!(seats.get(&d.unit).copied().unwrap_or(0) >= d.eligible);
        }
        assert!(
            kits == 1 || plan(&demand, kits - 1, from, to, &ShiftCalendar::SPRING_2021).len() < slots.len()
        );
        assert_eq!(slots[0].starts_at, datetime!(2021-03-01 06:00 +7));
    }

    #[test]
    fn a_shift_has_42_seats_in_four_slots_of_an_hour() {
        let slots = plan(
            &communes(&[42]),
            1,
            date!(2021 - 03 - 01),
            date!(2021 - 03 - 01),
            &ShiftCalendar::SPRING_2021,
        );
        let first: Vec<(u16, u16)> = slots.iter().take(4).map(|s| (s.minutes, s.capacity)).collect();
        assert_eq!(first, [(60, 11), (60, 11), (60, 10), (60, 10)]);
        assert_eq!(slots.iter().map(|s| s.round).collect::<HashSet<_>>().len(), 3);
    }
}
