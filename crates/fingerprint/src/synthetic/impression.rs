//! What one capture sees of a finger.

use std::f32::consts::TAU;

use super::noise::Noise;
use super::{Master, MasterMinutia};
use crate::params::synthetic::*;
use crate::{Capture, Impression, Minutia, MinutiaKind, Template};

/// Under which circumstances a finger is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// At a station, by a trained officer; about one capture in twenty is bad all the same.
    Station,
    /// Without guidance, as the volunteers of the FVC2002 collection were asked to: turned, shifted, dry and
    /// wet.
    Unguided,
    /// A wet, dirty or slipping finger: two minutiae in five are lost.
    Bad,
}

/// How far a capture strays from its master.
struct Drift {
    shift: f32,
    drop: f32,
    spurious: f32,
    jitter: f32,
    turn_jitter: f32,
    clarity: f32,
    smallest_view: f32,
}

impl Drift {
    fn draw(noise: &mut Noise, condition: Condition, skin: f32) -> Self {
        let bad = condition == Condition::Bad || noise.chance(BAD_SHARE);
        let unguided = condition == Condition::Unguided;
        // One figure for how well this capture went, so that all its faults come together as they do in life.
        let spread = if unguided { 0.15 } else { 0.06 };
        let floor = if unguided || bad { 0.0 } else { STATION_CLARITY };
        let clarity = (skin + spread * noise.normal() - if bad { 0.35 } else { 0.0 }).clamp(floor, 1.0);
        let fault = 1.0 - clarity;
        let far = if unguided && noise.chance(SHIFT_TAIL_SHARE) { 2.0 } else { 1.0 };
        Self {
            shift: far * SHIFT_SIGMA,
            drop: if bad { 0.40 } else { 0.06 + 0.36 * fault },
            spurious: 0.06 + 0.35 * fault,
            jitter: JITTER * (0.6 + 1.2 * fault),
            turn_jitter: TURN_JITTER * (0.6 + 1.2 * fault),
            clarity,
            smallest_view: if unguided { SMALLEST_VIEW_UNGUIDED } else { SMALLEST_VIEW },
        }
    }
}

impl Master {
    /// One capture. The same seed gives the same capture; different fingers may share a seed.
    pub fn impression(&self, seed: u64, condition: Condition) -> Template {
        let mut noise = Noise::new(seed, 0x100 + u64::from(self.position().code()));
        let drift = Drift::draw(&mut noise, condition, self.skin);
        let view = View::draw(&mut noise, &drift);
        let mut minutiae = Vec::with_capacity(self.minutiae.len());
        for minutia in &self.minutiae {
            // The mean over saliences is `drop`; the plainest minutiae are hardly ever lost.
            let lost = drift.drop * (1.9 - 1.8 * minutia.salience);
            if view.shows(minutia.x, minutia.y) && !noise.chance(lost) {
                let seen = blur(&mut noise, minutia, &drift);
                let quality = 25.0 + 45.0 * drift.clarity + 30.0 * minutia.salience + 9.0 * noise.normal();
                minutiae.extend(view.place(&seen, quality));
            }
        }
        let invented = (minutiae.len() as f32 * drift.spurious).round() as usize;
        for _ in 0..invented {
            let minutia = self.invent(&mut noise, &view);
            let quality = 25.0 + 40.0 * drift.clarity + 14.0 * noise.normal();
            minutiae.extend(view.place(&minutia, quality));
        }
        let quality = (100.0 * drift.clarity).clamp(1.0, 100.0) as u8;
        let capture = Capture {
            position: self.position(),
            impression: Impression::LiveScanPlain,
            quality,
            width: IMAGE_WIDTH,
            height: IMAGE_HEIGHT,
        };
        Template::new(capture, minutiae).expect("placed minutiae lie inside the image")
    }

    /// A minutia that is not there: mostly at the edge of the contact area, where the print breaks up.
    fn invent(&self, noise: &mut Noise, view: &View) -> MasterMinutia {
        let (dx, dy) = if noise.chance(0.6) {
            let (sin, cos) = (noise.between(0.0, TAU)).sin_cos();
            let out = noise.between(0.8, 1.0);
            (cos * out * view.half_width, sin * out * view.half_height)
        } else {
            noise.in_ellipse(view.half_width, view.half_height)
        };
        let (x, y) = (view.x + dx, view.y + dy);
        let half_turn = if noise.chance(0.5) { TAU / 2.0 } else { 0.0 };
        let direction = self.flow.orientation(x, y) + half_turn + DIRECTION_SIGMA * noise.normal();
        let kind = if noise.chance(0.7) { MinutiaKind::Ending } else { MinutiaKind::Bifurcation };
        MasterMinutia { x, y, direction, kind, salience: 0.0 }
    }
}

fn blur(noise: &mut Noise, minutia: &MasterMinutia, drift: &Drift) -> MasterMinutia {
    // A faint ridge is measured less surely than a plain one.
    let faint = 1.25 - 0.5 * minutia.salience;
    let flipped = match minutia.kind {
        MinutiaKind::Ending => MinutiaKind::Bifurcation,
        MinutiaKind::Bifurcation | MinutiaKind::Other => MinutiaKind::Ending,
    };
    MasterMinutia {
        x: minutia.x + faint * drift.jitter * noise.normal(),
        y: minutia.y + faint * drift.jitter * noise.normal(),
        direction: minutia.direction + faint * drift.turn_jitter * noise.normal(),
        kind: if noise.chance(TYPE_FLIP) { flipped } else { minutia.kind },
        salience: minutia.salience,
    }
}

/// Where the finger touches the glass, how it is turned and how the skin is stretched.
struct View {
    x: f32,
    y: f32,
    half_width: f32,
    half_height: f32,
    sin: f32,
    cos: f32,
    turn: f32,
    /// Second-order displacement: pixels at the edge of the contact area for x², xy and y², in x and in y.
    bend: [f32; 6],
}

impl View {
    fn draw(noise: &mut Noise, drift: &Drift) -> Self {
        let tail = if noise.chance(TURN_TAIL_SHARE) { 2.5 } else { 1.0 };
        let turn = (TURN_SIGMA * tail * noise.normal()).clamp(-TURN_LIMIT, TURN_LIMIT);
        let (sin, cos) = turn.sin_cos();
        let amount = noise.between(BEND.0, BEND.1) * 0.6;
        let bend = std::array::from_fn(|_| amount * noise.normal());
        let size = noise.between(drift.smallest_view, 1.0);
        Self {
            x: drift.shift * noise.normal(),
            y: drift.shift * 1.2 * noise.normal(),
            half_width: MASTER_HALF_WIDTH * size,
            half_height: MASTER_HALF_HEIGHT * size,
            sin,
            cos,
            turn,
            bend,
        }
    }

    fn shows(&self, x: f32, y: f32) -> bool {
        ((x - self.x) / self.half_width).powi(2) + ((y - self.y) / self.half_height).powi(2) <= 1.0
    }

    /// The minutia in image coordinates, or nothing when it falls outside the image.
    fn place(&self, minutia: &MasterMinutia, quality: f32) -> Option<Minutia> {
        let (dx, dy) = (minutia.x - self.x, minutia.y - self.y);
        let (u, v) = (dx / self.half_width, dy / self.half_height);
        let [xx, xy, yy, xx2, xy2, yy2] = self.bend;
        let dx = dx + xx * u * u + xy * u * v + yy * v * v;
        let dy = dy + xx2 * u * u + xy2 * u * v + yy2 * v * v;
        // The glass is where the finger touches, so most of the shift stays invisible in the image.
        let x = self.cos * dx - self.sin * dy + 0.3 * self.x + f32::from(IMAGE_WIDTH) / 2.0;
        let y = f32::from(IMAGE_HEIGHT) / 2.0 - (self.sin * dx + self.cos * dy + 0.3 * self.y);
        let inside =
            (0.0..f32::from(IMAGE_WIDTH - 1)).contains(&x) && (0.0..f32::from(IMAGE_HEIGHT - 1)).contains(&y);
        inside.then(|| Minutia {
            x: x.round() as u16,
            y: y.round() as u16,
            angle: ((minutia.direction + self.turn) * 256.0 / TAU).round() as i32 as u8,
            kind: minutia.kind,
            quality: quality.clamp(1.0, 100.0) as u8,
        })
    }
}
