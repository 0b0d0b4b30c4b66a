//! A paper's scan: what it may be is told by its bytes and never by its name.

/// Bytes of a scan at most.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Media {
    /// JPEG (ITU-T T.81, B.1.1.3: SOI and another marker).
    Jpeg,
    /// PNG (ISO/IEC 15948, 5.2).
    Png,
    /// PDF (ISO 32000-1, 7.5.2).
    Pdf,
}

/// Why a file is no scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoScan {
    /// Nothing is in it.
    Empty,
    /// More than [`MOST_BYTES`].
    TooLarge,
    /// Something else than the three types.
    OtherType,
}

impl Media {
    /// As it is told to browsers, and stored.
    pub const fn mime(self) -> &'static str {
        match self {
            Media::Jpeg => "image/jpeg",
            Media::Png => "image/png",
            Media::Pdf => "application/pdf",
        }
    }

    /// The type of these bytes.
    ///
    /// # Errors
    /// [`NoScan`].
    pub fn of(bytes: &[u8]) -> Result<Media, NoScan> {
        if bytes.is_empty() {
            return Err(NoScan::Empty);
        }
        if bytes.len() > MOST_BYTES {
            return Err(NoScan::TooLarge);
        }
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Ok(Media::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Media::Png),
            [b'%', b'P', b'D', b'F', b'-', ..] => Ok(Media::Pdf),
            _ => Err(NoScan::OtherType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_say_what_a_scan_is() {
        assert_eq!(Media::of(b"\xff\xd8\xff\xe0rest"), Ok(Media::Jpeg));
        assert_eq!(Media::of(b"\x89PNG\r\n\x1a\nrest"), Ok(Media::Png));
        assert_eq!(Media::of(b"%PDF-1.7"), Ok(Media::Pdf));
        assert_eq!(Media::of(b""), Err(NoScan::Empty));
        for other in
            [&b"GIF89a"[..], b"<svg xmlns=", b"PK\x03\x04", b"MZ", b" %PDF-1.7", b"\xff\xd8", b"\x89PNG"]
        {
            assert_eq!(Media::of(other), Err(NoScan::OtherType));
        }
    }

    #[test]
    fn a_scan_has_four_mebibytes_at_most() {
        let mut bytes = vec![0; MOST_BYTES];
        bytes[..5].copy_from_slice(b"%PDF-");
        assert_eq!(Media::of(&bytes), Ok(Media::Pdf));
        bytes.push(0);
        assert_eq!(Media::of(&bytes), Err(NoScan::TooLarge));
    }
}
