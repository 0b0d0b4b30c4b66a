//! DG2: the holder's face (Doc 9303-10, EF.DG2): a CBEFF biometric information template around an
//! ISO/IEC 19794-5:2005 face record with one JPEG.

use super::fields::Fields;
use crate::{
    CardError, jpeg,
    tlv::{self, Tag},
};

const FILE: &str = "DG2";

/// The nested objects, from the outside (Doc 9303-10, tables of EF.DG2).
const FILE_TAG: Tag = Tag(0x75);
const GROUP: Tag = Tag(0x7F61);
const TEMPLATE: Tag = Tag(0x7F60);
const DATA_BLOCK: Tag = Tag(0x5F2E);

/// ISO/IEC 19794-5 §5.4 to §5.7: sizes of the fixed blocks in bytes.
const RECORD_HEADER_LEN: usize = 14;
const FACE_BLOCK_LEN: usize = 20;
const FEATURE_POINT_LEN: usize = 8;
const IMAGE_BLOCK_LEN: usize = 12;

/// The first face image of the record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Face<'a> {
    pub image: &'a [u8],
    pub encoding: ImageEncoding,
    /// Pixels, as the record states them.
    pub width: u16,
    pub height: u16,
}

impl std::fmt::Debug for Face<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Face(redacted, {} bytes)", self.image.len())
    }
}

/// How the portrait is compressed; the photo is stored and given out as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageEncoding {
    Jpeg,
    Jpeg2000,
}

/// Biometric header: type "facial features", no subtype, format owner 0101 (ISO/IEC JTC 1/SC 37), format type
/// 0008 (face image).
const BIOMETRIC_HEADER: &[u8] =
    &[0xA1, 0x0E, 0x81, 0x01, 0x02, 0x82, 0x01, 0x00, 0x87, 0x02, 0x01, 0x01, 0x88, 0x02, 0x00, 0x08];
/// One instance in the group.
const ONE_INSTANCE: &[u8] = &[0x02, 0x01, 0x01];

/// A DG2 with one frontal photo.
pub fn encode(jpeg: &[u8]) -> Result<Vec<u8>, CardError> {
    let (width, height) = jpeg::dimensions(jpeg)?;
    // Lengths are added up from the inside first, so that the photo is copied once.
    let face_len = FACE_BLOCK_LEN + IMAGE_BLOCK_LEN + jpeg.len();
    let record_len = RECORD_HEADER_LEN + face_len;
    let template_len = BIOMETRIC_HEADER.len() + tlv::encoded_len(DATA_BLOCK, record_len);
    let group_len = ONE_INSTANCE.len() + tlv::encoded_len(TEMPLATE, template_len);
    let file_len = tlv::encoded_len(GROUP, group_len);
    let mut file = Vec::with_capacity(tlv::encoded_len(FILE_TAG, file_len));
    tlv::put_header(&mut file, FILE_TAG, file_len);
    tlv::put_header(&mut file, GROUP, group_len);
    file.extend_from_slice(ONE_INSTANCE);
    tlv::put_header(&mut file, TEMPLATE, template_len);
    file.extend_from_slice(BIOMETRIC_HEADER);
    tlv::put_header(&mut file, DATA_BLOCK, record_len);
    let too_long = |_| CardError::Photo { offset: 0, problem: "the file is too large for a chip" };
    file.extend_from_slice(b"FAC\x00010\x00");
    file.extend_from_slice(&u32::try_from(record_len).map_err(too_long)?.to_be_bytes());
    file.extend_from_slice(&1u16.to_be_bytes());
    // Facial information block: length, then no feature points; sex, eyes, hair, features, expression and
    // pose are left unspecified (0), because nobody measured them.
    file.extend_from_slice(&u32::try_from(face_len).map_err(too_long)?.to_be_bytes());
    file.extend_from_slice(&[0; FACE_BLOCK_LEN - 4]);
    // Image information block: full frontal, JPEG, size, 24-bit sRGB, photo from a digital still camera.
    file.extend_from_slice(&[0x01, 0x00]);
    file.extend_from_slice(&width.to_be_bytes());
    file.extend_from_slice(&height.to_be_bytes());
    file.extend_from_slice(&[0x01, 0x02, 0, 0, 0, 0]);
    file.extend_from_slice(jpeg);
    Ok(file)
}

/// Reads the first face. The header's optional elements are not interpreted.
pub fn parse(file: &[u8]) -> Result<Face<'_>, CardError> {
    let outer = tlv::single(file, FILE_TAG, "DG2 must be one object with tag 75")?;
    let mut reader = outer.children()?;
    let group = reader.expect(GROUP, "biometric group template (7F61) expected")?;
    reader.finish()?;
    let mut reader = group.children()?;
    let count = reader.expect(Tag::INTEGER, "number of instances (02) expected")?;
    if count.value.is_empty() || count.value.iter().all(|&b| b == 0) {
        let offset = count.value_offset();
        return Err(CardError::File { file: FILE, offset, problem: "no face image stored" });
    }
    let template = reader.expect(TEMPLATE, "biometric template (7F60) expected")?;
    let mut reader = template.children()?;
    reader.expect(Tag(0xA1), "biometric header (A1) expected")?;
    let block = match reader.optional(DATA_BLOCK)? {
        Some(block) => block,
        None => reader.expect(Tag(0x7F2E), "biometric data block (5F2E or 7F2E) expected")?,
    };
    reader.finish()?;
    parse_record(block.value, block.value_offset())
}

fn parse_record(record: &[u8], base: usize) -> Result<Face<'_>, CardError> {
    let mut fields = Fields::new(record, base, FILE);
    if fields.take(8)? != b"FAC\x00010\x00" {
        return Err(fields.error(0, "not an ISO/IEC 19794-5:2005 face record"));
    }
    if fields.length(4)? != record.len() {
        return Err(fields.error(8, "record length does not match the data"));
    }
    if fields.u16()? == 0 {
        return Err(fields.error(12, "no face in the record"));
    }
    let face_at = fields.at;
    let face_len = fields.length(4)?;
    let points = usize::from(fields.u16()?);
    fields.take(FACE_BLOCK_LEN - 6 + points * FEATURE_POINT_LEN)?;
    fields.take(1)?;
    let encoding = match fields.take(1)?[0] {
        0 => ImageEncoding::Jpeg,
        1 => ImageEncoding::Jpeg2000,
        _ => return Err(fields.error(fields.at - 1, "unknown image encoding")),
    };
    let (width, height) = (fields.u16()?, fields.u16()?);
    fields.take(IMAGE_BLOCK_LEN - 6)?;
    let end = face_at.checked_add(face_len).filter(|&end| end > fields.at && end <= record.len());
    let Some(end) = end else {
        return Err(fields.error(face_at, "face length does not match the data"));
    };
    Ok(Face { image: &record[fields.at..end], encoding, width, height })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::jpeg::tests::headers;

    #[test]
    fn photo_and_size_read_back() {
        let photo = headers(240, 320);
        let file = encode(&photo).unwrap();
        let face = parse(&file).unwrap();
        assert_eq!(face, Face { image: &photo, encoding: ImageEncoding::Jpeg, width: 240, height: 320 });
    }

    #[test]
    fn only_a_jpeg_goes_on_a_chip() {
        assert!(matches!(encode(b"GIF89a"), Err(CardError::Photo { offset: 0, .. })));
    }

    #[test]
    fn lengths_that_disagree_are_refused() {
        let file = encode(&headers(240, 320)).unwrap();
        let record = file.windows(3).position(|w| w == b"FAC").unwrap();
        for at in [record + 11, record + 17] {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            let wrong_end = parse(&damaged).map(|face| face.image.len() != headers(240, 320).len());
            assert!(wrong_end.unwrap_or(true));
        }
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(at in 0usize..200, byte in any::<u8>(), cut in 0usize..200) {
            let mut file = encode(&headers(240, 320)).unwrap();
            let index = at % file.len();
            file[index] = byte;
            let _ = parse(&file);
            file.truncate(cut);
            let _ = parse(&file);
        }
    }
}
