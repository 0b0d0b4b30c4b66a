//! Every check, outcome and status has a sentence of its own in both languages.

use std::collections::BTreeMap;

use ui::i18n::Lang;
use verify::{CardStatus, Check, CheckCode, Outcome, Overall};

fn check(code: CheckCode, outcome: Outcome, status: Option<CardStatus>) -> Check {
    Check { code, outcome, detail: String::new(), status, needed: false }
}

#[test]
fn every_check_outcome_and_status_has_a_sentence_in_both_languages() {
    let statuses: Vec<Option<CardStatus>> = CardStatus::ALL.into_iter().map(Some).chain([None]).collect();
    for code in CheckCode::ALL {
        for outcome in Outcome::ALL {
            for &status in &statuses {
                let key = check(code, outcome, status).words_key();
                let said = Lang::Vi.find(&key).zip(Lang::En.find(&key));
                let (vi, en) = said.unwrap_or_else(|| panic!("{key} has no sentence"));
                assert!(vi.ends_with('.') && en.ends_with('.') && vi != en, "{key}: {vi} {en}");
            }
        }
    }
    for overall in Overall::ALL {
        let key = overall.words_key();
        let (vi, en) = Lang::Vi.find(key).zip(Lang::En.find(key)).expect("a verdict has a sentence");
        assert!(vi.ends_with('.') && en.ends_with('.') && vi != en, "{key}: {vi} {en}");
    }
}

#[test]
fn no_two_checks_share_a_sentence_and_no_two_outcomes_of_one() {
    for lang in [Lang::Vi, Lang::En] {
        for outcome in Outcome::ALL {
            let mut said = BTreeMap::new();
            for code in CheckCode::ALL {
                let sentence = ui::checks::sentence(lang, &check(code, outcome, None).words_key());
                if let Some(other) = said.insert(sentence, code) {
                    panic!("{other} and {code} are both described as: {sentence}");
                }
            }
        }
        for code in CheckCode::ALL {
            let words = Outcome::ALL.map(|o| ui::checks::sentence(lang, &check(code, o, None).words_key()));
            let same = words[0] == words[1] || words[1] == words[2] || words[0] == words[2];
            // Of print alone there is one thing to say, whatever it is.
            assert_eq!(same, code == CheckCode::PaperOnly, "{code}");
        }
    }
}

#[test]
fn a_card_that_is_not_in_force_says_why() {
    let keys: Vec<String> = CardStatus::ALL
        .into_iter()
        .map(|status| check(CheckCode::RegisterStatus, Outcome::Fail, Some(status)).words_key())
        .collect();
    assert_eq!(keys[0], "check.register-status.failed");
    assert_eq!(keys[1], "check.register-status.suspended");
    let sentences: std::collections::BTreeSet<_> =
        keys.iter().map(|key| ui::checks::sentence(Lang::Vi, key)).collect();
    assert_eq!(sentences.len(), CardStatus::ALL.len());
    // A status stands with the register's check only: elsewhere it changes nothing.
    assert_eq!(
        check(CheckCode::Chain, Outcome::Fail, Some(CardStatus::Revoked)).words_key(),
        "check.chain.failed"
    );
}
