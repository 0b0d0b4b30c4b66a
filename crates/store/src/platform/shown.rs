//! Who was shown how much: the people and applications that an account was shown on a day, once each, and
//! what the audit trail says of the account's day.

use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::scope::UnitScope;
use crate::Error;
use domain::id::PersonId;

/// Counts these as shown to the account on this day. Says how many different ones that makes, these
/// included; a transaction that is taken back counted nothing.
///
/// # Errors
/// Of the database.
pub async fn count(tx: &mut PgConnection, account: Uuid, day: Date, things: &[Uuid]) -> Result<i64, Error> {
    // In one order, so that two pages of one account cannot deadlock.
    let mut things = things.to_vec();
    things.sort_unstable();
    things.dedup();
    let counted = "WITH new AS (INSERT INTO shown (account_id, day, thing_id) \
                       SELECT $1, $2, thing FROM unnest($3::uuid[]) AS thing \
                       ON CONFLICT DO NOTHING RETURNING thing_id) \
                   INSERT INTO shown_day (account_id, day, things) SELECT $1, $2, count(*) FROM new \
                   ON CONFLICT (account_id, day) DO UPDATE SET things = shown_day.things + EXCLUDED.things \
                   RETURNING things";
    Ok(sqlx::query_scalar(counted).bind(account).bind(day).bind(things).fetch_one(tx).await?)
}

/// Forgets what was shown before this day.
///
/// # Errors
/// Of the database.
pub async fn prune(tx: &mut PgConnection, before: Date) -> Result<(), Error> {
    for forget in ["DELETE FROM shown WHERE day < $1", "DELETE FROM shown_day WHERE day < $1"] {
        sqlx::query(forget).bind(before).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Which work brings a reader to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// An open case that names the person, or the person's application.
    Cases,
    /// An application on its way, or a seat on the day.
    Applications,
}

/// Whether a unit has such work with a person now.
///
/// # Errors
/// Of the database.
pub async fn is_at_hand(
    conn: &mut PgConnection,
    scope: &UnitScope,
    person: PersonId,
    work: Work,
    day: Date,
) -> Result<bool, Error> {
    let asked = match work {
        Work::Cases => {
            "SELECT $2::date IS NOT NULL AND EXISTS ( \
                 SELECT FROM case_file c WHERE c.confirmed_by IS NULL AND starts_with(c.unit_path, $3) AND ( \
                     c.person_id = $1 OR c.other_person_id = $1 \
                     OR c.application_id IN (SELECT application_id FROM application \
                                             WHERE person_id = $1 OR claimed_person_id = $1) \
                     OR c.other_application_id IN (SELECT application_id FROM application \
                                                   WHERE person_id = $1 OR claimed_person_id = $1)))"
        }
        Work::Applications => {
            "SELECT EXISTS (SELECT FROM application WHERE (person_id = $1 OR claimed_person_id = $1) \
                            AND state NOT IN ('handed_over', 'rejected') AND starts_with(unit_path, $3)) \
                 OR EXISTS (SELECT FROM invitation i JOIN slot s USING (slot_id) \
                            WHERE i.person_id = $1 AND s.day = $2 AND starts_with(i.unit_path, $3))"
        }
    };
    let at_hand = sqlx::query_scalar(asked).bind(person.uuid()).bind(day).bind(scope.as_str());
    Ok(at_hand.fetch_one(conn).await?)
}

/// An account's day.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct AccountDay {
    pub account_id: Uuid,
    pub login: String,
    pub role: String,
    /// Different people and applications that it was shown, in lists too.
    pub shown: i64,
    /// Searches for people.
    pub searches: i64,
    /// Single people whose records it opened.
    pub reads: i64,
    /// Of these, those with whom it had no case, and gave a reason.
    pub reasons: i64,
    /// What it looked at outside the hours of work.
    pub outside: i64,
    /// How often its quota held it back.
    pub quota: i64,
}

/// When a day begins and ends, and when its work does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    pub day: Date,
    pub begins: OffsetDateTime,
    pub ends: OffsetDateTime,
    pub opens: OffsetDateTime,
    pub closes: OffsetDateTime,
}

/// The days of all accounts of a unit that looked at anything, by login.
///
/// # Errors
/// Of the database.
pub async fn account_days(
    conn: &mut PgConnection,
    scope: &UnitScope,
    hours: &Hours,
) -> Result<Vec<AccountDay>, Error> {
    let rows = sqlx::query_as(
        "WITH looked AS ( \
             SELECT actor, \
                    count(*) FILTER (WHERE action = 'people.searched') AS searches, \
                    count(*) FILTER (WHERE action = 'person.read') AS reads, \
                    count(*) FILTER (WHERE action = 'person.reason') AS reasons, \
                    count(*) FILTER (WHERE at < $3 OR at >= $4) AS outside, \
                    count(*) FILTER (WHERE action = 'quota') AS quota \
             FROM audit WHERE at >= $1 AND at < $2 AND starts_with(actor, 'account:') \
                  AND (action IN ('quota', 'person.reason') OR action ~ '[.](read|searched|listed)$') \
             GROUP BY actor), \
         counted AS (SELECT account_id, things AS shown FROM shown_day WHERE day = $5) \
         SELECT a.id AS account_id, a.login, a.role, coalesce(c.shown, 0) AS shown, \
                coalesce(l.searches, 0) AS searches, coalesce(l.reads, 0) AS reads, \
                coalesce(l.reasons, 0) AS reasons, coalesce(l.outside, 0) AS outside, \
                coalesce(l.quota, 0) AS quota \
         FROM account a LEFT JOIN looked l ON l.actor = 'account:' || a.id \
              LEFT JOIN counted c ON c.account_id = a.id \
         WHERE (l.actor IS NOT NULL OR c.account_id IS NOT NULL) AND starts_with(a.unit_path, $6) \
         ORDER BY a.login",
    )
    .bind(hours.begins)
    .bind(hours.ends)
    .bind(hours.opens)
    .bind(hours.closes)
    .bind(hours.day)
    .bind(scope.as_str())
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// From where signing in failed between these moments, and how often; the most first. A row tells of all
/// failures of its window so far, so that the last of a window counts.
///
/// # Errors
/// Of the database.
pub async fn refused_sign_ins(
    conn: &mut PgConnection,
    from: OffsetDateTime,
    to: OffsetDateTime,
    at_least: i64,
) -> Result<Vec<(String, i64)>, Error> {
    let rows = sqlx::query_as(
        "SELECT subject, sum(failures)::bigint FROM \
             (SELECT subject, detail->>'since' AS since, \
                     max((detail->>'wrong')::bigint + (detail->>'turned_away')::bigint) AS failures \
              FROM audit WHERE action = 'sign_in.failed' AND at >= $1 AND at < $2 GROUP BY 1, 2) windows \
         GROUP BY subject HAVING sum(failures) >= $3 ORDER BY 2 DESC, subject LIMIT 100",
    )
    .bind(from)
    .bind(to)
    .bind(at_least)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
