//! DG3: the holder's fingers (Doc 9303-10, EF.DG3): a CBEFF biometric information template for each finger
//! around an ISO/IEC 19794-4:2005 finger image record. A reader gets it only after Terminal Authentication.

use super::fields::Fields;
use crate::{
    CardError, jpeg,
    tlv::{self, Tag},
};

const FILE: &str = "DG3";

/// ISO/IEC 19794-4 §7.1 and §7.2: sizes of the two headers in bytes.
const RECORD_HEADER_LEN: usize = 32;
const FINGER_HEADER_LEN: usize = 14;

/// More than a hand has, so that a record with views of each finger still fits.
const MOST_FINGERS: usize = 20;
/// Pixels a side; four fingers on a slap scanner are 1,600 wide at 500 dpi.
const MOST_PIXELS: u16 = 4_096;

/// Pixels to the inch of image acquisition level 31 (ISO/IEC 19794-4, table 1).
pub const RESOLUTION_DPI: u16 = 500;
const ACQUISITION_LEVEL: u16 = 31;

/// Positions of ISO/IEC 19794-4, table 6, as far as the card has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finger {
    RightIndex,
    LeftIndex,
    /// Another position by its number.
    Other(u8),
}

impl Finger {
    /// The finger position of ISO/IEC 19794-4, table 6.
    pub fn code(self) -> u8 {
        match self {
            Finger::RightIndex => 2,
            Finger::LeftIndex => 7,
            Finger::Other(code) => code,
        }
    }

    /// The inverse of [`Finger::code`]; every number is kept.
    pub fn from_code(code: u8) -> Finger {
        match code {
            2 => Finger::RightIndex,
            7 => Finger::LeftIndex,
            code => Finger::Other(code),
        }
    }

    /// The biometric subtype of the CBEFF header: finger in bits 5 to 3, thumb 1 to little finger 5, hand in
    /// bits 2 and 1 (ISO/IEC 7816-11, table C.2). 0 says nothing, as for several fingers in one picture.
    fn subtype(self) -> u8 {
        match self.code() {
            code @ 1..=5 => code << 2 | 0b01,
            code @ 6..=10 => (code - 5) << 2 | 0b10,
            _ => 0,
        }
    }
}

/// How an image is written (ISO/IEC 19794-4, table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// One byte a pixel.
    None,
    /// Pixels of fewer bits, packed.
    Packed,
    Wsq,
    Jpeg,
    Jpeg2000,
    Png,
}

impl Compression {
    fn from_code(code: u8) -> Option<Compression> {
        use Compression::*;
        [None, Packed, Wsq, Jpeg, Jpeg2000, Png].get(usize::from(code)).copied()
    }
}

/// One finger's image.
#[derive(Clone, PartialEq, Eq)]
pub struct FingerImage {
    pub finger: Finger,
    /// Pixels.
    pub width: u16,
    pub height: u16,
    /// Bits a pixel.
    pub depth: u8,
    pub compression: Compression,
    pub data: Vec<u8>,
}

/// Biometrics stay out of logs.
impl std::fmt::Debug for FingerImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FingerImage(redacted, {:?}, {} bytes)", self.finger, self.data.len())
    }
}

impl Drop for FingerImage {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.data);
    }
}

impl FingerImage {
    /// An image of one bit a pixel, rows from the top and each filled up to a whole byte; a set bit is white.
    ///
    /// # Errors
    /// When the data is not as long as the size says, or the size is none.
    pub fn packed(finger: Finger, width: u16, height: u16, data: Vec<u8>) -> Result<FingerImage, CardError> {
        let image = FingerImage { finger, width, height, depth: 1, compression: Compression::Packed, data };
        match image.expected_len() {
            Some(length) if length == image.data.len() && length > 0 => Ok(image),
            _ => Err(CardError::Field {
                field: "finger",
                problem: "its image is not as long as its size says",
            }),
        }
    }

    /// A grey JPEG, whose size its own header says.
    ///
    /// The standard advises WSQ for this resolution. JPEG is its code 3, every reader's programs can show it,
    /// and no WSQ encoder is at hand that is maintained and was tested by the FBI, without which WSQ says
    /// little; an image that a scanner delivers in WSQ goes on the chip as it is, with [`Compression::Wsq`].
    ///
    /// # Errors
    /// When it is no JPEG, has colours, or is larger than a record can say.
    pub fn jpeg(finger: Finger, data: Vec<u8>) -> Result<FingerImage, CardError> {
        let error = |problem| CardError::Field { field: "finger", problem };
        let Ok(frame) = jpeg::frame(&data) else { return Err(error("its image is not a JPEG")) };
        if frame.components != 1 {
            return Err(error("its image must be grey"));
        }
        if frame.width > MOST_PIXELS || frame.height > MOST_PIXELS {
            return Err(error("its image has more than 4,096 pixels a side"));
        }
        let (width, height, depth) = (frame.width, frame.height, frame.depth);
        Ok(FingerImage { finger, width, height, depth, compression: Compression::Jpeg, data })
    }

    /// Bytes of the image data, where the size determines them.
    fn expected_len(&self) -> Option<usize> {
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        match self.compression {
            Compression::None => Some(width * height * usize::from(self.depth).div_ceil(8)),
            Compression::Packed => Some((width * usize::from(self.depth)).div_ceil(8) * height),
            _ => None,
        }
    }
}

/// A DG3 with one template for each finger. Without fingers, as for someone who has none, the file must still
/// differ from card to card: `filler` then takes the place of the images (Doc 9303-10, EF.DG3, "Data Group 3
/// with no instances").
pub fn encode(fingers: &[FingerImage], filler: &[u8]) -> Vec<u8> {
    let count = fingers.len().min(MOST_FINGERS);
    let templates: Vec<Vec<u8>> = fingers[..count].iter().map(template).collect();
    let number = tlv::encode(Tag::INTEGER, &[&[count as u8]]);
    let mut parts: Vec<&[u8]> = vec![&number];
    parts.extend(templates.iter().map(Vec::as_slice));
    let random = tlv::encode(Tag(0x53), &[filler]);
    if templates.is_empty() {
        parts.push(&random);
    }
    tlv::encode(Tag(0x63), &[&tlv::encode(Tag(0x7F61), &parts)])
}

fn template(image: &FingerImage) -> Vec<u8> {
    // Biometric header: type "fingerprint", subtype, format owner 0101 (ISO/IEC JTC 1/SC 37), format type
    // 0007 (finger image).
    let subtype = image.finger.subtype();
    let header = tlv::encode(
        Tag(0xA1),
        &[&[0x81, 0x01, 0x08, 0x82, 0x01, subtype, 0x87, 0x02, 0x01, 0x01, 0x88, 0x02, 0x00, 0x07]],
    );
    tlv::encode(Tag(0x7F60), &[&header, &tlv::encode(Tag(0x5F2E), &[&record(image)])])
}

fn record(image: &FingerImage) -> Vec<u8> {
    let finger_len = FINGER_HEADER_LEN + image.data.len();
    let record_len = RECORD_HEADER_LEN + finger_len;
    let mut out = Vec::with_capacity(record_len);
    out.extend_from_slice(b"FIR\x00010\x00");
    out.extend_from_slice(&(record_len as u64).to_be_bytes()[2..]);
    // Capture device unknown, acquisition level, one finger, units of pixels to the inch.
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&ACQUISITION_LEVEL.to_be_bytes());
    out.extend_from_slice(&[1, 1]);
    for _scan_and_image_in_both_directions in 0..4 {
        out.extend_from_slice(&RESOLUTION_DPI.to_be_bytes());
    }
    out.extend_from_slice(&[image.depth, image.compression as u8, 0, 0]);
    // Finger header: length, position, one view, its number, quality undefined (254), live-scan plain, size,
    // reserved.
    out.extend_from_slice(&(finger_len as u32).to_be_bytes());
    out.extend_from_slice(&[image.finger.code(), 1, 1, 254, 0]);
    out.extend_from_slice(&image.width.to_be_bytes());
    out.extend_from_slice(&image.height.to_be_bytes());
    out.push(0);
    out.extend_from_slice(&image.data);
    out
}

/// All finger images, whether each has a template of its own or one record holds them all. None for a holder
/// without fingers.
pub fn parse(file: &[u8]) -> Result<Vec<FingerImage>, CardError> {
    let outer = tlv::single(file, Tag(0x63), "DG3 must be one object with tag 63")?;
    let mut reader = outer.children()?;
    let group = reader.expect(Tag(0x7F61), "biometric group template (7F61) expected")?;
    reader.finish()?;
    let mut reader = group.children()?;
    let count = reader.expect(Tag::INTEGER, "number of instances (02) expected")?;
    let error = |offset, problem| CardError::File { file: FILE, offset, problem };
    let &[count] = count.value else {
        return Err(error(count.value_offset(), "the number of instances must be one byte"));
    };
    let mut images = Vec::new();
    for _instance in 0..count {
        let template = reader.expect(Tag(0x7F60), "biometric template (7F60) expected")?;
        let mut inner = template.children()?;
        inner.expect(Tag(0xA1), "biometric header (A1) expected")?;
        let block = match inner.optional(Tag(0x5F2E))? {
            Some(block) => block,
            None => inner.expect(Tag(0x7F2E), "biometric data block (5F2E or 7F2E) expected")?,
        };
        inner.finish()?;
        parse_record(&mut Fields::new(block.value, block.value_offset(), FILE), &mut images)?;
    }
    if count == 0 {
        reader.optional(Tag(0x53))?;
    }
    reader.finish()?;
    Ok(images)
}

fn parse_record(fields: &mut Fields<'_>, images: &mut Vec<FingerImage>) -> Result<(), CardError> {
    if fields.take(8)? != b"FIR\x00010\x00" {
        return Err(fields.error(0, "not an ISO/IEC 19794-4:2005 finger image record"));
    }
    if fields.length(6)? != fields.record.len() {
        return Err(fields.error(8, "record length does not match the data"));
    }
    fields.take(4)?;
    let fingers = fields.u8()?;
    fields.take(9)?;
    let depth = fields.u8()?;
    if !(1..=16).contains(&depth) {
        return Err(fields.error(fields.at - 1, "a pixel has 1 to 16 bits"));
    }
    let compression = fields.u8()?;
    let Some(compression) = Compression::from_code(compression) else {
        return Err(fields.error(fields.at - 1, "unknown image compression"));
    };
    fields.take(2)?;
    for _finger in 0..fingers {
        let start = fields.at;
        if images.len() == MOST_FINGERS {
            return Err(fields.error(start, "more finger images than a card can hold"));
        }
        let length = fields.length(4)?;
        let finger = Finger::from_code(fields.u8()?);
        fields.take(4)?;
        let (width, height) = (fields.u16()?, fields.u16()?);
        if !(1..=MOST_PIXELS).contains(&width) || !(1..=MOST_PIXELS).contains(&height) {
            return Err(fields.error(start + 9, "an image has 1 to 4,096 pixels a side"));
        }
        fields.take(1)?;
        let Some(data_len) = length.checked_sub(FINGER_HEADER_LEN) else {
            return Err(fields.error(start, "the finger's length is smaller than its header"));
        };
        let data = fields.take(data_len)?.to_vec();
        let image = FingerImage { finger, width, height, depth, compression, data };
        if image.expected_len().is_some_and(|expected| expected != data_len) {
            return Err(fields.error(start, "the finger's length does not match its size"));
        }
        images.push(image);
    }
    if fields.at != fields.record.len() {
        return Err(fields.error(fields.at, "unexpected data after the last finger"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fingers() -> [FingerImage; 2] {
        [Finger::RightIndex, Finger::LeftIndex]
            .map(|finger| FingerImage::packed(finger, 20, 3, (0..9).collect()).unwrap())
    }

    #[test]
    fn two_fingers_read_back() {
        let file = encode(&fingers(), &[]);
        assert_eq!(parse(&file).unwrap(), fingers());
        let header = file.windows(4).position(|w| w == b"FIR\0").unwrap();
        let expected = [b"FIR\x00010\x00".as_slice(), &[0, 0, 0, 0, 0, 55], &[0, 0, 0, 31, 1, 1]].concat();
        assert_eq!(&file[header..header + 20], expected);
        assert_eq!(&file[header + 28..header + 41], [1, 1, 0, 0, 0, 0, 0, 23, 2, 1, 1, 254, 0]);
    }

    #[test]
    fn a_grey_jpeg_says_its_own_size_and_any_finger_its_place() {
        let data = jpeg::tests::headers(192, 256);
        let image = FingerImage::jpeg(Finger::from_code(8), data.clone()).unwrap();
        assert_eq!((image.width, image.height, image.depth), (192, 256, 8));
        let file = encode(std::slice::from_ref(&image), &[]);
        assert_eq!(parse(&file).unwrap(), [image]);
        let record = file.windows(4).position(|w| w == b"FIR\0").unwrap();
        assert_eq!(file[record + 29], 3);
        let mut colours = data.clone();
        colours[17] = 3;
        assert!(FingerImage::jpeg(Finger::LeftIndex, colours).unwrap_err().to_string().contains("grey"));
        assert!(FingerImage::jpeg(Finger::LeftIndex, b"WSQ".to_vec()).is_err());
        assert!(FingerImage::jpeg(Finger::LeftIndex, jpeg::tests::headers(5_000, 9)).is_err());
        // ISO/IEC 7816-11: thumb 1 to little finger 5, right 1, left 2.
        let subtypes = [1, 2, 5, 6, 7, 10, 13].map(|code| Finger::from_code(code).subtype());
        assert_eq!(subtypes, [0b00101, 0b01001, 0b10101, 0b00110, 0b01010, 0b10110, 0]);
    }

    #[test]
    fn a_holder_without_fingers_has_a_file_of_their_own() {
        let file = encode(&[], b"random");
        assert_ne!(file, encode(&[], b"other."));
        assert_eq!(parse(&file).unwrap(), []);
    }

    #[test]
    fn sizes_that_disagree_are_placed() {
        assert!(FingerImage::packed(Finger::LeftIndex, 20, 3, vec![0; 8]).is_err());
        assert!(FingerImage::packed(Finger::LeftIndex, 0, 3, vec![]).is_err());
        let good = encode(&fingers(), &[]);
        let header = good.windows(4).position(|w| w == b"FIR\0").unwrap();
        for (at, problem) in [
            (0, "19794-4"),
            (13, "record length"),
            (29, "compression"),
            (35, "ends too early"),
            (44, "does not match its size"),
        ] {
            let mut file = good.clone();
            file[header + at] = file[header + at].wrapping_add(9);
            let error = parse(&file).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in 0usize..220,
        ) {
            let mut file = encode(&fingers(), &[]);
            let index = at.index(file.len());
            file[index] = byte;
            let _ = parse(&file);
            file.truncate(cut);
            let _ = parse(&file);
        }
    }
}
