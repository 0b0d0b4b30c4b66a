#![doc = include_str!("../README.md")]

mod error;
mod fonts;
mod page;
mod paint;

use pdf_writer::{Finish, Pdf, Ref, TextStr};

use card::artwork::drawing::Drawing;

pub use error::PrintError;

/// Points to the millimetre.
const POINTS: f64 = 72.0 / 25.4;

/// Numbers of objects, given out in order.
struct Refs(i32);

impl Refs {
    fn next(&mut self) -> Ref {
        self.0 += 1;
        Ref::new(self.0)
    }
}

/// One page for each drawing.
///
/// # Errors
/// [`PrintError::Card`] for a text that would be too small to be read, [`PrintError::NoGlyph`] for a letter
/// that the fonts do not have, [`PrintError::Colours`] for a photo that is neither grey nor RGB.
pub fn pdf(sides: &[Drawing]) -> Result<Vec<u8>, PrintError> {
    for side in sides {
        side.legible()?;
    }
    let mut refs = Refs(0);
    let (catalog, tree) = (refs.next(), refs.next());
    let mut pdf = Pdf::new();
    let fonts = fonts::embed(&mut pdf, &mut refs, sides)?;
    let mut pages = Vec::new();
    for side in sides {
        pages.push(page::write(&mut pdf, &mut refs, tree, side, &fonts)?);
    }
    pdf.pages(tree).count(pages.len() as i32).kids(pages);
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr("vi"));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    pdf.document_info(refs.next()).title(TextStr("Thẻ căn cước công dân")).creator(TextStr("dancu"));
    Ok(pdf.finish())
}
