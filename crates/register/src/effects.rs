//! What an event does outside the record of its person. Pure: the rows are handed in, and what is to be
//! written comes out.

use domain::card::{CardAction, CardState, ReinstateReason, SuspendReason};
use domain::id::{CardId, EventId, PersonId};
use domain::person::{Person, Status};
use domain::profile::{NoRule, Profile};
use domain::{PartialDate, UnitCode};
use store::UnitScope;
use store::cards::holders::HeldCard;
use store::plan::denominator::{NewEntry, Running};

/// What was changed beside the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Open invitations that were taken back: one at most.
    pub invitations_withdrawn: u64,
    /// By card.
    pub cards: Vec<(CardId, CardEffect)>,
    /// By campaign.
    pub counted: Vec<Counted>,
}

/// What became of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardEffect {
    /// It was in force, and is suspended.
    Blocked,
    /// The death had suspended it, and it is in force again.
    Reinstated,
    /// It is being made or waits to be fetched; nobody is handed it.
    Held,
    /// It was held, and may be handed over again.
    Freed,
}

impl CardEffect {
    /// Stable code, as programs get it and pages word it.
    pub const fn code(self) -> &'static str {
        match self {
            CardEffect::Blocked => "blocked",
            CardEffect::Reinstated => "reinstated",
            CardEffect::Held => "held",
            CardEffect::Freed => "freed",
        }
    }
}

/// Somebody more or less in what a campaign counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Where.
    pub unit: UnitCode,
    /// Minus one or one.
    pub delta: i16,
}

/// Where a person stands before an event, or after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stand<'a> {
    pub person: &'a Person,
    pub unit_path: &'a str,
}

/// Whether nobody waits for this person at a kit any more: whoever is dead or missing is not invited.
pub(crate) const fn takes_invitation_back(before: Status, after: Status) -> bool {
    matches!(before, Status::Alive) && matches!(after, Status::Dead | Status::Missing)
}

/// What the event does to the cards. The card of somebody who is missing stays in force in whatever hand it
/// is: the law ends it by death alone. One that is not fetched yet is handed to nobody who is not alive,
/// which whoever hands it over asks of the register; no action of the card is recorded for that.
pub(crate) fn on_cards(
    before: Status,
    after: Status,
    cards: &[HeldCard],
) -> Vec<(CardId, CardEffect, Option<CardAction>)> {
    let died = before != Status::Dead && after == Status::Dead;
    let lives = before == Status::Dead && after != Status::Dead;
    let is_held = |status| matches!(status, Status::Dead | Status::Missing);
    let by_death = SuspendReason::HolderDied;
    let effect = |card: &HeldCard| match card.state {
        CardState::Active if died => {
            Some((card.card_id, CardEffect::Blocked, Some(CardAction::Suspend(by_death))))
        }
        CardState::Suspended if lives && card.suspended_for.as_deref() == Some(by_death.code()) => {
            let again = CardAction::Reinstate(ReinstateReason::Cleared);
            Some((card.card_id, CardEffect::Reinstated, Some(again)))
        }
        state if state.is_in_production() => match (is_held(before), is_held(after)) {
            (false, true) => Some((card.card_id, CardEffect::Held, None)),
            (true, false) => Some((card.card_id, CardEffect::Freed, None)),
            (true, true) | (false, false) => None,
        },
        _ => None,
    };
    cards.iter().filter_map(effect).collect()
}

/// What campaigns count more or less by the event: whoever is alive and old enough on the campaign's first
/// day, where the person lives.
pub(crate) fn on_campaigns(
    before: Stand<'_>,
    after: Stand<'_>,
    campaigns: &[Running],
    (cause, reason, effective_on): (EventId, &'static str, PartialDate),
) -> Result<Vec<NewEntry>, NoRule> {
    let mut entries = Vec::new();
    for campaign in campaigns {
        let (was, is) = (counted_in(campaign, before)?, counted_in(campaign, after)?);
        if was == is {
            continue;
        }
        let entry = |place: Option<(UnitCode, &str)>, delta| {
            place.map(|(unit, unit_path)| NewEntry {
                campaign_unit: campaign.unit_code.clone(),
                campaign_from: campaign.starts_on,
                unit,
                unit_path: unit_path.to_owned(),
                person: person_of(after),
                delta,
                reason,
                cause,
                effective_on,
            })
        };
        entries.extend(entry(was, -1));
        entries.extend(entry(is, 1));
    }
    Ok(entries)
}

const fn person_of(stand: Stand<'_>) -> PersonId {
    stand.person.id
}

/// Where the campaign counts the person, if it does.
fn counted_in<'a>(campaign: &Running, stand: Stand<'a>) -> Result<Option<(UnitCode, &'a str)>, NoRule> {
    let is_inside = UnitScope::parse(&campaign.unit_path).is_ok_and(|scope| scope.covers(stand.unit_path));
    let born_by = Profile::official().born_by(campaign.starts_on)?;
    let counts = is_inside
        && stand.person.status() == Status::Alive
        && PartialDate::from_date(stand.person.record.birth.latest()).packed() <= born_by;
    Ok(counts.then_some((stand.person.record.permanent.unit, stand.unit_path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const MISSING: Status = Status::Missing;
    const ALIVE: Status = Status::Alive;
    const DEAD: Status = Status::Dead;

    fn card(state: CardState, suspended_for: Option<&str>) -> HeldCard {
        let card_id = CardId::derive(datetime!(2021-04-06 01:00 UTC), &[state.code().as_bytes()]);
        HeldCard { card_id, state, suspended_for: suspended_for.map(str::to_owned) }
    }

    fn check(before: Status, after: Status, card: HeldCard, expect: Option<CardEffect>) {
        let found = on_cards(before, after, &[card]);
        assert_eq!(found.first().map(|(_, effect, _)| *effect), expect, "{before:?} {after:?}");
    }

    #[test]
    fn a_death_blocks_what_is_in_force_and_its_undoing_frees_that_and_no_other() {
        check(ALIVE, DEAD, card(CardState::Active, None), Some(CardEffect::Blocked));
        check(MISSING, DEAD, card(CardState::Active, None), Some(CardEffect::Blocked));
        check(ALIVE, DEAD, card(CardState::Suspended, Some("lost")), None);
        check(DEAD, ALIVE, card(CardState::Suspended, Some("holder_died")), Some(CardEffect::Reinstated));
        check(DEAD, ALIVE, card(CardState::Suspended, Some("lost")), None);
        check(DEAD, DEAD, card(CardState::Active, None), None);
        check(ALIVE, MISSING, card(CardState::Active, None), None);
    }

    #[test]
    fn a_card_in_production_is_handed_to_nobody_who_is_not_alive() {
        for state in [CardState::Intended, CardState::Signed, CardState::Personalised] {
            check(ALIVE, DEAD, card(state, None), Some(CardEffect::Held));
            check(ALIVE, MISSING, card(state, None), Some(CardEffect::Held));
            check(MISSING, DEAD, card(state, None), None);
            check(DEAD, ALIVE, card(state, None), Some(CardEffect::Freed));
            check(ALIVE, ALIVE, card(state, None), None);
        }
        for state in [CardState::Spoiled, CardState::Replaced, CardState::Expired, CardState::Revoked] {
            check(ALIVE, DEAD, card(state, None), None);
        }
    }

    #[test]
    fn only_the_living_are_invited() {
        assert!(takes_invitation_back(ALIVE, DEAD) && takes_invitation_back(ALIVE, MISSING));
        assert!(!takes_invitation_back(ALIVE, ALIVE) && !takes_invitation_back(DEAD, ALIVE));
    }
}
