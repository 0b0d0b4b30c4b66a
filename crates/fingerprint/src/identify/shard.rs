//! A part of everyone, so that several processes hold them together.

use super::Hit;

/// Which of several galleries holds a person: equal ranges of the hashed identifier, because identifiers made
/// of the time of enrolment would fill one gallery after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// The part `index` of `count`, counted from 0; `None` if there is no such part.
    pub fn new(index: u32, count: u32) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Whether a person belongs in this part; each belongs in exactly one.
    pub fn holds(self, id: u128) -> bool {
        let hash = ((id as u64) ^ (id >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (hash * u64::from(self.count)) >> 32 == u64::from(self.index)
    }
}

/// The hits of all parts as one gallery would list them: best first, ties to the smaller identifier.
pub fn merge_hits(parts: impl IntoIterator<Item = Vec<Hit>>) -> Vec<Hit> {
    let mut hits: Vec<Hit> = parts.into_iter().flatten().collect();
    hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    hits
}
