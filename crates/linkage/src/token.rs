//! One word of a Vietnamese name and the keys by which it can equal another word.

use unicode_normalization::UnicodeNormalization;

use crate::hash;
use crate::legacy;

/// Letters of a word kept for edit distance; the longest Vietnamese syllable has seven.
pub(crate) const TEXT: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// The word after canonical normalisation and lower-casing.
    pub raw: u64,
    /// Letters with their quality marks plus the tone, wherever the tone was written: "hoà" equals "hòa".
    pub accent: u64,
    /// Letters without any mark; đ is d.
    pub folded: u64,
    /// Sounds that regional speech or spelling confuses are one.
    pub dialect: u64,
    pub text: [u8; TEXT],
    pub len: u8,
    /// Whether any diacritic is present.
    pub marked: bool,
    /// Regional variants of one surname: 0 none, 1 Huỳnh/Hoàng, 2 Vũ/Võ.
    pub variant: u8,
    /// Position in the table of term frequencies; `u32::MAX` if the register does not know the word.
    pub class: u32,
}

pub(crate) const EMPTY: Token = Token {
    raw: 0,
    accent: 0,
    folded: 0,
    dialect: 0,
    text: [0; TEXT],
    len: 0,
    marked: false,
    variant: 0,
    class: u32::MAX,
};

impl Token {
    pub(crate) fn letters(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }
}

/// The words of a name or an address. An apostrophe belongs to the word (H'Hen), other punctuation divides.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| {
        c.is_whitespace()
            || c.is_control()
            || (c.is_ascii_punctuation() && c != '\'' && c != '`')
            || matches!(c, '\u{2010}'..='\u{2015}' | '\u{feff}' | '\u{200b}')
    })
    .filter(|word| word.chars().any(char::is_alphanumeric))
}

pub(crate) fn analyse(word: &str) -> Token {
    match legacy::converted(word) {
        Some(text) => analyse_unicode(&text),
        None => analyse_unicode(word),
    }
}

fn analyse_unicode(word: &str) -> Token {
    let mut folded = String::with_capacity(word.len());
    let mut accent = String::with_capacity(word.len() + 4);
    let mut raw = 0u64;
    let (mut tone, mut marked) = (0u64, false);
    for c in word.nfd().flat_map(char::to_lowercase).nfd() {
        let c = if c == 'ð' { 'đ' } else { c };
        match c {
            '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{02bc}' => continue,
            '\u{0300}' | '\u{0301}' | '\u{0303}' | '\u{0309}' | '\u{0323}' => {
                tone = tone * 8 + tone_number(c);
                marked = true;
            }
            '\u{0302}' | '\u{0306}' | '\u{031b}' => {
                accent.push(c);
                marked = true;
            }
            '\u{0304}'..='\u{036f}' => {
                accent.push(c);
                marked = true;
            }
            'đ' => {
                folded.push('d');
                accent.push('đ');
                marked = true;
            }
            _ => {
                folded.push(c);
                accent.push(c);
            }
        }
        raw = hash::mix(raw, u64::from(c));
    }
    let mut text = [0; TEXT];
    let len = folded.len().min(TEXT);
    text[..len].copy_from_slice(&folded.as_bytes()[..len]);
    Token {
        raw,
        accent: hash::mix(hash::bytes(accent.as_bytes()), tone),
        folded: hash::bytes(folded.as_bytes()),
        dialect: dialect_key(&folded),
        text,
        len: len as u8,
        marked,
        variant: surname_variant(&folded),
        class: u32::MAX,
    }
}

fn tone_number(mark: char) -> u64 {
    match mark {
        '\u{0300}' => 1,
        '\u{0301}' => 2,
        '\u{0303}' => 3,
        '\u{0309}' => 4,
        _ => 5,
    }
}

fn surname_variant(folded: &str) -> u8 {
    match folded {
        "huynh" | "hoang" => 1,
        "vu" | "vo" => 2,
        _ => 0,
    }
}

/// Onsets tr/ch, s/x, l/n, d/gi/r/v; finals n/ng and t/c; i/y: the confusions of northern, central and
/// southern speech. The key is built on letters without marks, so that it also survives their loss, and it
/// holds the regional variants of a surname together: it may only bring records together, never decide.
fn dialect_key(folded: &str) -> u64 {
    let word = match folded {
        "huynh" => "hoang",
        "vo" => "vu",
        other => other,
    };
    let (onset, rest) = match word.as_bytes() {
        [b't', b'r', ..] => ("ch", &word[2..]),
        [b'g', b'i', b'a' | b'e' | b'o' | b'u', ..] => ("d", &word[2..]),
        [b'g', b'i', ..] => ("d", &word[1..]),
        [b'n', b'g', b'h', ..] => ("ng", &word[3..]),
        [b's', ..] => ("x", &word[1..]),
        [b'l', ..] => ("n", &word[1..]),
        [b'r' | b'v', ..] => ("d", &word[1..]),
        _ => ("", word),
    };
    let rest = match rest.as_bytes() {
        [.., before, b'n', b'g'] if is_vowel(*before) => &rest[..rest.len() - 1],
        _ => rest,
    };
    let mut key = String::with_capacity(word.len() + 2);
    key.push_str(onset);
    match rest.as_bytes() {
        [.., before, b'c'] if is_vowel(*before) => {
            key.push_str(&rest[..rest.len() - 1]);
            key.push('t');
        }
        _ => key.push_str(rest),
    }
    hash::bytes(key.replace('y', "i").as_bytes())
}

fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// One insertion, deletion, substitution or transposition of neighbours apart (and not equal).
pub(crate) fn one_edit(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if b.len() - a.len() > 1 || a == b {
        return false;
    }
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    if a.len() < b.len() {
        return a[start..] == b[start + 1..];
    }
    let (x, y) = (&a[start..], &b[start..]);
    x[1..] == y[1..] || (x.len() > 1 && x[0] == y[1] && x[1] == y[0] && x[2..] == y[2..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, accent: bool, folded: bool, dialect: bool) {
        let (a, b) = (analyse(a), analyse(b));
        assert_eq!(
            (a.accent == b.accent, a.folded == b.folded, a.dialect == b.dialect),
            (accent, folded, dialect)
        );
    }

    #[test]
    fn keys_unify_what_they_should() {
        check("hoà", "HÒA", true, true, true);
        check("thuý", "thúy", true, true, true);
        check("Hòa", "Ho\u{0300}a", true, true, true);
        check("Đức", "DUC", false, true, true);
        check("Ðức", "Đức", true, true, true);
        check("Trung", "Chung", false, false, true);
        check("Sang", "Xan", false, false, true);
        check("Lý", "Lí", false, false, true);
        check("Giang", "Dang", false, false, true);
        check("Huỳnh", "Hoàng", false, false, true);
        check("Hùng", "Hưng", false, true, true);
        check("H'Hen", "H’hen", true, true, true);
        check("Hà", "Hải", false, false, false);
    }

    #[test]
    fn edits() {
        for (a, b, expected) in [
            ("hung", "dung", true),
            ("an", "anh", true),
            ("hoa", "hao", true),
            ("hoa", "hoa", false),
            ("hoang", "huynh", false),
            ("", "a", true),
            ("ab", "ba", true),
        ] {
            assert_eq!(one_edit(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(one_edit(b.as_bytes(), a.as_bytes()), expected, "{b} {a}");
        }
    }
}
