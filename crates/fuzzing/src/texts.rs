//! Short texts: names, numbers, dates, codes.

use std::str;

use card::mrz::{name_line, transliterate};
use domain::date::PartialDate;
use domain::name::PersonName;
use domain::pin::{OldId, Pin};
use domain::{UnitCode, text};
use linkage::{Index, Record, explain};

/// Two records, a field a line: linkage answers finitely, and in both directions alike.
pub fn names(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let mut lines = text.split('\n');
    let (a, b) = (record(1, &mut lines), record(2, &mut lines));
    let (there, back) = (explain(&a, &b), explain(&b, &a));
    assert!(there.weight.is_finite() && (0.0..=1.0).contains(&there.probability));
    let sum: f64 = there.fields.iter().map(|field| field.weight).sum();
    assert!((sum - there.weight).abs() < 1e-6, "an explanation sums to its weight");
    assert!((there.weight - back.weight).abs() < 1e-6, "who is asked about whom changes nothing");
    let index = Index::build(vec![a]);
    assert!(index.search(&b).iter().all(|candidate| candidate.id == 1));
    !b.full_name.is_empty()
}

fn record<'a>(id: u128, lines: &mut impl Iterator<Item = &'a str>) -> Record {
    let mut text = || lines.next().unwrap_or_default().to_owned();
    let full_name = text();
    let (father, mother, address) = (text(), text(), text());
    let number = |text: String| text.parse().ok();
    Record {
        id,
        full_name,
        father_name: (!father.is_empty()).then_some(father),
        mother_name: (!mother.is_empty()).then_some(mother),
        address_line: (!address.is_empty()).then_some(address),
        pin: number(text()),
        cmnd: number(text()),
        birth_year: text().parse().ok(),
        birth_month: text().parse().ok(),
        birth_day: text().parse().ok(),
        ethnicity: text().parse().ok(),
        ..Record::default()
    }
}

pub(crate) fn names_seeds() -> Vec<Vec<u8>> {
    let one = "Nguyễn Thị Thu Hòa\nNguyễn Đình Khôi\nPhan Thị Liễu\nThôn \
               3\n042190012345\n183456789\n1986\n11\n7\n1\n";
    let other = "NGUYỄN THU HOÀ\n\nPhan Thị Liễu\nXóm 3\n\n183456798\n1986\n7\n11\n1\n";
    vec![format!("{one}{other}").into_bytes(), format!("{other}{one}").into_bytes()]
}

/// Whatever is taken comes back as it was written, and whatever is printed fits its place.
pub fn short(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let mut taken = false;
    if let Ok(pin) = Pin::parse(text) {
        assert_eq!(Pin::parse(pin.as_str()).ok(), Some(pin));
        taken = true;
    }
    if let Ok(id) = OldId::parse(text) {
        assert_eq!(OldId::parse(id.as_str()).ok(), Some(id));
        taken = true;
    }
    if let Ok(date) = PartialDate::parse(text) {
        assert_eq!(PartialDate::parse(&date.to_string()), Ok(date));
        assert_eq!(PartialDate::from_packed(date.packed()), Ok(date));
        taken = true;
    }
    if let Ok(code) = text.parse::<UnitCode>() {
        assert_eq!(code.to_string().parse(), Ok(code));
        taken = true;
    }
    if let Ok(code) = packet::ReceiptCode::parse(text) {
        assert_eq!(packet::ReceiptCode::parse(&code.grouped()).map(|again| again.hash()), Ok(code.hash()));
        taken = true;
    }
    if let Ok(name) = PersonName::parse(text) {
        assert_eq!(PersonName::parse(name.as_str()), Ok(name.clone()));
        assert_eq!(name_line(name.as_str()).len(), 30);
        assert!(transliterate(name.as_str()).bytes().all(|b| b == b' ' || b.is_ascii_uppercase()));
        taken = true;
    }
    assert!(text::fold_ascii(text).is_ascii() || !text.is_ascii());
    assert_eq!(text::tidy(&text::tidy(text)), text::tidy(text));
    taken
}

pub(crate) fn short_seeds() -> Vec<Vec<u8>> {
    [
        "042190012345",
        "183456789",
        "12/04/1990",
        "4/1990",
        "1990",
        "18562",
        "445",
        "Nguyễn Thị Mẫu",
        "Ðiểu K'Sor",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
