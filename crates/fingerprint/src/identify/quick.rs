//! A first look at two fingers, many times cheaper than preparing and comparing them.
//!
//! A probe's finger is painted on a grid: around every minutia the directions that would fit there. Every
//! pair of good minutiae, one of each finger, says how one finger would lie on the other; the enrolled
//! finger's minutiae are laid on the grid that way, and those that land where they fit are counted. The best
//! count is the answer.

use crate::angle;
use crate::descriptor::Point;
use crate::params::quick::*;

const SIDE: usize = 64;

/// A probe's finger, ready to be looked at.
pub(super) struct Canvas {
    /// One bit per sixteenth of a turn.
    cells: Box<[u16; SIDE * SIDE]>,
    anchors: Anchors,
}

/// Minutiae that lie side by side in a vector.
const BLOCK: usize = 8;
const ROOM: usize = ANCHORS.next_multiple_of(BLOCK);
const LAID_ROOM: usize = LAID.next_multiple_of(BLOCK);

/// The best minutiae of a finger, number by number.
struct Anchors {
    len: usize,
    x: [f32; ROOM],
    y: [f32; ROOM],
    angle: [u8; ROOM],
    cos: [f32; ROOM],
    sin: [f32; ROOM],
}

impl Anchors {
    #[inline(always)]
    fn new(points: &[Point]) -> Self {
        let zeros = [0.0; ROOM];
        let mut anchors = Self {
            len: points.len().min(ANCHORS),
            x: zeros,
            y: zeros,
            angle: [0; ROOM],
            cos: zeros,
            sin: zeros,
        };
        for (index, point) in points.iter().take(ANCHORS).enumerate() {
            (anchors.x[index], anchors.y[index], anchors.angle[index]) = (point.x, point.y, point.angle);
            (anchors.cos[index], anchors.sin[index]) = angle::UNIT[usize::from(point.angle)];
        }
        anchors
    }
}

/// The minutiae that are counted.
struct Laid {
    blocks: usize,
    x: [f32; LAID_ROOM],
    y: [f32; LAID_ROOM],
    angle: [u8; LAID_ROOM],
    /// 1 for a minutia, 0 for room that is left.
    live: [u16; LAID_ROOM],
}

impl Laid {
    #[inline(always)]
    fn new(points: &[Point]) -> Self {
        let (len, zeros) = (points.len().min(LAID), [0.0; LAID_ROOM]);
        let mut laid = Self {
            blocks: len.div_ceil(BLOCK),
            x: zeros,
            y: zeros,
            angle: [0; LAID_ROOM],
            live: [0; LAID_ROOM],
        };
        for (index, point) in points.iter().take(LAID).enumerate() {
            (laid.x[index], laid.y[index], laid.angle[index]) = (point.x, point.y, point.angle);
            laid.live[index] = 1;
        }
        laid
    }
}

impl Canvas {
    pub(super) fn new(mut points: Vec<Point>) -> Self {
        centre(&mut points);
        let mut cells = Box::new([0u16; SIDE * SIDE]);
        for point in &points {
            let sector = u32::from(point.angle >> 4);
            let fits = (0b111u16).rotate_left(sector + 15);
            let (left, right) = (place(point.x - PAINT) as usize, place(point.x + PAINT) as usize);
            let (low, high) = (place(point.y - PAINT) as usize, place(point.y + PAINT) as usize);
            for row in low..=high {
                cells[row * SIDE + left..=row * SIDE + right].iter_mut().for_each(|cell| *cell |= fits);
            }
        }
        Self { cells, anchors: Anchors::new(&points) }
    }

    /// How many of the enrolled finger's best minutiae fit at once. Moves the finger's mean into the origin.
    pub(super) fn look(&self, enrolled: &mut [Point]) -> u32 {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
            // SAFETY: the processor was asked for both kinds of instructions.
            return unsafe { self.look_avx2(enrolled) };
        }
        self.look_portable(enrolled)
    }

    /// The same steps in wider vectors, with the same result.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1")]
    fn look_avx2(&self, enrolled: &mut [Point]) -> u32 {
        self.look_portable(enrolled)
    }

    #[inline(always)]
    fn look_portable(&self, enrolled: &mut [Point]) -> u32 {
        centre(enrolled);
        let (laid, own) = (Laid::new(enrolled), Anchors::new(enrolled));
        let mut most = 0;
        for anchor in 0..self.anchors.len {
            let lays = self.lays(anchor, &own);
            let mut likely = lays.likely;
            while likely != 0 {
                let at = likely.trailing_zeros() as usize % ROOM;
                likely &= likely - 1;
                most = most.max(self.fits(&laid, &lays.at(at)));
            }
        }
        most
    }

    /// Every way to lay a finger so that one of its best minutiae falls on this one, and which of them are
    /// not too far.
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "steps over many arrays, which the compiler makes a vector's"
    )]
    fn lays(&self, anchor: usize, own: &Anchors) -> Lays {
        let (x, y, angle) = (self.anchors.x[anchor], self.anchors.y[anchor], self.anchors.angle[anchor]);
        let (own_cos, own_sin) = (self.anchors.cos[anchor], self.anchors.sin[anchor]);
        let zeros = [0.0; ROOM];
        let mut lays = Lays { likely: 0, cos: zeros, sin: zeros, dx: zeros, dy: zeros, turn: [0; ROOM] };
        let mut near = [0u8; ROOM];
        for at in 0..ROOM {
            // The turn is the difference of both directions.
            let cos = own_cos * own.cos[at] + own_sin * own.sin[at];
            let sin = own_sin * own.cos[at] - own_cos * own.sin[at];
            let dx = x - (cos * own.x[at] - sin * own.y[at]);
            let dy = y - (sin * own.x[at] + cos * own.y[at]);
            (lays.cos[at], lays.sin[at], lays.dx[at], lays.dy[at]) = (cos, sin, dx, dy);
            let near_x = u8::from(dx.abs() <= MOST_SHIFT);
            near[at] = near_x & u8::from(dy.abs() <= MOST_SHIFT);
        }
        for at in 0..ROOM {
            lays.turn[at] = angle.wrapping_sub(own.angle[at]);
            near[at] &= u8::from(angle::distance(lays.turn[at], 0) <= MOST_TURN);
        }
        lays.likely = near.iter().enumerate().fold(0, |bits, (at, &near)| bits | u32::from(near) << at);
        lays.likely &= (1 << own.len) - 1;
        lays
    }

    /// Counts in steps: most ways to lay a finger are wrong and end after the first.
    #[inline(always)]
    fn fits(&self, laid: &Laid, lay: &Lay) -> u32 {
        let mut fitting = 0;
        for block in 0..laid.blocks {
            fitting += self.fits_of(laid, block * BLOCK, lay);
            if FEWEST_AFTER.get(block).is_some_and(|&least| fitting < least) {
                break;
            }
        }
        fitting
    }

    #[inline(always)]
    fn fits_of(&self, laid: &Laid, start: usize, lay: &Lay) -> u32 {
        let block = |numbers: &[f32; LAID_ROOM]| -> [f32; BLOCK] {
            *numbers[start..].first_chunk().expect("room is made of whole blocks")
        };
        let (x, y) = (block(&laid.x), block(&laid.y));
        let mut cells = [0u32; BLOCK];
        for at in 0..BLOCK {
            let column = place(lay.cos * x[at] - lay.sin * y[at] + lay.dx);
            let row = place(lay.sin * x[at] + lay.cos * y[at] + lay.dy);
            cells[at] = row * SIDE as u32 + column;
        }
        let mut sum = 0;
        for (cell, at) in cells.into_iter().zip(start..start + BLOCK) {
            let sector = laid.angle[at].wrapping_add(lay.turn) >> 4;
            sum += self.cells[cell as usize % (SIDE * SIDE)] >> sector & laid.live[at];
        }
        u32::from(sum)
    }
}

/// Ways to lay the enrolled finger, number by number.
struct Lays {
    /// One bit for each that is not too far.
    likely: u32,
    cos: [f32; ROOM],
    sin: [f32; ROOM],
    dx: [f32; ROOM],
    dy: [f32; ROOM],
    turn: [u8; ROOM],
}

impl Lays {
    #[inline(always)]
    fn at(&self, at: usize) -> Lay {
        Lay { cos: self.cos[at], sin: self.sin[at], dx: self.dx[at], dy: self.dy[at], turn: self.turn[at] }
    }
}

/// How the enrolled finger is moved: turned, then shifted.
struct Lay {
    cos: f32,
    sin: f32,
    dx: f32,
    dy: f32,
    turn: u8,
}

/// Moves the mean into the origin.
fn centre(points: &mut [Point]) {
    let share = 1.0 / points.len().max(1) as f32;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.x * share, y + p.y * share));
    for point in points {
        point.x -= x;
        point.y -= y;
    }
}

/// Column or row of the grid; the rim takes everything outside.
#[inline(always)]
fn place(at: f32) -> u32 {
    // A half less, since the sum rounds to the nearest.
    let place = (at * (1.0 / CELL) + (SIDE / 2) as f32 - 0.5).clamp(0.0, (SIDE - 1) as f32);
    // The lowest bits of 2^23 and a small number are that number: vectors have no other cast that is safe for
    // all numbers.
    (place + 8_388_608.0).to_bits() & (SIDE as u32 - 1)
}

const _: () = assert!(SIDE.is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FingerPosition;
    use crate::descriptor::best_points;
    use crate::synthetic::{Condition, Master};

    #[test]
    fn wider_vectors_change_nothing_and_the_same_finger_fits() {
        let finger = |seed: u64, occasion: u64| {
            let master = Master::generate(seed, FingerPosition::RightThumb);
            best_points(&master.impression(seed * 10 + occasion, Condition::Station))
        };
        let (mut same, mut other) = (0, 0);
        for seed in 0..40 {
            let canvas = Canvas::new(finger(seed, 1));
            for (enrolled, sum) in [(finger(seed, 2), &mut same), (finger(seed + 100, 2), &mut other)] {
                let fits = canvas.look_portable(&mut enrolled.clone());
                assert_eq!(canvas.look(&mut enrolled.clone()), fits);
                assert!(fits as usize <= LAID);
                *sum += fits;
            }
        }
        assert!(same > other * 3 / 2, "{same} and {other}");
        let none = Canvas::new(Vec::new());
        assert_eq!(none.look(&mut finger(1, 1)), 0);
        assert_eq!(Canvas::new(finger(1, 1)).look(&mut []), 0);
    }
}
