//! What the centre has of each kit's packets, and up to which of them they are safe.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::signed;
use crate::Error;
use crate::platform::error::inconsistent;
use domain::id::KitId;

/// What is kept of a kit. Counters are 0 where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub kit_id: KitId,
    /// The highest that is there.
    pub highest: u64,
    /// Up to it, every one is there.
    pub whole: u64,
    /// Of those that are there, the ones up to it are safe.
    pub durable: u64,
    pub mark: Option<Mark>,
    /// Of which cluster's log `durable` and `mark` speak, and where packets must be to be safe.
    pub source: Option<String>,
    /// Whether there ever seemed to be two of it.
    pub contradicted: bool,
}

/// Packets that will be safe once the log up to a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Those that were there up to this counter.
    pub kit_seq: u64,
    /// The byte of the write-ahead log before which they stand.
    pub lsn: u64,
}

/// What is kept of these kits, by id. Whoever goes on to [`put`] holds their rows
/// ([`super::kits::lock_kits`]).
///
/// # Errors
/// Those of the database.
pub async fn kept(conn: &mut PgConnection, ids: &[KitId]) -> Result<Vec<Kept>, Error> {
    type Row = (Uuid, i64, i64, i64, Option<i64>, Option<i64>, Option<String>, bool);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT k.kit_id, coalesce(p.kit_seq, 0), k.whole_seq, k.durable_seq, k.mark_seq, k.mark_lsn, \
                k.safe_source, k.contradicted FROM kit k \
         LEFT JOIN LATERAL (SELECT kit_seq FROM packet WHERE kit_id = k.kit_id AND NOT twin \
                            ORDER BY kit_seq DESC LIMIT 1) p ON true \
         WHERE k.kit_id = ANY($1) ORDER BY k.kit_id",
    )
    .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let kept = |(kit_id, highest, whole, durable, seq, lsn, source, contradicted): Row| Kept {
        kit_id: KitId::from_uuid(kit_id),
        highest: highest.unsigned_abs(),
        whole: whole.unsigned_abs(),
        durable: durable.unsigned_abs(),
        mark: seq.zip(lsn).map(|(seq, lsn)| Mark { kit_seq: seq.unsigned_abs(), lsn: lsn.unsigned_abs() }),
        source,
        contradicted,
    };
    Ok(rows.into_iter().map(kept).collect())
}

/// Writes down what is kept of a kit, but for its highest counter, which its packets tell.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut PgConnection, kept: &Kept) -> Result<(), Error> {
    sqlx::query(
        "UPDATE kit SET whole_seq = $2, durable_seq = $3, mark_seq = $4, mark_lsn = $5, contradicted = $6, \
                safe_source = $7 WHERE kit_id = $1",
    )
    .bind(kept.kit_id.uuid())
    .bind(signed(kept.whole))
    .bind(signed(kept.durable))
    .bind(kept.mark.map(|mark| signed(mark.kit_seq)))
    .bind(kept.mark.map(|mark| signed(mark.lsn)))
    .bind(kept.contradicted)
    .bind(&kept.source)
    .execute(tx)
    .await?;
    Ok(())
}

/// The counters above `whole` and below the kit's highest that are not there, as ranges from and to, lowest
/// first, up to `limit`.
///
/// # Errors
/// Those of the database.
pub async fn missing(
    conn: &mut PgConnection,
    kit_id: KitId,
    whole: u64,
    limit: usize,
) -> Result<Vec<(u64, u64)>, Error> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT after + 1, kit_seq - 1 FROM ( \
             SELECT kit_seq, lag(kit_seq, 1, $2) OVER (ORDER BY kit_seq) AS after FROM packet \
             WHERE kit_id = $1 AND kit_seq > $2 AND NOT twin) s \
         WHERE kit_seq > after + 1 ORDER BY kit_seq LIMIT $3",
    )
    .bind(kit_id.uuid())
    .bind(signed(whole))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(from, to)| (from.unsigned_abs(), to.unsigned_abs())).collect())
}

/// The kit's last packet up to a counter: its own counter and its hash.
///
/// # Errors
/// Those of the database; [`Error::Inconsistent`].
pub async fn last_up_to(
    conn: &mut PgConnection,
    kit_id: KitId,
    kit_seq: u64,
) -> Result<Option<(u64, [u8; 32])>, Error> {
    let row: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT kit_seq, sha256 FROM packet WHERE kit_id = $1 AND kit_seq <= $2 AND NOT twin \
         ORDER BY kit_seq DESC LIMIT 1",
    )
    .bind(kit_id.uuid())
    .bind(signed(kit_seq))
    .fetch_optional(conn)
    .await?;
    let hash = |(kit_seq, sha256): (i64, Vec<u8>)| {
        let sha256 = sha256
            .try_into()
            .map_err(|_| inconsistent("packet", kit_id.uuid(), "a sha256 of another length"))?;
        Ok((kit_seq.unsigned_abs(), sha256))
    };
    row.map(hash).transpose()
}

/// A kit's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// When it came.
    pub at: OffsetDateTime,
    /// Packets since it was set up.
    pub total: u64,
    /// Packets that it has no receipt for.
    pub unsent: u64,
    /// Up to which counter it was told that packets are safe.
    pub durable: u64,
    /// How many it has forgotten for that.
    pub forgotten: u64,
}

/// Writes a kit's word down. An older one that comes again, which counts fewer packets, changes nothing.
///
/// # Errors
/// Those of the database.
pub async fn note_told(tx: &mut PgConnection, kit_id: KitId, told: &Told) -> Result<(), Error> {
    sqlx::query(
        "UPDATE kit SET told_at = $2, told_total = $3, told_unsent = $4, \
                told_durable = greatest(told_durable, $5), told_forgotten = greatest(told_forgotten, $6) \
         WHERE kit_id = $1 AND coalesce(told_total, 0) <= $3",
    )
    .bind(kit_id.uuid())
    .bind(told.at)
    .bind(signed(told.total))
    .bind(signed(told.unsent))
    .bind(signed(told.durable))
    .bind(signed(told.forgotten))
    .execute(tx)
    .await?;
    Ok(())
}
