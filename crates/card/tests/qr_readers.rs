//! The symbols of a thousand Vietnamese names, read back by a reader that we did not write: zbar, which
//! guesses how bytes are meant where a symbol does not say it.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::Path;
use std::process::Command;

use card::qr::{Symbol, symbol};

const NAMES: usize = 1_000;

/// Pixels to a module, and the quiet zone in modules.
const SCALE: usize = 4;
const QUIET: usize = 4;

/// Every vowel with every tone; the marks make two or three bytes of UTF-8 of each.
const VOWELS: &str = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵ";
const INITIALS: [&str; 22] = [
    "b", "c", "ch", "d", "đ", "g", "h", "kh", "l", "m", "n", "ng", "nh", "ph", "qu", "r", "s", "t", "th",
    "tr", "v", "x",
];
const FINALS: [&str; 9] = ["", "c", "ch", "m", "n", "ng", "nh", "p", "t"];

/// Names of two to four syllables, every second one in capitals. The first is one that went wrong on a
/// printed card.
fn names() -> Vec<String> {
    let vowels: Vec<char> = VOWELS.chars().collect();
    let mut state = 2021_u64;
    let mut below = |most: usize| {
        // Knuth's generator of 64 bits; its upper half is random enough to mix syllables.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let mut names = vec!["VIỆT ANH".to_owned()];
    while names.len() < NAMES {
        let number = names.len();
        let syllables: Vec<String> = (0..2 + below(3))
            .map(|place| {
                // The vowels take turns, so that each of them occurs.
                let vowel = vowels[(number + place) % vowels.len()];
                let syllable =
                    format!("{}{vowel}{}", INITIALS[below(INITIALS.len())], FINALS[below(FINALS.len())]);
                let (first, rest) = syllable.split_at(syllable.chars().next().unwrap().len_utf8());
                match number % 2 {
                    0 => syllable.to_uppercase(),
                    _ => first.to_uppercase() + rest,
                }
            })
            .collect();
        names.push(syllables.join(" "));
    }
    names
}

/// What a card's QR code says, with the name in the place of the address too.
fn on_a_card(name: &str) -> String {
    format!("001199012345|012345678|{name}|01011999|Nữ|Thôn 1, Xã {name}, Tỉnh Ví Dụ|06042021")
}

/// Whether each pixel is dark, row by row, in a square of the given side.
fn picture(symbol: &Symbol) -> (usize, Vec<bool>) {
    let side = (symbol.modules + 2 * QUIET) * SCALE;
    let mut dark = vec![false; side * side];
    for [x, y, length] in symbol.runs.iter().map(|run| run.map(usize::from)) {
        for row in (y + QUIET) * SCALE..(y + QUIET + 1) * SCALE {
            dark[row * side..][(x + QUIET) * SCALE..(x + QUIET + length) * SCALE].fill(true);
        }
    }
    (side, dark)
}

/// A portable bitmap: rows of bits, each row in whole bytes.
fn bitmap(side: usize, dark: &[bool]) -> Vec<u8> {
    let mut bytes = format!("P4\n{side} {side}\n").into_bytes();
    for row in dark.chunks(side) {
        let byte =
            |bits: &[bool]| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(bits.get(bit) == Some(&true)));
        bytes.extend(row.chunks(8).map(byte));
    }
    bytes
}

/// What `zbarimg` says with nothing but its usual options: one line for each picture, the bytes made UTF-8 as
/// zbar thinks right. (`-Sbinary` would give the bytes as they are, and hide a wrong guess.)
fn by_zbar(dir: &Path, count: usize) -> Vec<String> {
    let files = (0..count).map(|number| dir.join(format!("{number}.pbm")));
    let output = Command::new("zbarimg")
        .args(["--quiet", "--raw", "--nodbus"])
        .args(files)
        .output()
        .expect("zbarimg is installed by the test's set-up (Debian's zbar-tools)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn check(texts: &[String]) {
    let dir = tempfile::tempdir().unwrap();
    for (number, text) in texts.iter().enumerate() {
        let (side, dark) = picture(&symbol(text).unwrap());
        std::fs::write(dir.path().join(format!("{number}.pbm")), bitmap(side, &dark)).unwrap();
    }
    let read = by_zbar(dir.path(), texts.len());
    assert_eq!(read.len(), texts.len(), "zbar finds one symbol in each picture");
    let wrong = read.iter().zip(texts).filter(|(read, text)| read != text).count();
    assert_eq!(wrong, 0, "of {} symbols, read wrong by zbar", texts.len());
}

#[test]
fn a_thousand_names_alone_are_read_as_they_were_written() {
    let names = names();
    let letters: String = names.concat();
    let every = |text: &str| text.chars().all(|letter| letters.contains(letter));
    assert!(every(VOWELS) && every(&VOWELS.to_uppercase()), "each letter occurs, small and capital");
    check(&names);
}

#[test]
fn a_thousand_cards_are_read_as_they_were_written() {
    check(&names().iter().map(|name| on_a_card(name)).collect::<Vec<_>>());
}

/// The plainest text has no designator, which a reader that knows none would have to skip.
#[test]
fn ascii_is_read_too() {
    check(&["NGUYEN VAN AN".to_owned(), "https://example.vn/?a=1".to_owned(), "0123456789".to_owned()]);
}
