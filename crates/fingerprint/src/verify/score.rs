//! One number for how sure it is that two fingers are one.

use super::WIDTH;
use super::align::{Aligned, Mates, Surface};
use crate::MinutiaKind;
use crate::params::*;

/// The score of two fingers whose best alignment is so poor that the steps after it are left out: what
/// strangers with such an alignment reach on average. `None` where it is good enough to go on.
#[inline(always)]
pub(super) fn hopeless(surface: &Surface<'_>, worth: f32) -> Option<f32> {
    let smaller = surface.a.points.len().min(surface.b.points.len()) as f32;
    let hope = worth.ln_1p() - HOPE_COUNT * smaller.ln_1p();
    (hope < LEAST_HOPE).then(|| HOPELESS_SCORE * (HOPELESS_SLOPE * (hope - LEAST_HOPE)).exp())
}

/// Logarithm of the odds from four figures ([`SCORE_WEIGHTS`]), bent so that it ends at 0 below.
#[inline(always)]
pub(super) fn score(surface: &Surface<'_>, aligned: &Aligned, mates: &Mates) -> f32 {
    let (a, b) = (surface.a, surface.b);
    let smaller = a.points.len().min(b.points.len()) as f32;
    let figures = [
        evidence(surface, aligned, mates).ln_1p(),
        smaller.ln_1p(),
        kinds(surface, mates),
        (aligned.group.len() as f32).ln_1p(),
    ];
    let odds =
        SCORE_WEIGHTS.iter().zip(figures).fold(SCORE_OFFSET, |sum, (weight, figure)| sum + weight * figure);
    // ln(1 + e^x) without an overflow: x itself where x is large.
    SCORE_SCALE * (odds.max(0.0) + (-odds.abs()).exp().ln_1p())
}

/// Mates times the share of the common area's minutiae that they are; the better a minutia's quality, the
/// more it counts in both.
#[inline(always)]
fn evidence(surface: &Surface<'_>, aligned: &Aligned, mates: &Mates) -> f32 {
    let (a, b) = (surface.a, surface.b);
    let weigh = |mate: &super::align::Mate| {
        mate.fit * a.weights[usize::from(mate.i)] * b.weights[usize::from(mate.j)]
    };
    let weighed: f32 = mates.pairs().iter().map(weigh).sum();
    let hull_a = corners(&a.hull, &aligned.x, &aligned.y);
    let hull_b = corners(&b.hull, &surface.bx, &surface.by);
    let in_b = inside(hull_b, &aligned.x, &aligned.y, &a.weights);
    let in_a = inside(hull_a, &surface.bx, &surface.by, &b.weights);
    weighed * mates.fit() / (in_a.max(LEAST_COMMON) * in_b.max(LEAST_COMMON)).sqrt()
}

/// How much more mates agree than differ in whether the ridge ends or forks, -1 to 1. Extractors often err
/// here, so it weighs little.
#[inline(always)]
fn kinds(surface: &Surface<'_>, mates: &Mates) -> f32 {
    let (mut equal, mut other) = (0.0, 0.0);
    for mate in mates.pairs() {
        let p = surface.a.points[usize::from(mate.i)].kind;
        let q = surface.b.points[usize::from(mate.j)].kind;
        if p != MinutiaKind::Other && q != MinutiaKind::Other {
            if p == q { equal += 1.0 } else { other += 1.0 }
        }
    }
    (equal - other) / (equal + other + 2.0)
}

#[inline(always)]
fn corners(hull: &[u8], x: &[f32; WIDTH], y: &[f32; WIDTH]) -> impl Iterator<Item = (f32, f32)> + Clone {
    hull.iter().map(|&corner| (x[usize::from(corner)], y[usize::from(corner)]))
}

/// The weight of the minutiae inside a hull whose corners go counter-clockwise, or not far outside.
#[inline(always)]
fn inside(
    corners: impl Iterator<Item = (f32, f32)> + Clone,
    x: &[f32; WIDTH],
    y: &[f32; WIDTH],
    weights: &[f32],
) -> f32 {
    let mut depth = [HULL_MARGIN; WIDTH];
    let next = corners.clone().cycle().skip(1);
    for ((fx, fy), (tx, ty)) in corners.zip(next) {
        let (ex, ey) = (tx - fx, ty - fy);
        let length = (ex * ex + ey * ey).sqrt().max(1e-6);
        let (ex, ey) = (ex / length, ey / length);
        for index in 0..WIDTH {
            let left = ex * (y[index] - fy) - ey * (x[index] - fx);
            depth[index] = depth[index].min(left + HULL_MARGIN);
        }
    }
    weights.iter().zip(depth).map(|(&weight, depth)| if depth >= 0.0 { weight } else { 0.0 }).sum()
}
