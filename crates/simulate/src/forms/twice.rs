//! Second forms of a person: how they differ from the first.

use super::FormNo;
use super::row::{Column, FormRow};
use crate::population::Person;
use crate::stream::Stream;
use domain::text::fold_ascii;

/// How a second form differs from the first. In every kind the personal number is missing from three forms in
/// five, so that not every pair is given away by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variation {
    /// Same house; one word of the name spelt otherwise: the tone elsewhere, i for y, or without its marks.
    Respelt,
    /// The same name in another household, usually of another commune: someone moved and was counted twice.
    OtherHousehold,
    /// Same house; only the year of birth, the older identity card or none, no parents' names.
    LessKnown,
}

impl Variation {
    /// In the order in which they are drawn from.
    pub const ALL: [Variation; 3] = [Variation::Respelt, Variation::OtherHousehold, Variation::LessKnown];

    /// Name in `truth.csv`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Variation::Respelt => "respelt",
            Variation::OtherHousehold => "other_household",
            Variation::LessKnown => "less_known",
        }
    }

    pub(super) fn apply(self, row: &mut FormRow, person: &Person, form_no: FormNo, stream: &mut Stream) {
        if stream.chance(0.6) {
            row.set(Column::Pin, String::new());
        }
        match self {
            Variation::Respelt => {
                let name = respell(row.get(Column::FullName), stream);
                row.set(Column::FullName, name);
            }
            Variation::OtherHousehold => {
                row.set(Column::PermanentUnit, form_no.unit.to_string());
                row.set(Column::PermanentDetail, format!("Thôn {}", 1 + stream.below(12)));
                row.set(Column::CurrentUnit, String::new());
                row.set(Column::CurrentDetail, String::new());
                row.set(Column::HouseholdNo, format!("{}-{:05}", form_no.unit, 90_000 + stream.below(9_999)));
                row.set(Column::RelationToHead, "99".to_owned());
            }
            Variation::LessKnown => {
                row.set(Column::BirthDate, person.birth.year().to_string());
                let old_id = person.old_ids[1].map_or_else(String::new, |old_id| old_id.as_str().to_owned());
                row.set(Column::OldId, old_id);
                for column in [Column::FatherName, Column::FatherPin, Column::MotherName, Column::MotherPin] {
                    row.set(column, String::new());
                }
            }
        }
    }
}

/// Old and new style of the same syllable; both are in use in official lists.
const PLACEMENTS: [(&str, &str); 12] = [
    ("ÒA", "OÀ"),
    ("ÓA", "OÁ"),
    ("ỎA", "OẢ"),
    ("ÕA", "OÃ"),
    ("ỌA", "OẠ"),
    ("ÒE", "OÈ"),
    ("ÙY", "UỲ"),
    ("ÚY", "UÝ"),
    ("ỦY", "UỶ"),
    ("ŨY", "UỸ"),
    ("ỤY", "UỴ"),
    ("ÓE", "OÉ"),
];
const I_FOR_Y: [(&str, &str); 4] = [("LÝ", "LÍ"), ("MỸ", "MĨ"), ("KỲ", "KÌ"), ("VY", "VI")];

/// The name with one word written otherwise; always another text than before.
fn respell(name: &str, stream: &mut Stream) -> String {
    let words: Vec<&str> = name.split(' ').collect();
    let change = |at: usize, word: String| {
        let parts: Vec<&str> =
            words.iter().enumerate().map(|(index, old)| if index == at { &*word } else { *old }).collect();
        parts.join(" ")
    };
    for (at, word) in words.iter().enumerate().rev() {
        if let Some((old, new)) = PLACEMENTS.iter().find(|(old, _)| word.ends_with(old)) {
            return change(at, word.replace(old, new));
        }
        if let Some((_, new)) = I_FOR_Y.iter().find(|(old, _)| word == old) {
            return change(at, (*new).to_owned());
        }
    }
    let marked: Vec<usize> = (0..words.len()).filter(|&at| fold_ascii(words[at]) != words[at]).collect();
    match marked.get(stream.below(marked.len() as u32) as usize) {
        Some(&at) => change(at, fold_ascii(words[at])),
        // A name without any mark: a middle name is left out, or one is invented.
        None if words.len() > 2 => change(1, String::new()).replace("  ", " "),
        None => format!("{} THỊ", words.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Streams;
    use domain::PersonName;

    #[test]
    fn respelling_changes_one_word_and_leaves_a_name() {
        let mut stream = Streams::new(1, b"respell").stream(0);
        assert_eq!(respell("NGUYỄN THỊ HÒA", &mut stream), "NGUYỄN THỊ HOÀ");
        assert_eq!(respell("TRẦN THÚY AN", &mut stream), "TRẦN THUÝ AN");
        assert_eq!(respell("LÝ VĂN SƠN", &mut stream), "LÍ VĂN SƠN");
        assert_eq!(respell("MA CAO LAN", &mut stream), "MA LAN");
        for name in ["PHẠM MINH", "MA LAN", "H'BIA NIÊ"] {
            let other = respell(name, &mut stream);
            assert_ne!(other, name);
            assert!(PersonName::parse(&other).is_ok_and(|parsed| parsed.as_str() == other));
        }
    }
}
