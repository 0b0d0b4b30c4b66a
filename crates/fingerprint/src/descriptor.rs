//! Edge k-plets: what the comparison knows about a minutia's surroundings.

use std::fmt;

use crate::lanes::LANES;
use crate::params::{
    EDGE_ANGLE_TOLERANCE, EDGE_COUNT, EDGE_MIN, EDGE_RADIUS, MAX_PREPARED, QUALITY_LEVELS, QUALITY_STEP,
};
use crate::{FingerPosition, Minutia, MinutiaKind, Template, angle};

/// A template made ready for comparison. Make it once and compare it often: preparing costs about as much as
/// a comparison.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) position: FingerPosition,
    pub(crate) points: Vec<Point>,
    pub(crate) edges: Box<Edges>,
    /// The corners of the convex hull, counter-clockwise.
    pub(crate) hull: Vec<u8>,
    /// How much each minutia counts, by its quality among this finger's; 1 on average.
    pub(crate) weights: Vec<f32>,
}

/// A minutia in comparison coordinates: y upwards.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) angle: u8,
    pub(crate) kind: MinutiaKind,
    /// Quarter of this finger's minutiae by quality, 3 for the best.
    pub(crate) level: u8,
    /// Index in the template it came from.
    pub(crate) source: u8,
}

/// One neighbour as seen from one minutia; free of the finger's place and rotation.
#[derive(Clone, Copy, Default)]
pub(crate) struct Edge {
    pub(crate) from: u8,
    /// Pixels.
    pub(crate) length: u8,
    /// Where the neighbour lies, relative to the minutia's direction.
    pub(crate) bearing: u8,
    /// The neighbour's direction relative to the minutia's.
    pub(crate) direction: u8,
}

/// Edges by ascending bearing, number by number, so that many are compared at once.
#[derive(Clone, PartialEq)]
pub(crate) struct Edges {
    len: usize,
    /// Edges `starts[b]..starts[b + 1]` are those of bearing b.
    starts: [u16; 257],
    pub(crate) from: [u8; ROOM],
    pub(crate) lengths: [u8; ROOM],
    pub(crate) bearings: [u8; ROOM],
    pub(crate) directions: [u8; ROOM],
}

/// All edges, and room to read a whole vector beyond the last.
const ROOM: usize = (MAX_PREPARED * EDGE_COUNT).next_multiple_of(64) + 64;

impl Edges {
    #[inline(always)]
    fn new(unsorted: &[Edge]) -> Box<Self> {
        let none = [0; ROOM];
        let mut edges = Box::new(Self {
            len: unsorted.len(),
            starts: [0; 257],
            from: none,
            lengths: none,
            bearings: none,
            directions: none,
        });
        let mut next = [0u16; 256];
        for edge in unsorted {
            next[usize::from(edge.bearing)] += 1;
        }
        let mut sum = 0;
        for (next, start) in next.iter_mut().zip(&mut edges.starts) {
            *start = sum;
            sum += std::mem::replace(next, sum);
        }
        edges.starts[256] = sum;
        for edge in unsorted {
            let next = &mut next[usize::from(edge.bearing)];
            let at = usize::from(*next);
            *next += 1;
            (edges.from[at], edges.lengths[at]) = (edge.from, edge.length);
            (edges.bearings[at], edges.directions[at]) = (edge.bearing, edge.direction);
        }
        edges
    }

    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Edge {
        let (length, bearing, direction) =
            (self.lengths[index], self.bearings[index], self.directions[index]);
        Edge { from: self.from[index], length, bearing, direction }
    }

    #[inline(always)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Edge> {
        (0..self.len).map(|index| self.get(index))
    }

    /// The runs of edges whose bearing is within tolerance: one, or two where the turn closes.
    #[inline(always)]
    pub(crate) fn windows(&self, bearing: u8) -> impl Iterator<Item = (usize, usize)> {
        let low = bearing.wrapping_sub(EDGE_ANGLE_TOLERANCE);
        let high = bearing.wrapping_add(EDGE_ANGLE_TOLERANCE);
        let start = |bearing: usize| usize::from(self.starts[bearing]);
        let (low, high) = (start(usize::from(low)), start(usize::from(high) + 1));
        let closed = bearing.checked_sub(EDGE_ANGLE_TOLERANCE).is_none()
            || bearing.checked_add(EDGE_ANGLE_TOLERANCE).is_none();
        let (first, second) = if closed { ((low, self.len), Some((0, high))) } else { ((low, high), None) };
        std::iter::once(first).chain(second)
    }

    /// Lengths and directions from `start` on, which is the place of an edge.
    #[inline(always)]
    pub(crate) fn block(&self, start: usize) -> [&[u8; LANES]; 2] {
        [block(&self.lengths, start), block(&self.directions, start)]
    }
}

#[inline(always)]
fn block(numbers: &[u8], start: usize) -> &[u8; LANES] {
    numbers[start..].first_chunk().expect("there is room for a block beyond the last")
}

impl Prepared {
    /// Keeps the best minutiae and describes each by its nearest neighbours. The order of the minutiae does
    /// not matter.
    pub fn new(template: &Template) -> Self {
        Self::from_points(template.position(), best_points(template))
    }

    /// How many minutiae take part in comparisons, at most 60.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether nothing can be compared: the template has no minutiae.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The finger that the template was filed under.
    pub fn position(&self) -> FingerPosition {
        self.position
    }

    pub(crate) fn from_points(position: FingerPosition, points: Vec<Point>) -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
            // SAFETY: the processor was asked for both kinds of instructions.
            return unsafe { Self::from_points_avx2(position, points) };
        }
        Self::from_points_portable(position, points)
    }

    /// The same steps in wider vectors, with the same result to the last bit.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1")]
    fn from_points_avx2(position: FingerPosition, points: Vec<Point>) -> Self {
        Self::from_points_portable(position, points)
    }

    #[inline(always)]
    fn from_points_portable(position: FingerPosition, points: Vec<Point>) -> Self {
        let edges = Edges::new(&edges(&points));
        let (hull, weights) = (hull(&points), weights(&points));
        Self { position, edges, hull, weights, points }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({:?}, {} minutiae, redacted)", self.position, self.points.len())
    }
}

/// The best minutiae, best first, in an order that depends on nothing but their values; the leftmost and the
/// topmost at zero, so that a shift of the whole finger changes no rounding.
pub(crate) fn best_points(template: &Template) -> Vec<Point> {
    let mut best: Vec<(u8, Minutia)> = template
        .minutiae()
        .iter()
        .enumerate()
        .map(|(index, &m)| (u8::try_from(index).unwrap_or(u8::MAX), m))
        .collect();
    best.sort_unstable_by_key(|&(_, m)| (std::cmp::Reverse(m.quality), m));
    best.truncate(MAX_PREPARED);
    let left = best.iter().map(|(_, m)| m.x).min().unwrap_or(0);
    let top = best.iter().map(|(_, m)| m.y).min().unwrap_or(0);
    let count = best.len();
    let mut points = Vec::with_capacity(count);
    for equal in best.chunk_by(|(_, a), (_, b)| a.quality == b.quality) {
        // Minutiae of equal quality share the middle of their ranks; extractors that report none put all into
        // one level.
        let worse_or_middle = 2 * (count - points.len()) - equal.len();
        let level = (worse_or_middle * QUALITY_LEVELS / (2 * count)).min(QUALITY_LEVELS - 1) as u8;
        points.extend(equal.iter().map(|&(source, m)| Point {
            x: f32::from(m.x - left),
            y: -f32::from(m.y - top),
            angle: m.angle,
            kind: m.kind,
            level,
            source,
        }));
    }
    points
}

fn weights(points: &[Point]) -> Vec<f32> {
    let raw = |p: &Point| 1.0 + QUALITY_STEP * (f32::from(p.level) - 0.5 * (QUALITY_LEVELS - 1) as f32);
    let mean = points.iter().map(raw).sum::<f32>() / points.len().max(1) as f32;
    points.iter().map(|p| raw(p) / mean).collect()
}

/// The convex hull by Andrew's chain, counter-clockwise.
fn hull(points: &[Point]) -> Vec<u8> {
    let mut order: Vec<u8> = (0..points.len() as u8).collect();
    let at = |index: u8| (points[usize::from(index)].x, points[usize::from(index)].y);
    order.sort_unstable_by(|&p, &q| {
        let ((px, py), (qx, qy)) = (at(p), at(q));
        px.total_cmp(&qx).then(py.total_cmp(&qy)).then(p.cmp(&q))
    });
    let mut hull: Vec<u8> = Vec::with_capacity(16);
    let mut chain = |order: &mut dyn Iterator<Item = u8>| {
        let start = hull.len();
        for next in order {
            while let [.., from, middle] = hull[start..] {
                let ((fx, fy), (mx, my), (nx, ny)) = (at(from), at(middle), at(next));
                if (mx - fx) * (ny - fy) - (my - fy) * (nx - fx) > 0.0 {
                    break;
                }
                hull.pop();
            }
            hull.push(next);
        }
        // The last one begins the other chain.
        if hull.len() > 1 {
            hull.pop();
        }
    };
    chain(&mut order.iter().copied());
    chain(&mut order.iter().rev().copied());
    hull
}

#[inline(always)]
fn edges(points: &[Point]) -> Vec<Edge> {
    const MOST: usize = MAX_PREPARED * EDGE_COUNT;
    let mut ends = [(0u8, 0u8); MOST];
    let (mut dx, mut dy) = ([0f32; MOST], [0f32; MOST]);
    let mut count = 0;
    let neighbours = Neighbours::new(points);
    for (from, a) in points.iter().enumerate() {
        for &to in neighbours.nearest(from, (EDGE_MIN, EDGE_RADIUS), EDGE_COUNT).indices() {
            let b = &points[usize::from(to)];
            ends[count] = (from as u8, to);
            (dx[count], dy[count]) = (b.x - a.x, b.y - a.y);
            count += 1;
        }
    }
    // All together, so that the compiler makes vectors of it.
    let (mut lengths, mut bearings) = ([0u8; MOST], [0u8; MOST]);
    for ((length, bearing), (dx, dy)) in lengths.iter_mut().zip(&mut bearings).zip(dx.into_iter().zip(dy)) {
        *length = ((dx * dx + dy * dy).sqrt() + 0.5) as i32 as u8;
        *bearing = angle::of_vector(dx, dy);
    }
    let edge = |((&(from, to), length), bearing): ((&(u8, u8), u8), u8)| {
        let own = points[usize::from(from)].angle;
        let direction = points[usize::from(to)].angle.wrapping_sub(own);
        Edge { from, length, bearing: bearing.wrapping_sub(own), direction }
    };
    ends[..count].iter().zip(lengths).zip(bearings).map(edge).collect()
}

/// The places of a finger's minutiae, to ask which are nearest to which.
pub(crate) struct Neighbours {
    len: usize,
    x: [f32; PLACES],
    y: [f32; PLACES],
}

/// Room for all minutiae of a finger in whole vectors.
const PLACES: usize = MAX_PREPARED.next_multiple_of(LANES);

/// What [`Neighbours::nearest`] found.
pub(crate) struct Nearest {
    len: usize,
    indices: [u8; PLACES],
}

impl Nearest {
    #[inline(always)]
    pub(crate) fn indices(&self) -> &[u8] {
        &self.indices[..self.len]
    }
}

impl Neighbours {
    #[inline(always)]
    pub(crate) fn new(points: &[Point]) -> Self {
        let mut neighbours = Self { len: points.len(), x: [0.0; PLACES], y: [0.0; PLACES] };
        for (index, point) in points.iter().enumerate() {
            (neighbours.x[index], neighbours.y[index]) = (point.x, point.y);
        }
        neighbours
    }

    /// At most `count` minutiae no nearer and no further than these distances, the nearest, in no particular
    /// order.
    #[inline(always)]
    pub(crate) fn nearest(&self, from: usize, (least, most): (f32, f32), count: usize) -> Nearest {
        let (x, y) = (self.x[from], self.y[from]);
        let mut keys = [i32::MAX; PLACES];
        for (to, (key, (px, py))) in keys.iter_mut().zip(self.x.iter().zip(&self.y)).enumerate() {
            let square = (px - x) * (px - x) + (py - y) * (py - y);
            // Distance first and the neighbour in the low bits, so that one integer ranks both.
            let own = ((square * 8.0) as i32) << 8 | to as i32;
            *key = if (square >= least * least) & (square <= most * most) { own } else { i32::MAX };
        }
        let mut near = [i32::MAX; PLACES];
        let mut found = 0;
        for &key in &keys[..self.len] {
            near[found] = key;
            found += usize::from(key != i32::MAX);
        }
        near[found..].fill(i32::MAX);
        let mut nearest = Nearest { len: 0, indices: [0; PLACES] };
        let blocks = &near.as_chunks::<LANES>().0[..found.div_ceil(LANES)];
        for &key in &near[..found] {
            // There are few: counting who is nearer takes less than sorting, and has no branches to guess.
            let mut nearer = [0i32; LANES];
            for block in blocks {
                nearer.iter_mut().zip(block).for_each(|(count, &other)| *count += i32::from(other < key));
            }
            nearest.indices[nearest.len] = key as u8;
            nearest.len += usize::from((nearer.iter().sum::<i32>() as usize) < count);
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f32, y: f32) -> Point {
        Point { x, y, angle: 0, kind: MinutiaKind::Other, level: 0, source: 0 }
    }

    #[test]
    fn wider_vectors_change_nothing() {
        use crate::synthetic::{Condition, Master};
        for seed in 0..20 {
            let master = Master::generate(seed, FingerPosition::LeftIndex);
            let points = best_points(&master.impression(seed, Condition::Unguided));
            let wide = Prepared::from_points(FingerPosition::LeftIndex, points.clone());
            let narrow = Prepared::from_points_portable(FingerPosition::LeftIndex, points);
            assert_eq!(wide.hull, narrow.hull);
            assert_eq!(wide.weights, narrow.weights);
            assert!(wide.edges == narrow.edges);
        }
    }

    #[test]
    fn hulls_go_round_the_outermost() {
        let square = [(0.0, 0.0), (5.0, 5.0), (10.0, 10.0), (0.0, 10.0), (5.0, 0.0), (10.0, 0.0)];
        let points: Vec<Point> = square.iter().map(|&(x, y)| point(x, y)).collect();
        assert_eq!(hull(&points), [0, 5, 2, 3]);
        let line: Vec<Point> = (0..4).map(|n| point(n as f32, n as f32)).collect();
        assert_eq!(hull(&line), [0, 3]);
        assert_eq!(hull(&[point(1.0, 1.0), point(1.0, 1.0), point(1.0, 1.0)]).len(), 2);
        assert_eq!(hull(&[]), []);
    }
}
