//! The resident register: who could this record be?

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use rayon::prelude::*;

use crate::compare::Side;
use crate::decide::Caution;
use crate::hash::{self, NumberHasher, Slots};
use crate::keys::{CMND_RULE, Keys, PIN_RULE, RULES, is_promising, keys, number_key};
use crate::level::{Levels, NumberLevel};
use crate::model::{Explanation, Model, caution, probability};
use crate::names::Names;
use crate::params::Params;
use crate::postings::{self, Postings};
use crate::record::Record;
use crate::row::{Query, Row};
use crate::statistics::Statistics;

/// A block of more records is left out of a search: its key is too common to say anything, and a true match
/// shares a rarer key too. Entries of removed records count until the next compaction.
pub const BLOCK_LIMIT_SEARCH: usize = 512;
/// The same for a PIN or a CMND: whoever shares one must be seen, but a number of more holders is a
/// placeholder.
pub const BLOCK_LIMIT_NUMBER: usize = 4096;
/// The same inside a dedupe, where a block costs the square of its size.
pub const BLOCK_LIMIT_DEDUPE: usize = 96;
/// Holders of one number that are counted one by one.
const FEW_HOLDERS: usize = 16;
/// Candidates returned at most, the likeliest.
const CANDIDATES: usize = 32;
/// Candidates less likely than one in a thousand are not returned, except those with the same PIN.
const LEAST_WEIGHT: f64 = -10.0;
/// Additions and removals tolerated before the sorted parts are built anew: this, or one in sixteen.
const SLACK: usize = 1024;

/// A record of the register that may be the same person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    pub id: u128,
    /// log₂ of the odds of being one person.
    pub weight: f64,
    pub probability: f64,
    pub caution: Caution,
    /// The comparison vector, to be stored with the decision.
    pub levels: Levels,
}

/// All records of a register, ready for search; about 230 bytes a record.
///
/// Recent additions live beside the sorted keys until they are one in sixteen; the insertion that crosses
/// this line rebuilds the keys, in time linear in the register (seconds at three million).
#[derive(Clone, Debug)]
pub struct Index {
    pub(crate) params: Params,
    rows: Vec<Row>,
    names: Names,
    statistics: Statistics,
    ids: Slots,
    sorted: Vec<Postings>,
    recent: HashMap<u64, Vec<u32>, BuildHasherDefault<NumberHasher>>,
    recent_rows: usize,
    removed: usize,
}

impl Default for Index {
    fn default() -> Index {
        Index::new(Params::default())
    }
}

impl Index {
    /// An index of nobody, which weighs with `params`.
    pub fn new(params: Params) -> Index {
        Index {
            params,
            rows: Vec::new(),
            names: Names::new(),
            statistics: Statistics::new(),
            ids: Slots::with_capacity(0),
            sorted: (0..RULES).map(|_| Postings::empty()).collect(),
            recent: HashMap::default(),
            recent_rows: 0,
            removed: 0,
        }
    }

    /// Of records with the same id the last one counts.
    pub fn build(records: Vec<Record>) -> Index {
        Index::build_with(Params::default(), records.iter())
    }

    /// Streams, so that a caller need not hold all records as text.
    pub fn build_with<R: std::borrow::Borrow<Record>>(
        params: Params,
        records: impl IntoIterator<Item = R>,
    ) -> Index {
        let mut index = Index::new(params);
        for record in records {
            index.add(record.borrow());
        }
        index.rebuild();
        index
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.rows.len() - self.removed
    }

    /// Whether no record is in the index; a removed one does not count.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the record is in the index now; a removed one is not.
    pub fn contains(&self, id: u128) -> bool {
        self.position(id).is_some()
    }

    /// Adds a record, or replaces the one with its id; says whether it was new.
    pub fn insert(&mut self, record: Record) -> bool {
        let known = self.len();
        let row = self.add(&record);
        let is_new = self.len() > known;
        for (rule, key) in keys(&Side::of_row(&self.rows[row as usize], &self.names)).iter() {
            self.recent.entry(recent_key(rule, key)).or_default().push(row);
        }
        self.recent_rows += 1;
        if self.recent_rows + self.removed > SLACK.max(self.rows.len() / 16) {
            self.rebuild();
        }
        is_new
    }

    /// Replaces the record with the same id; does nothing and says `false` if there is none.
    pub fn update(&mut self, record: Record) -> bool {
        let known = self.contains(record.id);
        if known {
            self.insert(record);
        }
        known
    }

    /// Takes a record out; says whether it was there.
    pub fn remove(&mut self, id: u128) -> bool {
        let Some(row) = self.position(id) else { return false };
        self.strike(row);
        true
    }

    /// The likeliest records for this one, best first and by id where equal; never the record with the same
    /// id.
    pub fn search(&self, record: &Record) -> Vec<Candidate> {
        self.search_by(&self.params, LEAST_WEIGHT, record)
    }

    /// As [`Index::search`], weighed by other parameters than the index's own, and returning less likely
    /// records too.
    pub fn search_by(&self, params: &Params, least_weight: f64, record: &Record) -> Vec<Candidate> {
        let query = Query::new(record, &self.names);
        let side = query.side();
        let model = self.model_by(params);
        let mut rows = Vec::with_capacity(64);
        for (rule, key) in keys(&side).iter() {
            self.collect_block(rule, key, &query.row, &mut rows);
        }
        rows.sort_unstable();
        rows.dedup();
        self.touch(&rows);
        let mut candidates: Vec<Candidate> = rows
            .into_iter()
            .map(|row| &self.rows[row as usize])
            .filter(|row| !row.is_removed() && row.id != record.id)
            .filter_map(|row| {
                let (weight, levels) = model.weigh(&side, &Side::of_row(row, &self.names));
                (weight >= least_weight || levels.pin == NumberLevel::Equal)
                    .then(|| Candidate::new(row.id, weight, levels))
            })
            .collect();
        candidates.sort_by(|a, b| {
            // The same PIN is never crowded out, however unlikely the rest.
            let pin = |c: &Candidate| c.levels.pin == NumberLevel::Equal;
            pin(b).cmp(&pin(a)).then(b.weight.total_cmp(&a.weight)).then(a.id.cmp(&b.id))
        });
        candidates.truncate(CANDIDATES);
        candidates.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.id.cmp(&b.id)));
        candidates
    }

    /// Why `record` and the register's record `id` have their weight; `None` if the register has no such
    /// record.
    pub fn explain(&self, record: &Record, id: u128) -> Option<Explanation> {
        self.explain_by(&self.params, record, id)
    }

    /// As [`Index::explain`], weighed by other parameters than the index's own.
    pub fn explain_by(&self, params: &Params, record: &Record, id: u128) -> Option<Explanation> {
        let row = &self.rows[self.position(id)? as usize];
        let query = Query::new(record, &self.names);
        Some(self.model_by(params).explain(&query.side(), &Side::of_row(row, &self.names)))
    }

    /// Bytes held, from the capacities of all tables.
    pub fn memory_bytes(&self) -> usize {
        let recent =
            self.recent.capacity() * 33 + self.recent.values().map(|v| v.capacity() * 4).sum::<usize>();
        self.rows.capacity() * size_of::<Row>()
            + self.names.bytes()
            + self.statistics.bytes()
            + self.ids.bytes()
            + self.sorted.iter().map(Postings::bytes).sum::<usize>()
            + recent
    }

    pub(crate) fn model_by<'a>(&'a self, params: &'a Params) -> Model<'a> {
        Model {
            params,
            statistics: &self.statistics,
            population: self.statistics.people(),
            index: Some(self),
        }
    }

    /// How many records have this number. Of more than a few the removed are not sorted out: it is no number.
    pub(crate) fn holders(&self, rule: usize, number: u64) -> usize {
        let key = number_key(number);
        let block = self.sorted[rule].block(key);
        let recent = self.recent.get(&recent_key(rule, key)).map_or(&[][..], Vec::as_slice);
        if block.len() + recent.len() > FEW_HOLDERS {
            return block.len() + recent.len();
        }
        let all = block.iter().map(|&entry| postings::row(entry)).chain(recent.iter().copied());
        all.filter(|&row| !self.rows[row as usize].is_removed()).count()
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn postings(&self) -> &[Postings] {
        &self.sorted
    }

    /// Whether all rows are in the sorted keys and none is removed.
    pub(crate) fn is_compact(&self) -> bool {
        self.recent_rows == 0 && self.removed == 0
    }

    pub(crate) fn compacted(&self) -> Index {
        let mut index = self.clone();
        index.rebuild();
        index
    }

    fn position(&self, id: u128) -> Option<u32> {
        self.ids
            .find(id_hash(id), |row| self.rows[row as usize].id == id)
            .filter(|&row| !self.rows[row as usize].is_removed())
    }

    /// Everything but the blocking keys.
    fn add(&mut self, record: &Record) -> u32 {
        if let Some(old) = self.position(record.id) {
            self.strike(old);
        }
        let at = u32::try_from(self.rows.len()).expect("an index holds fewer than 2^32 records");
        let row = Row::intern(record, &mut self.names);
        self.statistics.add(&row.facts, &self.names);
        self.rows.push(row);
        let rows = &self.rows;
        let is_it = |other: u32| rows[other as usize].id == record.id;
        self.ids.put(id_hash(record.id), at, is_it, |other| id_hash(rows[other as usize].id));
        at
    }

    fn strike(&mut self, row: u32) {
        let row = &mut self.rows[row as usize];
        self.statistics.take(&row.facts, &self.names);
        row.remove();
        self.removed += 1;
    }

    fn collect_block(&self, rule: usize, key: u32, query: &Row, rows: &mut Vec<u32>) {
        let block = self.sorted[rule].block(key);
        let recent = self.recent.get(&recent_key(rule, key)).map_or(&[][..], Vec::as_slice);
        let limit = match rule {
            PIN_RULE | CMND_RULE => BLOCK_LIMIT_NUMBER,
            _ => BLOCK_LIMIT_SEARCH,
        };
        if block.len() + recent.len() <= limit {
            let all = block.iter().map(|&entry| postings::row(entry)).chain(recent.iter().copied());
            rows.extend(all.filter(|&row| is_promising(rule, &query.facts, &self.rows[row as usize].facts)));
        }
    }

    /// Reads what comparing these rows will read, so that the waits for memory overlap.
    fn touch(&self, rows: &[u32]) {
        let ids: Vec<u32> = rows
            .iter()
            .flat_map(|&row| {
                let facts = &self.rows[row as usize].facts;
                [facts.name, facts.father, facts.mother]
            })
            .collect();
        std::hint::black_box(self.statistics.touch(ids.iter().copied()));
        std::hint::black_box(self.names.touch(ids.into_iter(), &mut Vec::with_capacity(3 * rows.len())));
    }

    /// Drops removed rows and sorts all keys anew.
    fn rebuild(&mut self) {
        if self.removed > 0 {
            self.rows.retain(|row| !row.is_removed());
            self.removed = 0;
            self.ids = Slots::with_capacity(self.rows.len());
            let rows = &self.rows;
            for (at, row) in rows.iter().enumerate() {
                self.ids.put(id_hash(row.id), at as u32, |_| false, |other| id_hash(rows[other as usize].id));
            }
        }
        self.recent = HashMap::default();
        self.recent_rows = 0;
        let (rows, names) = (&self.rows, &self.names);
        let all: Vec<Keys> = rows.par_iter().map(|row| keys(&Side::of_row(row, names))).collect();
        self.sorted = (0..RULES)
            .into_par_iter()
            .map(|rule| {
                let entries = all.iter().enumerate();
                Postings::build(
                    entries
                        .filter_map(|(row, keys)| Some(postings::entry(keys.get(rule)?, row as u32)))
                        .collect(),
                )
            })
            .collect();
    }
}

impl Candidate {
    fn new(id: u128, weight: f64, levels: Levels) -> Candidate {
        Candidate { id, weight, probability: probability(weight), caution: caution(&levels), levels }
    }
}

fn recent_key(rule: usize, key: u32) -> u64 {
    (rule as u64) << 32 | u64::from(key)
}

fn id_hash(id: u128) -> u64 {
    hash::mix(id as u64, (id >> 64) as u64)
}
