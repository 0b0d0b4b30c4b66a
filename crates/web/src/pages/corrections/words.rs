//! Items, faults and states of cases in words.

use crate::state::AppState;
use domain::Field;
use domain::codes::CodeList;
use domain::correction::CaseState;
use domain::field::Part;
use register::cases::CaseFault;
use ui::frame::Frame;
use ui::i18n::Lang;
use ui::place;
use ui::record::label;

/// How a state is shown.
pub(super) const fn class(state: CaseState) -> &'static str {
    match state {
        CaseState::Requested | CaseState::Taken => "wait",
        CaseState::PaperIssued => "way",
        CaseState::Applied => "good",
        CaseState::Refused | CaseState::Withdrawn => "ended",
    }
}

/// How late something is; nothing for what is in time.
pub(super) fn late(ui: &Frame, days: u32) -> String {
    if days == 0 {
        return String::new();
    }
    ui.lang.fill("correction.late", &[("n", &ui.n(&i64::from(days)))])
}

/// A field, and which part of it.
pub(super) fn of_item(lang: Lang, field: Field, part: Part) -> String {
    let label = label(lang, field);
    match part {
        Part::Whole => label.to_owned(),
        Part::Unit | Part::Detail | Part::Name | Part::Pin => {
            format!("{label}: {}", lang.text(&format!("event.part.{}", part.code())))
        }
    }
}

/// A stored value in words; what is not stated is said to be so.
pub(super) fn value(
    state: &AppState,
    lang: Lang,
    (field, part): (Field, Part),
    value: Option<&str>,
) -> String {
    let Some(value) = value else { return lang.text("correction.not_stated").to_owned() };
    let is_unit = part == Part::Unit || matches!(field, Field::BirthRegistration | Field::NativePlace);
    let list = if field == Field::Sex { Some(CodeList::Sex) } else { register::list_of(field) };
    match list.and_then(|list| list.name(value)) {
        Some(name) => name.to_owned(),
        None if is_unit => place::at_head(&place::full(state.units(), value)),
        None => value.to_owned(),
    }
}

/// A fault in words.
pub(super) fn fault(ui: &Frame, fault: &CaseFault) -> String {
    let group = match fault {
        CaseFault::Event(_) => "event.fault",
        _ => "correction.fault",
    };
    let words = ui.code(group, fault.code());
    match Field::from_code(fault.place()) {
        Some(field) => format!("{}: {words}", label(ui.lang, field)),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::correction::{Desk, Outcome, Source, Verb};

    #[test]
    fn everything_about_cases_has_words_in_both_languages() {
        for lang in [Lang::Vi, Lang::En] {
            let has = |group: &str, code: &str| {
                assert!(lang.find(&format!("correction.{group}.{code}")).is_some(), "{group}.{code}");
            };
            CaseFault::CODES.iter().for_each(|code| has("fault", code));
            Source::ALL.iter().for_each(|source| has("source", source.code()));
            Desk::ALL.iter().for_each(|desk| has("desk", desk.code()));
            for outcome in [Outcome::Open, Outcome::Granted(None), Outcome::Applied(None), Outcome::Refused] {
                has("outcome", outcome.code());
            }
            for state in CaseState::ALL {
                has("state", state.code());
                if state.is_open() {
                    has("waits", state.code());
                }
            }
            for verb in Verb::ALL {
                has("did", verb.code());
                has("done", verb.code());
                if verb != Verb::Request {
                    has("do", verb.code());
                    has("about", verb.code());
                }
            }
        }
    }
}
