//! Vietnamese text: composing, folding to ASCII, and tone-mark placement.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Composes to NFC, trims, and folds every run of white space to one space.
///
/// NFC is what the 2021 unit list and the QCVN 109 exchange use; a decomposed name would look the same and
/// compare different.
pub fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.nfc());
    }
    out
}

/// Where a text of a record holds a character that none may hold, counted from one: a control character,
/// which no database and no printer takes as it is, or a mark that changes the direction or hides between
/// letters, with which a page or a card would show other than what is stored (Unicode TR 36 §3).
pub fn forbidden(text: &str) -> Option<usize> {
    let is_forbidden = |c: char| {
        let turns = matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let hides = matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
        let breaks = matches!(c, '\u{2028}'..='\u{2029}');
        c.is_control() || turns || hides || breaks
    };
    text.chars().position(is_forbidden).map(|position| position + 1)
}

/// Whether the text has a base letter followed by combining marks where NFC would have one letter.
pub fn is_decomposed(text: &str) -> bool {
    text.chars().any(is_combining_mark)
}

/// Upper-case ASCII with all Vietnamese marks dropped (Đ → D), as ICAO Doc 9303-3 §6 transliterates for the
/// MRZ. Characters that have no ASCII base become a space.
pub fn fold_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfd() {
        match c {
            'Đ' | 'đ' => out.push('D'),
            c if is_combining_mark(c) => {}
            c if c.is_ascii() => out.push(c.to_ascii_uppercase()),
            _ => out.push(' '),
        }
    }
    out
}

/// A stable key that disregards where the tone mark of a syllable stands: "hòa" and "hoà" agree, "hòa" and
/// "hóa" do not.
pub fn tone_free_placement_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len() + 8);
    for (i, word) in text.split_whitespace().enumerate() {
        if i > 0 {
            key.push(' ');
        }
        let mut tone = None;
        for c in word.to_lowercase().nfd() {
            match c {
                '\u{300}' | '\u{301}' | '\u{303}' | '\u{309}' | '\u{323}' => tone = Some(c),
                c => key.push(c),
            }
        }
        key.extend(tone);
    }
    key.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_drops_marks_and_keeps_the_letters() {
        assert_eq!(fold_ascii("Nguyễn Thị Đường"), "NGUYEN THI DUONG");
        assert_eq!(fold_ascii("H'Mai Niê Kđăm"), "H'MAI NIE KDAM");
    }

    #[test]
    fn tone_placement_does_not_matter_but_the_tone_does() {
        assert_eq!(tone_free_placement_key("Hòa"), tone_free_placement_key("hoà"));
        assert_ne!(tone_free_placement_key("Hòa"), tone_free_placement_key("Hóa"));
    }

    #[test]
    fn decomposed_text_is_noticed_and_composed() {
        let nfd = "Nguye\u{302}\u{303}n";
        assert!(is_decomposed(nfd));
        assert_eq!(tidy(&format!("  {nfd}\tAn ")), "Nguyễn An");
    }
}
