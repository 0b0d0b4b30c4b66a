//! Just enough of JPEG (ITU-T T.81 annex B) to know an image's size before it goes on a chip.

use crate::CardError;

/// What the frame header says of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Pixels.
    pub width: u16,
    pub height: u16,
    /// Bits of a sample.
    pub depth: u8,
    /// 1 for grey, 3 for colour.
    pub components: u8,
}

/// Width and height in pixels.
pub(crate) fn dimensions(bytes: &[u8]) -> Result<(u16, u16), CardError> {
    frame(bytes).map(|frame| (frame.width, frame.height))
}

/// Reads the frame header.
///
/// # Errors
/// [`CardError::Photo`] with the offset at which the file is no JPEG, or ends.
pub fn frame(bytes: &[u8]) -> Result<Frame, CardError> {
    let error = |offset, problem| Err(CardError::Photo { offset, problem });
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return error(0, "not a JPEG");
    }
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        match marker {
            // A fill byte before the marker proper (B.1.1.2).
            0xFF => at += 1,
            // Frame headers; C4, C8 and CC in this range are other segments.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let Some(&[depth, h1, h0, w1, w0, components]) = bytes.get(at + 4..at + 10) else { break };
                let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
                if width == 0 || height == 0 {
                    return error(at, "image without width or height");
                }
                return Ok(Frame { width, height, depth, components });
            }
            0xD9 | 0xDA => return error(at, "image data before a frame header"),
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
        }
    }
    error(at.min(bytes.len()), "no frame header found")
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The headers of a JPEG of this size, without image data.
    pub(crate) fn headers(width: u16, height: u16) -> Vec<u8> {
        let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xC0, 0, 11, 8];
        jpeg.extend(height.to_be_bytes());
        jpeg.extend(width.to_be_bytes());
        jpeg.extend([1, 1, 0x11, 0, 0xFF, 0xD9]);
        jpeg
    }

    #[test]
    fn size_is_found_behind_other_segments() {
        assert_eq!(dimensions(&headers(240, 320)).unwrap(), (240, 320));
        assert_eq!(frame(&headers(8, 9)).unwrap(), Frame { width: 8, height: 9, depth: 8, components: 1 });
        assert!(dimensions(b"\x89PNG").is_err());
        assert!(dimensions(&headers(240, 320)[..14]).is_err());
        assert!(dimensions(&headers(0, 320)).is_err());
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = dimensions(&bytes);
            bytes.splice(0..0, [0xFF, 0xD8, 0xFF]);
            let _ = dimensions(&bytes);
        }
    }
}
