use super::{
    ACCENT, BLACK, INK, LABEL, SMALL, Sheet,
    drawing::{Drawing, Fill, Item, Outline, Picture, Run, Segment, Stroke, Text},
    fonts::Font,
    label, ornament,
    text::{Block, LINE},
};
use crate::{
    CardError,
    data::{CardData, CardFields},
    jpeg, qr,
};

/// Left edge and width of the column beside the photo.
const COLUMN_X: f64 = 27.6;
const COLUMN_WIDTH: f64 = 54.6;
/// The lowest baseline: what is printed ends a millimetre above the edge, where the cut may stray.
const LAST_BASELINE: f64 = 52.2;
/// The photo's box: two to three, as the Vietnamese card has it.
const PHOTO_AT: [f64; 2] = [4.2, 14.9];
const PHOTO_SIZE: [f64; 2] = [20.0, 30.0];

pub(super) fn draw(card: &CardData<'_>, photo: Option<&[u8]>, sheet: Sheet) -> Result<Drawing, CardError> {
    let mut items = Vec::new();
    ornament::ground(sheet.edge, &mut items);
    header(&mut items);
    symbol(card, &mut items)?;
    portrait(photo, &mut items)?;
    let mut squeezed = Vec::new();
    fields(card.fields(), &mut items, &mut squeezed);
    Ok(sheet.finish("front", "Mặt trước thẻ căn cước công dân", items, squeezed))
}

/// What the card says of its holder on this side.
pub(super) fn fields(card: &CardFields<'_>, items: &mut Vec<Item>, squeezed: &mut Vec<&'static str>) {
    identity(card, items, squeezed);
    places(card, items, squeezed);
    validity(card, items);
}

fn header(items: &mut Vec<Item>) {
    ornament::seal([10.8, 8.1], 4.9, items);
    let middle = 42.6;
    for (y, size, font, colour, spacing, words) in [
        (4.9, 2.3, Font::Bold, INK, 0.0, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"),
        (7.6, 2.0, Font::Bold, INK, 0.0, "Độc lập - Tự do - Hạnh phúc"),
        (10.1, SMALL, Font::Regular, LABEL, 0.0, "SOCIALIST REPUBLIC OF VIET NAM"),
        (14.4, 3.4, Font::Bold, ACCENT, 0.14, "CĂN CƯỚC CÔNG DÂN"),
        (16.9, SMALL, Font::Italic, LABEL, 0.0, "Citizen Identity Card"),
    ] {
        let run = Run { spacing, ..Run::new(words, font, size, colour) };
        items.push(Text::middle([middle, y], vec![run]));
    }
}

fn symbol(card: &CardData<'_>, items: &mut Vec<Item>) -> Result<(), CardError> {
    let symbol = qr::symbol(&qr::QrText::from_card(card).encode())?;
    let ([x, y], side) = ([68.9, 2.9], 13.4);
    // ISO/IEC 18004: four modules of quiet zone.
    let module = side / (symbol.modules as f64 + 8.0);
    items.push(Item::Shape {
        outline: Outline::Rect { at: [x, y], size: [side, side], radius: 0.5 },
        fill: Fill::solid(super::WHITE),
        stroke: None,
    });
    items.push(Item::Shape {
        outline: Outline::Modules { at: [x + 4.0 * module, y + 4.0 * module], module, runs: symbol.runs },
        fill: Fill::solid(BLACK),
        stroke: None,
    });
    Ok(())
}

fn portrait(photo: Option<&[u8]>, items: &mut Vec<Item>) -> Result<(), CardError> {
    let ([x, y], [width, height]) = (PHOTO_AT, PHOTO_SIZE);
    let frame = |radius| Outline::Rect { at: [x, y], size: [width, height], radius };
    items.push(Item::Shape {
        outline: frame(0.0),
        fill: Fill::solid(super::Colour(0xdf, 0xe9, 0xea)),
        stroke: None,
    });
    match photo {
        Some(photo) => {
            let frame = jpeg::frame(photo)?;
            items.push(Item::Picture(Picture {
                at: PHOTO_AT,
                size: PHOTO_SIZE,
                jpeg: photo.to_vec(),
                pixels: [frame.width, frame.height],
            }));
        }
        None => silhouette(items),
    }
    let stroke = Stroke::solid(super::WHITE, 0.3);
    items.push(Item::Shape { outline: frame(0.0), fill: None, stroke });
    Ok(())
}

fn silhouette(items: &mut Vec<Item>) {
    let ([x, y], [width, height]) = (PHOTO_AT, PHOTO_SIZE);
    let (middle, foot) = (x + width / 2.0, y + height);
    let head = Outline::Ellipse { centre: [middle, y + 11.8], radii: [5.4, 5.4], degrees: 0.0 };
    let shoulders = Outline::Path(vec![
        Segment::Move([x, foot]),
        Segment::Curve([x, foot - 8.0], [x + 3.6, foot - 11.4], [middle, foot - 11.4]),
        Segment::Curve([middle + 6.4, foot - 11.4], [middle + 10.0, foot - 8.0], [middle + 10.0, foot]),
        Segment::Close,
    ]);
    for outline in [head, shoulders] {
        let fill = Fill::solid(super::Colour(0xa9, 0xbc, 0xc0));
        items.push(Item::Shape { outline, fill, stroke: None });
    }
}

/// Number, name, birth, sex and nationality.
fn identity(card: &CardFields<'_>, items: &mut Vec<Item>, squeezed: &mut Vec<&'static str>) {
    let mut number = label("Số", "No.");
    number.push(Run { spacing: 0.22, ..Run::new(card.pin, Font::Bold, 3.7, ACCENT) });
    items.push(Text::start([COLUMN_X, 21.5], number));
    items.push(Text::start([COLUMN_X, 24.4], label("Họ và tên", "Full name")));
    let name = card.name.to_uppercase();
    // A name that is too long for one line of a size that is read at a glance takes two smaller ones.
    let bold = Block { font: Font::Bold, ..block(28.6, 1, &[3.3, 3.0, 2.7]) };
    let set = match bold.size(&name) {
        Some(_) => bold,
        None => Block { font: Font::Bold, ..block(27.5, 2, &[2.5, 2.3, 2.1, 1.95]) },
    }
    .set(&name);
    if set.squeezed {
        squeezed.push("name");
    }
    items.extend(set.items);
    let value = |text: String| Run::new(text, Font::Regular, 2.3, INK);
    let mut birth = label("Ngày sinh", "Date of birth");
    birth.push(value(card.birth.printed()));
    items.push(Text::start([COLUMN_X, 33.6], birth));
    let mut sex = label("Giới tính", "Sex");
    sex.push(value(card.sex.vietnamese().to_owned()));
    items.push(Text::start([COLUMN_X, 36.6], sex));
    let x = COLUMN_X + 19.6;
    let nationality = Block {
        x,
        width: COLUMN_WIDTH - 19.6,
        label: label("Quốc tịch", "Nationality"),
        ..block(36.6, 1, &[2.3, 2.1, 1.95])
    }
    .set(card.nationality);
    if nationality.squeezed {
        squeezed.push("nationality");
    }
    items.extend(nationality.items);
}

/// Place of origin and residence share what is left of the column, at one size.
fn places(card: &CardFields<'_>, items: &mut Vec<Item>, squeezed: &mut Vec<&'static str>) {
    const TOP: f64 = 39.6;
    // The smallest is five points.
    const SIZES: [f64; 5] = [2.3, 2.15, 2.0, 1.9, 1.8];
    for (index, &size) in SIZES.iter().enumerate() {
        let sizes = [size];
        let step = size * LINE;
        let origin = Block { label: label("Quê quán", "Place of origin"), ..block(TOP, 2, &sizes) };
        let one = origin.set(card.native_place);
        let y = TOP + one.lines as f64 * step;
        let lines = ((LAST_BASELINE - y) / step + 1.0 + 1e-6) as usize;
        let residence = Block {
            label: label("Nơi thường trú", "Place of residence"),
            ..block(y, lines.max(1), &sizes)
        };
        let two = residence.set(card.residence);
        let fits = !one.squeezed && !two.squeezed;
        if fits || index + 1 == SIZES.len() {
            squeezed.extend(one.squeezed.then_some("native_place"));
            squeezed.extend(two.squeezed.then_some("residence"));
            items.extend(one.items.into_iter().chain(two.items));
            return;
        }
    }
}

fn validity(card: &CardFields<'_>, items: &mut Vec<Item>) {
    let x = PHOTO_AT[0];
    items.push(Text::start([x, 47.4], vec![Run::new("Có giá trị đến", Font::Regular, SMALL, LABEL)]));
    items.push(Text::start([x, 49.6], vec![Run::new("Date of expiry", Font::Italic, SMALL, LABEL)]));
    items.push(Text::start([x, 52.2], vec![Run::new(card.expires.printed(), Font::Bold, 2.2, INK)]));
}

fn block(y: f64, max_lines: usize, sizes: &[f64]) -> Block<'_> {
    Block {
        x: COLUMN_X,
        y,
        width: COLUMN_WIDTH,
        max_lines,
        sizes,
        font: Font::Regular,
        colour: INK,
        label: Vec::new(),
    }
}
