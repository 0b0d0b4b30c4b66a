//! The audit trail: append-only rows in hash chains, so that a removed, altered or inserted row shows.
//!
//! Each row's SHA-256 covers the one before it, and `audit_head` holds each chain's last. An append locks the
//! head until its transaction ends; sixteen chains, chosen by the subject, keep writers of different subjects
//! from queueing for one lock. Whoever can rewrite a whole chain and its head is found out by heads that were
//! signed and kept elsewhere: [`heads`] gives what to sign, and [`verify_signed`] compares.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::OffsetDateTime;

use crate::{Database, Error};
use domain::Actor;

const CHAINS: u8 = 16;
const START: [u8; 32] = [0; 32];
const VERIFY_PAGE: i64 = 5_000;

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, by the caller's clock; kept to the microsecond.
    pub at: OffsetDateTime,
    /// Who.
    pub actor: Actor,
    /// What: a dotted verb such as `card.handed_over`.
    pub action: String,
    /// On what: `person:<id>`, `application:<id>`. Rows of one subject are in one chain.
    pub subject: String,
    /// The unit it happened in; empty for the centre.
    pub unit_path: String,
    /// Codes and ids that explain it.
    pub detail: serde_json::Value,
}

/// A chain's last row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub chain: i16,
    /// Number of rows in the chain.
    pub seq: i64,
    /// Hash of the last row; zeros for an empty chain.
    pub hash: [u8; 32],
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every row of every chain is as it was written.
    Intact { rows: i64 },
    /// The first row, in the order of chain and number, that is not.
    Broken { chain: i16, seq: i64, how: Break },
}

/// How a chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The row is missing.
    Missing,
    /// The row's contents do not give its hash.
    Altered,
    /// The row does not follow from the one before it.
    Unlinked,
    /// The row is beyond the chain's head, or the head is not its hash.
    Head,
    /// The chain holds together, and this row or a later one is not the one over which a head was signed.
    Rewritten,
}

/// Heads that were signed, of each chain in the order of their numbers: what its rows must lead to.
pub type Signed = BTreeMap<i16, Vec<Head>>;

/// Appends one row in the caller's transaction. A transaction with several rows uses [`append_all`].
///
/// # Errors
/// Of the database.
pub async fn append(tx: &mut PgConnection, entry: &Entry) -> Result<(), Error> {
    append_all(tx, std::slice::from_ref(entry)).await
}

/// Appends rows in the caller's transaction, which should do it last and once: the chains' heads stay locked
/// until the transaction ends, and are locked in order, so that two such transactions cannot deadlock.
///
/// # Errors
/// Of the database.
pub async fn append_all(tx: &mut PgConnection, entries: &[Entry]) -> Result<(), Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut by_chain: BTreeMap<i16, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        by_chain.entry(chain_of(&entry.subject)).or_default().push(entry);
    }
    let chains: Vec<i16> = by_chain.keys().copied().collect();
    let heads = sqlx::query(
        "SELECT chain, seq, hash FROM audit_head WHERE chain = ANY ($1) ORDER BY chain FOR UPDATE",
    )
    .bind(&chains)
    .fetch_all(&mut *tx)
    .await?;
    let mut rows = Vec::with_capacity(entries.len());
    let mut new_heads = Vec::with_capacity(chains.len());
    for head in &heads {
        let mut head = head_from(head)?;
        for entry in by_chain.remove(&head.chain).unwrap_or_default() {
            let row = Linked::after(&head, entry);
            head = Head { chain: head.chain, seq: row.seq, hash: row.hash };
            rows.push(row);
        }
        new_heads.push(head);
    }
    if let Some(chain) = by_chain.keys().next() {
        let row = format!("chain {chain}");
        return Err(Error::Inconsistent {
            table: "audit_head",
            row,
            reason: "the row is missing".to_owned(),
        });
    }
    insert(tx, &rows).await?;
    move_heads(tx, &new_heads).await
}

/// The heads of all chains, for signing.
///
/// # Errors
/// Of the database.
pub async fn heads(tx: &mut PgConnection) -> Result<Vec<Head>, Error> {
    let rows = sqlx::query("SELECT chain, seq, hash FROM audit_head ORDER BY chain").fetch_all(tx).await?;
    rows.iter().map(head_from).collect()
}

/// Reads every row and checks it. Run it in a REPEATABLE READ transaction while others write: heads and rows
/// must be of one instant.
///
/// # Errors
/// Of the database; a broken chain is a [`Verdict`], not an error.
pub async fn verify(tx: &mut PgConnection) -> Result<Verdict, Error> {
    verify_signed(tx, &Signed::new()).await
}

/// As [`verify`], and compares each chain with heads of it that were signed. Where a chain holds together and
/// is not what was signed, the verdict names the first row that may be another: the one after the last head
/// that agrees.
///
/// # Errors
/// Of the database.
pub async fn verify_signed(tx: &mut PgConnection, signed: &Signed) -> Result<Verdict, Error> {
    let mut found: BTreeMap<i16, Head> = heads(tx).await?.into_iter().map(|h| (h.chain, h)).collect();
    // A chain without a head row must have no rows either.
    for chain in sqlx::query_scalar::<_, i16>("SELECT DISTINCT chain FROM audit").fetch_all(&mut *tx).await? {
        found.entry(chain).or_insert(Head { chain, seq: 0, hash: START });
    }
    for chain in 0..i16::from(CHAINS) {
        found.entry(chain).or_insert(Head { chain, seq: -1, hash: START });
    }
    let mut rows = 0;
    for head in found.values() {
        let signed = signed.get(&head.chain).map_or(&[][..], Vec::as_slice);
        if let Some(broken) = verify_chain(tx, head, signed).await? {
            return Ok(broken);
        }
        rows += head.seq;
    }
    Ok(Verdict::Intact { rows })
}

/// As [`verify`], of one instant, while others go on writing.
///
/// # Errors
/// Of the database.
pub async fn verify_snapshot(db: &Database) -> Result<Verdict, Error> {
    verify(&mut *db.begin_snapshot().await?).await
}

async fn verify_chain(tx: &mut PgConnection, head: &Head, signed: &[Head]) -> Result<Option<Verdict>, Error> {
    let broken = |seq, how| Ok(Some(Verdict::Broken { chain: head.chain, seq, how }));
    let (mut seq, mut hash) = (0i64, START);
    let (mut signed, mut agreed) = (signed.iter().peekable(), 0);
    loop {
        let page = sqlx::query(
            "SELECT seq, at, actor, action, subject, unit_path, detail::text AS detail, prev_hash, hash
             FROM audit WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(head.chain)
        .bind(seq)
        .bind(VERIFY_PAGE)
        .fetch_all(&mut *tx)
        .await?;
        for row in &page {
            let row = Linked::from_row(head.chain, row)?;
            if row.seq > head.seq {
                return broken(if row.seq == seq + 1 { row.seq } else { seq + 1 }, Break::Head);
            }
            if row.seq != seq + 1 {
                return broken(seq + 1, Break::Missing);
            }
            if row.prev_hash != hash {
                return broken(row.seq, Break::Unlinked);
            }
            if row.hash != row.digest() {
                return broken(row.seq, Break::Altered);
            }
            (seq, hash) = (row.seq, row.hash);
            while let Some(point) = signed.next_if(|point| point.seq <= seq) {
                if point.seq == seq && point.hash != hash {
                    return broken(agreed + 1, Break::Rewritten);
                }
                agreed = point.seq;
            }
        }
        if page.is_empty() {
            break;
        }
    }
    if seq < head.seq {
        return broken(seq + 1, Break::Missing);
    }
    if seq != head.seq || hash != head.hash {
        return broken(seq, Break::Head);
    }
    // The end was cut off, and the head with it.
    match signed.next() {
        Some(point) if point.seq > 0 => broken(seq + 1, Break::Missing),
        _ => Ok(None),
    }
}

/// The first of these heads that the rows do not lead to any more. Reads one row for each.
///
/// # Errors
/// Of the database.
pub async fn first_lost(tx: &mut PgConnection, signed: &[Head]) -> Result<Option<Head>, Error> {
    let rows: Vec<(i16, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT a.chain, a.seq, a.hash FROM unnest($1::int2[], $2::int8[]) AS s (chain, seq) \
         JOIN audit a USING (chain, seq)",
    )
    .bind(signed.iter().map(|head| head.chain).collect::<Vec<_>>())
    .bind(signed.iter().map(|head| head.seq).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    let is_there = |head: &Head| {
        head.seq == 0
            || rows.iter().any(|(chain, seq, hash)| {
                (*chain, *seq, hash.as_slice()) == (head.chain, head.seq, head.hash.as_slice())
            })
    };
    Ok(signed.iter().find(|head| !is_there(head)).cloned())
}

/// A row in its place in a chain.
struct Linked {
    chain: i16,
    seq: i64,
    at: OffsetDateTime,
    actor: String,
    action: String,
    subject: String,
    unit_path: String,
    detail: String,
    prev_hash: [u8; 32],
    hash: [u8; 32],
}

impl Linked {
    fn after(head: &Head, entry: &Entry) -> Linked {
        let mut row = Linked {
            chain: head.chain,
            seq: head.seq + 1,
            at: to_microseconds(entry.at),
            actor: entry.actor.to_string(),
            action: entry.action.clone(),
            subject: entry.subject.clone(),
            unit_path: entry.unit_path.clone(),
            detail: entry.detail.to_string(),
            prev_hash: head.hash,
            hash: START,
        };
        row.hash = row.digest();
        row
    }

    fn from_row(chain: i16, row: &PgRow) -> Result<Linked, Error> {
        Ok(Linked {
            chain,
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            unit_path: row.try_get("unit_path")?,
            detail: row.try_get("detail")?,
            prev_hash: hash_from(row, "audit", "prev_hash")?,
            hash: hash_from(row, "audit", "hash")?,
        })
    }

    /// Each field is preceded by its length, so that no two rows have the same encoding.
    fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"dancu audit row, version 1\0");
        hasher.update(self.prev_hash);
        hasher.update(self.chain.to_be_bytes());
        hasher.update(self.seq.to_be_bytes());
        hasher.update((self.at.unix_timestamp_nanos() / 1_000).to_be_bytes());
        for text in [&self.actor, &self.action, &self.subject, &self.unit_path, &self.detail] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().into()
    }
}

async fn insert(tx: &mut PgConnection, rows: &[Linked]) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO audit (chain, seq, at, actor, action, subject, unit_path, detail, prev_hash, hash)
         SELECT chain, seq, at, actor, action, subject, unit_path, detail::json, prev_hash, hash
         FROM unnest($1::int2[], $2::int8[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], \
         $7::text[],
                     $8::text[], $9::bytea[], $10::bytea[])
              AS new (chain, seq, at, actor, action, subject, unit_path, detail, prev_hash, hash)",
    )
    .bind(rows.iter().map(|r| r.chain).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.seq).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.at).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.actor.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.action.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.subject.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.unit_path.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.detail.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.prev_hash.as_slice()).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.hash.as_slice()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn move_heads(tx: &mut PgConnection, heads: &[Head]) -> Result<(), Error> {
    sqlx::query(
        "UPDATE audit_head SET seq = new.seq, hash = new.hash
         FROM unnest($1::int2[], $2::int8[], $3::bytea[]) AS new (chain, seq, hash)
         WHERE audit_head.chain = new.chain",
    )
    .bind(heads.iter().map(|h| h.chain).collect::<Vec<_>>())
    .bind(heads.iter().map(|h| h.seq).collect::<Vec<_>>())
    .bind(heads.iter().map(|h| h.hash.as_slice()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

fn chain_of(subject: &str) -> i16 {
    i16::from(Sha256::digest(subject.as_bytes())[0] % CHAINS)
}

/// As the database keeps it.
pub(crate) fn to_microseconds(at: OffsetDateTime) -> OffsetDateTime {
    let excess = at.nanosecond() % 1_000;
    at - time::Duration::nanoseconds(i64::from(excess))
}

fn head_from(row: &PgRow) -> Result<Head, Error> {
    Ok(Head {
        chain: row.try_get("chain")?,
        seq: row.try_get("seq")?,
        hash: hash_from(row, "audit_head", "hash")?,
    })
}

fn hash_from(row: &PgRow, table: &'static str, column: &str) -> Result<[u8; 32], Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes.try_into().map_err(|_| Error::Inconsistent {
        table,
        row: column.to_owned(),
        reason: "a hash has another length than 32 bytes".to_owned(),
    })
}
