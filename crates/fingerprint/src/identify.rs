//! 1:N search over everyone enrolled.
//!
//! Stage 0 looks up quadruples of minutiae in a hash index and counts votes per person; stage 1 looks at five
//! fingers of the few people with most votes, quickly; stage 2 compares all fingers of those that remain and
//! fuses the scores.

mod index;
mod probe;
mod quadruples;
mod quick;
mod shard;
mod snapshot;

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use rayon::prelude::*;

use crate::compact::{CompactPerson, Store};
use crate::descriptor::Prepared;
use crate::params::quick as first_look;
use crate::params::{
    FEW_CANDIDATES, FEW_FINGERS, MAX_CANDIDATES, MAX_PEOPLE, MIN_VOTES, PERSON_THRESHOLD, STAGE1,
};
use crate::person::fuse;
use crate::verify::compare;
use crate::{Error, FingerPosition, Template};
use index::{Index, Votes};
use probe::{ProbeFingers, best_per_position};
use quadruples::Features;

pub use probe::Probe;
pub use shard::{Shard, merge_hits};

/// People who are prepared before they are filed.
const INSERTED_TOGETHER: usize = 2_000;

/// How a gallery is laid out and how eagerly it looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GalleryParams {
    /// Room reserved in the index; it grows by itself, but growing files everyone again.
    pub expected_people: usize,
    /// Fused score from which a person is a hit.
    pub threshold: f32,
}

impl Default for GalleryParams {
    fn default() -> Self {
        Self { expected_people: 1_000, threshold: PERSON_THRESHOLD }
    }
}

/// Someone enrolled whose fingers match the probe's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub id: u128,
    /// Fused over all common fingers, on the scale of [`PERSON_THRESHOLD`].
    pub score: f32,
    /// Index votes, for those who tune the index.
    pub votes: u8,
}

/// What one search did, for measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchWork {
    /// Keys of the probe that were looked up.
    pub lookups: usize,
    /// Votes given to people.
    pub votes: usize,
    /// People with enough votes to be looked at, before only the best of them were.
    pub candidates: usize,
    /// Single-finger comparisons.
    pub comparisons: usize,
}

/// Everyone enrolled, kept in memory: an index and compact minutiae of up to ten fingers each.
pub struct Gallery {
    params: GalleryParams,
    index: Index,
    store: Store,
    rows: HashMap<u128, u32>,
    /// Rows of people with few fingers, whom ten-finger strangers outvote.
    few: Vec<u32>,
    /// Vote counters, lent to one search at a time so that each need not allocate its own.
    scratch: Mutex<Vec<Votes>>,
}

impl Gallery {
    /// A gallery of nobody.
    pub fn new(params: GalleryParams) -> Self {
        Self {
            params,
            index: Index::with_people(params.expected_people),
            store: Store::with_people(params.expected_people),
            rows: HashMap::with_capacity(params.expected_people),
            few: Vec::new(),
            scratch: Mutex::new(Vec::new()),
        }
    }

    /// How many people are enrolled.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether nobody is enrolled.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a person of this number is enrolled.
    pub fn contains(&self, id: u128) -> bool {
        self.rows.contains_key(&id)
    }

    /// Quadruples in the index, all people together.
    pub fn indexed_quadruples(&self) -> usize {
        self.index.len()
    }

    /// Bytes of heap in use for index, minutiae and identifiers.
    pub fn memory_bytes(&self) -> usize {
        let row_bytes = size_of::<(u128, u32)>() + 1;
        self.index.memory_bytes() + self.store.memory_bytes() + self.rows.capacity() * row_bytes * 8 / 7
    }

    /// Enrols a person. Templates of unknown position are left out; of two of one position the better one is
    /// kept.
    pub fn insert(&mut self, id: u128, templates: &[Template]) -> Result<(), Error> {
        let person = CompactPerson::new(best_per_position(templates));
        let features = Features::of_enrolled(&person);
        self.enrol(id, &person, &features)
    }

    /// Enrols a person whose probe was made before. Few tens of microseconds, most of it waiting for memory.
    pub fn insert_probe(&mut self, id: u128, probe: &Probe) -> Result<(), Error> {
        self.enrol(id, &probe.person, &probe.features)
    }

    /// Enrols many, prepared on all cores of the pool it is called in and filed in their order: a gallery's
    /// start. Whoever comes before the first that cannot be enrolled is.
    ///
    /// # Errors
    /// Those of [`Gallery::insert`].
    pub fn insert_all(&mut self, people: &[(u128, Vec<Template>)]) -> Result<(), Error> {
        for batch in people.chunks(INSERTED_TOGETHER) {
            let prepare = |(_, templates): &(u128, Vec<Template>)| {
                let person = CompactPerson::new(best_per_position(templates));
                let features = Features::of_enrolled(&person);
                (person, features)
            };
            let prepared: Vec<(CompactPerson, Features)> = batch.par_iter().map(prepare).collect();
            for ((id, _), (person, features)) in batch.iter().zip(&prepared) {
                self.enrol(*id, person, features)?;
            }
        }
        Ok(())
    }

    fn enrol(&mut self, id: u128, person: &CompactPerson, features: &Features) -> Result<(), Error> {
        if self.rows.contains_key(&id) {
            return Err(Error::AlreadyEnrolled);
        }
        if self.len() >= MAX_PEOPLE {
            return Err(Error::GalleryFull { limit: MAX_PEOPLE });
        }
        let row = self.store.push(id, person);
        self.rows.insert(id, row);
        if is_few(person) {
            self.few.push(row);
        }
        self.index.insert(features, row);
        if self.index.is_crowded() {
            self.refile();
        }
        Ok(())
    }

    /// The enrolled people whose fingers match, best first; ties go to the smaller identifier.
    ///
    /// `exclude` leaves out the probe's own record when the probe is enrolled itself.
    pub fn search(&self, probe: &[Template], exclude: Option<u128>) -> Vec<Hit> {
        self.search_probe(&Probe::new(probe), exclude)
    }

    /// As [`Gallery::search`], for a probe that was made before. Threads may search at the same time.
    pub fn search_probe(&self, probe: &Probe, exclude: Option<u128>) -> Vec<Hit> {
        self.search_counting(probe, exclude).0
    }

    /// As [`Gallery::search_probe`], with an account of the work.
    pub fn search_counting(&self, probe: &Probe, exclude: Option<u128>) -> (Vec<Hit>, SearchWork) {
        let mut work = SearchWork::default();
        let excluded = exclude.and_then(|id| self.rows.get(&id).copied());
        let candidates = self.candidates(probe, excluded, &mut work);
        let mut fingers = ProbeFingers::new(&probe.person);
        let mut hits: Vec<Hit> = candidates
            .iter()
            .filter_map(|&(row, votes)| self.examine(row, votes, &mut fingers, &mut work))
            .collect();
        hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        (hits, work)
    }

    /// Rows with enough votes, most votes first. Where either side has few fingers, votes are few too and
    /// strangers with more of them many: a probe with few fingers looks at everybody with a vote, and every
    /// probe at everybody enrolled with few.
    fn candidates(&self, probe: &Probe, excluded: Option<u32>, work: &mut SearchWork) -> Vec<(u32, u8)> {
        let mut votes = self.lend();
        votes.begin(self.len());
        let few = is_few(&probe.person);
        let (least, most) = if few { (1, FEW_CANDIDATES) } else { (MIN_VOTES, MAX_CANDIDATES) };
        for keys in [&probe.features.own, &probe.features.near] {
            work.lookups += keys.len();
            self.index.vote(keys, least, &mut votes);
        }
        work.votes = votes.given;
        work.candidates = votes.reached.len();
        let best = |rows: &mut dyn Iterator<Item = u32>, most: usize| {
            let counted = rows.filter(|&row| Some(row) != excluded);
            let mut ranked: Vec<(u32, u8)> = counted.map(|row| (row, votes.counts[row as usize])).collect();
            let order = |&(row, votes): &(u32, u8)| (std::cmp::Reverse(votes), row);
            if ranked.len() > most {
                ranked.select_nth_unstable_by_key(most, order);
                ranked.truncate(most);
            }
            ranked.sort_unstable_by_key(order);
            ranked
        };
        let mut ranked = best(&mut votes.reached.iter().copied(), most);
        if !few {
            let known: Vec<u32> = ranked.iter().map(|&(row, _)| row).collect();
            let others = self.few.iter().copied().filter(|row| !known.contains(row));
            ranked.extend(best(&mut { others }, FEW_CANDIDATES));
        }
        self.give_back(votes);
        ranked
    }

    /// Compares the common fingers, those with most minutiae first, and gives up early when they look nothing
    /// alike.
    fn examine(
        &self,
        row: u32,
        votes: u8,
        probe: &mut ProbeFingers<'_>,
        work: &mut SearchWork,
    ) -> Option<Hit> {
        let mut common = FingerPosition::ALL
            .map(|position| (self.store.count(row, position).min(probe.person.count(position)), position));
        common.sort_unstable_by_key(|&(minutiae, position)| (std::cmp::Reverse(minutiae), position));
        let common = &common[..common.partition_point(|&(minutiae, _)| minutiae > 0)];
        let mut fit = 0;
        for (&(_, position), least) in common.iter().zip(first_look::LEAST) {
            self.store.points_into(row, position, &mut probe.enrolled);
            fit += probe.look(position);
            if fit < least {
                return None;
            }
        }
        let mut scores = Vec::with_capacity(common.len());
        for (done, &(_, position)) in common.iter().enumerate() {
            if let Some(&(_, least)) = STAGE1.iter().find(|&&(fingers, _)| fingers == done)
                && fuse(scores.iter().copied()).score < least
            {
                return None;
            }
            work.comparisons += 1;
            let enrolled = Prepared::from_points(position, self.store.points(row, position));
            scores.push(compare(probe.prepared(position), &enrolled).score);
        }
        let score = fuse(scores.into_iter()).score;
        (score >= self.params.threshold).then(|| Hit { id: self.store.id(row), score, votes })
    }

    /// Votes the probe gives one enrolled person, whether or not they suffice; for those who tune the index.
    pub fn votes_for(&self, probe: &Probe, id: u128) -> Option<u8> {
        let row = *self.rows.get(&id)?;
        let mut votes = Votes::default();
        votes.begin(self.len());
        for keys in [&probe.features.own, &probe.features.near] {
            self.index.vote(keys, u8::MAX, &mut votes);
        }
        Some(votes.counts[row as usize])
    }

    /// Doubles the index and files everyone again from their compact minutiae.
    fn refile(&mut self) {
        self.index = Index::with_people(self.len() * 2);
        for row in 0..self.len() as u32 {
            self.index.insert(&Features::of_enrolled(&self.store.person(row)), row);
        }
    }

    fn lend(&self) -> Votes {
        self.scratch.lock().ok().and_then(|mut pool| pool.pop()).unwrap_or_default()
    }

    fn give_back(&self, votes: Votes) {
        if let Ok(mut pool) = self.scratch.lock() {
            pool.push(votes);
        }
    }
}

fn is_few(person: &CompactPerson) -> bool {
    (1..=FEW_FINGERS).contains(&person.fingers())
}

impl fmt::Debug for Gallery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gallery({} people, redacted)", self.len())
    }
}
