//! Whole names against each other.

use crate::level::{NameLevel, ParentLevel};
use crate::token::{EMPTY, TEXT, Token, one_edit};

/// Words of a name that are looked at; of a longer name the first seven and the last.
pub(crate) const WORDS: usize = 8;

/// A name as references to its words, from the register's table or from a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameView<'a> {
    /// The register's number for this very spelling, if it knows it.
    pub id: Option<u32>,
    pub len: usize,
    /// Whether any word carries a diacritic; a name without any may have lost them in an old computer.
    marked: bool,
    tokens: [&'a Token; WORDS],
}

static NO_TOKEN: Token = EMPTY;

impl<'a> NameView<'a> {
    pub(crate) fn new(id: Option<u32>, words: impl Iterator<Item = &'a Token>) -> NameView<'a> {
        let mut view = NameView { id, len: 0, marked: false, tokens: [&NO_TOKEN; WORDS] };
        for token in words.take(WORDS) {
            view.tokens[view.len] = token;
            view.len += 1;
            view.marked |= token.marked;
        }
        view
    }

    pub(crate) fn tokens(&self) -> &[&'a Token] {
        &self.tokens[..self.len]
    }

    pub(crate) fn given(&self) -> Option<&'a Token> {
        self.tokens().last().copied()
    }

    /// A single word is a given name.
    pub(crate) fn surname(&self) -> Option<&'a Token> {
        if self.len > 1 { Some(self.tokens[0]) } else { None }
    }

    pub(crate) fn middle(&self) -> &[&'a Token] {
        if self.len > 2 { &self.tokens[1..self.len - 1] } else { &[] }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Equal,
    Tone,
    Lost,
    Marks,
    Dialect,
    Typo,
    Different,
}

/// `is_lossy` where one of the two names has no diacritics at all: a single word without may simply be
/// spelled so (Thanh and Thành, Hoa and Hòa are different names).
fn compare_words(a: &Token, b: &Token, is_lossy: bool) -> Word {
    match () {
        () if a.raw == b.raw => Word::Equal,
        () if a.accent == b.accent => Word::Tone,
        () if a.folded == b.folded && is_lossy => Word::Lost,
        () if a.folded == b.folded => Word::Marks,
        // Regional variants share the dialect key for blocking, but they are different surnames.
        () if a.dialect == b.dialect && a.variant == 0 && b.variant == 0 => Word::Dialect,
        () if one_edit(a.letters(), b.letters()) => Word::Typo,
        () => Word::Different,
    }
}

fn are_variants(a: &Token, b: &Token) -> bool {
    a.variant != 0 && a.variant == b.variant
}

pub(crate) fn compare(a: &NameView<'_>, b: &NameView<'_>) -> NameLevel {
    if a.len == 0 || b.len == 0 {
        return NameLevel::Missing;
    }
    if a.id.is_some() && a.id == b.id {
        return NameLevel::Exact;
    }
    if a.len == b.len
        && let Some(level) = compare_word_by_word(a, b)
    {
        return level;
    }
    compare_parts(a, b)
}

fn is_lossy(a: &NameView<'_>, b: &NameView<'_>) -> bool {
    !(a.marked && b.marked)
}

/// Names of as many words that differ by one kind of slip; `None` if more is different.
fn compare_word_by_word(a: &NameView<'_>, b: &NameView<'_>) -> Option<NameLevel> {
    let last = a.len - 1;
    let lossy = is_lossy(a, b);
    let (mut worst, mut given) = (Word::Equal, Word::Equal);
    let (mut slips, mut lost) = (0, 0);
    for (at, (x, y)) in a.tokens().iter().zip(b.tokens()).enumerate() {
        let word = compare_words(x, y, lossy);
        if at == 0 && last > 0 && word > Word::Marks && are_variants(x, y) {
            let agree = same_words(&a.tokens()[1..], &b.tokens()[1..], lossy);
            return agree.then_some(NameLevel::SurnameVariant);
        }
        slips += usize::from(word > Word::Lost);
        lost += usize::from(word == Word::Lost);
        worst = worst.max(word);
        if at == last {
            given = word;
        }
    }
    let in_given = given > Word::Lost;
    match worst {
        Word::Equal => Some(NameLevel::Exact),
        Word::Tone => Some(NameLevel::TonePlacement),
        // Mai Hoa and Mai Hòa: nothing but the given name could have lost a mark, so that it may be another.
        Word::Lost if lost == 1 && given == Word::Lost => Some(NameLevel::DiacriticsGiven),
        Word::Lost => Some(NameLevel::DiacriticsLost),
        _ if slips > 2 => None,
        // In a name of two words two slips leave nothing that is certainly the same.
        Word::Typo if slips > 1 && (last < 2 || is_spaced_differently(a, b)) => None,
        Word::Different => None,
        slipped if in_given => Some(slip_in_given(slipped)),
        slipped => Some(slip(slipped)),
    }
}

fn compare_parts(a: &NameView<'_>, b: &NameView<'_>) -> NameLevel {
    if a.len == b.len && sorted_accents(a) == sorted_accents(b) {
        return NameLevel::Order;
    }
    let lossy = is_lossy(a, b);
    let word = |x: Option<&Token>, y: Option<&Token>| match (x, y) {
        (Some(x), Some(y)) => compare_words(x, y, lossy),
        _ => Word::Different,
    };
    let (surname, given) = (word(a.surname(), b.surname()), word(a.given(), b.given()));
    let (x, y) = (a.middle(), b.middle());
    let middle_missing = is_part(x, y, lossy) || is_part(y, x, lossy);
    match (surname <= Word::Lost, given <= Word::Lost) {
        (true, true) if middle_missing => NameLevel::MiddleMissing,
        // A word left out and a slip in another one.
        (true, false) if middle_missing && given < Word::Different => slip_in_given(given),
        (false, true)
            if middle_missing && surname < Word::Different && !are_variants(a.tokens[0], b.tokens[0]) =>
        {
            slip(surname)
        }
        _ if is_spaced_differently(a, b) => NameLevel::Typo,
        (true, true) => NameLevel::MiddleDifferent,
        (false, true) => NameLevel::GivenOnly,
        (true, false) if same_words(x, y, lossy) => NameLevel::GivenDifferent,
        (true, false) => NameLevel::SurnameOnly,
        (false, false) => NameLevel::Different,
    }
}

fn slip(word: Word) -> NameLevel {
    match word {
        Word::Marks => NameLevel::Diacritics,
        Word::Dialect => NameLevel::Dialect,
        _ => NameLevel::Typo,
    }
}

fn slip_in_given(word: Word) -> NameLevel {
    match word {
        Word::Marks => NameLevel::DiacriticsGiven,
        Word::Dialect => NameLevel::DialectGiven,
        _ => NameLevel::TypoGiven,
    }
}

/// Whether one slip hit the space between two words (THU TRANG, THUTRANG, THUT RANG, THUITRANG): the letters
/// without spaces are the same, or one of them differs and one name has a word more.
fn is_spaced_differently(a: &NameView<'_>, b: &NameView<'_>) -> bool {
    let ((x, x_len), (y, y_len)) = (letters(a), letters(b));
    let (x, y) = (&x[..x_len], &y[..y_len]);
    x == y || (a.len != b.len && x_len.min(y_len) > 5 && one_edit(x, y))
}

/// The letters of all words in a row.
fn letters(name: &NameView<'_>) -> ([u8; WORDS * TEXT], usize) {
    let (mut all, mut len) = ([0; WORDS * TEXT], 0);
    for token in name.tokens() {
        let word = token.letters();
        all[len..len + word.len()].copy_from_slice(word);
        len += word.len();
    }
    (all, len)
}

fn sorted_accents(name: &NameView<'_>) -> [u64; WORDS] {
    let mut accents = [0; WORDS];
    for (slot, token) in accents.iter_mut().zip(name.tokens()) {
        *slot = token.accent;
    }
    accents.sort_unstable();
    accents
}

fn same_words(a: &[&Token], b: &[&Token], is_lossy: bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| compare_words(x, y, is_lossy) <= Word::Lost)
}

/// Whether `part` is `whole` with one or more words left out.
fn is_part(part: &[&Token], whole: &[&Token], is_lossy: bool) -> bool {
    if part.len() >= whole.len() {
        return false;
    }
    let mut rest = whole.iter();
    part.iter().all(|x| rest.any(|y| compare_words(x, y, is_lossy) <= Word::Lost))
}

pub(crate) fn compare_parents(a: &NameView<'_>, b: &NameView<'_>) -> (ParentLevel, NameLevel) {
    let name = compare(a, b);
    let level = match name {
        NameLevel::Missing => ParentLevel::Missing,
        NameLevel::Exact
        | NameLevel::TonePlacement
        | NameLevel::DiacriticsLost
        | NameLevel::Diacritics
        | NameLevel::Dialect
        | NameLevel::SurnameVariant
        | NameLevel::Order => ParentLevel::Same,
        NameLevel::DiacriticsGiven
        | NameLevel::DialectGiven
        | NameLevel::MiddleMissing
        | NameLevel::Typo
        | NameLevel::TypoGiven
        | NameLevel::MiddleDifferent => ParentLevel::Similar,
        NameLevel::GivenDifferent | NameLevel::GivenOnly | NameLevel::SurnameOnly | NameLevel::Different => {
            ParentLevel::Different
        }
    };
    (level, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{analyse, words};

    #[track_caller]
    fn check(a: &str, b: &str, expected: NameLevel) {
        let (x, y): (Vec<_>, Vec<_>) = (words(a).map(analyse).collect(), words(b).map(analyse).collect());
        let (x, y) = (NameView::new(None, x.iter()), NameView::new(None, y.iter()));
        assert_eq!(compare(&x, &y), expected, "{a} / {b}");
        assert_eq!(compare(&y, &x), expected, "{b} / {a}");
    }

    #[test]
    fn name_levels() {
        check("Nguyễn Văn Hòa", "NGUYỄN  VĂN HÒA", NameLevel::Exact);
        check("Nguyễn Văn Hòa", "Nguyễn Văn Hoà", NameLevel::TonePlacement);
        check("Nguyễn Văn Hòa", "NGUYEN VAN HOA", NameLevel::DiacriticsLost);
        check("Nguyễn Thị Hoa", "Nguyễn Thị Hòa", NameLevel::DiacriticsGiven);
        check("Mai Hoa", "Mai Hòa", NameLevel::DiacriticsGiven);
        check("Lê Văn Hùng", "Lê Văn Hưng", NameLevel::DiacriticsGiven);
        check("Lê Thanh Hùng", "Lê Thành Hùng", NameLevel::Diacritics);
        check("Lê Văn Trung", "Lê Văn Chung", NameLevel::DialectGiven);
        check("Lý Văn Trung", "Lí Văn Trung", NameLevel::Dialect);
        check("Huỳnh Thị Lan", "Hoàng Thị Lan", NameLevel::SurnameVariant);
        check("Võ Thị Lan", "Vũ Thị Lan", NameLevel::SurnameVariant);
        check("Võ Thị Lan", "Vũ Thị Mai", NameLevel::Different);
        check("Nguyễn Văn Hòa", "Hòa Nguyễn Văn", NameLevel::Order);
        check("Nguyễn Thị Thu Hà", "Nguyễn Thu Hà", NameLevel::MiddleMissing);
        check("Nguyễn Hà", "Nguyễn Thu Hà", NameLevel::MiddleMissing);
        check("Nguyễn Mạnh Dũng", "Nguyễn Mạmh Dũng", NameLevel::Typo);
        check("Nguyễn Văn Dũng", "Nguyễn Văn Hùng", NameLevel::TypoGiven);
        check("Nguyễn Văn Dũng", "Nguyễn Mạnh Dũng", NameLevel::MiddleDifferent);
        check("Nguyễn Văn Dũng", "Nguyễn Văn Toàn", NameLevel::GivenDifferent);
        check("Nguyễn Văn Dũng", "Trần Mạnh Dũng", NameLevel::GivenOnly);
        check("Nguyễn Văn Dũng", "Nguyễn Thị Lan", NameLevel::SurnameOnly);
        check("", "Nguyễn Thị Lan", NameLevel::Missing);
    }

    #[test]
    fn slips_at_a_space_and_two_slips() {
        check("Nguyễn Thu Trang", "Nguyễn ThuTrang", NameLevel::Typo);
        check("Đinh Thị Thủy", "DINH THIT HUY", NameLevel::Typo);
        check("Nguyễn Thu Thảo", "Nguyễn ThuiThảo", NameLevel::Typo);
        check("Hồ Thị Kim Liên", "Hồ Kim Loên", NameLevel::TypoGiven);
        check("Nguyễn Thị Thu Hạnh", "Nguyễn Thu Hành", NameLevel::DiacriticsGiven);
        check("Đặng Thị Thu Lan", "Đăng Thu Lan", NameLevel::Diacritics);
        check("Nguyễn Ngọc Lan", "Nguyễm Ngpc Lan", NameLevel::Typo);
        check("Mãi Lan", "Mại Lam", NameLevel::Different);
        check("Huỳnh Thị Kim Lan", "Hoàng Kim Lan", NameLevel::GivenOnly);
        // A word less is a word less, however short it is.
        check("Nguyễn Ý Lan", "Nguyễn Lan", NameLevel::MiddleMissing);
    }
}
