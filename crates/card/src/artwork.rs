//! The two sides of the card, in millimetres of an ID-1 card (ISO/IEC 7810: 85.60 × 53.98 mm).
//!
//! The design is our own and copies no emblem. Labels are Vietnamese first, English below or after. Text is
//! laid out by the widths of the fonts under `data/fonts`, so that a long name is neither cut nor laid over
//! its neighbour.
//!
//! For a page, [`front`] and [`back`] give SVG with presentation attributes only, no style sheets and no
//! scripts, so that a page with a strict content security policy can show it inline; the photo is a `data:`
//! URI. For a printer, [`draw_front`] and [`draw_back`] give a [`Drawing`], which crate `print` writes as PDF
//! and [`Drawing::to_svg`] as an SVG file with the fonts in it.

pub mod drawing;
pub mod fonts;

mod back;
mod front;
mod ornament;
mod svg;
mod text;

use crate::{CardError, data::CardData};
use drawing::{Colour, Drawing, Edge, Item, Run};
use fonts::Font;

/// Width of the card in millimetres.
pub const WIDTH_MM: f64 = 85.6;
/// Height of the card in millimetres.
pub const HEIGHT_MM: f64 = 53.98;
/// The usual bleed of card printers in millimetres.
pub const BLEED_MM: f64 = 3.0;
/// The resolution that a photo must be printed with.
pub const PHOTO_DPI: f64 = 300.0;

const INK: Colour = Colour(0x1d, 0x2b, 0x33);
const LABEL: Colour = Colour(0x44, 0x5c, 0x68);
const ACCENT: Colour = Colour(0x8f, 0x2f, 0x2a);
const WHITE: Colour = Colour(0xff, 0xff, 0xff);
/// What machines read is black, which printers make of black ink alone.
const BLACK: Colour = Colour(0, 0, 0);
/// Labels: 5.5 points in millimetres. Nothing that every card bears is smaller.
const SMALL: f64 = 1.95;

/// What stands across the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// "MẪU / SPECIMEN": the holder does not exist.
    Specimen,
    /// Nothing.
    Issued,
}

/// What a side is drawn on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sheet {
    pub marking: Marking,
    pub edge: Edge,
}

impl Sheet {
    fn finish(
        self,
        side: &'static str,
        title: &'static str,
        mut items: Vec<Item>,
        squeezed: Vec<&'static str>,
    ) -> Drawing {
        if self.marking == Marking::Specimen {
            ornament::specimen(&mut items);
        }
        Drawing { side, title, edge: self.edge, items, squeezed }
    }
}

/// The side with photo, number and QR code. `photo` is a JPEG; without one a silhouette is drawn.
pub fn draw_front(card: &CardData<'_>, photo: Option<&[u8]>, sheet: Sheet) -> Result<Drawing, CardError> {
    front::draw(card, photo, sheet)
}

/// The side with marks, day of issue, chip and machine-readable zone. Fingerprints are biometrics and do not
/// go through here: the two boxes for them hold an ornament.
pub fn draw_back(card: &CardData<'_>, sheet: Sheet) -> Drawing {
    back::draw(card, sheet)
}

/// Whether all that a card says of its holder can be printed: at sizes that can be read, in letters that the
/// card's fonts have. To be asked before anything is signed: a chip whose card cannot be printed is made in
/// vain.
///
/// # Errors
/// The first field that cannot be printed.
pub fn printable(card: &CardData<'_>) -> Result<(), CardError> {
    let fields = card.fields();
    let (mut items, mut squeezed) = (Vec::new(), Vec::new());
    front::fields(fields, &mut items, &mut squeezed);
    back::marks(fields, &mut items, &mut squeezed);
    drawing::legible(&squeezed)?;
    let name = fields.name.to_uppercase();
    let texts = [
        ("name", name.as_str(), Font::Bold),
        ("nationality", fields.nationality, Font::Regular),
        ("native_place", fields.native_place, Font::Regular),
        ("residence", fields.residence, Font::Regular),
        ("marks", fields.marks, Font::Regular),
    ];
    match texts.into_iter().find(|(_, text, font)| font.set(text, 0.0).missing.is_some()) {
        None => Ok(()),
        Some((field, ..)) => {
            Err(CardError::Field { field, problem: "has a letter that the card's fonts do not have" })
        }
    }
}

/// [`draw_front`] as SVG for a page.
pub fn front(card: &CardData<'_>, photo: Option<&[u8]>, marking: Marking) -> Result<String, CardError> {
    Ok(svg::inline(&draw_front(card, photo, Sheet { marking, edge: Edge::Round })?))
}

/// [`draw_back`] as SVG for a page.
pub fn back(card: &CardData<'_>, marking: Marking) -> String {
    svg::inline(&draw_back(card, Sheet { marking, edge: Edge::Round }))
}

impl Drawing {
    /// An SVG file in the size of the card and its bleed, with the fonts in it, which looks everywhere as the
    /// PDF does.
    pub fn to_svg(&self) -> String {
        svg::standalone(self)
    }
}

/// A field's name in both languages, to stand before its value.
fn label(vietnamese: &str, english: &str) -> Vec<Run> {
    vec![
        Run::new(format!("{vietnamese} / "), Font::Regular, SMALL, LABEL),
        Run::new(format!("{english}: "), Font::Italic, SMALL, LABEL),
    ]
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

    #[test]
    fn what_cannot_be_printed_is_named_before_anything_is_drawn() {
        let problem = |fields: CardFields<'_>| match printable(&CardData::new(fields).unwrap()) {
            Ok(()) => "",
            Err(CardError::Field { field, .. }) => field,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(problem(sample()), "");
        let long = "WWWWWWWWW ".repeat(29);
        assert_eq!(problem(CardFields { residence: long.trim_end(), ..sample() }), "residence");
        assert_eq!(problem(CardFields { marks: "漢", ..sample() }), "marks");
    }

    /// Doc 9303-5 §4.2.1.3 and figure 6: the first character 5.0 ± 1.0 mm from the left edge, ten to the
    /// inch, all three lines in a zone 23.3 mm high at the lower edge.
    #[test]
    fn the_machine_readable_zone_lies_where_readers_look() {
        let card = CardData::new(sample()).unwrap();
        let drawing = draw_back(&card, Sheet { marking: Marking::Issued, edge: Edge::Square });
        let lines: Vec<_> = drawing
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Text(text) if text.runs[0].font == Font::OcrB => Some(text),
                _ => None,
            })
            .collect();
        assert_eq!(lines.len(), 3);
        for line in lines {
            let ([x, baseline], run) = (line.at, &line.runs[0]);
            assert!((4.0..=6.0).contains(&x), "{x}");
            let capital_height = run.size * 0.75;
            assert!(baseline - capital_height > HEIGHT_MM - 23.3 && baseline < HEIGHT_MM, "{baseline}");
            let width = run.font.set(&run.text, 0.0).width * run.size;
            assert!((width - 30.0 * 2.54).abs() < 0.01, "{width}");
        }
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

    fn drawn(fields: CardFields<'_>) -> [Drawing; 2] {
        let sheet = Sheet { marking: Marking::Issued, edge: Edge::Bleed(BLEED_MM) };
        let card = CardData::new(fields).unwrap();
        [draw_front(&card, Some(&headers(240, 360)), sheet).unwrap(), draw_back(&card, sheet)]
    }

    fn texts(drawing: &Drawing) -> impl Iterator<Item = &drawing::Text> {
        drawing.items.iter().filter_map(|item| match item {
            Item::Text(text) => Some(text),
            _ => None,
        })
    }

    /// Left, top, right and bottom of the letters, with room for marks above capitals and dots below.
    fn bounds(text: &drawing::Text) -> [f64; 4] {
        let size = text.runs.iter().map(|run| run.size).fold(0.0, f64::max);
        let left = match text.anchor {
            drawing::Anchor::Start => text.at[0],
            drawing::Anchor::Middle => text.at[0] - text.width() / 2.0,
        };
        [left, text.at[1] - 0.72 * size, left + text.width(), text.at[1] + 0.2 * size]
    }

    /// A name of 60 characters, an address of three lines, letters of the highlands.
    fn long() -> CardFields<'static> {
        CardFields {
            name: "Nguyễn Hoàng Trương Thị Phương Nghiêm Thuỷ Quỳnh Trường Giang",
            native_place: "Thị trấn Phong Nha, Huyện Bố Trạch, Tỉnh Quảng Bình",
            residence: "Số nhà 1024/35/7, đường Nguyễn Thị Minh Khai, tổ dân phố 12, khu phố Trường Thọ, \
                        Phường Linh Trung, Thành phố Thủ Đức, Thành phố Hồ Chí Minh",
            marks: "Sẹo chấm cách 3,5cm dưới trước đuôi mắt trái, nốt ruồi cách 1cm trên sau mép phải, sẹo \
                    dài ở cằm",
            ..sample()
        }
    }

    #[test]
    fn texts_of_long_fields_stay_on_the_card_and_off_each_other() {
        let highland =
            CardFields {
                name: "H'Bhiêng Ƀuôn Yă Niê Kđăm Êban Čư", residence: long().residence, ..sample()
            };
        for fields in [sample(), long(), highland] {
            for drawing in drawn(fields) {
                assert_eq!(drawing.squeezed, [""; 0]);
                drawing.legible().unwrap();
                let all: Vec<_> = texts(&drawing).map(bounds).collect();
                for (index, one) in all.iter().enumerate() {
                    assert!(one[0] > 1.0 && one[1] > 1.0, "{one:?}");
                    assert!(one[2] < WIDTH_MM - 1.0 && one[3] < HEIGHT_MM - 1.0, "{one:?}");
                    for other in &all[index + 1..] {
                        let apart = one[2] <= other[0] || other[2] <= one[0];
                        assert!(apart || one[3] <= other[1] || other[3] <= one[1], "{one:?} {other:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_is_cut_and_nothing_is_too_small() {
        let fields = long();
        let [front, back] = drawn(fields.clone());
        let words = |drawing: &Drawing| {
            let runs = texts(drawing).flat_map(|text| text.runs.iter().map(|run| run.text.clone()));
            runs.collect::<Vec<_>>().join(" ")
        };
        for word in fields.name.to_uppercase().split(' ').chain(fields.residence.split(' ')) {
            assert!(words(&front).contains(word), "{word}");
        }
        assert!(fields.marks.split(' ').all(|word| words(&back).contains(word)));
        let points = 72.0 / 25.4;
        let smallest = [front, back]
            .iter()
            .flat_map(|side| texts(side).flat_map(|text| &text.runs).map(|run| run.size).collect::<Vec<_>>())
            .fold(f64::MAX, f64::min);
        assert!(smallest * points >= 5.1, "{smallest} mm");
    }

    #[test]
    fn what_cannot_be_printed_legibly_is_named() {
        let endless = "Thôn Liên Vinh, ".repeat(16);
        assert!(endless.len() <= 300);
        let [front, _] = drawn(CardFields { residence: &endless, native_place: &endless, ..sample() });
        assert!(front.legible().unwrap_err().to_string().contains("native_place"));
    }

    #[test]
    fn a_photo_of_the_box_s_proportions_is_printed_with_300_dpi() {
        let [front, back] = drawn(sample());
        assert!(front.photo_dpi().unwrap() >= PHOTO_DPI && back.photo_dpi().is_none());
    }

    #[test]
    fn a_file_of_its_own_carries_the_fonts_and_the_bleed() {
        let [front, back] = drawn(sample()).map(|drawing| drawing.to_svg());
        assert!(is_well_formed(&front) && is_well_formed(&back));
        assert!(front.contains(r#"viewBox="-3 -3 91.6 59.98" width="91.6mm" height="59.98mm""#));
        assert_eq!(front.matches("@font-face").count(), 3);
        assert!(back.contains("font-family:'OCR B'"));
    }

    proptest! {
        #[test]
        fn any_text_leaves_the_drawing_well_formed(name in "[<>&\"'A-Za-zà-ỹ \
                                                            ]{1,90}", place in "\\PC{0,140}") {
            let name = format!("A{name}");
            let (residence, native_place, marks) = (place.as_str(), place.as_str(), place.as_str());
            let fields = CardFields { name: &name, residence, native_place, marks, ..sample() };
            if CardData::new(fields.clone()).is_ok() {
                prop_assert!(is_well_formed(&both(fields)));
            }
        }
    }
}
