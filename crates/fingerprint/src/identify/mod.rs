//! 1:N search over everyone enrolled.
//!
//! Stage 0 looks up triangles of minutiae in a hash index and counts votes per person; stage 1 looks at three fingers of the few
//! people with most votes, quickly; stage 2 compares all fingers of those that remain and fuses the scores.

mod compact;
mod index;
mod quick;
mod triangles;

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use compact::{CompactPerson, Store};
use index::Index;
use quick::Canvas;
use triangles::Features;

use crate::descriptor::{Point, Prepared};
use crate::params::quick as first_look;
use crate::params::{FEWEST_VOTES, MAX_CANDIDATES, MAX_PEOPLE, PERSON_THRESHOLD, STAGE1};
use crate::person::fuse;
use crate::verify::compare;
use crate::{Error, FingerPosition, Template, quality};

/// How a gallery is laid out and how eagerly it looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GalleryParams {
    /// Room reserved in the index; it grows by itself, but growing files everyone again.
    pub expected_people: usize,
    /// Votes a person needs to be compared at all.
    pub min_votes: u8,
    /// Fused score from which a person is a hit.
    pub threshold: f32,
}

impl Default for GalleryParams {
    fn default() -> Self {
        Self { expected_people: 1_000, min_votes: crate::params::MIN_VOTES, threshold: PERSON_THRESHOLD }
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
    /// Triangles of the probe that were looked up.
    pub lookups: usize,
    /// Votes given to people.
    pub votes: usize,
    /// People compared on at least one finger.
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
    /// Vote counters, lent to one search at a time so that each need not allocate its own.
    scratch: Mutex<Vec<Scratch>>,
}

#[derive(Default)]
struct Scratch {
    features: Features,
    votes: Vec<u8>,
}

impl Gallery {
    pub fn new(params: GalleryParams) -> Self {
        Self {
            params,
            index: Index::with_people(params.expected_people),
            store: Store::with_people(params.expected_people),
            rows: HashMap::with_capacity(params.expected_people),
            scratch: Mutex::new(Vec::new()),
        }
    }

    /// How many people are enrolled.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, id: u128) -> bool {
        self.rows.contains_key(&id)
    }

    /// Triangles in the index, all people together.
    pub fn indexed_triangles(&self) -> usize {
        self.index.len()
    }

    /// Bytes of heap in use for index, minutiae and identifiers.
    pub fn memory_bytes(&self) -> usize {
        let row_bytes = size_of::<(u128, u32)>() + 1;
        self.index.memory_bytes() + self.store.memory_bytes() + self.rows.capacity() * row_bytes * 8 / 7
    }

    /// Enrols a person. Templates of unknown position are left out; of two of one position the better one is kept.
    pub fn insert(&mut self, id: u128, templates: &[Template]) -> Result<(), Error> {
        if self.rows.contains_key(&id) {
            return Err(Error::AlreadyEnrolled);
        }
        if self.len() >= MAX_PEOPLE {
            return Err(Error::GalleryFull { limit: MAX_PEOPLE });
        }
        let person = CompactPerson::new(best_per_position(templates));
        let row = self.store.push(id, &person);
        self.rows.insert(id, row);
        let mut features = Features::default();
        file(&mut self.index, &mut features, &person, row);
        if self.index.is_crowded() {
            self.refile();
        }
        Ok(())
    }

    /// The enrolled people whose fingers match, best first; ties go to the smaller identifier.
    ///
    /// `exclude` leaves out the probe's own record when the probe is enrolled itself.
    pub fn search(&self, probe: &[Template], exclude: Option<u128>) -> Vec<Hit> {
        self.search_counting(probe, exclude).0
    }

    /// As [`Gallery::search`], with an account of the work.
    pub fn search_counting(&self, probe: &[Template], exclude: Option<u128>) -> (Vec<Hit>, SearchWork) {
        let mut work = SearchWork::default();
        let chosen = best_per_position(probe);
        let person = CompactPerson::new(chosen);
        let excluded = exclude.and_then(|id| self.rows.get(&id).copied());
        let candidates = self.candidates(&person, excluded, &mut work);
        let mut fingers = ProbeFingers {
            person: &person,
            enrolled: Vec::new(),
            canvases: [const { None }; 10],
            prepared: [const { None }; 10],
        };
        let mut hits: Vec<Hit> = candidates
            .iter()
            .filter_map(|&(row, votes)| self.examine(row, votes, &mut fingers, &mut work))
            .collect();
        hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        (hits, work)
    }

    /// Rows with enough votes, most votes first.
    fn candidates(
        &self,
        person: &CompactPerson,
        excluded: Option<u32>,
        work: &mut SearchWork,
    ) -> Vec<(u32, u8)> {
        let mut scratch = self.lend();
        let Scratch { features, votes } = &mut scratch;
        votes.clear();
        votes.resize(self.len(), 0);
        features.of_probe(person);
        work.lookups = features.keys.len();
        work.votes = self.index.vote(&features.keys, votes);
        // Half the fingers give half the votes, to the person and to chance.
        let fingers = FingerPosition::ALL.into_iter().filter(|&p| person.count(p) > 0).count();
        let least = (usize::from(self.params.min_votes) * fingers).div_ceil(10).max(FEWEST_VOTES);
        let least = least.min(255) as u8;
        // Lowered until there are enough to look at: chance deals unevenly, and a guess that is too high would lose people.
        let mut enough = votes_above_chance(work.votes, self.len()).max(least);
        let mut ranked = at_least(votes, enough);
        while ranked.len() < MAX_CANDIDATES && enough > least {
            enough = least.max(enough - 1 - enough / 16);
            ranked = at_least(votes, enough);
        }
        ranked.retain(|&(row, _)| Some(row) != excluded);
        work.candidates = ranked.len();
        ranked.sort_unstable_by_key(|&(row, votes)| (std::cmp::Reverse(votes), row));
        ranked.truncate(MAX_CANDIDATES);
        self.give_back(scratch);
        ranked
    }

    /// Compares the common fingers, those with most minutiae first, and gives up early when they look nothing alike.
    fn examine(
        &self,
        row: u32,
        votes: u8,
        probe: &mut ProbeFingers<'_>,
        work: &mut SearchWork,
    ) -> Option<Hit> {
        let mut common: Vec<(u8, FingerPosition)> = FingerPosition::ALL
            .into_iter()
            .map(|position| (self.store.count(row, position).min(probe.person.count(position)), position))
            .filter(|&(minutiae, _)| minutiae > 0)
            .collect();
        common.sort_unstable_by_key(|&(minutiae, position)| (std::cmp::Reverse(minutiae), position));
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
    pub fn votes_for(&self, probe: &[Template], id: u128) -> Option<u8> {
        let row = *self.rows.get(&id)?;
        let mut features = Features::default();
        features.of_probe(&CompactPerson::new(best_per_position(probe)));
        let mut votes = vec![0; self.len()];
        self.index.vote(&features.keys, &mut votes);
        Some(votes[row as usize])
    }

    /// Doubles the index and files everyone again from their compact minutiae.
    fn refile(&mut self) {
        self.index = Index::with_people(self.len() * 2);
        let mut features = Features::default();
        for row in 0..self.len() as u32 {
            let person = self.store.person(row);
            file(&mut self.index, &mut features, &person, row);
        }
    }

    fn lend(&self) -> Scratch {
        self.scratch.lock().ok().and_then(|mut pool| pool.pop()).unwrap_or_default()
    }

    fn give_back(&self, scratch: Scratch) {
        if let Ok(mut pool) = self.scratch.lock() {
            pool.push(scratch);
        }
    }
}

impl fmt::Debug for Gallery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gallery({} people, redacted)", self.len())
    }
}

/// The probe's fingers, prepared when first needed: most searches need none.
struct ProbeFingers<'a> {
    person: &'a CompactPerson,
    /// A buffer for the finger that is looked at.
    enrolled: Vec<Point>,
    canvases: [Option<Canvas>; 10],
    prepared: [Option<Prepared>; 10],
}

impl ProbeFingers<'_> {
    /// How well the enrolled finger in the buffer fits on the probe's.
    fn look(&mut self, position: FingerPosition) -> u32 {
        let person = self.person;
        let canvas = self.canvases[usize::from(position.code()) - 1]
            .get_or_insert_with(|| Canvas::new(person.points(position)));
        canvas.look(&self.enrolled)
    }

    fn prepared(&mut self, position: FingerPosition) -> &Prepared {
        let person = self.person;
        self.prepared[usize::from(position.code()) - 1]
            .get_or_insert_with(|| Prepared::from_points(position, person.points(position)))
    }
}

/// The votes that only [`MAX_CANDIDATES`] of so many people reach by chance, if chance deals votes to all alike (Poisson).
fn votes_above_chance(votes: usize, people: usize) -> u8 {
    let mean = votes as f64 / people.max(1) as f64;
    let mut exactly = (-mean).exp();
    let mut more = 1.0 - exactly;
    let mut enough = 1u8;
    while more * people as f64 > MAX_CANDIDATES as f64 && enough < 200 {
        exactly *= mean / f64::from(enough);
        more -= exactly;
        enough += 1;
    }
    enough
}

/// Rows with at least so many votes. Most blocks of rows hold none and are passed over at a glance.
fn at_least(votes: &[u8], enough: u8) -> Vec<(u32, u8)> {
    const BLOCK: usize = 64;
    let mut found = Vec::new();
    for (block, votes) in votes.chunks(BLOCK).enumerate() {
        if votes.iter().fold(0, |most, &count| most.max(count)) >= enough {
            let rows = votes.iter().enumerate().filter(|&(_, &count)| count >= enough);
            found.extend(rows.map(|(row, &count)| ((block * BLOCK + row) as u32, count)));
        }
    }
    found
}

fn file(index: &mut Index, features: &mut Features, person: &CompactPerson, row: u32) {
    features.of_enrolled(person);
    features.keys.iter().for_each(|&feature| index.insert(feature, row));
}

fn best_per_position(templates: &[Template]) -> [Option<&Template>; 10] {
    let mut best: [Option<&Template>; 10] = [None; 10];
    for template in templates.iter().filter(|t| t.position() != FingerPosition::Unknown) {
        let slot = &mut best[usize::from(template.position().code()) - 1];
        if slot.is_none_or(|held| quality(template) > quality(held)) {
            *slot = Some(template);
        }
    }
    best
}
