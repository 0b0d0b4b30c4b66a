//! Measures the whole stage on a database: load, dedupe with planted second records, and applications with
//! second and foreign ones among them.
//!
//! ```text
//! cargo run --release -p resolve --example measure -- 20000 3000 7
//! ```

#![allow(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use domain::application::Kind;
use domain::id::PersonId;
use resolve::{Identities, dedupe_register, resolve_batch};
use store::UnitScope;
use support::{NOW, Sent, application_id, entries, open, outcomes, person_id, population_of, register, send};

const BATCH: usize = 1_000;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>().expect("a number"));
    let (people, applications) = (arguments.next().unwrap_or(20_000), arguments.next().unwrap_or(3_000));
    let db = testkit::fresh_database().await;
    let population = population_of(people, arguments.next().unwrap_or(7) as u64);
    // Every 50th person is not in the register: a stranger to it.
    let mut all = entries(&population, 100);
    all.retain(|entry| entry.truth % 50 != 8);
    let truth: HashMap<PersonId, usize> = all.iter().map(|e| (e.person, e.truth)).collect();
    for part in all.chunks(20_000) {
        register(&db, part).await;
    }
    let scope = UnitScope::everything();
    let start = Instant::now();
    let summary = dedupe_register(&db, &scope, NOW).await.unwrap();
    println!("{} records, dedupe {:.1} s, {} pairs", all.len(), start.elapsed().as_secs_f64(), summary.pairs);
    let false_merges = summary.merged.iter().filter(|(a, b)| truth[a] != truth[b]).count();
    let cases: Vec<(uuid::Uuid, uuid::Uuid, serde_json::Value)> =
        sqlx::query_as("SELECT person_id, other_person_id, evidence FROM case_file")
            .fetch_all(db.admin())
            .await
            .unwrap();
    let same =
        |a: &uuid::Uuid, b: &uuid::Uuid| truth[&PersonId::from_uuid(*a)] == truth[&PersonId::from_uuid(*b)];
    let true_cases = cases.iter().filter(|(a, b, _)| same(a, b)).count();
    let planted = all.iter().filter(|e| e.person == person_id(e.truth, 2)).count();
    println!(
        "merge from {} bits, case from {} bits",
        resolve::dedupe::MERGE_WEIGHT,
        resolve::dedupe::CASE_WEIGHT
    );
    println!(
        "planted {planted}: merged {} ({false_merges} false), cases {true_cases} true of {} in all, missed \
         {}, left {}",
        summary.merged.len(),
        cases.len(),
        planted - (summary.merged.len() - false_merges) - true_cases,
        summary.left,
    );
    let mut weights: BTreeMap<(bool, i64), usize> = BTreeMap::new();
    for (a, b, evidence) in &cases {
        let weight = evidence["linkage"]["weight"].as_f64().unwrap();
        *weights.entry((same(a, b), weight.floor() as i64)).or_default() += 1;
    }
    println!("cases by (true, bits): {weights:?}");
    for (a, b, evidence) in cases.iter().filter(|(a, b, _)| !same(a, b)).take(12) {
        let levels = evidence["linkage"]["waterfall"].to_string();
        let twin = population.people[truth[&PersonId::from_uuid(*a)]].household
            == population.people[truth[&PersonId::from_uuid(*b)]].household;
        println!("  false case, one household {twin}: {levels}");
    }

    let start = Instant::now();
    let mut ids = Identities::load(&db, &scope).await.unwrap();
    println!("load {:.2} s: {:?}", start.elapsed().as_secs_f64(), ids.memory());
    let sent = applicants(&population, applications);
    for (at, part) in sent.chunks(10_000).enumerate() {
        send(&db, at as u64 * 10_000, part).await;
    }
    let (mut busy, mut linked) = (0.0, 0);
    for part in sent.chunks(BATCH) {
        let opened = open(part);
        let start = Instant::now();
        linked += resolve_batch(&db, &mut ids, opened, NOW).await.unwrap().linked;
        busy += start.elapsed().as_secs_f64();
    }
    println!(
        "{} applications in {busy:.2} s: {:.0}/s, {linked} linked",
        sent.len(),
        sent.len() as f64 / busy
    );
    println!("{:?}", ids.memory());
    judge(&sent, &truth, &outcomes(&db).await);
    let missed: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM resolution r JOIN case_file c USING (application_id) \
         WHERE c.kind = 'same_person_twice' AND jsonb_array_length(r.evidence->'fingerprint'->'hits') = 0",
    )
    .fetch_one(db.admin())
    .await
    .unwrap();
    println!("caught twice by the register alone, the fingers having missed them: {missed}");
}

/// Of a hundred applicants eighty have their record chosen and their number at hand, ten the one or the
/// other, and the rest neither; one in forty comes a second time under a respelt name without papers.
fn applicants(population: &simulate::Population, count: usize) -> Vec<Sent> {
    let mut sent = Vec::with_capacity(count);
    for number in 0..count {
        let truth = number * (population.people.len() / count).max(1);
        let again = number % 40 == 39;
        let truth = if again { (number - 20) * (population.people.len() / count).max(1) } else { truth };
        let mut record = population.record(&population.people[truth]);
        let stranger = truth % 50 == 8;
        let claimed = (number % 10 < 9 && !again && !stranger).then(|| person_id(truth, 1));
        if number % 10 > 7 || again {
            record.pin = None;
        }
        if again {
            record.name = support::respelt(&record.name);
        }
        let application = application_id(number as u64);
        sent.push(Sent { application, record, claimed, fingers: (truth, number as u64), kind: Kind::New });
    }
    sent
}

fn judge(
    sent: &[Sent],
    truth: &HashMap<PersonId, usize>,
    found: &HashMap<domain::id::ApplicationId, (String, Option<PersonId>, Option<String>)>,
) {
    let mut table: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut wrong = 0;
    let mut seen = std::collections::HashSet::new();
    for s in sent {
        let who = s.fingers.0;
        let group = match () {
            () if !seen.insert(who) => "again",
            () if who % 50 == 8 => "stranger",
            () => "resident",
        };
        let (outcome, person, kind) = &found[&s.application];
        if outcome == "linked" && person.map(|p| truth[&p]) != Some(who) {
            wrong += 1;
        }
        *table.entry((group, kind.clone().unwrap_or_else(|| outcome.clone()))).or_default() += 1;
    }
    println!("linked to another person: {wrong}");
    for ((group, outcome), count) in table {
        println!("  {group:>9} {outcome:<24} {count}");
    }
}
