//! A side of the card as shapes, texts and pictures: what SVG and PDF are both made of. Lengths are in
//! millimetres, y runs downwards, and the origin is the upper left corner of the cut card.

use super::fonts::Font;
use crate::CardError;

/// Across and down from the upper left corner of the card, in millimetres.
pub type Point = [f64; 2];

/// Red, green, blue as sRGB has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Colours along a line, in order; the offsets run from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gradient {
    pub from: Point,
    pub to: Point,
    pub stops: [(f64, Colour); 3],
}

/// What a surface or a line is covered with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Paint {
    Solid(Colour),
    Gradient(Gradient),
}

/// The inside of a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    pub paint: Paint,
    /// 0 to 1.
    pub opacity: f64,
}

/// The line along the edge of a shape; its width is in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    pub paint: Paint,
    pub opacity: f64,
    pub width: f64,
}

/// A step of a path from where the last one ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Segment {
    Move(Point),
    Line(Point),
    /// Two control points and the end.
    Curve(Point, Point, Point),
    Close,
}

/// The form of a shape; angles are in degrees, clockwise.
#[derive(Clone, PartialEq)]
pub enum Outline {
    Rect {
        at: Point,
        size: Point,
        radius: f64,
    },
    Ellipse {
        centre: Point,
        radii: Point,
        degrees: f64,
    },
    Path(Vec<Segment>),
    /// Runs of dark modules: column, row and length, in modules of this width from `at` on.
    Modules {
        at: Point,
        module: f64,
        runs: Vec<[u16; 3]>,
    },
}

/// Which part of a text stands at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
}

/// A part of a line in one style.
#[derive(Clone, PartialEq)]
pub struct Run {
    pub text: String,
    pub font: Font,
    pub size: f64,
    pub colour: Colour,
    pub opacity: f64,
    /// After each letter, in millimetres.
    pub spacing: f64,
}

/// A line of text: runs one after the other.
#[derive(Clone, PartialEq)]
pub struct Text {
    /// Where the baseline begins, or its middle.
    pub at: Point,
    pub anchor: Anchor,
    /// Clockwise around `at`.
    pub degrees: f64,
    pub runs: Vec<Run>,
    /// The length that a program with other fonts must give the line.
    pub length: Option<f64>,
}

/// A JPEG that fills its box; what does not fit its proportions is cut off evenly.
#[derive(Clone, PartialEq)]
pub struct Picture {
    pub at: Point,
    pub size: Point,
    pub jpeg: Vec<u8>,
    /// Pixels.
    pub pixels: [u16; 2],
}

/// A thing on the card; later ones lie above earlier ones.
#[derive(Clone, PartialEq)]
pub enum Item {
    Shape { outline: Outline, fill: Option<Fill>, stroke: Option<Stroke> },
    Text(Text),
    Picture(Picture),
}

/// How the drawing ends at the card's edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edge {
    /// With the round corners of a card that is already cut: for pages.
    Round,
    /// At the cut, square: for a printer that prints on cut cards.
    Square,
    /// This many millimetres beyond the cut, so that a cut that strays shows no white.
    Bleed(f64),
}

impl Edge {
    /// Millimetres beyond the cut.
    pub fn bleed(self) -> f64 {
        match self {
            Edge::Bleed(mm) => mm,
            _ => 0.0,
        }
    }
}

/// One side.
#[derive(Clone, PartialEq)]
pub struct Drawing {
    /// `front` or `back`; keeps the ids of two sides on one page apart.
    pub side: &'static str,
    /// For those who do not see it, in Vietnamese.
    pub title: &'static str,
    pub edge: Edge,
    /// Painted in this order.
    pub items: Vec<Item>,
    /// Fields whose text is too long to be printed at a size that can be read; it is squeezed.
    pub squeezed: Vec<&'static str>,
}

/// Personal data stays out of logs.
impl std::fmt::Debug for Drawing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Drawing({}, redacted)", self.side)
    }
}

impl Drawing {
    /// # Errors
    /// The first field whose text does not fit at a legible size.
    pub fn legible(&self) -> Result<(), CardError> {
        legible(&self.squeezed)
    }

    /// The resolution at which the photo is printed, in dots to the inch; `None` without a photo.
    pub fn photo_dpi(&self) -> Option<f64> {
        self.items.iter().find_map(|item| match item {
            Item::Picture(picture) => Some(picture.dpi()),
            _ => None,
        })
    }
}

pub(super) fn legible(squeezed: &[&'static str]) -> Result<(), CardError> {
    match squeezed.first() {
        None => Ok(()),
        Some(&field) => Err(CardError::Field {
            field,
            problem: "is too long to be printed at a legible size; shorten it without changing what it says",
        }),
    }
}

impl Picture {
    /// Width and height at which the whole picture is drawn; one of them may exceed the box.
    pub fn drawn_size(&self) -> Point {
        let [width, height] = self.pixels.map(f64::from);
        let scale = (self.size[0] / width).max(self.size[1] / height);
        [width * scale, height * scale]
    }

    /// Pixels to an inch across, as the photo is printed.
    pub fn dpi(&self) -> f64 {
        f64::from(self.pixels[0]) / self.drawn_size()[0] * 25.4
    }
}

impl Fill {
    /// Covers fully.
    pub fn solid(colour: Colour) -> Option<Fill> {
        Self::shade(colour, 1.0)
    }

    /// Covers as far as `opacity` says, from 0 to 1.
    pub fn shade(colour: Colour, opacity: f64) -> Option<Fill> {
        Some(Fill { paint: Paint::Solid(colour), opacity })
    }
}

impl Stroke {
    /// Covers fully; `width` is in millimetres.
    pub fn solid(colour: Colour, width: f64) -> Option<Stroke> {
        Self::shade(colour, width, 1.0)
    }

    /// Covers as far as `opacity` says, from 0 to 1; `width` is in millimetres.
    pub fn shade(colour: Colour, width: f64, opacity: f64) -> Option<Stroke> {
        Some(Stroke { paint: Paint::Solid(colour), width, opacity })
    }
}

impl Run {
    /// Text that covers fully, with the font's own spacing; `size` is in millimetres.
    pub fn new(text: impl Into<String>, font: Font, size: f64, colour: Colour) -> Run {
        Run { text: text.into(), font, size, colour, opacity: 1.0, spacing: 0.0 }
    }

    /// Millimetres.
    pub fn width(&self) -> f64 {
        self.font.set(&self.text, self.spacing / self.size).width * self.size
    }
}

impl Text {
    /// Text that runs to the right from its point.
    pub fn start(at: Point, runs: Vec<Run>) -> Item {
        Item::Text(Text { at, anchor: Anchor::Start, degrees: 0.0, runs, length: None })
    }

    /// Text whose middle lies above its point.
    pub fn middle(at: Point, runs: Vec<Run>) -> Item {
        Item::Text(Text { at, anchor: Anchor::Middle, degrees: 0.0, runs, length: None })
    }

    /// Millimetres.
    pub fn width(&self) -> f64 {
        self.runs.iter().map(Run::width).sum()
    }
}
