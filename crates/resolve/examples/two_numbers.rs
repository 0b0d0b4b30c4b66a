//! Measures what comes before people when records with different personal numbers are asked about: one person
//! in a hundred has a second record with another number, respelt, counted again elsewhere, or with the year
//! of birth alone and without parents.
//!
//! ```text
//! cargo run --release -p resolve --example two_numbers -- 20000 7
//! ```

#![allow(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use domain::Pin;
use domain::id::PersonId;
use resolve::dedupe_register;
use store::UnitScope;
use support::{Entry, NOW, entries, person_id, population_of, register};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>().expect("a number"));
    let (people, seed) = (arguments.next().unwrap_or(20_000), arguments.next().unwrap_or(7));
    let db = testkit::fresh_database().await;
    let mut all = entries(&population_of(people, seed as u64), 100);
    let (planted, with_number) = number(&mut all);
    let truth: HashMap<PersonId, usize> = all.iter().map(|e| (e.person, e.truth)).collect();
    for part in all.chunks(20_000) {
        register(&db, part).await;
    }
    let start = Instant::now();
    let summary = dedupe_register(&db, &UnitScope::everything(), NOW).await.unwrap();
    let false_merges = summary.merged.iter().filter(|(a, b)| truth[a] != truth[b]).count();
    println!(
        "{people} people, seed {seed}: {with_number} records with a number, {planted} second ones with \
         another; {:.1} s, {} pairs looked at, {} merged ({false_merges} false), {} cases in all",
        start.elapsed().as_secs_f64(),
        summary.pairs,
        summary.merged.len(),
        summary.cases,
    );
    let cases: Vec<(uuid::Uuid, uuid::Uuid, Option<f64>)> = sqlx::query_as(
        "SELECT person_id, other_person_id, (evidence->'linkage'->>'without_numbers')::float8 FROM case_file",
    )
    .fetch_all(db.admin())
    .await
    .unwrap();
    let same =
        |a: &uuid::Uuid, b: &uuid::Uuid| truth[&PersonId::from_uuid(*a)] == truth[&PersonId::from_uuid(*b)];
    let mut by_bits: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    let (mut found, mut wrong) = (HashSet::new(), 0);
    for (a, b, without) in &cases {
        let Some(without) = without else { continue };
        let bits = by_bits.entry((without / 2.0).floor() as i64 * 2).or_default();
        if same(a, b) {
            bits.0 += 1;
            found.insert(truth[&PersonId::from_uuid(*a)]);
        } else {
            bits.1 += 1;
            wrong += 1;
        }
    }
    println!("cases of two numbers: {} of one person, {wrong} of two people", found.len());
    println!("by bits without the numbers, as (one person, two people): {by_bits:?}");
}

/// Gives each second record another number than the first one's. Says how many there are, and how many
/// records have one.
fn number(entries: &mut [Entry]) -> (usize, usize) {
    let mut taken: HashSet<Pin> = entries.iter().filter_map(|e| e.record.pin).collect();
    let first: HashMap<usize, Pin> = entries.iter().filter_map(|e| Some((e.truth, e.record.pin?))).collect();
    let mut planted = 0;
    for entry in entries.iter_mut().filter(|e| e.person == person_id(e.truth, 2)) {
        let Some(pin) = first.get(&entry.truth) else { continue };
        let (place, mut serial) = (&pin.as_str()[..6], entry.truth * 7_919 % 1_000_000);
        let mut other = Pin::parse(&format!("{place}{serial:06}")).unwrap();
        while !taken.insert(other) {
            serial = (serial + 1) % 1_000_000;
            other = Pin::parse(&format!("{place}{serial:06}")).unwrap();
        }
        entry.record.pin = Some(other);
        planted += 1;
    }
    (planted, taken.len())
}
