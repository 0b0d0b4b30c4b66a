//! Finger minutiae records of three standards, big-endian throughout.
//!
//! ISO/IEC 19794-2:2005 and ANSI INCITS 378-2004 begin with the same eight bytes; which of them a record is
//! shows in its length, which each of them writes differently.

mod ansi2004;
mod iso2005;
mod iso2011;

use crate::params::{
    MAX_IMAGE_SIDE, MAX_RECORD_BYTES, MAX_RESOLUTION_PX_PER_CM, MAX_VIEWS, MIN_RESOLUTION_PX_PER_CM,
    RESOLUTION_PX_PER_CM,
};
use crate::{Capture, Error, FingerPosition, Impression, Minutia, MinutiaKind, Template};

/// Format identifier of all three.
const MAGIC: &[u8; 4] = b"FMR\0";
/// Version of ISO/IEC 19794-2:2005 and of ANSI INCITS 378-2004.
const VERSION_20: &[u8; 4] = b" 20\0";
/// Version of ISO/IEC 19794-2:2011.
const VERSION_030: &[u8; 4] = b"030\0";

/// The standards that records are read and written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// ISO/IEC 19794-2:2005; CBEFF format owner 0x0101, type 0x0001.
    Iso2005,
    /// ISO/IEC 19794-2:2011.
    Iso2011,
    /// ANSI INCITS 378-2004; CBEFF format owner 0x001B, type 0x0201. Directions lose precision: it has steps
    /// of two degrees.
    Ansi2004,
}

/// Reads a record with one or more finger views, of whichever standard it is, and converts every view to 500
/// dpi.
///
/// Extended data is skipped. Errors name the byte offset of the offending field.
pub fn parse(record: &[u8]) -> Result<Vec<Template>, Error> {
    let mut reader = Reader::new(record)?;
    let templates = match detect(record)? {
        Format::Iso2005 => iso2005::parse(&mut reader)?,
        Format::Iso2011 => iso2011::parse(&mut reader)?,
        Format::Ansi2004 => ansi2004::parse(&mut reader)?,
    };
    let extra = record.len() - reader.offset;
    if extra > 0 {
        return Err(Error::TrailingBytes { offset: reader.offset, extra });
    }
    Ok(templates)
}

/// Which standard a record is written in, by its version and by the length that it states.
pub fn detect(record: &[u8]) -> Result<Format, Error> {
    let mut reader = Reader::new(record)?;
    if reader.take(4, "the format identifier")? != MAGIC {
        return Err(Error::NotAMinutiaeRecord { what: "the format identifier is not FMR", offset: 0 });
    }
    let version = reader.take(4, "the version")?;
    let length = reader.take(4, "the record length")?;
    if version == VERSION_030 {
        return Ok(Format::Iso2011);
    }
    if version != VERSION_20 {
        let what = "the version is neither 20 (2005 edition, or ANSI 2004) nor 030 (2011 edition)";
        return Err(Error::NotAMinutiaeRecord { what, offset: 4 });
    }
    let long = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    let short = u16::from_be_bytes([length[0], length[1]]);
    // A length that does not fit at all is reported by the reader of the standard that it looks most like.
    Ok(match short {
        _ if long as usize == record.len() => Format::Iso2005,
        0 if ansi2004::long_length(record) == Some(record.len()) => Format::Ansi2004,
        0 => Format::Iso2005,
        _ => Format::Ansi2004,
    })
}

/// Writes the views as one ISO/IEC 19794-2:2005 record at 500 dpi. All views must share one image size, as
/// the header holds it once.
pub fn encode(views: &[Template]) -> Result<Vec<u8>, Error> {
    encode_as(Format::Iso2005, views)
}

/// Writes the views as one record at 500 dpi. In the two older standards all views must share one image size,
/// as the header holds it once.
pub fn encode_as(format: Format, views: &[Template]) -> Result<Vec<u8>, Error> {
    let count = u8::try_from(views.len()).unwrap_or(u8::MAX);
    let Some(first) = views.first().filter(|_| count <= MAX_VIEWS) else {
        let value = u32::from(count);
        return Err(Error::InvalidTemplate {
            what: "number of views",
            value,
            low: 1,
            high: MAX_VIEWS.into(),
        });
    };
    let one_image = views.iter().all(|view| (view.width(), view.height()) == (first.width(), first.height()));
    match format {
        Format::Iso2005 | Format::Ansi2004 if !one_image => Err(Error::MixedImages),
        Format::Iso2005 => Ok(iso2005::encode(views, first, count)),
        Format::Iso2011 => Ok(iso2011::encode(views)),
        Format::Ansi2004 => Ok(ansi2004::encode(views, first, count)),
    }
}

/// Appends a minutia as all three standards write it, but for the angle and the quality.
fn push_place(out: &mut Vec<u8>, minutia: &Minutia) {
    out.extend_from_slice(&(u16::from(minutia.kind as u8) << 14 | minutia.x).to_be_bytes());
    out.extend_from_slice(&minutia.y.to_be_bytes());
}

/// How many views of the same finger come before this one, as far as the two older standards can count.
fn view_number(views: &[Template], index: usize) -> u8 {
    let before = views[..index].iter().filter(|v| v.position() == views[index].position()).count();
    u8::try_from(before.min(15)).expect("at most 15")
}

/// Views of 40 full templates are about 60 kB, so their length fits anywhere.
const FITS: &str = "40 views of 255 minutiae are about 60 kB";

/// Size and resolution of an image, checked.
struct Image {
    width: u16,
    height: u16,
    x_resolution: u16,
    y_resolution: u16,
}

impl Image {
    /// `offset` is where the width stands.
    fn new(
        [width, height]: [u16; 2],
        [x_resolution, y_resolution]: [u16; 2],
        offset: usize,
    ) -> Result<Self, Error> {
        // A side of 16,383 px at a low resolution would leave the 14-bit range at 500 dpi.
        for (side, resolution, offset) in [(width, x_resolution, offset), (height, y_resolution, offset + 2)]
        {
            let value = to_500_dpi(side, resolution);
            if value > MAX_IMAGE_SIDE {
                let (low, high) = (1, MAX_IMAGE_SIDE.into());
                let what = "the image side at 500 dpi";
                return Err(Error::OutOfRange { what, offset, value: value.into(), low, high });
            }
        }
        Ok(Self { width, height, x_resolution, y_resolution })
    }

    /// At 500 dpi.
    fn width(&self) -> u16 {
        to_500_dpi(self.width, self.x_resolution).max(1)
    }

    /// At 500 dpi.
    fn height(&self) -> u16 {
        to_500_dpi(self.height, self.y_resolution).max(1)
    }

    /// A minutia's kind and place at 500 dpi, from the four bytes that all three standards share; angle and
    /// quality are zero.
    fn read_place(&self, reader: &mut Reader<'_>) -> Result<Minutia, Error> {
        let offset = reader.offset;
        let kind_and_x = reader.u16_in("a minutia", 0, u16::MAX)?;
        let kind = match kind_and_x >> 14 {
            0 => MinutiaKind::Other,
            1 => MinutiaKind::Ending,
            2 => MinutiaKind::Bifurcation,
            reserved => {
                let value = u32::from(reserved);
                return Err(Error::OutOfRange { what: "the minutia type", offset, value, low: 0, high: 2 });
            }
        };
        let x = kind_and_x & 0x3fff;
        let y = reader.u16_in("a minutia", 0, u16::MAX)? & 0x3fff;
        if x >= self.width || y >= self.height {
            return Err(Error::OutsideImage { offset });
        }
        Ok(Minutia {
            x: to_500_dpi(x, self.x_resolution).min(self.width() - 1),
            y: to_500_dpi(y, self.y_resolution).min(self.height() - 1),
            angle: 0,
            kind,
            quality: 0,
        })
    }
}

fn to_500_dpi(pixels: u16, resolution: u16) -> u16 {
    let (pixels, resolution) = (u32::from(pixels), u32::from(resolution));
    let scaled = (pixels * u32::from(RESOLUTION_PX_PER_CM) + resolution / 2) / resolution;
    u16::try_from(scaled).unwrap_or(u16::MAX)
}

struct Reader<'a> {
    record: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn new(record: &'a [u8]) -> Result<Self, Error> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(Error::TooLong { actual: record.len(), limit: MAX_RECORD_BYTES });
        }
        Ok(Self { record, offset: 0 })
    }

    /// Skips the identifier, the version and nothing else.
    fn past_version(&mut self) -> Result<(), Error> {
        self.take(8, "the record header").map(|_| ())
    }

    /// Checks a length against the whole record; `offset` is where it stands.
    fn is_whole(&self, declared: u32, offset: usize) -> Result<(), Error> {
        if declared as usize == self.record.len() {
            return Ok(());
        }
        // A record longer than the limit was turned away already, so the cast cannot lose a valid length.
        let (declared, actual) = (declared as usize, self.record.len());
        Err(Error::LengthMismatch { offset, declared, actual })
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, Error> {
        let bytes = self.take(4, what)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn position(&mut self) -> Result<FingerPosition, Error> {
        let code = self.u8_in("the finger position", 0, 10)?;
        Ok(FingerPosition::from_code(code).expect("0 to 10 are all known"))
    }

    /// Width, height and resolutions, in the order of the two older standards.
    fn image(&mut self) -> Result<Image, Error> {
        let offset = self.offset;
        let size = self.size()?;
        let resolution = self.resolution()?;
        Image::new(size, resolution, offset)
    }

    fn size(&mut self) -> Result<[u16; 2], Error> {
        let width = self.u16_in("the image width", 1, MAX_IMAGE_SIDE)?;
        Ok([width, self.u16_in("the image height", 1, MAX_IMAGE_SIDE)?])
    }

    fn resolution(&mut self) -> Result<[u16; 2], Error> {
        let (low, high) = (MIN_RESOLUTION_PX_PER_CM, MAX_RESOLUTION_PX_PER_CM);
        let across = self.u16_in("the horizontal resolution", low, high)?;
        Ok([across, self.u16_in("the vertical resolution", low, high)?])
    }

    fn skip_extended_data(&mut self) -> Result<(), Error> {
        let extension = self.u16_in("the extended data length", 0, u16::MAX)?;
        self.take(usize::from(extension), "the extended data").map(|_| ())
    }

    /// A view as the two older standards write it; they differ in the angle alone.
    fn view(&mut self, image: &Image, angle: fn(&mut Self) -> Result<u8, Error>) -> Result<Template, Error> {
        let position = self.position()?;
        let offset = self.offset;
        let code = self.u8_in("the view and impression type", 0, 255)? & 0x0f;
        let what = "the impression type";
        let impression = Impression::from_code(code).ok_or(Error::OutOfRange {
            what,
            offset,
            value: code.into(),
            low: 0,
            high: 8,
        })?;
        let quality = self.u8_in("the finger quality", 0, 100)?;
        let count = self.u8_in("the number of minutiae", 0, 255)?;
        let mut minutiae = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let place = image.read_place(self)?;
            let angle = angle(self)?;
            let quality = self.u8_in("the minutia quality", 0, 100)?;
            minutiae.push(Minutia { angle, quality, ..place });
        }
        self.skip_extended_data()?;
        let capture = Capture { position, impression, quality, width: image.width(), height: image.height() };
        Template::new(capture, minutiae)
    }
    fn take(&mut self, bytes: usize, what: &'static str) -> Result<&'a [u8], Error> {
        let end = self.offset + bytes;
        let taken = self.record.get(self.offset..end).ok_or(Error::Truncated {
            what,
            offset: self.offset,
            length: self.record.len(),
        })?;
        self.offset = end;
        Ok(taken)
    }

    fn u8_in(&mut self, what: &'static str, low: u8, high: u8) -> Result<u8, Error> {
        let offset = self.offset;
        let value = self.take(1, what)?[0];
        in_range(what, offset, value.into(), low.into(), high.into())?;
        Ok(value)
    }

    fn u16_in(&mut self, what: &'static str, low: u16, high: u16) -> Result<u16, Error> {
        let offset = self.offset;
        let bytes = self.take(2, what)?;
        let value = u16::from_be_bytes([bytes[0], bytes[1]]);
        in_range(what, offset, value.into(), low.into(), high.into())?;
        Ok(value)
    }
}

fn in_range(what: &'static str, offset: usize, value: u32, low: u32, high: u32) -> Result<(), Error> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Error::OutOfRange { what, offset, value, low, high })
    }
}
