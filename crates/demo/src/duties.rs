//! What people at the centre, the district and the communes do each day: print, send boxes, count them, hand
//! cards over.

use std::sync::Arc;

use anyhow::{Result, bail};
use rayon::prelude::*;
use time::{Date, Duration, OffsetDateTime};
use tokio::task::JoinSet;

use crate::world::World;
use centre::Centre;
use centre::counter::{self, AtCounter, Came};
use chip::ChipSerial;
use deliver::{Count, HandedOver};
use domain::Actor;
use domain::blank::SpoilReason;
use domain::clock::day_in_vietnam;
use domain::id::{ApplicationId, BatchId};
use fingerprint::FingerPosition;
use issue::results::{self, Recorded, ResultRow};
use simulate::TruthId;
use store::UnitScope;
use store::boxes::BoxCard;
use store::cards::batches::ItemResult;

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
        let mut conn = centre.db.read().await?;
        let items = store::cards::batches::results(&mut conn, batch).await?;
        while !store::cards::stock::machine_stock_holds(&mut conn, items.len() as i64).await? {
            let number = store::cards::stock::next_box(&mut conn).await?;
            receive_box(centre, number, BOX).await?;
        }
        drop(conn);
        // What the printer's file would say.
        let row = |item: &ItemResult| ResultRow {
            line: item.position as usize,
            number: item.number.clone(),
            spoiled: world
                .draws
                .spoils(subject(item.card_id.uuid().as_u128()))
                .then_some(SpoilReason::Printer),
            serial: None,
        };
        let rows: Vec<ResultRow> = items.iter().map(row).collect();
        let recorded = results::record_sheet(&centre.db, None, &rows, &Actor::Centre, centre.clock.now());
        let (good, lost) = match recorded.await? {
            Recorded::Batch { printed, spoiled, .. } => (printed, spoiled),
            Recorded::Differs { batch, .. } => bail!("the results of batch {batch} do not fit it"),
        };
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
    let mut conn = centre.db.read().await?;
    let open = store::boxes::open_consignments(&mut conn).await?;
    drop(conn);
    let mut counting: JoinSet<Result<()>> = JoinSet::new();
    for consignment in open {
        if counting.len() == BOXES_AT_ONCE {
            counting.join_next().await.unwrap_or(Ok(Ok(())))??;
        }
        let (db, by) = (centre.db.clone(), officer.clone());
        let sent_on = day_in_vietnam(consignment.sent_at);
        if !consignment.counted && sent_on < day {
            let leg = u64::from(consignment.leg == "district");
            let mut conn = centre.db.read().await?;
            let cards = store::boxes::cards_in(&mut conn, consignment.consignment).await?;
            drop(conn);
            let is_there =
                |card: &BoxCard| !world.draws.strays(subject(card.application_id.uuid().as_u128()) ^ leg);
            let there: Vec<String> = cards.into_iter().filter(is_there).map(|card| card.number).collect();
            counting.spawn(async move {
                let mut count = Count::begin(&db, consignment.consignment).await?;
                for number in &there {
                    count.scan(number);
                }
                count.close(&db, &by, now).await?;
                Ok(())
            });
        } else if !consignment.missing.is_empty() && sent_on + Duration::days(2) < day {
            counting.spawn(async move {
                let (of, missing) = (consignment.consignment, &consignment.missing);
                deliver::arrived_late(&db, of, missing, &by, now).await?;
                Ok(())
            });
        }
    }
    while let Some(done) = counting.join_next().await {
        done??;
    }
    // What waits at the district and what waits in the production store are different cards.
    let by = Actor::Centre;
    let forward = deliver::forward(&centre.db, scope, district, &by, now);
    let dispatch = deliver::dispatch(&centre.db, scope, district, &by, now);
    tokio::try_join!(forward, dispatch)?;
    Ok(())
}

/// Hands cards over at the communes to whoever comes today. While some are compared and recorded, the next
/// ones' fingers are taken.
pub async fn hand_over(
    centre: &Centre,
    world: &Arc<World>,
    scope: &UnitScope,
    officer: &Actor,
    day: Date,
) -> Result<HandedOver> {
    let now = centre.clock.now();
    let mut conn = centre.db.read().await?;
    let waiting = store::boxes::handovers::waiting_cards(&mut conn, scope).await?;
    drop(conn);
    let due: Vec<Due> = waiting
        .iter()
        .filter(|card| {
            let last = day_in_vietnam(card.last_attempt.unwrap_or(card.since));
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
    let mut people = at_counter(world, officer, first, now).await?;
    loop {
        let next = async {
            match pages.next() {
                Some(page) => at_counter(world, officer, page, now).await.map(Some),
                None => Ok(None),
            }
        };
        let serve = async { Ok(counter::hand_over(centre, people, now).await?) };
        let (done, next) = tokio::try_join!(serve, next)?;
        total.handed_over += done.handed_over;
        total.absent += done.absent;
        total.no_match += done.no_match;
        total.repeated += done.repeated;
        match next {
            Some(next) => people = next,
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
async fn at_counter(
    world: &Arc<World>,
    officer: &Actor,
    page: &[Due],
    now: OffsetDateTime,
) -> Result<Vec<AtCounter>> {
    let (world, officer, page) = (Arc::clone(world), officer.clone(), page.to_vec());
    let taking = tokio::task::spawn_blocking(move || {
        let person = |due: &Due| AtCounter {
            application: due.application,
            number: due.attempt,
            came: if world.draws.picks_up(subject(due.application.uuid().as_u128()), due.attempt) {
                Came::Fingers(world.probe(due.truth, 100 + due.attempt as u64, &HANDOVER_FINGERS))
            } else {
                Came::Nobody
            },
            officer: officer.clone(),
            at: now,
        };
        page.par_iter().map(person).collect()
    });
    Ok(taking.await?)
}

/// A number for drawing, from an id that itself follows from the seed.
pub fn subject(bits: u128) -> u64 {
    (bits as u64) ^ ((bits >> 64) as u64)
}
