//! What happens to a record on paper: the corruption model, whose shares the crate's front page lists.

use super::Entry;
use crate::names;
use crate::places::Region;
use crate::stream::Stream;
use domain::Sex;
use domain::text::fold_ascii;

/// How far a person's second record is from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// At most one slip.
    Light,
    /// Another residence, and at most one slip.
    Moved,
    /// Two to five slips.
    Hard,
    /// Another name on purpose, and often another date or other parents.
    Alias,
}

impl Kind {
    /// In the order in which they are drawn from.
    pub const ALL: [Kind; 4] = [Kind::Light, Kind::Moved, Kind::Hard, Kind::Alias];

    /// Name in the truth file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Light => "light",
            Kind::Moved => "moved",
            Kind::Hard => "hard",
            Kind::Alias => "alias",
        }
    }
}

/// What is missing or vague from the start.
pub(super) fn first_paper(entry: &mut Entry, stream: &mut Stream) {
    let age = 2021 - i32::from(entry.birth_year);
    if age > 55 && stream.chance(0.09) {
        unknown_day(entry, stream);
    }
    if stream.chance(if age > 50 { 0.10 } else { 0.03 }) {
        entry.father_name.clear();
    }
    if stream.chance(if age > 50 { 0.08 } else { 0.02 }) {
        entry.mother_name.clear();
    }
    for (text, share) in
        [(&mut entry.hometown, 0.03), (&mut entry.birth_province, 0.03), (&mut entry.address_line, 0.1)]
    {
        if stream.chance(share) {
            text.clear();
        }
    }
    if stream.chance(0.02) {
        strip_marks(entry);
    }
}

/// The year alone, as nothing or as 01/01.
fn unknown_day(entry: &mut Entry, stream: &mut Stream) {
    let day = u8::from(stream.chance(0.6));
    (entry.birth_day, entry.birth_month) = (day, day);
}

fn strip_marks(entry: &mut Entry) {
    for name in [&mut entry.full_name, &mut entry.father_name, &mut entry.mother_name] {
        *name = title(&fold_ascii(name));
    }
}

fn title(text: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    text.split(' ').map(capital).collect::<Vec<_>>().join(" ")
}

pub(super) fn second_paper(entry: &mut Entry, kind: Kind, ethnicity: u8, stream: &mut Stream) {
    let slips = match kind {
        Kind::Light | Kind::Moved => stream.weighted(&[45, 55]),
        Kind::Hard => 2 + stream.weighted(&[40, 35, 20, 5]),
        Kind::Alias => {
            alias(entry, ethnicity, stream);
            stream.weighted(&[50, 35, 15])
        }
    };
    for _ in 0..slips {
        slip(entry, stream);
    }
    // Two clerks write an address in two ways.
    if stream.chance(0.5) {
        entry.address_line = match stream.below(3) {
            0 => String::new(),
            1 => fold_ascii(&entry.address_line),
            _ => entry.address_line.rsplit(", ").next().unwrap_or_default().to_owned(),
        };
    }
}

fn alias(entry: &mut Entry, ethnicity: u8, stream: &mut Stream) {
    let sex = entry.sex.unwrap_or(Sex::Male);
    let year = i32::from(entry.birth_year);
    let family = names::draw_family(stream, ethnicity, Region::South);
    let other = names::draw_name(stream, ethnicity, sex, year, family).text();
    // Mostly the given and middle names change, now and then the surname too.
    entry.full_name = match entry.full_name.split_once(' ') {
        Some((surname, _)) if stream.chance(0.8) => {
            format!("{surname} {}", other.split_once(' ').map_or(&*other, |(_, rest)| rest))
        }
        _ => other,
    };
    if stream.chance(0.6) {
        entry.birth_year = (year + stream.between(-6, 6)) as u16;
        (entry.birth_day, entry.birth_month) = (1 + stream.below(28) as u8, 1 + stream.below(12) as u8);
    }
    if stream.chance(0.4) {
        entry.father_name.clear();
    }
    if stream.chance(0.3) {
        entry.mother_name.clear();
    }
}

/// One thing that goes wrong.
fn slip(entry: &mut Entry, stream: &mut Stream) {
    match stream.weighted(&[16, 8, 8, 9, 7, 2, 1, 6, 6, 6, 5, 4, 1, 7, 8, 3, 3, 2]) {
        0 => strip_marks(entry),
        1 => {
            if stream.chance(0.5) {
                entry.full_name = entry.full_name.to_uppercase();
            }
            respell(&mut entry.full_name, &TONES, stream);
        }
        2 => respell(&mut entry.full_name, &DIALECT, stream),
        3 => typo(&mut entry.full_name, stream),
        4 => middle(&mut entry.full_name, stream),
        5 => {
            // The given name first, as foreigners write it.
            if let Some((rest, given)) = entry.full_name.rsplit_once(' ') {
                entry.full_name = format!("{given} {rest}");
            }
        }
        6 => respell(&mut entry.full_name, &SURNAMES, stream),
        7 => std::mem::swap(&mut entry.birth_day, &mut entry.birth_month),
        8 => unknown_day(entry, stream),
        9 => {
            let digit = if entry.birth_day > 9 { entry.birth_day % 10 } else { entry.birth_day };
            entry.birth_day = digit + 10 * stream.below(3) as u8;
        }
        10 => {
            entry.birth_year = (i32::from(entry.birth_year) + if stream.chance(0.5) { 1 } else { -1 }) as u16
        }
        11 => entry.birth_year = (i32::from(entry.birth_year) + 10 * stream.between(-2, 2)) as u16,
        12 => entry.sex = None,
        13 => match stream.below(3) {
            0 => entry.father_name.clear(),
            1 => entry.mother_name.clear(),
            _ => (entry.father_name, entry.mother_name) = (String::new(), String::new()),
        },
        14 => {
            let name = if stream.chance(0.5) { &mut entry.father_name } else { &mut entry.mother_name };
            match stream.below(4) {
                0 => typo(name, stream),
                1 => middle(name, stream),
                2 => respell(name, &DIALECT, stream),
                _ => respell(name, &TONES, stream),
            }
        }
        15 => entry.hometown = entry.residence.clone(),
        16 => entry.hometown.clear(),
        _ => entry.birth_province.clear(),
    }
}

/// The tone on another vowel, both styles being in use; i for y.
const TONES: [(&str, &str); 12] = [
    ("òa", "oà"),
    ("óa", "oá"),
    ("ỏa", "oả"),
    ("ùy", "uỳ"),
    ("úy", "uý"),
    ("ủy", "uỷ"),
    ("Lý", "Lí"),
    ("Mỹ", "Mĩ"),
    ("Kỳ", "Kì"),
    ("Vy", "Vi"),
    ("ễ", "ể"),
    ("ũ", "ủ"),
];

/// As another region says it.
const DIALECT: [(&str, &str); 16] = [
    ("Tr", "Ch"),
    ("Ch", "Tr"),
    ("S", "X"),
    ("X", "S"),
    ("L", "N"),
    ("N", "L"),
    ("D", "Gi"),
    ("Gi", "D"),
    ("V", "D"),
    ("R", "D"),
    ("an", "ang"),
    ("uyên", "uyêng"),
    ("ất", "ấc"),
    ("iết", "iếc"),
    ("ung", "un"),
    ("y", "i"),
];

const SURNAMES: [(&str, &str); 4] =
    [("Hoàng ", "Huỳnh "), ("Huỳnh ", "Hoàng "), ("Vũ ", "Võ "), ("Võ ", "Vũ ")];

/// Replaces one of the spellings that occur, drawn; nothing if none does.
fn respell(name: &mut String, pairs: &[(&str, &str)], stream: &mut Stream) {
    let found: Vec<&(&str, &str)> = pairs.iter().filter(|(from, _)| name.contains(from)).collect();
    if !found.is_empty() {
        let (from, to) = found[stream.below(found.len() as u32) as usize];
        *name = name.replacen(from, to, 1);
    }
}

/// One letter dropped, doubled, exchanged with its neighbour, or another, in any word.
fn typo(name: &mut String, stream: &mut Stream) {
    let mut letters: Vec<char> = name.chars().collect();
    if letters.len() < 3 {
        return;
    }
    let at = 1 + stream.below(letters.len() as u32 - 2) as usize;
    if letters[at] == ' ' || letters[at - 1] == ' ' {
        return;
    }
    match stream.below(4) {
        0 => drop(letters.remove(at)),
        1 => letters.insert(at, letters[at]),
        2 => letters.swap(at - 1, at),
        _ => letters[at] = ['a', 'e', 'h', 'i', 'm', 'n', 'o', 't'][stream.below(8) as usize],
    }
    *name = letters.into_iter().collect();
}

/// A middle name lost, or one more.
fn middle(name: &mut String, stream: &mut Stream) {
    let words: Vec<&str> = name.split(' ').collect();
    if words.len() > 2 && stream.chance(0.75) {
        let lost = 1 + stream.below(words.len() as u32 - 2) as usize;
        let kept = words.iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, word)| *word);
        *name = kept.collect::<Vec<_>>().join(" ");
    } else if words.len() > 1 {
        let more = ["Thị", "Văn", "Ngọc", "Minh", "Thanh", "Đức"][stream.below(6) as usize];
        *name = format!("{} {more} {}", words[0], words[1..].join(" "));
    }
}
