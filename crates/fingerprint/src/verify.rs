//! 1:1 comparison: local votes, relaxation, alignment, score.

use std::fmt;

use crate::descriptor::{BINS, Edge, Point};
use crate::params::*;
use crate::{Prepared, angle};

/// The outcome of comparing two fingers.
#[derive(Clone, PartialEq)]
pub struct Comparison {
    /// 0 for nothing in common; compare with [`crate::params::VERIFY_THRESHOLD`].
    pub score: f32,
    /// Minutiae found to be the same, best first, each minutia at most once.
    pub pairs: Vec<Pair>,
}

/// One minutia seen in both templates: indices into [`crate::Template::minutiae`] of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub first: u8,
    pub second: u8,
}

impl fmt::Debug for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Comparison(score {:.2}, {} pairs)", self.score, self.pairs.len())
    }
}

/// How alike two fingers are. Symmetric; blind to shift, rotation and the order of minutiae.
///
/// Finger positions are not looked at: the caller decides which fingers to compare.
pub fn compare(first: &Prepared, second: &Prepared) -> Comparison {
    // One order for both directions makes the result symmetric to the last bit.
    if canonical_key(first).gt(canonical_key(second)) {
        let mut swapped = compare_ordered(second, first);
        for pair in &mut swapped.pairs {
            (pair.first, pair.second) = (pair.second, pair.first);
        }
        return swapped;
    }
    compare_ordered(first, second)
}

fn canonical_key(prepared: &Prepared) -> impl Iterator<Item = (f32, f32, u8)> {
    let count = std::iter::once((prepared.points.len() as f32, 0.0, 0));
    count.chain(prepared.points.iter().map(|p| (p.x, p.y, p.angle)))
}

fn compare_ordered(a: &Prepared, b: &Prepared) -> Comparison {
    let nothing = Comparison { score: 0.0, pairs: Vec::new() };
    if a.points.len() < 3 || b.points.len() < 3 {
        return nothing;
    }
    let mut candidates = best_candidates(&local_votes(a, b), a, b);
    if candidates.len() < 3 {
        return nothing;
    }
    relax(&mut candidates);
    let seeds = consistent(&candidates);
    if seeds.len() < 3 {
        return nothing;
    }
    let mates = align(&seeds, a, b);
    score(&seeds, &mates, a, b)
}

/// For every pair of minutiae, how much their neighbourhoods agree; row-major, one row per minutia of `a`.
fn local_votes(a: &Prepared, b: &Prepared) -> Vec<u16> {
    let width = b.points.len();
    let mut votes = vec![0u16; a.points.len() * width];
    for edge in &a.edges {
        let row = usize::from(edge.from) * width;
        let bearing_bin = usize::from(edge.bearing >> 4);
        let direction_bin = usize::from(edge.direction >> 4);
        let tolerance = LENGTH_TOLERANCE + LENGTH_TOLERANCE_SHARE * f32::from(edge.length);
        let tolerance = tolerance as u8;
        let mut visit = |line: usize, bins: std::ops::Range<usize>| {
            let range = usize::from(b.starts[line + bins.start])..usize::from(b.starts[line + bins.end]);
            for other in &b.edges[range] {
                votes[row + usize::from(other.from)] += agreement(edge, other, tolerance);
            }
        };
        for bearing_bin in [bearing_bin + BINS - 1, bearing_bin, bearing_bin + 1] {
            let line = bearing_bin % BINS * BINS;
            // Neighbouring direction bins lie side by side, except where the turn closes.
            match direction_bin {
                0 => {
                    visit(line, 0..2);
                    visit(line, BINS - 1..BINS);
                }
                last if last == BINS - 1 => {
                    visit(line, BINS - 2..BINS);
                    visit(line, 0..1);
                }
                middle => visit(line, middle - 1..middle + 2),
            }
        }
    }
    votes
}

/// 0 when two edges differ by more than the tolerances, up to 64 when they are equal.
#[inline]
fn agreement(edge: &Edge, other: &Edge, tolerance: u8) -> u16 {
    let length = edge.length.abs_diff(other.length);
    let bearing = angle::distance(edge.bearing, other.bearing);
    let direction = angle::distance(edge.direction, other.direction);
    if length > tolerance || bearing > EDGE_ANGLE_TOLERANCE || direction > EDGE_ANGLE_TOLERANCE {
        return 0;
    }
    let off = u16::from(length) * 12 / u16::from(tolerance)
        + u16::from(bearing) * 12 / u16::from(EDGE_ANGLE_TOLERANCE)
        + u16::from(direction) * 12 / u16::from(EDGE_ANGLE_TOLERANCE);
    64 - off
}

/// A minutia of `a` that may be the same as a minutia of `b`.
#[derive(Clone, Copy)]
struct Candidate {
    i: u8,
    j: u8,
    ax: f32,
    ay: f32,
    bx: f32,
    by: f32,
    /// Direction of `b` minus direction of `a`, as a unit vector.
    cos: f32,
    sin: f32,
    strength: f32,
}

fn best_candidates(votes: &[u16], a: &Prepared, b: &Prepared) -> Vec<Candidate> {
    let width = b.points.len();
    let mut ranked: Vec<u32> = votes
        .iter()
        .enumerate()
        .filter(|&(_, &vote)| vote >= MIN_VOTE)
        .map(|(cell, &vote)| u32::from(vote) << 16 | (0xffff - cell as u32))
        .collect();
    if ranked.len() > CANDIDATES {
        ranked.select_nth_unstable_by(CANDIDATES - 1, |x, y| y.cmp(x));
        ranked.truncate(CANDIDATES);
    }
    ranked.sort_unstable_by(|x, y| y.cmp(x));
    let unit = &*angle::UNIT;
    ranked
        .iter()
        .map(|&packed| {
            let cell = (0xffff - (packed & 0xffff)) as usize;
            let (i, j) = (cell / width, cell % width);
            let (p, q) = (&a.points[i], &b.points[j]);
            let turn = q.angle.wrapping_sub(p.angle);
            let (cos, sin) = unit[usize::from(turn)];
            let strength = (packed >> 16) as f32 / 64.0;
            Candidate { i: i as u8, j: j as u8, ax: p.x, ay: p.y, bx: q.x, by: q.y, cos, sin, strength }
        })
        .collect()
}

/// How well two candidate pairs fit one movement of the finger: 0 (cannot both hold) to 1.
#[inline]
fn compatibility(p: &Candidate, q: &Candidate) -> f32 {
    let (cos, sin) = (p.cos + q.cos, p.sin + q.sin);
    // |u + v|² = 2 + 2 cos(difference of turns). Most pairs of wrong candidates end here, before any square root.
    let norm = cos * cos + sin * sin;
    let twist = (4.0 - norm) / GLOBAL_TWIST;
    if twist >= 1.0 {
        return 0.0;
    }
    let (vx, vy) = (q.ax - p.ax, q.ay - p.ay);
    let (wx, wy) = (q.bx - p.bx, q.by - p.by);
    let (square_v, square_w) = (vx * vx + vy * vy, wx * wx + wy * wy);
    if square_v < EDGE_MIN * EDGE_MIN || square_w < EDGE_MIN * EDGE_MIN {
        return 0.0;
    }
    // Rotate the edge in `a` by the mean turn of the two pairs, then compare it with the edge in `b`.
    let (rx, ry) = (vx * cos - vy * sin, vx * sin + vy * cos);
    let dot = rx * wx + ry * wy;
    if dot <= 0.0 {
        return 0.0;
    }
    let (lv, lw) = (square_v.sqrt(), square_w.sqrt());
    let stretch = (lv - lw).abs() / (GLOBAL_LENGTH_TOLERANCE + GLOBAL_LENGTH_SHARE * (lv + lw) * 0.5);
    let scale = lv * lw * norm.sqrt() + 1e-6;
    let cross = (rx * wy - ry * wx).abs() / scale;
    // Short edges turn easily: some pixels of jitter count as an angle.
    let swing = cross / (GLOBAL_SINE + GLOBAL_JITTER / (lv + lw + 1.0));
    (1.0 - stretch * stretch).max(0.0) * (1.0 - swing * swing).max(0.0) * (1.0 - twist)
}

/// Lets candidate pairs support each other until the ones that fit no common movement have faded.
fn relax(candidates: &mut [Candidate]) {
    let count = candidates.len();
    let mut matrix = vec![0f32; count * count];
    for row in 1..count {
        for column in 0..row {
            let fit = compatibility(&candidates[row], &candidates[column]);
            matrix[row * count + column] = fit;
            matrix[column * count + row] = fit;
        }
    }
    let share = (1.0 - RELAXATION_KEEP) / RELAXATION_PEERS;
    let mut strength: Vec<f32> = candidates.iter().map(|c| c.strength).collect();
    for _ in 0..RELAXATION_ROUNDS {
        // The matrix is symmetric, so support is added up by rows: every step is independent and runs on whole vectors.
        let mut next: Vec<f32> = strength.iter().map(|own| RELAXATION_KEEP * own).collect();
        for (row, own) in matrix.chunks_exact(count).zip(&strength) {
            let given = share * own;
            next.iter_mut().zip(row).for_each(|(sum, fit)| *sum += fit * given);
        }
        strength = next;
    }
    for (candidate, strength) in candidates.iter_mut().zip(strength) {
        candidate.strength = strength;
    }
    candidates.sort_unstable_by(|p, q| q.strength.total_cmp(&p.strength).then((p.i, p.j).cmp(&(q.i, q.j))));
}

/// Takes candidates from the strongest down, each minutia once, as long as they fit most of those taken before.
fn consistent(candidates: &[Candidate]) -> Vec<Candidate> {
    let mut taken: Vec<Candidate> = Vec::with_capacity(candidates.len());
    let (mut used_a, mut used_b) = (0u64, 0u64);
    let floor = candidates[0].strength * SEED_SHARE;
    for candidate in candidates.iter().take_while(|c| c.strength > floor) {
        if used_a >> candidate.i & 1 == 1 || used_b >> candidate.j & 1 == 1 {
            continue;
        }
        let fits = taken.iter().filter(|t| compatibility(t, candidate) > 0.0).count();
        if fits * 2 >= taken.len() {
            taken.push(*candidate);
            used_a |= 1 << candidate.i;
            used_b |= 1 << candidate.j;
        }
    }
    taken
}

/// Mates after alignment, with how well each fits (0 to 1), and how many minutiae of each side lie in the common area.
struct Mates {
    pairs: Vec<(u8, u8, f32)>,
    common_a: usize,
    common_b: usize,
}

fn align(seeds: &[Candidate], a: &Prepared, b: &Prepared) -> Mates {
    let movement = Movement::fit(seeds);
    let moved: Vec<Point> = a.points.iter().map(|p| movement.apply(p)).collect();
    let mut near: Vec<(f32, u8, u8)> = Vec::with_capacity(64);
    let (mut seen_a, mut seen_b) = (0u64, 0u64);
    for (i, p) in moved.iter().enumerate() {
        for (j, q) in b.points.iter().enumerate() {
            let (dx, dy) = (p.x - q.x, p.y - q.y);
            let square = dx * dx + dy * dy;
            if square < COMMON_RADIUS * COMMON_RADIUS {
                seen_a |= 1 << i;
                seen_b |= 1 << j;
                let twist = angle::distance(p.angle, q.angle);
                if square < MATE_RADIUS * MATE_RADIUS && twist <= MATE_ANGLE {
                    let twist = f32::from(twist) / f32::from(MATE_ANGLE);
                    let fit = 1.0 - 0.5 * square / (MATE_RADIUS * MATE_RADIUS) - 0.5 * twist * twist;
                    near.push((fit, i as u8, j as u8));
                }
            }
        }
    }
    near.sort_unstable_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    let (mut used_a, mut used_b) = (0u64, 0u64);
    let mut pairs = Vec::with_capacity(near.len());
    for (fit, i, j) in near {
        if used_a >> i & 1 == 0 && used_b >> j & 1 == 0 {
            used_a |= 1 << i;
            used_b |= 1 << j;
            pairs.push((i, j, fit));
        }
    }
    Mates { pairs, common_a: seen_a.count_ones() as usize, common_b: seen_b.count_ones() as usize }
}

/// Rotation and shift that carry `a` onto `b`.
struct Movement {
    cos: f32,
    sin: f32,
    dx: f32,
    dy: f32,
    turn: u8,
}

impl Movement {
    /// Least squares over the seeds, weighted by strength.
    fn fit(seeds: &[Candidate]) -> Self {
        let weight: f32 = seeds.iter().map(|s| s.strength).sum();
        let mean = |f: fn(&Candidate) -> f32| seeds.iter().map(|s| f(s) * s.strength).sum::<f32>() / weight;
        let (ax, ay, bx, by) = (mean(|s| s.ax), mean(|s| s.ay), mean(|s| s.bx), mean(|s| s.by));
        let (mut dot, mut cross) = (0.0, 0.0);
        for s in seeds {
            let (vx, vy, wx, wy) = (s.ax - ax, s.ay - ay, s.bx - bx, s.by - by);
            dot += s.strength * (vx * wx + vy * wy);
            cross += s.strength * (vx * wy - vy * wx);
        }
        let norm = (dot * dot + cross * cross).sqrt().max(1e-9);
        let (cos, sin) = (dot / norm, cross / norm);
        let turn = angle::of_vector(cos, sin);
        Self { cos, sin, dx: bx - (cos * ax - sin * ay), dy: by - (sin * ax + cos * ay), turn }
    }

    fn apply(&self, p: &Point) -> Point {
        Point {
            x: self.cos * p.x - self.sin * p.y + self.dx,
            y: self.sin * p.x + self.cos * p.y + self.dy,
            angle: p.angle.wrapping_add(self.turn),
            ..*p
        }
    }
}

fn score(seeds: &[Candidate], mates: &Mates, a: &Prepared, b: &Prepared) -> Comparison {
    let support: f32 = seeds.iter().map(|s| s.strength).sum();
    let fit: f32 = mates.pairs.iter().map(|&(_, _, fit)| fit).sum();
    let common = mates.common_a.min(mates.common_b).max(4) as f32;
    let share = fit / common;
    let smaller = a.points.len().min(b.points.len()) as f32;
    let raw = (SCORE_SUPPORT * support + fit * share) / smaller.powf(SIZE_EXPONENT);
    // Evidence grows with the logarithm: twice as many mates do not make a match twice as sure.
    let score = SCORE_SCALE * raw.ln_1p();
    let pairs = mates
        .pairs
        .iter()
        .map(|&(i, j, _)| Pair {
            first: a.points[usize::from(i)].source,
            second: b.points[usize::from(j)].source,
        })
        .collect();
    Comparison { score, pairs }
}
