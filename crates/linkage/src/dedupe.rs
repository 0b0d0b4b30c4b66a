//! All pairs of one register that may be one person.

use rayon::prelude::*;

use crate::compare::Side;
use crate::index::{BLOCK_LIMIT_DEDUPE, Index};
use crate::keys::is_promising;
use crate::level::Levels;
use crate::model::probability;
use crate::params::Params;
use crate::postings;
use crate::record::Record;

const BLOCKS_PER_TASK: usize = 4096;

/// Two records that may be one person; `a` is the smaller id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    pub a: u128,
    pub b: u128,
    pub weight: f64,
    pub probability: f64,
}

/// The pairs, and what was left out to stay clear of quadratic cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Dedupe {
    /// Likeliest first, then by ids.
    pub pairs: Vec<Pair>,
    /// Pairs weighed; one that shares several keys counts several times.
    pub compared: u64,
    /// Blocks of more than `BLOCK_LIMIT_DEDUPE` records, whose pairs are found only through other rules.
    pub skipped_blocks: u64,
    pub skipped_entries: u64,
}

/// Pairs of different ids with at least `min_probability`. Of records with the same id the last one counts.
pub fn dedupe(records: &[Record], min_probability: f64) -> Vec<Pair> {
    Index::build_with(Params::for_dedupe(), records).dedupe(min_probability).pairs
}

impl Index {
    /// Pairs within the register with at least `min_probability`, by the index's own parameters: build it
    /// with `Params::for_dedupe`. Walks the sorted keys rule by rule: n log n as long as blocks are bounded.
    pub fn dedupe(&self, min_probability: f64) -> Dedupe {
        let least = (min_probability / (1.0 - min_probability)).log2();
        self.dedupe_by(&self.params, |_| least)
    }

    /// As [`Index::dedupe`], weighed by other parameters than the index's own; `least` says how many bits a
    /// pair must have whose fields agree like this.
    pub fn dedupe_by(&self, params: &Params, least: impl Fn(&Levels) -> f64 + Sync) -> Dedupe {
        let compact;
        let index = if self.is_compact() {
            self
        } else {
            compact = self.compacted();
            &compact
        };
        let mut parts: Vec<Dedupe> = Vec::new();
        for (rule, postings) in index.postings().iter().enumerate() {
            let blocks: Vec<&[u64]> = postings.blocks().filter(|block| block.len() > 1).collect();
            let chunks = blocks.par_chunks(BLOCKS_PER_TASK);
            parts.par_extend(chunks.map(|blocks| index.walk(params, rule, blocks, &least)));
        }
        let mut pairs: Vec<Pair> =
            parts.iter_mut().flat_map(|part| std::mem::take(&mut part.pairs)).collect();
        pairs.par_sort_unstable_by_key(|pair| (pair.a, pair.b));
        pairs.dedup_by_key(|pair| (pair.a, pair.b));
        pairs.par_sort_by(|x, y| y.weight.total_cmp(&x.weight).then((x.a, x.b).cmp(&(y.a, y.b))));
        Dedupe {
            pairs,
            compared: parts.iter().map(|part| part.compared).sum(),
            skipped_blocks: parts.iter().map(|part| part.skipped_blocks).sum(),
            skipped_entries: parts.iter().map(|part| part.skipped_entries).sum(),
        }
    }

    fn walk(
        &self,
        params: &Params,
        rule: usize,
        blocks: &[&[u64]],
        least: &impl Fn(&Levels) -> f64,
    ) -> Dedupe {
        let mut found = Dedupe { pairs: Vec::new(), compared: 0, skipped_blocks: 0, skipped_entries: 0 };
        let model = self.model_by(params);
        let mut sides = Vec::with_capacity(BLOCK_LIMIT_DEDUPE);
        for block in blocks {
            if block.len() > BLOCK_LIMIT_DEDUPE {
                found.skipped_blocks += 1;
                found.skipped_entries += block.len() as u64;
                continue;
            }
            sides.clear();
            let rows = block.iter().map(|&entry| &self.rows()[postings::row(entry) as usize]);
            sides.extend(rows.map(|row| (row.id, Side::of_row(row, self.names()))));
            for (at, (x_id, x)) in sides.iter().enumerate() {
                for (y_id, y) in sides[at + 1..].iter().filter(|(_, y)| is_promising(rule, x.facts, y.facts))
                {
                    found.compared += 1;
                    let (weight, levels) = model.weigh(x, y);
                    if weight >= least(&levels) {
                        let probability = probability(weight);
                        let (a, b) = (*x_id.min(y_id), *x_id.max(y_id));
                        found.pairs.push(Pair { a, b, weight, probability });
                    }
                }
            }
        }
        found
    }
}
