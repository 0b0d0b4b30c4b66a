//! What changed, for those who hold people and fingers in memory and must follow.
//!
//! A number or a time that a writer takes says nothing of when it commits: who reads "all after 7" may miss
//! the 6 that is committed later. So writers take nothing. Whoever follows gives positions to all that is
//! committed, one at a time, and reads up to the newest.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Database, Error};

/// Ids of one entry at most, so that a page of entries has a bound.
const IDS: usize = 8_192;
/// Entries read at a time.
const PAGE: i64 = 16;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Records of the register: registered, merged, taken apart, given a number, moved or corrected.
    People,
    /// Applications that were looked at: their fingers are to be known.
    Resolutions,
}

impl Changed {
    fn code(self) -> &'static str {
        match self {
            Changed::People => "people",
            Changed::Resolutions => "resolutions",
        }
    }
}

/// Some of what changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Where the next page begins.
    pub position: i64,
    /// As often as they changed.
    pub ids: Vec<Uuid>,
}

/// Notes that these changed, in the transaction that changes them.
pub(crate) async fn note(tx: &mut PgConnection, what: Changed, ids: &[Uuid]) -> Result<(), Error> {
    for ids in ids.chunks(IDS) {
        sqlx::query("INSERT INTO change_log (entry_id, what, ids) VALUES (gen_random_uuid(), $1, $2)")
            .bind(what.code())
            .bind(ids)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Waits until no other transaction decides who somebody is; held to the end of this one. Two such decisions
/// must see each other.
///
/// # Errors
/// Those of the database.
pub(crate) async fn lock_deciding(tx: &mut PgConnection) -> Result<(), Error> {
    super::db::lock(tx, "lock.resolve").await
}

/// Gives positions to all changes that are committed, and returns the newest. Holds the lock of those who
/// decide who somebody is to the end of the transaction: a position counts once that is committed.
///
/// # Errors
/// Those of the database.
pub async fn number(tx: &mut PgConnection) -> Result<i64, Error> {
    lock_deciding(&mut *tx).await?;
    sqlx::query(
        "UPDATE change_log c SET position = n.position FROM ( \
             SELECT entry_id, (SELECT coalesce(max(position), 0) FROM change_log) \
                              + row_number() OVER (ORDER BY entry_id) AS position \
             FROM change_log WHERE position IS NULL) n \
         WHERE c.entry_id = n.entry_id",
    )
    .execute(&mut *tx)
    .await?;
    Ok(sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM change_log").fetch_one(tx).await?)
}

/// As [`number`], in a transaction of its own.
///
/// # Errors
/// Those of the database.
pub async fn newest(db: &Database) -> Result<i64, Error> {
    let mut tx = db.begin().await?;
    let newest = number(&mut tx).await?;
    crate::commit(tx).await?;
    Ok(newest)
}

/// The next of these changes after a position; `None` when there is none.
///
/// # Errors
/// Those of the database.
pub async fn after(conn: &mut PgConnection, what: Changed, position: i64) -> Result<Option<Page>, Error> {
    let entries: Vec<(i64, Vec<Uuid>)> = sqlx::query_as(
        "SELECT position, ids FROM change_log WHERE position > $1 AND what = $2 ORDER BY position LIMIT $3",
    )
    .bind(position)
    .bind(what.code())
    .bind(PAGE)
    .fetch_all(conn)
    .await?;
    let Some(&(position, _)) = entries.last() else { return Ok(None) };
    Ok(Some(Page { position, ids: entries.into_iter().flat_map(|(_, ids)| ids).collect() }))
}

/// Which entry has this position. Of another database, or of this one before it was restored from a backup,
/// it is another one or none.
///
/// # Errors
/// Those of the database.
pub async fn entry_at(conn: &mut PgConnection, position: i64) -> Result<Option<Uuid>, Error> {
    let entry = sqlx::query_scalar("SELECT entry_id FROM change_log WHERE position = $1")
        .bind(position)
        .fetch_optional(conn)
        .await?;
    Ok(entry)
}

/// How far a reader has come; `None` when it never read.
///
/// # Errors
/// Those of the database.
pub async fn cursor(conn: &mut PgConnection, reader: &str) -> Result<Option<i64>, Error> {
    let position = sqlx::query_scalar("SELECT position FROM change_cursor WHERE reader = $1")
        .bind(reader)
        .fetch_optional(conn)
        .await?;
    Ok(position)
}

/// Says how far a reader has come, in the transaction that did what was to be done so far.
///
/// # Errors
/// Those of the database.
pub async fn set_cursor(tx: &mut PgConnection, reader: &str, position: i64) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO change_cursor (reader, position) VALUES ($1, $2) \
         ON CONFLICT (reader) DO UPDATE SET position = excluded.position",
    )
    .bind(reader)
    .bind(position)
    .execute(tx)
    .await?;
    Ok(())
}

/// What tells this database from any other.
///
/// # Errors
/// Those of the database.
pub async fn installation_id(conn: &mut PgConnection) -> Result<String, Error> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = 'installation.id'").fetch_one(conn).await?)
}
