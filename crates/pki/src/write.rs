//! Writing DER (X.690 §10) from the inside out. Only what certificates and lists need.

use der::asn1::ObjectIdentifier;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = length.leading_zeros() as usize / 8;
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend_from_slice(&bytes[skip..]);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

/// A SET OF, which DER sorts (X.690 §11.6).
pub(crate) fn set_of(mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    tlv(0x31, &[&elements.concat()])
}

pub(crate) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    tlv(0x06, &[oid.as_bytes()])
}

/// A non-negative INTEGER from big-endian bytes.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len().saturating_sub(1));
    let bytes = if bytes.is_empty() { &[0] } else { &bytes[start..] };
    let pad: &[u8] = if bytes[0] & 0x80 != 0 { &[0] } else { &[] };
    tlv(0x02, &[pad, bytes])
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes])
}

/// Time in certificates and lists: UTCTime to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5).
pub(crate) fn time(at: OffsetDateTime) -> Vec<u8> {
    let digits = generalized_digits(at);
    let year = utc(at).year();
    if (1950..2050).contains(&year) {
        tlv(0x17, &[&digits.as_bytes()[2..]])
    } else {
        tlv(0x18, &[digits.as_bytes()])
    }
}

/// `yyyymmddhhmmssZ`, the content of a GeneralizedTime.
pub(crate) fn generalized_digits(at: OffsetDateTime) -> String {
    let at = utc(at);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    format!("{year:04}{:02}{day:02}{hour:02}{minute:02}{second:02}Z", u8::from(month))
}

/// RFC 5280 §4.1.2.5 knows no year after 9999: what lies beyond it is written as its last second.
fn utc(at: OffsetDateTime) -> OffsetDateTime {
    at.checked_to_offset(UtcOffset::UTC).unwrap_or(PrimitiveDateTime::MAX.assume_utc())
}

pub(crate) fn extension(id: ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
    // DEFAULT FALSE is left out (X.690 §11.5).
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xFF] } else { &[] };
    sequence(&[&oid(id), flag, &tlv(0x04, &[value])])
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn integers_are_shortest_and_positive() {
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0x7F]), [2, 1, 0x7F]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn times_change_form_in_2050() {
        assert_eq!(time(datetime!(2049-12-31 23:59:59 UTC)), b"\x17\x0D491231235959Z");
        assert_eq!(time(datetime!(2050-01-01 06:00:00 +7)), b"\x17\x0D491231230000Z");
        assert_eq!(time(datetime!(2050-01-01 00:00:00 UTC)), b"\x18\x0F20500101000000Z");
    }

    #[test]
    fn long_lengths() {
        assert_eq!(tlv(4, &[&[0; 0x80]])[..3], [4, 0x81, 0x80]);
        assert_eq!(tlv(4, &[&[0; 0x1234]])[..4], [4, 0x82, 0x12, 0x34]);
    }
}
