//! Pairs of minutiae that may be the same, and which of them fit one movement of the finger.

use super::votes::Votes;
use super::{WIDTH, ones};
use crate::lanes::{self, LANES};
use crate::params::*;
use crate::{Prepared, angle};

const _: () = assert!(CANDIDATES < u64::BITS as usize);

/// Minutiae of the first finger with minutiae of the second that they may be, number by number, so that one
/// candidate is held against many at once. By ascending turn, and once more behind the last, so that those of
/// nearly the same turn lie side by side.
pub(super) struct Candidates {
    pub(super) len: usize,
    i: [u8; CANDIDATES],
    j: [u8; CANDIDATES],
    /// Direction in the second finger minus direction in the first; a whole turn more behind the last.
    turn: [u16; TWICE],
    pub(super) ax: [f32; TWICE],
    pub(super) ay: [f32; TWICE],
    pub(super) bx: [f32; TWICE],
    pub(super) by: [f32; TWICE],
    /// The turn as a unit vector.
    cos: [f32; TWICE],
    sin: [f32; TWICE],
    pub(super) strength: [f32; CANDIDATES],
    /// Strongest first.
    order: [u8; CANDIDATES],
    /// Bit q of `fits[p]` is set where the p-th and the q-th strongest can both hold.
    fits: [u64; CANDIDATES],
}

/// Candidates that are held against one at once.
const BLOCK: usize = 8;
/// All candidates twice, and room to read a block beyond the last.
const TWICE: usize = 2 * CANDIDATES + BLOCK;
/// Two candidates, and how well they fit.
type Fit = (u8, u8, f32);
const MOST_FITS: usize = CANDIDATES * (CANDIDATES - 1) / 2 + BLOCK;

/// Candidates that fit one movement, one bit for each rank, with the sum of their strengths.
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

/// Steps in which votes are counted, the last for all that are higher.
const VOTE_STEPS: usize = 64;

#[inline(always)]
fn step_of(vote: u16) -> usize {
    usize::from((vote - MIN_VOTE) >> 2).min(VOTE_STEPS - 1)
}

/// The [`CANDIDATES`] with most votes of cells in ascending order, or all; ties go to the lower cell. `many`
/// counts them by step.
#[inline(always)]
fn strongest<'r>(ranked: &'r mut [(u16, u16)], many: &[u16; VOTE_STEPS]) -> &'r [(u16, u16)] {
    if ranked.len() <= CANDIDATES {
        return ranked;
    }
    let (mut step, mut left) = (VOTE_STEPS - 1, CANDIDATES);
    while let Some(fewer) = left.checked_sub(usize::from(many[step])) {
        (left, step) = (fewer, step - 1);
    }
    // Higher steps come first, then the step in which there are too many.
    let mut split = [(0u16, 0u16); WIDTH * WIDTH];
    let (mut above, mut within) = (0, 0);
    for at in 0..ranked.len() {
        let one = ranked[at];
        let own = step_of(one.0);
        split[within] = one;
        within += usize::from(own == step);
        ranked[above] = one;
        above += usize::from(own > step);
    }
    let within = &mut split[..within];
    within.sort_unstable_by_key(|&(vote, cell)| (std::cmp::Reverse(vote), cell));
    ranked[above..above + left].copy_from_slice(&within[..left]);
    &ranked[..CANDIDATES]
}

impl Candidates {
    /// The pairs with most votes.
    #[inline(always)]
    pub(super) fn best(votes: &Votes, a: &Prepared, b: &Prepared) -> Self {
        let mut ranked = [(0u16, 0u16); WIDTH * WIDTH];
        let mut count = 0;
        let mut many = [0u16; VOTE_STEPS];
        let (rows, _) = votes[..a.points.len() * WIDTH].as_chunks::<LANES>();
        let blocks = b.points.len().div_ceil(LANES);
        for (at, row) in rows.iter().enumerate() {
            if at % (WIDTH / LANES) >= blocks {
                continue;
            }
            for lane in ones(u64::from(lanes::at_least(row, MIN_VOTE))) {
                ranked[count] = (row[lane], (at * LANES + lane) as u16);
                many[step_of(row[lane])] += 1;
                count += 1;
            }
        }
        let ranked = strongest(&mut ranked[..count], &many);
        let mut turned = [(0u32, 0u16); CANDIDATES];
        for (turned, &(vote, cell)) in turned.iter_mut().zip(ranked.iter()) {
            let (i, j) = (usize::from(cell) / WIDTH, usize::from(cell) % WIDTH);
            let turn = b.points[j].angle.wrapping_sub(a.points[i].angle);
            *turned = (u32::from(turn) << 16 | u32::from(cell), vote);
        }
        let turned = &mut turned[..ranked.len()];
        turned.sort_unstable();
        Self::of(turned, a, b)
    }

    #[inline(always)]
    fn of(turned: &[(u32, u16)], a: &Prepared, b: &Prepared) -> Self {
        let unit = &*angle::UNIT;
        let len = turned.len();
        let mut candidates = Self::none(len);
        for (at, &(packed, vote)) in turned.iter().enumerate() {
            let (turn, cell) = ((packed >> 16) as usize, (packed & 0xffff) as usize);
            let (i, j) = (cell / WIDTH, cell % WIDTH);
            let (p, q) = (&a.points[i], &b.points[j]);
            let (cos, sin) = unit[turn];
            (candidates.i[at], candidates.j[at]) = (i as u8, j as u8);
            for (at, turn) in [(at, turn), (at + len, turn + 256)] {
                candidates.turn[at] = turn as u16;
                (candidates.ax[at], candidates.ay[at]) = (p.x, p.y);
                (candidates.bx[at], candidates.by[at]) = (q.x, q.y);
                (candidates.cos[at], candidates.sin[at]) = (cos, sin);
            }
            candidates.strength[at] = f32::from(vote) / 64.0;
        }
        candidates
    }

    fn none(len: usize) -> Self {
        let zeros = [0.0; TWICE];
        Self {
            len,
            i: [0; CANDIDATES],
            j: [0; CANDIDATES],
            turn: [0; TWICE],
            ax: zeros,
            ay: zeros,
            bx: zeros,
            by: zeros,
            cos: zeros,
            sin: zeros,
            strength: [0.0; CANDIDATES],
            fits: [0; CANDIDATES],
            order: [0; CANDIDATES],
        }
    }

    /// Lets candidates support each other until the ones that fit no common movement have faded.
    #[inline(always)]
    pub(super) fn relax(&mut self) {
        let mut fits: [Fit; MOST_FITS] = [(0, 0, 0.0); MOST_FITS];
        let count = self.collect(&mut fits);
        let fits = &fits[..count];
        let share = (1.0 - RELAXATION_KEEP) / RELAXATION_PEERS;
        for _ in 0..RELAXATION_ROUNDS {
            let mut next = self.strength.map(|own| RELAXATION_KEEP * own);
            for &(p, q, fit) in fits {
                let (p, q) = (usize::from(p), usize::from(q));
                next[p] += share * fit * self.strength[q];
                next[q] += share * fit * self.strength[p];
            }
            self.strength = next;
        }
        // A strength is not negative, so that its bits sort as it does; then come the lower cells.
        let mut ranked = [0u64; CANDIDATES];
        for (at, ranked) in ranked[..self.len].iter_mut().enumerate() {
            let cell = u64::from(self.i[at]) << 16 | u64::from(self.j[at]) << 8;
            *ranked = u64::from(!self.strength[at].to_bits()) << 32 | cell | at as u64;
        }
        ranked[..self.len].sort_unstable();
        self.order = ranked.map(|packed| packed as u8);
        let mut rank = [0u8; CANDIDATES];
        for (at, &candidate) in self.order[..self.len].iter().enumerate() {
            rank[usize::from(candidate) % CANDIDATES] = at as u8;
        }
        for &(p, q, _) in fits {
            let (p, q) = (rank[usize::from(p)], rank[usize::from(q)]);
            self.fits[usize::from(p)] |= 1 << q;
            self.fits[usize::from(q)] |= 1 << p;
        }
    }

    /// All pairs of candidates that can both hold; returns how many. Only those of nearly the same turn are
    /// looked at.
    #[inline(always)]
    fn collect(&self, fits: &mut [Fit; MOST_FITS]) -> usize {
        let (mut count, mut end) = (0, 0);
        for p in 0..self.len {
            let (start, most) = (p + 1, self.turn[p] + GLOBAL_TURN);
            end = start.max(end);
            while end < p + self.len && self.turn[end] <= most {
                end += 1;
            }
            for block in (start..end).step_by(BLOCK) {
                let mut row = [0.0; BLOCK];
                self.fit(p, block, &mut row);
                for (lane, fit) in row.into_iter().enumerate() {
                    let q = block + lane;
                    let place = if q < self.len { q } else { q - self.len };
                    if let Some(slot) = fits.get_mut(count) {
                        *slot = (p as u8, place as u8, fit);
                    }
                    count += usize::from((fit > 0.0) & (q < end));
                }
            }
        }
        count
    }

    /// How well candidate `p` and each of a block fit one movement of the finger: 0 (cannot both hold) to 1.
    #[inline(always)]
    fn fit(&self, p: usize, start: usize, row: &mut [f32; BLOCK]) {
        let block = |numbers: &[f32; TWICE]| -> [f32; BLOCK] {
            *numbers[start..].first_chunk().expect("there is room for a block beyond the last")
        };
        let (cos_q, sin_q) = (block(&self.cos), block(&self.sin));
        let (ax, ay, bx, by) = (block(&self.ax), block(&self.ay), block(&self.bx), block(&self.by));
        for (q, fit) in row.iter_mut().enumerate() {
            let (cos, sin) = (self.cos[p] + cos_q[q], self.sin[p] + sin_q[q]);
            // |u + v|² = 2 + 2 cos(difference of turns), nearly 4 here, so that this is its root to within
            // 0.001.
            let norm = cos * cos + sin * sin;
            let root = 1.0 + 0.25 * norm;
            let twist = (4.0 - norm) * (1.0 / GLOBAL_TWIST);
            let (vx, vy) = (ax[q] - self.ax[p], ay[q] - self.ay[p]);
            let (wx, wy) = (bx[q] - self.bx[p], by[q] - self.by[p]);
            let (square_v, square_w) = (vx * vx + vy * vy, wx * wx + wy * wy);
            // Rotate the edge in the first finger by the mean turn of the two pairs, then compare it with the
            // edge in the second.
            let (rx, ry) = (vx * cos - vy * sin, vx * sin + vy * cos);
            let dot = rx * wx + ry * wy;
            let (lv, lw) = (square_v.sqrt(), square_w.sqrt());
            let both = lv + lw + 1.0;
            // Short edges turn easily: some pixels of jitter count as an angle.
            let stretch_room = GLOBAL_LENGTH_TOLERANCE + GLOBAL_LENGTH_SHARE * 0.5 * (lv + lw);
            let swing_room = (lv * lw * root + 1e-6) * (GLOBAL_SINE * both + GLOBAL_JITTER);
            let share = 1.0 / (stretch_room * swing_room);
            let stretch = (lv - lw) * swing_room * share;
            let swing = (rx * wy - ry * wx) * both * stretch_room * share;
            let close = (1.0 - stretch * stretch).max(0.0) * (1.0 - swing * swing).max(0.0);
            let long = (square_v >= EDGE_MIN * EDGE_MIN) & (square_w >= EDGE_MIN * EDGE_MIN);
            *fit = if (dot > 0.0) & long { close * (1.0 - twist).max(0.0) } else { 0.0 };
        }
    }

    /// The groups around the strongest candidates: several, because the strongest alone may be a chance
    /// likeness.
    #[inline(always)]
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        let mut seen = [0u64; ALIGNMENTS];
        (0..self.len.min(ALIGNMENTS)).filter_map(move |anchor| {
            let group = self.group(anchor);
            let new = !seen[..anchor].contains(&group.members);
            seen[anchor] = group.members;
            (new && group.len() >= LEAST_SEEDS).then_some(group)
        })
    }

    /// Takes candidates from the strongest down, each minutia once, as long as they fit the anchor and most
    /// of those taken before.
    #[inline(always)]
    fn group(&self, anchor: usize) -> Group {
        let own = self.place(anchor);
        let mut members = 1u64 << anchor;
        let (mut used_a, mut used_b) = (1u64 << self.i[own], 1u64 << self.j[own]);
        let mut support = self.strength[own];
        let floor = support * SEED_SHARE;
        for rank in ones(self.fits[anchor]) {
            let at = self.place(rank);
            if self.strength[at] <= floor {
                break;
            }
            let (i, j) = (self.i[at], self.j[at]);
            let free = used_a >> i & 1 == 0 && used_b >> j & 1 == 0;
            if free && (self.fits[rank] & members).count_ones() * 2 >= members.count_ones() {
                members |= 1 << rank;
                used_a |= 1 << i;
                used_b |= 1 << j;
                support += self.strength[at];
            }
        }
        Group { members, support }
    }

    /// Where the candidate of a rank is.
    #[inline(always)]
    pub(super) fn place(&self, rank: usize) -> usize {
        usize::from(self.order[rank]) % CANDIDATES
    }
}
