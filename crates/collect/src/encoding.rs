//! Which encoding a file is in, found from its bytes before a single row is believed.
//!
//! Vietnamese offices still hold files in two encodings of the 1990s. Read as anything else they give names
//! of plausible letters, so they are named and refused and never guessed at:
//! - TCVN3 (ABC): TCVN 5712:1993, VN3. One byte per letter; ă â ê ô ơ ư đ are A8 to AE, à ả ã á ạ are B5 to
//!   B9.
//! - Windows-1258: base letters, followed by a tone mark of its own: CC, D2, DE, EC or F2.

use std::fmt;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Error;

/// The largest file that is imported at once: 8 GiB, some twenty million forms as CSV.
pub const MAX_FILE_BYTES: u64 = 8 << 30;

/// How much of a file is looked at to judge its letters.
const SAMPLE_BYTES: usize = 4 << 20;

const BLOCK_BYTES: usize = 1 << 20;

/// Letters of one kind below this number prove nothing.
const FEW: u64 = 8;

/// An encoding of the time before Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legacy {
    Tcvn3,
    Windows1258,
}

impl Legacy {
    pub(crate) const fn how_to_convert(self) -> &'static str {
        match self {
            Legacy::Tcvn3 => "for example with the converter of UniKey, from TCVN3 (ABC) to Unicode",
            Legacy::Windows1258 => "for example: iconv -f CP1258 -t UTF-8",
        }
    }
}

impl fmt::Display for Legacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Legacy::Tcvn3 => "TCVN3 (ABC) text",
            Legacy::Windows1258 => "Windows-1258 text",
        })
    }
}

/// What the bytes of a sound file tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digested {
    pub sha256: [u8; 32],
    pub bytes: u64,
    /// Length of the byte order mark: 0 or 3.
    pub bom: u64,
}

/// Reads the whole file once: its hash, and proof that it is UTF-8 text of its own time.
pub(crate) fn digest(mut input: impl Read, path: &Path) -> Result<Digested, Error> {
    let mut hash = Sha256::new();
    let mut block = vec![0u8; BLOCK_BYTES];
    let mut sample: Vec<u8> = Vec::new();
    let mut carried = 0; // bytes of a character that the end of a block cut in two
    let (mut offset, mut line, mut bom) = (0u64, 1u64, 0);
    loop {
        let read = input.read(&mut block[carried..]).map_err(Error::file("cannot read", path))?;
        let filled = carried + read;
        if read == 0 && filled == 0 {
            break;
        }
        hash.update(&block[carried..filled]);
        let bytes = &block[..filled];
        if offset == 0 && sample.is_empty() {
            if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || half_zero(bytes) {
                return Err(Error::Utf16);
            }
            bom = if bytes.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 };
        }
        if let Some(zero) = memchr::memchr(0, bytes) {
            return Err(Error::ZeroByte { offset: offset + zero as u64 });
        }
        let room = SAMPLE_BYTES.saturating_sub(sample.len());
        sample.extend_from_slice(&bytes[carried..][..room.min(read)]);
        let valid = match std::str::from_utf8(bytes) {
            Ok(_) => filled,
            Err(e) if e.error_len().is_none() && read > 0 => e.valid_up_to(),
            Err(e) => {
                let at = e.valid_up_to();
                sample.extend_from_slice(&bytes[at..]);
                sample.extend(rest_of_sample(&mut input));
                let line = line + memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64;
                return Err(not_utf8(&sample, offset + at as u64, line));
            }
        };
        line += memchr::memchr_iter(b'\n', &bytes[..valid]).count() as u64;
        offset += valid as u64;
        block.copy_within(valid..filled, 0);
        carried = filled - valid;
    }
    if let Some(legacy) = mangled(&sample) {
        return Err(Error::MangledEncoding { legacy });
    }
    Ok(Digested { sha256: hash.finalize().into(), bytes: offset, bom })
}

/// More bytes to judge by; a read error here changes nothing about what is wrong.
fn rest_of_sample(input: &mut impl Read) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = input.take(BLOCK_BYTES as u64).read_to_end(&mut rest);
    rest
}

/// Text in UTF-16 without a byte order mark has a zero in nearly every second byte, and hardly one between.
fn half_zero(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4096)];
    let odd = memchr::memchr_iter(0, head).filter(|at| at % 2 == 1).count();
    let even = memchr::memchr_iter(0, head).count() - odd;
    head.len() >= 4 && odd.max(even) * 4 >= head.len() && odd.min(even) * 8 <= odd.max(even)
}

fn not_utf8(bytes: &[u8], offset: u64, line: u64) -> Error {
    match legacy(bytes) {
        Some(legacy) => Error::LegacyEncoding { legacy, offset },
        None => Error::NotUtf8 { offset, line },
    }
}

/// Judges single-byte text by what its letters stand beside.
fn legacy(bytes: &[u8]) -> Option<Legacy> {
    let (mut whole, mut broken) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += chunk.invalid().len();
    }
    if whole > broken {
        return None; // UTF-8 with damage, not another encoding
    }
    let mut counts = Counts::default();
    for (i, &byte) in bytes.iter().enumerate().filter(|(_, byte)| **byte >= 0x80) {
        let before = i.checked_sub(1).map(|i| char::from(bytes[i]));
        let after = bytes.get(i + 1).map(|byte| char::from(*byte));
        counts.see(before, char::from(byte), after);
    }
    counts.verdict()
}

/// Judges valid UTF-8 whose letters are those that a wrong conversion makes of the old encodings.
fn mangled(bytes: &[u8]) -> Option<Legacy> {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(&bytes[..e.valid_up_to()]).ok()?,
    };
    let mut counts = Counts::default();
    let mut vietnamese = 0u64;
    let mut before = None;
    let mut chars = valid.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\0'..='\u{7f}' => {}
            '\u{80}'..='\u{ff}' => counts.see(before, c, chars.peek().copied()),
            // Letters that only Vietnamese text in Unicode has, composed or with marks of their own.
            '\u{100}'..='\u{1b0}' | '\u{300}'..='\u{323}' | '\u{1ea0}'..='\u{1ef9}' => vietnamese += 1,
            _ => {}
        }
        before = Some(c);
    }
    if vietnamese * 10 > counts.high { None } else { counts.verdict() }
}

#[derive(Default)]
struct Counts {
    high: u64,
    tcvn3: u64,
    tcvn3_names: u64,
    tone_marks: u64,
}

impl Counts {
    fn see(&mut self, before: Option<char>, c: char, after: Option<char>) {
        let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic() || c >= '\u{a1}');
        self.high += 1;
        // Nguyễn and Thị, which stand in every file of names: ễ is D4 and ị is DE.
        self.tcvn3_names += match (before, c, after) {
            (Some('y' | 'Y'), '\u{d4}', Some('n' | 'N')) | (Some('h' | 'H'), '\u{de}', _) => 1,
            _ => 0,
        };
        match c {
            '\u{a1}'..='\u{ae}' | '\u{b5}'..='\u{be}' if is_letter(before) || is_letter(after) => {
                self.tcvn3 += 1
            }
            '\u{cc}' | '\u{d2}' | '\u{de}' | '\u{ec}' | '\u{f2}' if before.is_some_and(is_1258_vowel) => {
                self.tone_marks += 1;
            }
            _ => {}
        }
    }

    /// In TCVN3 a third of the letters with marks lie where Windows-1258 has signs, and so are asked for
    /// first.
    fn verdict(&self) -> Option<Legacy> {
        if self.tcvn3 >= FEW && self.tcvn3 * 5 >= self.high
            || self.tcvn3_names >= FEW && self.tcvn3_names * 5 >= self.high
        {
            Some(Legacy::Tcvn3)
        } else if self.tone_marks >= FEW && self.tone_marks * 6 >= self.high {
            Some(Legacy::Windows1258)
        } else {
            None
        }
    }
}

/// A vowel that carries a separate tone mark in Windows-1258.
fn is_1258_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'A' | 'E' | 'I' | 'O' | 'U' | 'Y')
        || matches!(c, 'â' | 'ã' | 'ê' | 'ô' | 'õ' | 'ý' | 'Â' | 'Ã' | 'Ê' | 'Ô' | 'Õ' | 'Ý')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Nguyễn Văn Đức, Trần Thị Hồng, Lê Đình Tiến", by the table of TCVN 5712:1993.
    const TCVN3: &[u8] = b"Nguy\xd4n V\xa8n \xa7\xf8c,Tr\xc7n Th\xde H\xe5ng,L\xaa \xa7\xd7nh Ti\xd5n\n";
    /// The same names with base letters and tone marks.
    const WINDOWS_1258: &[u8] =
        b"Nguy\xea\xden V\xe3n \xd0\xfd\xecc,Tr\xe2\xccn Thi\xf2 H\xf4\xccng,L\xea \xd0i\xccnh Ti\xea\xecn\n";

    fn check(bytes: &[u8]) -> Result<Digested, Error> {
        digest(bytes, Path::new("f.csv"))
    }

    #[test]
    fn old_encodings_are_named_with_the_first_wrong_byte() {
        let mut text = b"form_no,full_name\n".to_vec();
        text.extend(TCVN3.repeat(20));
        assert!(matches!(check(&text), Err(Error::LegacyEncoding { legacy: Legacy::Tcvn3, offset: 22 })));
        // Names in capitals, of which only the two most frequent have marks.
        let mut text = b"form_no,full_name\n".to_vec();
        text.extend(b"NGUY\xd4N TH\xde M\xc9U\n".repeat(20));
        assert!(matches!(check(&text), Err(Error::LegacyEncoding { legacy: Legacy::Tcvn3, offset: 22 })));
        let mut text = b"form_no,full_name\n".to_vec();
        text.extend(WINDOWS_1258.repeat(20));
        assert!(matches!(
            check(&text),
            Err(Error::LegacyEncoding { legacy: Legacy::Windows1258, offset: 22 })
        ));
    }

    #[test]
    fn old_encodings_that_were_saved_as_unicode_are_named_too() {
        let as_latin = |bytes: &[u8]| bytes.iter().map(|b| char::from(*b)).collect::<String>().repeat(20);
        for (bytes, expect) in [(TCVN3, Legacy::Tcvn3), (WINDOWS_1258, Legacy::Windows1258)] {
            match check(as_latin(bytes).as_bytes()) {
                Err(Error::MangledEncoding { legacy }) => assert_eq!(legacy, expect),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn vietnamese_in_unicode_passes_composed_and_decomposed() {
        let text = "NGUYỄN VĂN ĐỨC,TRẦN THỊ HỒNG,LÊ ĐÌNH TIẾN,HÒA,CÒ NÒI\n".repeat(200_000);
        assert_eq!(check(text.as_bytes()).unwrap().bytes, text.len() as u64);
        let hung = "Hu\u{300}ng,Thu\u{309}y,A\u{323}nh,Lò Văn Còi\n".repeat(20);
        assert_eq!(check(hung.as_bytes()).unwrap().bom, 0);
        assert_eq!(check("\u{feff}form_no".as_bytes()).unwrap().bom, 3);
    }

    #[test]
    fn what_is_no_text_is_told_apart() {
        let utf16: Vec<u8> = "form_no,full_name".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(matches!(check(&utf16), Err(Error::Utf16)));
        assert!(matches!(check(b"\xff\xfea\0"), Err(Error::Utf16)));
        assert!(matches!(check(b"form_no,full_name\nabc\0def"), Err(Error::ZeroByte { offset: 21 })));
        let picture = [&b"\xff\xd8\xff\xe0"[..], &[0; 300]].concat();
        assert!(matches!(check(&picture), Err(Error::ZeroByte { offset: 4 })));
        assert!(matches!(check(b"a\nb\xffc"), Err(Error::NotUtf8 { offset: 3, line: 2 })));
        assert!(matches!(check(b"caf\xe9 cr\xe8me"), Err(Error::NotUtf8 { offset: 3, line: 1 })));
        let mut damaged = "NGUYỄN VĂN ĐỨC\n".repeat(50).into_bytes();
        damaged.insert(340, 0xff);
        assert!(matches!(check(&damaged), Err(Error::NotUtf8 { offset: 340, line: 17 })));
        assert!(matches!(
            check("cut: \u{1ed5}".as_bytes().split_last().unwrap().1),
            Err(Error::NotUtf8 { offset: 5, .. })
        ));
    }

    #[test]
    fn a_character_across_two_blocks_is_whole() {
        let mut text = "a".repeat(BLOCK_BYTES - 1);
        text.push_str("ệ\nb");
        assert_eq!(check(text.as_bytes()).unwrap().bytes, text.len() as u64);
    }
}
