//! ISO/IEC 19794-2:2011, finger minutiae record format (clause 8).
//!
//! Each view, there called a representation, states its own length, image and resolution.

use super::{FITS, Image, MAGIC, Reader, VERSION_030, push_place};
use crate::params::{MAX_VIEWS, RESOLUTION_PX_PER_CM};
use crate::{Capture, Error, Impression, Minutia, Template};

const DATE_BYTES: usize = 9;
const QUALITY_BYTES: usize = 5;
const CERTIFICATION_BYTES: usize = 3;
/// Six bytes per minutia, the last of them its quality; ridge endings are at the ends of valley bifurcations.
const MINUTIA_FIELD: u8 = 6 << 4;
/// Quality of a minutia that is not reported.
const NOT_REPORTED: u8 = 254;

pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Vec<Template>, Error> {
    reader.past_version()?;
    let declared = reader.u32("the record length")?;
    reader.is_whole(declared, 8)?;
    let views = reader.u16_in("the number of finger views", 1, MAX_VIEWS.into())?;
    let certified = reader.u8_in("the certification flag", 0, 1)? == 1;
    (0..views).map(|_| parse_view(reader, certified)).collect()
}

fn parse_view(reader: &mut Reader<'_>, certified: bool) -> Result<Template, Error> {
    let start = reader.offset;
    let declared = reader.u32("the length of a finger view")? as usize;
    reader.take(DATE_BYTES + 1 + 2 + 2, "the capture date and device")?;
    let quality = read_quality(reader)?;
    if certified {
        let count = reader.u8_in("the number of certifications", 0, u8::MAX)?;
        reader.take(usize::from(count) * CERTIFICATION_BYTES, "the certifications")?;
    }
    let position = reader.position()?;
    reader.take(1, "the number of the view")?;
    let resolution = reader.resolution()?;
    let impression = read_impression(reader)?;
    let offset = reader.offset;
    let image = Image::new(reader.size()?, resolution, offset)?;
    let offset = reader.offset;
    let field = reader.u8_in("the minutia field length", 0, u8::MAX)?;
    let minutia_bytes = field >> 4;
    if !(5..=6).contains(&minutia_bytes) {
        let what = "the minutia field length";
        return Err(Error::OutOfRange { what, offset, value: minutia_bytes.into(), low: 5, high: 6 });
    }
    let count = reader.u8_in("the number of minutiae", 0, u8::MAX)?;
    let mut minutiae = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let place = image.read_place(reader)?;
        let angle = reader.u8_in("the minutia angle", 0, 255)?;
        let quality = if minutia_bytes == 6 { read_minutia_quality(reader)? } else { 0 };
        minutiae.push(Minutia { angle, quality, ..place });
    }
    reader.skip_extended_data()?;
    let actual = reader.offset - start;
    if declared != actual {
        return Err(Error::LengthMismatch { offset: start, declared, actual });
    }
    let capture = Capture { position, impression, quality, width: image.width(), height: image.height() };
    Template::new(capture, minutiae)
}

/// The first score that was computed; 0 if none was.
fn read_quality(reader: &mut Reader<'_>) -> Result<u8, Error> {
    const FAILED: u8 = 255;
    let blocks = reader.u8_in("the number of quality blocks", 0, u8::MAX)?;
    let mut found = None;
    for _ in 0..blocks {
        let offset = reader.offset;
        let score = reader.take(QUALITY_BYTES, "a quality block")?[0];
        if score > 100 && score != FAILED {
            let what = "the finger quality";
            return Err(Error::OutOfRange { what, offset, value: score.into(), low: 0, high: 100 });
        }
        found = found.or(Some(score).filter(|&score| score != FAILED));
    }
    Ok(found.unwrap_or(0))
}

/// Latents of four kinds are one to us, and what the older edition has no code for (contactless, other,
/// unknown) is taken as a plain live scan.
fn read_impression(reader: &mut Reader<'_>) -> Result<Impression, Error> {
    let offset = reader.offset;
    let code = reader.u8_in("the impression type", 0, u8::MAX)?;
    match code {
        4..=7 => Ok(Impression::Latent),
        9..=29 => Ok(Impression::LiveScanPlain),
        code => Impression::from_code(code).ok_or(Error::OutOfRange {
            what: "the impression type",
            offset,
            value: code.into(),
            low: 0,
            high: 29,
        }),
    }
}

fn read_minutia_quality(reader: &mut Reader<'_>) -> Result<u8, Error> {
    let offset = reader.offset;
    match reader.take(1, "the minutia quality")?[0] {
        quality @ 0..=100 => Ok(quality),
        // Not reported, or tried in vain.
        254 | 255 => Ok(0),
        other => {
            let what = "the minutia quality";
            Err(Error::OutOfRange { what, offset, value: other.into(), low: 0, high: 100 })
        }
    }
}

pub(super) fn encode(views: &[Template]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(VERSION_030);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&u16::try_from(views.len()).expect(FITS).to_be_bytes());
    out.push(0);
    for (index, view) in views.iter().enumerate() {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        // This crate knows no clock; date, technology, vendor and type of the device are not reported.
        out.extend_from_slice(&[0; DATE_BYTES + 1 + 2 + 2]);
        out.extend_from_slice(&[1, view.quality(), 0, 0, 0, 0]);
        let number = views[..index].iter().filter(|v| v.position() == view.position()).count();
        out.extend_from_slice(&[view.position().code(), u8::try_from(number).expect("at most 40 views")]);
        for field in [RESOLUTION_PX_PER_CM, RESOLUTION_PX_PER_CM] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        out.push(view.impression().code());
        for field in [view.width(), view.height()] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        let count = u8::try_from(view.minutiae().len()).expect("a template has at most 255 minutiae");
        out.extend_from_slice(&[MINUTIA_FIELD, count]);
        for minutia in view.minutiae() {
            push_place(&mut out, minutia);
            let quality = if minutia.quality == 0 { NOT_REPORTED } else { minutia.quality };
            out.extend_from_slice(&[minutia.angle, quality]);
        }
        out.extend_from_slice(&[0, 0]);
        set_length(&mut out, start, start);
    }
    set_length(&mut out, 0, 8);
    out
}

/// Writes the number of bytes since `start` at `at`.
fn set_length(out: &mut [u8], start: usize, at: usize) {
    let length = u32::try_from(out.len() - start).expect(FITS);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}
