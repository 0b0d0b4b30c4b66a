//! Rounds that may wait: each is due once a day or once a week, and whichever worker comes first does it.
//!
//! A round is a job of the queue `upkeep` with the day it is for as its key. So two workers side by side do
//! it once, one that dies leaves it to the next, and one that fails again and again stays where an operator
//! sees it. A round may be begun anew at any point: each of its writes says by itself whether it was done
//! before.

use serde_json::json;
use time::{Date, Duration, OffsetDateTime, Time};

use crate::Error;
use crate::error::with_causes;
use domain::clock::{VIETNAM, day_in_vietnam};
use domain::id::{ApplicationId, CardId, JobId, PersonId};
use store::jobs::{self, Claimed, Failed, NewJob, QueueDepth};
use store::shown;
use store::{Database, UnitScope};

const QUEUE: &str = "upkeep";
/// As long as a round may take before another worker thinks its worker dead.
const LEASE: Duration = Duration::hours(1);
/// After so many a person must look at it.
const ATTEMPTS: i32 = 8;
/// How long finished jobs without a key are kept, and who was shown whom for the quotas.
const KEPT: Duration = Duration::days(30);

/// What is done in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Every day: the cards whose last day is over.
    ExpireCards,
    /// Every day: whether the register is right, whole, clean and alive (`dancu register quality`).
    Quality,
    /// Every week: that rows are what their histories say (`dancu check`), and what is kept no longer.
    CheckRecords,
}

impl Round {
    /// All rounds.
    pub const ALL: [Round; 3] = [Round::ExpireCards, Round::Quality, Round::CheckRecords];

    /// The stored name.
    pub const fn code(self) -> &'static str {
        match self {
            Round::ExpireCards => "expire_cards",
            Round::Quality => "quality",
            Round::CheckRecords => "check_records",
        }
    }

    fn from_code(code: &str) -> Option<Round> {
        Round::ALL.into_iter().find(|round| round.code() == code)
    }

    /// The day of the latest round that is due on `today`.
    fn due(self, today: Date) -> Date {
        match self {
            Round::ExpireCards | Round::Quality => today,
            Round::CheckRecords => {
                today - Duration::days(i64::from(today.weekday().number_days_from_monday()))
            }
        }
    }
}

/// Records that are not what their histories say, by kind. All are empty in a sound database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsound {
    /// People of the register.
    pub people: Vec<PersonId>,
    /// Applications.
    pub applications: Vec<ApplicationId>,
    /// Cards.
    pub cards: Vec<CardId>,
}

impl Unsound {
    /// How many there are of all kinds.
    pub fn count(&self) -> usize {
        self.people.len() + self.applications.len() + self.cards.len()
    }
}

/// Folds every history and compares it with its row, in one snapshot of the database.
///
/// # Errors
/// Those of the database.
pub async fn check_records(db: &Database) -> Result<Unsound, Error> {
    let mut tx = db.begin_snapshot().await?;
    Ok(Unsound {
        people: store::register::check_folds(&mut tx).await?,
        applications: store::applications::check_folds(&mut tx).await?,
        cards: store::cards::history::check_folds(&mut tx).await?,
    })
}

/// Does those of `rounds` that are due and that nobody else has done or is doing. Says how many it did.
///
/// A round that fails is tried again later; the error is in the log and with the job.
///
/// # Errors
/// Those of the queue: the database is gone.
pub async fn work_off(db: &Database, rounds: &[Round], now: OffsetDateTime) -> Result<usize, Error> {
    plan(db, rounds, now).await?;
    let worker = format!("process {}", std::process::id());
    let mut done = 0;
    loop {
        let mut claimed = jobs::claim(db.work(), QUEUE, &worker, 1, LEASE, now).await?;
        let Some(job) = claimed.pop() else {
            return Ok(done);
        };
        match once(db, &job, now).await {
            Ok(()) => done += 1,
            Err(error) if error.is_lost() => return Err(error),
            Err(error) => gave_up(db, &job, &error, now).await?,
        }
    }
}

/// How many rounds are due, wait, and are given up.
///
/// # Errors
/// Those of the database.
pub async fn depth(db: &Database, now: OffsetDateTime) -> Result<QueueDepth, Error> {
    Ok(jobs::depth(db.work(), QUEUE, now).await?)
}

/// Enqueues the latest round of each kind; those that were enqueued before are left alone.
async fn plan(db: &Database, rounds: &[Round], now: OffsetDateTime) -> Result<(), Error> {
    let today = day_in_vietnam(now);
    let job = |round: &Round| {
        let day = round.due(today);
        let begin = day.with_time(Time::MIDNIGHT).assume_offset(VIETNAM);
        let key = format!("{}:{day}", round.code());
        NewJob {
            id: JobId::derive(begin, &[QUEUE.as_bytes(), round.code().as_bytes()]).uuid(),
            queue: QUEUE.to_owned(),
            idempotency_key: Some(key),
            payload: json!({"round": round.code(), "day": day.to_string()}),
            run_at: begin,
            max_attempts: ATTEMPTS,
        }
    };
    let planned: Vec<NewJob> = rounds.iter().map(job).collect();
    let mut tx = db.begin().await?;
    jobs::enqueue_all(&mut tx, &planned, now).await?;
    Ok(store::commit(tx).await?)
}

async fn once(db: &Database, job: &Claimed, now: OffsetDateTime) -> Result<(), Error> {
    let code = job.payload["round"].as_str().unwrap_or_default();
    match Round::from_code(code).ok_or_else(|| Error::UnknownRound { code: code.to_owned() })? {
        Round::ExpireCards => {
            let cards = issue::expire(db, now).await?;
            if cards > 0 {
                tracing::info!(cards, "expired");
            }
        }
        Round::Quality => {
            let today = day_in_vietnam(now);
            let looked =
                register::quality::look_over(db, &UnitScope::everything(), today, false, |_, _| {}).await?;
            if looked.units > 0 {
                let (units, people, findings) = (looked.units, looked.people, looked.findings);
                tracing::info!(units, people, findings, "looked at the register's quality");
            }
        }
        Round::CheckRecords => {
            let unsound = check_records(db).await?;
            if unsound.count() > 0 {
                return Err(Error::Unsound { records: unsound.count() });
            }
            jobs::prune(db.work(), now - KEPT).await?;
            let mut tx = db.begin().await?;
            shown::prune(&mut tx, day_in_vietnam(now - KEPT)).await?;
            store::commit(tx).await?;
            let officers = enrol::officers::fingers::forget(db, now).await?;
            if officers > 0 {
                tracing::info!(officers, "fingers of officers who work no more are forgotten");
            }
        }
    }
    let mut tx = db.begin().await?;
    jobs::complete(&mut tx, job, now).await?;
    Ok(store::commit(tx).await?)
}

async fn gave_up(db: &Database, job: &Claimed, error: &Error, now: OffsetDateTime) -> Result<(), Error> {
    let (round, error) = (job.payload["round"].to_string(), with_causes(error));
    match jobs::fail(db.work(), job, &error, now).await? {
        Failed::RetryAt(at) => tracing::warn!(round, error, again_at = %at, "a round failed"),
        Failed::Dead => tracing::error!(round, error, "a round failed for the last time; look at it"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_week_begins_on_monday() {
        for day in [date!(2021 - 03 - 08), date!(2021 - 03 - 11), date!(2021 - 03 - 14)] {
            assert_eq!(Round::CheckRecords.due(day), date!(2021 - 03 - 08));
            assert_eq!(Round::ExpireCards.due(day), day);
        }
    }

    #[test]
    fn rounds_are_found_by_their_names() {
        for round in Round::ALL {
            assert_eq!(Round::from_code(round.code()), Some(round));
        }
    }
}
