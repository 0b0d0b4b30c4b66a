use proptest::prelude::*;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::id::AccountId;

fn account(number: u128) -> Actor {
    Actor::Account(AccountId::from_uuid(Uuid::from_u128(number)))
}

fn by(desk: Desk, number: u128) -> By {
    By { actor: account(number), desk }
}

fn claim(field: Field, from: &str, to: &str) -> Claim {
    let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Claim { field, part: Part::Whole, register_value: value(from), claimed_value: value(to) }
}

fn request() -> CaseAction {
    let items = vec![claim(Field::Name, "A", "B"), claim(Field::Religion, "", "1")];
    CaseAction::Request { kind: Correction::Correction, items }
}

fn paper() -> DocumentId {
    DocumentId::derive(datetime!(2021-07-05 08:00 +7), &[b"1"])
}

fn answer(field: Field, granted: Option<&str>) -> Finding {
    let answer = granted.map_or(Answer::Refuse, |value| Answer::Grant(Some(value.to_owned())));
    Finding { field, part: Part::Whole, answer }
}

fn issue(name: Option<&str>, religion: Option<&str>) -> CaseAction {
    let findings = vec![answer(Field::Name, name), answer(Field::Religion, religion)];
    CaseAction::IssuePaper { document: paper(), findings }
}

const CLERK: (Desk, u128) = (Desk::Clerk, 1);
const JUSTICE: (Desk, u128) = (Desk::Justice, 2);
const COLLEAGUE: (Desk, u128) = (Desk::Justice, 3);
const COMMANDER: (Desk, u128) = (Desk::Commander, 4);
const OFFICER: (Desk, u128) = (Desk::Officer, 5);

fn after(history: &[((Desk, u128), CaseAction)]) -> Result<Case, CaseRefusal> {
    let mut case = None;
    for ((desk, number), action) in history {
        case = Some(case_next(case.as_ref(), &by(*desk, *number), action)?);
    }
    Ok(case.expect("a history has an action"))
}

#[test]
fn the_whole_way_grants_one_item_and_refuses_the_other() {
    let case = after(&[
        (CLERK, request()),
        (JUSTICE, CaseAction::Take { verifies: true }),
        (JUSTICE, issue(Some("C"), None)),
        (CLERK, CaseAction::Apply),
    ])
    .unwrap();
    assert_eq!((case.state, case.kind), (CaseState::Applied, Correction::CorrectionVerified));
    assert_eq!((case.document, case.actions), (Some(paper()), 4));
    let outcomes: Vec<Outcome> = case.items.values().map(|item| item.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::Applied(Some("C".to_owned())), Outcome::Refused]);
}

#[test]
fn each_office_does_its_own_part() {
    let taken = [(CLERK, request()), (JUSTICE, CaseAction::Take { verifies: false })];
    let with = |who, action: CaseAction| {
        let mut history = taken.to_vec();
        history.push((who, action));
        after(&history)
    };
    let not_yours = |(desk, _): (Desk, u128), verb| Err::<Case, _>(CaseRefusal::NotYours { desk, verb });
    for who in [CLERK, OFFICER, COMMANDER] {
        assert_eq!(with(who, issue(Some("B"), None)), not_yours(who, Verb::IssuePaper));
        assert_eq!(with(who, CaseAction::Refuse), not_yours(who, Verb::Refuse));
    }
    for who in [JUSTICE, OFFICER, COMMANDER] {
        assert_eq!(with(who, CaseAction::Apply), not_yours(who, Verb::Apply));
    }
    assert_eq!(after(&[(JUSTICE, request())]), not_yours(JUSTICE, Verb::Request));
    assert_eq!(with(COLLEAGUE, issue(Some("B"), None)), Err(CaseRefusal::NotOwner));
    assert_eq!(with(COLLEAGUE, CaseAction::Refuse), Err(CaseRefusal::NotOwner));
    let given = (COMMANDER, CaseAction::Reassign { to: account(COLLEAGUE.1) });
    let mut history = taken.to_vec();
    history.extend([given.clone(), (COLLEAGUE, issue(Some("B"), Some("1")))]);
    assert_eq!(after(&history).unwrap().owner, Some(account(COLLEAGUE.1)));
    // What was given before anybody took it is taken by whom it was given to.
    let history = [(CLERK, request()), given, (JUSTICE, CaseAction::Take { verifies: false })];
    assert_eq!(after(&history), Err(CaseRefusal::NotOwner));
}

#[test]
fn a_paper_answers_every_item_once_and_grants_something() {
    let check = |action: CaseAction, expect: CaseRefusal| {
        let history =
            [(CLERK, request()), (JUSTICE, CaseAction::Take { verifies: false }), (JUSTICE, action)];
        assert_eq!(after(&history), Err(expect));
    };
    let only = |findings: Vec<Finding>| CaseAction::IssuePaper { document: paper(), findings };
    check(issue(None, None), CaseRefusal::NothingGranted);
    check(issue(Some("A"), None), CaseRefusal::Nothing(Field::Name));
    check(only(vec![answer(Field::Name, Some("B"))]), CaseRefusal::Unanswered(Field::Religion));
    check(only(vec![answer(Field::Sex, Some("2"))]), CaseRefusal::NoSuchItem(Field::Sex));
    let twice = vec![answer(Field::Name, Some("B")), answer(Field::Name, None)];
    check(only(twice), CaseRefusal::Twice(Field::Name));
}

#[test]
fn a_request_asks_for_something_that_a_case_can_give() {
    let check = |items: Vec<Claim>, expect: CaseRefusal| {
        let action = CaseAction::Request { kind: Correction::Correction, items };
        assert_eq!(case_next(None, &by(Desk::Clerk, 1), &action), Err(expect));
    };
    check(vec![], CaseRefusal::NoItem);
    check(vec![claim(Field::Pin, "1", "2")], CaseRefusal::Number);
    check(vec![claim(Field::Name, "A", "A")], CaseRefusal::Nothing(Field::Name));
    check(vec![claim(Field::Name, "A", "B"), claim(Field::Name, "A", "C")], CaseRefusal::Twice(Field::Name));
    check(vec![claim(Field::Name, "A", "B"); 25], CaseRefusal::TooMany);
}

#[test]
fn codes_lead_back() {
    for state in CaseState::ALL {
        assert_eq!(CaseState::from_code(state.code()), Some(state));
    }
    for verb in Verb::ALL {
        assert_eq!(Verb::from_code(verb.code()), Some(verb));
        assert!(Desk::ALL.into_iter().any(|desk| verb.is_for(desk)), "somebody may {}", verb.code());
    }
    for source in Source::ALL {
        assert_eq!(Source::from_code(source.code()), Some(source));
    }
    for desk in Desk::ALL {
        assert_eq!(Desk::from_code(desk.code()), Some(desk));
    }
    let value = Some("x".to_owned());
    for outcome in [Outcome::Open, Outcome::Granted(value.clone()), Outcome::Applied(value), Outcome::Refused]
    {
        let stored = outcome.value().cloned().flatten();
        assert_eq!(Outcome::from_parts(outcome.code(), stored), Some(outcome));
    }
}

fn an_action() -> impl Strategy<Value = CaseAction> {
    let value = || prop_oneof![Just(None), Just(Some("A")), Just(Some("B")), Just(Some("C"))];
    prop_oneof![
        1 => Just(request()),
        3 => any::<bool>().prop_map(|verifies| CaseAction::Take { verifies }),
        4 => (value(), value()).prop_map(|(name, religion)| issue(name, religion)),
        3 => Just(CaseAction::Apply),
        1 => Just(CaseAction::Refuse),
        1 => Just(CaseAction::Withdraw),
        2 => (2u128..4).prop_map(|to| CaseAction::Reassign { to: account(to) }),
    ]
}

proptest! {
    #[test]
    fn what_was_recorded_folds_to_where_the_case_stands(
        tries in prop::collection::vec((0usize..5, an_action()), 1..40)
    ) {
        let people = [CLERK, JUSTICE, COLLEAGUE, COMMANDER, OFFICER];
        let (mut row, mut recorded) = (None::<Case>, Vec::new());
        for (who, action) in tries {
            let by = by(people[who].0, people[who].1);
            match case_next(row.as_ref(), &by, &action) {
                Err(_) => {}
                Ok(next) => {
                    if let Some(before) = &row {
                        prop_assert!(before.state.is_open(), "nothing follows an end");
                        prop_assert!(before.state <= next.state, "no way leads back");
                        prop_assert_eq!(before.actions + 1, next.actions);
                    }
                    row = Some(next);
                    recorded.push((by, action));
                }
            }
        }
        let folded = fold(recorded.iter().map(|(by, action)| (by, action)));
        prop_assert_eq!(folded, Ok(row.clone()));
        let Some(case) = row else { return Ok(()) };
        prop_assert_eq!(usize::from(case.actions), recorded.len());
        let is_paper_there = matches!(case.state, CaseState::PaperIssued | CaseState::Applied);
        prop_assert!(!is_paper_there || case.document.is_some());
        for item in case.items.values() {
            let fits = match (&item.outcome, case.state) {
                (Outcome::Open, CaseState::Requested | CaseState::Taken | CaseState::Withdrawn) => true,
                (Outcome::Granted(_), CaseState::PaperIssued) => true,
                (Outcome::Applied(value), CaseState::Applied) => *value != item.register_value,
                (Outcome::Refused, CaseState::PaperIssued | CaseState::Applied | CaseState::Refused) => true,
                (_, _) => false,
            };
            prop_assert!(fits, "{:?} in {:?}", item.outcome, case.state);
        }
    }
}
