//! The calm page for an answer that is not the page that was asked for.

use askama::Template;

use crate::error::Problem;
use ui::format;
use ui::frame::Frame;
use ui::i18n::Lang;

#[derive(Template)]
#[template(path = "problem.html")]
struct Page {
    ui: Frame,
    title: &'static str,
    text: String,
}

pub(crate) fn page(ui: Frame, problem: Problem) -> Result<String, askama::Error> {
    let title = ui.lang.text(&format!("problem.{}.title", problem.kind.code()));
    Page { title, text: text(ui.lang, problem), ui }.render()
}

/// What happened and what to do, in one or two sentences.
pub(crate) fn text(lang: Lang, problem: Problem) -> String {
    let minutes = format::count(lang, problem.wait_minutes());
    lang.fill(&format!("problem.{}.text", problem.kind.code()), &[("minutes", &minutes)])
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::error::{Error, Kind};

    #[test]
    fn every_problem_has_words_of_its_own_and_a_wait_is_named() {
        for lang in [Lang::Vi, Lang::En] {
            let mut texts: Vec<String> =
                Kind::ALL.map(|kind| text(lang, Problem { kind, wait: None })).into_iter().collect();
            assert!(texts.iter().all(|text| text.ends_with('.') && !text.contains('{')), "{texts:?}");
            texts.sort();
            texts.dedup();
            assert_eq!(texts.len(), Kind::ALL.len());
            for kind in Kind::ALL {
                assert!(lang.find(&format!("problem.{}.title", kind.code())).is_some(), "{kind:?}");
            }
        }
        let wait = Duration::seconds(14 * 60 + 1);
        assert!(text(Lang::En, Error::TooMany { wait }.problem()).contains("15 min"));
        assert!(!text(Lang::En, Error::Busy.problem()).contains("15"));
    }
}
