//! What an adjudicator may decide about a case, and about whom: the register's people in question, one by one.

use uuid::Uuid;

use crate::error::Error;
use crate::pages::evidence;
use domain::PartialDate;
use domain::id::PersonId;
use resolve::Decision;
use store::cases::pages::CasePage;
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
pub(crate) struct Choice {
    pub value: String,
    pub label: String,
    pub text: String,
    pub checked: bool,
}

/// The register's people whom the case or its evidence names.
pub(crate) async fn candidates(
    scoped: &mut PgConnection,
    lang: Lang,
    case: &CasePage,
) -> Result<Vec<Candidate>, Error> {
    let weighed = evidence::candidates(&case.evidence);
    let mut ids: Vec<Uuid> = Vec::new();
    let named = [case.person_id, case.other_person_id, case.decided_person_id];
    for id in named.into_iter().flatten().chain(weighed.iter().map(|(id, _)| *id)) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let names = register::pages::names(scoped, &ids).await?;
    let candidate = |id: Uuid| Candidate {
        person: PersonId::from_uuid(id),
        name: names.get(&id).map(|(name, birth)| match PartialDate::from_packed(*birth) {
            Ok(birth) => format!("{}, {birth}", name_in_list(name)),
            Err(_) => name_in_list(name),
        }),
        weight: weighed
            .iter()
            .find(|(weighed, _)| *weighed == id)
            .map(|(_, weight)| evidence::decimal(lang, *weight))
            .unwrap_or_default(),
    };
    Ok(ids.into_iter().map(candidate).collect())
}

/// What the form offers: to the first adjudicator what can be meant by this case, to the second what the first decided.
/// The desk judges whether it fits. `typed` is what was chosen before, where the form is drawn again.
pub(crate) fn choices(lang: Lang, case: &CasePage, candidates: &[Candidate], typed: &str) -> Vec<Choice> {
    let offered = match decided(case) {
        Some(decided) => vec![decided],
        None => offered(case, candidates),
    };
    let is_decided = case.decision.is_some();
    offered
        .into_iter()
        .map(|decision| {
            let (label, text) = words(lang, case, candidates, &decision);
            let value = value(&decision);
            Choice { checked: is_decided || value == typed, value, label, text }
        })
        .collect()
}

/// What was decided, in words; empty for an open case.
pub(crate) fn decided_in_words(lang: Lang, case: &CasePage, candidates: &[Candidate]) -> String {
    decided(case).map(|decision| words(lang, case, candidates, &decision).0).unwrap_or_default()
}

/// A form's answer, if it is one. A person must be one of those in question whom the reader may see, or whom a colleague chose.
pub(crate) fn read(text: &str, case: &CasePage, candidates: &[Candidate]) -> Option<Decision> {
    let Some(person) = text.strip_prefix("link:") else {
        return Decision::from_parts(text, None, None);
    };
    let person: PersonId = person.parse().ok()?;
    let is_known = candidates.iter().any(|candidate| {
        candidate.person == person
            && (candidate.name.is_some() || case.decided_person_id == Some(person.uuid()))
    });
    is_known.then_some(Decision::Link(person))
}

fn decided(case: &CasePage) -> Option<Decision> {
    let person = case.decided_person_id.map(PersonId::from_uuid);
    Decision::from_parts(case.decision.as_deref()?, person, None)
}

fn offered(case: &CasePage, candidates: &[Candidate]) -> Vec<Decision> {
    if case.application_id.is_none() {
        return vec![Decision::SamePerson, Decision::Different];
    }
    let mut offered = Vec::new();
    if case.other_application_id.is_some() {
        offered.push(Decision::SamePerson);
        if case.person_id.is_some() {
            offered.push(Decision::Different);
        }
    }
    // Nobody is linked to a record that the adjudicator cannot read.
    let visible = candidates.iter().filter(|candidate| candidate.name.is_some());
    offered.extend(visible.map(|candidate| Decision::Link(candidate.person)));
    offered.push(Decision::Reject(Decision::BY_ADJUDICATOR.to_owned()));
    offered
}

fn value(decision: &Decision) -> String {
    match decision {
        Decision::Link(person) => format!("link:{person}"),
        Decision::SamePerson | Decision::Different | Decision::Reject(_) => decision.code().to_owned(),
    }
}

/// A decision's name and what follows from it. What follows differs between applications and register records.
fn words(lang: Lang, case: &CasePage, candidates: &[Candidate], decision: &Decision) -> (String, String) {
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
            let own = find(case.person_id.map(PersonId::from_uuid));
            (label, lang.fill("decision.text.different_people", &[("name", &name(own))]))
        }
        (Decision::SamePerson | Decision::Reject(_), _) => {
            (label, lang.text(&format!("decision.text.{code}")).to_owned())
        }
    }
}
