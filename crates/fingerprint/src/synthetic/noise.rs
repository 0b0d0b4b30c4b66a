use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Random draws in the shapes this module needs, from a seed and a stream number.
pub(super) struct Noise(ChaCha8Rng);

impl Noise {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.random::<f32>()
    }

    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.0.random::<f32>() < probability
    }

    /// Mean 0, deviation 1, never beyond 3.5: the sum of four uniform draws, which is quick and has no wild
    /// tail.
    pub(super) fn normal(&mut self) -> f32 {
        let bits: u64 = self.0.random();
        let sum = (0..4).map(|part| (bits >> (16 * part) & 0xffff) as f32).sum::<f32>();
        (sum / 65_535.0 - 2.0) * 1.732_050_8
    }

    pub(super) fn in_ellipse(&mut self, half_width: f32, half_height: f32) -> (f32, f32) {
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            if x * x + y * y <= 1.0 {
                return (x * half_width, y * half_height);
            }
        }
    }
}
