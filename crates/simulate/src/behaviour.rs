//! What people and machines do in a campaign, drawn from the seed: who comes when invited, who applies twice,
//! which kit has no line today, which card the printer spoils.
//!
//! Every draw has its own stream, named by what it is about, so that no draw depends on the order in which
//! they are made: a campaign that was interrupted goes on as if it had not been.

use time::{Date, Duration};

use crate::population::{Person, Population};
use crate::stream::{Stream, Streams};
use crate::{SimulateError, TruthId};
use domain::PersonName;
use domain::record::ResidentRecord;

/// Shares of the model; all are our estimates, guided by what the 2021 campaign's reports tell of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Behaviour {
    /// Comes to the first, second and third invitation.
    pub attendance: [f64; 3],
    /// Of those captured, how many apply a second time elsewhere under a slightly different name.
    pub second_applications: f64,
    /// Kit-days without a line: everything stays on the kit until the next day.
    pub offline_kit_days: f64,
    /// Kit-days on which a batch is sent twice.
    pub repeated_sends: f64,
    /// Kit-days on which a batch arrives damaged before it arrives whole.
    pub damaged_sends: f64,
    /// Cards spoiled in production.
    pub spoilage: f64,
    /// Cards that are not in their box when it is counted, and turn up two days later.
    pub strays: f64,
    /// Comes on the day for which the card was announced.
    pub pick_up: f64,
    /// People who lack one finger, or two.
    pub missing_finger: f64,
    /// People who show papers that correct a field of the register.
    pub corrections: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            attendance: [0.82, 0.70, 0.55],
            second_applications: 0.004,
            offline_kit_days: 0.06,
            repeated_sends: 0.05,
            damaged_sends: 0.03,
            spoilage: 0.004,
            strays: 0.001,
            pick_up: 0.8,
            missing_finger: 0.006,
            corrections: 0.02,
        }
    }
}

/// The draws of one campaign.
#[derive(Debug, Clone)]
pub struct Draws {
    behaviour: Behaviour,
    seed: u64,
}

impl Draws {
    /// Everything that is drawn follows from `seed` and from whom or what the draw is about, not from the
    /// order.
    pub fn new(behaviour: Behaviour, seed: u64) -> Self {
        Draws { behaviour, seed }
    }

    fn stream(&self, purpose: &[u8], number: u64) -> Stream {
        Streams::new(self.seed, purpose).stream(number)
    }

    /// Whether the person comes to the invitation of this round (from 1). The dead do not.
    pub fn attends(&self, truth: TruthId, person: &Person, round: i16, day: Date) -> bool {
        let share = self.behaviour.attendance[usize::try_from(round - 1).unwrap_or(0).min(2)];
        let alive = person.died.is_none_or(|died| died > day);
        alive && self.stream(b"attends", truth.index() as u64 * 4 + round as u64).chance(share)
    }

    /// After how many days the person applies again, when this is someone who does.
    pub fn applies_again_after(&self, truth: TruthId) -> Option<Duration> {
        let mut stream = self.stream(b"again", truth.index() as u64);
        let again = stream.chance(self.behaviour.second_applications);
        again.then(|| Duration::days(i64::from(stream.between(3, 15))))
    }

    /// The record that a person who applies again gives: the name a little different, no numbers, another
    /// address.
    pub fn second_record(
        &self,
        truth: TruthId,
        record: &ResidentRecord,
    ) -> Result<ResidentRecord, SimulateError> {
        let mut stream = self.stream(b"again-record", truth.index() as u64);
        let words: Vec<&str> = record.name.as_str().split(' ').collect();
        let changed = match (words.len(), stream.below(3)) {
            // A middle name dropped, as on an old paper.
            (3.., 0) => words
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != 1)
                .map(|(_, word)| *word)
                .collect::<Vec<_>>()
                .join(" "),
            // The marks of the given name lost, as in a system that could not store them.
            (_, 1) => domain::text::fold_ascii(record.name.as_str()),
            // A middle name more.
            _ => {
                let (first, rest) = words.split_first().expect("a name has a word");
                let rest = rest.join(" ");
                let more = if first.chars().any(char::is_lowercase) { "Ngọc" } else { "NGỌC" };
                format!("{first} {more} {rest}").trim().to_owned()
            }
        };
        let mut other = record.clone();
        other.name = PersonName::parse(&changed).unwrap_or_else(|_| record.name.clone());
        other.pin = None;
        other.old_id = None;
        other.permanent.detail = format!("Tổ {}", stream.between(1, 12));
        other.household = None;
        Ok(other)
    }

    /// The record that a person declares: mostly the register's; some correct where they live now.
    pub fn declared(&self, truth: TruthId, register: &ResidentRecord) -> ResidentRecord {
        let mut stream = self.stream(b"declares", truth.index() as u64);
        let mut record = register.clone();
        if stream.chance(self.behaviour.corrections) {
            record.permanent.detail = format!("Xóm {}", stream.between(1, 15));
        }
        record
    }

    /// Whether the kit has no network on that day, so that it sends on the next.
    pub fn is_offline(&self, kit: usize, day: Date) -> bool {
        self.kit_day(b"offline", kit, day).chance(self.behaviour.offline_kit_days)
    }

    /// Whether a batch of that day is sent a second time, as after a lost answer.
    pub fn sends_twice(&self, kit: usize, day: Date) -> bool {
        self.kit_day(b"twice", kit, day).chance(self.behaviour.repeated_sends)
    }

    /// Whether a batch of that day arrives damaged before it arrives whole.
    pub fn sends_damaged(&self, kit: usize, day: Date) -> bool {
        self.kit_day(b"damaged", kit, day).chance(self.behaviour.damaged_sends)
    }

    fn kit_day(&self, purpose: &[u8], kit: usize, day: Date) -> Stream {
        self.stream(purpose, (kit as u64) << 32 | day.to_julian_day() as u64)
    }

    /// Whether the printer spoils the card of this try for the person's application.
    pub fn spoils(&self, subject: u64) -> bool {
        self.stream(b"spoils", subject).chance(self.behaviour.spoilage)
    }

    /// Whether the card is missing when its box is counted.
    pub fn strays(&self, subject: u64) -> bool {
        self.stream(b"strays", subject).chance(self.behaviour.strays)
    }

    /// Whether the citizen comes for the card on the announced day.
    pub fn picks_up(&self, subject: u64, attempt: i16) -> bool {
        self.stream(b"picks-up", subject ^ (attempt as u64) << 56).chance(self.behaviour.pick_up)
    }

    /// Positions (ISO/IEC 19794-2 codes 1–10) of missing fingers; for nearly everyone none.
    pub fn missing_fingers(&self, truth: TruthId) -> Vec<u8> {
        let mut stream = self.stream(b"fingers", truth.index() as u64);
        if !stream.chance(self.behaviour.missing_finger) {
            return Vec::new();
        }
        let count = stream.between(1, 2) as usize;
        stream.distinct(10, count).into_iter().map(|position| position as u8 + 1).collect()
    }

    /// The six random digits of a new PIN for the subject.
    pub fn pin_serial(&self, subject: u64, attempt: u32) -> u32 {
        self.stream(b"pin", subject ^ u64::from(attempt) << 48).below(1_000_000)
    }

    /// Seed for everything that a capture draws: packet keys, receipt code, impressions.
    pub fn capture_seed(&self, truth: TruthId, application: u8) -> [u8; 32] {
        let mut stream = self.stream(b"capture", truth.index() as u64 * 16 + u64::from(application));
        let mut seed = [0; 32];
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&stream.next_u64().to_le_bytes());
        }
        seed
    }
}

/// Seed of a person's fingers and face, which stay the same in every application.
pub fn body_seed(population_seed: u64, truth: TruthId) -> u64 {
    Streams::new(population_seed, b"body").stream(truth.index() as u64).next_u64()
}

/// Seed of the fingers of an officer who does not exist, apart from those of the people.
pub fn officer_seed(population_seed: u64, number: u64) -> u64 {
    Streams::new(population_seed, b"officer").stream(number).next_u64()
}

/// Age in years on `day`, for the portrait.
pub fn age_on(population: &Population, truth: TruthId, day: Date) -> u8 {
    let person = &population.people[truth.index()];
    let years = day.year() - person.birth.year();
    u8::try_from(years.clamp(0, 120)).expect("0 to 120 fits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;
    use time::macros::date;

    fn population() -> Population {
        Population::generate(&Model::default(), 7, "445".parse().unwrap(), 4_000).unwrap()
    }

    #[test]
    fn draws_do_not_depend_on_their_order() {
        let (population, draws) = (population(), Draws::new(Behaviour::default(), 7));
        let day = date!(2021 - 03 - 05);
        let ask = |i: usize| draws.attends(population.truth_id(i), &population.people[i], 1, day);
        let forward: Vec<bool> = (0..4_000).map(ask).collect();
        let mut backward: Vec<bool> = (0..4_000).rev().map(ask).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        let share = forward.iter().filter(|came| **came).count() as f64 / 4_000.0;
        assert!((0.79..0.85).contains(&share), "{share}");
    }

    #[test]
    fn a_second_application_has_a_name_of_its_own_and_no_number() {
        let (population, draws) = (population(), Draws::new(Behaviour::default(), 7));
        let changed = (0..500)
            .filter(|&i| {
                let record = population.record(&population.people[i]);
                let second = draws.second_record(population.truth_id(i), &record).unwrap();
                assert!(second.pin.is_none() && second.old_id.is_none());
                assert_eq!(second.birth, record.birth);
                second.name != record.name
            })
            .count();
        assert!(changed > 490, "{changed}");
    }
}
