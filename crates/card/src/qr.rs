//! The QR code on the front of the card, as of 2021:
//! `PIN|CMND|name|ddmmyyyy|Nam/Nữ|address|ddmmyyyy`, the last being the day of issue.
//!
//! It is not signed. It proves nothing; it saves typing.

use qrcode::{Color, EcLevel, QrCode, QrResult, Version, bits::Bits};
use time::Date;

use crate::{
    CardError,
    data::{BirthDate, CardData, Sex, date_from_digits, is_digits},
};

const FIELDS: [&str; 7] = ["pin", "cmnd", "name", "birth", "sex", "address", "issued"];

/// Longest text that is read, in bytes; a version 40 symbol holds no more.
const MAX_LEN: usize = 2953;

/// Error correction level M restores 15 % of the codewords (ISO/IEC 18004:2015, 7.5.1).
const LEVEL: EcLevel = EcLevel::M;

/// The Extended Channel Interpretation that says "UTF-8" (AIM ITS/04-023).
const ECI_UTF_8: u32 = 26;

/// What a QR code says.
#[derive(Clone, PartialEq, Eq)]
pub struct QrText {
    pub pin: String,
    pub cmnd: Option<String>,
    pub name: String,
    pub birth: BirthDate,
    pub sex: Sex,
    pub address: String,
    pub issued: Date,
}

/// Personal data stays out of logs.
impl std::fmt::Debug for QrText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QrText(redacted)")
    }
}

impl QrText {
    /// What the code on the card says of the holder.
    pub fn from_card(card: &CardData<'_>) -> QrText {
        let card = card.fields();
        QrText {
            pin: card.pin.to_owned(),
            cmnd: card.cmnd.map(str::to_owned),
            name: card.name.to_owned(),
            birth: card.birth,
            sex: card.sex,
            address: card.residence.to_owned(),
            issued: card.issued,
        }
    }

    /// An unknown day or month of birth is written `00`.
    pub fn encode(&self) -> String {
        let birth = match self.birth {
            BirthDate::Full(date) => digits(date),
            BirthDate::Month { year, month } => format!("00{month:02}{year:04}"),
            BirthDate::Year(year) => format!("0000{year:04}"),
        };
        [
            &self.pin,
            self.cmnd.as_deref().unwrap_or(""),
            &self.name,
            &birth,
            self.sex.vietnamese(),
            &self.address,
            &digits(self.issued),
        ]
        .join("|")
    }

    /// Reads the text of a code: seven fields between vertical bars.
    ///
    /// # Errors
    ///
    /// When there are more or fewer fields, or one of them is malformed; the error names the field.
    pub fn parse(text: &str) -> Result<QrText, CardError> {
        if text.len() > MAX_LEN {
            return Err(error(0, "longer than a QR code can hold"));
        }
        let parts: Vec<&str> = text.split('|').collect();
        let &[pin, cmnd, name, birth, sex, address, issued] = &parts[..] else {
            let last = parts.len().min(FIELDS.len()) - 1;
            return Err(error(last, "seven fields separated by '|' expected"));
        };
        if pin.len() != 12 || !is_digits(pin) {
            return Err(error(0, "12 digits expected"));
        }
        if !cmnd.is_empty() && (cmnd.len() != 9 || !is_digits(cmnd)) {
            return Err(error(1, "nine digits or nothing expected"));
        }
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(error(2, "a name expected"));
        }
        if address.chars().any(char::is_control) {
            return Err(error(5, "contains a control character"));
        }
        Ok(QrText {
            pin: pin.to_owned(),
            cmnd: (!cmnd.is_empty()).then(|| cmnd.to_owned()),
            name: name.to_owned(),
            birth: parse_birth(birth).ok_or_else(|| error(3, "ddmmyyyy expected, 00 for an unknown part"))?,
            sex: Sex::from_vietnamese(sex).ok_or_else(|| error(4, "Nam or Nữ expected"))?,
            address: address.to_owned(),
            issued: parse_date(issued).ok_or_else(|| error(6, "ddmmyyyy expected"))?,
        })
    }
}

/// A QR symbol in a square of [`Symbol::modules`] units, quiet zone not included.
#[derive(Clone)]
pub struct Symbol {
    pub modules: usize,
    /// Dark modules side by side: column, row, how many. Row by row from the upper left.
    pub runs: Vec<[u16; 3]>,
}

impl Symbol {
    /// An SVG file of its own, with the quiet zone of four modules that ISO/IEC 18004 asks for.
    pub fn to_svg(&self) -> String {
        let side = self.modules + 8;
        let path: String = self.runs.iter().map(|[x, y, run]| format!("M{x} {y}h{run}v1h-{run}z")).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-4 -4 {side} {side}\" \
             shape-rendering=\"crispEdges\"><rect x=\"-4\" y=\"-4\" width=\"{side}\" height=\"{side}\" \
             fill=\"#fff\"/><path d=\"{path}\"/></svg>"
        )
    }
}

/// Draws any text with error correction level M, in the smallest version that holds it.
pub fn symbol(text: &str) -> Result<Symbol, CardError> {
    let code = (1..=40)
        .find_map(|version| encode(text, Version::Normal(version)).ok())
        .ok_or_else(|| error(0, "longer than a QR code can hold"))?;
    let modules = code.width();
    let mut runs = Vec::new();
    for (y, row) in code.to_colors().chunks(modules).enumerate() {
        let mut x = 0;
        while x < modules {
            let run = row[x..].iter().take_while(|&&color| color == Color::Dark).count();
            if run > 0 {
                // A version 40 symbol has 177 modules a side.
                runs.push([x, y, run].map(|n| n as u16));
            }
            x += run.max(1);
        }
    }
    Ok(Symbol { modules, runs })
}

/// The text as one segment in byte mode (ISO/IEC 18004:2015, 7.4.5), which the library's own choice of
/// segments is not: it takes pairs of bytes of a UTF-8 letter for Shift JIS and writes them in Kanji mode
/// (7.4.6), from which a reader makes other letters.
///
/// Without more, bytes mean ISO/IEC 8859-1 (7.3.5), so readers guess: zbar 0.23 takes some Vietnamese names
/// for Shift JIS. The designator of UTF-8 before the segment (7.4.2) ends the guessing. With it zbar and
/// ZXing read every text of the test right; ASCII is the same in all of them and needs none.
fn encode(text: &str, version: Version) -> QrResult<QrCode> {
    let mut bits = Bits::new(version);
    if !text.is_ascii() {
        bits.push_eci_designator(ECI_UTF_8)?;
    }
    bits.push_byte_data(text.as_bytes())?;
    bits.push_terminator(LEVEL)?;
    QrCode::with_bits(bits, LEVEL)
}

fn parse_birth(text: &str) -> Option<BirthDate> {
    if text.len() != 8 || !is_digits(text) {
        return None;
    }
    let year = text[4..].parse().ok()?;
    match (&text[..2], &text[2..4]) {
        ("00", "00") => Some(BirthDate::Year(year)),
        ("00", month) => {
            let month = month.parse().ok().filter(|m| (1..=12).contains(m))?;
            Some(BirthDate::Month { year, month })
        }
        _ => parse_date(text).map(BirthDate::Full),
    }
}

fn parse_date(text: &str) -> Option<Date> {
    if text.len() != 8 || !is_digits(text) {
        return None;
    }
    date_from_digits(&text[..2], &text[2..4], &text[4..])
}

fn digits(date: Date) -> String {
    format!("{:02}{:02}{:04}", date.day(), u8::from(date.month()), date.year())
}

fn error(index: usize, problem: &'static str) -> CardError {
    CardError::Qr { position: index + 1, field: FIELDS[index], problem }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{CardFields, tests::sample};

    const SAMPLE: &str =
        "001199012345|012345678|Nguyễn Thị Mẫu|01011999|Nữ|Thôn 1, Xã Mẫu, Huyện Thử, Tỉnh Ví Dụ|06042021";

    #[test]
    fn the_layout_of_2021() {
        let text = QrText::from_card(&CardData::new(sample()).unwrap());
        assert_eq!(text.encode(), SAMPLE);
        assert_eq!(QrText::parse(SAMPLE).unwrap(), text);
    }

    #[test]
    fn a_missing_old_number_leaves_its_place_empty() {
        let card =
            CardData::new(CardFields { cmnd: None, birth: BirthDate::Year(1950), ..sample() }).unwrap();
        let text = QrText::from_card(&card).encode();
        assert!(text.starts_with("001199012345||Nguyễn Thị Mẫu|00001950|"));
        assert_eq!(QrText::parse(&text).unwrap(), QrText::from_card(&card));
    }

    #[test]
    fn wrong_fields_are_named() {
        let at = |text: &str| match QrText::parse(text).unwrap_err() {
            CardError::Qr { position, .. } => position,
            other => panic!("{other}"),
        };
        for (from, to, position) in [
            ("001199012345", "00119901234", 1),
            ("012345678", "01234567", 2),
            ("Nguyễn Thị Mẫu", "", 3),
            ("01011999", "30021999", 4),
            ("01011999", "01001999", 4),
            ("Nữ", "F", 5),
            ("Thôn 1", "Thôn\n1", 6),
            ("06042021", "00042021", 7),
            ("|06042021", "", 6),
        ] {
            assert_eq!(at(&SAMPLE.replace(from, to)), position, "{from} -> {to}");
        }
    }

    #[test]
    fn the_path_draws_the_finder_patterns() {
        let symbol = symbol(SAMPLE).unwrap();
        let right = symbol.modules - 7;
        assert_eq!(symbol.runs[0], [0, 0, 7]);
        assert!(symbol.runs.contains(&[right as u16, 0, 7]));
        assert!(symbol.to_svg().contains(&format!("M{right} 0h7v1h-7z")));
        assert!(super::symbol(&"x".repeat(3000)).is_err());
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in ".{0,80}", fields in proptest::collection::vec("[^|]{0,12}", 7)) {
            let _ = QrText::parse(&text);
            let _ = QrText::parse(&fields.join("|"));
        }

        #[test]
        fn what_parses_encodes_to_the_same_text(day in 0u8..32, month in 0u8..14, name in "[A-Za-zÀ-ỹ \
            ]{1,30}") {
            let text = format!("001199012345||{name}|{day:02}{month:02}1999|Nam||06042021");
            if let Ok(read) = QrText::parse(&text) {
                prop_assert_eq!(read.encode(), text);
            }
        }
    }
}
