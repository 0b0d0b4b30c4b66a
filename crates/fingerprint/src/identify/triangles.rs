//! Triangles of minutiae as hash keys.
//!
//! Two minutiae of the middle of the finger are a base, a third one completes the triangle. Its key is the base's length and
//! direction on the finger, the place of the third in the base's frame, and the directions of all three; each quantised.
//! Of all triangles only those are filed whose key hashes low: both captures choose the same ones without knowing of
//! each other. The choice is made twice, first for the base, so that most bases end before any third is looked at.

use super::compact::CompactPerson;
use crate::descriptor::Point;
use crate::params::triangles::*;
use crate::{FingerPosition, angle};

/// The hashed key of a triangle: the upper half chooses the bucket, the lowest thirteen bits are the tag (see [`Feature::tag`]).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Feature(u64);

impl Feature {
    /// Uniform over all 64 bits, from the key alone.
    pub(super) fn bucket_hash(self) -> u64 {
        self.0 & !0xffff_ffff
    }

    /// From the lowest bit: the triangle's height on the finger (three bits), its turn (four), and six bits of hash.
    pub(super) fn tag(self) -> u32 {
        (self.0 & 0x1fff) as u32
    }
}

/// Keys of one person.
#[derive(Default)]
pub(super) struct Features {
    pub(super) keys: Vec<Feature>,
    points: Vec<Point>,
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
            person.points_into(position, &mut self.points);
            choose(&mut self.points);
            for a in 0..self.points.len() {
                for b in a + 1..self.points.len() {
                    base(&self.points, [a, b], position, side, &mut self.keys);
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Enrolled,
    Probe,
}

/// Keeps the best minutiae of the middle, which two captures share more often than those at the rim, and moves the origin to
/// their mean.
fn choose(points: &mut Vec<Point>) {
    let (x, y) = mean(points);
    points.retain(|p| (p.x - x).powi(2) + (p.y - y).powi(2) < MIDDLE * MIDDLE);
    points.truncate(MAX_POINTS);
    let (x, y) = mean(points);
    for point in points {
        point.x -= x;
        point.y -= y;
    }
}

fn mean(points: &[Point]) -> (f32, f32) {
    let share = 1.0 / points.len().max(1) as f32;
    points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.x * share, y + p.y * share))
}

/// The keys of all triangles on one base.
fn base(points: &[Point], [a, b]: [usize; 2], position: FingerPosition, side: Side, keys: &mut Vec<Feature>) {
    let (p, q) = (&points[a], &points[b]);
    let (dx, dy) = (q.x - p.x, q.y - p.y);
    let square = dx * dx + dy * dy;
    if !(BASE.0 * BASE.0..BASE.1 * BASE.1).contains(&square) {
        return;
    }
    let length = square.sqrt();
    let along = (dx / length, dy / length);
    let turn = i32::from(angle::of_vector(dx, dy));
    // The base points upwards; a probe takes one that lies nearly level both ways.
    let margin = if side == Side::Probe { UNSURE_LEVEL } else { 0 };
    for (from, to, along, turn) in
        [(p, q, along, turn), (q, p, (-along.0, -along.1), (turn + HALF_TURN) % (2 * HALF_TURN))]
    {
        let signed = if turn >= 2 * HALF_TURN - margin { turn - 2 * HALF_TURN } else { turn };
        if (-margin..HALF_TURN + margin).contains(&signed) {
            let base = Base { from, to, along, length, turn: signed.clamp(0, HALF_TURN - 1) as f32 };
            base.triangles(points, position, side, keys);
        }
    }
}

const HALF_TURN: i32 = 128;

struct Base<'a> {
    from: &'a Point,
    to: &'a Point,
    along: (f32, f32),
    length: f32,
    turn: f32,
}

impl Base<'_> {
    fn triangles(&self, points: &[Point], position: FingerPosition, side: Side, keys: &mut Vec<Feature>) {
        let (from, to) = (self.from, self.to);
        let own = f32::from(from.angle.wrapping_sub(self.turn as u8));
        let numbers = [
            Number::new(self.length / LENGTH_BIN, LENGTH_ERROR, None),
            Number::new(own / DIRECTION_BIN, DIRECTION_ERROR, Some((256.0 / DIRECTION_BIN) as i32)),
            Number::new(self.turn / TURN_BIN, TURN_ERROR, None),
            Number::new(relative(to, from), RELATIVE_ERROR, Some(4)),
        ];
        let mut heads = [(0u64, 0f32); 16];
        let mut count = 0;
        let doubt = if side == Side::Probe { FLIP_WITHIN } else { 0.0 };
        each_key(u64::from(position.code()), &numbers, doubt, |key, left| {
            let hash = scramble(key);
            heads[count] = (hash >> 20, left);
            count += usize::from((hash & 0xff) < KEEP_BASES_OF_256);
        });
        if count > 0 {
            self.thirds(points, &heads[..count], keys);
        }
    }

    fn thirds(&self, points: &[Point], heads: &[(u64, f32)], keys: &mut Vec<Feature>) {
        let (from, to) = (self.from, self.to);
        let (mx, my) = ((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
        let turn_cell = (self.turn as u64 >> 3) << 3;
        for c in points {
            let (cx, cy) = (c.x - mx, c.y - my);
            let u = cx * self.along.0 + cy * self.along.1;
            let v = cy * self.along.0 - cx * self.along.1;
            if u.abs() >= REACH || v.abs() >= REACH || std::ptr::eq(c, from) || std::ptr::eq(c, to) {
                continue;
            }
            let place = cell(my * 2.0 + c.y) | turn_cell;
            let numbers = [
                Number::new((u + 256.0) / PLACE_BIN, PLACE_ERROR, None),
                Number::new((v + 256.0) / PLACE_BIN, PLACE_ERROR, None),
                Number::new(relative(c, from), RELATIVE_ERROR, Some(4)),
            ];
            for &(head, doubt) in heads {
                each_key(head, &numbers, doubt, |key, _| {
                    let hash = scramble(key);
                    if (hash >> 16 & 0xff) < KEEP_OF_256 {
                        keys.push(Feature(hash & !0x7f | place));
                    }
                });
            }
        }
    }
}

/// Neighbours point along the same ridges, forwards or backwards: quarter turns centred on both, 0 to 4.
fn relative(p: &Point, from: &Point) -> f32 {
    f32::from(p.angle.wrapping_sub(from.angle).wrapping_add(32)) / 64.0
}

/// Three bits of place, from the sum of three coordinates.
fn cell(sum: f32) -> u64 {
    ((sum / 3.0 / FINGER_CELL + 4.0) as i32).clamp(0, 7) as u64
}

/// A quantised number: its bin, the neighbouring bin it lies nearer to, and how near, in usual errors.
struct Number {
    bin: u64,
    moved: u64,
    gap: f32,
}

impl Number {
    /// `error` is the usual error in bins, `round` the number of bins when they close to a circle.
    #[inline]
    fn new(value: f32, error: f32, round: Option<i32>) -> Self {
        let bin = value as i32;
        let inside = value - bin as f32;
        let (gap, step) = if inside < 0.5 { (inside, -1) } else { (1.0 - inside, 1) };
        let moved = round.map_or(bin + step, |bins| (bin + step).rem_euclid(bins));
        // Six bits per number: four after the finger's code, three after a 44-bit hash; none is lost.
        Self { bin: bin as u64 & 63, moved: moved as u64 & 63, gap: gap / error }
    }
}

/// Appends the numbers to a key: as they are, and with those moved over their borders whose gaps sum to less than `doubt`. Gives
/// each key with the doubt that is left.
#[inline]
fn each_key<const N: usize>(key: u64, numbers: &[Number; N], doubt: f32, mut take: impl FnMut(u64, f32)) {
    let mut near = 0u32;
    for (index, number) in numbers.iter().enumerate() {
        near |= u32::from(number.gap < doubt) << index;
    }
    let mut moved = near;
    loop {
        let mut left = doubt;
        let mut appended = key;
        for (index, number) in numbers.iter().enumerate() {
            let move_this = moved >> index & 1 == 1;
            appended = appended << 6 | if move_this { number.moved } else { number.bin };
            left -= if move_this { number.gap } else { 0.0 };
        }
        if left > 0.0 || moved == 0 {
            take(appended, left);
        }
        if moved == 0 {
            return;
        }
        moved = (moved - 1) & near;
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every input bit changes every output bit.
#[inline]
fn scramble(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
