//! Portraits of nobody: flat shapes drawn from a seed, as JPEG of the size an enrolment takes.
//!
//! Good enough to fill a packet, a page and a card with a picture that differs from person to person and
//! stays the same for one person; far from a face that any matcher would take for one.

use std::sync::LazyLock;

use jpeg_encoder::{ColorType, Encoder, rgb_to_ycbcr};

use crate::scan::{Block, Header, SIDE, Scan, Texture};
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
pub fn portrait(seed: u64, sex: Sex, age: u8) -> Vec<u8> {
    let mut stream = Streams::new(seed, b"portrait").stream(0);
    let mut canvas = Canvas::new(pick(&mut stream, &BACKGROUNDS));
    draw(&mut canvas, &mut stream, sex, age);
    canvas.grain(&mut stream);
    canvas.encode()
}

static HEADER: LazyLock<Header> = LazyLock::new(|| {
    let mut blank = Vec::new();
    Encoder::new(&mut blank, QUALITY)
        .encode(&vec![0; WIDTH * HEIGHT * 3], WIDTH as u16, HEIGHT as u16, ColorType::Rgb)
        .expect("a picture of this size can be encoded");
    Header::of(&blank)
});

/// A little noise, as any camera has; without it the file is smaller than a photograph ever is. The same for
/// everybody: what is drawn is which block has which.
static GRAINS: LazyLock<Vec<Texture>> = LazyLock::new(|| {
    let mut stream = Streams::new(0, b"grain").stream(0);
    let mut pixels = || -> Block {
        std::array::from_fn(|_| {
            let noise = stream.next_u64();
            std::array::from_fn(|pixel| (noise >> (8 * pixel)) as u8 & 3)
        })
    };
    (0..GRAIN_KINDS).map(|_| Texture::new(&HEADER, pixels())).collect()
});
const GRAIN_KINDS: usize = 64;

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

/// Pixels in the colours of the file: brightness, and the two that tell of blue and red, of which a file of
/// this quality has every other pixel of every other line. Shapes are filled span by span.
struct Canvas {
    brightness: Vec<u8>,
    colours: [Vec<u8>; 2],
    /// Which of the [`GRAINS`] each block of the brightness has.
    grain: Vec<u8>,
}

/// Pixels and lines of a colour.
const COLOUR: (usize, usize) = (WIDTH / 2, HEIGHT / 2);
/// Blocks in a line of blocks of the brightness.
const BLOCKS: usize = WIDTH / SIDE;

impl Canvas {
    fn new(background: Colour) -> Canvas {
        let [brightness, blue, red] = in_file(background);
        Canvas {
            brightness: vec![brightness; WIDTH * HEIGHT],
            colours: [blue, red].map(|value| vec![value; COLOUR.0 * COLOUR.1]),
            grain: vec![0; BLOCKS * HEIGHT / SIDE],
        }
    }

    fn span(&mut self, row: usize, from: f32, to: f32, colour: Colour) {
        let from = from.clamp(0.0, WIDTH as f32) as usize;
        let to = to.clamp(0.0, WIDTH as f32) as usize;
        if from < to {
            let [brightness, blue, red] = in_file(colour);
            self.brightness[row * WIDTH + from..row * WIDTH + to].fill(brightness);
            if row.is_multiple_of(2) {
                let start = row / 2 * COLOUR.0;
                for (plane, value) in self.colours.iter_mut().zip([blue, red]) {
                    plane[start + from.div_ceil(2)..start + to.div_ceil(2)].fill(value);
                }
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

    fn grain(&mut self, stream: &mut Stream) {
        let mut state = stream.next_u64() | 1;
        for kinds in self.grain.chunks_mut(SIDE) {
            // Marsaglia's xorshift: quality does not matter here, the millisecond does.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            for (kind, byte) in kinds.iter_mut().zip(state.to_le_bytes()) {
                *kind = byte % GRAIN_KINDS as u8;
            }
        }
    }

    /// In units of two by two blocks of brightness and one of each colour; where the last ones reach beyond
    /// the picture, its last line is repeated.
    fn encode(&self) -> Vec<u8> {
        let mut scan = Scan::begin(&HEADER);
        for unit in 0..BLOCKS / 2 * HEIGHT.div_ceil(2 * SIDE) {
            let (across, down) = (unit % (BLOCKS / 2), unit / (BLOCKS / 2));
            for (right, below) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                self.brightness_block(&mut scan, 2 * across + right, 2 * down + below);
            }
            for (component, plane) in (1..).zip(&self.colours) {
                let line = |line: usize| (SIDE * down + line).min(COLOUR.1 - 1) * COLOUR.0 + SIDE * across;
                scan.block(component, &std::array::from_fn(|at| pixels(&plane[line(at)..])));
            }
        }
        scan.end()
    }

    fn brightness_block(&self, scan: &mut Scan<'_>, across: usize, down: usize) {
        let line = |line: usize| (SIDE * down + line).min(HEIGHT - 1);
        let plain: Block =
            std::array::from_fn(|at| pixels(&self.brightness[line(at) * WIDTH + SIDE * across..]));
        let grain = |line: usize| &GRAINS[usize::from(self.grain[line / SIDE * BLOCKS + across])];
        let value = plain[0][0];
        if SIDE * (down + 1) <= HEIGHT && plain == [[value; SIDE]; SIDE] {
            return scan.flat(0, value, Some(grain(line(0))));
        }
        let with_grain = |at: usize| {
            let noise = grain(line(at)).line(line(at) % SIDE);
            std::array::from_fn(|pixel| plain[at][pixel] - noise[pixel])
        };
        scan.block(0, &std::array::from_fn(with_grain));
    }
}

fn pixels(line: &[u8]) -> [u8; SIDE] {
    std::array::from_fn(|pixel| line[pixel])
}

fn in_file([red, green, blue]: Colour) -> [u8; 3] {
    rgb_to_ycbcr(red, green, blue).into()
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ImageBuffer, JpegColorType};

    use super::*;

    #[test]
    fn portraits_are_jpegs_of_the_right_size_and_weight() {
        let mut bytes = 0;
        for seed in 0..40 {
            let sex = if seed % 2 == 0 { Sex::Male } else { Sex::Female };
            let jpeg = portrait(seed, sex, (seed * 2) as u8);
            assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
            assert!((5_000..13_000).contains(&jpeg.len()), "{}", jpeg.len());
            bytes += jpeg.len();
        }
        assert!((6_000..12_000).contains(&(bytes / 40)), "{}", bytes / 40);
    }

    #[test]
    fn a_seed_has_one_face_and_another_seed_another() {
        let face = |seed| portrait(seed, Sex::Female, 30);
        assert_eq!(face(5), face(5));
        assert_ne!(face(5), face(6));
    }

    /// As the library asks for pixels.
    impl ImageBuffer for &Canvas {
        fn get_jpeg_color_type(&self) -> JpegColorType {
            JpegColorType::Ycbcr
        }

        fn width(&self) -> u16 {
            WIDTH as u16
        }

        fn height(&self) -> u16 {
            HEIGHT as u16
        }

        fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
            let line = usize::from(y);
            for x in 0..WIDTH {
                let grain = &GRAINS[usize::from(self.grain[line / SIDE * BLOCKS + x / SIDE])];
                buffers[0].push(self.brightness[line * WIDTH + x] - grain.line(line % SIDE)[x % SIDE]);
                for (plane, buffer) in self.colours.iter().zip(&mut buffers[1..]) {
                    buffer.push(plane[line / 2 * COLOUR.0 + x / 2]);
                }
            }
        }
    }

    fn by_library(canvas: &Canvas) -> Vec<u8> {
        let mut file = Vec::new();
        Encoder::new(&mut file, QUALITY).encode_image(canvas).unwrap();
        file
    }

    /// With AVX2 the library rounds one coefficient in some thousands the other way, so that files differ by
    /// some bytes.
    #[test]
    fn a_file_is_as_long_as_the_one_that_the_library_writes() {
        for seed in 0..60 {
            let mut stream = Streams::new(seed, b"portrait").stream(0);
            let mut canvas = Canvas::new(pick(&mut stream, &BACKGROUNDS));
            draw(&mut canvas, &mut stream, if seed % 2 == 0 { Sex::Male } else { Sex::Female }, seed as u8);
            canvas.grain(&mut stream);
            let (ours, theirs) = (canvas.encode(), by_library(&canvas));
            assert!(ours.len().abs_diff(theirs.len()) * 200 < theirs.len(), "seed {seed}");
        }
    }

    /// Where it rounds nothing otherwise, the files are the same: every block is in its place.
    #[test]
    fn blocks_are_written_in_the_order_of_the_library() {
        let mut canvas = Canvas::new(BACKGROUNDS[0]);
        canvas.rectangle(32.0, 48.0, 96.0, 160.0, SKINS[1]);
        canvas.rectangle(112.0, 176.0, 128.0, 184.0, CLOTHES[1]);
        let same = (0..GRAIN_KINDS as u8).filter(|kind| {
            canvas.grain.fill(*kind);
            canvas.encode() == by_library(&canvas)
        });
        assert!(same.count() > 6);
    }
}
