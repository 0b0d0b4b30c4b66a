//! Pairs of minutiae that may be the same, and which of them fit one movement of the finger.

use super::votes::Votes;
use super::{WIDTH, ones};
use crate::params::*;
use crate::{Prepared, angle};

const _: () = assert!(CANDIDATES < u64::BITS as usize);

/// Minutiae of the first finger with minutiae of the second that they may be, number by number, so that one candidate is held
/// against many at once.
pub(super) struct Candidates {
    pub(super) len: usize,
    i: [u8; CANDIDATES],
    j: [u8; CANDIDATES],
    pub(super) ax: [f32; CANDIDATES],
    pub(super) ay: [f32; CANDIDATES],
    pub(super) bx: [f32; CANDIDATES],
    pub(super) by: [f32; CANDIDATES],
    /// Direction in the second finger minus direction in the first, as a unit vector.
    cos: [f32; CANDIDATES],
    sin: [f32; CANDIDATES],
    pub(super) strength: [f32; CANDIDATES],
    /// Bit q of `fits[p]` is set where both can hold.
    fits: [u64; CANDIDATES],
    /// Strongest first.
    order: [u8; CANDIDATES],
}

/// Candidates that fit one movement, one bit each, with the sum of their strengths.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) members: u64,
    pub(super) support: f32,
}

impl Group {
    #[inline(always)]
    pub(super) fn members(&self) -> impl Iterator<Item = usize> {
        ones(self.members)
    }

    #[inline(always)]
    pub(super) fn len(&self) -> u32 {
        self.members.count_ones()
    }
}

impl Candidates {
    /// The pairs with most votes.
    #[inline(always)]
    pub(super) fn best(votes: &Votes, a: &Prepared, b: &Prepared) -> Self {
        // Votes above the cell, so that one integer sorts both; lower cells first.
        let mut ranked = [0u32; WIDTH * WIDTH];
        let mut count = 0;
        for (cell, &vote) in votes[..a.points.len() * WIDTH].iter().enumerate() {
            ranked[count] = u32::from(vote) << 16 | (0xffff - cell as u32);
            count += usize::from(vote >= MIN_VOTE);
        }
        let mut ranked = &mut ranked[..count];
        if ranked.len() > CANDIDATES {
            ranked.select_nth_unstable_by(CANDIDATES - 1, |x, y| y.cmp(x));
            ranked = &mut ranked[..CANDIDATES];
        }
        ranked.sort_unstable_by(|x, y| y.cmp(x));
        let unit = &*angle::UNIT;
        let mut candidates = Self::none(ranked.len());
        for (at, &packed) in ranked.iter().enumerate() {
            let cell = (0xffff - (packed & 0xffff)) as usize;
            let (i, j) = (cell / WIDTH, cell % WIDTH);
            let (p, q) = (&a.points[i], &b.points[j]);
            (candidates.i[at], candidates.j[at]) = (i as u8, j as u8);
            (candidates.ax[at], candidates.ay[at]) = (p.x, p.y);
            (candidates.bx[at], candidates.by[at]) = (q.x, q.y);
            (candidates.cos[at], candidates.sin[at]) = unit[usize::from(q.angle.wrapping_sub(p.angle))];
            candidates.strength[at] = (packed >> 16) as f32 / 64.0;
        }
        candidates
    }

    fn none(len: usize) -> Self {
        let zeros = [0.0; CANDIDATES];
        Self {
            len,
            i: [0; CANDIDATES],
            j: [0; CANDIDATES],
            ax: zeros,
            ay: zeros,
            bx: zeros,
            by: zeros,
            cos: zeros,
            sin: zeros,
            strength: zeros,
            fits: [0; CANDIDATES],
            order: std::array::from_fn(|at| at as u8),
        }
    }

    /// Lets candidates support each other until the ones that fit no common movement have faded.
    #[inline(always)]
    pub(super) fn relax(&mut self) {
        let mut matrix = [[0f32; CANDIDATES]; CANDIDATES];
        for (p, row) in matrix[..self.len].iter_mut().enumerate() {
            self.fit(p, row);
            let bits = row.iter().enumerate().fold(0u64, |bits, (q, &fit)| bits | u64::from(fit > 0.0) << q);
            self.fits[p] = bits & ((1 << self.len) - 1);
        }
        let share = (1.0 - RELAXATION_KEEP) / RELAXATION_PEERS;
        for _ in 0..RELAXATION_ROUNDS {
            // The matrix is symmetric, so support is added up by rows: every step is independent and runs on whole vectors.
            let mut next = self.strength.map(|own| RELAXATION_KEEP * own);
            for (row, own) in matrix[..self.len].iter().zip(&self.strength) {
                let given = share * own;
                next.iter_mut().zip(row).for_each(|(sum, fit)| *sum += fit * given);
            }
            next[self.len..].fill(0.0);
            self.strength = next;
        }
        let (strength, i, j) = (&self.strength, &self.i, &self.j);
        self.order[..self.len].sort_unstable_by(|&p, &q| {
            let (p, q) = (usize::from(p), usize::from(q));
            strength[q].total_cmp(&strength[p]).then((i[p], j[p]).cmp(&(i[q], j[q])))
        });
    }

    /// How well candidate `p` and each other fit one movement of the finger: 0 (cannot both hold) to 1. Entries beyond the last
    /// candidate mean nothing.
    #[inline(always)]
    fn fit(&self, p: usize, row: &mut [f32; CANDIDATES]) {
        for (q, fit) in row.iter_mut().enumerate() {
            let (cos, sin) = (self.cos[p] + self.cos[q], self.sin[p] + self.sin[q]);
            // |u + v|² = 2 + 2 cos(difference of turns).
            let norm = cos * cos + sin * sin;
            let twist = (4.0 - norm) * (1.0 / GLOBAL_TWIST);
            let (vx, vy) = (self.ax[q] - self.ax[p], self.ay[q] - self.ay[p]);
            let (wx, wy) = (self.bx[q] - self.bx[p], self.by[q] - self.by[p]);
            let (square_v, square_w) = (vx * vx + vy * vy, wx * wx + wy * wy);
            // Rotate the edge in the first finger by the mean turn of the two pairs, then compare it with the edge in the second.
            let (rx, ry) = (vx * cos - vy * sin, vx * sin + vy * cos);
            let dot = rx * wx + ry * wy;
            let (lv, lw) = (square_v.sqrt(), square_w.sqrt());
            let stretch = (lv - lw).abs() / (GLOBAL_LENGTH_TOLERANCE + GLOBAL_LENGTH_SHARE * 0.5 * (lv + lw));
            let scale = lv * lw * norm.sqrt() + 1e-6;
            // Short edges turn easily: some pixels of jitter count as an angle.
            let both = lv + lw + 1.0;
            let swing = (rx * wy - ry * wx).abs() * both / (scale * (GLOBAL_SINE * both + GLOBAL_JITTER));
            let close = (1.0 - stretch * stretch).max(0.0) * (1.0 - swing * swing).max(0.0);
            let long = (square_v >= EDGE_MIN * EDGE_MIN) & (square_w >= EDGE_MIN * EDGE_MIN);
            *fit = if (dot > 0.0) & long { close * (1.0 - twist).max(0.0) } else { 0.0 };
        }
    }

    /// The groups around the strongest candidates: several, because the strongest alone may be a chance likeness.
    #[inline(always)]
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        let mut seen = [0u64; ALIGNMENTS];
        let anchors = self.order[..self.len.min(ALIGNMENTS)].iter().enumerate();
        anchors.filter_map(move |(count, &anchor)| {
            let group = self.group(usize::from(anchor));
            let new = !seen[..count].contains(&group.members);
            seen[count] = group.members;
            (new && group.len() >= LEAST_SEEDS).then_some(group)
        })
    }

    /// Takes candidates from the strongest down, each minutia once, as long as they fit the anchor and most of those taken before.
    #[inline(always)]
    fn group(&self, anchor: usize) -> Group {
        let mut members = 1 << anchor;
        let (mut used_a, mut used_b) = (1u64 << self.i[anchor], 1u64 << self.j[anchor]);
        let mut support = self.strength[anchor];
        let floor = self.strength[anchor] * SEED_SHARE;
        for &at in &self.order[..self.len] {
            let at = usize::from(at);
            if self.strength[at] <= floor {
                break;
            }
            let (i, j) = (self.i[at], self.j[at]);
            let fits = self.fits[at];
            let free = used_a >> i & 1 == 0 && used_b >> j & 1 == 0;
            if free && fits >> anchor & 1 == 1 && (fits & members).count_ones() * 2 >= members.count_ones() {
                members |= 1 << at;
                used_a |= 1 << i;
                used_b |= 1 << j;
                support += self.strength[at];
            }
        }
        Group { members, support }
    }
}
