//! Fingers of people who do not exist, for demonstrations, simulations and tests.
//!
//! A [`Master`] is all the minutiae a finger has; an impression is what one capture sees of them. Everything
//! follows from seeds. Figures follow the published statistics of SFinGe (Maltoni et al., *Handbook of
//! Fingerprint Recognition*, chapter 7) and were then adjusted until scores looked like those of the FVC2002
//! captures (see the crate's front page).

mod flow;
mod impression;
mod noise;

use std::f32::consts::PI;
use std::fmt;

use crate::params::synthetic::*;
use crate::{FingerPosition, MinutiaKind};
use flow::Flow;
use noise::Noise;

pub use impression::Condition;

/// A whole finger that does not exist.
#[derive(Clone)]
pub struct Master {
    position: FingerPosition,
    flow: Flow,
    /// 0 (worn, dry) to 1 (crisp); shared by a person's fingers.
    skin: f32,
    minutiae: Vec<MasterMinutia>,
}

/// Coordinates in pixels from the middle of the finger, y upwards.
#[derive(Clone, Copy)]
struct MasterMinutia {
    x: f32,
    y: f32,
    /// Radians.
    direction: f32,
    kind: MinutiaKind,
    /// 0 (easily overlooked) to 1 (always seen).
    salience: f32,
}

impl Master {
    /// A finger of its own, with average skin. For ten fingers of one person use [`person_masters`].
    pub fn generate(seed: u64, position: FingerPosition) -> Self {
        Self::with_skin(seed, position, SKIN.0)
    }

    /// The finger that every impression of it is filed under.
    pub fn position(&self) -> FingerPosition {
        self.position
    }

    fn with_skin(seed: u64, position: FingerPosition, skin: f32) -> Self {
        let mut noise = Noise::new(seed, u64::from(position.code()));
        let flow = Flow::draw(&mut noise, position);
        let wanted = noise.between(MASTER_MINUTIAE.0, MASTER_MINUTIAE.1) as usize;
        let mut minutiae: Vec<MasterMinutia> = Vec::with_capacity(wanted);
        let spacing = noise.between(MASTER_SPACING.0, MASTER_SPACING.1);
        // The bound keeps a crowded finger from looping for ever; it is reached about never.
        for _ in 0..wanted * 8 {
            if minutiae.len() == wanted {
                break;
            }
            let (x, y) = noise.in_ellipse(MASTER_HALF_WIDTH, MASTER_HALF_HEIGHT);
            if !noise.chance(flow.density(x, y)) {
                continue;
            }
            let room = |m: &MasterMinutia| (m.x - x).powi(2) + (m.y - y).powi(2) >= spacing * spacing;
            if minutiae.iter().all(room) {
                let half_turn = if noise.chance(0.5) { PI } else { 0.0 };
                let direction = flow.orientation(x, y) + half_turn + noise.normal() * DIRECTION_SIGMA;
                let kind = if noise.chance(0.55) { MinutiaKind::Ending } else { MinutiaKind::Bifurcation };
                let salience = noise.between(0.0, 1.0);
                minutiae.push(MasterMinutia { x, y, direction, kind, salience });
            }
        }
        Self { position, flow, skin, minutiae }
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Master({:?}, redacted)", self.position)
    }
}

/// The ten fingers of one person, in code order. Their skin is alike: who has one worn finger usually has
/// ten.
pub fn person_masters(seed: u64) -> [Master; 10] {
    let skins = skins(seed);
    std::array::from_fn(|index| Master::with_skin(seed, FingerPosition::ALL[index], skins[index]))
}

/// Some of the fingers of [`person_masters`], without making the others.
///
/// # Panics
/// On an unknown position.
pub fn some_masters(seed: u64, positions: &[FingerPosition]) -> Vec<Master> {
    let skins = skins(seed);
    let skin = |position: FingerPosition| skins[usize::from(position.code()) - 1];
    positions.iter().map(|&position| Master::with_skin(seed, position, skin(position))).collect()
}

fn skins(seed: u64) -> [f32; 10] {
    let mut noise = Noise::new(seed, 0);
    let skin = SKIN.0 + SKIN.1 * noise.normal();
    std::array::from_fn(|_| (skin + SKIN.2 * noise.normal()).clamp(0.05, 1.0))
}
