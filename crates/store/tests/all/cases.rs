//! What people do about a case, against a real database.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use domain::Actor;
use domain::actor::UserName;
use domain::id::{CaseId, PersonId};
use store::PgConnection;
use store::cases::{CaseAction, Decided, NewCase, actions, lock_case, open_cases, record};

const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

fn who(name: &str) -> Actor {
    Actor::Command(UserName::parse(name).unwrap())
}

fn action(seq: i16, action: &str, actor: &str, note: Option<&str>) -> CaseAction {
    CaseAction {
        seq,
        action: action.to_owned(),
        at: NOW + Duration::hours(seq.into()),
        actor: who(actor),
        decision: "link".to_owned(),
        decided_person_id: Some(PersonId::derive(NOW, &[b"a"])),
        decision_code: None,
        note: note.map(str::to_owned),
        command_id: Some(Uuid::from_u128(seq.unsigned_abs().into())),
    }
}

async fn open(tx: &mut PgConnection) -> CaseId {
    let case_id = CaseId::derive(NOW, &[b"case"]);
    let people = [b"a", b"b"].map(|name| Some(PersonId::derive(NOW, &[name])));
    let case = NewCase {
        case_id,
        kind: "register_duplicate",
        application_id: None,
        other_application_id: None,
        person_id: people[0],
        other_person_id: people[1],
        evidence: serde_json::json!({}),
        unit_path: "42/445/".to_owned(),
        due_at: NOW,
    };
    assert_eq!(open_cases(tx, &[case], NOW).await.unwrap(), 1);
    case_id
}

#[tokio::test]
async fn what_was_said_stays_and_the_case_shows_what_stands() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let id = open(&mut tx).await;
    let stands = async |tx: &mut PgConnection| {
        let case = lock_case(tx, id).await.unwrap().unwrap();
        (case.decision, case.decided_person_id, case.decided_by, case.confirmed_by)
    };
    let link = (Some("link".to_owned()), Some(PersonId::derive(NOW, &[b"a"])));
    let said = [
        action(1, "propose", "a", Some("same scar")),
        action(2, "disagree", "b", Some("another scar")),
        action(3, "propose", "c", None),
        action(4, "confirm", "a", Some("I see it now")),
        action(5, "reopen", "b", Some("the paper came")),
    ];
    let (a, c) = (who("a"), who("c"));
    let by = |decided_by, confirmed_by| Some(Decided { decided_by, confirmed_by });
    let after = [by(&a, None), None, by(&c, None), by(&c, Some(&a)), None];
    for (action, after) in said.iter().zip(after) {
        record(&mut tx, id, action, after).await.unwrap();
        let (decision, person) = if after.is_some() { link.clone() } else { (None, None) };
        let whose = |who: Option<&Actor>| who.map(Actor::to_string);
        let expected = (
            decision,
            person,
            whose(after.map(|after| after.decided_by)),
            whose(after.and_then(|after| after.confirmed_by)),
        );
        assert_eq!(stands(&mut tx).await, expected, "after {}", action.action);
    }
    assert_eq!(actions(&mut tx, id).await.unwrap(), said);
}

#[tokio::test]
async fn a_command_and_a_number_are_used_once_and_four_eyes_are_two_people() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let id = open(&mut tx).await;
    store::commit(tx).await.unwrap();
    let a = who("a");
    let refused = async |actions: &[CaseAction], confirmed_by: Option<&Actor>, constraint: &str| {
        let mut tx = db.begin().await.unwrap();
        let mut last = Ok(());
        for action in actions {
            let after = Some(Decided { decided_by: &a, confirmed_by });
            last = record(&mut tx, id, action, after).await;
        }
        assert!(last.unwrap_err().violates(constraint), "{constraint}");
    };
    let first = action(1, "propose", "a", None);
    let same_number = CaseAction { command_id: None, ..first.clone() };
    let same_command = CaseAction { seq: 2, ..first.clone() };
    refused(&[first.clone(), same_number], None, "case_action_pkey").await;
    refused(&[first.clone(), same_command], None, "case_action_once").await;
    refused(&[first], Some(&a), "case_file_check2").await;
}
