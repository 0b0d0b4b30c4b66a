//! ISO/IEC 19794-2:2005, record format (clause 7).

use super::{FITS, MAGIC, Reader, VERSION_20, push_place, view_number};
use crate::params::{MAX_VIEWS, RESOLUTION_PX_PER_CM};
use crate::{Error, Template};

const HEADER_BYTES: usize = 24;
const VIEW_HEADER_BYTES: usize = 4;
const MINUTIA_BYTES: usize = 6;

pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Vec<Template>, Error> {
    reader.past_version()?;
    let declared = reader.u32("the record length")?;
    reader.is_whole(declared, 8)?;
    reader.take(2, "the capture device")?;
    let image = reader.image()?;
    let views = reader.u8_in("the number of finger views", 1, MAX_VIEWS)?;
    reader.take(1, "the reserved byte")?;
    (0..views).map(|_| reader.view(&image, |reader| reader.u8_in("the minutia angle", 0, 255))).collect()
}

pub(super) fn encode(views: &[Template], first: &Template, count: u8) -> Vec<u8> {
    let body: usize = views.iter().map(|v| VIEW_HEADER_BYTES + MINUTIA_BYTES * v.minutiae().len() + 2).sum();
    let length = HEADER_BYTES + body;
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(VERSION_20);
    out.extend_from_slice(&u32::try_from(length).expect(FITS).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    for field in [first.width(), first.height(), RESOLUTION_PX_PER_CM, RESOLUTION_PX_PER_CM] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    out.extend_from_slice(&[count, 0]);
    for (index, view) in views.iter().enumerate() {
        push_view(&mut out, view, view_number(views, index), |angle| angle);
    }
    out
}

/// Appends a view as both older standards write it; they differ in the angle alone.
pub(super) fn push_view(out: &mut Vec<u8>, view: &Template, number: u8, angle: fn(u8) -> u8) {
    let count = u8::try_from(view.minutiae().len()).expect("a template has at most 255 minutiae");
    out.extend_from_slice(&[
        view.position().code(),
        number << 4 | view.impression().code(),
        view.quality(),
        count,
    ]);
    for minutia in view.minutiae() {
        push_place(out, minutia);
        out.extend_from_slice(&[angle(minutia.angle), minutia.quality]);
    }
    out.extend_from_slice(&[0, 0]);
}
