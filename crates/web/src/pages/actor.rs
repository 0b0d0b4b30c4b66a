//! Who did something, in words: the people by name, machines and the centre by kind.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::error::Error;
use crate::state::AppState;
use domain::Actor;
use store::accounts;
use ui::i18n::Lang;

/// The names behind the actors of one page.
#[derive(Default)]
pub(crate) struct Actors {
    names: BTreeMap<Uuid, String>,
}

impl Actors {
    /// Looks up the accounts among `actors`, for something that the reader's scope let through.
    pub async fn load<'a>(state: &AppState, actors: impl Iterator<Item = &'a str>) -> Result<Actors, Error> {
        let mut ids: Vec<Uuid> = actors.filter_map(account).collect();
        ids.sort_unstable();
        ids.dedup();
        let names = match ids.is_empty() {
            true => BTreeMap::new(),
            false => accounts::account_names(&mut *state.db.read().await?, &ids).await?,
        };
        Ok(Actors { names })
    }

    /// The actor's name, or what kind of actor it is.
    pub fn name(&self, lang: Lang, actor: &str) -> String {
        if let Some(name) = account(actor).and_then(|id| self.names.get(&id)) {
            return name.clone();
        }
        let kind = match actor.parse() {
            Ok(Actor::Kit(_)) => "actor.kit",
            Ok(Actor::Account(_)) => "actor.account",
            Ok(Actor::Import(_)) => "actor.import",
            Ok(Actor::Command(_)) => "actor.command",
            Ok(Actor::Printer) => "actor.printer",
            Ok(Actor::Station) => "actor.station",
            Ok(Actor::Centre) => "actor.centre",
            // It was written by a program that knew other kinds.
            Err(_) => "actor.unknown",
        };
        lang.text(kind).to_owned()
    }
}

/// Whether the actor is the centre itself and nobody in particular.
pub(crate) fn is_centre(actor: &str) -> bool {
    actor.parse() == Ok(Actor::Centre)
}

fn account(actor: &str) -> Option<Uuid> {
    match actor.parse() {
        Ok(Actor::Account(id)) => Some(id.uuid()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_named_or_told_by_kind() {
        let id = Uuid::from_u128(7);
        let actors = Actors { names: [(id, "Lê Thị Bình".to_owned())].into() };
        let name = |actor: &str| actors.name(Lang::En, actor);
        assert_eq!(name(&format!("account:{id}")), "Lê Thị Bình");
        assert_eq!(name(&format!("account:{}", Uuid::from_u128(8))), "Official");
        assert_eq!(name("demo-adjudicator-2"), name("command:an"));
        assert_eq!(name(&format!("kit:{id}")), "Kit");
        assert_eq!(name("centre"), "Centre");
        assert_eq!(name("somebody"), "Not known");
    }
}
