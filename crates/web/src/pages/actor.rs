//! Who did something, in words: the people by name, machines and the centre by kind.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::error::Error;
use crate::state::AppState;
use store::web_read;
use ui::i18n::Lang;

/// The names behind the actors of one page.
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
            false => web_read::account_names(&mut *state.db.begin().await?, &ids).await?,
        };
        Ok(Actors { names })
    }

    /// The actor's name, or what kind of actor it is.
    pub fn name(&self, lang: Lang, actor: &str) -> String {
        if let Some(name) = account(actor).and_then(|id| self.names.get(&id)) {
            return name.clone();
        }
        if let Some(number) = actor.strip_prefix("demo-adjudicator-") {
            return lang.fill("actor.demo_adjudicator", &[("n", number)]);
        }
        let kind = match actor.split_once(':') {
            Some(("kit", _)) => "actor.kit",
            Some(("account", _)) => "actor.account",
            Some(("import", _)) => "actor.import",
            None if is_centre(actor) => "actor.centre",
            None if actor == "demo-officer" => "actor.demo_officer",
            _ => "actor.unknown",
        };
        lang.text(kind).to_owned()
    }
}

/// Whether the actor is the centre itself and nobody in particular.
pub(crate) fn is_centre(actor: &str) -> bool {
    actor == "centre"
}

fn account(actor: &str) -> Option<Uuid> {
    actor.strip_prefix("account:")?.parse().ok()
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
        assert_eq!(name("demo-adjudicator-2"), "Adjudicator 2 (simulated)");
        assert_eq!(name("kit:x"), "Kit");
        assert_eq!(name("centre"), "Centre");
        assert_eq!(name("somebody"), "Not known");
    }
}
