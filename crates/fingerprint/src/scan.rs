//! Exhaustive 1:N search: everybody is looked at, with any finger in any position and turned any way.
//!
//! Stage 0 compares sketches of minutiae ([`sketch`]) with every finger, about 0.2 µs each; stage 1 and 2
//! compare the fingers of the few whose sketches agree best, and fuse the scores. For many searches of ten
//! fingers use [`crate::Gallery`], which looks at next to nobody; this is for few fingers, unknown positions
//! and captures that are turned.

mod kernel;
mod sketch;

use std::collections::HashMap;
use std::fmt;

use rayon::prelude::*;

use crate::compact::{self, MINUTIA_BYTES};
use crate::descriptor::{Point, Prepared, best_points};
use crate::params::MAX_PEOPLE;
use crate::params::scan::*;
use crate::person::fuse_found_among;
use crate::verify::compare;
use crate::{Error, FingerPosition, Hit, Template};
use sketch::Sketch;

pub use kernel::Kernel;

/// Which of two people's fingers may be the same finger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// As the captures say; a finger of unknown position may be any.
    AsStated,
    /// Any finger may be any: hands swapped, fingers mixed up.
    Any,
}

/// What is looked for and how eagerly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanQuery {
    pub positions: Positions,
    /// Fused score from which a person is a hit; see [`crate::threshold_for`].
    pub threshold: f32,
    /// At most so many hits, best first.
    pub most: usize,
}

/// What one scan did, for measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanWork {
    /// Pairs of fingers whose sketches may have been compared, the whole or half of each.
    pub sketches: usize,
    /// People compared on at least one finger.
    pub candidates: usize,
    /// Single-finger comparisons.
    pub comparisons: usize,
}

/// People with any number of fingers, to be searched one by one.
pub struct Scan {
    kernel: Kernel,
    ids: Vec<u128>,
    rows: HashMap<u128, u32>,
    /// `fingers[starts[row]..starts[row + 1]]` are a person's.
    starts: Vec<u32>,
    fingers: Vec<Finger>,
    sketches: Vec<Sketch>,
    minutiae: Vec<u8>,
}

struct Finger {
    start: u64,
    count: u8,
    position: FingerPosition,
}

/// One of the probe's fingers.
struct ProbeFinger {
    position: FingerPosition,
    sketch: Sketch,
    prepared: Prepared,
    /// Mean and deviation of what strangers have in common with it.
    strangers: (f32, f32),
}

impl Default for Scan {
    fn default() -> Self {
        Self::new()
    }
}

impl Scan {
    /// Nobody, searched with the fastest instructions that the processor has.
    pub fn new() -> Self {
        Self::with_kernel(Kernel::detect())
    }

    /// With other instructions than the fastest, for tests and measurements.
    pub fn with_kernel(kernel: Kernel) -> Self {
        Self {
            kernel,
            ids: Vec::new(),
            rows: HashMap::new(),
            starts: vec![0],
            fingers: Vec::new(),
            sketches: Vec::new(),
            minutiae: Vec::new(),
        }
    }

    /// How many people are enrolled.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether nobody is enrolled.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Compares the sketches of every finger enrolled with one finger's and returns how many that were, for
    /// measurements.
    pub fn sketch_all(&self, finger: &Template) -> usize {
        let finger = ProbeFinger::new(finger);
        let common: u32 = self.sketches.iter().map(|sketch| self.kernel.common(&finger.sketch, sketch)).sum();
        std::hint::black_box(common);
        self.sketches.len()
    }

    /// Bytes of heap in use for sketches, minutiae and identifiers.
    pub fn memory_bytes(&self) -> usize {
        let row_bytes = size_of::<(u128, u32)>() + 1;
        self.sketches.capacity() * size_of::<Sketch>()
            + self.minutiae.capacity()
            + self.fingers.capacity() * size_of::<Finger>()
            + self.ids.capacity() * size_of::<u128>()
            + self.starts.capacity() * size_of::<u32>()
            + self.rows.capacity() * row_bytes * 8 / 7
    }

    /// Enrols a person with up to [`MOST_FINGERS`] captures of any position.
    ///
    /// # Errors
    /// An identifier that is enrolled; a full gallery; too many captures.
    pub fn insert(&mut self, id: u128, templates: &[Template]) -> Result<(), Error> {
        if self.rows.contains_key(&id) {
            return Err(Error::AlreadyEnrolled);
        }
        if self.len() >= MAX_PEOPLE {
            return Err(Error::GalleryFull { limit: MAX_PEOPLE });
        }
        check_count(templates)?;
        for template in templates {
            let start = self.minutiae.len();
            let count = compact::pack_finger(template, &mut self.minutiae);
            let points = compact::unpack_finger(&self.minutiae[start..]);
            self.sketches.push(Sketch::new(&points));
            self.fingers.push(Finger { start: start as u64, count, position: template.position() });
        }
        let row = u32::try_from(self.len()).expect("the limit of people is far below 2^32");
        self.rows.insert(id, row);
        self.ids.push(id);
        // Forty fingers of four million people are fewer than 2^32.
        self.starts.push(self.fingers.len() as u32);
        Ok(())
    }

    /// The enrolled people whose fingers match, best first; ties go to the smaller identifier. Runs on all
    /// cores of the pool it is called in; the result does not depend on their number.
    ///
    /// # Errors
    /// Too many captures.
    pub fn search(
        &self,
        probe: &[Template],
        exclude: Option<u128>,
        query: ScanQuery,
    ) -> Result<(Vec<Hit>, ScanWork), Error> {
        check_count(probe)?;
        let excluded = exclude.and_then(|id| self.rows.get(&id).copied());
        let mut fingers: Vec<ProbeFinger> =
            probe.iter().filter(|t| t.minutiae().len() >= 3).map(ProbeFinger::new).collect();
        if fingers.is_empty() || self.is_empty() {
            return Ok((Vec::new(), ScanWork::default()));
        }
        let candidates = self.candidates(&mut fingers, excluded, query.positions);
        let found: Vec<(Option<Hit>, usize)> =
            candidates.par_iter().map(|&row| self.examine(row, &fingers, &query)).collect();
        let work = ScanWork {
            sketches: self.fingers.len() * fingers.len(),
            candidates: candidates.len(),
            comparisons: found.iter().map(|&(_, comparisons)| comparisons).sum(),
        };
        let mut hits: Vec<Hit> = found.into_iter().filter_map(|(hit, _)| hit).collect();
        hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        hits.truncate(query.most);
        Ok((hits, work))
    }

    /// The people of whom some finger, of whatever position, agrees best with this one by its sketch: at most
    /// so many, best first, ties to the smaller row. A first look for whoever compares single fingers by
    /// themselves; of real fingers one in five of the same finger is not among the best hundredth.
    pub fn likeliest(&self, finger: &Template, most: usize) -> Vec<u128> {
        let sketch = Sketch::new(&best_points(finger));
        let common = |row: u32| {
            let fingers = self.fingers_of(row);
            fingers.map(|index| self.kernel.common(&sketch, &self.sketches[index])).max().unwrap_or(0)
        };
        let mut ranked: Vec<(std::cmp::Reverse<u32>, u32)> =
            (0..self.len() as u32).map(|row| (std::cmp::Reverse(common(row)), row)).collect();
        if ranked.len() > most {
            ranked.select_nth_unstable(most);
            ranked.truncate(most);
        }
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, row)| self.ids[row as usize]).collect()
    }

    /// Rows whose sketches agree best, best first. Where any of many fingers may be any there are so many
    /// pairs of fingers that half of each sketch has to choose whose whole sketches are looked at.
    fn candidates(&self, probe: &mut [ProbeFinger], excluded: Option<u32>, positions: Positions) -> Vec<u32> {
        let any = positions == Positions::Any;
        let everybody = || (0..self.len() as u32).into_par_iter().with_min_len(256);
        let keep = |share: f32| KEEP_LEAST.max((self.len() as f32 * share) as usize);
        let best = |ranked: &mut Vec<(f32, u32)>, keep: usize| {
            let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            if ranked.len() > keep {
                ranked.select_nth_unstable_by(keep, order);
                ranked.truncate(keep);
            }
            ranked.sort_unstable_by(order);
        };
        let mut rows: Option<Vec<u32>> = None;
        if any && probe.len() >= HALF_FINGERS {
            let half = |finger: &ProbeFinger, index: usize| {
                self.kernel.common_of_best(&finger.sketch, &self.sketches[index])
            };
            self.meet_strangers(probe, half);
            let agreement = |row: u32| (self.agreement(row, probe, positions, half), row);
            let mut ranked: Vec<(f32, u32)> = everybody().map(agreement).collect();
            best(&mut ranked, keep(KEEP_SHARE_HALF));
            rows = Some(ranked.into_iter().map(|(_, row)| row).collect());
        }
        let whole =
            |finger: &ProbeFinger, index: usize| self.kernel.common(&finger.sketch, &self.sketches[index]);
        self.meet_strangers(probe, whole);
        let probe = &*probe;
        let agreement = |row: u32| (self.agreement(row, probe, positions, whole), row);
        let known = |&(_, row): &(f32, u32)| Some(row) != excluded;
        let mut ranked: Vec<(f32, u32)> = match rows {
            Some(rows) => rows.into_par_iter().map(agreement).filter(known).collect(),
            None => everybody().map(agreement).filter(known).collect(),
        };
        best(&mut ranked, keep(if any { KEEP_SHARE_ANY } else { KEEP_SHARE }));
        ranked.into_iter().map(|(_, row)| row).collect()
    }

    /// Finds out what strangers have in common with each finger, from a sample of everybody's fingers.
    fn meet_strangers(&self, probe: &mut [ProbeFinger], common: impl Fn(&ProbeFinger, usize) -> u32) {
        let step = self.sketches.len().div_ceil(SAMPLE).max(1);
        for finger in probe {
            let (mut count, mut sum, mut squares) = (0f32, 0f32, 0f32);
            for index in (0..self.sketches.len()).step_by(step) {
                let common = common(finger, index) as f32;
                (count, sum, squares) = (count + 1.0, sum + common, squares + common * common);
            }
            let mean = sum / count.max(1.0);
            finger.strangers = (mean, (squares / count.max(1.0) - mean * mean).max(1.0).sqrt());
        }
    }

    /// How far a person's fingers agree with the probe's beyond what strangers' do.
    #[inline]
    fn agreement(
        &self,
        row: u32,
        probe: &[ProbeFinger],
        positions: Positions,
        common: impl Fn(&ProbeFinger, usize) -> u32,
    ) -> f32 {
        let (mut sum, mut fingers) = (0.0, 0u8);
        for finger in probe {
            let (mut most, mut among) = (0, 0u8);
            for index in self.fingers_of(row) {
                if may_be_one(finger.position, self.fingers[index].position, positions) {
                    most = most.max(common(finger, index));
                    among += 1;
                }
            }
            if among > 0 {
                let (mean, deviation) = finger.strangers;
                sum += (most as f32 - mean) / deviation - expected_greatest(among);
                fingers += 1;
            }
        }
        sum / f32::from(fingers.max(1)).sqrt()
    }

    /// Compares a person's fingers, those that agree best by their sketches first, and gives up early.
    fn examine(&self, row: u32, probe: &[ProbeFinger], query: &ScanQuery) -> (Option<Hit>, usize) {
        let pairs = self.pairs(row, probe, query.positions);
        let fuse = |scores: &[(f32, u8)]| fuse_found_among(scores.iter().copied()).score;
        let mut scores: Vec<(f32, u8)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            if let Some(&(_, least)) = GIVE_UP.iter().find(|&&(fingers, _)| fingers == scores.len())
                && fuse(&scores) < least
            {
                return (None, scores.len());
            }
            let finger = &self.fingers[pair.enrolled];
            let enrolled = Prepared::from_points(finger.position, self.points(finger));
            scores.push((compare(&probe[pair.probe].prepared, &enrolled).score, pair.among));
        }
        let score = fuse(&scores);
        let hit = (score >= query.threshold).then(|| Hit { id: self.ids[row as usize], score, votes: 0 });
        (hit, scores.len())
    }

    /// Which finger is taken for which: each at most once, those that agree best by their sketches first.
    fn pairs(&self, row: u32, probe: &[ProbeFinger], positions: Positions) -> Vec<FingerPair> {
        let mut all = Vec::new();
        for (index, finger) in probe.iter().enumerate() {
            let range = self.fingers_of(row);
            let fits =
                |enrolled: &usize| may_be_one(finger.position, self.fingers[*enrolled].position, positions);
            let among = range.clone().filter(fits).count() as u8;
            for enrolled in range.filter(fits) {
                let common = self.kernel.common(&finger.sketch, &self.sketches[enrolled]);
                let (mean, deviation) = finger.strangers;
                all.push(FingerPair {
                    agreement: (common as f32 - mean) / deviation,
                    probe: index,
                    enrolled,
                    among,
                });
            }
        }
        all.sort_unstable_by(|a, b| {
            b.agreement.total_cmp(&a.agreement).then((a.probe, a.enrolled).cmp(&(b.probe, b.enrolled)))
        });
        let mut chosen: Vec<FingerPair> = Vec::new();
        for pair in all {
            if chosen.iter().all(|c| c.probe != pair.probe && c.enrolled != pair.enrolled) {
                chosen.push(pair);
            }
        }
        chosen
    }

    fn fingers_of(&self, row: u32) -> std::ops::Range<usize> {
        self.starts[row as usize] as usize..self.starts[row as usize + 1] as usize
    }

    fn points(&self, finger: &Finger) -> Vec<Point> {
        let start = finger.start as usize;
        compact::unpack_finger(&self.minutiae[start..start + usize::from(finger.count) * MINUTIA_BYTES])
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scan({} people, {:?}, redacted)", self.len(), self.kernel)
    }
}

struct FingerPair {
    agreement: f32,
    probe: usize,
    enrolled: usize,
    /// Of how many enrolled fingers this one was chosen.
    among: u8,
}

impl ProbeFinger {
    fn new(template: &Template) -> Self {
        let points = best_points(template);
        Self {
            position: template.position(),
            sketch: Sketch::new(&points),
            prepared: Prepared::from_points(template.position(), points),
            strangers: (0.0, 1.0),
        }
    }
}

fn check_count(templates: &[Template]) -> Result<(), Error> {
    if templates.len() <= MOST_FINGERS {
        return Ok(());
    }
    let value = u32::try_from(templates.len()).unwrap_or(u32::MAX);
    Err(Error::InvalidTemplate { what: "number of captures", value, low: 0, high: MOST_FINGERS as u32 })
}

fn may_be_one(a: FingerPosition, b: FingerPosition, positions: Positions) -> bool {
    let unknown = FingerPosition::Unknown;
    positions == Positions::Any || a == b || a == unknown || b == unknown
}

/// How many deviations the greatest of so many draws lies above the mean, roughly, for the normal
/// distribution.
fn expected_greatest(of: u8) -> f32 {
    GREATEST_SLOPE * (2.0 * f32::from(of.max(1)).ln()).sqrt()
}
