//! What one registered kit, and whoever reaches the kits' door, can fill the centre with. The tests play the
//! attacker of the rows "a browser" and "one registered kit" of the list of attacks.

use rand::Rng;
use time::Duration;

use crate::intake::{centre_with, count};
use crate::support::*;
use enrol::intake::{receive, receive_batch};
use packet::{Biometric, Content, wire};

#[tokio::test]
async fn a_browser_fills_no_table_with_refusals() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    for round in 0..60u32 {
        // Each upload is another, so that none is a repeat: in no kit's name, and in the name of a kit that
        // does not exist.
        let packets: Vec<Vec<u8>> =
            (0..100u32).map(|n| [round.to_be_bytes(), n.to_be_bytes()].concat()).collect();
        receive(&db, packets, DAY, &receipt_signer()).await.unwrap();
        let stranger = TestKit::new(u64::from(100 + round));
        receive(&db, vec![stranger.packet(1, 1)], DAY, &receipt_signer()).await.unwrap();
        receive_batch(&db, &round.to_be_bytes(), DAY, &receipt_signer()).await.unwrap_err();
    }
    let rows = count(&db, "SELECT count(*) FROM intake_refusal").await;
    assert!(rows <= 10, "6120 refusals left {rows} rows");
    assert_eq!(count(&db, "SELECT sum(times)::bigint FROM intake_refusal").await, 6_120);
}

#[tokio::test]
async fn one_registered_kit_sends_random_bytes_all_day() {
    let kit = TestKit::new(1);
    let db = centre_with(&[&kit]).await;
    // Nearly as large as a packet may be, signed and well formed, around bytes that are no photo of anybody.
    let packet = |number: u64| {
        let mut noise = vec![0u8; 64 * 1024];
        rng(number).fill_bytes(&mut noise);
        let content = Content { photo: Biometric::new(noise), ..content(number) };
        kit.seal(&envelope(kit.id, number, number), &content, number)
    };
    let (mut sent, mut stopped) = (0usize, None);
    for batch in 0..50u64 {
        let packets: Vec<Vec<u8>> = (1..=100).map(|n| packet(batch * 100 + n)).collect();
        let body = wire::encode_batch(packets.iter().map(Vec::as_slice));
        match receive_batch(&db, &body, DAY + Duration::hours(8), &receipt_signer()).await {
            Ok(received) => sent += received.stored,
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    let stopped = stopped.unwrap_or_else(|| panic!("{sent} packets of one kit were accepted in one day"));
    assert!(stopped.to_string().contains("day"), "{stopped}");
    let before = count(&db, "SELECT count(*) FROM packet").await;
    assert_eq!(before, i64::try_from(sent).unwrap());
    // Nothing of the batch that went too far is kept but its count, and the kit may go on tomorrow.
    let late = packet(5_001);
    assert!(receive(&db, vec![late], DAY + Duration::hours(9), &receipt_signer()).await.is_ok());
    let morning = DAY + Duration::days(1);
    let body: Vec<Vec<u8>> = (0..100).map(|n| packet(6_000 + n)).collect();
    assert_eq!(receive(&db, body, morning, &receipt_signer()).await.unwrap().stored, 100);
}
