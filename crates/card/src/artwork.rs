//! The two sides of the card as SVG, in millimetres of an ID-1 card (ISO/IEC 7810: 85.60 × 53.98 mm).
//!
//! The design is our own and copies no emblem. It uses presentation attributes only, no style sheets and no
//! scripts, so that a page with a strict content security policy can show it inline; the photo is a `data:`
//! URI. Labels are Vietnamese first, English below or after.

mod back;
mod front;
mod ornament;
mod text;

use crate::{CardError, data::CardData, jpeg};

/// Width of the card in millimetres.
pub const WIDTH_MM: f64 = 85.6;
/// Height of the card in millimetres.
pub const HEIGHT_MM: f64 = 53.98;

const INK: &str = "#1d2b33";
const LABEL: &str = "#4b6470";
const ACCENT: &str = "#8f2f2a";

/// What stands across the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// "MẪU / SPECIMEN": the holder does not exist.
    Specimen,
    /// Nothing.
    Issued,
}

/// The side with photo, number and QR code. `photo` is a JPEG; without one a silhouette is drawn.
pub fn front(card: &CardData<'_>, photo: Option<&[u8]>, marking: Marking) -> Result<String, CardError> {
    if let Some(photo) = photo {
        jpeg::dimensions(photo)?;
    }
    front::draw(card, photo, marking)
}

/// The side with marks, day of issue, chip and machine-readable zone. Fingerprints are biometrics and do not go
/// through here: the two boxes for them hold an ornament.
pub fn back(card: &CardData<'_>, marking: Marking) -> String {
    back::draw(card, marking)
}

/// The outer element; `side` keeps the ids of two cards' sides on one page apart.
fn frame(side: &str, title: &str, marking: Marking, content: &str) -> String {
    let mark = match marking {
        Marking::Specimen => ornament::specimen(),
        Marking::Issued => String::new(),
    };
    let defs = ornament::definitions(side);
    let ground = ornament::ground(side);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}" role="img" aria-label="{title}" font-family="'Be Vietnam Pro','Noto Sans','Liberation Sans',Arial,sans-serif" text-rendering="geometricPrecision">{defs}<g clip-path="url(#{side}-edge)">{ground}{content}{mark}</g></svg>"#
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        data::{CardFields, tests::sample},
        jpeg::tests::headers,
    };

    fn both(fields: CardFields<'_>) -> String {
        let card = CardData::new(fields).unwrap();
        let front = front(&card, Some(&headers(240, 320)), Marking::Specimen).unwrap();
        front + &back(&card, Marking::Specimen)
    }

    /// Every element that is opened is closed, in order; attribute values are quoted.
    fn is_well_formed(svg: &str) -> bool {
        let mut open: Vec<&str> = Vec::new();
        for part in svg.split('<').skip(1) {
            let Some((tag, _text)) = part.split_once('>') else { return false };
            if tag.matches('"').count() % 2 != 0 {
                return false;
            }
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
            if tag.starts_with('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        open.is_empty()
    }

    #[test]
    fn both_sides_show_what_the_card_says() {
        let svg = both(sample());
        assert!(is_well_formed(&svg));
        for shown in [
            "001199012345",
            "NGUYỄN THỊ MẪU",
            "01/01/1999",
            "Nữ",
            "06/04/2021",
            "01/01/2039",
            "data:image/jpeg;base64,/9j",
            "MẪU",
            "SPECIMEN",
            "IDVNM1990123456001199012345&lt;&lt;7",
        ] {
            assert!(svg.contains(shown), "{shown}");
        }
        // A strict content security policy would drop these.
        assert!(!svg.contains(" style=") && !svg.contains("<style") && !svg.contains("<script"));
    }

    #[test]
    fn an_issued_card_bears_no_mark() {
        let card = CardData::new(sample()).unwrap();
        assert!(!back(&card, Marking::Issued).contains("SPECIMEN"));
        assert!(!front(&card, None, Marking::Issued).unwrap().contains("SPECIMEN"));
        assert!(front(&card, Some(b"no photo"), Marking::Issued).is_err());
    }

    proptest! {
        #[test]
        fn any_text_leaves_the_drawing_well_formed(name in "[<>&\"'A-Za-zà-ỹ ]{1,90}", place in "\\PC{0,140}") {
            let name = format!("A{name}");
            let fields = CardFields { name: &name, residence: &place, native_place: &place, marks: &place, ..sample() };
            if CardData::new(fields.clone()).is_ok() {
                prop_assert!(is_well_formed(&both(fields)));
            }
        }
    }
}
