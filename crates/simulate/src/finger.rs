//! Images of fingers of nobody, as a scanner of 500 dpi gives them: ridges that flow around a loop, a whorl
//! or an arch, with endings and forks, drawn from a seed.
//!
//! A picture for the chip's DG3 and for whoever looks at it, made in a quarter of a millisecond because every
//! synthetic citizen needs two. It is not the finger of the person's templates, and no extractor was run on
//! it.

use std::sync::LazyLock;

use jpeg_encoder::{ColorType, Encoder, PixelDensity, PixelDensityUnit};

use crate::scan::{self, Header, Scan};
use crate::stream::{Stream, Streams};

/// 9.8 mm at 500 dpi.
pub const WIDTH: usize = 192;
/// 13.0 mm.
pub const HEIGHT: usize = 256;
/// Dots to the inch.
pub const RESOLUTION_DPI: u16 = 500;

/// Chosen so that an image has 4 to 6 kB.
const QUALITY: u8 = 20;
/// Pixels between the points at which the ridges' phase is computed; between them it is interpolated.
const STEP: usize = 8;
const COLUMNS: usize = WIDTH / STEP + 1;
const ROWS: usize = HEIGHT / STEP + 1;
/// From ridge to ridge in pixels: 0.46 mm.
const PERIOD: f32 = 9.0;
/// Each is an ending or a fork, as the ridges happen to lie.
const MINUTIAE: usize = 12;
/// The phase of one ridge and its valley, as the pixels count it.
const TURN: f32 = 65_536.0;

/// Draws finger `position` (1 to 10, as ISO/IEC 19794-4 numbers them) of the body that belongs to `seed` and
/// encodes it: baseline JPEG, 192×256, grey.
pub fn image(seed: u64, position: u8) -> Vec<u8> {
    let mut stream = Streams::new(seed, b"finger image").stream(u64::from(position));
    encode(&render(&Grid::draw(&mut stream)))
}

static HEADER: LazyLock<Header> = LazyLock::new(|| Header::of(&by_library(&[0; WIDTH * HEIGHT])));

/// As the library encodes it.
fn by_library(pixels: &[u8]) -> Vec<u8> {
    let mut jpeg = Vec::with_capacity(8 << 10);
    let mut encoder = Encoder::new(&mut jpeg, QUALITY);
    encoder.set_density(PixelDensity {
        density: (RESOLUTION_DPI, RESOLUTION_DPI),
        unit: PixelDensityUnit::Inches,
    });
    encoder
        .encode(pixels, WIDTH as u16, HEIGHT as u16, ColorType::Luma)
        .expect("a picture of this size can be encoded");
    jpeg
}

fn encode(pixels: &[u8]) -> Vec<u8> {
    let mut scan = Scan::begin(&HEADER);
    for down in 0..HEIGHT / scan::SIDE {
        for across in 0..WIDTH / scan::SIDE {
            let start = |line: usize| (down * scan::SIDE + line) * WIDTH + across * scan::SIDE;
            let line = |line: usize| std::array::from_fn(|pixel| pixels[start(line) + pixel]);
            scan.block(0, &std::array::from_fn(line));
        }
    }
    scan.end()
}

/// Phase and contact at the points of a coarse grid.
struct Grid {
    /// How many ridges lie between here and the core, in 65,536ths; see [`Pattern::across`] for the sign.
    flow: [[i32; COLUMNS]; ROWS],
    /// What the minutiae turn it by, known up to whole turns.
    twist: [[u16; COLUMNS]; ROWS],
    /// How much ink there is, 0 to 256.
    contact: [[i32; COLUMNS]; ROWS],
}

#[derive(Clone, Copy)]
enum Pattern {
    /// Ridges come in from one side, turn around the core and leave on the same side.
    Loop { slope: f32 },
    /// Ridges go round the core.
    Whorl { flat: f32 },
    /// Ridges rise in the middle and fall again.
    Arch { rise: f32, reach: f32 },
}

impl Pattern {
    /// Shares of the three among index fingers, roughly: loops two in three, whorls one in four.
    fn draw(stream: &mut Stream) -> Pattern {
        match stream.weighted(&[64, 26, 10]) {
            0 => {
                let lean = 0.35 + unit(stream) * 0.5;
                Pattern::Loop { slope: if stream.chance(0.5) { lean } else { -lean } }
            }
            1 => Pattern::Whorl { flat: 0.62 + unit(stream) * 0.3 },
            _ => Pattern::Arch { rise: 26.0 + unit(stream) * 22.0, reach: 46.0 + unit(stream) * 20.0 },
        }
    }

    /// Pixels across the ridges from the core to this point. Below the zero on one side of a loop's middle,
    /// where the ridges mirror each other: whoever looks between two points finds the middle by the change of
    /// the sign.
    fn across(self, x: f32, y: f32) -> f32 {
        match self {
            Pattern::Loop { slope } => {
                // The distance from a ray that begins at the core and leans to one side.
                let length = (1.0 + slope * slope).sqrt();
                let (along, aside) = ((x * slope + y) / length, (x - y * slope) / length);
                if along < 0.0 { (x * x + y * y).sqrt() } else { aside }
            }
            Pattern::Whorl { flat } => (x * x + y * y * flat).sqrt(),
            Pattern::Arch { rise, reach } => {
                let (side, height) = (x / reach, y / (2.0 * reach));
                y + rise / ((1.0 + side * side) * (1.0 + height * height))
            }
        }
    }
}

impl Grid {
    fn draw(stream: &mut Stream) -> Grid {
        let pattern = Pattern::draw(stream);
        let core = [96.0 + spread(stream, 12.0), 114.0 + spread(stream, 16.0)];
        let (sway, swell) = (Sway::draw(stream), Sway::draw(stream));
        let mut grid =
            Grid { flow: [[0; COLUMNS]; ROWS], twist: [[0; COLUMNS]; ROWS], contact: [[0; COLUMNS]; ROWS] };
        let across: [f32; COLUMNS] = std::array::from_fn(|column| swell.at((column * STEP) as f32));
        for row in 0..ROWS {
            let y = (row * STEP) as f32;
            let aside = sway.at(y);
            for (column, lift) in across.iter().enumerate() {
                let (x, y) = ((column * STEP) as f32 + aside - core[0], y + lift - core[1]);
                grid.flow[row][column] = (pattern.across(x, y) / PERIOD * TURN) as i32;
            }
        }
        for minutia in 0..MINUTIAE {
            let (x, y) = (28.0 + unit(stream) * 136.0, 32.0 + unit(stream) * 192.0);
            grid.turn_around(x, y, if minutia % 2 == 0 { TURN } else { -TURN });
        }
        grid.press(stream);
        grid
    }

    /// A ridge more on one side of this point than on the other: the phase gains a turn on the way around it.
    fn turn_around(&mut self, x: f32, y: f32, turn: f32) {
        for (row, twist) in self.twist.iter_mut().enumerate() {
            let dy = (row * STEP) as f32 - y;
            for (column, twist) in twist.iter_mut().enumerate() {
                let dx = (column * STEP) as f32 - x;
                *twist = twist.wrapping_add((angle(dx, dy) * turn) as i32 as u16);
            }
        }
    }

    /// The finger touches the glass in an ellipse, in some places harder than in others.
    fn press(&mut self, stream: &mut Stream) {
        let (middle, lower) = (96.0 + spread(stream, 4.0), 128.0 + spread(stream, 5.0));
        let (half_width, half_height) = (89.0 + spread(stream, 4.0), 121.0 + spread(stream, 4.0));
        let pressure = [0; 4].map(|_| 0.66 + unit(stream) * 0.34);
        for row in 0..ROWS {
            let v = row as f32 / (ROWS - 1) as f32;
            for column in 0..COLUMNS {
                let u = column as f32 / (COLUMNS - 1) as f32;
                let (dx, dy) = (
                    ((column * STEP) as f32 - middle) / half_width,
                    ((row * STEP) as f32 - lower) / half_height,
                );
                let edge = ((1.0 - dx * dx - dy * dy) * 5.0).clamp(0.0, 1.0);
                let top = pressure[0] + (pressure[1] - pressure[0]) * u;
                let bottom = pressure[2] + (pressure[3] - pressure[2]) * u;
                self.contact[row][column] = (edge * (top + (bottom - top) * v) * 256.0) as i32;
            }
        }
    }
}

/// A slow wave by which the skin is drawn aside.
struct Sway {
    reach: f32,
    length: f32,
    start: f32,
}

impl Sway {
    fn draw(stream: &mut Stream) -> Sway {
        Sway { reach: 3.0 + unit(stream) * 6.0, length: 90.0 + unit(stream) * 120.0, start: unit(stream) }
    }

    /// Parabolas in place of a sine, which is not the same to the last bit on every machine.
    fn at(&self, place: f32) -> f32 {
        let turn = place / self.length + self.start;
        let turn = turn - turn.floor();
        let half = if turn < 0.5 { turn } else { turn - 0.5 };
        let hill = 16.0 * half * (0.5 - half);
        self.reach * if turn < 0.5 { hill } else { -hill }
    }
}

/// The direction of a point in turns, within a thousandth: a polynomial for the octant, then mirrored. No
/// branch, so that the compiler takes several points at once.
fn angle(x: f32, y: f32) -> f32 {
    let (wide, high) = (x.abs(), y.abs());
    let ratio = wide.min(high) / wide.max(high).max(1e-6);
    let square = ratio * ratio;
    let octant = ratio * (0.158_6 + square * (-0.047_0 + square * 0.013_4));
    let quarter = if high > wide { 0.25 - octant } else { octant };
    let half = if x < 0.0 { 0.5 - quarter } else { quarter };
    if y < 0.0 { -half } else { half }
}

/// Grey from black to white, cell by cell.
fn render(grid: &Grid) -> Vec<u8> {
    let mut pixels = vec![255; WIDTH * HEIGHT];
    for row in 0..ROWS - 1 {
        for column in 0..COLUMNS - 1 {
            let contact = corners(&grid.contact, row, column);
            if contact == [0; 4] {
                continue;
            }
            // Inside a cell the twist goes the short way from corner to corner.
            let twist = corners(&grid.twist, row, column);
            let twist =
                twist.map(|corner| i32::from(corner.wrapping_sub(twist[0]) as i16) + i32::from(twist[0]));
            let flow = corners(&grid.flow, row, column);
            let pixels = &mut pixels[row * STEP * WIDTH + column * STEP..];
            // A loop's middle runs through this cell, and not the jump of the sign beside its core.
            let near = |corner: &i32| corner.abs() < (1.3 * TURN) as i32;
            if flow.iter().any(|corner| *corner < 0) && flow.iter().all(near) {
                fold(pixels, flow, twist, contact);
            } else {
                cell(pixels, std::array::from_fn(|corner| flow[corner].abs() + twist[corner]), contact);
            }
        }
    }
    pixels
}

fn corners<T: Copy>(grid: &[[T; COLUMNS]; ROWS], row: usize, column: usize) -> [T; 4] {
    [grid[row][column], grid[row][column + 1], grid[row + 1][column], grid[row + 1][column + 1]]
}

const SIDE: i32 = STEP as i32;

/// The value at the beginning of a cell's line, and by how much it grows from pixel to pixel.
fn between(corners: [i32; 4], line: i32) -> (i32, i32) {
    let left = corners[0] + (corners[2] - corners[0]) / SIDE * line;
    let right = corners[1] + (corners[3] - corners[1]) / SIDE * line;
    (left, (right - left) / SIDE)
}

fn cell(pixels: &mut [u8], phase: [i32; 4], contact: [i32; 4]) {
    for line in 0..SIDE {
        let ((phase, along), (contact, more)) = (between(phase, line), between(contact, line));
        let start = line as usize * WIDTH;
        for (x, pixel) in (0..).zip(&mut pixels[start..start + STEP]) {
            *pixel = grey(line_at(phase, along, x), line_at(contact, more, x));
        }
    }
}

/// A cell through which the middle of a loop runs: the ridges mirror each other there.
fn fold(pixels: &mut [u8], flow: [i32; 4], twist: [i32; 4], contact: [i32; 4]) {
    for line in 0..SIDE {
        let ((flow, along), (twist, turn)) = (between(flow, line), between(twist, line));
        let (contact, more) = between(contact, line);
        let start = line as usize * WIDTH;
        for (x, pixel) in (0..SIDE).zip(&mut pixels[start..start + STEP]) {
            let phase = (flow + along * x).abs() + twist + turn * x;
            *pixel = grey(phase as i16, (contact + more * x) as i16);
        }
    }
}

/// In 16 bits, because only the part of a turn counts, and because a processor then takes a whole line of a
/// cell at once.
fn line_at(start: i32, step: i32, x: i16) -> i16 {
    (start as i16).wrapping_add((step as i16).wrapping_mul(x))
}

/// A ridge is dark where the phase is near a whole turn, with slopes to both sides and a flat top.
fn grey(phase: i16, contact: i16) -> u8 {
    // The distance from a whole turn, but for one: the lowest number has no opposite.
    let distance = phase ^ (phase >> 15);
    let ink = ((21_700 - distance) >> 6).clamp(0, 200) as u16;
    (245 - (ink.wrapping_mul(contact.max(0) as u16) >> 8)) as u8
}

/// Uniform in 0 to 1.
fn unit(stream: &mut Stream) -> f32 {
    stream.below(1_000_001) as f32 / 1_000_000.0
}

/// Uniform in ±`reach`.
fn spread(stream: &mut Stream, reach: f32) -> f32 {
    (unit(stream) * 2.0 - 1.0) * reach
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_grey_jpegs_of_the_right_size_and_weight() {
        let mut bytes = 0;
        for seed in 0..40 {
            let jpeg = image(seed, 2);
            assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
            assert!((3_500..6_500).contains(&jpeg.len()), "{}", jpeg.len());
            // The frame header: eight bits, height, width, one component.
            let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
            assert_eq!(jpeg[frame + 4..frame + 10], [8, 1, 0, 0, 192, 1]);
            bytes += jpeg.len();
        }
        assert!((4_000..6_000).contains(&(bytes / 40)), "{}", bytes / 40);
    }

    #[test]
    fn a_finger_has_one_image_and_each_its_own() {
        assert_eq!(image(5, 2), image(5, 2));
        assert_ne!(image(5, 2), image(5, 7));
        assert_ne!(image(5, 2), image(6, 2));
    }

    #[test]
    fn directions_are_right_within_a_thousandth_of_a_turn() {
        for step in 0..360 {
            let turn = f64::from(step) / 360.0;
            let (y, x) = (turn * std::f64::consts::TAU).sin_cos();
            let found = f64::from(angle(x as f32, y as f32)).rem_euclid(1.0);
            let apart = (found - turn).abs();
            assert!(apart.min(1.0 - apart) < 0.001, "{turn} {found}");
        }
    }

    #[test]
    fn ridges_and_valleys_follow_each_other_across_the_middle() {
        for seed in 0..20 {
            let pixels = render(&Grid::draw(&mut Streams::new(seed, b"finger image").stream(2)));
            let column: Vec<bool> = (60..200).map(|y| pixels[y * WIDTH + 60] < 128).collect();
            let changes = column.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!((6..60).contains(&changes), "{changes}");
            assert_eq!(pixels[0], 255);
        }
    }

    #[test]
    fn a_file_is_as_long_as_the_one_that_the_library_writes() {
        for seed in 0..60 {
            let pixels = render(&Grid::draw(&mut Streams::new(seed, b"finger image").stream(7)));
            let (ours, theirs) = (encode(&pixels), by_library(&pixels));
            assert!(ours.len().abs_diff(theirs.len()) * 200 < theirs.len(), "seed {seed}");
        }
    }
}
