//! Names as they are given: by sex, birth cohort, region and ethnic group (`data/README.md`).
//!
//! A name is four numbers into one table of words, eight bytes in all, because a province has millions of
//! them.

use std::sync::OnceLock;

use crate::places::{EDE, KINH, Region};
use crate::stream::Stream;
use domain::Sex;

/// A name as indices into the table of words; 0 in a middle place means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameParts {
    family: u16,
    middle: [u16; 2],
    given: u16,
}

impl NameParts {
    /// The family name (the clan for Ê-đê), as a number that is equal for equal names.
    pub fn family(self) -> u16 {
        self.family
    }

    /// The same family name with the rest of `other`.
    pub fn with_rest_of(self, other: NameParts) -> NameParts {
        NameParts { family: self.family, ..other }
    }

    /// The name as spoken: family, middle, given; an Ê-đê clan comes last.
    pub fn text(self) -> String {
        let tables = tables();
        let word = |index: u16| tables.words[usize::from(index)];
        let clan_last = tables.clans.contains(&self.family);
        let first = if clan_last { "" } else { word(self.family) };
        let last = if clan_last { word(self.family) } else { "" };
        let mut text = String::with_capacity(32);
        for part in [first, word(self.middle[0]), word(self.middle[1]), word(self.given), last] {
            if !part.is_empty() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(part);
            }
        }
        text
    }
}

/// Draws a family name that is common in the region for the group.
pub fn draw_family(stream: &mut Stream, ethnicity: u8, region: Region) -> u16 {
    tables().group(ethnicity).family[region as usize].draw(stream)
}

/// Draws the rest of a name to go with `family`.
pub fn draw_name(stream: &mut Stream, ethnicity: u8, sex: Sex, birth_year: i32, family: u16) -> NameParts {
    let tables = tables();
    let cohort = cohort(birth_year);
    let sex = usize::from(sex == Sex::Female);
    let group = tables.group(ethnicity);
    let first = group.middle[sex][cohort].draw(stream);
    let given = loop {
        let given = group.given[sex][cohort].draw(stream);
        if given != first {
            break given;
        }
    };
    let mut name = NameParts { family, middle: [first, 0], given };
    // Names of four words have spread since the nineties: "Nguyễn Thị Ngọc Anh", "Trần Hoàng Minh Quân".
    let second_share = [0.06, 0.16, 0.28][cohort] * if sex == 1 { 1.4 } else { 1.0 };
    if first != 0 && ethnicity != EDE && stream.chance(second_share) {
        let second = tables.group(KINH).middle[sex][cohort].draw(stream);
        if ![first, given, tables.thi, tables.van].contains(&second) {
            name.middle[1] = second;
        }
    }
    name
}

/// Gives a brother or sister the first middle name of the elder, unless that would repeat the given name.
pub fn share_middle(name: NameParts, elder: NameParts) -> NameParts {
    if name.given == elder.middle[0] || name.middle[1] == elder.middle[0] {
        return name;
    }
    NameParts { middle: [elder.middle[0], name.middle[1]], ..name }
}

fn cohort(birth_year: i32) -> usize {
    match birth_year {
        ..1975 => 0,
        1975..1995 => 1,
        _ => 2,
    }
}

/// Words with cumulative weights.
#[derive(Default, Clone)]
struct Choice {
    words: Vec<u16>,
    upto: Vec<u32>,
}

impl Choice {
    fn push(&mut self, word: u16, weight: u32) {
        if weight > 0 {
            self.words.push(word);
            self.upto.push(self.upto.last().unwrap_or(&0) + weight);
        }
    }

    fn draw(&self, stream: &mut Stream) -> u16 {
        let at = stream.below(self.upto.last().copied().unwrap_or(0));
        let index = self.upto.partition_point(|upto| *upto <= at);
        self.words.get(index).copied().unwrap_or(0)
    }
}

/// The names of one ethnic group.
#[derive(Default, Clone)]
struct Group {
    /// By region.
    family: [Choice; 4],
    /// By sex, then cohort.
    middle: [[Choice; 3]; 2],
    given: [[Choice; 3]; 2],
}

struct Tables {
    /// Word 0 is empty.
    words: Vec<&'static str>,
    /// By code of the group; a group without rows has empty choices until [`Tables::complete`].
    groups: Vec<Group>,
    clans: Vec<u16>,
    thi: u16,
    van: u16,
}

impl Tables {
    fn group(&self, ethnicity: u8) -> &Group {
        self.groups.get(usize::from(ethnicity)).unwrap_or(&self.groups[usize::from(KINH)])
    }

    fn word(&mut self, text: &'static str) -> u16 {
        let found = self.words.iter().position(|word| *word == text);
        let index = found.unwrap_or_else(|| {
            self.words.push(text);
            self.words.len() - 1
        });
        u16::try_from(index).expect("a test counts the words of the data, far below 65,536")
    }

    /// Where a group has no rows of its own it takes the names of the majority.
    fn complete(&mut self) {
        let kinh = self.groups[usize::from(KINH)].clone();
        let fill = |own: &mut Choice, common: &Choice| {
            if own.words.is_empty() {
                *own = common.clone();
            }
        };
        for group in &mut self.groups {
            for (own, common) in group.family.iter_mut().zip(&kinh.family) {
                fill(own, common);
            }
            for (own, common) in group.middle.iter_mut().flatten().zip(kinh.middle.iter().flatten()) {
                fill(own, common);
            }
            for (own, common) in group.given.iter_mut().flatten().zip(kinh.given.iter().flatten()) {
                fill(own, common);
            }
        }
    }
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let groups = vec![Group::default(); 57];
        let mut tables = Tables { words: vec![""], groups, clans: Vec::new(), thi: 0, van: 0 };
        tables.thi = tables.word("Thị");
        tables.van = tables.word("Văn");
        for row in rows(include_str!("../data/names-family.csv")) {
            let (group, word) = (number(row[0]) as usize, tables.word(row[1]));
            for (region, weight) in row[2..].iter().enumerate() {
                tables.groups[group].family[region].push(word, number(weight));
            }
            if group == usize::from(EDE) {
                tables.clans.push(word);
            }
        }
        for (csv, middle) in [
            (include_str!("../data/names-middle.csv"), true),
            (include_str!("../data/names-given.csv"), false),
        ] {
            for row in rows(csv) {
                let (group, sex, word) =
                    (number(row[0]) as usize, number(row[1]) as usize - 1, tables.word(row[2]));
                let group = &mut tables.groups[group];
                let choices = if middle { &mut group.middle[sex] } else { &mut group.given[sex] };
                for (choice, weight) in choices.iter_mut().zip(&row[3..]) {
                    choice.push(word, number(weight));
                }
            }
        }
        tables.complete();
        tables
    })
}

fn rows(csv: &'static str) -> impl Iterator<Item = [&'static str; 6]> {
    csv.lines().skip(1).map(|row| {
        let mut fields = row.split(',');
        std::array::from_fn(|_| fields.next().expect("the data is part of the program and a test reads it"))
    })
}

fn number(text: &str) -> u32 {
    text.parse().expect("the data is part of the program and a test reads it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Streams;
    use domain::PersonName;

    fn draw(count: usize, ethnicity: u8, region: Region, sex: Sex, year: i32) -> Vec<String> {
        let mut stream = Streams::new(9, b"names").stream(u64::from(ethnicity));
        (0..count)
            .map(|_| {
                let family = draw_family(&mut stream, ethnicity, region);
                draw_name(&mut stream, ethnicity, sex, year, family).text()
            })
            .collect()
    }

    fn share(names: &[String], test: impl Fn(&str) -> bool) -> f64 {
        names.iter().filter(|name| test(name)).count() as f64 / names.len() as f64
    }

    #[test]
    fn family_names_have_their_published_shares_and_their_region() {
        let north = draw(50_000, KINH, Region::North, Sex::Male, 1980);
        let south = draw(50_000, KINH, Region::South, Sex::Male, 1980);
        for (family, expected) in [("Nguyễn ", 0.384), ("Trần ", 0.11), ("Lê ", 0.095), ("Phạm ", 0.071)]
        {
            for names in [&north, &south] {
                assert!((share(names, |name| name.starts_with(family)) - expected).abs() < 0.006, "{family}");
            }
        }
        assert!(share(&north, |name| name.starts_with("Huỳnh ")) < 0.003);
        assert!(share(&south, |name| name.starts_with("Huỳnh ")) > 0.04);
        assert!(share(&north, |name| name.starts_with("Vũ ")) > 0.03);
        assert!(share(&south, |name| name.starts_with("Vũ ")) < 0.01);
    }

    #[test]
    fn thi_and_van_fall_by_cohort() {
        for (sex, middle) in [(Sex::Female, " Thị "), (Sex::Male, " Văn ")] {
            let shares = [1950, 1985, 2010].map(|year| {
                share(&draw(10_000, KINH, Region::North, sex, year), |name| name.contains(middle))
            });
            assert!(shares[0] > shares[1] && shares[1] > shares[2], "{middle}: {shares:?}");
            assert!(shares[2] < 0.3, "{middle}: {shares:?}");
        }
    }

    #[test]
    fn groups_are_named_their_own_way() {
        let hmong = draw(200, crate::places::HMONG, Region::North, Sex::Male, 1990);
        assert!(share(&hmong, |name| name.contains(" A ")) > 0.4);
        let ede = draw(200, EDE, Region::SouthCentre, Sex::Female, 1990);
        assert!(ede.iter().all(|name| name.starts_with("H'") && name.split(' ').count() == 2), "{ede:?}");
        let tay = draw(2000, 2, Region::North, Sex::Male, 1990);
        assert!(share(&tay, |name| name.starts_with("Nông ")) > 0.1);
        let foreign = draw(10, 55, Region::North, Sex::Male, 1990);
        assert!(foreign.iter().all(|name| name.contains(' ')));
    }

    #[test]
    fn every_name_is_one_the_register_takes_and_there_are_many() {
        let mut names = draw(20_000, KINH, Region::North, Sex::Female, 2010);
        for ethnicity in 0..=60 {
            names.extend(draw(300, ethnicity, Region::North, Sex::Male, 1960));
        }
        assert!(names.iter().all(|name| PersonName::parse(name).is_ok_and(|parsed| parsed.as_str() == name)));
        names.sort_unstable();
        names.dedup();
        assert!(names.len() > 12_000, "{}", names.len());
    }
}
