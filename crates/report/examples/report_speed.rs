//! Seconds that each report takes on a large district: `cargo run --release -p report --example report_speed
//! [COUNT]`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use time::macros::date;

use common::{DISTRICT, communes, fill, scope_of};

#[tokio::main]
async fn main() {
    let count = std::env::args().nth(1).map_or(150_000, |count| count.parse().expect("COUNT is a number"));
    let db = testkit::fresh_database().await;
    fill(&db, count).await;
    sqlx::raw_sql("VACUUM ANALYZE").execute(db.admin()).await.expect("a database of one's own");
    let district = DISTRICT.parse().expect("a code");
    let mut conn = db.work().acquire().await.expect("a connection");
    for (name, scope) in [("district", scope_of(district)), ("commune", scope_of(communes()[0]))] {
        let began = Instant::now();
        let identities = report::ledger(&mut conn, &scope).await.expect("a ledger");
        assert!(identities.iter().all(report::Identity::holds));
        let ledger = began.elapsed();
        let rows = report::funnel(&mut conn, &scope).await.expect("a funnel");
        let funnel = began.elapsed() - ledger;
        report::progress(&mut conn, district, &scope, date!(2021 - 03 - 20)).await.expect("progress");
        let progress = began.elapsed() - ledger - funnel;
        report::burn_up(&mut conn, &scope).await.expect("days");
        let burn_up = began.elapsed() - ledger - funnel - progress;
        println!(
            "{name}: {} of {count} applications: ledger {ledger:.2?}, funnel {funnel:.2?}, progress \
             {progress:.2?}, burn-up {burn_up:.2?}",
            rows.iter().map(|row| row.counts.captured).sum::<i64>()
        );
    }
}
