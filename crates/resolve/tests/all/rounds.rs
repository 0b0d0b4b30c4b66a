//! The stage on a real database: second records and second applications are caught, strangers are not.

use std::collections::HashMap;

use crate::support::{
    NOW, Sent, application_id, entries, open, outcomes, person_id, population, register, respelt, send,
};
use domain::Actor;
use domain::application::Kind;
use domain::id::PersonId;
use resolve::{Identities, dedupe_register, resolve_batch, split, waiting};
use simulate::Population;
use store::UnitScope;

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
            .fetch_all(db.admin())
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
    assert_eq!(split(&db, drop, &Actor::Centre, NOW).await.unwrap(), Some((keep, drop)));
    assert_eq!(split(&db, drop, &Actor::Centre, NOW).await.unwrap(), None);
    let strays: i64 = sqlx::query_scalar(pins).fetch_one(db.admin()).await.unwrap();
    assert_eq!(strays, 0, "a number is filed under another person than its holder");
    let merged = resolve::merge(&db, keep, drop, &Actor::Centre, NOW).await.unwrap();
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
                    .fetch_one(db.admin())
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
