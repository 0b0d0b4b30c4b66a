//! What people at the centre, the district and the communes do each day: print, send boxes, count them, hand
//! cards over.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use rayon::prelude::*;
use time::{Date, Duration, OffsetDateTime};
use tokio::task::JoinSet;

use crate::world::World;
use centre::Centre;
use chip::ChipSerial;
use deliver::{Attempt, HandedOver, Presented};
use domain::Actor;
use domain::clock::VIETNAM;
use domain::id::{ApplicationId, BatchId};
use fingerprint::FingerPosition;
use simulate::TruthId;
use store::UnitScope;
use store::boxes::OpenConsignment;

/// The officers at counters, as the audit trail names them.
const OFFICER: Actor = Actor::DemoOfficer;
/// Fingers compared at hand-over: thumbs and index fingers.
const HANDOVER_FINGERS: [FingerPosition; 4] = [
    FingerPosition::RightThumb,
    FingerPosition::RightIndex,
    FingerPosition::LeftThumb,
    FingerPosition::LeftIndex,
];
/// Days between the attempts to hand one card over.
const DAYS_BETWEEN_ATTEMPTS: i64 = 3;
/// After so many attempts the officer keeps the card and looks the citizen up; the demo leaves it there.
pub const MOST_ATTEMPTS: i16 = 5;
/// Hand-overs checked and recorded in one transaction.
const HANDOVERS_AT_ONCE: usize = 500;

/// Consignments counted at once.
const BOXES_AT_ONCE: usize = 2;

/// Blanks in a box of the demonstration.
const BOX: u32 = 10_000;

/// Prints the batches; the printer spoils some cards. The next box of blanks comes when the stock does not
/// reach.
pub async fn print(centre: &Centre, world: &World, batches: &[BatchId]) -> Result<(usize, usize)> {
    let (mut printed, mut spoiled) = (0, 0);
    for &batch in batches {
        let mut conn = centre.db.begin().await?;
        let items = store::cards::batches::batch_items(&mut conn, batch).await?;
        while !store::cards::stock::machine_stock_holds(&mut conn, items.len() as i64).await? {
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
    day: Date,
) -> Result<()> {
    let now = centre.clock.now();
    let mut conn = centre.db.begin().await?;
    let open = store::boxes::open_consignments(&mut conn).await?;
    drop(conn);
    let mut counting: JoinSet<Result<()>> = JoinSet::new();
    for consignment in open {
        if counting.len() == BOXES_AT_ONCE {
            counting.join_next().await.unwrap_or(Ok(Ok(())))??;
        }
        let db = centre.db.clone();
        let OpenConsignment { consignment, leg, sent_at, counted, missing } = consignment;
        let sent_on = sent_at.to_offset(VIETNAM).date();
        if !counted && sent_on < day {
            let mut conn = centre.db.begin().await?;
            let items = store::boxes::items(&mut conn, consignment).await?;
            drop(conn);
            let leg = u64::from(leg == "district");
            let strays: Vec<ApplicationId> = items
                .into_iter()
                .filter(|item| world.draws.strays(subject(item.uuid().as_u128()) ^ leg))
                .collect();
            counting.spawn(async move {
                deliver::receive(&db, consignment, &strays, &OFFICER, now).await?;
                Ok(())
            });
        } else if !missing.is_empty() && sent_on + Duration::days(2) < day {
            counting.spawn(async move {
                deliver::arrived_late(&db, consignment, &missing, &OFFICER, now).await?;
                Ok(())
            });
        }
    }
    while let Some(done) = counting.join_next().await {
        done??;
    }
    // What waits at the district and what waits in the production store are different cards.
    let forward = deliver::forward(&centre.db, scope, district, now);
    let dispatch = deliver::dispatch(&centre.db, scope, district, now);
    tokio::try_join!(forward, dispatch)?;
    Ok(())
}

/// Hands cards over at the communes to whoever comes today. While some are compared and recorded, the next
/// ones' fingers are taken.
pub async fn hand_over(
    centre: &Centre,
    world: &Arc<World>,
    scope: &UnitScope,
    day: Date,
    now: OffsetDateTime,
) -> Result<HandedOver> {
    let mut conn = centre.db.begin().await?;
    let waiting = store::boxes::handovers::waiting_cards(&mut conn, scope).await?;
    drop(conn);
    let due: Vec<Due> = waiting
        .iter()
        .filter(|card| {
            let last = card.last_attempt.unwrap_or(card.since).to_offset(VIETNAM).date();
            let pause = if card.last_attempt.is_some() { DAYS_BETWEEN_ATTEMPTS } else { 1 };
            card.attempts < MOST_ATTEMPTS && (day - last).whole_days() >= pause
        })
        // Whoever applied on a kit that is not the demonstration's is not the demonstration's to serve.
        .filter_map(|card| {
            let (truth, _) = world.by_application.get(&card.application_id)?;
            Some(Due { application: card.application_id, truth: *truth, attempt: card.attempts + 1 })
        })
        .collect();
    let mut total = HandedOver::default();
    let mut pages = due.chunks(HANDOVERS_AT_ONCE);
    let Some(first) = pages.next() else { return Ok(total) };
    let mut attempts = attempts_of(centre, world, first, now).await?;
    loop {
        let next = async {
            match pages.next() {
                Some(page) => attempts_of(centre, world, page, now).await.map(Some),
                None => Ok(None),
            }
        };
        let record = async { Ok(deliver::hand_over(&centre.db, &attempts, now).await?) };
        let (done, next) = tokio::try_join!(record, next)?;
        total.handed_over += done.handed_over;
        total.absent += done.absent;
        total.no_match += done.no_match;
        total.repeated += done.repeated;
        match next {
            Some(next) => attempts = next,
            None => return Ok(total),
        }
    }
}

/// A card that is offered today.
#[derive(Debug, Clone, Copy)]
struct Due {
    application: ApplicationId,
    truth: TruthId,
    attempt: i16,
}

/// Who of these comes, and with which fingers.
async fn attempts_of(
    centre: &Centre,
    world: &Arc<World>,
    page: &[Due],
    now: OffsetDateTime,
) -> Result<Vec<Attempt>> {
    let coming: Vec<ApplicationId> = page
        .iter()
        .filter(|due| world.draws.picks_up(subject(due.application.uuid().as_u128()), due.attempt))
        .map(|due| due.application)
        .collect();
    let contents = enrol::intake::read_contents(&centre.db, Arc::clone(&centre.keys), &coming).await?;
    let mut enrolled = HashMap::new();
    for (application, mut content) in contents {
        content.fingers.retain(|finger| HANDOVER_FINGERS.contains(&finger.position));
        enrolled.insert(application, centre::work::templates(&content)?);
    }
    let (world, page) = (Arc::clone(world), page.to_vec());
    let taking = tokio::task::spawn_blocking(move || {
        let attempt = |due: &Due| Attempt {
            application: due.application,
            at: now,
            officer: OFFICER,
            number: due.attempt,
            presented: enrolled.get(&due.application).map(|enrolled| Presented {
                enrolled: enrolled.clone(),
                probe: world.probe(due.truth, 100 + due.attempt as u64, &HANDOVER_FINGERS),
            }),
        };
        page.par_iter().map(attempt).collect()
    });
    Ok(taking.await?)
}

/// A number for drawing, from an id that itself follows from the seed.
pub fn subject(bits: u128) -> u64 {
    (bits as u64) ^ ((bits >> 64) as u64)
}
