//! The pairs that a dedupe looks at: of the whole register, or of those who changed since the last one.

use std::sync::{Arc, PoisonError, RwLock};

use rayon::prelude::*;
use time::OffsetDateTime;

use super::{CASE_WEIGHT, DedupeSummary, has_two_pins, settle};
use crate::identities::load_index;
use crate::{Error, Identities, record};
use domain::id::PersonId;
use linkage::{Index, Levels, Pair, Params};
use store::cases::resolutions;
use store::change_log::{self, Changed};
use store::register::matching::{self, PersonRow};
use store::{Database, UnitScope};

/// What two numbers, and two old numbers beside them, take from the weight of a pair.
const NUMBERS_BITS: f64 = 9.2;

/// Who is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everybody, among everybody.
    Everybody,
    /// Who came or changed since the last dedupe, among everybody.
    Changed,
}

/// Looks for people who are in the register twice, merges what is certain and opens cases for what is not.
/// Repeating it does nothing new; a pair that people found to be two is not asked about again. For whoever
/// holds no [`Identities`].
///
/// # Errors
/// Those of the database.
pub async fn dedupe(
    db: &Database,
    scope: &UnitScope,
    extent: Extent,
    now: OffsetDateTime,
) -> Result<DedupeSummary, Error> {
    match extent {
        Extent::Everybody => dedupe_register(db, scope, now).await,
        Extent::Changed => dedupe_new(db, &mut Identities::load(db, scope).await?, now).await,
    }
}

/// As [`dedupe`], of everybody in `scope`.
///
/// # Errors
/// Those of the database.
pub async fn dedupe_register(
    db: &Database,
    scope: &UnitScope,
    now: OffsetDateTime,
) -> Result<DedupeSummary, Error> {
    let newest = change_log::newest(db).await?;
    let index = Arc::new(RwLock::new(load_index(db, scope, Params::for_dedupe()).await?));
    everybody(db, index, scope, newest, now).await
}

/// As [`dedupe`], of those in the scope of `ids` who came or changed since the last dedupe of that scope; of
/// everybody when there was none. It goes step by step, each with its cursor in one transaction: one that is
/// stopped goes on where it was.
///
/// # Errors
/// Those of the database.
pub async fn dedupe_new(
    db: &Database,
    ids: &mut Identities,
    now: OffsetDateTime,
) -> Result<DedupeSummary, Error> {
    let mut total = DedupeSummary::default();
    if !was_deduped(db, ids.scope()).await? {
        let seen = ids.catch_up_people(db).await?;
        total = everybody(db, ids.people(), ids.scope(), seen, now).await?;
    }
    while let Some(step) = step(db, ids, now).await? {
        total.add(step);
    }
    Ok(total)
}

/// Whether everybody in `scope` was looked at once.
///
/// # Errors
/// Those of the database.
pub async fn was_deduped(db: &Database, scope: &UnitScope) -> Result<bool, Error> {
    let mut conn = db.read().await?;
    Ok(change_log::cursor(&mut conn, &reader(scope)).await?.is_some())
}

/// The reader's name in the change log.
fn reader(scope: &UnitScope) -> String {
    format!("dedupe:{}", scope.as_str())
}

/// From where on a pair is looked at. What its numbers took away is given back before it is judged.
fn least_weight(levels: &Levels) -> f64 {
    if has_two_pins(levels) { CASE_WEIGHT - NUMBERS_BITS } else { CASE_WEIGHT }
}

/// All pairs of an index that knows every change up to the position `seen`.
async fn everybody(
    db: &Database,
    index: Arc<RwLock<Index>>,
    scope: &UnitScope,
    seen: i64,
    now: OffsetDateTime,
) -> Result<DedupeSummary, Error> {
    let searched = Arc::clone(&index);
    let searching = tokio::task::spawn_blocking(move || {
        let index = searched.read().unwrap_or_else(PoisonError::into_inner);
        index.dedupe_by(&Params::for_dedupe(), least_weight).pairs
    });
    let pairs = searching.await.map_err(|e| Error::Search(e.to_string()))?;
    let mut tx = db.begin().await?;
    resolutions::lock(&mut tx).await?;
    let summary = settle(&mut tx, &index, pairs, scope, now).await?;
    change_log::set_cursor(&mut tx, &reader(scope), seen).await?;
    store::commit(tx).await?;
    Ok(summary)
}

/// The next page of changes; `None` when there is none.
async fn step(
    db: &Database,
    ids: &mut Identities,
    now: OffsetDateTime,
) -> Result<Option<DedupeSummary>, Error> {
    let reader = reader(ids.scope());
    let mut tx = db.begin().await?;
    // Whoever changed is compared with everybody there is, so that of two who come at once the later sees the
    // earlier.
    let at = ids.catch_up_people_in(&mut tx).await?;
    let cursor = change_log::cursor(&mut tx, &reader).await?.unwrap_or_default();
    let Some(page) = change_log::after(&mut tx, Changed::People, cursor).await? else {
        store::commit(tx).await?;
        ids.reached(at);
        return Ok(None);
    };
    let changed: Vec<PersonId> = page.ids.into_iter().map(PersonId::from_uuid).collect();
    let mut changed = matching::people(&mut tx, &changed).await?;
    changed.retain(|row| row.unit_path.starts_with(ids.scope().as_str()));
    let index = ids.people();
    let pairs = pairs_of(Arc::clone(&index), changed).await?;
    let summary = settle(&mut tx, &index, pairs, ids.scope(), now).await?;
    change_log::set_cursor(&mut tx, &reader, page.position).await?;
    store::commit(tx).await?;
    ids.reached(at);
    Ok(Some(summary))
}

/// Whom these may be too, in the order of [`Index::dedupe`].
async fn pairs_of(index: Arc<RwLock<Index>>, changed: Vec<PersonRow>) -> Result<Vec<Pair>, Error> {
    let searching = tokio::task::spawn_blocking(move || {
        let index = index.read().unwrap_or_else(PoisonError::into_inner);
        let params = Params::for_dedupe();
        let pairs_with = |row: &PersonRow| {
            let record = record::of_row(row);
            let least = CASE_WEIGHT - NUMBERS_BITS;
            let mut found = index.search_by(&params, least, &record);
            found.retain(|candidate| candidate.weight >= least_weight(&candidate.levels));
            let pair = move |other: linkage::Candidate| Pair {
                a: record.id.min(other.id),
                b: record.id.max(other.id),
                weight: other.weight,
                probability: other.probability,
            };
            found.into_iter().map(pair).collect::<Vec<_>>()
        };
        let mut pairs: Vec<Pair> = changed.par_iter().flat_map_iter(pairs_with).collect();
        pairs.par_sort_unstable_by_key(|pair| (pair.a, pair.b));
        pairs.dedup_by_key(|pair| (pair.a, pair.b));
        pairs.par_sort_by(|x, y| y.weight.total_cmp(&x.weight).then((x.a, x.b).cmp(&(y.a, y.b))));
        pairs
    });
    searching.await.map_err(|e| Error::Search(e.to_string()))
}
