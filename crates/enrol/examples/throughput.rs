//! Packets per second through each step, with ten templates of about 400 bytes and a photo of 8 kB:
//! `cargo run --release -p enrol --example throughput`. Uses the test cluster, whose commits are not synced
//! to the disk.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

#[path = "../../packet/tests/support/mod.rs"]
mod support;

use std::time::Instant;

use enrol::intake::{open_received, receive};
use packet::{open, verify_envelope};
use store::applications::kits::{Kit, Standing, register_kit};
use store::applications::officers::{Credential, insert};
use support::*;

const PACKETS: u64 = 2_000;
const BATCH: usize = 200;

#[tokio::main]
async fn main() {
    let kit = TestKit::new(1);
    let contents: Vec<_> = (1..=PACKETS).map(content).collect();
    let begun = Instant::now();
    let packets: Vec<_> =
        contents.iter().zip(1..).map(|(c, n)| kit.seal(&envelope(kit.id, n, n), c, n)).collect();
    told("seal, one core", PACKETS, begun);
    println!("{} bytes a packet", packets[0].len());

    let (public, officer) = (kit.public(), kit.officer_public());
    let begun = Instant::now();
    assert!(packets.iter().all(|packet| verify_envelope(packet, &public, &officer).is_ok()));
    told("verify_envelope, one core", PACKETS, begun);
    let key = intake_key();
    let begun = Instant::now();
    assert!(packets.iter().all(|packet| open(packet, &key).is_ok()));
    told("open, one core", PACKETS, begun);

    let db = testkit::fresh_database().await;
    sqlx::query(
        "INSERT INTO unit (code, valid_from, level, kind, name, parent, path) \
         VALUES ('18562', '2004-01-01', 3, 'thị trấn', 'Thạch Hà', '445', '42/445/18562/')",
    )
    .execute(db.admin())
    .await
    .expect("the unit is new");
    let row = Kit {
        kit_id: kit.id,
        name: "kit".to_owned(),
        unit: "18562".parse().expect("a unit code"),
        public_key: public.to_point().to_vec(),
        registered_at: DAY,
        revoked_at: None,
        heard_at: None,
        standing: Standing::default(),
    };
    let mut conn = db.begin().await.expect("a connection");
    register_kit(&mut conn, &row).await.expect("the kit is new");
    let credential = Credential {
        credential_id: kit.credential(),
        account_id: domain::id::AccountId::derive(DAY, &[b"officer"]),
        login: "canbo".to_owned(),
        kit_id: kit.id,
        public_key: officer.to_point().to_vec(),
        not_before: DAY,
        not_after: DAY + time::Duration::DAY,
        issued_by: "centre".to_owned(),
        revoked_at: None,
        revoked_reason: None,
        proposed: None,
    };
    insert(&mut conn, &credential).await.expect("the credential is new");
    conn.commit().await.expect("a commit");

    let signer = receipt_signer();
    let begun = Instant::now();
    for batch in packets.chunks(BATCH) {
        let received = receive(&db, batch.to_vec(), DAY, &signer).await.expect("a receipt");
        assert_eq!(received.stored, batch.len());
    }
    told("receive, batches of 200", PACKETS, begun);
    let keys = centre_keys();
    let begun = Instant::now();
    let mut opened = 0;
    loop {
        let step = open_received(&db, keys.clone(), DAY, 500).await.expect("a step");
        if step.opened == 0 {
            break;
        }
        opened += step.opened as u64;
    }
    told("open_received, steps of 500", opened, begun);
    assert_eq!(opened, PACKETS);
}

fn told(what: &str, packets: u64, begun: Instant) {
    println!("{what}: {:.0} packets/s", packets as f64 / begun.elapsed().as_secs_f64());
}
