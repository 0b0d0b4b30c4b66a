//! The fonts of a document: each cut down to the glyphs that its pages use (ISO 32000-1 §9.6–9.10).

use std::collections::BTreeMap;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Finish, Name, Pdf, Rect, Ref, Str};
use subsetter::GlyphRemapper;

use crate::{PrintError, Refs};
use card::artwork::{
    drawing::{Drawing, Item, Run},
    fonts::{Font, SetText},
};

const IDENTITY: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
const TO_UNICODE: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"UCS"), supplement: 0 };
/// Not known of these fonts and used only to imitate a font that is missing, which none is.
const STEM_WIDTH: f32 = 80.0;
const ITALIC_DEGREES: f32 = -12.0;

/// A font that is in the document.
pub(crate) struct Embedded {
    pub(crate) id: Ref,
    glyphs: GlyphRemapper,
}

impl Embedded {
    /// The character code of a glyph of the font's file: two bytes.
    pub(crate) fn code(&self, glyph: u16) -> [u8; 2] {
        self.glyphs.get(glyph).unwrap_or(0).to_be_bytes()
    }
}

/// The name of a font among a page's resources.
pub(crate) fn name(font: Font) -> &'static [u8] {
    match font {
        Font::Regular => b"FR",
        Font::Bold => b"FB",
        Font::Italic => b"FI",
        Font::OcrB => b"FO",
    }
}

pub(crate) fn set(run: &Run) -> SetText {
    run.font.set(&run.text, run.spacing / run.size)
}

/// Puts every font that the drawings use into the document.
pub(crate) fn embed(
    pdf: &mut Pdf,
    refs: &mut Refs,
    sides: &[Drawing],
) -> Result<BTreeMap<Font, Embedded>, PrintError> {
    let mut used: BTreeMap<Font, (GlyphRemapper, BTreeMap<u16, char>)> = BTreeMap::new();
    for side in sides {
        for item in &side.items {
            let Item::Text(text) = item else { continue };
            for run in &text.runs {
                let set = set(run);
                if let Some(c) = set.missing {
                    return Err(PrintError::NoGlyph { side: side.side, c });
                }
                let (glyphs, characters) = used.entry(run.font).or_default();
                for glyph in set.glyphs {
                    characters.insert(glyphs.remap(glyph.id), glyph.c);
                }
            }
        }
    }
    let mut embedded = BTreeMap::new();
    for (font, (glyphs, characters)) in used {
        let id = write(pdf, refs, font, &glyphs, &characters)?;
        embedded.insert(font, Embedded { id, glyphs });
    }
    Ok(embedded)
}

fn write(
    pdf: &mut Pdf,
    refs: &mut Refs,
    font: Font,
    glyphs: &GlyphRemapper,
    characters: &BTreeMap<u16, char>,
) -> Result<Ref, PrintError> {
    let file = subsetter::subset(font.bytes(), 0, glyphs).map_err(PrintError::Font)?;
    let (id, cid, descriptor, stream, map) =
        (refs.next(), refs.next(), refs.next(), refs.next(), refs.next());
    let name = format!("{}+{}", tag(font, characters), font.postscript_name());
    let name = Name(name.as_bytes());
    pdf.type0_font(id)
        .base_font(name)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(cid)
        .to_unicode(map);
    let mut cid_font = pdf.cid_font(cid);
    cid_font.subtype(CidFontType::Type2).base_font(name).system_info(IDENTITY);
    cid_font.font_descriptor(descriptor).default_width(0.0).cid_to_gid_map_predefined(Name(b"Identity"));
    let widths = glyphs.remapped_gids().map(|glyph| (font.advance(glyph) * 1000.0) as f32);
    cid_font.widths().consecutive(0, widths);
    cid_font.finish();
    let ([ascent, descent, capital], bounds) = font.metrics();
    let per_mille = |em: f64| (em * 1000.0) as f32;
    let [left, bottom, right, top] = bounds.map(per_mille);
    let mut flags = FontFlags::SYMBOLIC;
    flags.set(FontFlags::ITALIC, font.is_italic());
    flags.set(FontFlags::FIXED_PITCH, font == Font::OcrB);
    pdf.font_descriptor(descriptor)
        .name(name)
        .flags(flags)
        .bbox(Rect::new(left, bottom, right, top))
        .italic_angle(if font.is_italic() { ITALIC_DEGREES } else { 0.0 })
        .ascent(per_mille(ascent))
        .descent(per_mille(descent))
        .cap_height(per_mille(capital))
        .stem_v(STEM_WIDTH)
        .font_file2(stream);
    pdf.stream(stream, &file).pair(Name(b"Length1"), file.len() as i32);
    let mut unicode = UnicodeCmap::new(Name(b"Custom"), TO_UNICODE);
    for (&glyph, &c) in characters {
        unicode.pair(glyph, c);
    }
    pdf.cmap(map, &unicode.finish());
    Ok(id)
}

/// Six capitals that tell subsets of one font apart (§9.6.4): a hash (FNV-1a) of what is in it.
fn tag(font: Font, characters: &BTreeMap<u16, char>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325 ^ font as u64;
    for c in characters.values() {
        hash = (hash ^ u64::from(u32::from(*c))).wrapping_mul(0x0100_0000_01b3);
    }
    (0..6).map(|place| char::from(b'A' + (hash >> (8 * place) & 0xff) as u8 % 26)).collect()
}
