//! Cards a second through allocation, signing and the printer's results: `cargo run --release -p issue
//! --example issue_rate [CARDS]`, with `DATABASE_URL` for a server of your own; else the cluster that tests
//! share, which runs without fsync.

#![allow(clippy::unwrap_used, reason = "it shares its district with the tests")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use domain::Sex;
use domain::id::PersonId;

/// As large as the photo on a chip is.
const PHOTO_BYTES: usize = 15_000;

#[tokio::main]
async fn main() {
    let cards: u32 = std::env::args().nth(1).map_or(2_000, |cards| cards.parse().expect("CARDS is a number"));
    let db = testkit::fresh_database().await;
    let people: Vec<_> = (0..cards)
        .map(|n| {
            (record(if n % 2 == 0 { Sex::Male } else { Sex::Female }, &(1930 + n % 70).to_string()), None)
        })
        .collect();
    let applicants = register(&db, 0, &people).await;
    let photos = Arc::new(applicants.iter().map(|a| (a.application, images(PHOTO_BYTES))).collect());
    let authority = authority(&db).await;
    let serial = |person: PersonId, attempt: u32| {
        let id = person.uuid().into_bytes();
        u32::from_be_bytes([0, id[13], id[14], id[15]]).wrapping_add(attempt)
    };
    receive(&db, 1, cards).await;
    let mut spent = [Duration::ZERO; 3];
    let mut made = 0;
    loop {
        let began = Instant::now();
        let opened =
            issue::open_batch(&db, &authority, &scope(), DISTRICT, 1_000, &serial, NOW).await.unwrap();
        let Some(batch) = opened.batch else { break };
        spent[0] += began.elapsed();
        let began = Instant::now();
        made += issue::sign_batch(&db, &authority, batch, Arc::clone(&photos), NOW).await.unwrap();
        spent[1] += began.elapsed();
        let began = Instant::now();
        issue::record_results(&db, batch, &[], NOW).await.unwrap();
        spent[2] += began.elapsed();
    }
    let all: Duration = spent.iter().sum();
    let rate = |took: Duration| made as f64 / took.as_secs_f64();
    println!(
        "{made} cards: open {:.0}/s, sign {:.0}/s, results {:.0}/s, all three {:.0}/s",
        rate(spent[0]),
        rate(spent[1]),
        rate(spent[2]),
        rate(all)
    );
}
