//! Quadruples of minutiae as hash keys.
//!
//! Two minutiae of the middle of the finger are a base, and two further ones complete the quadruple. Its key
//! is the base's length and direction on the finger, the places of the other two in the base's frame, and the
//! directions of all; each quantised coarsely, because four minutiae that agree coarsely are rarer among
//! strangers than three that agree finely. Of all quadruples only those are filed whose key hashes low: both
//! captures choose the same ones without knowing of each other. The choice is made twice, first for the base,
//! so that most bases end before any other minutia is looked at.

use crate::compact::CompactPerson;
use crate::descriptor::Point;
use crate::lanes::{self, LANES};
use crate::params::quadruples::*;
use crate::{FingerPosition, angle};

/// The hashed key of a quadruple: the upper half chooses the bucket, the lowest ten bits are the tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Feature(u64);

impl Feature {
    /// Uniform over the upper 32 bits, from the key alone.
    pub(super) fn bucket_hash(self) -> u64 {
        self.0 >> 32
    }

    /// Ten more bits of the hash.
    pub(super) fn tag(self) -> u32 {
        (self.0 & 0x3ff) as u32
    }
}

/// Keys of one person.
#[derive(Clone, Default)]
pub(super) struct Features {
    /// The bins that the quadruples fall in: what an enrolled person is filed under, and the first that a
    /// probe looks up.
    pub(super) own: Vec<Feature>,
    /// The bins that they nearly fall in, which a probe looks up as well.
    pub(super) near: Vec<Feature>,
}

impl Features {
    /// The keys under which an enrolled person is filed.
    pub(super) fn of_enrolled(person: &CompactPerson) -> Self {
        Self::compute(person, Side::Enrolled)
    }

    /// The same, and those that a probe looks up besides.
    pub(super) fn of_probe(person: &CompactPerson) -> Self {
        Self::compute(person, Side::Probe)
    }

    fn compute(person: &CompactPerson, side: Side) -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
            // SAFETY: the processor was asked for both kinds of instructions.
            return unsafe { Self::compute_avx2(person, side) };
        }
        Self::compute_portable(person, side)
    }

    /// The same steps in wider vectors, with the same result to the last bit.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1")]
    fn compute_avx2(person: &CompactPerson, side: Side) -> Self {
        Self::compute_portable(person, side)
    }

    #[inline(always)]
    fn compute_portable(person: &CompactPerson, side: Side) -> Self {
        let mut maker = Maker {
            side,
            features: Self::default(),
            most: (0, 0),
            middle: Middle::default(),
            thirds: Thirds::default(),
        };
        let mut points = Vec::new();
        for position in FingerPosition::ALL {
            person.points_into(position, &mut points);
            choose(&mut points);
            maker.middle = Middle::new(&points);
            maker.most =
                (maker.features.own.len() + MOST_OF_FINGER, maker.features.near.len() + MOST_OF_FINGER);
            for a in 0..points.len() {
                for b in a + 1..points.len() {
                    maker.base(&points, [a, b], position);
                }
            }
        }
        maker.features
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Enrolled,
    Probe,
}

/// Keeps the best minutiae of the middle, which two captures share more often than those at the rim.
fn choose(points: &mut Vec<Point>) {
    let share = 1.0 / points.len().max(1) as f32;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.x * share, y + p.y * share));
    points.retain(|p| (p.x - x).powi(2) + (p.y - y).powi(2) < MIDDLE * MIDDLE);
    points.truncate(MAX_POINTS);
}

struct Maker {
    side: Side,
    features: Features,
    /// No more keys are taken of the present finger: a real one has some hundred, a contrived one whose
    /// minutiae repeat each other could have a hundred thousand.
    most: (usize, usize),
    middle: Middle,
    /// A buffer for one base.
    thirds: Thirds,
}

/// The chosen minutiae of one finger, coordinate by coordinate, so that all are put into a base's frame at
/// once.
#[derive(Default)]
struct Middle {
    len: usize,
    x: [f32; MAX_POINTS],
    y: [f32; MAX_POINTS],
    angle: [u8; MAX_POINTS],
}

impl Middle {
    #[inline(always)]
    fn new(points: &[Point]) -> Self {
        let mut middle = Self { len: points.len(), ..Self::default() };
        for (index, point) in points.iter().enumerate() {
            middle.x[index] = point.x;
            middle.y[index] = point.y;
            middle.angle[index] = point.angle;
        }
        middle
    }
}

/// The beginning of a key: the base in one choice of bins.
#[derive(Clone, Copy, Default)]
struct Head {
    hash: u64,
    /// How far further numbers may be moved over their borders.
    doubt: f32,
    own: bool,
}

/// Further minutiae on a base, each in one or several choices of bins.
struct Thirds {
    len: usize,
    /// The part of the hash by which pairs are chosen, with room to read a block beyond the last.
    choice: [u16; MOST_THIRDS + LANES],
    of: [Third; MOST_THIRDS],
}

/// Each of three numbers may be moved, but all minutiae so only in contrived fingers, whose further choices
/// are left out.
const MOST_THIRDS: usize = MAX_POINTS * 4;

#[derive(Clone, Copy, Default)]
struct Third {
    hash: u64,
    doubt: f32,
    point: u8,
    own: bool,
}

impl Default for Thirds {
    fn default() -> Self {
        Self { len: 0, choice: [0; MOST_THIRDS + LANES], of: [Third::default(); MOST_THIRDS] }
    }
}

impl Thirds {
    #[inline(always)]
    fn push(&mut self, third: Third) {
        if self.len < MOST_THIRDS {
            self.of[self.len] = third;
            self.choice[self.len] = (third.hash & 0xfff) as u16;
            self.len += 1;
        }
    }

    /// Every chosen pair of different minutiae, which together used no more of the head's doubt than there
    /// was.
    #[inline(always)]
    fn pairs(&self, doubt: f32, mut take: impl FnMut(&Third, &Third)) {
        for first in 0..self.len {
            let own = self.choice[first];
            for block in (first + 1..self.len).step_by(LANES) {
                // The choice looks at both hashes as they are, many pairs at once: most end here, before
                // theirs is made.
                let lanes =
                    self.choice[block..].first_chunk().expect("there is room for a block beyond the last");
                let mut chosen = lanes::near(lanes, own, KEEP_OF_4096);
                while chosen != 0 {
                    let second = block + chosen.trailing_zeros() as usize;
                    chosen &= chosen - 1;
                    if second >= self.len {
                        break;
                    }
                    let (first, second) = (&self.of[first], &self.of[second]);
                    if first.point != second.point && first.doubt + second.doubt >= doubt {
                        take(first, second);
                    }
                }
            }
        }
    }
}

impl Maker {
    /// The keys of all quadruples on one base.
    #[inline(always)]
    fn base(&mut self, points: &[Point], [a, b]: [usize; 2], position: FingerPosition) {
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
        let margin = if self.side == Side::Probe { UNSURE_LEVEL } else { 0 };
        for (ends, along, turn) in
            [([a, b], along, turn), ([b, a], (-along.0, -along.1), (turn + HALF_TURN) % (2 * HALF_TURN))]
        {
            let signed = if turn >= 2 * HALF_TURN - margin { turn - 2 * HALF_TURN } else { turn };
            if (-margin..HALF_TURN + margin).contains(&signed) {
                let upwards = (0..HALF_TURN).contains(&signed);
                let base = Base { ends, along, length, turn: signed.clamp(0, HALF_TURN - 1) as f32, upwards };
                self.quadruples(points, &base, position);
            }
        }
    }

    #[inline(always)]
    fn quadruples(&mut self, points: &[Point], base: &Base, position: FingerPosition) {
        let (heads, count) = base.heads(points, position, self.side);
        if count == 0 {
            return;
        }
        let frame = base.frame(points, &self.middle);
        for head in &heads[..count] {
            frame.thirds(head, base, &mut self.thirds);
            let (features, most) = (&mut self.features, self.most);
            self.thirds.pairs(head.doubt, |first, second| {
                let hash = scramble(first.hash.wrapping_add(second.hash));
                let own = head.own & first.own & second.own;
                let (keys, most) =
                    if own { (&mut features.own, most.0) } else { (&mut features.near, most.1) };
                if keys.len() < most {
                    keys.push(Feature(hash));
                }
            });
        }
    }
}

const HALF_TURN: i32 = 128;

struct Base {
    ends: [usize; 2],
    along: (f32, f32),
    length: f32,
    turn: f32,
    /// False for one that only might point upwards in another capture.
    upwards: bool,
}

impl Base {
    #[inline(always)]
    fn heads(&self, points: &[Point], position: FingerPosition, side: Side) -> ([Head; 16], usize) {
        let [from, to] = self.ends.map(|end| &points[end]);
        let own = f32::from(from.angle.wrapping_sub(self.turn as u8));
        let numbers = [
            Number::new(self.length / LENGTH_BIN, LENGTH_ERROR, None),
            Number::new(own / DIRECTION_BIN, DIRECTION_ERROR, Some((256.0 / DIRECTION_BIN).round() as i32)),
            Number::new(self.turn / TURN_BIN, TURN_ERROR, None),
            Number::new(relative(to, from), RELATIVE_ERROR, Some(4)),
        ];
        let mut heads = [Head::default(); 16];
        let mut count = 0;
        let doubt = if side == Side::Probe { FLIP_WITHIN } else { 0.0 };
        each_key(u64::from(position.code()), &numbers, doubt, |key, doubt, unmoved| {
            let hash = scramble(key);
            heads[count] = Head { hash: hash >> 20, doubt, own: unmoved & self.upwards };
            count += usize::from((hash & 0xff) < KEEP_BASES_OF_256);
        });
        (heads, count)
    }

    /// All minutiae in the frame of this base.
    #[inline(always)]
    fn frame(&self, points: &[Point], middle: &Middle) -> Frame {
        let [from, to] = self.ends.map(|end| &points[end]);
        let (mx, my) = ((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
        let (ux, uy) = self.along;
        let mut frame = Frame { len: middle.len, ..Frame::default() };
        // One step per minutia without a branch: the compiler does many at a time.
        for index in 0..MAX_POINTS {
            let (x, y) = (middle.x[index] - mx, middle.y[index] - my);
            let (u, v) = (x * ux + y * uy, y * ux - x * uy);
            frame.inside[index] = (u.abs() < REACH) & (v.abs() < REACH);
            let quarters = f32::from(middle.angle[index].wrapping_sub(from.angle).wrapping_add(32)) / 64.0;
            let along = Binned::new((u + 256.0) / PLACE_BIN, 64);
            let across = Binned::new((v + 256.0) / PLACE_BIN, 64);
            let relative = Binned::new(quarters, 4);
            frame.bins[index] = along.bin << 12 | across.bin << 6 | relative.bin;
            frame.moved[index] = along.moved << 12 | across.moved << 6 | relative.moved;
            frame.gaps[0][index] = along.gap * (1.0 / PLACE_ERROR);
            frame.gaps[1][index] = across.gap * (1.0 / PLACE_ERROR);
            frame.gaps[2][index] = relative.gap * (1.0 / RELATIVE_ERROR);
        }
        frame
    }
}

/// Six bits for each of the three numbers of a further minutia.
const NUMBER_MASKS: [u32; 3] = [0x3f << 12, 0x3f << 6, 0x3f];

/// All minutiae in a base's frame: their bins, the bins nearest to those, and how near these are in usual
/// errors.
#[derive(Default)]
struct Frame {
    len: usize,
    inside: [bool; MAX_POINTS],
    bins: [u32; MAX_POINTS],
    moved: [u32; MAX_POINTS],
    gaps: [[f32; MAX_POINTS]; 3],
}

impl Frame {
    #[inline(always)]
    fn thirds(&self, head: &Head, base: &Base, thirds: &mut Thirds) {
        thirds.len = 0;
        for index in 0..self.len {
            if !self.inside[index] || base.ends.contains(&index) {
                continue;
            }
            let gaps = [0, 1, 2].map(|number| self.gaps[number][index]);
            let near =
                (0..3).fold(0u32, |near, number| near | u32::from(gaps[number] < head.doubt) << number);
            let mut moved = near;
            loop {
                let mut bins = self.bins[index];
                let mut doubt = head.doubt;
                for number in (0..3).filter(|number| moved >> number & 1 == 1) {
                    bins = bins & !NUMBER_MASKS[number] | self.moved[index] & NUMBER_MASKS[number];
                    doubt -= gaps[number];
                }
                if moved == 0 || doubt > 0.0 {
                    let hash = scramble(head.hash << 18 | u64::from(bins));
                    thirds.push(Third { hash, doubt, point: index as u8, own: moved == 0 });
                }
                if moved == 0 {
                    break;
                }
                moved = (moved - 1) & near;
            }
        }
    }
}

/// A quantised number as [`Number`], in the form that the compiler turns into vectors.
struct Binned {
    bin: u32,
    moved: u32,
    gap: f32,
}

impl Binned {
    #[inline(always)]
    fn new(value: f32, bins: u32) -> Self {
        // Values are at least zero and below 64. Moved beyond 2^23 they lose their fraction (64 more, so that
        // none stays below); a plain cast would check for values that cannot occur, one by one.
        let bin = (value - 0.5 + 8_388_672.0).to_bits() & 63;
        let inside = value - bin as f32;
        let below = inside < 0.5;
        let gap = if below { inside } else { 1.0 - inside };
        // Adding all but one bin is going back by one.
        let moved = bin + if below { bins - 1 } else { 1 };
        Self { bin, moved: moved & (bins - 1), gap }
    }
}

/// Neighbours point along the same ridges, forwards or backwards: quarter turns centred on both, 0 to 4.
#[inline(always)]
fn relative(p: &Point, from: &Point) -> f32 {
    f32::from(p.angle.wrapping_sub(from.angle).wrapping_add(32)) / 64.0
}

/// A quantised number: its bin, the neighbouring bin it lies nearer to, and how near, in usual errors.
struct Number {
    bin: u64,
    moved: u64,
    gap: f32,
}

impl Number {
    /// `error` is the usual error in bins, `round` the number of bins when they close to a circle.
    #[inline(always)]
    fn new(value: f32, error: f32, round: Option<i32>) -> Self {
        let bin = value as i32;
        let inside = value - bin as f32;
        let (gap, step) = if inside < 0.5 { (inside, -1) } else { (1.0 - inside, 1) };
        let moved = match round {
            // Bins that close to a circle are few, and a comparison is cheaper than a remainder.
            Some(bins) if bin + step < 0 => bins - 1,
            Some(bins) if bin + step == bins => 0,
            _ => bin + step,
        };
        // Six bits per number: four after the finger's code, three after a 44-bit hash; none is lost.
        Self { bin: bin as u64 & 63, moved: moved as u64 & 63, gap: gap / error }
    }
}

/// Appends the numbers to a key: as they are, and with those moved over their borders whose gaps sum to less
/// than `doubt`. Gives each key with the doubt that is left and whether nothing was moved.
#[inline(always)]
fn each_key<const N: usize>(
    key: u64,
    numbers: &[Number; N],
    doubt: f32,
    mut take: impl FnMut(u64, f32, bool),
) {
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
            take(appended, left, moved == 0);
        }
        if moved == 0 {
            return;
        }
        moved = (moved - 1) & near;
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every input bit changes every output bit.
#[inline(always)]
fn scramble(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Template;
    use crate::synthetic::{Condition, person_masters};

    #[test]
    fn wider_vectors_change_nothing() {
        for seed in 0..20 {
            let captures = person_masters(seed).map(|m| m.impression(seed, Condition::Station));
            let person = CompactPerson::new(captures.each_ref().map(Some::<&Template>));
            for side in [Side::Enrolled, Side::Probe] {
                let (wide, narrow) =
                    (Features::compute(&person, side), Features::compute_portable(&person, side));
                assert!(wide.own == narrow.own && wide.near == narrow.near, "person {seed}");
            }
        }
    }
}
