//! What depends on where: the region of a province, its ethnic groups, the first digits of its old identity
//! cards, and how an address is written.

use std::sync::OnceLock;

use time::macros::date;

use crate::stream::Stream;
use domain::UnitCode;
use domain::unit::{UnitLevel, Units};

/// Code of the Kinh majority (`ethnic-groups.csv` of `domain`).
pub const KINH: u8 = 1;
/// Code of the Thái, of the northern mountains (`ethnic-groups.csv` of `domain`).
pub const THAI: u8 = 3;
/// Code of the Khmer, of the Mekong delta.
pub const KHMER: u8 = 5;
/// Code of the Hmông, of the northern mountains.
pub const HMONG: u8 = 8;
/// Ê-đê: clan name last, handed down from the mother.
pub const EDE: u8 = 12;

/// Regions in which family names differ; the numbers are the columns of `names-family.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    North,
    NorthCentre,
    SouthCentre,
    South,
}

impl Region {
    /// The region of a province, by its code, which runs from north to south.
    pub fn of(province: UnitCode) -> Region {
        match province.number() {
            ..=37 => Region::North,
            38..=46 => Region::NorthCentre,
            47..=68 => Region::SouthCentre,
            _ => Region::South,
        }
    }
}

/// The units among which the invented people live: those of the spring of 2021.
pub fn units() -> Units<'static> {
    Units::on(date!(2021 - 03 - 01))
}

/// The province of a unit: the last of its chain, or the unit itself when the list does not know it.
pub fn province_of(units: Units<'_>, unit: UnitCode) -> UnitCode {
    units.chain(unit).last().map_or(unit, |province| province.code)
}

/// Ethnic groups of a unit with their weights, per mille. Towns have fewer of the minorities than their
/// province, the country slightly more; how they spread inside a province is our guess.
pub fn ethnic_weights(units: Units<'_>, unit: UnitCode) -> Vec<(u8, u32)> {
    let province = province_of(units, unit);
    let district = units.chain(unit).find(|above| above.code.level() == UnitLevel::District);
    let rural = district.is_none_or(|district| &*district.kind == "huyện");
    let per_mille = |share: u32| if rural { (share * 11 / 10).min(share + 60) } else { share * 4 / 10 };
    let mut weights: Vec<(u8, u32)> = tables()
        .ethnic_mix
        .iter()
        .filter(|(of, _, _)| *of == province.number())
        .map(|(_, group, share)| (*group, per_mille(*share)))
        .collect();
    let minorities: u32 = weights.iter().map(|(_, share)| share).sum();
    weights.insert(0, (KINH, 1000u32.saturating_sub(minorities).max(20)));
    weights
}

/// First two digits of the nine-digit identity cards of a province.
pub fn old_id_prefixes(province: UnitCode) -> &'static [(u32, u8)] {
    let prefixes = &tables().old_id_prefixes;
    let from = prefixes.partition_point(|(of, _)| *of < province.number());
    let to = prefixes.partition_point(|(of, _)| *of <= province.number());
    &prefixes[from..to]
}

/// The part of an address below the commune, as three small numbers instead of a text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spot {
    kind: u8,
    hamlet: u8,
    house: u16,
}

const SPOT_KINDS: [&str; 9] =
    ["Thôn", "Xóm", "Bản", "Ấp", "Buôn", "Tổ dân phố", "Khu phố", "Khóm", "Khu dân cư"];
const HAMLET_NAMES: [&str; 16] = [
    "Đông",
    "Đoài",
    "Thượng",
    "Hạ",
    "Trung",
    "Tân Lập",
    "Tân Tiến",
    "Đồng Tâm",
    "Hòa Bình",
    "Phú Mỹ",
    "Yên Thịnh",
    "Vĩnh Lộc",
    "Trung Hòa",
    "An Phú",
    "Bình Minh",
    "Quyết Thắng",
];

impl Spot {
    /// A place in a commune of this kind and region, for people of this group.
    pub fn draw(stream: &mut Stream, commune_kind: &str, region: Region, ethnicity: u8) -> Spot {
        let southern = matches!(region, Region::South);
        let kind = match (commune_kind, ethnicity) {
            ("phường" | "thị trấn", _) if southern => stream.weighted(&[0, 0, 0, 0, 0, 2, 5, 3]),
            ("phường" | "thị trấn", _) => 5,
            (_, THAI | HMONG) => 2,
            (_, EDE) => 4,
            _ if southern => 3,
            _ => stream.weighted(&[7, 3]),
        };
        let named = kind < 3 && stream.chance(0.3);
        let hamlet = if named { 100 + stream.below(HAMLET_NAMES.len() as u32) } else { 1 + stream.below(14) };
        let house = if kind >= 5 && stream.chance(0.6) { 1 + stream.below(320) } else { 0 };
        Spot { kind: kind as u8, hamlet: hamlet as u8, house: house as u16 }
    }

    /// "Thôn 3", "Xóm Đông", "Số 45, Tổ dân phố 7".
    pub fn text(self) -> String {
        let kind = SPOT_KINDS[usize::from(self.kind) % SPOT_KINDS.len()];
        let hamlet = match self.hamlet.checked_sub(100) {
            Some(name) => format!("{kind} {}", HAMLET_NAMES[usize::from(name) % HAMLET_NAMES.len()]),
            None => format!("{kind} {}", self.hamlet),
        };
        if self.house > 0 { format!("Số {}, {hamlet}", self.house) } else { hamlet }
    }
}

/// Any commune of the country, for people who came from elsewhere; every commune is equally likely.
pub fn any_commune(stream: &mut Stream) -> UnitCode {
    static COMMUNES: OnceLock<Vec<UnitCode>> = OnceLock::new();
    let communes = COMMUNES.get_or_init(|| units().level(UnitLevel::Commune).map(|unit| unit.code).collect());
    communes[stream.below(communes.len() as u32) as usize]
}

struct Tables {
    ethnic_mix: Vec<(u32, u8, u32)>,
    /// Sorted by province.
    old_id_prefixes: Vec<(u32, u8)>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let number = |text: Option<&str>| -> u32 {
            text.and_then(|text| text.parse().ok())
                .expect("the data is part of the program and a test reads it")
        };
        let rows = |csv: &'static str| csv.lines().skip(1).map(|row| row.split(','));
        Tables {
            ethnic_mix: rows(include_str!("../data/ethnic-mix.csv"))
                .map(|mut row| (number(row.next()), number(row.next()) as u8, number(row.next())))
                .collect(),
            old_id_prefixes: rows(include_str!("../data/old-id-prefixes.csv"))
                .map(|mut row| (number(row.next()), number(row.next()) as u8))
                .collect(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Streams;

    #[test]
    fn every_province_has_prefixes_and_a_majority() {
        let units = units();
        for province in units.level(UnitLevel::Province) {
            assert!(!old_id_prefixes(province.code).is_empty(), "{}", province.code);
            let weights = ethnic_weights(units, province.code);
            assert_eq!(weights[0].0, KINH);
            assert!(weights.iter().map(|(_, weight)| weight).sum::<u32>() <= 1100, "{}", province.code);
        }
    }

    #[test]
    fn a_town_has_fewer_minorities_than_the_country_around_it() {
        let units = units();
        let hmong = |unit: &str| {
            let weights = ethnic_weights(units, unit.parse().unwrap());
            weights.iter().find(|(group, _)| *group == HMONG).map_or(0, |(_, weight)| *weight)
        };
        assert!(hmong("024") < hmong("026"), "Hà Giang town against Đồng Văn district");
    }

    #[test]
    fn spots_are_written_as_on_an_envelope() {
        assert_eq!(Spot { kind: 0, hamlet: 3, house: 0 }.text(), "Thôn 3");
        assert_eq!(Spot { kind: 1, hamlet: 100, house: 0 }.text(), "Xóm Đông");
        assert_eq!(Spot { kind: 5, hamlet: 7, house: 45 }.text(), "Số 45, Tổ dân phố 7");
        let mut stream = Streams::new(1, b"spots").stream(0);
        for kind in ["xã", "phường", "thị trấn"] {
            for _ in 0..50 {
                let spot = Spot::draw(&mut stream, kind, Region::South, KINH);
                assert!(!spot.text().starts_with("Thôn"), "{}", spot.text());
            }
        }
    }
}
