//! Ridge flow from loops and deltas.

use super::noise::Noise;
use crate::FingerPosition;
use crate::params::synthetic::*;

/// The singular points of a finger; they decide the ridge orientation everywhere (Sherlock and Monro's
/// zero-pole model).
#[derive(Clone)]
pub(super) struct Flow {
    loops: Vec<(f32, f32)>,
    deltas: Vec<(f32, f32)>,
    /// Height of the bump of a plain arch, which has no singular points.
    arch: f32,
}

impl Flow {
    /// Draws a class in the proportions of real fingers, then places its points.
    pub(super) fn draw(noise: &mut Noise, position: FingerPosition) -> Self {
        let class = noise.between(0.0, 1.0);
        let mut near =
            |x: f32, y: f32, spread: f32| (x + spread * noise.normal(), y + spread * noise.normal());
        // A loop opens towards the little finger in most fingers, so left and right hands mirror each other.
        let mirror = if position.is_right() { 1.0 } else { -1.0 };
        let (loops, deltas) = if class < SHARE_ARCH {
            (vec![], vec![])
        } else if class < SHARE_ARCH + SHARE_TENTED {
            (vec![near(0.0, 10.0, 12.0)], vec![near(0.0, -70.0, 12.0)])
        } else if class < SHARE_ARCH + SHARE_TENTED + SHARE_WHORL {
            let core = near(0.0, 25.0, 12.0);
            let gap = 22.0 + 8.0 * noise.normal();
            let mut near = |x: f32, y: f32| (x + 20.0 * noise.normal(), y + 20.0 * noise.normal());
            (vec![core, (core.0, core.1 - gap.max(6.0))], vec![near(-95.0, -90.0), near(95.0, -90.0)])
        } else {
            let common = class < SHARE_ARCH + SHARE_TENTED + SHARE_WHORL + SHARE_ULNAR;
            let side = if common { -mirror } else { mirror };
            (vec![near(0.0, 15.0, 12.0)], vec![near(85.0 * side, -95.0, 18.0)])
        };
        let arch = noise.between(0.5, 0.9);
        Self { loops, deltas, arch }
    }

    /// Ridge orientation in radians, modulo half a turn.
    pub(super) fn orientation(&self, x: f32, y: f32) -> f32 {
        if self.loops.is_empty() {
            let height = (1.2 - (y + MASTER_HALF_HEIGHT) / MASTER_HALF_HEIGHT).clamp(0.0, 1.2);
            return -(self.arch * height * (x / MASTER_HALF_WIDTH * std::f32::consts::PI).sin()).atan();
        }
        // Arguments add up when complex numbers multiply, which needs one arctangent for all points.
        let (mut re, mut im) = (1.0f32, 0.0f32);
        for (points, sign) in [(&self.loops, 1.0), (&self.deltas, -1.0)] {
            for &(px, py) in points {
                let (dx, dy) = (x - px, sign * (y - py));
                (re, im) = (re * dx - im * dy, re * dy + im * dx);
            }
        }
        0.5 * im.atan2(re)
    }

    /// How likely a minutia is here, 0 to 1: ridges begin and end where the flow bends.
    pub(super) fn density(&self, x: f32, y: f32) -> f32 {
        let nearest = self
            .loops
            .iter()
            .chain(&self.deltas)
            .map(|&(px, py)| (x - px).powi(2) + (y - py).powi(2))
            .fold(f32::INFINITY, f32::min);
        0.6 + 0.4 / (1.0 + nearest / (60.0 * 60.0))
    }
}
