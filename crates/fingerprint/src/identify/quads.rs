//! Quadruples of minutiae as hash keys.
//!
//! Two minutiae 40 to 75 px apart are a base; two more that lie nearer to both ends than the ends to each other complete the
//! quadruple. Its key is the base's length, the places of the two others in the base's frame, the directions of
//! all four, and roughly how the base lies on the finger; each quantised into bins wider than the usual error. Of all
//! quadruples only those are filed whose key hashes low: both captures choose the same ones without knowing of each other.

use super::compact::CompactPerson;
use crate::descriptor::Point;
use crate::params::quads::*;
use crate::{FingerPosition, angle};

/// The hashed key of a quadruple.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Feature(pub(super) u64);

/// Keys of one person, with the buffers to compute them.
#[derive(Default)]
pub(super) struct Features {
    pub(super) keys: Vec<Feature>,
    inner: Vec<Inner>,
}

/// A minutia inside a base's lens, in the base's frame.
#[derive(Clone, Copy)]
struct Inner {
    index: u8,
    u: f32,
    v: f32,
}

impl Features {
    /// The keys under which an enrolled person is filed.
    pub(super) fn of_enrolled(&mut self, person: &CompactPerson) {
        self.compute(person, 0);
    }

    /// The keys to look up: those of the bins the quadruples fall in and of the bins they nearly fall in.
    pub(super) fn of_probe(&mut self, person: &CompactPerson) {
        self.compute(person, PROBE_FLIPS);
    }

    fn compute(&mut self, person: &CompactPerson, flips: usize) {
        self.keys.clear();
        for position in FingerPosition::ALL {
            let mut points = person.points(position);
            points.truncate(MAX_POINTS);
            self.finger(position, &points, flips);
        }
        // A person votes once per key, and keys in order of memory are looked up faster.
        self.keys.sort_unstable();
        self.keys.dedup();
    }

    fn finger(&mut self, position: FingerPosition, points: &[Point], flips: usize) {
        for (i, p) in points.iter().enumerate() {
            for (j, q) in points.iter().enumerate().skip(i + 1) {
                let (dx, dy) = (q.x - p.x, q.y - p.y);
                let square = dx * dx + dy * dy;
                if (BASE.0 * BASE.0..BASE.1 * BASE.1).contains(&square) {
                    self.base(position, points, (i, j), square, flips);
                }
            }
        }
    }

    fn base(
        &mut self,
        position: FingerPosition,
        points: &[Point],
        (i, j): (usize, usize),
        square: f32,
        flips: usize,
    ) {
        let (p, q) = (&points[i], &points[j]);
        let length = square.sqrt();
        let (ux, uy) = ((q.x - p.x) / length, (q.y - p.y) / length);
        self.inner.clear();
        for (index, c) in points.iter().enumerate() {
            let (px, py, qx, qy) = (c.x - p.x, c.y - p.y, c.x - q.x, c.y - q.y);
            let (to_p, to_q) = (px * px + py * py, qx * qx + qy * qy);
            if to_p < square && to_q < square && to_p > APART * APART && to_q > APART * APART {
                self.inner.push(Inner { index: index as u8, u: px * ux + py * uy, v: py * ux - px * uy });
            }
        }
        let turn = angle::of_vector(ux, uy);
        for first in 0..self.inner.len() {
            for second in first + 1..self.inner.len() {
                let (c, d) = (self.inner[first], self.inner[second]);
                let (du, dv) = (c.u - d.u, c.v - d.v);
                let between = du * du + dv * dv;
                if between < square && between > APART * APART {
                    let quad = Quad::new(points, (i, j), (c, d), length, turn);
                    quad.keys(position, flips, &mut self.keys);
                }
            }
        }
    }
}

/// A quadruple before quantisation: seven numbers in units of their bins, and three coarse directions.
struct Quad {
    scaled: [f32; 7],
    coarse: u64,
}

impl Quad {
    fn new(points: &[Point], (i, j): (usize, usize), (c, d): (Inner, Inner), length: f32, turn: u8) -> Self {
        // The end nearer to the two inner minutiae comes first.
        let swap = c.u + d.u > length;
        let (a, b, turn) = if swap { (j, i, turn.wrapping_add(128)) } else { (i, j, turn) };
        let reflect = |m: Inner| if swap { (length - m.u, -m.v) } else { (m.u, m.v) };
        let (mut c, mut d, mut ci, mut di) = (reflect(c), reflect(d), c.index, d.index);
        // Of the two inner ones, the one further to the left of the base comes first.
        if c.1 < d.1 {
            (c, d, ci, di) = (d, c, di, ci);
        }
        let own = points[a].angle;
        let relative = |k: usize| {
            // Neighbours point along the same ridges, forwards or backwards: bins are centred on both.
            u64::from(points[k].angle.wrapping_sub(own).wrapping_add(32) >> 6)
        };
        let scaled = [
            length / LENGTH_BIN,
            c.0 / PLACE_BIN + 16.0,
            c.1 / PLACE_BIN + 16.0,
            d.0 / PLACE_BIN + 16.0,
            d.1 / PLACE_BIN + 16.0,
            f32::from(own.wrapping_sub(turn)) / DIRECTION_BIN,
            f32::from(turn) / TURN_BIN,
        ];
        let coarse = relative(b) << 4 | relative(ci.into()) << 2 | relative(di.into());
        Self { scaled, coarse }
    }

    /// The key, and with `flips` numbers moved over the nearest bin border all combinations of those that are nearest to one.
    fn keys(&self, position: FingerPosition, flips: usize, keys: &mut Vec<Feature>) {
        let bins = self.scaled.map(|value| value as i32);
        let base = self.coarse | u64::from(position.code()) << 6;
        if flips == 0 {
            keep(base, &bins, keys);
            return;
        }
        let mut borders: [(f32, usize, i32); 7] = std::array::from_fn(|dim| {
            let inside = self.scaled[dim] - bins[dim] as f32;
            let (gap, step) = if inside < 0.5 { (inside, -1) } else { (1.0 - inside, 1) };
            (gap * FLIP_WEIGHT[dim], dim, step)
        });
        borders.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        for combination in 0..1usize << flips {
            let mut moved = bins;
            for (bit, &(_, dim, step)) in borders[..flips].iter().enumerate() {
                if combination >> bit & 1 == 1 {
                    moved[dim] = wrapped(dim, moved[dim] + step);
                }
            }
            keep(base, &moved, keys);
        }
    }
}

/// Directions come round again; lengths and places do not.
fn wrapped(dim: usize, bin: i32) -> i32 {
    match dim {
        5 => bin.rem_euclid((256.0 / DIRECTION_BIN) as i32),
        6 => bin.rem_euclid((256.0 / TURN_BIN) as i32),
        _ => bin,
    }
}

fn keep(base: u64, bins: &[i32; 7], keys: &mut Vec<Feature>) {
    let packed = bins.iter().fold(base, |packed, &bin| packed << 6 | (bin as u64 & 63));
    let hash = scramble(packed);
    // Selection looks at bits that neither the line nor the tag use much.
    if (hash >> 10 & 0xff) < KEEP_OF_256 {
        keys.push(Feature(hash));
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every input bit changes every output bit.
fn scramble(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
