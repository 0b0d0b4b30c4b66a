//! What people do about a case, against a real database.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use domain::id::{CaseId, PersonId};
use store::PgConnection;
use store::cases::pages::case_actions;
use store::cases::{CaseDecision, NewCase, lock_case, open_cases, reopen, write_decision};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2021-04-06 01:00 UTC);

fn decision<'a>(confirmed_by: Option<&'a str>, note: Option<&'a str>) -> CaseDecision<'a> {
    CaseDecision {
        decision: "same_person",
        person_id: None,
        code: None,
        decided_by: "account:a",
        confirmed_by,
        note,
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

/// (action, actor, note, hours after the first).
async fn said(tx: &mut PgConnection, id: CaseId) -> Vec<(String, String, Option<String>, i64)> {
    let rows = case_actions(tx, id).await.unwrap();
    rows.into_iter().map(|row| (row.action, row.actor, row.note, (row.at - NOW).whole_hours())).collect()
}

fn line(action: &str, actor: &str, note: Option<&str>, hours: i64) -> (String, String, Option<String>, i64) {
    (action.to_owned(), actor.to_owned(), note.map(str::to_owned), hours)
}

#[tokio::test]
async fn the_note_of_whoever_confirms_leaves_the_proposers() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let id = open(&mut tx).await;
    let hour = |n| NOW + Duration::hours(n);
    write_decision(&mut tx, id, &decision(None, Some("same scar")), hour(0)).await.unwrap();
    // The form sent twice says nothing new; other words are added to the first ones.
    write_decision(&mut tx, id, &decision(None, Some("same scar")), hour(1)).await.unwrap();
    write_decision(&mut tx, id, &decision(None, None), hour(1)).await.unwrap();
    write_decision(&mut tx, id, &decision(None, Some("same scar, same parents")), hour(2)).await.unwrap();
    write_decision(&mut tx, id, &decision(Some("account:b"), Some("I agree")), hour(3)).await.unwrap();
    let mut expected = vec![
        line("propose", "account:a", Some("same scar"), 0),
        line("propose", "account:a", Some("same scar, same parents"), 2),
        line("confirm", "account:b", Some("I agree"), 3),
    ];
    assert_eq!(said(&mut tx, id).await, expected);
    reopen(&mut tx, id, "account:c", "same_person", hour(5)).await.unwrap();
    let case = lock_case(&mut tx, id).await.unwrap().unwrap();
    assert_eq!((case.decision, case.decided_by, case.confirmed_by), (None, None, None));
    expected.push(line("reopen", "account:c", None, 5));
    assert_eq!(said(&mut tx, id).await, expected);
}

#[tokio::test]
async fn two_at_one_desk_are_both_written() {
    let db = testkit::fresh_database().await;
    let mut tx = db.begin().await.unwrap();
    let id = open(&mut tx).await;
    write_decision(&mut tx, id, &decision(Some("account:b"), None), NOW).await.unwrap();
    let expected = [line("propose", "account:a", None, 0), line("confirm", "account:b", None, 0)];
    assert_eq!(said(&mut tx, id).await, expected);
}
