//! How much the neighbourhoods of two minutiae agree.

use super::WIDTH;
use crate::descriptor::{BINS, Edge, Edges};
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
    let mut alike = Alike { count: 0, pairs: [(0, 0); ROOM] };
    for (index, edge) in a.edges.iter().enumerate() {
        let bearing_bin = usize::from(edge.bearing >> 4);
        let direction_bin = usize::from(edge.direction >> 4);
        let mut visit = |line: usize, bins: std::ops::Range<usize>| {
            let (start, end) = (b.starts[line + bins.start], b.starts[line + bins.end]);
            alike.collect(&edge, index, &b.edges, usize::from(start), usize::from(end));
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
        if alike.count > ROOM - MOST_OF_ONE {
            alike.vote(a, b, &mut votes);
        }
    }
    alike.vote(a, b, &mut votes);
    votes
}

/// Pairs of edges that are alike, by their places. Collecting them first keeps the processor from guessing, edge by edge, how many
/// there will be.
struct Alike {
    count: usize,
    pairs: [(u16, u16); ROOM],
}

/// One edge is alike with no more than all edges of the other finger, and two are written at a time.
const MOST_OF_ONE: usize = MAX_PREPARED * EDGE_COUNT + 2;
const ROOM: usize = 2 * MOST_OF_ONE;

impl Alike {
    /// Holds an edge against a run of others, sixteen at a time: most differ too much and are never looked at singly.
    #[inline(always)]
    fn collect(&mut self, edge: &Edge, index: usize, others: &Edges, start: usize, end: usize) {
        let tolerance = length_tolerance(edge);
        let mut at = start;
        while at < end {
            let [lengths, bearings, directions] = others.block(at);
            let inside = 0xffffu32 >> (LANES - (end - at).min(LANES));
            let mut alike = inside
                & lanes::within(lengths, edge.length, tolerance)
                & lanes::within_turn(bearings, edge.bearing, EDGE_ANGLE_TOLERANCE)
                & lanes::within_turn(directions, edge.direction, EDGE_ANGLE_TOLERANCE);
            // Usually there are at most two. Both places are written whether or not they are used, which is cheaper than to ask.
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
    fn vote(&mut self, a: &Prepared, b: &Prepared, votes: &mut Votes) {
        for &(index, other) in &self.pairs[..self.count] {
            let (edge, other) = (a.edges.get(usize::from(index)), b.edges.get(usize::from(other)));
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
