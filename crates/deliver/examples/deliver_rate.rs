//! Cards a second through each step on the way to the hand: `cargo run --release -p deliver --example
//! deliver_rate [CARDS]`, with `DATABASE_URL` for a server of your own; else the cluster that tests share,
//! which runs without fsync.

#![allow(clippy::unwrap_used, reason = "it shares its cards with the tests")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::*;
use deliver::{Attempt, Presented, dispatch, forward, hand_over, receive};
use fingerprint::synthetic::{Condition, person_masters};

#[tokio::main]
async fn main() {
    let cards: u32 =
        std::env::args().nth(1).map_or(10_000, |cards| cards.parse().expect("CARDS is a number"));
    let db = testkit::fresh_database().await;
    let ids = print(&db, "a", 0..cards).await;
    let rate = |what: &str, began: Instant| {
        println!("{what}: {:.0}/s", f64::from(cards) / began.elapsed().as_secs_f64());
        Instant::now()
    };
    let began = Instant::now();
    let sent = dispatch(&db, &scope(), DISTRICT, &OFFICER, NOW).await.unwrap().unwrap();
    let began = rate("dispatch", began);
    receive(&db, sent.consignment, &[], &OFFICER, NOW).await.unwrap();
    let began = rate("receive at the district", began);
    let boxes = forward(&db, &scope(), DISTRICT, &OFFICER, NOW).await.unwrap();
    let began = rate("forward", began);
    for sent in &boxes {
        receive(&db, sent.consignment, &[], &OFFICER, NOW).await.unwrap();
    }
    rate("receive at the communes", began);

    let attempts = |number: i16, presented: Option<Presented>| -> Vec<Attempt> {
        let attempt = |&application| Attempt {
            application,
            at: NOW,
            officer: OFFICER,
            number,
            presented: presented.clone(),
        };
        ids.iter().map(attempt).collect()
    };
    let absent = attempts(1, None);
    let began = Instant::now();
    assert_eq!(hand_over(&db, &absent, NOW).await.unwrap().absent, ids.len());
    rate("hand over, absent", began);
    let fingers = |impression: u64| {
        person_masters(1)[..4].iter().map(|m| m.impression(impression, Condition::Station)).collect()
    };
    let came = attempts(2, Some(Presented { enrolled: fingers(1), probe: fingers(2) }));
    let began = Instant::now();
    assert_eq!(hand_over(&db, &came, NOW).await.unwrap().handed_over, ids.len());
    rate("hand over, four fingers compared", began);
}
