//! Angles as bytes: one turn is 256, so that differences wrap by themselves.

use std::f32::consts::TAU;
use std::sync::LazyLock;

/// Cosine and sine of every byte angle, y upwards.
pub(crate) static UNIT: LazyLock<[(f32, f32); 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let (sin, cos) = (byte as f32 * TAU / 256.0).sin_cos();
        (cos, sin)
    })
});

/// The smaller way round between two byte angles, 0 to 128.
#[inline(always)]
pub(crate) fn distance(a: u8, b: u8) -> u8 {
    let d = a.wrapping_sub(b);
    d.min(d.wrapping_neg())
}

/// The byte angle of the vector (dx, dy), y upwards; error below 0.3 byte.
///
/// A polynomial, because preparing a template takes hundreds of these and `atan2` would be most of its cost.
#[inline(always)]
pub(crate) fn of_vector(dx: f32, dy: f32) -> u8 {
    let (ax, ay) = (dx.abs(), dy.abs());
    let (low, high) = if ax < ay { (ax, ay) } else { (ay, ax) };
    let t = low / high.max(1e-9);
    let s = t * t;
    // Minimax fit of atan on [0, 1], in turns of 256.
    let mut turn = ((-0.046_496_5 * s + 0.159_314_2) * s - 0.327_622_8) * s * t + t;
    turn *= 256.0 / TAU;
    if ax < ay {
        turn = 64.0 - turn;
    }
    if dx < 0.0 {
        turn = 128.0 - turn;
    }
    if dy < 0.0 {
        turn = -turn;
    }
    (turn + 256.5) as i32 as u8
}
