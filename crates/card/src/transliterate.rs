//! Names in the letters of the machine-readable zone.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// A Vietnamese name as MRZ letters: diacritics dropped, Đ to D, apostrophes dropped, any other separator a
/// space (Doc 9303-3 §4.6 and §6). Ƀ, which Ê Đê and Gia Rai names have and the table of §6.A has not, is
/// written as its base letter.
pub fn transliterate(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for composed in name.chars() {
        // The order of marks does not matter, because all of them are dropped: no text needs to be
        // normalised.
        decompose_canonical(composed, |c| match c {
            'A'..='Z' | 'a'..='z' => out.push(c.to_ascii_uppercase()),
            // U+00D0 (eth) looks the same and is often typed by mistake.
            'Đ' | 'đ' | 'Ð' | 'ð' => out.push('D'),
            'Ƀ' | 'ƀ' => out.push('B'),
            // The other letters of Doc 9303-3 §6.A that are more than a letter with a mark.
            'Æ' | 'æ' => out.push_str("AE"),
            'Œ' | 'œ' | 'Ø' | 'ø' => out.push_str("OE"),
            'ß' | 'ẞ' => out.push_str("SS"),
            'Þ' | 'þ' => out.push_str("TH"),
            'Ħ' | 'ħ' => out.push('H'),
            'ı' => out.push('I'),
            'Ł' | 'ł' => out.push('L'),
            'Ŋ' | 'ŋ' => out.push('N'),
            'Ŧ' | 'ŧ' => out.push('T'),
            '\'' | '’' | 'ʼ' | 'ʻ' => {}
            c if is_combining_mark(c) => {}
            _ if out.ends_with(' ') || out.is_empty() => {}
            _ => out.push(' '),
        });
    }
    out.truncate(out.trim_end().len());
    out
}
