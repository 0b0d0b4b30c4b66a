//! The machine-readable zone: TD1, three lines of 30 (Doc 9303-5 §4.2), filled the Vietnamese way.
//!
//! Line 1 carries the last nine digits of the personal number as document number, and the whole number with
//! a check digit of its own as optional data.

use crate::{
    CardError,
    data::{BirthDate, CardData, Expiry, Sex},
};

pub use crate::transliterate::transliterate;

/// Characters in a line of a TD1 document.
pub const LINE_LEN: usize = 30;

/// Three well-formed lines whose check digits all hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Mrz {
    /// The lines in one run of 90 ASCII characters, as DG1 holds them.
    zone: String,
}

/// Personal data stays out of logs.
impl std::fmt::Debug for Mrz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mrz(redacted)")
    }
}

impl Mrz {
    /// The zone that is printed on the card and stored in its chip, check digits included.
    pub fn from_card(card: &CardData<'_>) -> Mrz {
        let fields = card.fields();
        Self::build(fields.pin, fields.name, fields.birth, fields.sex, fields.expires)
    }

    fn build(pin: &str, name: &str, birth: BirthDate, sex: Sex, expires: Expiry) -> Mrz {
        let number = &pin[pin.len() - 9..];
        let mut zone = String::with_capacity(3 * LINE_LEN);
        zone.push_str("IDVNM");
        push_checked(&mut zone, number);
        zone.push_str(pin);
        zone.push_str("<<");
        zone.push(check_digit(pin));
        push_checked(&mut zone, &birth.mrz());
        zone.push(sex.mrz());
        push_checked(&mut zone, &expires.mrz());
        zone.push_str("VNM<<<<<<<<<<<");
        zone.push(composite(&zone[..LINE_LEN], &zone[LINE_LEN..]));
        zone.push_str(&name_line(name));
        Mrz { zone }
    }

    /// Reads three lines, separated by line ends or as one run of 90 characters (as in DG1), and verifies
    /// every check digit.
    pub fn parse(text: &str) -> Result<Mrz, CardError> {
        let mrz = Mrz { zone: split(text)?.concat() };
        let bad = mrz.zone.bytes().position(|b| !matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'<'));
        if let Some(at) = bad {
            return Err(error(at / LINE_LEN + 1, at % LINE_LEN + 1, "only A-Z, 0-9 and '<' may stand here"));
        }
        mrz.check()?;
        Ok(mrz)
    }

    fn check(&self) -> Result<(), CardError> {
        let [line1, line2, line3] = self.lines();
        if !line1.starts_with("IDVNM") {
            return Err(error(1, 1, "not a Vietnamese identity card: 'IDVNM' expected"));
        }
        check_at(1, line1, 5..14, 14, "wrong check digit of the document number")?;
        check_at(1, line1, 15..27, 29, "wrong check digit of the personal number")?;
        if !line1[15..27].bytes().all(|b| b.is_ascii_digit()) {
            return Err(error(1, 16, "the personal number must be 12 digits"));
        }
        if line1[5..14] != line1[18..27] {
            return Err(error(
                1,
                6,
                "the document number must be the last nine digits of the personal number",
            ));
        }
        check_at(2, line2, 0..6, 6, "wrong check digit of the date of birth")?;
        check_at(2, line2, 8..14, 14, "wrong check digit of the date of expiry")?;
        if !matches!(&line2[7..8], "M" | "F" | "<") {
            return Err(error(2, 8, "sex must be M, F or '<'"));
        }
        if !line2.ends_with(composite(line1, line2)) {
            return Err(error(2, 30, "wrong composite check digit"));
        }
        if line3.starts_with('<') {
            return Err(error(3, 1, "the name must begin with a letter"));
        }
        Ok(())
    }

    /// Three lines of 30 characters (TD1, Doc 9303-5).
    pub fn lines(&self) -> [&str; 3] {
        [&self.zone[..LINE_LEN], &self.zone[LINE_LEN..2 * LINE_LEN], &self.zone[2 * LINE_LEN..]]
    }

    /// 90 characters without line ends, as DG1 holds them.
    pub fn concatenated(&self) -> &str {
        &self.zone
    }

    /// The twelve digits in the optional data of the first line.
    pub fn pin(&self) -> &str {
        &self.lines()[0][15..27]
    }

    /// `yymmdd`, with `<<` for an unknown part.
    pub fn birth(&self) -> &str {
        &self.lines()[1][..6]
    }

    /// `None` if the zone leaves it unspecified.
    pub fn sex(&self) -> Option<Sex> {
        match self.lines()[1].as_bytes()[7] {
            b'M' => Some(Sex::Male),
            b'F' => Some(Sex::Female),
            _ => None,
        }
    }

    /// `yymmdd`.
    pub fn expiry(&self) -> &str {
        &self.lines()[1][8..14]
    }

    /// The third line as it stands: surname, `<<`, other names, filler.
    pub fn name(&self) -> &str {
        self.lines()[2]
    }
}

/// Weighted sum modulo 10 with weights 7, 3, 1; `<` counts 0, A–Z count 10–35 (Doc 9303-3 §4.9). The input is
/// MRZ characters; any other byte counts as a filler.
pub fn check_digit(text: &str) -> char {
    checksum(text.bytes())
}

fn checksum(text: impl Iterator<Item = u8>) -> char {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    };
    let sum: u32 = text.zip([7, 3, 1].into_iter().cycle()).map(|(byte, weight)| weight * value(byte)).sum();
    char::from(b'0' + (sum % 10) as u8)
}

fn push_checked(zone: &mut String, field: &str) {
    zone.push_str(field);
    zone.push(check_digit(field));
}

/// `SURNAME<<OTHER<NAMES` in 30 characters. The first word is the family name.
///
/// A name that does not fit is cut so that the last position holds a letter, which tells a reader that it
/// was cut, and so that at least one letter of the other names remains (Doc 9303-3 §4.6, Doc 9303-5 on
/// truncation).
pub fn name_line(name: &str) -> String {
    let name = transliterate(name);
    let (surname, others) = name.split_once(' ').unwrap_or((&name, ""));
    if others.is_empty() {
        return format!("{:<<30}", &surname[..surname.len().min(LINE_LEN)]);
    }
    let surname = &surname[..surname.len().min(LINE_LEN - 3)];
    let mut line = format!("{surname}<<{}", others.replace(' ', "<"));
    if line.len() > LINE_LEN && line.as_bytes()[LINE_LEN - 1] == b'<' {
        // The cut would leave a filler at the end. Give up the letter before it, so that the initial of the
        // next name takes the last place; after a one-letter name its neighbour to the left is shortened.
        let shorten = (0..LINE_LEN - 1).rev().find(|&i| {
            let bytes = line.as_bytes();
            bytes[i] != b'<' && i > 0 && bytes[i - 1] != b'<'
        });
        if let Some(index) = shorten {
            line.remove(index);
        }
    }
    line.truncate(LINE_LEN);
    format!("{line:<<30}")
}

fn split(text: &str) -> Result<[&str; 3], CardError> {
    let text = text.trim_end_matches(['\r', '\n']);
    if !text.is_ascii() {
        let before = &text[..text.find(|c: char| !c.is_ascii()).unwrap_or(0)];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        return Err(error(line, column, "only A-Z, 0-9 and '<' may stand here"));
    }
    let lines: Vec<&str> = match text.len() {
        90 if !text.contains('\n') => vec![&text[..30], &text[30..60], &text[60..]],
        _ => text.lines().collect(),
    };
    let lines: [&str; 3] = lines.try_into().map_err(|lines: Vec<&str>| {
        error(lines.len().min(3) + 1, 1, "a TD1 zone has three lines of 30 characters")
    })?;
    for (index, line) in lines.iter().enumerate() {
        if line.len() != LINE_LEN {
            let column = line.len().min(LINE_LEN) + 1;
            return Err(error(index + 1, column, "the line must be 30 characters long"));
        }
    }
    Ok(lines)
}

fn check_at(
    number: usize,
    line: &str,
    field: std::ops::Range<usize>,
    digit: usize,
    problem: &'static str,
) -> Result<(), CardError> {
    if line.as_bytes()[digit] == check_digit(&line[field]) as u8 {
        Ok(())
    } else {
        Err(error(number, digit + 1, problem))
    }
}

/// Doc 9303-5 §4.2.4: line 1 positions 6–30, line 2 positions 1–7, 9–15 and 19–29.
fn composite(line1: &str, line2: &str) -> char {
    checksum([&line1[5..30], &line2[0..7], &line2[8..15], &line2[18..29]].into_iter().flat_map(str::bytes))
}

fn error(line: usize, column: usize, problem: &'static str) -> CardError {
    CardError::Mrz { line, column, problem }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;
    use crate::data::{CardFields, tests::sample};

    const SAMPLE: &str =
        "IDVNM1990123456001199012345<<7\n9901018F3901016VNM<<<<<<<<<<<8\nNGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

    #[test]
    fn the_synthetic_card_has_the_published_layout() {
        let mrz = Mrz::from_card(&CardData::new(sample()).unwrap());
        assert_eq!(mrz.lines().join("\n"), SAMPLE);
        assert_eq!(Mrz::parse(SAMPLE).unwrap(), mrz);
        assert_eq!(Mrz::parse(mrz.concatenated()).unwrap(), mrz);
        assert_eq!((mrz.pin(), mrz.birth(), mrz.expiry()), ("001199012345", "990101", "390101"));
    }

    #[test]
    fn check_digits_of_doc_9303_part_3() {
        assert_eq!(check_digit("520727"), '3');
        assert_eq!(check_digit("AB2134<<<"), '5');
        assert_eq!(check_digit("L898902C3"), '6');
        assert_eq!(check_digit("D23145890"), '7');
        // The composite of the TD1 specimen in Doc 9303-5, appendix B.
        let line1 = "I<UTOD231458907<<<<<<<<<<<<<<<";
        let line2 = "7408122F1204159UTO<<<<<<<<<<<6";
        assert_eq!(composite(line1, line2), '6');
    }

    #[test]
    fn a_wrong_check_digit_is_placed() {
        for (line, column, what) in [
            (1, 15, "document number"),
            (1, 30, "personal number"),
            (2, 7, "birth"),
            (2, 15, "expiry"),
            (2, 30, "composite"),
        ] {
            let mut bytes = SAMPLE.as_bytes().to_vec();
            let at = (line - 1) * 31 + column - 1;
            bytes[at] = if bytes[at] == b'9' { b'0' } else { bytes[at] + 1 };
            let Err(CardError::Mrz { line: l, column: c, problem }) =
                Mrz::parse(std::str::from_utf8(&bytes).unwrap())
            else {
                panic!("accepted a wrong digit");
            };
            assert_eq!((l, c), (line, column));
            assert!(problem.contains(what), "{problem}");
        }
    }

    #[test]
    fn malformed_zones_say_where() {
        let at = |text: &str| match Mrz::parse(text).unwrap_err() {
            CardError::Mrz { line, column, .. } => (line, column),
            other => panic!("{other}"),
        };
        assert_eq!(at(""), (1, 1));
        assert_eq!(at(&SAMPLE.replace("MAU<", "MAU")), (3, 30));
        assert_eq!(at(&SAMPLE.replace("THI", "tHI")), (3, 9));
        assert_eq!(at(&SAMPLE.replace("MAU", "MẪU")), (3, 14));
        assert_eq!(at(&SAMPLE.replace("IDVNM", "I<UTO")), (1, 1));
    }

    #[test]
    fn names_lose_diacritics_and_nothing_else() {
        assert_eq!(transliterate("Đặng Thị Hồng Đào"), "DANG THI HONG DAO");
        assert_eq!(transliterate("H'Hen  Niê-Kđăm"), "HHEN NIE KDAM");
        assert_eq!(transliterate("Ưng Hoàng Phúc"), "UNG HOANG PHUC");
        assert_eq!(transliterate("H’Bhiêng Ƀuôn Čơ\u{306} Niê Kđăm"), "HBHIENG BUON CO NIE KDAM");
        assert_eq!(transliterate("Łukasz Groß Ærø"), "LUKASZ GROSS AEROE");
        assert_eq!(name_line("Y"), format!("{:<<30}", "Y"));
    }

    #[test]
    fn a_long_name_is_cut_and_shows_it() {
        assert_eq!(
            name_line("Nilavadhanananda Chayapa Dejthamrong Krasuang"),
            "NILAVADHANANANDA<<CHAYAPA<DEJT"
        );
        // The thirtieth position would have been a filler.
        assert_eq!(name_line("Nguyen Abcdefghij Klmnopqrst Uvw"), "NGUYEN<<ABCDEFGHIJ<KLMNOPQRS<U");
        // Sixty characters, as the longest names of the register have.
        assert_eq!(
            name_line("Nguyễn Hoàng Trương Thị Phương Nghiêm Thuỷ Quỳnh Trường Giang"),
            "NGUYEN<<HOANG<TRUONG<THI<PHUON"
        );
        assert_eq!(name_line("Y Krông Niê Kđăm Êban Ƀlăm Mlô Duôn Du"), "Y<<KRONG<NIE<KDAM<EBAN<BLAM<ML");
        // Exactly thirty: nothing is cut.
        assert_eq!(name_line("Nguyen Hoang Truong Thi Phuong"), "NGUYEN<<HOANG<TRUONG<THI<PHUON");
        assert_eq!(name_line("Tran Hoang Truong Thi Phuong"), "TRAN<<HOANG<TRUONG<THI<PHUONG<");
        // One-letter names at the cut: the letter before them gives way.
        assert_eq!(name_line("Nguyen Abcdefghij Klmnopqr S U Vw"), "NGUYEN<<ABCDEFGHIJ<KLMNOPQ<S<U");
        assert_eq!(name_line(&format!("{} Thi", "A".repeat(40))), format!("{}<<T", "A".repeat(27)));
    }

    proptest! {
        #[test]
        fn every_card_reads_back(pin in "[0-9]{12}", name in "[A-ZÀ-ỹĐđ' \
            ]{0,60}", day in 0i64..60_000, male in any::<bool>()) {
            let name = format!("Ng {name}");
            let fields = CardFields {
                pin: &pin,
                name: &name,
                sex: if male { Sex::Male } else { Sex::Female },
                birth: BirthDate::Full(date!(1900 - 01 - 01) + time::Duration::days(day)),
                ..sample()
            };
            let mrz = Mrz::from_card(&CardData::new(fields).unwrap());
            prop_assert_eq!(Mrz::parse(&mrz.lines().join("\r\n")).unwrap(), mrz.clone());
            prop_assert_eq!(mrz.pin(), pin);
        }

        #[test]
        fn random_text_never_panics(text in ".{0,120}", zone in "[A-Z0-9<]{90}") {
            let _ = Mrz::parse(&text);
            let _ = Mrz::parse(&zone);
            let _ = name_line(&text);
        }

        #[test]
        fn a_cut_name_ends_in_a_letter(words in proptest::collection::vec("[A-Z]{1,12}", 5..9)) {
            let line = name_line(&words.join(" "));
            prop_assert_eq!(line.len(), 30);
            let full: usize = words.iter().map(String::len).sum::<usize>() + words.len();
            prop_assert!(full <= 30 || !line.ends_with('<'), "{}", line);
            // The name as it is read back: the words in their order, each whole or its beginning; a surname
            // is followed by two fillers, and no other two follow each other before the end.
            let (surname, others) = line.split_once("<<").unwrap();
            prop_assert!(words[0].starts_with(surname) && !surname.is_empty());
            let others = others.trim_end_matches('<');
            prop_assert!(!others.contains("<<") && !others.is_empty());
            for (written, word) in others.split('<').zip(&words[1..]) {
                prop_assert!(word.starts_with(written), "{} {}", line, word);
            }
        }
    }
}
