//! The stage on a real database: second records and second applications are caught, strangers are not.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::collections::HashMap;

use domain::application::{Kind, State};
use domain::id::{CaseId, PersonId};
use resolve::{
    CaseOutcome, Decision, Error, Identities, act, decide_case, dedupe_register, resolve_batch, split,
    waiting,
};
use simulate::Population;
use store::{Database, UnitScope};
use support::{
    NOW, Sent, application_id, entries, open, outcomes, person_id, population, register, respelt, send,
};

fn everywhere() -> UnitScope {
    UnitScope::everything()
}

fn applicant(population: &Population, number: u64, truth: usize) -> Sent {
    let record = population.record(&population.people[truth]);
    let claimed = Some(person_id(truth, 1));
    let application = application_id(number);
    Sent { application, record, claimed, fingers: (truth, number), kind: Kind::New }
}

/// Under a slightly different name, without papers.
fn again(population: &Population, number: u64, truth: usize) -> Sent {
    let mut sent = applicant(population, number, truth);
    sent.record.name = respelt(&sent.record.name);
    (sent.record.pin, sent.record.old_id, sent.claimed) = (None, None, None);
    sent
}

async fn case_of(db: &Database, number: u64) -> CaseId {
    let id: uuid::Uuid = sqlx::query_scalar("SELECT case_id FROM case_file WHERE application_id = $1")
        .bind(application_id(number).uuid())
        .fetch_one(db.work())
        .await
        .unwrap();
    CaseId::from_uuid(id)
}

async fn state(db: &Database, number: u64) -> State {
    let mut conn = db.work().acquire().await.unwrap();
    store::applications::find(&mut conn, application_id(number)).await.unwrap().unwrap().state
}

#[tokio::test]
async fn second_records_are_merged_or_asked_about_and_nobody_else() {
    let db = testkit::fresh_database().await;
    let all = entries(&population(5_000), 20);
    register(&db, &all).await;
    let truth: HashMap<PersonId, usize> = all.iter().map(|e| (e.person, e.truth)).collect();
    let planted = all.len() - 5_000;
    let summary = dedupe_register(&db, &everywhere(), NOW).await.unwrap();
    for (keep, drop) in &summary.merged {
        assert_eq!(truth[keep], truth[drop], "two people were merged");
    }
    let cases: Vec<(uuid::Uuid, uuid::Uuid)> =
        sqlx::query_as("SELECT person_id, other_person_id FROM case_file")
            .fetch_all(db.work())
            .await
            .unwrap();
    let person = |id: uuid::Uuid| truth[&PersonId::from_uuid(id)];
    let true_cases = cases.iter().filter(|&&(a, b)| person(a) == person(b)).count();
    let caught = summary.merged.len() + true_cases;
    assert!(caught * 1000 >= planted * 995, "{caught} of {planted} caught: {summary:?}");
    assert!(
        cases.len() - true_cases <= 5,
        "{} of {} cases are of two people",
        cases.len() - true_cases,
        cases.len()
    );
    assert!(summary.merged.len() > planted / 5, "{} merged", summary.merged.len());

    let repeated = dedupe_register(&db, &everywhere(), NOW).await.unwrap();
    assert_eq!((repeated.merged.len(), repeated.cases), (0, 0), "{repeated:?}");
    let pins = "SELECT count(*) FROM person p JOIN pin USING (pin) WHERE pin.person_id <> p.person_id";
    let (keep, drop) = summary.merged[0];
    assert_eq!(split(&db, drop, "account:a", NOW).await.unwrap(), Some((keep, drop)));
    assert_eq!(split(&db, drop, "account:a", NOW).await.unwrap(), None);
    let strays: i64 = sqlx::query_scalar(pins).fetch_one(db.work()).await.unwrap();
    assert_eq!(strays, 0, "a number is filed under another person than its holder");
    let merged = resolve::merge(&db, keep, drop, "account:a", NOW).await.unwrap();
    assert_eq!(merged, Some((keep, drop)));
}

#[tokio::test]
async fn residents_are_linked_and_whoever_comes_twice_is_caught() {
    let db = testkit::fresh_database().await;
    let population = population(2_000);
    let mut all = entries(&population, 0);
    let strangers = [41, 542, 1043];
    all.retain(|entry| !strangers.contains(&entry.truth));
    register(&db, &all).await;
    let mut sent: Vec<Sent> = (0..200).map(|n| applicant(&population, n, n as usize * 9)).collect();
    // In the same batch, and in the next one.
    let (second, third) = (200, 210);
    sent.extend((0..5).map(|n| again(&population, second + n, n as usize * 9)));
    for (n, &truth) in strangers.iter().enumerate() {
        let mut stranger = applicant(&population, 205 + n as u64, truth);
        stranger.claimed = None;
        sent.push(stranger);
    }
    let mut impostor = applicant(&population, 208, 1_930);
    impostor.fingers.0 = 45;
    sent.push(impostor);
    let later: Vec<Sent> = (0..5).map(|n| again(&population, third + n, (n as usize + 20) * 9)).collect();
    send(&db, 0, &sent).await;
    send(&db, 1_000, &later).await;

    let mut ids = Identities::load(&db, &everywhere()).await.unwrap();
    assert_eq!(waiting(&db, 500).await.unwrap().len(), sent.len() + later.len());
    let mut opened = open(&sent);
    opened.reverse();
    let first = resolve_batch(&db, &mut ids, opened, NOW).await.unwrap();
    assert_eq!(first.skipped, 0);
    let repeated = resolve_batch(&db, &mut ids, open(&sent), NOW).await.unwrap();
    assert_eq!((repeated.linked, repeated.cases(), repeated.skipped), (0, 0, sent.len()));

    // After a restart the gallery is refilled, and the next batch finds the same.
    let mut ids = Identities::load(&db, &everywhere()).await.unwrap();
    let enrolled = Identities::enrolled(&db).await.unwrap();
    assert_eq!(enrolled.len(), sent.len());
    for (application, opened) in enrolled.iter().zip(open(&sent)) {
        assert_eq!(*application, opened.application_id);
        assert!(ids.enrol(*application, &opened.templates).unwrap());
    }
    resolve_batch(&db, &mut ids, open(&later), NOW).await.unwrap();

    let found = outcomes(&db).await;
    for s in sent.iter().chain(&later) {
        let (outcome, person, kind) = &found[&s.application];
        if outcome == "linked" {
            assert_eq!(*person, Some(person_id(s.fingers.0, 1)), "linked to somebody else");
        }
        let is_again = s.claimed.is_none() && !strangers.contains(&s.fingers.0);
        if (kind.as_deref() == Some("same_person_twice")) != is_again {
            let evidence: serde_json::Value =
                sqlx::query_scalar("SELECT evidence FROM resolution WHERE application_id = $1")
                    .bind(s.application.uuid())
                    .fetch_one(db.work())
                    .await
                    .unwrap();
            panic!("again: {is_again}, came out as {outcome} {kind:?}: {evidence}");
        }
    }
    let linked = sent[..200].iter().filter(|s| found[&s.application].0 == "linked").count();
    assert!(linked >= 198, "{linked} of 200 residents were linked");
    for number in 205..208 {
        assert_eq!(found[&application_id(number)].0, "case", "a stranger was linked");
    }
    assert_eq!(found[&application_id(208)].2.as_deref(), Some("fingerprint_other_name"));
    let mut conn = db.work().acquire().await.unwrap();
    assert!(store::applications::check_folds(&mut conn).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_case_takes_two_people_and_one_answer() {
    let db = testkit::fresh_database().await;
    let population = population(1_000);
    register(&db, &entries(&population, 0)).await;
    let mut impostor = applicant(&population, 3, 500);
    impostor.fingers.0 = 300;
    let mut sent = vec![
        applicant(&population, 1, 300),
        again(&population, 2, 300),
        impostor,
        again(&population, 4, 300),
    ];
    sent.extend((5..155).map(|n| applicant(&population, n, n as usize * 6 + 1)));
    send(&db, 0, &sent).await;
    let mut ids = Identities::load(&db, &everywhere()).await.unwrap();
    let summary = resolve_batch(&db, &mut ids, open(&sent), NOW).await.unwrap();
    assert_eq!((summary.linked, summary.cases()), (151, 3));

    let twice = case_of(&db, 2).await;
    let decide = async |decision: &Decision, by, confirmed| {
        decide_case(&db, twice, decision, by, confirmed, NOW).await
    };
    assert!(matches!(decide(&Decision::SamePerson, "account:a", "account:a").await, Err(Error::SameEyes(_))));
    let refused = decide(&Decision::Different, "account:a", "account:b").await;
    assert!(matches!(refused, Err(Error::DoesNotFit { .. })), "two applications of one person: {refused:?}");
    for _ in 0..2 {
        let done = decide(&Decision::SamePerson, "account:a", "account:b").await;
        assert_eq!(done.unwrap(), CaseOutcome::Closed);
    }
    let other = decide(&Decision::Reject("fraud".into()), "account:a", "account:b").await;
    assert!(matches!(other, Err(Error::AlreadyClosed(_))));
    assert_eq!(state(&db, 2).await, State::Rejected);

    let fingers = case_of(&db, 3).await;
    let decide = async |decision: &Decision, who| act(&db, fingers, who, decision, Some("…"), NOW).await;
    for _ in 0..2 {
        let proposed = decide(&Decision::Different, "account:a").await;
        assert_eq!(proposed.unwrap(), CaseOutcome::AwaitsConfirmation, "nobody confirms their own decision");
    }
    assert!(matches!(decide(&Decision::SamePerson, "account:b").await, Err(Error::Contradicts(_))));
    assert_eq!(state(&db, 3).await, State::InCase);
    for _ in 0..2 {
        assert_eq!(decide(&Decision::Different, "account:b").await.unwrap(), CaseOutcome::Closed);
        assert_eq!(state(&db, 3).await, State::Accepted);
    }
    let other = decide(&Decision::SamePerson, "account:c").await;
    assert!(matches!(other, Err(Error::AlreadyClosed(_))));
    assert_eq!(said(&db, fingers).await, ["propose account:a", "confirm account:b"]);
}

/// What was done about a case, in order.
async fn said(db: &Database, case: CaseId) -> Vec<String> {
    sqlx::query_scalar("SELECT action || ' ' || actor FROM case_action WHERE case_id = $1 ORDER BY seq")
        .bind(case.uuid())
        .fetch_all(db.work())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_adjudicators_who_decide_at_once_one_proposes_and_no_decision_is_lost() {
    const CASES: u64 = 12;
    let db = testkit::fresh_database().await;
    let population = population(1_000);
    register(&db, &entries(&population, 0)).await;
    let mut sent = Vec::new();
    for n in 0..CASES {
        sent.push(applicant(&population, 2 * n, n as usize * 9));
        sent.push(again(&population, 2 * n + 1, n as usize * 9));
    }
    send(&db, 0, &sent).await;
    let mut ids = Identities::load(&db, &everywhere()).await.unwrap();
    resolve_batch(&db, &mut ids, open(&sent), NOW).await.unwrap();

    let reject = Decision::Reject("by_adjudicator".to_owned());
    for n in 0..CASES {
        let case = case_of(&db, 2 * n + 1).await;
        // In every other case the two are of one mind.
        let agree = n % 2 == 0;
        let theirs = if agree { Decision::SamePerson } else { reject.clone() };
        let at_once = |who: &'static str, decision: Decision| {
            let db = db.clone();
            tokio::spawn(async move { act(&db, case, who, &decision, None, NOW).await })
        };
        let (one, other) = (at_once("account:a", Decision::SamePerson), at_once("account:b", theirs));
        let both = [one.await.unwrap(), other.await.unwrap()];
        let proposed = both.iter().filter(|came| matches!(came, Ok(CaseOutcome::AwaitsConfirmation))).count();
        let closed = both.iter().filter(|came| matches!(came, Ok(CaseOutcome::Closed))).count();
        let differs = both.iter().filter(|came| matches!(came, Err(Error::Contradicts(_)))).count();
        let expected = if agree { (1, 1, 0) } else { (1, 0, 1) };
        assert_eq!((proposed, closed, differs), expected, "case {n}: {both:?}");
        let (stands, steps) = if agree { (State::Rejected, 2) } else { (State::InCase, 1) };
        assert_eq!(state(&db, 2 * n + 1).await, stands);
        assert_eq!(said(&db, case).await.len(), steps, "the proposal is kept");
    }
}
