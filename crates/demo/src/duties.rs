//! What people at the centre, the district and the communes do each day: print, send boxes, count them, hand
//! cards over.

use std::sync::Arc;

use anyhow::Result;
use rayon::prelude::*;
use time::{Date, Duration};

use crate::world::World;
use centre::Centre;
use chip::ChipSerial;
use deliver::{Attempt, HandedOver, Presented};
use domain::Actor;
use domain::clock::VIETNAM;
use domain::id::{ApplicationId, BatchId};
use simulate::TruthId;
use store::UnitScope;

/// Fingers compared at hand-over: thumbs and index fingers (ISO/IEC 19794-2 codes).
const HANDOVER_FINGERS: [u8; 4] = [1, 2, 6, 7];
/// Days between the attempts to hand one card over.
const DAYS_BETWEEN_ATTEMPTS: i64 = 3;
/// After so many attempts the officer keeps the card and looks the citizen up; the demo leaves it there.
pub const MOST_ATTEMPTS: i16 = 5;
/// Hand-overs checked and recorded in one transaction.
const HANDOVERS_AT_ONCE: usize = 500;

/// Blanks in a box of the demonstration.
const BOX: u32 = 10_000;

/// Prints the batches; the printer spoils some cards. The next box of blanks comes when the stock does not
/// reach.
pub async fn print(centre: &Centre, world: &World, batches: &[BatchId]) -> Result<(usize, usize)> {
    let (mut printed, mut spoiled) = (0, 0);
    for &batch in batches {
        let mut conn = centre.db.begin().await?;
        let items = store::cards::batches::batch_items(&mut conn, batch).await?;
        while store::cards::stock::machine_stock(&mut conn).await? < items.len() as i64 {
            let number = store::cards::stock::next_box(&mut conn).await?;
            receive_box(centre, number, BOX).await?;
        }
        drop(conn);
        let bad: Vec<i32> = items
            .iter()
            .filter(|item| world.draws.spoils(subject(item.card_id.uuid().as_u128())))
            .map(|item| item.position)
            .collect();
        let (good, lost) = issue::record_results(&centre.db, batch, &bad, centre.clock.now()).await?;
        printed += good;
        spoiled += lost;
    }
    Ok((printed, spoiled))
}

/// The first delivery, in boxes from number 1 on. Doing it twice changes nothing.
pub async fn receive_blanks(centre: &Centre, blanks: u32) -> Result<()> {
    for number in 1..=blanks.div_ceil(BOX) {
        let before = (number - 1) * BOX;
        receive_box(centre, number.into(), (blanks - before).min(BOX)).await?;
    }
    Ok(())
}

/// A box of blanks for a printer that has the transport key itself.
async fn receive_box(centre: &Centre, number: i64, count: u32) -> Result<()> {
    let batch = (number as u16).to_be_bytes();
    let first = ChipSerial::from_bytes([0x47, 0x90, 0x0D, 0xE0, batch[0], batch[1], 0, 0, 0, 1]);
    let serials = (0..count).filter_map(|position| first.plus(position)).collect();
    let delivery = issue::Delivery { number, serials, wrapped_key: None };
    issue::receive_box(&centre.db, &delivery, &Actor::Centre, centre.clock.now()).await?;
    Ok(())
}

/// Moves every box one step: what left before today is counted, cards at the district go on to their
/// communes, printed cards go to the district.
pub async fn move_boxes(
    centre: &Centre,
    world: &World,
    scope: &UnitScope,
    district: &str,
    officer: &Actor,
    day: Date,
) -> Result<()> {
    let now = centre.clock.now();
    let mut conn = centre.db.begin().await?;
    let open = store::boxes::open_consignments(&mut conn).await?;
    drop(conn);
    for consignment in open {
        let sent_on = consignment.sent_at.to_offset(VIETNAM).date();
        if !consignment.counted && sent_on < day {
            let mut conn = centre.db.begin().await?;
            let items = store::boxes::items(&mut conn, consignment.consignment).await?;
            drop(conn);
            let leg = u64::from(consignment.leg == "district");
            let strays: Vec<ApplicationId> = items
                .into_iter()
                .filter(|item| world.draws.strays(subject(item.uuid().as_u128()) ^ leg))
                .collect();
            deliver::receive(&centre.db, consignment.consignment, &strays, officer, now).await?;
        } else if !consignment.missing.is_empty() && sent_on + Duration::days(2) < day {
            deliver::arrived_late(&centre.db, consignment.consignment, &consignment.missing, officer, now)
                .await?;
        }
    }
    deliver::forward(&centre.db, scope, district, now).await?;
    deliver::dispatch(&centre.db, scope, district, now).await?;
    Ok(())
}

/// Hands cards over at the communes to whoever comes today.
pub async fn hand_over(
    centre: &Centre,
    world: &World,
    scope: &UnitScope,
    officer: &Actor,
    day: Date,
) -> Result<HandedOver> {
    let now = centre.clock.now();
    let mut conn = centre.db.begin().await?;
    let waiting = store::boxes::handovers::waiting_cards(&mut conn, scope).await?;
    drop(conn);
    let due: Vec<(ApplicationId, TruthId, i16)> = waiting
        .iter()
        .filter(|card| {
            let last = card.last_attempt.unwrap_or(card.since).to_offset(VIETNAM).date();
            let pause = if card.last_attempt.is_some() { DAYS_BETWEEN_ATTEMPTS } else { 1 };
            card.attempts < MOST_ATTEMPTS && (day - last).whole_days() >= pause
        })
        // Whoever applied on a kit that is not the demonstration's is not the demonstration's to serve.
        .filter_map(|card| {
            let (truth, _) = world.by_application.get(&card.application_id)?;
            Some((card.application_id, *truth, card.attempts + 1))
        })
        .collect();
    let mut total = HandedOver::default();
    for page in due.chunks(HANDOVERS_AT_ONCE) {
        let coming: Vec<ApplicationId> = page
            .iter()
            .filter(|(application, _, attempt)| {
                world.draws.picks_up(subject(application.uuid().as_u128()), *attempt)
            })
            .map(|(application, ..)| *application)
            .collect();
        let contents = enrol::intake::read_contents(&centre.db, Arc::clone(&centre.keys), &coming).await?;
        let mut enrolled = std::collections::HashMap::new();
        for (application, content) in contents {
            let mut templates = centre::work::templates(&content)?;
            templates.retain(|template| HANDOVER_FINGERS.contains(&template.position().code()));
            enrolled.insert(application, templates);
        }
        let attempt = |&(application, truth, number): &(ApplicationId, TruthId, i16)| Attempt {
            application,
            at: now,
            officer: officer.clone(),
            number,
            presented: enrolled.get(&application).map(|enrolled| Presented {
                enrolled: enrolled.clone(),
                probe: world.probe(truth, 100 + number as u64, &HANDOVER_FINGERS),
            }),
        };
        let attempts: Vec<Attempt> = tokio::task::block_in_place(|| page.par_iter().map(attempt).collect());
        let done = deliver::hand_over(&centre.db, &attempts, now).await?;
        total.handed_over += done.handed_over;
        total.absent += done.absent;
        total.no_match += done.no_match;
        total.repeated += done.repeated;
    }
    Ok(total)
}

/// A number for drawing, from an id that itself follows from the seed.
pub fn subject(bits: u128) -> u64 {
    (bits as u64) ^ ((bits >> 64) as u64)
}
