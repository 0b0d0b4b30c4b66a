//! Background work: enqueued in the transaction that makes it necessary, done in the transaction that
//! completes it.
//!
//! A claimed job is leased: its `run_at` moves to the lease's end, so that the job of a worker that died
//! becomes due again by itself. Payloads carry ids and codes, never personal data: they outlive the work.

use serde_json::Value;
use sqlx::{PgConnection, PgPool, Row};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::Error;

/// Work to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Made by the caller (UUIDv7, or derived from a seed).
    pub id: Uuid,
    /// Which workers take it, such as `resolve`.
    pub queue: String,
    /// If given, a second job of the queue with the same key is not enqueued, even after the first was done.
    pub idempotency_key: Option<String>,
    /// Ids and codes.
    pub payload: Value,
    /// Not before this instant.
    pub run_at: OffsetDateTime,
    /// After so many attempts the job is dead: a person must look at it. At least 1.
    pub max_attempts: i32,
}

/// A job that this worker holds until `lease_until`.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    pub id: Uuid,
    pub queue: String,
    pub payload: Value,
    /// This attempt's number, from 1.
    pub attempt: i32,
    pub max_attempts: i32,
    pub lease_until: OffsetDateTime,
    lease: Uuid,
}

/// What becomes of a job that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It is tried again then.
    RetryAt(OffsetDateTime),
    /// It was the last attempt.
    Dead,
}

/// Counts of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueDepth {
    /// Due and not held by a worker.
    pub due: i64,
    /// Held by a worker, or waiting for their time.
    pub later: i64,
    /// Given up.
    pub dead: i64,
}

/// Enqueues a job in the caller's transaction. `false`: its id or its idempotency key was there already, and
/// nothing changed. Of two workers that enqueue one job in the same instant, either may be the first.
///
/// # Errors
/// Of the database.
pub async fn enqueue(tx: &mut PgConnection, job: &NewJob, now: OffsetDateTime) -> Result<bool, Error> {
    Ok(enqueue_all(tx, std::slice::from_ref(job), now).await? == 1)
}

/// Enqueues many jobs in one statement and returns how many were new.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_all(tx: &mut PgConnection, jobs: &[NewJob], now: OffsetDateTime) -> Result<u64, Error> {
    let ids: Vec<Uuid> = jobs.iter().map(|j| j.id).collect();
    let queues: Vec<&str> = jobs.iter().map(|j| j.queue.as_str()).collect();
    let keys: Vec<Option<&str>> = jobs.iter().map(|j| j.idempotency_key.as_deref()).collect();
    let payloads: Vec<&Value> = jobs.iter().map(|j| &j.payload).collect();
    let run_at: Vec<OffsetDateTime> = jobs.iter().map(|j| j.run_at).collect();
    let attempts: Vec<i32> = jobs.iter().map(|j| j.max_attempts).collect();
    // Whatever it conflicts with: an id that follows from the key meets its own index first, now and then.
    let done = sqlx::query(
        "INSERT INTO job (id, queue, idempotency_key, payload, run_at, max_attempts, enqueued_at)
         SELECT id, queue, key, payload, run_at, max_attempts, $7
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::timestamptz[], $6::int4[])
              AS new (id, queue, key, payload, run_at, max_attempts)
         ON CONFLICT DO NOTHING",
    )
    .bind(ids)
    .bind(queues)
    .bind(keys)
    .bind(payloads)
    .bind(run_at)
    .bind(attempts)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// Claims up to `limit` due jobs of a queue for `lease`, oldest first. Workers do not wait for each other's
/// claims.
///
/// A job whose lease ran out on its last attempt is not handed out again: it becomes dead.
///
/// # Errors
/// Of the database.
pub async fn claim(
    pool: &PgPool,
    queue: &str,
    worker: &str,
    limit: i64,
    lease: Duration,
    now: OffsetDateTime,
) -> Result<Vec<Claimed>, Error> {
    let mut tx = pool.begin().await?;
    sqlx::query(
        "UPDATE job SET state = 'dead', finished_at = $2, lease = NULL,
                last_error = coalesce(last_error, 'the worker of the last attempt was lost')
         WHERE id IN (SELECT id FROM job WHERE queue = $1 AND state = 'open' AND run_at <= $2
                      AND attempts >= max_attempts FOR UPDATE SKIP LOCKED)",
    )
    .bind(queue)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    let token = Uuid::now_v7();
    let rows = sqlx::query(
        "WITH due AS MATERIALIZED (
             SELECT id FROM job WHERE queue = $1 AND state = 'open' AND run_at <= $2 \
             AND attempts < max_attempts
             ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         UPDATE job SET run_at = $4, attempts = attempts + 1, lease = $5, worker = $6
         FROM due WHERE job.id = due.id
         RETURNING job.id, job.queue, job.payload, job.attempts, job.max_attempts, job.run_at, \
         job.enqueued_at",
    )
    .bind(queue)
    .bind(now)
    .bind(limit)
    .bind(now + lease)
    .bind(token)
    .bind(worker)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let enqueued_at: OffsetDateTime = row.try_get("enqueued_at")?;
        let job = Claimed {
            id: row.try_get("id")?,
            queue: row.try_get("queue")?,
            payload: row.try_get("payload")?,
            attempt: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
            lease_until: row.try_get("run_at")?,
            lease: token,
        };
        claimed.push((enqueued_at, job));
    }
    // UPDATE returns rows in any order.
    claimed.sort_by_key(|(at, job)| (*at, job.id));
    Ok(claimed.into_iter().map(|(_, job)| job).collect())
}

/// Marks the job done in the transaction that holds its effects.
///
/// # Errors
/// [`Error::LeaseLost`]: another worker may have the job, so the caller must roll back.
pub async fn complete(tx: &mut PgConnection, job: &Claimed, now: OffsetDateTime) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE job SET state = 'done', finished_at = $3, lease = NULL, last_error = NULL
         WHERE id = $1 AND lease = $2 AND state = 'open'",
    )
    .bind(job.id)
    .bind(job.lease)
    .bind(now)
    .execute(tx)
    .await?;
    held(done.rows_affected(), job)
}

/// Gives the job back after an error: tried again after 5 s, 10 s, 20 s … up to an hour, or dead after its
/// last attempt. `reason` is kept for the operator and must hold no personal data.
///
/// # Errors
/// [`Error::LeaseLost`] when another worker has it already.
pub async fn fail(pool: &PgPool, job: &Claimed, reason: &str, now: OffsetDateTime) -> Result<Failed, Error> {
    let outcome = if job.attempt >= job.max_attempts {
        Failed::Dead
    } else {
        Failed::RetryAt(now + backoff(job.attempt))
    };
    let (state, run_at, finished_at) = match outcome {
        Failed::RetryAt(at) => ("open", at, None),
        Failed::Dead => ("dead", now, Some(now)),
    };
    let done = sqlx::query(
        "UPDATE job SET state = $3, run_at = $4, finished_at = $5, lease = NULL, last_error = $6
         WHERE id = $1 AND lease = $2 AND state = 'open'",
    )
    .bind(job.id)
    .bind(job.lease)
    .bind(state)
    .bind(run_at)
    .bind(finished_at)
    .bind(reason)
    .execute(pool)
    .await?;
    held(done.rows_affected(), job)?;
    Ok(outcome)
}

/// Holds a job for longer.
///
/// # Errors
/// [`Error::LeaseLost`] when another worker has it already.
pub async fn extend(pool: &PgPool, job: &mut Claimed, until: OffsetDateTime) -> Result<(), Error> {
    let done = sqlx::query("UPDATE job SET run_at = $3 WHERE id = $1 AND lease = $2 AND state = 'open'")
        .bind(job.id)
        .bind(job.lease)
        .bind(until)
        .execute(pool)
        .await?;
    held(done.rows_affected(), job)?;
    job.lease_until = until;
    Ok(())
}

/// Makes a dead job due again with its attempts counted from none, after an operator dealt with the cause.
/// `false`: there is no such dead job.
///
/// # Errors
/// Of the database.
pub async fn revive(tx: &mut PgConnection, id: Uuid, now: OffsetDateTime) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE job SET state = 'open', run_at = $2, attempts = 0, finished_at = NULL WHERE id = $1 \
         AND state = 'dead'",
    )
    .bind(id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How much there is to do in a queue.
///
/// # Errors
/// Of the database.
pub async fn depth(pool: &PgPool, queue: &str, now: OffsetDateTime) -> Result<QueueDepth, Error> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE state = 'open' AND run_at <= $2) AS due,
                count(*) FILTER (WHERE state = 'open' AND run_at > $2) AS later,
                count(*) FILTER (WHERE state = 'dead') AS dead
         FROM job WHERE queue = $1 AND state <> 'done'",
    )
    .bind(queue)
    .bind(now)
    .fetch_one(pool)
    .await?;
    Ok(QueueDepth { due: row.try_get("due")?, later: row.try_get("later")?, dead: row.try_get("dead")? })
}

/// Removes jobs without a key that were done before `before`; jobs with a key stay, because the key holds for
/// good.
///
/// # Errors
/// Of the database.
pub async fn prune(pool: &PgPool, before: OffsetDateTime) -> Result<u64, Error> {
    let done =
        sqlx::query("DELETE FROM job WHERE state = 'done' AND finished_at < $1 AND idempotency_key IS NULL")
            .bind(before)
            .execute(pool)
            .await?;
    Ok(done.rows_affected())
}

fn held(rows: u64, job: &Claimed) -> Result<(), Error> {
    if rows == 1 { Ok(()) } else { Err(Error::LeaseLost { job: job.id }) }
}

fn backoff(attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(10);
    Duration::seconds(5 << doublings).min(Duration::hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        assert_eq!([1, 2, 3].map(|n| backoff(n).whole_seconds()), [5, 10, 20]);
        assert_eq!(backoff(11), Duration::hours(1));
        assert_eq!(backoff(i32::MAX), Duration::hours(1));
    }
}
