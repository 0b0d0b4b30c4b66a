//! How much the neighbourhoods of two minutiae agree.

use super::WIDTH;
use crate::descriptor::{Edge, Edges};
use crate::lanes::{self, LANES};
use crate::params::*;
use crate::{Prepared, angle};

/// One row per minutia of the first finger, one column per minutia of the second.
pub(super) type Votes = [u16; WIDTH * WIDTH];

/// The vote of two equal edges; each of three differences takes up to [`OFF`] away.
const EQUAL: u8 = 64;
const OFF: u8 = 12;
/// No tolerance is as large.
const MOST: usize = 16;

const _: () = assert!((EDGE_ANGLE_TOLERANCE as usize) < MOST);
const _: () = assert!(LENGTH_TOLERANCE + LENGTH_TOLERANCE_SHARE * EDGE_RADIUS < MOST as f32);

/// For every pair of minutiae the votes of all pairs of edges within tolerance.
#[inline(always)]
pub(super) fn local(a: &Prepared, b: &Prepared) -> Votes {
    let mut votes = [0; WIDTH * WIDTH];
    by_sixteens(&a.edges, &b.edges, &mut votes);
    votes
}

#[inline(always)]
fn by_sixteens(a: &Edges, b: &Edges, votes: &mut Votes) {
    let mut alike = Alike { count: 0, pairs: [(0, 0); ROOM] };
    for (index, edge) in a.iter().enumerate() {
        for (start, end) in b.windows(edge.bearing) {
            alike.collect(&edge, index, b, start, end);
        }
        if alike.count > ROOM - MOST_OF_ONE {
            alike.vote(a, b, votes);
        }
    }
    alike.vote(a, b, votes);
}

/// Pairs of edges that are alike, by their places. Collecting them first keeps the processor from guessing,
/// edge by edge, how many there will be.
struct Alike {
    count: usize,
    pairs: [(u16, u16); ROOM],
}

/// One edge is alike with no more than all edges of the other finger, and two are written at a time.
const MOST_OF_ONE: usize = MAX_PREPARED * EDGE_COUNT + 2;
const ROOM: usize = 2 * MOST_OF_ONE;

impl Alike {
    /// Holds an edge against a run of others, sixteen at a time: most differ too much and are never looked at
    /// singly.
    #[inline(always)]
    fn collect(&mut self, edge: &Edge, index: usize, others: &Edges, start: usize, end: usize) {
        let tolerance = length_tolerance(edge);
        let mut at = start;
        while at < end {
            let [lengths, directions] = others.block(at);
            let inside = 0xffffu32 >> (LANES - (end - at).min(LANES));
            let mut alike = inside
                & lanes::within(lengths, edge.length, tolerance)
                & lanes::within_turn(directions, edge.direction, EDGE_ANGLE_TOLERANCE);
            // Usually there are at most two. Both places are written whether or not they are used, which is
            // cheaper than to ask.
            loop {
                let first = at + alike.trailing_zeros() as usize;
                let rest = alike & alike.wrapping_sub(1);
                let second = at + rest.trailing_zeros() as usize;
                if let Some([one, two]) = self.pairs.get_mut(self.count..self.count + 2) {
                    *one = (index as u16, first as u16);
                    *two = (index as u16, second as u16);
                }
                self.count += alike.count_ones().min(2) as usize;
                alike = rest & rest.wrapping_sub(1);
                if alike == 0 {
                    break;
                }
            }
            at += LANES;
        }
    }

    /// Turns the pairs into votes and forgets them.
    #[inline(always)]
    fn vote(&mut self, a: &Edges, b: &Edges, votes: &mut Votes) {
        for &(index, other) in &self.pairs[..self.count] {
            let (edge, other) = (a.get(usize::from(index)), b.get(usize::from(other)));
            let length = usize::from(edge.length.abs_diff(other.length)) % MOST;
            let off = OFF_BY[usize::from(length_tolerance(&edge)) % MOST][length]
                + OFF_BY_ANGLE[usize::from(angle::distance(edge.bearing, other.bearing)) % MOST]
                + OFF_BY_ANGLE[usize::from(angle::distance(edge.direction, other.direction)) % MOST];
            let cell = usize::from(edge.from) * WIDTH + usize::from(other.from);
            votes[cell % (WIDTH * WIDTH)] += u16::from(EQUAL - off);
        }
        self.count = 0;
    }
}

/// The same with AVX-512, which holds an edge against 64 others at once, computes all their votes and keeps
/// those that are alike without a branch.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(super) fn local_avx512(a: &Prepared, b: &Prepared) -> Votes {
    use std::arch::x86_64::*;
    let (a, b) = (&*a.edges, &*b.edges);
    let mut votes = [0; WIDTH * WIDTH];
    let mut found = Found { rows: [0; ROOM_WIDE], columns: [0; ROOM_WIDE], votes: [0; ROOM_WIDE], count: 0 };
    // SAFETY: a window ends no later than the last edge, and the arrays are longer by a whole vector; what is
    // found is counted up to 64 at a time and handed on while there is room for one more vector; all tables
    // have 16 bytes.
    unsafe {
        let table = |entries: &[u8; MOST]| _mm512_broadcast_i32x4(_mm_loadu_si128(entries.as_ptr().cast()));
        let (off_by_angle, zero) = (table(&OFF_BY_ANGLE), _mm512_setzero_si512());
        let most_turn = _mm512_set1_epi8(EDGE_ANGLE_TOLERANCE as i8);
        let equal = _mm512_set1_epi8(EQUAL as i8);
        let load = |numbers: &[u8], at: usize| _mm512_loadu_si512(numbers.as_ptr().add(at).cast());
        for edge in a.iter() {
            let tolerance = length_tolerance(&edge);
            let off_by_length = table(&OFF_BY[usize::from(tolerance) % MOST]);
            let tolerance = _mm512_set1_epi8(tolerance as i8);
            let row = _mm512_set1_epi8(edge.from as i8);
            let (length, bearing, direction) = (
                _mm512_set1_epi8(edge.length as i8),
                _mm512_set1_epi8(edge.bearing as i8),
                _mm512_set1_epi8(edge.direction as i8),
            );
            for (start, end) in b.windows(edge.bearing) {
                let mut at = start;
                while at < end {
                    let inside = u64::MAX >> (64 - (end - at).min(64));
                    let lengths = load(&b.lengths, at);
                    let longer =
                        _mm512_or_si512(_mm512_subs_epu8(lengths, length), _mm512_subs_epu8(length, lengths));
                    let turn = |numbers: &[u8], own: __m512i| {
                        let turn = _mm512_sub_epi8(load(numbers, at), own);
                        _mm512_min_epu8(turn, _mm512_sub_epi8(zero, turn))
                    };
                    let (swing, twist) = (turn(&b.bearings, bearing), turn(&b.directions, direction));
                    let alike = _mm512_mask_cmple_epu8_mask(inside, longer, tolerance);
                    let alike = _mm512_mask_cmple_epu8_mask(alike, twist, most_turn);
                    let off = _mm512_add_epi8(
                        _mm512_shuffle_epi8(off_by_length, longer),
                        _mm512_add_epi8(
                            _mm512_shuffle_epi8(off_by_angle, swing),
                            _mm512_shuffle_epi8(off_by_angle, twist),
                        ),
                    );
                    let given = _mm512_maskz_compress_epi8(alike, _mm512_sub_epi8(equal, off));
                    let columns = _mm512_maskz_compress_epi8(alike, load(&b.from, at));
                    let place =
                        |room: &mut [u8; ROOM_WIDE]| room.as_mut_ptr().add(found.count).cast::<__m512i>();
                    let (r, c, v) =
                        (place(&mut found.rows), place(&mut found.columns), place(&mut found.votes));
                    _mm512_storeu_si512(r, row);
                    _mm512_storeu_si512(c, columns);
                    _mm512_storeu_si512(v, given);
                    found.count += alike.count_ones() as usize;
                    if found.count > ROOM_WIDE - 64 {
                        found.vote(&mut votes);
                    }
                    at += 64;
                }
            }
        }
    }
    found.vote(&mut votes);
    votes
}

/// Votes that are not yet added up: of which row, of which column, how much.
#[cfg(target_arch = "x86_64")]
struct Found {
    rows: [u8; ROOM_WIDE],
    columns: [u8; ROOM_WIDE],
    votes: [u8; ROOM_WIDE],
    count: usize,
}

#[cfg(target_arch = "x86_64")]
const ROOM_WIDE: usize = 2_048;

#[cfg(target_arch = "x86_64")]
impl Found {
    #[inline(always)]
    fn vote(&mut self, votes: &mut Votes) {
        let all =
            self.rows[..self.count].iter().zip(&self.columns[..self.count]).zip(&self.votes[..self.count]);
        for ((&row, &column), &vote) in all {
            votes[(usize::from(row) * WIDTH + usize::from(column)) % (WIDTH * WIDTH)] += u16::from(vote);
        }
        self.count = 0;
    }
}

#[inline(always)]
fn length_tolerance(edge: &Edge) -> u8 {
    (LENGTH_TOLERANCE + LENGTH_TOLERANCE_SHARE * f32::from(edge.length)) as u8
}

/// What a difference takes away, by tolerance and difference.
const OFF_BY: [[u8; MOST]; MOST] = {
    let mut table = [[0; MOST]; MOST];
    let mut tolerance = 1;
    while tolerance < MOST {
        let mut difference = 0;
        while difference <= tolerance {
            table[tolerance][difference] = (difference * OFF as usize / tolerance) as u8;
            difference += 1;
        }
        tolerance += 1;
    }
    table
};

const OFF_BY_ANGLE: [u8; MOST] = OFF_BY[EDGE_ANGLE_TOLERANCE as usize];
