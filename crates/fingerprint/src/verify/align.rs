//! Laying one finger on the other, and which minutiae then lie on each other.

use super::relax::{Candidates, Group};
use super::{WIDTH, ones};
use crate::params::*;
use crate::{Prepared, angle};

/// Two minutiae taken for one.
#[derive(Clone, Copy, Default)]
pub(super) struct Mate {
    pub(super) i: u8,
    pub(super) j: u8,
    /// 0 to 1.
    pub(super) fit: f32,
    /// From the first finger's minutia, moved, to the second's.
    dx: f32,
    dy: f32,
}

/// Mates, best first.
pub(super) struct Mates {
    len: usize,
    pairs: [Mate; WIDTH],
}

impl Mates {
    #[inline(always)]
    pub(super) fn pairs(&self) -> &[Mate] {
        &self.pairs[..self.len]
    }

    #[inline(always)]
    pub(super) fn fit(&self) -> f32 {
        self.pairs().iter().map(|mate| mate.fit).sum()
    }
}

/// The first finger where it lies on the second.
pub(super) struct Aligned {
    pub(super) group: Group,
    pub(super) x: [f32; WIDTH],
    pub(super) y: [f32; WIDTH],
    turn: u8,
}

/// Both fingers; the second's places for whole vectors, and on a grid.
pub(super) struct Surface<'a> {
    pub(super) a: &'a Prepared,
    pub(super) b: &'a Prepared,
    pub(super) bx: [f32; WIDTH],
    pub(super) by: [f32; WIDTH],
    /// For every cell the second finger's minutiae in it and in the eight around it.
    grid: [u64; GRID * GRID],
    /// For every sixteenth of a turn the second finger's minutiae that any direction in it is within
    /// tolerance of.
    facing: [u64; SECTORS],
}

/// Parts of a turn, 16 byte angles each.
const SECTORS: usize = 16;

/// Side of the grid. It repeats itself beyond 512 pixels, so what it says about a finger larger than that has
/// to be checked.
const GRID: usize = 32;
/// Side of a cell in pixels; no mate is further away.
const CELL: f32 = 16.0;

const _: () = assert!(ALIGN_RADIUS <= CELL && BEND_RADIUS <= CELL && MATE_RADIUS <= CELL);

/// Where no minutia is. Opposite signs keep the unused places of both fingers apart.
const FAR: f32 = 1e6;
/// Pairs of minutiae that may be mates; beyond so many a finger is contrived, and the rest is left out.
const MOST_NEAR: usize = 256;

impl<'a> Surface<'a> {
    #[inline(always)]
    pub(super) fn new(a: &'a Prepared, b: &'a Prepared) -> Self {
        let (bx, by) = ([-FAR; WIDTH], [-FAR; WIDTH]);
        let mut surface = Self { a, b, bx, by, grid: [0; GRID * GRID], facing: [0; SECTORS] };
        for (index, point) in b.points.iter().enumerate() {
            (surface.bx[index], surface.by[index]) = (point.x, point.y);
            let (column, row) = (column(point.x), column(point.y));
            for row in [row + GRID - 1, row, row + 1] {
                for column in [column + GRID - 1, column, column + 1] {
                    surface.grid[row % GRID * GRID + column % GRID] |= 1 << index;
                }
            }
            let least = usize::from(point.angle.wrapping_sub(MATE_ANGLE)) / SECTORS;
            let most = usize::from(point.angle.wrapping_add(MATE_ANGLE)) / SECTORS;
            for sector in 0..=(most + SECTORS - least) % SECTORS {
                surface.facing[(least + sector) % SECTORS] |= 1 << index;
            }
        }
        surface
    }

    /// The second finger's minutiae in and around the cell of a place: all that are near, and some that are
    /// not.
    #[inline(always)]
    fn near(&self, x: f32, y: f32) -> u64 {
        self.grid[column(y) * GRID + column(x)]
    }

    /// The second finger's minutiae whose direction is about this: all within tolerance, and some that are
    /// not.
    #[inline(always)]
    fn facing(&self, angle: u8) -> u64 {
        self.facing[usize::from(angle) / SECTORS]
    }

    /// The best of several ways to lay one finger on the other without bending it.
    #[inline(always)]
    pub(super) fn align(&self, candidates: &Candidates) -> Option<(f32, Aligned)> {
        let mut best: Option<(f32, Aligned)> = None;
        for group in candidates.groups() {
            let aligned = self.lay(candidates, group);
            let worth = self.worth(&aligned);
            if best.as_ref().is_none_or(|(most, _)| worth > *most) {
                best = Some((worth, aligned));
            }
        }
        best
    }

    #[inline(always)]
    fn lay(&self, candidates: &Candidates, group: Group) -> Aligned {
        let movement = Movement::fit(candidates, &group);
        let (mut x, mut y) = ([FAR; WIDTH], [FAR; WIDTH]);
        for (index, p) in self.a.points.iter().enumerate() {
            (x[index], y[index]) = movement.apply(p.x, p.y);
        }
        let turn = angle::of_vector(movement.cos, movement.sin);
        Aligned { group, x, y, turn }
    }

    /// Which of several alignments is best: the share of the common area that found a mate is worth as much
    /// as the number of mates. Here a minutia may be several others' mate, which is quicker to find out.
    #[inline(always)]
    fn worth(&self, aligned: &Aligned) -> f32 {
        let (mut fit, mut common_a, mut common_b) = (0.0, 0u32, 0u64);
        for (i, p) in self.a.points.iter().enumerate() {
            let (x, y, angle) = (aligned.x[i], aligned.y[i], p.angle.wrapping_add(aligned.turn));
            let near = self.near(x, y);
            common_a += u32::from(near != 0);
            common_b |= near;
            let mut best = 0f32;
            for j in ones(near & self.facing(angle)) {
                let (dx, dy) = (self.bx[j] - x, self.by[j] - y);
                let square = (dx * dx + dy * dy) * (1.0 / (ALIGN_RADIUS * ALIGN_RADIUS));
                let twist = angle::distance(angle, self.b.points[j].angle);
                let twist_share = f32::from(twist) * (1.0 / MATE_ANGLE as f32);
                let fit = 1.0 - 0.5 * square - 0.5 * twist_share * twist_share;
                best = if (square < 1.0) & (twist <= MATE_ANGLE) { best.max(fit) } else { best };
            }
            fit += best;
        }
        let common = common_a.min(common_b.count_ones()).max(4) as f32;
        ALIGNMENT_SUPPORT * aligned.group.support + fit * fit / common
    }

    /// Skin bends: the mates found so far say how the surface around each minutia is shifted, and mates are
    /// looked for again there.
    #[inline(always)]
    pub(super) fn refine(&self, aligned: &Aligned) -> Mates {
        let flat = self.mates(&aligned.x, &aligned.y, aligned.turn, &Bend::none(), ALIGN_RADIUS);
        let bend = Bend::of(aligned, &flat);
        let wide = self.mates(&aligned.x, &aligned.y, aligned.turn, &bend, BEND_RADIUS);
        let bend = Bend::of(aligned, &wide);
        self.mates(&aligned.x, &aligned.y, aligned.turn, &bend, MATE_RADIUS)
    }

    /// Pairs minutiae within the radius, those that fit best first, each once.
    #[inline(always)]
    fn mates(&self, x: &[f32; WIDTH], y: &[f32; WIDTH], turn: u8, bend: &Bend, radius: f32) -> Mates {
        let mut mates = Mates { len: 0, pairs: [Mate::default(); WIDTH] };
        let mut near = [(0u64, (0f32, 0f32, 0f32)); MOST_NEAR];
        let mut count = 0;
        let square_radius = radius * radius;
        for (i, p) in self.a.points.iter().enumerate() {
            let (px, py, angle) = (x[i] + bend.dx[i], y[i] + bend.dy[i], p.angle.wrapping_add(turn));
            for j in ones(self.near(px, py) & self.facing(angle)) {
                let twist = angle::distance(angle, self.b.points[j].angle);
                let (dx, dy) = (self.bx[j] - px, self.by[j] - py);
                let square = dx * dx + dy * dy;
                if square >= square_radius || twist > MATE_ANGLE || count == MOST_NEAR {
                    continue;
                }
                let twist = f32::from(twist) / f32::from(MATE_ANGLE);
                let fit = (1.0 - 0.5 * square / square_radius - 0.5 * twist * twist).max(0.0);
                // Not negative, so that its bits sort as it does; then come the lower places.
                let key = u64::from(!fit.to_bits()) << 32 | (i as u64) << 16 | (j as u64) << 8;
                near[count] = (key, (fit, self.bx[j] - x[i], self.by[j] - y[i]));
                count += 1;
            }
        }
        let near = &mut near[..count];
        near.sort_unstable_by_key(|&(key, _)| key);
        let (mut used_a, mut used_b) = (0u64, 0u64);
        for &mut (key, (fit, dx, dy)) in near {
            let (i, j) = ((key >> 16) as u8, (key >> 8) as u8);
            if used_a >> i & 1 == 0 && used_b >> j & 1 == 0 {
                used_a |= 1 << i;
                used_b |= 1 << j;
                mates.pairs[mates.len] = Mate { i, j, fit, dx, dy };
                mates.len += 1;
            }
        }
        mates
    }
}

/// Column or row of the grid.
#[inline(always)]
fn column(at: f32) -> usize {
    (at * (1.0 / CELL)).floor() as i32 as usize % GRID
}

/// How far each minutia of the first finger is shifted besides the movement of the whole.
struct Bend {
    dx: [f32; WIDTH],
    dy: [f32; WIDTH],
}

impl Bend {
    #[inline(always)]
    fn none() -> Self {
        Self { dx: [0.0; WIDTH], dy: [0.0; WIDTH] }
    }

    /// The mean shift of the mates around each minutia, its own left out: a chance mate must not pull its
    /// minutia closer.
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "one step over five arrays, which the compiler makes a vector's"
    )]
    fn of(aligned: &Aligned, mates: &Mates) -> Self {
        let mut weight = [BEND_STIFFNESS; WIDTH];
        let mut bend = Self::none();
        for mate in mates.pairs() {
            let own = usize::from(mate.i);
            let (x, y) = (aligned.x[own], aligned.y[own]);
            for index in 0..WIDTH {
                let (dx, dy) = (aligned.x[index] - x, aligned.y[index] - y);
                let falloff = 1.0 + (dx * dx + dy * dy) * (1.0 / (BEND_REACH * BEND_REACH));
                let share = if index == own { 0.0 } else { mate.fit / (falloff * falloff) };
                weight[index] += share;
                bend.dx[index] += share * mate.dx;
                bend.dy[index] += share * mate.dy;
            }
        }
        for (shift, weight) in bend.dx.iter_mut().chain(&mut bend.dy).zip(weight.iter().chain(&weight)) {
            *shift /= weight;
        }
        bend
    }
}

/// Rotation and shift that carry the first finger onto the second.
struct Movement {
    cos: f32,
    sin: f32,
    dx: f32,
    dy: f32,
}

impl Movement {
    /// Least squares over a group, weighted by strength.
    #[inline(always)]
    fn fit(candidates: &Candidates, group: &Group) -> Self {
        let Candidates { ax, ay, bx, by, strength, .. } = candidates;
        let mut sums = [0f32; 5];
        for at in group.members().map(|rank| candidates.place(rank)) {
            let terms = [1.0, ax[at], ay[at], bx[at], by[at]];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += strength[at] * term);
        }
        let [weight, means @ ..] = sums;
        let [mean_ax, mean_ay, mean_bx, mean_by] = means.map(|sum| sum / weight);
        let (mut dot, mut cross) = (0.0, 0.0);
        for at in group.members().map(|rank| candidates.place(rank)) {
            let (vx, vy) = (ax[at] - mean_ax, ay[at] - mean_ay);
            let (wx, wy) = (bx[at] - mean_bx, by[at] - mean_by);
            dot += strength[at] * (vx * wx + vy * wy);
            cross += strength[at] * (vx * wy - vy * wx);
        }
        let norm = (dot * dot + cross * cross).sqrt().max(1e-9);
        let (cos, sin) = (dot / norm, cross / norm);
        let (dx, dy) = (mean_bx - (cos * mean_ax - sin * mean_ay), mean_by - (sin * mean_ax + cos * mean_ay));
        Self { cos, sin, dx, dy }
    }

    #[inline(always)]
    fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        (self.cos * x - self.sin * y + self.dx, self.sin * x + self.cos * y + self.dy)
    }
}
