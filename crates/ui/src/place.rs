//! Administrative units in words, with the capitals of Decree 30/2020: the kind of a unit is a common noun
//! and small, "xã Thạch Hải, huyện Thạch Hà, tỉnh Hà Tĩnh", but where a line begins with it.

use domain::UnitCode;
use domain::unit::{Unit, Units};

/// The unit alone, inside a sentence: "xã Thạch Hải"; the code when the list does not know it.
pub fn own(units: Units<'_>, code: &str) -> String {
    let found = code.parse::<UnitCode>().ok().and_then(|code| units.get(code));
    found.map_or_else(|| code.to_owned(), Unit::in_sentence)
}

/// The unit and all above it, inside a sentence; the code when the list does not know it.
pub fn full(units: Units<'_>, code: &str) -> String {
    let chain = code.parse::<UnitCode>().ok().into_iter().flat_map(|code| units.chain(code));
    let names: Vec<String> = chain.map(Unit::in_sentence).collect();
    if names.is_empty() { code.to_owned() } else { names.join(", ") }
}

/// The same at the head of a line, a cell or a heading: "Xã Thạch Hải".
pub fn at_head(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_name_has_capitals() {
        let units = Units::latest();
        assert_eq!(full(units, "18562"), "thị trấn Thạch Hà, huyện Thạch Hà, tỉnh Hà Tĩnh");
        assert_eq!(at_head(&own(units, "18562")), "Thị trấn Thạch Hà");
        // A number is no name: the kind is a part of it. The city bears its kind by law.
        assert_eq!(full(units, "760"), "Quận 1, Thành phố Hồ Chí Minh");
        assert_eq!((own(units, "99999"), full(units, "x")), ("99999".to_owned(), "x".to_owned()));
        assert_eq!(at_head("đô thị"), "Đô thị");
    }
}
