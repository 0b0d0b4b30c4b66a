//! Triangles of minutiae as hash keys.
//!
//! Two minutiae 50 to 100 px apart are a base; a third that lies nearer to both ends than the ends to each other completes the
//! triangle. Its key is the base's length, the place of the third in the base's frame, the directions of all three, and
//! roughly how the base lies on the finger; each quantised into bins wider than the usual error. Of all triangles only those
//! are filed whose key hashes low: both captures choose the same ones without knowing of each other.

use super::compact::CompactPerson;
use crate::descriptor::Point;
use crate::params::triangles::*;
use crate::{FingerPosition, angle};

/// The hashed key of a triangle, with its place on the finger in the lowest eight bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Feature(pub(super) u64);

/// Keys of one person, with the buffers to compute them.
#[derive(Default)]
pub(super) struct Features {
    pub(super) keys: Vec<Feature>,
}

impl Features {
    /// The keys under which an enrolled person is filed.
    pub(super) fn of_enrolled(&mut self, person: &CompactPerson) {
        self.compute(person, Side::Enrolled);
    }

    /// The keys to look up: those of the bins the triangles fall in and of the bins they nearly fall in.
    pub(super) fn of_probe(&mut self, person: &CompactPerson) {
        self.compute(person, Side::Probe);
    }

    fn compute(&mut self, person: &CompactPerson, side: Side) {
        self.keys.clear();
        for position in FingerPosition::ALL {
            let mut points = person.points(position);
            points.truncate(MAX_POINTS);
            centre(&mut points);
            self.finger(position, &points, side);
        }
        // A person votes once per key, and keys in order of memory are looked up faster.
        self.keys.sort_unstable();
        self.keys.dedup();
    }

    fn finger(&mut self, position: FingerPosition, points: &[Point], side: Side) {
        for (i, p) in points.iter().enumerate() {
            for q in &points[i + 1..] {
                let (dx, dy) = (q.x - p.x, q.y - p.y);
                let square = dx * dx + dy * dy;
                if (BASE.0 * BASE.0..BASE.1 * BASE.1).contains(&square) {
                    self.base(position, points, [p, q], square, side);
                }
            }
        }
    }

    fn base(
        &mut self,
        position: FingerPosition,
        points: &[Point],
        [p, q]: [&Point; 2],
        square: f32,
        side: Side,
    ) {
        let length = square.sqrt();
        let (ux, uy) = ((q.x - p.x) / length, (q.y - p.y) / length);
        let turn = angle::of_vector(ux, uy);
        for c in points {
            let (px, py, qx, qy) = (c.x - p.x, c.y - p.y, c.x - q.x, c.y - q.y);
            let (to_p, to_q) = (px * px + py * py, qx * qx + qy * qy);
            if to_p >= square || to_q >= square || to_p < APART * APART || to_q < APART * APART {
                continue;
            }
            let (u, v) = (px * ux + py * uy, py * ux - px * uy);
            // The end nearer to the third minutia comes first; a probe tries both ends when that is not sure.
            let forward = Triangle::new([p, q, c], length, u, v, turn);
            let backward = || Triangle::new([q, p, c], length, length - u, -v, turn.wrapping_add(128));
            let lean = u - length / 2.0;
            let unsure = side == Side::Probe && lean.abs() < UNSURE_LEAN;
            if lean <= 0.0 || unsure {
                forward.keys(position, side, &mut self.keys);
            }
            if lean > 0.0 || unsure {
                backward().keys(position, side, &mut self.keys);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Enrolled,
    Probe,
}

/// A triangle before quantisation: five numbers in units of their bins, and two coarse directions.
struct Triangle {
    scaled: [f32; 5],
    coarse: u64,
    place: u64,
}

impl Triangle {
    fn new([a, b, c]: [&Point; 3], length: f32, u: f32, v: f32, turn: u8) -> Self {
        // Neighbours point along the same ridges, forwards or backwards: bins are centred on both.
        let relative = |p: &Point| u64::from(p.angle.wrapping_sub(a.angle).wrapping_add(32) >> 6);
        let own = a.angle.wrapping_sub(turn);
        let scaled = [
            length / LENGTH_BIN,
            u / PLACE_BIN + 16.0,
            v / PLACE_BIN + 16.0,
            f32::from(own) / DIRECTION_BIN,
            f32::from(turn) / TURN_BIN,
        ];
        let cell = |at: f32| ((at / 3.0 / FINGER_CELL + 8.0) as i32).clamp(0, 15) as u64;
        let place = cell(a.x + b.x + c.x) | cell(a.y + b.y + c.y) << 4;
        Self { scaled, coarse: relative(b) << 2 | relative(c), place }
    }

    /// The key; for a probe also the keys with the numbers nearest to a border moved over it, in all combinations.
    fn keys(&self, position: FingerPosition, side: Side, keys: &mut Vec<Feature>) {
        let bins = self.scaled.map(|value| value as i32);
        let base = self.coarse | u64::from(position.code()) << 4;
        self.keep(base, &bins, keys);
        if side == Side::Enrolled {
            return;
        }
        let borders: [(f32, i32); 5] = std::array::from_fn(|dim| {
            let inside = self.scaled[dim] - bins[dim] as f32;
            let (gap, step) = if inside < 0.5 { (inside, -1) } else { (1.0 - inside, 1) };
            (gap * ERRORS_PER_BIN[dim], step)
        });
        let flipped = |mut bins: [i32; 5], dim: usize| {
            bins[dim] = wrapped(dim, bins[dim] + borders[dim].1);
            bins
        };
        for first in (0..5).filter(|&dim| borders[dim].0 < FLIP_WITHIN) {
            let moved = flipped(bins, first);
            self.keep(base, &moved, keys);
            for second in (first + 1..5).filter(|&dim| borders[first].0 + borders[dim].0 < FLIP_WITHIN) {
                self.keep(base, &flipped(moved, second), keys);
            }
        }
    }

    fn keep(&self, base: u64, bins: &[i32; 5], keys: &mut Vec<Feature>) {
        let packed = bins.iter().fold(base, |packed, &bin| packed << 6 | (bin as u64 & 63));
        let hash = scramble(packed);
        // Selection looks at bits that neither the line nor the tag use much.
        if (hash >> 10 & 0xff) < KEEP_OF_256 {
            keys.push(Feature(hash & !0xff | self.place));
        }
    }
}

/// Moves the origin to the mean of the minutiae, which two captures of a finger share better than any corner.
fn centre(points: &mut [Point]) {
    let count = points.len().max(1) as f32;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.x / count, y + p.y / count));
    for point in points {
        point.x -= x;
        point.y -= y;
    }
}

/// Directions come round again; lengths and places do not.
fn wrapped(dim: usize, bin: i32) -> i32 {
    match dim {
        3 => bin.rem_euclid((256.0 / DIRECTION_BIN) as i32),
        4 => bin.rem_euclid((256.0 / TURN_BIN) as i32),
        _ => bin,
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every input bit changes every output bit.
fn scramble(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
