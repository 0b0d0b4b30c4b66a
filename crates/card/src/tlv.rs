//! BER-TLV as ISO/IEC 7816-4 and the LDS (Doc 9303-10) use it, and DER as CMS uses it.
//!
//! The reader borrows its input, so that hashes and signatures are always taken over the raw bytes. It
//! accepts definite lengths only: an indefinite length cannot be hashed without choosing an encoding first.

use crate::CardError;

/// A tag as its bytes read as a big-endian number: `0x61`, `0x7F61`, `0x5F2E`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u32);

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tag({:X})", self.0)
    }
}

impl Tag {
    /// Universal tag of ASN.1 (ITU-T X.680 §8.4), as are those below.
    pub const BOOLEAN: Tag = Tag(0x01);
    /// Signed, big-endian, in as few bytes as it fits.
    pub const INTEGER: Tag = Tag(0x02);
    /// Bytes without meaning of their own.
    pub const OCTET_STRING: Tag = Tag(0x04);
    /// An object identifier.
    pub const OID: Tag = Tag(0x06);
    /// Text in any script.
    pub const UTF8_STRING: Tag = Tag(0x0C);
    /// Text in letters, digits and a few signs of ASCII.
    pub const PRINTABLE_STRING: Tag = Tag(0x13);
    /// Elements in a fixed order; the tag has the bit of constructed objects set.
    pub const SEQUENCE: Tag = Tag(0x30);
    /// Elements in the order of their encodings; the tag has the bit of constructed objects set.
    pub const SET: Tag = Tag(0x31);

    fn first_byte(self) -> u8 {
        let bytes = self.0.to_be_bytes();
        bytes.into_iter().find(|&b| b != 0).unwrap_or(0)
    }

    /// Whether the value is itself a list of TLVs (bit 6 of the first tag byte).
    pub fn is_constructed(self) -> bool {
        self.first_byte() & 0x20 != 0
    }
}

/// What a reader refuses before it looks further. The defaults hold any card file: the largest is DG2 or DG3
/// with some tens of kilobytes, the deepest an EF.SOD with about a dozen levels.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub depth: usize,
    pub length: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth: 24, length: 1 << 20 }
    }
}

/// One data object. `offset` counts from the start of the outermost input.
#[derive(Clone, Copy)]
pub struct Tlv<'a> {
    pub tag: Tag,
    pub value: &'a [u8],
    /// Tag, length and value as they stand in the input.
    pub raw: &'a [u8],
    pub offset: usize,
    depth: usize,
    limits: Limits,
}

impl<'a> Tlv<'a> {
    /// Where the value starts in the outermost input.
    pub fn value_offset(&self) -> usize {
        self.offset + (self.raw.len() - self.value.len())
    }

    /// A reader over the objects inside this one.
    pub fn children(&self) -> Result<Reader<'a>, CardError> {
        if self.depth + 1 >= self.limits.depth {
            return Err(CardError::Tlv { offset: self.offset, problem: "nested deeper than allowed" });
        }
        Ok(Reader {
            input: self.value,
            position: 0,
            base: self.value_offset(),
            depth: self.depth + 1,
            limits: self.limits,
        })
    }
}

/// Reads data objects one after the other from a byte slice.
pub struct Reader<'a> {
    input: &'a [u8],
    position: usize,
    base: usize,
    depth: usize,
    limits: Limits,
}

impl<'a> Reader<'a> {
    /// Reads the objects in `input` one after another, within the limits for files of a card.
    pub fn new(input: &'a [u8]) -> Self {
        Self::with_limits(input, Limits::default())
    }

    /// The same with other limits on depth and length.
    pub fn with_limits(input: &'a [u8], limits: Limits) -> Self {
        Reader { input, position: 0, base: 0, depth: 0, limits }
    }

    /// Whether every byte was read.
    pub fn is_empty(&self) -> bool {
        self.position == self.input.len()
    }

    /// The offset of the next object in the outermost input.
    pub fn offset(&self) -> usize {
        self.base + self.position
    }

    /// The next object, or `None` at the end.
    pub fn read(&mut self) -> Result<Option<Tlv<'a>>, CardError> {
        if self.is_empty() {
            return Ok(None);
        }
        let start = self.position;
        let tag = self.tag()?;
        let length = self.length()?;
        let end = self.position + length;
        let Some(value) = self.input.get(self.position..end) else {
            return Err(self.error("length reaches past the end of the data"));
        };
        self.position = end;
        Ok(Some(Tlv {
            tag,
            value,
            raw: &self.input[start..end],
            offset: self.base + start,
            depth: self.depth,
            limits: self.limits,
        }))
    }

    /// The next object, which must be there and have this tag.
    pub fn expect(&mut self, tag: Tag, problem: &'static str) -> Result<Tlv<'a>, CardError> {
        let offset = self.offset();
        match self.read()? {
            Some(tlv) if tlv.tag == tag => Ok(tlv),
            _ => Err(CardError::Tlv { offset, problem }),
        }
    }

    /// The next object if it has this tag; otherwise nothing is consumed.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, CardError> {
        let before = self.position;
        match self.read()? {
            Some(tlv) if tlv.tag == tag => Ok(Some(tlv)),
            _ => {
                self.position = before;
                Ok(None)
            }
        }
    }

    /// Fails if anything is left, so that no byte of a file goes unread.
    pub fn finish(&self) -> Result<(), CardError> {
        if self.is_empty() { Ok(()) } else { Err(self.error("unexpected data after the last object")) }
    }

    fn tag(&mut self) -> Result<Tag, CardError> {
        let first = self.byte()?;
        let mut tag = u32::from(first);
        if first & 0x1F == 0x1F {
            loop {
                let next = self.byte()?;
                if tag > 0xFF_FFFF {
                    return Err(self.error("tag longer than four bytes"));
                }
                tag = tag << 8 | u32::from(next);
                if next & 0x80 == 0 {
                    break;
                }
            }
        }
        Ok(Tag(tag))
    }

    fn length(&mut self) -> Result<usize, CardError> {
        let first = self.byte()?;
        let length = match first {
            0..=0x7F => usize::from(first),
            0x80 => return Err(self.error("indefinite length; re-encode with definite lengths")),
            0x81..=0x84 => {
                let mut length = 0usize;
                for _ in 0..first & 0x7F {
                    length = length << 8 | usize::from(self.byte()?);
                }
                length
            }
            _ => return Err(self.error("length field longer than four bytes")),
        };
        if length > self.limits.length {
            return Err(self.error("length over the allowed maximum"));
        }
        Ok(length)
    }

    fn byte(&mut self) -> Result<u8, CardError> {
        let Some(&byte) = self.input.get(self.position) else {
            return Err(self.error("data ends inside a tag or length"));
        };
        self.position += 1;
        Ok(byte)
    }

    fn error(&self, problem: &'static str) -> CardError {
        CardError::Tlv { offset: self.offset(), problem }
    }
}

/// Reads exactly one object with this tag and nothing after it.
pub fn single<'a>(input: &'a [u8], tag: Tag, problem: &'static str) -> Result<Tlv<'a>, CardError> {
    let mut reader = Reader::new(input);
    let tlv = reader.expect(tag, problem)?;
    reader.finish()?;
    Ok(tlv)
}

/// One object whose value is the concatenation of `parts`, in the shortest (DER) length form.
pub fn encode(tag: Tag, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(encoded_len(tag, length));
    put_header(&mut out, tag, length);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Appends tag and length; the caller appends exactly `length` bytes of value.
pub fn put_header(out: &mut Vec<u8>, tag: Tag, length: usize) {
    let skip = tag_len(tag);
    out.extend_from_slice(&tag.0.to_be_bytes()[4 - skip..]);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let size = length_len(length) - 1;
        out.push(0x80 | size as u8);
        out.extend_from_slice(&length.to_be_bytes()[size_of::<usize>() - size..]);
    }
}

/// Appends a whole object.
pub fn put(out: &mut Vec<u8>, tag: Tag, value: &[u8]) {
    put_header(out, tag, value.len());
    out.extend_from_slice(value);
}

/// Size of a whole object with a value of `length` bytes.
pub fn encoded_len(tag: Tag, length: usize) -> usize {
    tag_len(tag) + length_len(length) + length
}

fn tag_len(tag: Tag) -> usize {
    (4 - tag.0.leading_zeros() as usize / 8).max(1)
}

fn length_len(length: usize) -> usize {
    if length < 0x80 { 1 } else { 1 + (usize::BITS as usize - length.leading_zeros() as usize).div_ceil(8) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_count_from_the_outermost_byte() {
        // 61 04 { 30 02 { 02 05 -> claims five bytes that are not there } }
        let bytes = [0x61, 0x04, 0x30, 0x02, 0x02, 0x05];
        let outer = single(&bytes, Tag(0x61), "outer").unwrap();
        let inner = outer.children().unwrap().expect(Tag::SEQUENCE, "inner").unwrap();
        assert_eq!(inner.offset, 2);
        let error = inner.children().unwrap().read().err().unwrap();
        assert_eq!(error, CardError::Tlv { offset: 6, problem: "length reaches past the end of the data" });
    }

    #[test]
    fn indefinite_and_oversized_lengths_are_refused() {
        assert!(Reader::new(&[0x30, 0x80, 0, 0]).read().is_err());
        assert!(Reader::new(&[0x30, 0x85, 0, 0, 0, 0, 1, 7]).read().is_err());
        assert!(Reader::new(&[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]).read().is_err());
    }

    #[test]
    fn depth_is_limited() {
        let mut bytes = vec![0x04, 0x00];
        for _ in 0..40 {
            bytes = encode(Tag::SEQUENCE, &[&bytes]);
        }
        let mut reader = Reader::new(&bytes);
        let mut depth = 0;
        let stopped = loop {
            let Some(tlv) = reader.read().unwrap() else { break false };
            match tlv.children() {
                Ok(inner) => reader = inner,
                Err(_) => break true,
            }
            depth += 1;
        };
        assert!(stopped && depth < 40);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            number in 1u32..0x7F,
            value in proptest::collection::vec(any::<u8>(), 0..70_000),
        ) {
            let tag = Tag(0x5F00 | number);
            let bytes = encode(tag, &[&value]);
            prop_assert_eq!(bytes.len(), encoded_len(tag, value.len()));
            let tlv = single(&bytes, tag, "tag").unwrap();
            prop_assert_eq!(tlv.value, &value[..]);
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            fn walk(mut reader: Reader<'_>) {
                while let Ok(Some(tlv)) = reader.read() {
                    if let Ok(inner) = tlv.children() {
                        walk(inner);
                    }
                }
            }
            walk(Reader::new(&bytes));
        }
    }
}
