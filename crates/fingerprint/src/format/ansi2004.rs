//! ANSI INCITS 378-2004 (clause 6).
//!
//! As ISO/IEC 19794-2:2005 but for the length, of two bytes, or of four after two zero ones; the owner and
//! type of the software that wrote the record; and directions in steps of two degrees.

use super::iso2005::push_view;
use super::{FITS, MAGIC, Reader, VERSION_20, view_number};
use crate::params::{MAX_VIEWS, RESOLUTION_PX_PER_CM};
use crate::{Error, Template};

const HEADER_BYTES: usize = 26;
/// Two-degree steps in a turn.
const STEPS: u32 = 180;

/// The length that a record states in the long form, if it has one.
pub(super) fn long_length(record: &[u8]) -> Option<usize> {
    let bytes = record.get(10..14)?.first_chunk()?;
    (record[8..10] == [0, 0]).then_some(u32::from_be_bytes(*bytes) as usize)
}

pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Vec<Template>, Error> {
    reader.past_version()?;
    match reader.u16_in("the record length", 0, u16::MAX)? {
        0 => {
            let long = reader.u32("the record length")?;
            reader.is_whole(long, 10)?;
        }
        short => reader.is_whole(short.into(), 8)?,
    }
    reader.take(4, "the product identifier")?;
    reader.take(2, "the capture equipment")?;
    let image = reader.image()?;
    let views = reader.u8_in("the number of finger views", 1, MAX_VIEWS)?;
    reader.take(1, "the reserved byte")?;
    (0..views).map(|_| reader.view(&image, read_angle)).collect()
}

pub(super) fn encode(views: &[Template], first: &Template, count: u8) -> Vec<u8> {
    let body: usize = views.iter().map(|v| 4 + 6 * v.minutiae().len() + 2).sum();
    let length = u16::try_from(HEADER_BYTES + body).expect(FITS);
    let mut out = Vec::with_capacity(usize::from(length));
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(VERSION_20);
    out.extend_from_slice(&length.to_be_bytes());
    // Owner, type and equipment are not reported.
    out.extend_from_slice(&[0; 6]);
    for field in [first.width(), first.height(), RESOLUTION_PX_PER_CM, RESOLUTION_PX_PER_CM] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    out.extend_from_slice(&[count, 0]);
    for (index, view) in views.iter().enumerate() {
        push_view(&mut out, view, view_number(views, index), to_steps);
    }
    out
}

fn read_angle(reader: &mut Reader<'_>) -> Result<u8, Error> {
    let steps = reader.u8_in("the minutia angle", 0, 179)?;
    Ok(((u32::from(steps) * 256 + STEPS / 2) / STEPS) as u8)
}

fn to_steps(angle: u8) -> u8 {
    ((u32::from(angle) * STEPS + 128) / 256 % STEPS) as u8
}
