use super::*;

/// Every transition there is, by codes; whatever is not here is refused.
const ALLOWED: [(&str, &str, &str); 14] = [
    ("", "intend", "intended"),
    ("intended", "sign", "signed"),
    ("signed", "personalise", "personalised"),
    ("signed", "spoil", "spoiled"),
    ("personalised", "hand_over", "active"),
    ("personalised", "revoke", "revoked"),
    ("active", "replace", "replaced"),
    ("active", "suspend", "suspended"),
    ("active", "revoke", "revoked"),
    ("active", "expire", "expired"),
    ("suspended", "replace", "replaced"),
    ("suspended", "reinstate", "active"),
    ("suspended", "revoke", "revoked"),
    ("suspended", "expire", "expired"),
];

#[test]
fn every_state_and_action_is_allowed_exactly_where_the_table_says() {
    let states = std::iter::once(None).chain(CardState::ALL.map(Some));
    let mut allowed = 0;
    for state in states {
        for action in CardAction::all() {
            let from = state.map_or("", CardState::code);
            let row = ALLOWED.iter().find(|(begin, code, _)| *begin == from && *code == action.code());
            let expected = row.map(|(_, _, to)| *to);
            assert_eq!(next(state, action).ok().map(CardState::code), expected, "{from} {action:?}");
            allowed += usize::from(expected.is_some());
        }
    }
    assert!(allowed > ALLOWED.len(), "actions with several reasons count once for each");
}

#[test]
fn the_statements_that_set_a_card_today_are_transitions() {
    let broken = CardAction::Spoil(SpoilReason::Printer);
    for (from, action, to) in [
        (None, CardAction::Intend, CardState::Intended),
        (Some(CardState::Intended), CardAction::Sign, CardState::Signed),
        (Some(CardState::Signed), CardAction::Personalise, CardState::Personalised),
        (Some(CardState::Signed), broken, CardState::Spoiled),
        (Some(CardState::Personalised), CardAction::HandOver, CardState::Active),
        (Some(CardState::Active), CardAction::Replace, CardState::Replaced),
    ] {
        assert_eq!(next(from, action), Ok(to));
    }
}

#[test]
fn a_card_that_was_lost_found_and_replaced() {
    use CardAction::*;
    let history = [
        Intend,
        Sign,
        Personalise,
        HandOver,
        Suspend(SuspendReason::Lost),
        Reinstate(ReinstateReason::Found),
        Suspend(SuspendReason::Stolen),
        Replace,
    ];
    assert_eq!(fold(history), Ok(Some(CardState::Replaced)));
    assert_eq!(fold([]), Ok(None));
}

#[test]
fn nothing_follows_an_end_and_only_an_end_has_nothing_after_it() {
    for state in CardState::ALL {
        let something = CardAction::all().any(|action| next(Some(state), action).is_ok());
        assert_eq!(something, !state.is_end(), "{state}");
    }
}

#[test]
fn every_state_can_be_reached() {
    let mut reached = vec![CardState::Intended];
    while let Some(found) = reached
        .iter()
        .flat_map(|&state| CardAction::all().map(move |action| next(Some(state), action)))
        .find_map(|next| next.ok().filter(|state| !reached.contains(state)))
    {
        reached.push(found);
    }
    assert_eq!(reached.len(), CardState::ALL.len());
}

#[test]
fn codes_lead_back_to_their_values() {
    for state in CardState::ALL {
        assert_eq!(CardState::from_code(state.code()), Some(state));
    }
    for action in CardAction::all() {
        assert_eq!(CardAction::from_codes(action.code(), action.reason()), Some(action));
        assert!(CardAction::CODES.contains(&action.code()));
    }
    for code in CardAction::CODES {
        assert!(CardAction::all().any(|action| action.code() == code), "{code}");
    }
    assert_eq!(CardAction::from_codes("revoke", None), None);
    assert_eq!(CardAction::from_codes("sign", Some("lost")), None);
}
