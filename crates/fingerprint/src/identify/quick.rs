//! A first look at two fingers, a hundred times cheaper than a comparison.
//!
//! A probe's finger is painted on a grid: around every minutia the directions that would fit there. Every pair of good minutiae,
//! one of each finger, says how one finger would lie on the other; the enrolled finger's minutiae are laid on the grid that way,
//! and those that land where they fit are counted. The best count is the answer.

use crate::angle;
use crate::descriptor::Point;
use crate::params::quick::*;

const SIDE: usize = 64;

/// A probe's finger, ready to be looked at.
pub(super) struct Canvas {
    /// One bit per sixteenth of a turn.
    cells: Box<[u16]>,
    anchors: Vec<Point>,
}

impl Canvas {
    pub(super) fn new(mut points: Vec<Point>) -> Self {
        centre(&mut points);
        let mut cells = vec![0u16; SIDE * SIDE].into_boxed_slice();
        for point in &points {
            let sector = u32::from(point.angle >> 4);
            let fits = (0b111u16).rotate_left(sector + 15);
            let (left, right) = (place(point.x - PAINT), place(point.x + PAINT));
            let (low, high) = (place(point.y - PAINT), place(point.y + PAINT));
            for row in low..=high {
                cells[row * SIDE + left..=row * SIDE + right].iter_mut().for_each(|cell| *cell |= fits);
            }
        }
        points.truncate(ANCHORS);
        Self { cells, anchors: points }
    }

    /// How many of the enrolled finger's best minutiae fit at once. Moves the finger's mean into the origin.
    pub(super) fn look(&self, enrolled: &mut [Point]) -> u32 {
        centre(enrolled);
        let laid = &enrolled[..enrolled.len().min(LAID)];
        let mut most = 0;
        for anchor in &self.anchors {
            for own in enrolled.iter().take(ANCHORS) {
                let turn = anchor.angle.wrapping_sub(own.angle);
                if angle::distance(turn, 0) > MOST_TURN {
                    continue;
                }
                let (cos, sin) = angle::UNIT[usize::from(turn)];
                let dx = anchor.x - (cos * own.x - sin * own.y);
                let dy = anchor.y - (sin * own.x + cos * own.y);
                if dx.abs().max(dy.abs()) <= MOST_SHIFT {
                    most = most.max(self.fits(laid, &Lay { cos, sin, dx, dy, turn }));
                }
            }
        }
        most
    }

    /// Counts in three steps: most ways to lay a finger are wrong and end after the first.
    #[inline]
    fn fits(&self, laid: &[Point], lay: &Lay) -> u32 {
        let count = |points: &[Point]| -> u32 {
            let fit = |p: &Point| {
                let cell = place(sum(lay.cos * p.x, -lay.sin * p.y, lay.dx))
                    + SIDE * place(sum(lay.sin * p.x, lay.cos * p.y, lay.dy));
                u32::from(self.cells[cell] >> (p.angle.wrapping_add(lay.turn) >> 4) & 1)
            };
            points.iter().map(fit).sum()
        };
        let mut done = 0;
        let mut fitting = 0;
        for (until, least) in FEWEST_AFTER {
            let until = laid.len().min(until);
            fitting += count(&laid[done..until]);
            done = until;
            if fitting < least {
                return fitting;
            }
        }
        fitting + count(&laid[done..])
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

#[inline]
fn sum(a: f32, b: f32, c: f32) -> f32 {
    a + b + c
}

/// Column or row of the grid; the rim takes everything outside.
#[inline]
fn place(at: f32) -> usize {
    ((at * (1.0 / CELL) + (SIDE / 2) as f32) as i32).clamp(0, SIDE as i32 - 1) as usize
}
