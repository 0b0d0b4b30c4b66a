//! Places and codes that are arbitrary text.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::hash::{self, NumberHasher};
use crate::token::{analyse, words};

type Map<V> = HashMap<u64, V, BuildHasherDefault<NumberHasher>>;

/// Numbers texts in the order in which they come; texts that differ by case, marks or punctuation are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Codes {
    spellings: Map<u32>,
    folded: Map<u32>,
    /// For each number, the folded keys of the whole text and of its last and last two parts between commas.
    parts: Vec<[u64; 3]>,
}

impl Codes {
    /// 0 for a text without letters or digits, otherwise the number of the text, from 1.
    pub(crate) fn code(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let spelling = hash::bytes(text.as_bytes());
        if let Some(&code) = self.spellings.get(&spelling) {
            return code;
        }
        let key = folded_key(text);
        let next = self.parts.len() as u32 + 1;
        let code = if key == 0 { 0 } else { *self.folded.entry(key).or_insert(next) };
        if code == next {
            self.parts.push(upper_parts(text, key));
        }
        self.spellings.insert(spelling, code);
        code
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }
}

pub(crate) fn folded_key(text: &str) -> u64 {
    words(text).fold(0, |state, word| hash::mix(state, analyse(word).folded))
}

/// "Commune, district, province": the keys of the whole, of "district, province" and of the province; 0 where
/// the text has fewer parts.
fn upper_parts(text: &str, whole: u64) -> [u64; 3] {
    let mut parts = text.rsplit(',').map(folded_key).filter(|&key| key != 0);
    let (last, before, first) = (parts.next(), parts.next(), parts.next());
    match (last, before, first) {
        (Some(province), Some(district), Some(_)) => [whole, hash::mix(province, district), province],
        (Some(province), Some(_), None) => [whole, 0, province],
        _ => [whole, 0, 0],
    }
}

/// Provinces that fit beside the unknown one, which is 0.
const PROVINCES: u32 = 126;
/// The parts of `Place`.
const DISTRICTS: u32 = 1 << 10;
const COMMUNES: u32 = (1 << 15) - 1;
/// Records of a place that must name their province of birth before it counts as the place's own, and their
/// share.
const LEAST_WITNESSES: u32 = 4;
const LEAST_SHARE: f64 = 0.6;

/// For each code the bits of a `Place`: province from the text's last part, else from the province in which
/// the people of that place were born. `witnesses` counts people by (place code, province of birth code).
pub(crate) fn place_bits(codes: &Codes, witnesses: &HashMap<(u32, u32), u32>) -> Vec<u32> {
    let learnt = provinces_of(codes.len(), witnesses);
    let mut provinces: Map<u32> = Map::default();
    let mut districts: Map<u32> = Map::default();
    let mut district_counts = vec![0u32; PROVINCES as usize + 1];
    let mut communes: Map<u32> = Map::default();
    let mut bits = vec![0; codes.len() + 1];
    for (at, &[_, district, province]) in codes.parts.iter().enumerate() {
        let key = if province != 0 { province } else { u64::from(learnt[at]) };
        let next = provinces.len() as u32 + 1;
        let province = match key {
            0 => 0,
            _ => *provinces.entry(key).or_insert(if next <= PROVINCES { next } else { 0 }),
        };
        let count = &mut district_counts[province as usize];
        let mut district = match district {
            0 => 0,
            key => *districts.entry(key).or_insert_with(|| {
                *count = (*count + 1).min(DISTRICTS / 2);
                *count
            }),
        };
        let mut commune = communes.entry(u64::from(province << 10 | district)).or_default();
        if *commune >= COMMUNES {
            // More names than a district can have are free text: they go on under districts of their own.
            *count = (*count + 1).min(DISTRICTS - 1);
            district = *count;
            commune = communes.entry(u64::from(province << 10 | district)).or_default();
        }
        *commune = *commune % COMMUNES + 1;
        bits[at + 1] = province << 25 | district << 15 | *commune;
    }
    bits
}

/// The commonest province of birth of each place's people, where it is clear; else 0.
fn provinces_of(places: usize, witnesses: &HashMap<(u32, u32), u32>) -> Vec<u32> {
    let mut best = vec![(0u32, 0u32); places + 1];
    let mut all = vec![0u32; places + 1];
    for (&(place, province), &count) in witnesses {
        let best = &mut best[place as usize];
        // Ties go to the smaller code, whatever the order of the map.
        if count > best.0 || (count == best.0 && province < best.1) {
            *best = (count, province);
        }
        all[place as usize] += count;
    }
    let clear =
        |at: usize| all[at] >= LEAST_WITNESSES && f64::from(best[at].0) >= LEAST_SHARE * f64::from(all[at]);
    (1..=places).map(|at| if clear(at) { best[at].1 } else { 0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Place;

    #[test]
    fn one_place_however_written() {
        let mut codes = Codes::default();
        assert_eq!(codes.code(" , "), 0);
        let first = codes.code("Xã Thạch Hải, Huyện Thạch Hà, Tỉnh Hà Tĩnh");
        assert_eq!(codes.code("XA THACH HAI - HUYEN THACH HA - TINH HA TINH"), first);
        assert_ne!(codes.code("Xã Thạch Lạc, Huyện Thạch Hà, Tỉnh Hà Tĩnh"), first);
    }

    #[test]
    fn levels_come_from_commas_or_from_births() {
        let mut codes = Codes::default();
        let texts = ["A, D, P", "B, D, P", "C, E, P", "X, Q", "18562", "18563", "999"];
        let numbers: Vec<u32> = texts.iter().map(|text| codes.code(text)).collect();
        let witnesses = HashMap::from([((5, 42), 9), ((6, 42), 8), ((6, 1), 1), ((7, 1), 2)]);
        let bits = place_bits(&codes, &witnesses);
        let place = |at: usize| Place::of_bits(bits[numbers[at] as usize]).unwrap();
        assert_eq!(place(0).district_bits(), place(1).district_bits());
        assert_ne!(place(0), place(1));
        assert_eq!(place(0).province(), place(2).province());
        assert_ne!(place(0).district(), place(2).district());
        assert_ne!(place(3).province(), place(0).province());
        assert_eq!(place(4).province(), place(5).province());
        assert_eq!(place(6).province(), 0, "two witnesses are too few");
    }
}
