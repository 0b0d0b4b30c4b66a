//! The two parties that a case sets side by side.

use crate::error::Error;
use crate::pages::{cards, record};
use crate::session::Who;
use crate::state::AppState;
use domain::id::{ApplicationId, PersonId};
use enrol::desks::{Page as Shows, Photo};
use store::PgConnection;
use store::cases::Case;
use ui::i18n::Lang;
use ui::record::Described;

/// One of the two records.
pub(super) struct Side {
    pub(super) title: &'static str,
    pub(super) href: Option<String>,
    pub(super) photo: Option<String>,
    /// Whoever holds the keys does not answer now.
    pub(super) photo_away: bool,
    /// What the photo shows, for those who do not see it.
    pub(super) alt: String,
    /// There is such a record, but the reader may not see it.
    pub(super) hidden: bool,
}

/// One party of a case, with the key of its title.
pub(super) enum Party {
    Application(ApplicationId, &'static str),
    Person(PersonId, &'static str),
    Nobody,
}

impl Party {
    pub(super) fn person(&self) -> Option<PersonId> {
        match self {
            Party::Person(person, _) => Some(*person),
            Party::Application(..) | Party::Nobody => None,
        }
    }
}

/// Whom the case sets side by side: two applications, an application and a register record, or two register
/// records.
pub(super) fn parties(case: &Case) -> (Party, Party) {
    let application = |id: Option<ApplicationId>, title| id.map(|id| Party::Application(id, title));
    let person = |id: Option<PersonId>, title| id.map(|id| Party::Person(id, title));
    let of_register = case.application_id.is_none();
    let first = if of_register { "case.side.first" } else { "case.side.person" };
    let mut found = [
        application(case.application_id, "case.side.application"),
        application(case.other_application_id, "case.side.earlier"),
        person(case.person_id, first),
        person(case.other_person_id, "case.side.second"),
    ]
    .into_iter()
    .flatten();
    (found.next().unwrap_or(Party::Nobody), found.next().unwrap_or(Party::Nobody))
}

/// A party as the page shows it, as far as the reader may see it, and its record in words.
pub(super) async fn side(
    state: &AppState,
    who: &Who,
    scoped: &mut PgConnection,
    lang: Lang,
    party: Party,
) -> Result<(Side, Option<Described>), Error> {
    let empty = |title: &'static str| Side {
        title: lang.text(title),
        href: None,
        photo: None,
        photo_away: false,
        alt: lang.fill("case.photo", &[("what", lang.text(title))]),
        hidden: false,
    };
    match party {
        Party::Application(id, title) => {
            let visible = store::applications::find(scoped, id).await?.is_some();
            if !visible {
                return Ok((Side { hidden: true, ..empty(title) }, None));
            }
            let declared = store::applications::pages::declared(scoped, id).await?;
            let described = declared.and_then(|declared| record::of_declared(state, lang, &declared.record));
            let photo = cards::photo(state, who, Shows::Case, id).await;
            let photo_away = photo == Photo::Away;
            let photo = cards::jpeg(photo).map(|jpeg| cards::data_uri(&jpeg));
            Ok((Side { href: Some(format!("/ho-so/{id}")), photo, photo_away, ..empty(title) }, described))
        }
        Party::Person(id, title) => {
            let described = record::of_person(state, scoped, lang, id).await?;
            let href = described.is_some().then(|| format!("/cu-dan/{id}"));
            Ok((Side { hidden: href.is_none(), href, ..empty(title) }, described))
        }
        Party::Nobody => Ok((empty("case.side.nobody"), None)),
    }
}
