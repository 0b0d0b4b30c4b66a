use std::fmt;

use crate::Error;
use crate::params::{MAX_IMAGE_SIDE, MAX_MINUTIAE, RESOLUTION_PX_PER_CM};

/// Which finger, with the codes of ISO/IEC 19794-2:2005, table 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FingerPosition {
    /// The capture did not say. Usable in 1:1 verification, never in identification.
    Unknown = 0,
    RightThumb = 1,
    RightIndex = 2,
    RightMiddle = 3,
    RightRing = 4,
    RightLittle = 5,
    LeftThumb = 6,
    LeftIndex = 7,
    LeftMiddle = 8,
    LeftRing = 9,
    LeftLittle = 10,
}

impl FingerPosition {
    /// The ten known positions in code order.
    pub const ALL: [Self; 10] = [
        Self::RightThumb,
        Self::RightIndex,
        Self::RightMiddle,
        Self::RightRing,
        Self::RightLittle,
        Self::LeftThumb,
        Self::LeftIndex,
        Self::LeftMiddle,
        Self::LeftRing,
        Self::LeftLittle,
    ];

    /// The ISO code, 0 for unknown and 1 to 10.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The position with this ISO code; `None` above 10.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Unknown),
            1..=10 => Some(Self::ALL[usize::from(code) - 1]),
            _ => None,
        }
    }

    /// True for the five fingers of the right hand.
    pub fn is_right(self) -> bool {
        (1..=5).contains(&self.code())
    }
}

/// How the finger was captured (ISO/IEC 19794-2:2005, table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Impression {
    LiveScanPlain = 0,
    LiveScanRolled = 1,
    NonLivePlain = 2,
    NonLiveRolled = 3,
    Latent = 7,
    Swipe = 8,
}

impl Impression {
    /// The ISO code.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The impression type with this ISO code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::LiveScanPlain,
            1 => Self::LiveScanRolled,
            2 => Self::NonLivePlain,
            3 => Self::NonLiveRolled,
            7 => Self::Latent,
            8 => Self::Swipe,
            _ => return None,
        })
    }
}

/// What the ridge does at a minutia.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MinutiaKind {
    Other = 0,
    Ending = 1,
    Bifurcation = 2,
}

/// One minutia, at 500 dpi.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minutia {
    /// Pixels from the left edge of the image.
    pub x: u16,
    /// Pixels from the top edge of the image, downwards.
    pub y: u16,
    /// Direction in units of 360/256 degrees, counter-clockwise from the positive x axis.
    pub angle: u8,
    pub kind: MinutiaKind,
    /// 1 (worst) to 100 (best); 0 when the extractor does not report it.
    pub quality: u8,
}

impl fmt::Debug for Minutia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Minutia(redacted)")
    }
}

/// What a capture says about itself besides its minutiae; sizes in pixels at 500 dpi.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    pub position: FingerPosition,
    pub impression: Impression,
    /// The extractor's own figure, 0 to 100.
    pub quality: u8,
    pub width: u16,
    pub height: u16,
}

/// The minutiae of one finger, always at 500 dpi (197 pixels per centimetre), every minutia inside the image.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    capture: Capture,
    minutiae: Vec<Minutia>,
}

impl Template {
    /// Checks the limits of the format: sides 1 to 16,383 px, qualities 0 to 100, at most 255 minutiae.
    pub fn new(capture: Capture, minutiae: Vec<Minutia>) -> Result<Self, Error> {
        check("image width", capture.width, 1, MAX_IMAGE_SIDE)?;
        check("image height", capture.height, 1, MAX_IMAGE_SIDE)?;
        check("quality", capture.quality.into(), 0, 100)?;
        check("number of minutiae", u16::try_from(minutiae.len()).unwrap_or(u16::MAX), 0, MAX_MINUTIAE)?;
        for minutia in &minutiae {
            check("minutia x", minutia.x, 0, capture.width - 1)?;
            check("minutia y", minutia.y, 0, capture.height - 1)?;
            check("minutia quality", minutia.quality.into(), 0, 100)?;
        }
        Ok(Self { capture, minutiae })
    }

    /// Everything but the minutiae.
    pub fn capture(&self) -> Capture {
        self.capture
    }

    /// The finger that the capture was filed under.
    pub fn position(&self) -> FingerPosition {
        self.capture.position
    }

    /// How the finger was laid on, and on what kind of device.
    pub fn impression(&self) -> Impression {
        self.capture.impression
    }

    /// The extractor's own quality figure, 0 to 100; [`crate::quality`] computes ours.
    pub fn quality(&self) -> u8 {
        self.capture.quality
    }

    /// Image width in pixels at 500 dpi.
    pub fn width(&self) -> u16 {
        self.capture.width
    }

    /// Image height in pixels at 500 dpi.
    pub fn height(&self) -> u16 {
        self.capture.height
    }

    /// Pixels per centimetre of every coordinate: always 197, which is 500 dpi.
    pub fn resolution(&self) -> u16 {
        RESOLUTION_PX_PER_CM
    }

    /// In the order in which they were read; coordinates are in pixels at 500 dpi.
    pub fn minutiae(&self) -> &[Minutia] {
        &self.minutiae
    }

    /// The same capture filed under another finger.
    pub fn with_position(mut self, position: FingerPosition) -> Self {
        self.capture.position = position;
        self
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?}, {} minutiae, redacted)", self.capture.position, self.minutiae.len())
    }
}

fn check(what: &'static str, value: u16, low: u16, high: u16) -> Result<(), Error> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Error::InvalidTemplate { what, value: value.into(), low: low.into(), high: high.into() })
    }
}
