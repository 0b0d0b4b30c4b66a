//! ISO/IEC 19794-2:2005 finger minutiae records, big-endian throughout.

use crate::params::{
    MAX_IMAGE_SIDE, MAX_RECORD_BYTES, MAX_RESOLUTION_PX_PER_CM, MAX_VIEWS, MIN_RESOLUTION_PX_PER_CM,
    RESOLUTION_PX_PER_CM,
};
use crate::{Capture, Error, FingerPosition, Impression, Minutia, MinutiaKind, Template};

const MAGIC_AND_VERSION: &[u8; 8] = b"FMR\0 20\0";
const HEADER_BYTES: usize = 24;
const VIEW_HEADER_BYTES: usize = 4;
const MINUTIA_BYTES: usize = 6;

/// Reads a record with one or more finger views and converts every view to 500 dpi.
///
/// Extended data (clause 7.5) is skipped. Errors name the byte offset of the offending field.
pub fn parse(record: &[u8]) -> Result<Vec<Template>, Error> {
    if record.len() > MAX_RECORD_BYTES {
        return Err(Error::TooLong { actual: record.len(), limit: MAX_RECORD_BYTES });
    }
    let mut reader = Reader { record, offset: 0 };
    let header = parse_header(&mut reader)?;
    let mut templates = Vec::with_capacity(usize::from(header.views));
    for _ in 0..header.views {
        templates.push(parse_view(&mut reader, &header)?);
    }
    let extra = record.len() - reader.offset;
    if extra > 0 {
        return Err(Error::TrailingBytes { offset: reader.offset, extra });
    }
    Ok(templates)
}

/// Writes the views as one record at 500 dpi. All views must share one image size, as the header holds it once.
pub fn encode(views: &[Template]) -> Result<Vec<u8>, Error> {
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
    if views.iter().any(|view| (view.width(), view.height()) != (first.width(), first.height())) {
        return Err(Error::MixedImages);
    }
    let body: usize = views.iter().map(|v| VIEW_HEADER_BYTES + MINUTIA_BYTES * v.minutiae().len() + 2).sum();
    let length = HEADER_BYTES + body;
    let declared = u32::try_from(length).expect("40 views of 255 minutiae are about 60 kB");
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(MAGIC_AND_VERSION);
    out.extend_from_slice(&declared.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    for field in [first.width(), first.height(), RESOLUTION_PX_PER_CM, RESOLUTION_PX_PER_CM] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    out.extend_from_slice(&[count, 0]);
    for (index, view) in views.iter().enumerate() {
        let view_number = views[..index].iter().filter(|v| v.position() == view.position()).count();
        encode_view(&mut out, view, view_number);
    }
    Ok(out)
}

fn encode_view(out: &mut Vec<u8>, view: &Template, view_number: usize) {
    let number = u8::try_from(view_number.min(15)).expect("at most 15");
    let count = u8::try_from(view.minutiae().len()).expect("a template has at most 255 minutiae");
    out.extend_from_slice(&[
        view.position().code(),
        number << 4 | view.impression().code(),
        view.quality(),
        count,
    ]);
    for minutia in view.minutiae() {
        out.extend_from_slice(&(u16::from(minutia.kind as u8) << 14 | minutia.x).to_be_bytes());
        out.extend_from_slice(&minutia.y.to_be_bytes());
        out.extend_from_slice(&[minutia.angle, minutia.quality]);
    }
    out.extend_from_slice(&[0, 0]);
}

struct Header {
    width: u16,
    height: u16,
    x_resolution: u16,
    y_resolution: u16,
    views: u8,
}

fn parse_header(reader: &mut Reader<'_>) -> Result<Header, Error> {
    let magic = reader.take(8, "the record header")?;
    if magic[..4] != MAGIC_AND_VERSION[..4] {
        return Err(Error::NotAMinutiaeRecord { what: "the format identifier is not FMR", offset: 0 });
    }
    if magic[4..] != MAGIC_AND_VERSION[4..] {
        return Err(Error::NotAMinutiaeRecord {
            what: "the version is not 20 (the 2005 edition)",
            offset: 4,
        });
    }
    let length = reader.take(4, "the record length")?;
    let declared = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    // A record longer than the limit was turned away already, so the cast cannot lose a valid length.
    if declared as usize != reader.record.len() {
        return Err(Error::LengthMismatch {
            offset: 8,
            declared: declared as usize,
            actual: reader.record.len(),
        });
    }
    reader.take(2, "the capture device")?;
    let width = reader.u16_in("the image width", 1, MAX_IMAGE_SIDE)?;
    let height = reader.u16_in("the image height", 1, MAX_IMAGE_SIDE)?;
    let (low, high) = (MIN_RESOLUTION_PX_PER_CM, MAX_RESOLUTION_PX_PER_CM);
    let x_resolution = reader.u16_in("the horizontal resolution", low, high)?;
    let y_resolution = reader.u16_in("the vertical resolution", low, high)?;
    // Two views of 16,383 px at the lowest resolution would leave the 14-bit range at 500 dpi.
    for (side, resolution, offset) in [(width, x_resolution, 14), (height, y_resolution, 16)] {
        let value = to_500_dpi(side, resolution);
        if value > MAX_IMAGE_SIDE {
            let (low, high) = (1, MAX_IMAGE_SIDE.into());
            let what = "the image side at 500 dpi";
            return Err(Error::OutOfRange { what, offset, value: value.into(), low, high });
        }
    }
    let views = reader.u8_in("the number of finger views", 1, MAX_VIEWS)?;
    reader.take(1, "the reserved byte")?;
    Ok(Header { width, height, x_resolution, y_resolution, views })
}

fn parse_view(reader: &mut Reader<'_>, header: &Header) -> Result<Template, Error> {
    let offset = reader.offset;
    let code = reader.u8_in("the finger position", 0, 10)?;
    let position = FingerPosition::from_code(code).expect("0 to 10 are all known");
    let view_and_impression = reader.u8_in("the view and impression type", 0, 255)?;
    let impression = view_and_impression & 0x0f;
    let impression = Impression::from_code(impression).ok_or(Error::OutOfRange {
        what: "the impression type",
        offset: offset + 1,
        value: impression.into(),
        low: 0,
        high: 8,
    })?;
    let quality = reader.u8_in("the finger quality", 0, 100)?;
    let count = reader.u8_in("the number of minutiae", 0, 255)?;
    let width = to_500_dpi(header.width, header.x_resolution).max(1);
    let height = to_500_dpi(header.height, header.y_resolution).max(1);
    let mut minutiae = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let minutia = parse_minutia(reader, header)?;
        minutiae.push(Minutia {
            x: to_500_dpi(minutia.x, header.x_resolution).min(width - 1),
            y: to_500_dpi(minutia.y, header.y_resolution).min(height - 1),
            ..minutia
        });
    }
    let extension = reader.u16_in("the extended data length", 0, u16::MAX)?;
    reader.take(usize::from(extension), "the extended data")?;
    Template::new(Capture { position, impression, quality, width, height }, minutiae)
}

fn parse_minutia(reader: &mut Reader<'_>, header: &Header) -> Result<Minutia, Error> {
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
    if x >= header.width || y >= header.height {
        return Err(Error::OutsideImage { offset });
    }
    let angle = reader.u8_in("the minutia angle", 0, 255)?;
    let quality = reader.u8_in("the minutia quality", 0, 100)?;
    Ok(Minutia { x, y, angle, kind, quality })
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
