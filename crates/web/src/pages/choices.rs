//! What an adjudicator may decide about a case, in words, and about whom: the register's people in question,
//! one by one.

use uuid::Uuid;

use crate::error::Error;
use crate::pages::evidence;
use domain::PartialDate;
use domain::id::PersonId;
use resolve::cases::{Choice, Decision, Sheet};
use store::cases::Case;
use store::{PgConnection, register};
use ui::i18n::Lang;
use ui::record::name_in_list;

/// Somebody of the register who is in question, the likeliest first.
pub(crate) struct Candidate {
    pub person: PersonId,
    /// Name and date of birth; `None` when the person belongs to another unit.
    pub name: Option<String>,
    /// Empty when it was not weighed.
    pub weight: String,
}

/// One decision that the form offers.
pub(crate) struct Offer {
    pub value: String,
    pub label: String,
    pub text: String,
    pub checked: bool,
}

/// One decision that could be meant and cannot be carried out now.
pub(crate) struct Barred {
    pub label: String,
    pub why: &'static str,
}

/// The register's people whom the case or its evidence names.
pub(crate) async fn candidates(
    scoped: &mut PgConnection,
    lang: Lang,
    sheet: &Sheet,
) -> Result<Vec<Candidate>, Error> {
    let people = sheet.people();
    let ids: Vec<Uuid> = people.iter().map(|(person, _)| person.uuid()).collect();
    let names = register::pages::names(scoped, &ids).await?;
    let candidate = |(person, weight): (PersonId, Option<f64>)| Candidate {
        person,
        name: names.get(&person.uuid()).map(|(name, birth)| match PartialDate::from_packed(*birth) {
            Ok(birth) => format!("{}, {birth}", name_in_list(name)),
            Err(_) => name_in_list(name),
        }),
        weight: weight.map(|weight| evidence::decimal(lang, weight)).unwrap_or_default(),
    };
    Ok(people.into_iter().map(candidate).collect())
}

/// What the form offers: what would be carried out if a colleague confirmed it now. `typed` is what was
/// chosen before, where the form is drawn again.
pub(crate) fn offers(lang: Lang, sheet: &Sheet, candidates: &[Candidate], typed: &str) -> Vec<Offer> {
    let possible = visible(sheet, candidates).filter(|choice| choice.obstacle.is_none());
    possible
        .map(|choice| {
            let (label, text) = words(lang, &sheet.case, candidates, &choice.decision);
            let value = value(&choice.decision);
            Offer { checked: value == typed, value, label, text }
        })
        .collect()
}

/// What cannot be carried out now, and why.
pub(crate) fn barred(lang: Lang, sheet: &Sheet, candidates: &[Candidate]) -> Vec<Barred> {
    let bar = |choice: &Choice| {
        let why = lang.text(&format!("case.obstacle.{}", choice.obstacle?.code()));
        Some(Barred { label: words(lang, &sheet.case, candidates, &choice.decision).0, why })
    };
    visible(sheet, candidates).filter_map(bar).collect()
}

/// A decision in words.
pub(crate) fn in_words(lang: Lang, sheet: &Sheet, candidates: &[Candidate], decision: &Decision) -> String {
    words(lang, &sheet.case, candidates, decision).0
}

/// A form's answer, if it is one of those that can be meant. A person must be one whom the reader may see.
pub(crate) fn read(text: &str, sheet: &Sheet, candidates: &[Candidate]) -> Option<Decision> {
    visible(sheet, candidates)
        .map(|choice| &choice.decision)
        .find(|decision| value(decision) == text)
        .cloned()
}

/// Nobody is linked to a record that the adjudicator cannot read.
fn visible<'a>(sheet: &'a Sheet, candidates: &'a [Candidate]) -> impl Iterator<Item = &'a Choice> {
    let sees =
        |person| candidates.iter().any(|candidate| candidate.person == person && candidate.name.is_some());
    sheet.options.iter().filter(move |choice| choice.decision.person().is_none_or(sees))
}

fn value(decision: &Decision) -> String {
    match decision {
        Decision::Link(person) => format!("link:{person}"),
        Decision::SamePerson | Decision::Different | Decision::Reject(_) => decision.code().to_owned(),
    }
}

/// A decision's name and what follows from it. What follows differs between applications and register
/// records.
fn words(lang: Lang, case: &Case, candidates: &[Candidate], decision: &Decision) -> (String, String) {
    let find = |wanted: Option<PersonId>| candidates.iter().find(|c| Some(c.person) == wanted);
    let name = |candidate: Option<&Candidate>| {
        candidate.and_then(|c| c.name.clone()).unwrap_or_else(|| lang.text("case.hidden").to_owned())
    };
    let code = decision.code();
    let label = lang.text(&format!("decision.{code}")).to_owned();
    match (decision, case.application_id) {
        (Decision::SamePerson | Decision::Different, None) => {
            (label, lang.text(&format!("decision.text.register.{code}")).to_owned())
        }
        (Decision::Link(person), _) => {
            let candidate = find(Some(*person));
            let weight = candidate.map(|c| c.weight.clone()).filter(|weight| !weight.is_empty());
            let text = weight.map_or_else(
                || lang.text("decision.text.link").to_owned(),
                |weight| lang.fill("decision.text.link_weighed", &[("weight", &weight)]),
            );
            (lang.fill("decision.link_to", &[("name", &name(candidate))]), text)
        }
        (Decision::Different, _) => {
            let own = find(case.person_id);
            (label, lang.fill("decision.text.different_people", &[("name", &name(own))]))
        }
        (Decision::SamePerson | Decision::Reject(_), _) => {
            (label, lang.text(&format!("decision.text.{code}")).to_owned())
        }
    }
}
