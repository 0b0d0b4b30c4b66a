//! Whole files: all pairs of one, or between two, that may be one person.
//!
//! Where the resident [`Index`](crate::Index) answers one question at a time with shipped parameters, a file
//! is looked at as a whole: frequencies are conditional, rates are learnt from the file itself, and places
//! are any text.

mod block;
mod candidates;
mod cluster;
mod evidence;
mod explain;
mod frequencies;
mod learn;
mod look;
mod places;
mod register;
mod scatter;
mod trained;

use rayon::prelude::*;

use crate::model::probability;

pub use block::{Block, Texts};
pub use cluster::clusters;
pub use register::{Collector, Register};
pub use trained::{ClassRates, Trained};

const PAIRS_PER_TASK: usize = 4096;

/// Two records of a register that may be one person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowPair {
    /// Rows, the smaller first: of two files, the first file's.
    pub left: u32,
    pub right: u32,
    /// log₂ of the odds of being one person.
    pub weight: f64,
    pub probability: f64,
}

/// The pairs of a register that share a blocking key, ready to be learnt from and weighed.
#[derive(Clone, Debug)]
pub struct Linker<'a> {
    register: &'a Register,
    candidates: Vec<u64>,
}

impl<'a> Linker<'a> {
    /// Finds the pairs that share a blocking key; this is where the time goes before anything is weighed.
    pub fn new(register: &'a Register) -> Linker<'a> {
        Linker { register, candidates: candidates::candidates(register) }
    }

    /// Number of pairs that will be weighed.
    pub fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// Rates learnt from the register without labels, beginning at `start`.
    pub fn learn(&self, start: &Trained) -> Trained {
        learn::learn(self.register, &self.candidates, start)
    }

    /// The pairs of at least `min_probability`, by rows.
    pub fn pairs(&self, trained: &Trained, min_probability: f64) -> Vec<RowPair> {
        let prior = trained.prior(self.register.len() as f64, self.register.pairs_in_question());
        let weigh = |pairs: &[u64]| {
            let rows: Vec<(u32, u32)> = pairs.iter().map(|&pair| candidates::rows(pair)).collect();
            let weights = self
                .register
                .each(&rows, |a, b| learn::pair_weight(self.register, trained, prior, min_probability, a, b));
            let likely = rows.into_iter().zip(weights).filter_map(|((left, right), weight)| {
                let (weight, probability) = (weight?, probability(weight?));
                (probability >= min_probability).then_some(RowPair { left, right, weight, probability })
            });
            likely.collect::<Vec<RowPair>>()
        };
        self.candidates.par_chunks(PAIRS_PER_TASK).flat_map_iter(weigh).collect()
    }
}
