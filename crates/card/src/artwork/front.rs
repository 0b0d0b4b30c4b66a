use base64ct::{Base64, Encoding};

use super::{ACCENT, INK, LABEL, Marking, frame, ornament, text::Block, text::escape};
use crate::{CardError, data::CardData, qr};

/// Left edge and width of the column beside the photo.
const COLUMN_X: f64 = 27.6;
const COLUMN_WIDTH: f64 = 54.4;

pub(super) fn draw(card: &CardData<'_>, photo: Option<&[u8]>, marking: Marking) -> Result<String, CardError> {
    let content = [header(), symbol(card)?, portrait(photo), fields(card)].concat();
    Ok(frame("front", "Mặt trước thẻ căn cước công dân", marking, &content))
}

fn header() -> String {
    let seal = ornament::seal("front", 10.6, 8.7, 5.2);
    format!(
        r#"{seal}<g text-anchor="middle" fill="{INK}"><text x="43.4" y="5" font-size="2.35" font-weight="700">CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM</text><text x="43.4" y="7.7" font-size="1.9" font-weight="600">Độc lập - Tự do - Hạnh phúc</text><text x="43.4" y="9.9" font-size="1.35" fill="{LABEL}">SOCIALIST REPUBLIC OF VIET NAM · Independence - Freedom - Happiness</text><text x="43.4" y="14.1" font-size="3.5" font-weight="800" fill="{ACCENT}" letter-spacing=".14">CĂN CƯỚC CÔNG DÂN</text><text x="43.4" y="16.4" font-size="1.6" fill="{LABEL}">Citizen Identity Card</text></g>"#
    )
}

fn symbol(card: &CardData<'_>) -> Result<String, CardError> {
    let symbol = qr::symbol(&qr::QrText::from_card(card).encode())?;
    let side = 13.2;
    // ISO/IEC 18004: four modules of quiet zone.
    let scale = side / (symbol.modules as f64 + 8.0);
    Ok(format!(
        r##"<g transform="translate(69.2 3)"><rect width="{side}" height="{side}" rx=".5" fill="#fff"/><path transform="scale({scale:.5}) translate(4 4)" d="{}" fill="#101820" shape-rendering="crispEdges"/></g>"##,
        symbol.path
    ))
}

fn portrait(photo: Option<&[u8]>) -> String {
    let (x, y, width, height) = (4.2, 17.2, 20.0, 30.0);
    let back =
        format!(r##"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx=".7" fill="#dfe9ea"/>"##);
    let image = match photo {
        Some(photo) => format!(
            r#"<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="xMidYMid slice" href="data:image/jpeg;base64,{}"/>"#,
            Base64::encode_string(photo)
        ),
        None => format!(
            r##"<g fill="#a9bcc0"><circle cx="{}" cy="29" r="5.4"/><path d="M{x} 47.2c0 -8 3.6 -11.4 10 -11.4s10 3.4 10 11.4z"/></g>"##,
            x + width / 2.0
        ),
    };
    let edge = format!(
        r##"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx=".7" fill="none" stroke="#fff" stroke-width=".3"/>"##
    );
    [back, image, edge].concat()
}

fn fields(card: &CardData<'_>) -> String {
    let card = card.fields();
    let mut out = String::new();
    out.push_str(&label(COLUMN_X, 21.2, "Số", "No."));
    out.push_str(&format!(
        r#"<text x="{:.1}" y="21.5" font-size="3.7" font-weight="700" fill="{ACCENT}" letter-spacing=".22">{}</text>"#,
        COLUMN_X + 7.0,
        escape(card.pin)
    ));
    out.push_str(&label(COLUMN_X, 24.5, "Họ và tên", "Full name"));
    let name = card.name.to_uppercase();
    // A name that is too long for one line of a size that is read at a glance takes two smaller ones.
    let one_line = Block { weight: "700", sizes: &[3.3, 2.9, 2.5], ..block(28.6, 1) };
    let two_lines = Block { weight: "700", sizes: &[2.2, 2.0, 1.8], ..block(26.9, 2) };
    out.push_str(&if one_line.fits(&name) { one_line } else { two_lines }.draw(&name));
    out.push_str(&inline(COLUMN_X, 32.0, "Ngày sinh", "Date of birth", 19.6, &card.birth.printed()));
    out.push_str(&inline(COLUMN_X, 35.3, "Giới tính", "Sex", 12.2, card.sex.vietnamese()));
    out.push_str(&label(COLUMN_X + 21.0, 35.3, "Quốc tịch", "Nationality"));
    let nationality = Block { x: COLUMN_X + 39.4, width: COLUMN_WIDTH - 39.4, ..block(35.3, 1) };
    out.push_str(&nationality.draw(card.nationality));
    out.push_str(&label(COLUMN_X, 38.0, "Quê quán", "Place of origin"));
    out.push_str(&place(40.5, 2).draw(card.native_place));
    out.push_str(&label(COLUMN_X, 45.2, "Nơi thường trú", "Place of residence"));
    // Three lines must end a millimetre above the edge, where the printer's cut may stray.
    let three_lines = Block { sizes: &[2.0, 1.8, 1.6], ..block(47.4, 3) };
    let residence = if place(47.6, 2).fits(card.residence) { place(47.6, 2) } else { three_lines };
    out.push_str(&residence.draw(card.residence));
    out.push_str(&format!(
        r#"<text x="4.2" y="49.5" font-size="1.5" fill="{LABEL}">Có giá trị đến / Date of expiry</text><text x="4.2" y="51.9" font-size="2.1" font-weight="600" fill="{INK}">{}</text>"#,
        escape(&card.expires.printed())
    ));
    out
}

fn block(y: f64, max_lines: usize) -> Block<'static> {
    let sizes = &[2.4, 2.1, 1.85, 1.6];
    Block { x: COLUMN_X, y, width: COLUMN_WIDTH, max_lines, sizes, weight: "500", fill: INK }
}

fn place(y: f64, max_lines: usize) -> Block<'static> {
    Block { sizes: &[2.2, 2.0, 1.8, 1.6], ..block(y, max_lines) }
}

fn label(x: f64, y: f64, vietnamese: &str, english: &str) -> String {
    format!(
        r#"<text x="{x:.1}" y="{y:.1}" font-size="1.7" fill="{LABEL}">{vietnamese} / <tspan font-style="italic">{english}</tspan></text>"#
    )
}

fn inline(x: f64, y: f64, vietnamese: &str, english: &str, offset: f64, value: &str) -> String {
    let value = Block { x: x + offset, ..block(y, 1) }.draw(value);
    label(x, y, vietnamese, english) + &value
}
