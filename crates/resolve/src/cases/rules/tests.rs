use std::collections::HashMap;

use time::OffsetDateTime;
use uuid::Uuid;

use super::super::facts::{Other, Own};
use super::*;
use domain::actor::UserName;
use domain::application::Kind;
use domain::id::{ApplicationId, CaseId};

fn person(number: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(number))
}

/// The second application of person 8, with 9 also in question.
fn case_of_application() -> Case {
    Case {
        case_id: CaseId::from_uuid(Uuid::from_u128(1)),
        kind: CaseKind::SamePersonTwice.code().to_owned(),
        application_id: Some(ApplicationId::from_uuid(Uuid::from_u128(2))),
        other_application_id: Some(ApplicationId::from_uuid(Uuid::from_u128(3))),
        person_id: Some(person(8)),
        other_person_id: Some(person(9)),
        evidence: serde_json::json!({}),
        unit_path: "42/445/".to_owned(),
        opened_at: OffsetDateTime::UNIX_EPOCH,
        due_at: OffsetDateTime::UNIX_EPOCH,
        decision: None,
        decided_person_id: None,
        decision_code: None,
        decided_by: None,
        confirmed_by: None,
    }
}

fn case_of_records() -> Case {
    let kind = CaseKind::RegisterDuplicate.code().to_owned();
    Case { kind, application_id: None, other_application_id: None, ..case_of_application() }
}

/// 8 and 9 live, and the application waits for its case.
fn facts() -> Facts {
    Facts {
        survivors: HashMap::from([(person(8), person(8)), (person(9), person(9))]),
        own: Some(Own { kind: Kind::New, state: State::InCase, was_batched: false }),
        others: Vec::new(),
    }
}

fn who(name: &str) -> Actor {
    Actor::Command(UserName::parse(name).unwrap())
}

fn said(lines: &[(&str, &str)]) -> Vec<CaseAction> {
    let action = |(at, (action, actor)): (usize, &(&str, &str))| CaseAction {
        seq: i16::try_from(at).unwrap() + 1,
        action: (*action).to_owned(),
        at: OffsetDateTime::UNIX_EPOCH,
        actor: who(actor),
        decision: "same_person".to_owned(),
        decided_person_id: None,
        decision_code: None,
        note: None,
        command_id: None,
    };
    lines.iter().enumerate().map(action).collect()
}

fn check(lines: &[(&str, &str)], by: &str, kind: ActKind, expected: Result<&str, Refusal>) {
    let standing = fold(&said(lines)).unwrap();
    let act = match kind {
        ActKind::Propose => Act::Propose(Decision::SamePerson),
        ActKind::Confirm => Act::Confirm,
        ActKind::Disagree => Act::Disagree,
        ActKind::Withdraw => Act::Withdraw,
        ActKind::Reopen => Act::Reopen,
    };
    let mut facts = facts();
    if matches!(standing.stage, Stage::Closed { .. }) {
        facts.own = facts.own.map(|own| Own { state: State::Rejected, ..own });
    }
    let step = decide(&case_of_application(), &standing, &act, &who(by), Some("why"), &facts);
    assert_eq!(step.map(|step| step.stage.code()), expected, "{by} {kind:?} after {lines:?}");
}

#[test]
fn every_act_in_every_state() {
    use ActKind::{Confirm, Disagree, Propose, Reopen, Withdraw};
    let open: &[(&str, &str)] = &[];
    let proposed = &[("propose", "a")];
    let closed = &[("propose", "a"), ("confirm", "b")];
    check(open, "a", Propose, Ok("proposed"));
    for kind in [Confirm, Disagree, Withdraw] {
        check(open, "a", kind, Err(Refusal::NothingProposed));
    }
    check(open, "a", Reopen, Err(Refusal::NotClosed));
    for who in ["a", "b"] {
        check(proposed, who, Propose, Err(Refusal::AlreadyProposed));
        check(proposed, who, Reopen, Err(Refusal::NotClosed));
    }
    check(proposed, "a", Confirm, Err(Refusal::OwnProposal));
    check(proposed, "a", Disagree, Err(Refusal::OwnProposal));
    check(proposed, "a", Withdraw, Ok("open"));
    check(proposed, "b", Confirm, Ok("closed"));
    check(proposed, "b", Disagree, Ok("open"));
    check(proposed, "b", Withdraw, Err(Refusal::NotTheProposer));
    for who in ["a", "b", "c"] {
        for kind in [Propose, Confirm, Disagree, Withdraw] {
            check(closed, who, kind, Err(Refusal::AlreadyClosed));
        }
        check(closed, who, Reopen, Ok("open"));
    }
}

#[test]
fn after_a_disagreement_it_takes_a_third() {
    use ActKind::{Confirm, Disagree, Propose};
    let differed = [("propose", "a"), ("disagree", "b")];
    let and = |more: &[(&'static str, &'static str)]| [&differed[..], more].concat();
    for who in ["a", "b", "c"] {
        check(&differed, who, Propose, Ok("proposed"));
    }
    // Either of the two may yield to a third, and a third may side with either.
    check(&and(&[("propose", "a")]), "b", Confirm, Err(Refusal::NeedsThird));
    check(&and(&[("propose", "b")]), "a", Confirm, Err(Refusal::NeedsThird));
    check(&and(&[("propose", "a")]), "b", Disagree, Ok("open"));
    check(&and(&[("propose", "a")]), "c", Confirm, Ok("closed"));
    check(&and(&[("propose", "c")]), "a", Confirm, Ok("closed"));
    check(&and(&[("propose", "c")]), "b", Confirm, Ok("closed"));
    // Withdrawing does not end the disagreement, and another one takes its place.
    check(
        &and(&[("propose", "a"), ("withdraw", "a"), ("propose", "a")]),
        "b",
        Confirm,
        Err(Refusal::NeedsThird),
    );
    let again = and(&[("propose", "c"), ("disagree", "a")]);
    check(&[&again[..], &[("propose", "b")]].concat(), "a", Confirm, Ok("closed"));
    check(&[&again[..], &[("propose", "c")]].concat(), "a", Confirm, Err(Refusal::NeedsThird));
    // A case that is open again is a new question.
    let anew = and(&[("propose", "c"), ("confirm", "a"), ("reopen", "b"), ("propose", "b")]);
    check(&anew, "a", Confirm, Ok("closed"));
}

#[test]
fn a_reason_is_asked_for_where_somebody_is_contradicted() {
    let proposed = fold(&said(&[("propose", "a")])).unwrap();
    let judge = |act: &Act, by: &str| {
        decide(&case_of_application(), &proposed, act, &who(by), None, &facts()).map(|_| ())
    };
    assert_eq!(judge(&Act::Disagree, "b"), Err(Refusal::NoReason));
    assert_eq!(judge(&Act::Withdraw, "a"), Ok(()));
    assert_eq!(judge(&Act::Confirm, "b"), Ok(()));
}

#[test]
fn a_history_that_cannot_be_is_named() {
    assert_eq!(fold(&said(&[("confirm", "a")])).unwrap_err().0, 1);
    assert_eq!(fold(&said(&[("propose", "a"), ("burn", "a")])).unwrap_err().0, 2);
    let mut lines = said(&[("propose", "a")]);
    lines[0].decision = "link".to_owned();
    assert!(fold(&lines).is_err(), "a link to nobody");
    // Releases before this one wrote a changed proposal without withdrawing the first.
    assert_eq!(fold(&said(&[("propose", "a"), ("propose", "a")])).unwrap().version, 2);
}

fn offered(case: &Case, facts: &Facts) -> Vec<Decision> {
    choices(case, facts)
}

#[test]
fn what_the_confirmer_would_be_refused_is_not_offered() {
    let (eight, nine) = (Decision::Link(person(8)), Decision::Link(person(9)));
    let reject = Decision::Reject(Decision::BY_ADJUDICATOR.to_owned());
    let case = case_of_application();
    let all = [Decision::SamePerson, Decision::Different, eight.clone(), nine.clone(), reject.clone()];
    assert_eq!(offered(&case, &facts()), all);
    // Person 8 has an application under way: neither a link to them nor "two people" can be carried out.
    let mut busy = facts();
    busy.others = vec![Other { person: person(8), state: State::Batched }];
    assert_eq!(offered(&case, &busy), [Decision::SamePerson, nine.clone(), reject.clone()]);
    // A card that was handed over is no reason to refuse its exchange.
    busy.others[0].state = State::HandedOver;
    busy.own = Some(Own { kind: Kind::Exchange, state: State::InCase, was_batched: false });
    assert_eq!(offered(&case, &busy), all);
    let mut merged = facts();
    merged.survivors.insert(person(9), person(8));
    assert_eq!(offered(&case, &merged), [Decision::SamePerson, Decision::Different, eight, reject.clone()]);
    let mut dead = facts();
    dead.survivors.remove(&person(8));
    assert_eq!(offered(&case, &dead), [Decision::SamePerson, nine, reject.clone()]);
    let alone = Case { other_application_id: None, person_id: None, other_person_id: None, ..case };
    assert_eq!(offered(&alone, &facts()), [reject]);
    let stranger = effect(&alone, &Decision::Link(person(7)), &facts());
    assert_eq!(stranger, Err(Obstacle::NotInQuestion));
}

#[test]
fn two_records_are_one_or_two_and_never_without_an_answer() {
    let case = case_of_records();
    let mut facts = Facts { own: None, ..facts() };
    assert_eq!(offered(&case, &facts), [Decision::SamePerson, Decision::Different]);
    let other = |number| Other { person: person(number), state: State::Accepted };
    facts.others = vec![other(8)];
    assert_eq!(offered(&case, &facts), [Decision::SamePerson, Decision::Different]);
    facts.others.push(other(9));
    assert_eq!(offered(&case, &facts), [Decision::Different]);
    facts.survivors.insert(person(9), person(8));
    assert_eq!(offered(&case, &facts), [Decision::SamePerson]);
    facts.survivors.clear();
    assert_eq!(offered(&case, &facts), [Decision::Different]);
}

#[test]
fn a_decision_is_taken_back_until_a_card_was_begun() {
    let undone = |state, was_batched| {
        let own = Some(Own { kind: Kind::New, state, was_batched });
        undo(&case_of_application(), &Decision::Different, &Facts { own, ..facts() })
    };
    assert_eq!(undone(State::Rejected, false), Ok(Effect::TakeBack));
    assert_eq!(undone(State::Accepted, false), Ok(Effect::TakeBack));
    // Its card was spoiled, and it waits for another.
    assert_eq!(undone(State::Accepted, true), Err(Obstacle::InProduction));
    for state in [State::Batched, State::Printed, State::AtUnit, State::HandedOver] {
        assert_eq!(undone(state, true), Err(Obstacle::InProduction));
    }
    let records = Facts { own: None, ..facts() };
    assert_eq!(undo(&case_of_records(), &Decision::SamePerson, &records), Ok(Effect::Unmerge));
    assert_eq!(undo(&case_of_records(), &Decision::Different, &records), Ok(Effect::Nothing));
}

#[test]
fn a_decision_comes_back_from_its_stored_parts() {
    let reject = Decision::Reject("fraud".to_owned());
    for decision in [Decision::Link(person(8)), Decision::SamePerson, Decision::Different, reject] {
        let back = Decision::from_parts(decision.code(), decision.person(), decision.reason());
        assert_eq!(back, Some(decision));
    }
    assert_eq!(Decision::from_parts("link", None, None), None);
    assert_eq!(Decision::from_parts("burn", None, None), None);
    for kind in ActKind::ALL {
        assert_eq!(ActKind::from_code(kind.code()), Some(kind));
    }
}
