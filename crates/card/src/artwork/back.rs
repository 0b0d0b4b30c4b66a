use super::{
    BLACK, INK, LABEL, SMALL, Sheet,
    drawing::{Anchor, Drawing, Fill, Item, Outline, Run, Text},
    fonts::Font,
    label, ornament,
    text::Block,
};
use crate::{
    data::{CardData, CardFields, printed},
    mrz::{LINE_LEN, Mrz},
};

/// Ten characters to the inch (Doc 9303-3 §4.4).
const PITCH: f64 = 2.54;
const MARGIN_X: f64 = 4.7;

pub(super) fn draw(card: &CardData<'_>, sheet: Sheet) -> Drawing {
    let mut items = Vec::new();
    ornament::ground(sheet.edge, &mut items);
    let mut squeezed = Vec::new();
    marks(card.fields(), &mut items, &mut squeezed);
    issue(card, &mut items);
    prints(&mut items);
    zone(card, sheet, &mut items);
    sheet.finish("back", "Mặt sau thẻ căn cước công dân", items, squeezed)
}

/// What the card says of its holder on this side.
pub(super) fn marks(card: &CardFields<'_>, items: &mut Vec<Item>, squeezed: &mut Vec<&'static str>) {
    items.push(Text::start([MARGIN_X, 5.6], label("Đặc điểm nhận dạng", "Personal identification")));
    let marks = Block {
        x: MARGIN_X,
        y: 8.5,
        width: 48.0,
        max_lines: 3,
        sizes: &[2.2, 2.0, 1.9, 1.8],
        font: Font::Regular,
        colour: INK,
        label: Vec::new(),
    }
    .set(card.marks);
    if marks.squeezed {
        squeezed.push("marks");
    }
    items.extend(marks.items);
}

fn issue(card: &CardData<'_>, items: &mut Vec<Item>) {
    ornament::chip([MARGIN_X, 16.4], items);
    let x = 19.4;
    let mut day = label("Ngày cấp", "Date of issue");
    day.push(Run::new(printed(card.fields().issued), Font::Bold, 2.2, INK));
    items.push(Text::start([x, 18.4], day));
    for (y, font, colour, words) in [
        (26.4, Font::Bold, INK, "CỤC TRƯỞNG CỤC CẢNH SÁT"),
        (28.9, Font::Bold, INK, "QUẢN LÝ HÀNH CHÍNH VỀ TRẬT TỰ XÃ HỘI"),
        (31.3, Font::Italic, LABEL, "Director of the Police Department"),
        (33.7, Font::Italic, LABEL, "for Administrative Management of Social Order"),
    ] {
        items.push(Text::start([x, y], vec![Run::new(words, font, SMALL, colour)]));
    }
    ornament::signature([x + 1.0, 23.6], items);
}

fn prints(items: &mut Vec<Item>) {
    let ([width, height], y) = ([12.4, 14.6], 3.6);
    for (x, vietnamese, english) in
        [(55.0, "Ngón trỏ trái", "Left index"), (70.0, "Ngón trỏ phải", "Right index")]
    {
        ornament::finger([x, y], [width, height], items);
        let middle = x + width / 2.0;
        items.push(Text::middle(
            [middle, y + height + 2.5],
            vec![Run::new(vietnamese, Font::Regular, SMALL, LABEL)],
        ));
        items.push(Text::middle(
            [middle, y + height + 4.8],
            vec![Run::new(english, Font::Italic, SMALL, LABEL)],
        ));
    }
}

fn zone(card: &CardData<'_>, sheet: Sheet, items: &mut Vec<Item>) {
    let bleed = sheet.edge.bleed();
    let top = 35.6;
    items.push(Item::Shape {
        outline: Outline::Rect {
            at: [-bleed, top],
            size: [super::WIDTH_MM + 2.0 * bleed, super::HEIGHT_MM + bleed - top],
            radius: 0.0,
        },
        fill: Fill::shade(super::WHITE, 0.62),
        stroke: None,
    });
    // The size at which a character of OCR-B takes a tenth of an inch; it is that of size I of ISO 1073-2.
    let size = PITCH / Font::OcrB.set("<", 0.0).width;
    // In the middle the first character begins 4.7 mm from the edge; Doc 9303-5 §4.2.1.3 wants 5.0 ± 1.0 mm.
    let x = (super::WIDTH_MM - LINE_LEN as f64 * PITCH) / 2.0;
    for (index, line) in Mrz::from_card(card).lines().into_iter().enumerate() {
        items.push(Item::Text(Text {
            at: [x, 41.2 + index as f64 * 4.6],
            anchor: Anchor::Start,
            degrees: 0.0,
            runs: vec![Run::new(line, Font::OcrB, size, BLACK)],
            length: Some(LINE_LEN as f64 * PITCH),
        }));
    }
}
