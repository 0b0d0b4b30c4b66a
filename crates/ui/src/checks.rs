//! What a card's check found, in plain words, for people who know nothing of certificates. The keys are those
//! that crate
//! `verify` gives: a check by its code and its outcome, a verdict by its own.

use crate::i18n::Lang;

/// The sentence of a check or of a verdict.
pub fn sentence(lang: Lang, key: &str) -> &'static str {
    lang.text(key)
}

/// The same sentence in Vietnamese and in English.
pub fn both(key: &str) -> (&'static str, &'static str) {
    (sentence(Lang::Vi, key), sentence(Lang::En, key))
}
