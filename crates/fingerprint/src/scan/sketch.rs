//! Sketches of edges: what the scan knows of a minutia's surroundings, in 128 bits.
//!
//! A minutia's edges to its nearest neighbours, the same as in [`crate::Prepared`] but a few more, are
//! quantised (length, bearing, direction) and hashed; each sets one bit. So the sketch is a Bloom filter of a
//! set of single edges: the bits that two sketches share estimate how many edges two minutiae have in common.
//! There is no grid of cells and no smoothing: a bit has no neighbours, and an edge that falls over a border
//! is lost, which other edges and other minutiae make up for.

use std::fmt;

use crate::angle;
use crate::descriptor::{Neighbours, Point};
use crate::params::sketch::*;

/// The best minutiae of one finger, word by word, so that one vector instruction meets eight minutiae.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Sketch {
    pub(super) words: [[u64; MOST]; 2],
    pub(super) len: usize,
}

/// Minutiae per finger that have sketches.
pub(crate) const MOST: usize = 32;

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sketch({} minutiae, redacted)", self.len)
    }
}

impl Sketch {
    /// `points` come best first.
    pub(crate) fn new(points: &[Point]) -> Self {
        let mut sketch = Self { words: [[0; MOST]; 2], len: points.len().min(MOST) };
        let neighbours = Neighbours::new(points);
        for (index, a) in points[..sketch.len].iter().enumerate() {
            for &to in neighbours.nearest(index, (NEAREST, RADIUS), EDGES).indices() {
                let bit = edge_bit(a, &points[usize::from(to)]);
                sketch.words[bit / 64][index] |= 1 << (bit % 64);
            }
        }
        sketch
    }
}

/// The bit of an edge, 0 to 127.
fn edge_bit(a: &Point, b: &Point) -> usize {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = ((dx * dx + dy * dy).sqrt() / LENGTH_BIN) as u32;
    let bearing = u32::from(angle::of_vector(dx, dy).wrapping_sub(a.angle)) / BEARING_BIN;
    let direction = u32::from(b.angle.wrapping_sub(a.angle)) / DIRECTION_BIN;
    // Knuth's multiplicative hash of the edge's number; its upper bits are well mixed.
    let number = length << 16 | bearing << 8 | direction;
    (number.wrapping_mul(0x9e37_79b1).rotate_left(15).wrapping_mul(0x85eb_ca6b) >> 25) as usize
}
