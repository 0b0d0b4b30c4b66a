//! Two records of one person becoming one, and being taken apart again.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::uuids;
use crate::Error;
use crate::platform::change_log::{self, Changed};
use domain::id::PersonId;

/// A person's record as merging needs it, locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct MergedRecord {
    pub person_id: Uuid,
    /// 1 alive, 2 dead, 3 merged into `same_as`.
    pub status: i16,
    pub same_as: Option<Uuid>,
    pub has_pin: bool,
    /// Has an application that was not rejected.
    pub has_application: bool,
    pub recorded_at: OffsetDateTime,
}

/// Two records of one person: `drop` ends and points to `keep`.
#[derive(Debug, Clone)]
pub struct Merge {
    pub keep: PersonId,
    pub drop: PersonId,
    /// `keep` has no number and takes over that of `drop`; otherwise a number of `drop` ends.
    pub moves_pin: bool,
    /// Codes and weights: why the two are one.
    pub reason: serde_json::Value,
}

/// What was taken apart again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub kept: PersonId,
    pub restored: PersonId,
}

/// Locks these records in the order of their ids.
///
/// # Errors
/// Those of the database.
pub async fn lock_people(tx: &mut PgConnection, ids: &[PersonId]) -> Result<Vec<MergedRecord>, Error> {
    let rows = sqlx::query_as(
        "SELECT person_id, status, same_as, pin IS NOT NULL AS has_pin, recorded_at, \
                EXISTS (SELECT 1 FROM application a WHERE a.person_id = p.person_id AND a.state <> 'rejected') \
                    AS has_application \
         FROM person p WHERE person_id = ANY($1) ORDER BY person_id FOR UPDATE",
    )
    .bind(uuids(ids))
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// Merges pairs of living records. No record may occur in two of the pairs.
///
/// # Errors
/// Those of the database.
pub async fn merge_people(
    tx: &mut PgConnection,
    merges: &[Merge],
    actor: &str,
    at: OffsetDateTime,
) -> Result<(), Error> {
    if merges.is_empty() {
        return Ok(());
    }
    let (keep, drop): (Vec<Uuid>, Vec<Uuid>) = merges.iter().map(|m| (m.keep.uuid(), m.drop.uuid())).unzip();
    let moves: Vec<bool> = merges.iter().map(|m| m.moves_pin).collect();
    let pairs = "unnest($1::uuid[], $2::uuid[], $3::bool[]) AS m (kept, dropped, moves)";
    let statements = [
        format!(
            "WITH taken AS (SELECT m.kept, p.pin FROM {pairs} JOIN person p ON p.person_id = m.dropped \
                            WHERE m.moves AND p.pin IS NOT NULL), \
                  changed AS (UPDATE person p SET pin = taken.pin, version = p.version + 1 FROM taken \
                              WHERE p.person_id = taken.kept RETURNING p.person_id, p.version, p.unit_path) \
             INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor, unit_path) \
             SELECT person_id, version, 'pin_assigned', $4, $4, $5, unit_path FROM changed"
        ),
        format!(
            "UPDATE pin SET person_id = CASE WHEN m.moves THEN m.kept ELSE pin.person_id END, \
                            ended_at = CASE WHEN m.moves THEN NULL ELSE $4 END \
             FROM {pairs} WHERE pin.person_id = m.dropped AND pin.ended_at IS NULL AND $5 <> ''"
        ),
    ];
    for sql in statements {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(&keep)
            .bind(&drop)
            .bind(&moves)
            .bind(at)
            .bind(actor)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query(
        "WITH changed AS ( \
             UPDATE person p SET status = 3, same_as = m.kept, pin = NULL, version = p.version + 1 \
             FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[]) AS m (kept, dropped, detail) \
             WHERE p.person_id = m.dropped RETURNING p.person_id, p.version, p.unit_path, m.detail) \
         INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor, unit_path, detail) \
         SELECT person_id, version, 'merged', $4, $4, $5, unit_path, detail FROM changed",
    )
    .bind(&keep)
    .bind(&drop)
    .bind(merges.iter().map(detail).collect::<Vec<_>>())
    .bind(at)
    .bind(actor)
    .execute(&mut *tx)
    .await?;
    change_log::note(tx, Changed::People, &[keep, drop].concat()).await
}

fn detail(merge: &Merge) -> serde_json::Value {
    serde_json::json!({ "into": merge.keep.uuid(), "pin_moved": merge.moves_pin, "reason": merge.reason })
}

/// Whether the latest merge of `dropped` gave its number to the survivor.
///
/// # Errors
/// Those of the database.
pub async fn merge_moved_pin(conn: &mut PgConnection, dropped: PersonId) -> Result<bool, Error> {
    Ok(latest_merge(conn, dropped).await?.is_some_and(|(moved, _)| moved))
}

/// Whether it moved the number, and when it was.
async fn latest_merge(
    conn: &mut PgConnection,
    dropped: PersonId,
) -> Result<Option<(bool, OffsetDateTime)>, Error> {
    let found = sqlx::query_as(
        "SELECT coalesce((detail->>'pin_moved')::bool, false), at FROM person_event \
         WHERE person_id = $1 AND kind = 'merged' ORDER BY version DESC LIMIT 1",
    )
    .bind(dropped.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// Records among `ids` that were merged and taken apart again, each with the one that it was taken from.
///
/// # Errors
/// Those of the database.
pub async fn taken_apart(
    conn: &mut PgConnection,
    ids: &[PersonId],
) -> Result<Vec<(PersonId, PersonId)>, Error> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT person_id, (detail->>'from')::uuid FROM person_event \
         WHERE person_id = ANY($1) AND kind = 'split' AND detail ? 'from'",
    )
    .bind(uuids(ids))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(one, other)| (PersonId::from_uuid(one), PersonId::from_uuid(other))).collect())
}

/// Takes the merge of `dropped` back: it lives again, with the number that the merge moved or ended.
///
/// # Errors
/// Those of the database.
pub async fn split_people(
    tx: &mut PgConnection,
    dropped: PersonId,
    kept: PersonId,
    actor: &str,
    at: OffsetDateTime,
) -> Result<Split, Error> {
    let merged = latest_merge(&mut *tx, dropped).await?;
    let (pin_moved, merged_at) = merged.ok_or_else(|| Error::Inconsistent {
        table: "person_event",
        row: dropped.to_string(),
        reason: "a merged record has no merge in its history".to_owned(),
    })?;
    let pin: Option<String> = if pin_moved {
        sqlx::query_scalar(
            "UPDATE pin SET person_id = $1 FROM person k \
             WHERE k.person_id = $2 AND pin.pin = k.pin AND pin.ended_at IS NULL RETURNING pin.pin",
        )
        .bind(dropped.uuid())
        .bind(kept.uuid())
        .fetch_optional(&mut *tx)
        .await?
    } else {
        sqlx::query_scalar(
            "UPDATE pin SET ended_at = NULL WHERE person_id = $1 AND ended_at = $2 RETURNING pin",
        )
        .bind(dropped.uuid())
        .bind(merged_at)
        .fetch_optional(&mut *tx)
        .await?
    };
    let event = "INSERT INTO person_event (person_id, version, kind, at, recorded_at, actor, unit_path, detail) \
                 SELECT person_id, version, 'split', $3, $3, $4, unit_path, jsonb_build_object('from', $2::uuid) FROM changed";
    let back = format!(
        "WITH changed AS (UPDATE person SET status = 1, same_as = NULL, pin = $5, version = version + 1 \
                          WHERE person_id = $1 RETURNING person_id, version, unit_path) {event}"
    );
    sqlx::query(sqlx::AssertSqlSafe(back))
        .bind(dropped.uuid())
        .bind(kept.uuid())
        .bind(at)
        .bind(actor)
        .bind(&pin)
        .execute(&mut *tx)
        .await?;
    if pin_moved && pin.is_some() {
        let given = format!(
            "WITH changed AS (UPDATE person SET pin = NULL, version = version + 1 WHERE person_id = $1 \
                              RETURNING person_id, version, unit_path) {event}"
        );
        sqlx::query(sqlx::AssertSqlSafe(given))
            .bind(kept.uuid())
            .bind(dropped.uuid())
            .bind(at)
            .bind(actor)
            .execute(&mut *tx)
            .await?;
    }
    change_log::note(tx, Changed::People, &[kept.uuid(), dropped.uuid()]).await?;
    Ok(Split { kept, restored: dropped })
}
