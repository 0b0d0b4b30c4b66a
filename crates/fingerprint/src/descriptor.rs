//! Edge k-plets: what the comparison knows about a minutia's surroundings.

use std::fmt;

use crate::params::{EDGE_COUNT, EDGE_MIN, EDGE_RADIUS, MAX_PREPARED};
use crate::{FingerPosition, Minutia, MinutiaKind, Template, angle};

/// Bearings and directions are filed in 16 bins each, 22.5 degrees wide.
pub(crate) const BINS: usize = 16;

/// A template made ready for comparison. Make it once and compare it often: preparing costs about a fifth of a comparison.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) position: FingerPosition,
    pub(crate) points: Vec<Point>,
    /// Edges sorted by bin of (bearing, direction).
    pub(crate) edges: Vec<Edge>,
    /// `edges[starts[b]..starts[b + 1]]` are the edges of bin b.
    pub(crate) starts: Vec<u16>,
}

/// A minutia in comparison coordinates: y upwards.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) angle: u8,
    pub(crate) kind: MinutiaKind,
    /// Index in the template it came from.
    pub(crate) source: u8,
}

impl Point {
    pub(crate) fn new(source: u8, m: &Minutia) -> Self {
        Self { x: f32::from(m.x), y: -f32::from(m.y), angle: m.angle, kind: m.kind, source }
    }
}

/// One neighbour as seen from one minutia; free of the finger's place and rotation.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) from: u8,
    /// Pixels.
    pub(crate) length: u8,
    /// Where the neighbour lies, relative to the minutia's direction.
    pub(crate) bearing: u8,
    /// The neighbour's direction relative to the minutia's.
    pub(crate) direction: u8,
}

impl Prepared {
    /// Keeps the best minutiae and describes each by its nearest neighbours. The order of the minutiae does not matter.
    pub fn new(template: &Template) -> Self {
        let best = best_minutiae(template.minutiae());
        let points = best.iter().map(|&(source, m)| Point::new(source, &m)).collect();
        Self::from_points(template.position(), points)
    }

    /// How many minutiae take part in comparisons, at most 60.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub fn position(&self) -> FingerPosition {
        self.position
    }

    pub(crate) fn from_points(position: FingerPosition, points: Vec<Point>) -> Self {
        let unsorted = edges(&points);
        let mut starts = vec![0u16; BINS * BINS + 1];
        for edge in &unsorted {
            starts[edge.bin() + 1] += 1;
        }
        for bin in 0..BINS * BINS {
            starts[bin + 1] += starts[bin];
        }
        let mut next = starts.clone();
        let mut sorted = vec![Edge { from: 0, length: 0, bearing: 0, direction: 0 }; unsorted.len()];
        for edge in unsorted {
            let slot = &mut next[edge.bin()];
            sorted[usize::from(*slot)] = edge;
            *slot += 1;
        }
        Self { position, points, edges: sorted, starts }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({:?}, {} minutiae, redacted)", self.position, self.points.len())
    }
}

impl Edge {
    #[inline]
    pub(crate) fn bin(&self) -> usize {
        usize::from(self.bearing >> 4) * BINS + usize::from(self.direction >> 4)
    }
}

/// The best minutiae with their index in the template, in an order that depends on nothing but their values.
pub(crate) fn best_minutiae(minutiae: &[Minutia]) -> Vec<(u8, Minutia)> {
    let mut best: Vec<(u8, Minutia)> =
        minutiae.iter().enumerate().map(|(index, &m)| (u8::try_from(index).unwrap_or(u8::MAX), m)).collect();
    best.sort_unstable_by_key(|&(_, m)| (std::cmp::Reverse(m.quality), m));
    best.truncate(MAX_PREPARED);
    best
}

fn edges(points: &[Point]) -> Vec<Edge> {
    let mut edges = Vec::with_capacity(points.len() * EDGE_COUNT);
    let mut near: Vec<u32> = Vec::with_capacity(points.len());
    for (from, a) in points.iter().enumerate() {
        near.clear();
        for (to, b) in points.iter().enumerate() {
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            let square = dx * dx + dy * dy;
            if (EDGE_MIN * EDGE_MIN..=EDGE_RADIUS * EDGE_RADIUS).contains(&square) {
                // Distance first and the neighbour in the low bits, so that one integer sorts both.
                near.push((square * 8.0) as u32 * 256 + to as u32);
            }
        }
        if near.len() > EDGE_COUNT {
            near.select_nth_unstable(EDGE_COUNT - 1);
            near.truncate(EDGE_COUNT);
        }
        for &packed in &near {
            let b = points[(packed & 255) as usize];
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            edges.push(Edge {
                from: from as u8,
                length: (dx * dx + dy * dy).sqrt().round() as u8,
                bearing: angle::of_vector(dx, dy).wrapping_sub(a.angle),
                direction: b.angle.wrapping_sub(a.angle),
            });
        }
    }
    edges
}
