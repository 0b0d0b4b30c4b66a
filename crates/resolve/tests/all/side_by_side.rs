//! Several workers on one database, while people come into the register: nobody gets through twice.

use crate::support;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Barrier;

use crate::support::{
    Entry, NOW, Sent, SentFingers, application_id, entries, open, outcomes, person_id, population, register,
    send,
};
use domain::Actor;
use domain::application::Kind;
use domain::id::PersonId;
use resolve::{DedupeSummary, Extent, Identities, dedupe, dedupe_new, dedupe_register, resolve_batch};
use simulate::Population;
use store::{Database, UnitScope};

/// People who apply through both workers, and as many who lend their fingers to another name.
const TWICE: usize = 12;

fn everywhere() -> UnitScope {
    UnitScope::everything()
}

fn application(population: &Population, number: u64, truth: usize, fingers_of: usize) -> Sent {
    Sent {
        application: application_id(number),
        record: population.record(&population.people[truth]),
        claimed: Some(person_id(truth, 1)),
        fingers: (fingers_of, number),
        kind: Kind::New,
    }
}

/// What one worker is given: its own applications, those that the other is given for the same people.
fn shared_out(population: &Population) -> (Vec<Sent>, Vec<Sent>) {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for n in 0..TWICE {
        // The same person with the same papers; every third was not in the register when the workers started.
        let truth = n * 7;
        one.push(application(population, 4 * n as u64, truth, truth));
        other.push(application(population, 4 * n as u64 + 1, truth, truth));
        // The same fingers under the papers of two people.
        let (mine, theirs) = (200 + n * 2, 201 + n * 2);
        one.push(application(population, 4 * n as u64 + 2, mine, mine));
        other.push(application(population, 4 * n as u64 + 3, theirs, mine));
    }
    (one, other)
}

async fn work(db: Database, mut ids: Identities, sent: Vec<Sent>, at_once: usize, start: Arc<Barrier>) {
    start.wait().await;
    for batch in sent.chunks(at_once) {
        // Both are given everything in the end: who comes second finds it done.
        resolve_batch(&db, &mut ids, open(batch), NOW).await.unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_applications_through_two_workers_one_is_linked_and_one_is_a_case() {
    for (one_at_once, other_at_once) in [(1, 1), (2, 5), (24, 24), (3, 1), (24, 2)] {
        let db = testkit::fresh_database().await;
        let population = population(400);
        let (early, late): (Vec<Entry>, Vec<Entry>) =
            entries(&population, 0).into_iter().partition(|entry| entry.truth % 3 != 0);
        register(&db, &early).await;
        let (one, other) = shared_out(&population);
        let all: Vec<Sent> = one.iter().chain(&other).cloned().collect();
        send(&db, 0, &all).await;
        let fingers = SentFingers::of(&all);
        let mut workers = Vec::new();
        for _ in 0..2 {
            let ids = Identities::load(&db, &everywhere()).await.unwrap();
            workers.push(ids.with_fingers(fingers.clone()));
        }
        let start = Arc::new(Barrier::new(2));
        register(&db, &late).await;
        let (second, first) = (workers.pop().unwrap(), workers.pop().unwrap());
        let one = tokio::spawn(work(db.clone(), first, one, one_at_once, Arc::clone(&start)));
        let other = tokio::spawn(work(db.clone(), second, other, other_at_once, start));
        one.await.unwrap();
        other.await.unwrap();

        let found = outcomes(&db).await;
        for n in 0..TWICE as u64 {
            let of = |number: u64| &found[&application_id(number)];
            for (pair, kind) in [(4 * n, "same_person_twice"), (4 * n + 2, "fingerprint_other_name")] {
                let both = [of(pair), of(pair + 1)];
                let linked: Vec<_> = both.iter().filter(|o| o.0 == "linked").collect();
                let cases: Vec<_> = both.iter().filter_map(|o| o.2.as_deref()).collect();
                assert_eq!(linked.len(), 1, "{one_at_once}/{other_at_once}, {pair}: {both:?}");
                assert_eq!(cases, [kind], "{one_at_once}/{other_at_once}, {pair}");
            }
        }
    }
}

#[tokio::test]
async fn what_commits_late_is_not_missed() {
    let db = testkit::fresh_database().await;
    let all = entries(&population(60), 0);
    register(&db, &all[..20]).await;
    let mut ids = Identities::load(&db, &everywhere()).await.unwrap();
    let mut late = db.begin().await.unwrap();
    support::register_in(&mut late, &all[20..40]).await;
    register(&db, &all[40..]).await;
    ids.catch_up(&db).await.unwrap();
    assert_eq!(ids.memory().people, 40, "who is not committed is not there");
    store::commit(late).await.unwrap();
    ids.catch_up(&db).await.unwrap();
    assert_eq!(ids.memory().people, 60);
    let (one, other) = (all[0].person, all[1].person);
    let merged = resolve::merge(&db, one, other, &Actor::Centre, NOW).await.unwrap();
    let (_, dropped) = merged.unwrap();
    ids.catch_up(&db).await.unwrap();
    assert_eq!(ids.memory().people, 59);
    resolve::split(&db, dropped, &Actor::Centre, NOW).await.unwrap().unwrap();
    ids.catch_up(&db).await.unwrap();
    assert_eq!(ids.memory().people, 60);
}

#[tokio::test]
async fn only_people_of_the_scope_are_followed() {
    let db = testkit::fresh_database().await;
    let population = population(300);
    let all = entries(&population, 0);
    let path = domain::unit::Units::latest().path(all[0].record.permanent.unit).unwrap();
    let inside = |entry: &&Entry| {
        domain::unit::Units::latest().path(entry.record.permanent.unit).unwrap().starts_with(&path)
    };
    let expected = all.iter().filter(inside).count();
    assert!(expected > 0 && expected < all.len());
    let mut ids = Identities::load(&db, &UnitScope::parse(&path).unwrap()).await.unwrap();
    register(&db, &all).await;
    ids.catch_up(&db).await.unwrap();
    assert_eq!(ids.memory().people, expected);
}

/// Who was found twice, and how.
async fn found(db: &Database, truth: &HashMap<PersonId, usize>) -> BTreeMap<&'static str, BTreeSet<usize>> {
    let merged: Vec<(uuid::Uuid, uuid::Uuid)> =
        sqlx::query_as("SELECT person_id, same_as FROM person WHERE status = 3")
            .fetch_all(db.work())
            .await
            .unwrap();
    let asked: Vec<(uuid::Uuid, uuid::Uuid)> =
        sqlx::query_as("SELECT person_id, other_person_id FROM case_file")
            .fetch_all(db.work())
            .await
            .unwrap();
    let of = |id: uuid::Uuid| truth[&PersonId::from_uuid(id)];
    for (dropped, kept) in &merged {
        assert_eq!(of(*dropped), of(*kept), "two people were merged");
    }
    let same = |pairs: Vec<(uuid::Uuid, uuid::Uuid)>| {
        pairs.into_iter().filter(|(a, b)| of(*a) == of(*b)).map(|(a, _)| of(a)).collect::<BTreeSet<_>>()
    };
    BTreeMap::from([("merged", same(merged)), ("asked", same(asked))])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_file_in_two_halves_the_same_is_found_as_in_one() {
    let population = population(3_000);
    let all = entries(&population, 20);
    let truth: HashMap<PersonId, usize> = all.iter().map(|e| (e.person, e.truth)).collect();
    let whole = testkit::fresh_database().await;
    register(&whole, &all).await;
    dedupe_register(&whole, &everywhere(), NOW).await.unwrap();
    let in_one_go = found(&whole, &truth).await;
    assert!(in_one_go["merged"].len() > 20 && in_one_go["asked"].len() > 20, "{in_one_go:?}");

    // A first record in one half has its second one in the other.
    let (first, second): (Vec<Entry>, Vec<Entry>) = all.into_iter().partition(|entry| {
        let is_second = entry.person == person_id(entry.truth, 2);
        (entry.truth / 20 % 2 == 0) != is_second
    });
    let db = testkit::fresh_database().await;
    let mut ids = Identities::load(&db, &everywhere()).await.unwrap();
    assert_eq!(dedupe_new(&db, &mut ids, NOW).await.unwrap(), DedupeSummary::default());
    register(&db, &first).await;
    dedupe_new(&db, &mut ids, NOW).await.unwrap();
    register(&db, &second).await;
    // Two workers are at it at once, one of them started just now.
    let mut other = Identities::load(&db, &everywhere()).await.unwrap();
    let (one, two) = tokio::join!(dedupe_new(&db, &mut ids, NOW), dedupe_new(&db, &mut other, NOW));
    let merged = [one.unwrap(), two.unwrap()].map(|summary| summary.merged.len()).iter().sum::<usize>();
    let in_halves = found(&db, &truth).await;
    assert_eq!(in_halves, in_one_go);
    assert_eq!(merged, in_halves["merged"].len(), "the second records are all in the other half");
    ids.catch_up(&db).await.unwrap();
    assert_eq!(ids.memory().people, truth.len() - merged);

    // Everybody again, and what changed again, find nothing new.
    for extent in [Extent::Everybody, Extent::Changed] {
        let again = dedupe(&db, &everywhere(), extent, NOW).await.unwrap();
        assert_eq!((again.merged.len(), again.cases), (0, 0), "{extent:?}: {again:?}");
    }
    // What people took apart stays apart, although both have changed.
    let dropped: uuid::Uuid = sqlx::query_scalar("SELECT person_id FROM person WHERE status = 3 LIMIT 1")
        .fetch_one(db.admin())
        .await
        .unwrap();
    resolve::split(&db, PersonId::from_uuid(dropped), &Actor::Centre, NOW).await.unwrap().unwrap();
    for extent in [Extent::Changed, Extent::Everybody] {
        let after = dedupe(&db, &everywhere(), extent, NOW).await.unwrap();
        assert_eq!((after.merged.len(), after.cases), (0, 0), "{extent:?}: {after:?}");
    }
}
