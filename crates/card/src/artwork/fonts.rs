//! The fonts of the card, and where they put each letter.
//!
//! Widths are those of the fonts themselves, so that what is laid out here stands the same in the PDF and in
//! an SVG that carries the fonts. A page that shows the SVG with other fonts sees about the same.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, Rect};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Distance between a letter and a mark that has no letter of its own with it, in em.
const MARK_GAP: f64 = 0.05;
/// What a character that the fonts lack is taken to be wide, in em.
const UNKNOWN_WIDTH: f64 = 1.0;

/// One of the four files under `data/fonts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Font {
    Regular,
    Bold,
    Italic,
    /// For the machine-readable zone (ISO 1073-2).
    OcrB,
}

static FACES: LazyLock<[Face<'static>; 4]> = LazyLock::new(|| {
    Font::ALL.map(|font| Face::parse(font.bytes(), 0).expect("the fonts of this crate are sound"))
});

/// A glyph of a text that was set. Lengths are in em.
#[derive(Clone, PartialEq)]
pub struct Glyph {
    /// In the font's file.
    pub id: u16,
    pub c: char,
    /// Of the glyph's origin from that of the text.
    pub x: f64,
    pub y: f64,
}

/// A text whose glyphs have their places.
#[derive(Clone, PartialEq)]
pub struct SetText {
    pub glyphs: Vec<Glyph>,
    /// In em.
    pub width: f64,
    /// The first character that the font has no glyph for.
    pub missing: Option<char>,
}

/// The letter that marks after it stand over or under.
struct Base {
    x: f64,
    glyph: GlyphId,
    /// Around it and the marks so far. Drawing an outline to know it takes longer than all else, and few
    /// letters need it.
    bounds: Option<Rect>,
}

impl Font {
    /// Every font that a card is set in.
    pub const ALL: [Font; 4] = [Font::Regular, Font::Bold, Font::Italic, Font::OcrB];

    /// The TrueType file.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Font::Regular => include_bytes!("../../data/fonts/NotoSans-Regular.ttf"),
            Font::Bold => include_bytes!("../../data/fonts/NotoSans-Bold.ttf"),
            Font::Italic => include_bytes!("../../data/fonts/NotoSans-Italic.ttf"),
            Font::OcrB => include_bytes!("../../data/fonts/OCRB.ttf"),
        }
    }

    /// The name by which a program that draws SVG finds the font.
    pub fn family(self) -> &'static str {
        match self {
            Font::OcrB => "OCR B",
            _ => "Noto Sans",
        }
    }

    /// As PDF and PostScript name it.
    pub fn postscript_name(self) -> &'static str {
        match self {
            Font::Regular => "NotoSans-Regular",
            Font::Bold => "NotoSans-Bold",
            Font::Italic => "NotoSans-Italic",
            Font::OcrB => "OCRB-Regular",
        }
    }

    /// Whether an SVG must ask for the slanted form.
    pub fn is_italic(self) -> bool {
        self == Font::Italic
    }

    /// As CSS counts it.
    pub fn weight(self) -> u16 {
        if self == Font::Bold { 700 } else { 400 }
    }

    /// In em: the whole width of a letter in this font.
    pub fn advance(self, glyph: u16) -> f64 {
        let face = self.face();
        f64::from(face.glyph_hor_advance(GlyphId(glyph)).unwrap_or(0)) / f64::from(face.units_per_em())
    }

    /// Ascent, descent (below zero), height of a capital, and the box around all glyphs (left, bottom, right,
    /// top), in em.
    pub fn metrics(self) -> ([f64; 3], [f64; 4]) {
        let face = self.face();
        let em = |units: i16| f64::from(units) / f64::from(face.units_per_em());
        let capital = face.capital_height().unwrap_or(700);
        let all = face.global_bounding_box();
        (
            [em(face.ascender()), em(face.descender()), em(capital)],
            [em(all.x_min), em(all.y_min), em(all.x_max), em(all.y_max)],
        )
    }

    /// Puts the glyphs of a text side by side, without kerning: at two millimetres nobody sees it, and it
    /// would differ from program to program. A mark without a letter of its own (as in ơ̆) is centred over or
    /// under its base.
    pub fn set(self, text: &str, spacing_em: f64) -> SetText {
        let mut set = SetText { glyphs: Vec::new(), width: 0.0, missing: None };
        let mut base: Option<Base> = None;
        for c in text.nfc() {
            let Some(glyph) = self.face().glyph_index(c) else {
                set.missing = set.missing.or(Some(c));
                set.width += UNKNOWN_WIDTH + spacing_em;
                base = None;
                continue;
            };
            match base.as_mut() {
                Some(base) if is_combining_mark(c) => {
                    let (dx, dy) = self.lift(glyph, base);
                    set.glyphs.push(Glyph { id: glyph.0, c, x: base.x + dx, y: dy });
                }
                _ => {
                    set.glyphs.push(Glyph { id: glyph.0, c, x: set.width, y: 0.0 });
                    base = Some(Base { x: set.width, glyph, bounds: None });
                    set.width += self.advance(glyph.0) + spacing_em;
                }
            }
        }
        set
    }

    /// How far a mark moves to stand over (or under) what is there, which then includes it.
    fn lift(self, mark: GlyphId, base: &mut Base) -> (f64, f64) {
        let face = self.face();
        let em = f64::from(face.units_per_em());
        base.bounds = base.bounds.or_else(|| face.glyph_bounding_box(base.glyph));
        let (Some(own), Some(base)) = (face.glyph_bounding_box(mark), &mut base.bounds) else {
            return (0.0, 0.0);
        };
        let middle = |rect: &Rect| (f64::from(rect.x_min) + f64::from(rect.x_max)) / 2.0;
        let dx = middle(base) - middle(&own);
        let gap = MARK_GAP * em;
        let dy = if own.y_max <= 0 {
            (f64::from(base.y_min) - gap - f64::from(own.y_max)).min(0.0)
        } else {
            (f64::from(base.y_max) + gap - f64::from(own.y_min)).max(0.0)
        };
        base.y_max = base.y_max.max((f64::from(own.y_max) + dy) as i16);
        base.y_min = base.y_min.min((f64::from(own.y_min) + dy) as i16);
        (dx / em, dy / em)
    }

    fn face(self) -> &'static Face<'static> {
        &FACES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_vietnamese_and_of_the_highlands_is_there() {
        let vowels = "aăâeêioôơuưy";
        let tones = ["", "\u{300}", "\u{301}", "\u{303}", "\u{309}", "\u{323}"];
        for vowel in vowels.chars().chain(vowels.to_uppercase().chars()) {
            for tone in tones {
                let letter: String = format!("{vowel}{tone}").nfc().collect();
                assert_eq!(letter.chars().count(), 1);
                for font in [Font::Regular, Font::Bold, Font::Italic] {
                    let set = font.set(&letter, 0.0);
                    assert!(set.missing.is_none() && set.width > 0.2, "{letter}");
                }
            }
        }
        // Letters of Ê Đê, Gia Rai, Ba Na and Chăm that Vietnamese does not have.
        for font in [Font::Regular, Font::Bold, Font::Italic] {
            assert!(font.set("ĐđƀɃčČĕĔĭĬŏŎŭŬñÑêôơ\u{306}ư\u{306}'’-", 0.0).missing.is_none());
        }
        assert!(Font::OcrB.set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<", 0.0).missing.is_none());
        assert_eq!(Font::Regular.set("a中", 0.0).missing, Some('中'));
    }

    #[test]
    fn a_mark_without_a_letter_of_its_own_stands_over_its_base() {
        let set = Font::Regular.set("Ơ\u{306}", 0.0);
        let [base, mark] = &set.glyphs[..] else { panic!("two glyphs") };
        assert_eq!(base.c, 'Ơ');
        assert!(mark.y > 0.1 && (set.width - Font::Regular.set("Ơ", 0.0).width).abs() < 1e-9);
        // Noto's marks lie to the left of their origin.
        assert!((0.0..0.8).contains(&mark.x), "{}", mark.x);
        // What has a letter of its own is one glyph, however it was written.
        assert_eq!(Font::Regular.set("E\u{302}\u{303}", 0.0).glyphs.len(), 1);
    }

    #[test]
    fn the_characters_of_the_zone_are_all_as_wide() {
        let width = Font::OcrB.set("<", 0.0).width;
        for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".chars() {
            assert!((Font::OcrB.set(&c.to_string(), 0.0).width - width).abs() < 1e-9, "{c}");
        }
    }
}
