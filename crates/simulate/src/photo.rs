//! Portraits of nobody: flat shapes drawn from a seed, as JPEG of the size an enrolment takes.
//!
//! Good enough to fill a packet, a page and a card with a picture that differs from person to person and
//! stays the same for one person; far from a face that any matcher would take for one.

use jpeg_encoder::{ColorType, Encoder};

use crate::error::SimulateError;
use crate::stream::{Stream, Streams};
use domain::Sex;

/// Pixels across a portrait.
pub const WIDTH: usize = 240;
/// Pixels down a portrait.
pub const HEIGHT: usize = 360;

/// Chosen so that a portrait has 6 to 12 kB.
const QUALITY: u8 = 87;

/// Draws the portrait that belongs to `seed` (for example [`crate::TruthId::seed`]) and encodes it: baseline
/// JPEG, 240×360, RGB: two to three as the photo on the card, and 305 dpi in its 20 × 30 mm. `age` in full
/// years greys the hair.
///
/// # Errors
/// [`SimulateError::Portrait`] if the encoder refuses, which it does for sizes other than this one only.
pub fn portrait(seed: u64, sex: Sex, age: u8) -> Result<Vec<u8>, SimulateError> {
    let mut stream = Streams::new(seed, b"portrait").stream(0);
    let mut canvas = Canvas::new(pick(&mut stream, &BACKGROUNDS));
    draw(&mut canvas, &mut stream, sex, age);
    canvas.grain(&mut stream);
    let mut jpeg = Vec::with_capacity(16 << 10);
    Encoder::new(&mut jpeg, QUALITY)
        .encode(&canvas.pixels, WIDTH as u16, HEIGHT as u16, ColorType::Rgb)
        .map_err(|source| SimulateError::Portrait { source })?;
    Ok(jpeg)
}

type Colour = [u8; 3];

const BACKGROUNDS: [Colour; 3] = [[236, 240, 246], [222, 232, 244], [246, 246, 244]];
const SKINS: [Colour; 5] =
    [[240, 206, 172], [229, 190, 152], [214, 170, 130], [198, 152, 112], [178, 132, 96]];
const CLOTHES: [Colour; 7] =
    [[40, 52, 80], [120, 30, 40], [240, 240, 240], [60, 90, 70], [90, 80, 110], [30, 30, 34], [170, 140, 90]];
const HAIRS: [Colour; 3] = [[24, 20, 20], [44, 32, 26], [36, 30, 40]];
const GREY: Colour = [178, 178, 180];

fn pick(stream: &mut Stream, colours: &[Colour]) -> Colour {
    colours[stream.below(colours.len() as u32) as usize]
}

fn draw(canvas: &mut Canvas, stream: &mut Stream, sex: Sex, age: u8) {
    let skin = pick(stream, &SKINS);
    let cloth = pick(stream, &CLOTHES);
    let grey = f32::from(age.saturating_sub(40).min(40)) / 40.0;
    let hair = mix(pick(stream, &HAIRS), GREY, grey);
    let (x, y) = (120.0 + spread(stream, 4.0), 158.0 + spread(stream, 6.0));
    let (width, height) = (56.0 + spread(stream, 8.0), 76.0 + spread(stream, 8.0));
    let long_hair = sex == Sex::Female && stream.chance(0.75);

    if long_hair {
        canvas.ellipse(x, y + 30.0, width + 22.0, height + 34.0, hair);
    } else {
        canvas.ellipse(x, y - 14.0, width + 8.0, height - 2.0, hair);
    }
    canvas.ellipse(x, 366.0, 108.0 + spread(stream, 12.0), 92.0 + spread(stream, 10.0), cloth);
    canvas.rectangle(x - 22.0, y + height - 20.0, 44.0, 52.0, mix(skin, [0, 0, 0], 0.12));
    canvas.ellipse(x, y + height + 32.0, 26.0, 16.0, mix(skin, [0, 0, 0], 0.12));
    for side in [-1.0, 1.0] {
        canvas.ellipse(x + side * width, y + 6.0, 8.0, 15.0, mix(skin, [0, 0, 0], 0.06));
    }
    canvas.ellipse(x, y, width, height, skin);
    let fringe = 14.0 + spread(stream, 8.0);
    canvas.cap(x, y - 4.0, width + 3.0, height + 3.0, y - height * 0.5 + fringe, hair);
    features(canvas, stream, skin, hair, (x, y), (width, height), age);
}

fn features(
    canvas: &mut Canvas,
    stream: &mut Stream,
    skin: Colour,
    hair: Colour,
    (x, y): (f32, f32),
    (width, height): (f32, f32),
    age: u8,
) {
    let apart = width * (0.40 + spread(stream, 0.05));
    let level = y + 2.0 + spread(stream, 4.0);
    let (eye_width, eye_height) = (10.0 + spread(stream, 2.0), 4.5 + spread(stream, 1.2));
    let brow = 11.0 + spread(stream, 3.0);
    for side in [-1.0, 1.0] {
        let eye = x + side * apart;
        canvas.ellipse(eye, level, eye_width, eye_height, [250, 250, 248]);
        canvas.ellipse(eye, level, eye_height - 0.5, eye_height - 0.5, [40, 28, 22]);
        canvas.rectangle(eye - 11.0, level - brow - 3.0, 22.0, 3.0, hair);
    }
    let shade = mix(skin, [90, 40, 20], 0.25);
    canvas.ellipse(x, level + 26.0, 7.0 + spread(stream, 2.5), 5.0 + spread(stream, 1.5), shade);
    canvas.rectangle(x - 2.0, level + 6.0, 4.0, 18.0, mix(skin, shade, 0.5));
    canvas.ellipse(
        x,
        y + height * 0.58,
        17.0 + spread(stream, 5.0),
        4.0 + spread(stream, 1.5),
        [172, 84, 82],
    );
    if age > 50 {
        for side in [-1.0, 1.0] {
            canvas.rectangle(x + side * width * 0.55 - 1.0, level + 22.0, 2.0, 20.0, mix(skin, shade, 0.5));
        }
    }
    if stream.chance(0.15) {
        let (mole_x, mole_y) = (x + spread(stream, width * 0.6), y + 20.0 + spread(stream, 30.0));
        canvas.ellipse(mole_x, mole_y, 2.4, 2.4, [70, 46, 40]);
    }
}

/// Uniform in ±`reach`.
fn spread(stream: &mut Stream, reach: f32) -> f32 {
    (stream.below(2001) as f32 / 1000.0 - 1.0) * reach
}

fn mix(one: Colour, other: Colour, share: f32) -> Colour {
    std::array::from_fn(|channel| {
        let (one, other) = (f32::from(one[channel]), f32::from(other[channel]));
        (one + (other - one) * share) as u8
    })
}

/// Rows of RGB pixels; shapes are filled span by span.
struct Canvas {
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(background: Colour) -> Canvas {
        Canvas { pixels: background.repeat(WIDTH * HEIGHT) }
    }

    fn span(&mut self, row: usize, from: f32, to: f32, colour: Colour) {
        let from = from.clamp(0.0, WIDTH as f32) as usize;
        let to = to.clamp(0.0, WIDTH as f32) as usize;
        if from < to {
            let start = row * WIDTH;
            for pixel in self.pixels[(start + from) * 3..(start + to) * 3].chunks_exact_mut(3) {
                pixel.copy_from_slice(&colour);
            }
        }
    }

    fn ellipse(&mut self, x: f32, y: f32, half_width: f32, half_height: f32, colour: Colour) {
        self.cap(x, y, half_width, half_height, HEIGHT as f32, colour);
    }

    /// The part of an ellipse above `bottom`.
    fn cap(&mut self, x: f32, y: f32, half_width: f32, half_height: f32, bottom: f32, colour: Colour) {
        let top = (y - half_height).clamp(0.0, HEIGHT as f32) as usize;
        let bottom = (y + half_height).min(bottom).clamp(0.0, HEIGHT as f32) as usize;
        for row in top..bottom {
            let height = (row as f32 + 0.5 - y) / half_height;
            let reach = half_width * (1.0 - height * height).max(0.0).sqrt();
            self.span(row, x - reach, x + reach, colour);
        }
    }

    fn rectangle(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        let top = y.clamp(0.0, HEIGHT as f32) as usize;
        let bottom = (y + height).clamp(0.0, HEIGHT as f32) as usize;
        for row in top..bottom {
            self.span(row, x, x + width, colour);
        }
    }

    /// A little noise, as any camera has; without it the file is smaller than a photograph ever is.
    fn grain(&mut self, stream: &mut Stream) {
        let mut state = stream.next_u64() | 1;
        for pixel in self.pixels.chunks_exact_mut(3) {
            // Marsaglia's xorshift: quality does not matter here, the millisecond does.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let noise = (state & 3) as u8;
            for channel in pixel {
                *channel = channel.saturating_sub(noise);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portraits_are_jpegs_of_the_right_size_and_weight() {
        let mut bytes = 0;
        for seed in 0..40 {
            let sex = if seed % 2 == 0 { Sex::Male } else { Sex::Female };
            let jpeg = portrait(seed, sex, (seed * 2) as u8).unwrap();
            assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
            assert!((5_000..13_000).contains(&jpeg.len()), "{}", jpeg.len());
            bytes += jpeg.len();
        }
        assert!((6_000..12_000).contains(&(bytes / 40)), "{}", bytes / 40);
    }

    #[test]
    fn a_seed_has_one_face_and_another_seed_another() {
        let face = |seed| portrait(seed, Sex::Female, 30).unwrap();
        assert_eq!(face(5), face(5));
        assert_ne!(face(5), face(6));
    }
}
