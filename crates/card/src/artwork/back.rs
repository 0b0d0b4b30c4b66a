use super::{ACCENT, INK, LABEL, Marking, frame, ornament, text::Block, text::escape};
use crate::{
    data::{CardData, printed},
    mrz::{LINE_LEN, Mrz},
};

/// Ten characters to the inch (OCR-B, Doc 9303-3).
const MRZ_WIDTH: f64 = LINE_LEN as f64 * 2.54;

pub(super) fn draw(card: &CardData<'_>, marking: Marking) -> String {
    let content = [marks(card), issue(card), prints(), zone(card)].concat();
    frame("back", "Mặt sau thẻ căn cước công dân", marking, &content)
}

fn marks(card: &CardData<'_>) -> String {
    let label = format!(
        r#"<text x="4.7" y="5.2" font-size="1.7" fill="{LABEL}">Đặc điểm nhận dạng / <tspan font-style="italic">Personal identification</tspan></text>"#
    );
    let sizes = &[2.2, 2.0, 1.8, 1.6];
    let text = Block { x: 4.7, y: 8.1, width: 50.0, max_lines: 2, sizes, weight: "500", fill: INK };
    label + &text.draw(card.fields().marks)
}

fn issue(card: &CardData<'_>) -> String {
    let chip = ornament::chip("back", 4.7, 16.2);
    format!(
        r#"{chip}<text x="21.2" y="16.3" font-size="1.7" fill="{LABEL}">Ngày cấp / <tspan font-style="italic">Date of issue</tspan></text><text x="21.2" y="19.2" font-size="2.4" font-weight="600" fill="{INK}">{}</text><g font-size="1.55" fill="{INK}"><text x="21.2" y="23.2" font-weight="700">CỤC TRƯỞNG CỤC CẢNH SÁT</text><text x="21.2" y="25.3" font-weight="700">QUẢN LÝ HÀNH CHÍNH VỀ TRẬT TỰ XÃ HỘI</text><text x="21.2" y="27.3" font-size="1.2" fill="{LABEL}">Director of the police department for</text><text x="21.2" y="28.9" font-size="1.2" fill="{LABEL}">administrative management of social order</text></g><path d="M22 33c2.5 -4 4 -3.4 3.2 -.8s2 .9 3.6 -1.2s2.4 1.6 4 .4s3.6 -2 7.6 -.6" fill="none" stroke="{ACCENT}" stroke-width=".28" stroke-linecap="round" opacity=".7"/>"#,
        printed(card.fields().issued)
    )
}

fn prints() -> String {
    let (y, width, height) = (4.0, 12.2, 15.6);
    let mut out = String::new();
    for (x, vietnamese, english) in
        [(57.0, "Ngón trỏ trái", "Left index finger"), (70.6, "Ngón trỏ phải", "Right index finger")]
    {
        out.push_str(&ornament::finger(x, y, width, height));
        out.push_str(&format!(
            r#"<g text-anchor="middle" fill="{LABEL}"><text x="{0:.1}" y="22.2" font-size="1.6">{vietnamese}</text><text x="{0:.1}" y="24.2" font-size="1.3" font-style="italic">{english}</text></g>"#,
            x + width / 2.0
        ));
    }
    out
}

fn zone(card: &CardData<'_>) -> String {
    let mrz = Mrz::from_card(card);
    let mut out = format!(
        r##"<rect y="35.6" width="{}" height="18.4" fill="#fff" fill-opacity=".62"/><g font-family="'OCR-B','OCRB','OCR B',Consolas,'DejaVu Sans Mono','Liberation Mono',monospace" font-size="4" font-weight="500" fill="#10181c">"##,
        super::WIDTH_MM
    );
    for (index, line) in mrz.lines().iter().enumerate() {
        let y = 40.9 + index as f64 * 4.6;
        out.push_str(&format!(
            r#"<text x="4.7" y="{y:.1}" textLength="{MRZ_WIDTH:.1}" lengthAdjust="spacing">{}</text>"#,
            escape(line)
        ));
    }
    out.push_str("</g>");
    out
}
