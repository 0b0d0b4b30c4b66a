//! The PDF as others read it: poppler's tools say what they find.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;

use jpeg_encoder::{ColorType, Encoder};
use time::macros::date;

use card::artwork::drawing::{Drawing, Edge};
use card::artwork::{self, BLEED_MM, Marking, Sheet};
use card::data::{BirthDate, CardData, CardFields, Expiry, Sex};
use print::{PrintError, pdf};

const LONG: &str = "Nguyễn Hoàng Trương Thị Phương Nghiêm Thuỷ Quỳnh Trường Giang";
const HIGHLAND: &str = "H'Bhiêng Ƀuôn Yă Niê Kđăm Êban";
const ADDRESS: &str = "Số nhà 1024/35/7, đường Nguyễn Thị Minh Khai, tổ dân phố 12, khu phố Trường Thọ, \
                       Phường Linh Trung, Thành phố Thủ Đức, Thành phố Hồ Chí Minh";

fn fields(name: &'static str) -> CardFields<'static> {
    CardFields {
        pin: "042199012345",
        cmnd: None,
        name,
        birth: BirthDate::Full(date!(1999 - 12 - 31)),
        sex: Sex::Female,
        nationality: "Việt Nam",
        ethnicity: "Kinh",
        religion: "Không",
        native_place: "Thạch Đài, Thạch Hà, Hà Tĩnh",
        residence: ADDRESS,
        marks: "Sẹo chấm C: 3,5cm dưới trước đuôi mắt trái",
        father: None,
        mother: None,
        spouse: None,
        issued: date!(2021 - 04 - 06),
        expires: Expiry::On(date!(2039 - 12 - 31)),
    }
}

fn photo(colours: ColorType, channels: usize) -> Vec<u8> {
    let (width, height) = (240, 360);
    let pixels: Vec<u8> = (0..width * height * channels).map(|n| (n / 97 % 251) as u8).collect();
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, 80).encode(&pixels, width as u16, height as u16, colours).unwrap();
    jpeg
}

fn sides(fields: CardFields<'_>, photo: &[u8], edge: Edge) -> [Drawing; 2] {
    let sheet = Sheet { marking: Marking::Issued, edge };
    let card = CardData::new(fields).unwrap();
    [artwork::draw_front(&card, Some(photo), sheet).unwrap(), artwork::draw_back(&card, sheet)]
}

fn written(name: &'static str, edge: Edge) -> Vec<u8> {
    pdf(&sides(fields(name), &photo(ColorType::Rgb, 3), edge)).unwrap()
}

/// What one of poppler's programs prints about a file.
fn poppler(program: &str, arguments: &[&str], bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("card.pdf");
    std::fs::write(&file, bytes).unwrap();
    let run = |file: &Path| {
        let output = Command::new(program).args(arguments).arg(file).arg("-").output();
        output.unwrap_or_else(|_| panic!("{program} must be installed: apt-get install poppler-utils"))
    };
    let output = match program {
        "pdftotext" => run(&file),
        _ => Command::new(program).args(arguments).arg(&file).output().unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{program} finds fault");
    String::from_utf8(output.stdout).unwrap()
}

/// Four numbers of a box, in millimetres.
fn page_box(info: &str, page: usize, name: &str) -> Vec<f64> {
    let line = info.lines().find(|line| line.contains(&format!("Page    {page} {name}:"))).unwrap();
    let numbers = line.split(':').next_back().unwrap();
    numbers.split_whitespace().map(|points| points.parse::<f64>().unwrap() / 72.0 * 25.4).collect()
}

fn close(found: &[f64], expected: [f64; 4]) {
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.005), "{found:?} {expected:?}");
}

#[test]
fn two_pages_of_the_card_s_size_and_its_bleed() {
    let info = |edge| poppler("pdfinfo", &["-box", "-f", "1", "-l", "2"], &written("Lê Ý", edge));
    let (cut, bleed) = (info(Edge::Square), info(Edge::Bleed(BLEED_MM)));
    for page in [1, 2] {
        for name in ["MediaBox", "TrimBox", "BleedBox"] {
            close(&page_box(&cut, page, name), [0.0, 0.0, 85.6, 53.98]);
        }
        close(&page_box(&bleed, page, "TrimBox"), [3.0, 3.0, 88.6, 56.98]);
        close(&page_box(&bleed, page, "BleedBox"), [0.0, 0.0, 91.6, 59.98]);
    }
    assert!(cut.contains("Pages:           2"), "{cut}");
}

#[test]
fn every_font_is_embedded_as_a_subset_with_its_unicode() {
    let fonts = poppler("pdffonts", &[], &written(LONG, Edge::Square));
    let lines: Vec<&str> = fonts.lines().skip(2).collect();
    assert_eq!(lines.len(), 4, "{fonts}");
    for line in lines {
        let columns: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(columns[columns.len() - 5..columns.len() - 2], ["yes", "yes", "yes"], "{line}");
        assert_eq!(line.find('+'), Some(6), "{line}");
    }
}

#[test]
fn the_text_comes_out_as_it_went_in() {
    for name in ["Lê Ý", LONG, HIGHLAND, "Y Krông Niê Kđăm", "Vừ Mí Sử A"] {
        let text = poppler("pdftotext", &["-raw", "-enc", "UTF-8"], &written(name, Edge::Bleed(BLEED_MM)));
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Byte for byte: composed letters come back composed.
        for expected in
            [name.to_uppercase().as_str(), ADDRESS, "042199012345", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"]
        {
            assert!(words.contains(expected), "{expected}: {words}");
        }
        assert!(words.contains("IDVNM1990123456042199012345<<0"), "{words}");
    }
}

#[test]
fn a_mark_that_has_no_letter_of_its_own_stays_with_its_base() {
    let residence = "Buôn Ơ\u{306}n Pŭ, Cư\u{306} M'gar";
    let fields = CardFields { residence, ..fields("Lê Ý") };
    let bytes = pdf(&sides(fields, &photo(ColorType::Rgb, 3), Edge::Square)).unwrap();
    let text = poppler("pdftotext", &["-raw"], &bytes);
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(residence), "{text}");
}

#[test]
fn the_photo_is_there_in_its_own_pixels_with_300_dpi() {
    let list = poppler("pdfimages", &["-list"], &written(LONG, Edge::Square));
    let images: Vec<Vec<&str>> = list.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    let [image] = &images[..] else { panic!("one picture: {list}") };
    assert_eq!(image[2..6], ["image", "240", "360", "rgb"], "{list}");
    assert_eq!(image[8], "jpeg");
    for resolution in &image[12..14] {
        assert!(resolution.parse::<u32>().unwrap() >= 300, "{list}");
    }
    let grey = pdf(&sides(fields("Lê Ý"), &photo(ColorType::Luma, 1), Edge::Square)).unwrap();
    assert!(poppler("pdfimages", &["-list"], &grey).contains(" gray "));
    let inks = pdf(&sides(fields("Lê Ý"), &photo(ColorType::Cmyk, 4), Edge::Square));
    assert!(matches!(inks, Err(PrintError::Colours { components: 4 })));
}

#[test]
fn the_same_card_gives_the_same_bytes() {
    let bleed = Edge::Bleed(BLEED_MM);
    assert!(written(HIGHLAND, bleed) == written(HIGHLAND, bleed));
    assert!(written(HIGHLAND, bleed) != written("Lê Ý", bleed));
}

#[test]
fn what_the_fonts_lack_or_cannot_be_read_is_refused() {
    let refused =
        |fields| pdf(&sides(fields, &photo(ColorType::Rgb, 3), Edge::Square)).unwrap_err().to_string();
    let error = refused(CardFields { native_place: "北京", ..fields("Lê Ý") });
    assert!(error.contains("U+5317") && error.contains("front"), "{error}");
    let endless = "Thôn Liên Vinh, ".repeat(16);
    let error = refused(CardFields { native_place: &endless, ..fields("Lê Ý") });
    assert!(error.contains("native_place") && error.contains("legible"), "{error}");
}
