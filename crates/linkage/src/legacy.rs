//! Words that were typed for the fonts and keyboards of before Unicode.
//!
//! TCVN3 (TCVN 5712:1993) and VNI kept Vietnamese letters in the places of Latin-1, so that a file that was
//! never converted shows "NguyÔn V¨n" or "Nguyeãn Vaên"; Telex leaves the keys as typed, "Nguyeenx Vawn". A
//! word is converted only if it is no Vietnamese syllable as it stands and becomes one, so that what cannot
//! be told apart ("Thò") is left alone.

use unicode_normalization::UnicodeNormalization;

/// TCVN3: what the file shows, and the letter that was meant.
const TCVN3: &str = "¸á µà ¶ả ·ã ¹ạ ¨ă ¾ắ »ằ ¼ẳ ½ẵ Æặ ©â Êấ Çầ Èẩ Éẫ Ëậ ®đ Ðé Ìè Îẻ Ïẽ Ñẹ ªê Õế Òề Óể Ôễ Öệ \
                     Ýí ×ì Øỉ Üĩ Þị ãó ßò áỏ âõ äọ «ô èố åồ æổ çỗ éộ ¬ơ íớ êờ ëở ìỡ îợ óú ïù ñủ òũ \
                     ôụ \u{ad}ư øứ õừ öử ÷ữ ùự ýý úỳ ûỷ üỹ þỵ ¡ă ¢â §đ £ê ¤ô ¥ơ ¦ư";

/// VNI: letters that stand alone, and pairs of a vowel and its mark.
const VNI: &str = "ñđ ôơ öư æỉ îỵ aùá aøà aûả aõã aïạ aêă aéắ aèằ aúẳ aüẵ aëặ aââ aáấ aàầ aåẩ aãẫ aäậ eùé \
                   eøè eûẻ eõẽ eïẹ eâê eáế eàề eåể eãễ eäệ oùó oøò oûỏ oõõ oïọ oâô oáố oàồ oåổ oãỗ oäộ ôùớ \
                   ôøờ ôûở ôõỡ ôïợ uùú uøù uûủ uõũ uïụ öùứ öøừ öûử öõữ öïự yùý yøỳ yûỷ yõỹ";

/// Telex: doubled and hooked letters.
const TELEX: [(&str, &str); 9] = [
    ("dd", "đ"),
    ("uow", "ươ"),
    ("aa", "â"),
    ("ee", "ê"),
    ("oo", "ô"),
    ("aw", "ă"),
    ("ow", "ơ"),
    ("uw", "ư"),
    ("w", "ư"),
];
const TELEX_TONES: [(char, char); 5] =
    [('f', '\u{300}'), ('s', '\u{301}'), ('x', '\u{303}'), ('r', '\u{309}'), ('j', '\u{323}')];

const ONSETS: &str = "b c ch d g gh gi h k kh l m n ng ngh nh p ph q qu r s t th tr v x";
const RIMES: &str = "a ac ach ai am an ang anh ao ap at au ay e ec ech em en eng enh eo ep et eu i ia ich \
                     iec iem ien ieng iep iet ieu im in inh ip it iu o oa oac oach oai oam oan oang oanh oao \
                     oat oay oc oe oen oeo oet oi om on ong ooc oong op ot u ua uan uang uanh uat uay uc ue \
                     uech uenh ui um un ung uo uoc uoi uom uon uong uop uot uou up ut uu uy uya uych uyen \
                     uyet uynh uyt uyu y yem yen yet yeu";

/// The word as Unicode, if it is in one of the three; without its case.
pub(crate) fn converted(word: &str) -> Option<String> {
    // The tables list composed letters, and a decomposed word is the same word.
    let word: &str = &word.nfc().collect::<String>();
    if word.len() > 32 || is_syllable(word) {
        return None;
    }
    let candidates = if word.is_ascii() { [telex(word), None] } else { [tcvn3(word), vni(word)] };
    candidates.into_iter().flatten().find(|text| is_syllable(text))
}

fn pairs(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.split_whitespace().filter_map(|entry| {
        let last = entry.char_indices().next_back()?.0;
        Some(entry.split_at(last))
    })
}

fn tcvn3(word: &str) -> Option<String> {
    let mut found = false;
    let letter = |shown: char| {
        let meant =
            pairs(TCVN3).find(|(from, _)| from.chars().eq([shown])).and_then(|(_, to)| to.chars().next());
        found |= meant.is_some();
        meant.unwrap_or(shown)
    };
    let text: String = word.chars().map(letter).collect();
    found.then(|| text.to_lowercase())
}

fn vni(word: &str) -> Option<String> {
    let word = word.nfc().collect::<String>().to_lowercase();
    let (mut text, mut rest, mut found) = (String::new(), word.as_str(), false);
    while let Some(first) = rest.chars().next() {
        // The longest that fits: "ôù" is one letter, "ô" before anything else another.
        let fitting = pairs(VNI).filter(|(from, _)| rest.starts_with(from));
        match fitting.max_by_key(|(from, _)| from.len()) {
            Some((from, to)) => {
                text.push_str(to);
                rest = &rest[from.len()..];
                found = true;
            }
            None => {
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    found.then_some(text)
}

fn telex(word: &str) -> Option<String> {
    let mut text = word.to_ascii_lowercase();
    let tone = text.chars().next_back().and_then(|last| TELEX_TONES.iter().find(|(key, _)| *key == last));
    if tone.is_some() {
        text.pop();
    }
    let plain = text.clone();
    for (keys, letter) in TELEX {
        text = text.replacen(keys, letter, 1);
    }
    if let Some((_, mark)) = tone {
        // Where the tone stands does not matter to the keys of a word.
        text.push(*mark);
    }
    (tone.is_some() || text != plain).then_some(text)
}

/// Whether the letters without marks are an onset and a rime of Vietnamese, and the marks such as Vietnamese
/// puts on vowels.
fn is_syllable(word: &str) -> bool {
    let mut folded = String::with_capacity(word.len());
    for c in word.nfd().flat_map(char::to_lowercase) {
        match c {
            '\u{300}' | '\u{301}' | '\u{302}' | '\u{303}' | '\u{306}' | '\u{309}' | '\u{31b}' | '\u{323}' => {
                // Telex puts its tone at the end of the word, behind consonants; on ñ it is no Vietnamese
                // letter.
                if folded.len() == 1 && !folded.starts_with(['a', 'e', 'i', 'o', 'u', 'y']) {
                    return false;
                }
            }
            'đ' => folded.push('d'),
            c => folded.push(c),
        }
    }
    let is_rime = |rest: &str| RIMES.split_whitespace().any(|rime| rime == rest);
    let after_onset = |onset: &str| folded.strip_prefix(onset).is_some_and(is_rime);
    is_rime(&folded) || folded == "gi" || ONSETS.split_whitespace().any(after_onset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::analyse;

    #[track_caller]
    fn check(shown: &str, meant: &str) {
        let text = converted(shown).unwrap_or_else(|| panic!("{shown} was left alone"));
        assert_eq!(analyse(&text).accent, analyse(meant).accent, "{shown} became {text}");
        assert_eq!(analyse(shown).accent, analyse(meant).accent, "{shown}");
    }

    #[test]
    fn three_old_ways_of_writing() {
        for (shown, meant) in [
            ("NguyÔn", "Nguyễn"),
            ("V¨n", "Văn"),
            ("ThÞ", "Thị"),
            ("Ph¹m", "Phạm"),
            ("§Æng", "Đặng"),
            ("Nguyeãn", "Nguyễn"),
            ("Vaên", "Văn"),
            ("Traàn", "Trần"),
            ("Ñoã", "Đỗ"),
            ("Huyønh", "Huỳnh"),
            ("Nguyeenx", "Nguyễn"),
            ("Vawn", "Văn"),
            ("DDoox", "Đỗ"),
            ("Thij", "Thị"),
            ("Dduowngf", "Đường"),
        ] {
            check(shown, meant);
        }
    }

    #[test]
    fn what_may_be_right_is_left_alone() {
        for word in [
            "Hoàng", "Thò", "Hoa", "Quang", "Nghĩa", "Giang", "Ksor", "H'Hen", "Rcom", "Đức", "gì", "", "123",
        ] {
            assert_eq!(converted(word), None, "{word}");
        }
    }
}
