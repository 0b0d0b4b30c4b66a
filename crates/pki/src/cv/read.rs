//! Reading the data objects of a card-verifiable certificate: DER with tags of one or two bytes, and the
//! offset of every fault. Nothing recurses, and nothing longer than a certificate is looked at.

use crate::PkiError;

/// Bytes of a certificate at most: twice one with a key of 512 bits, its parameters and some extensions.
pub(super) const LONGEST: usize = 4_096;

const WHAT: &str = "the card-verifiable certificate";

#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) value: &'a [u8],
    pub(super) raw: &'a [u8],
    /// From the start of the outermost input.
    pub(super) at: usize,
}

impl<'a> Object<'a> {
    pub(super) fn children(&self) -> Reader<'a> {
        Reader { input: self.value, position: 0, base: self.at + self.raw.len() - self.value.len() }
    }

    pub(super) fn error(&self, problem: &str) -> PkiError {
        fault(problem, self.at)
    }
}

fn fault(problem: &str, at: usize) -> PkiError {
    PkiError::Malformed { what: WHAT, problem: format!("{problem}, at byte {at}") }
}

pub(super) struct Reader<'a> {
    input: &'a [u8],
    position: usize,
    base: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Reader<'a>, PkiError> {
        if input.len() > LONGEST {
            return Err(fault("longer than any certificate", LONGEST));
        }
        Ok(Reader { input, position: 0, base: 0 })
    }

    /// The next object, which must have this tag. Objects stand in a fixed order.
    pub(super) fn expect(&mut self, tag: u16, name: &str) -> Result<Object<'a>, PkiError> {
        match self.tag() {
            Some((found, _)) if found == tag => self.next(),
            _ => Err(self.error(&format!("{name} ({tag:02X}) expected"))),
        }
    }

    /// The next object if it has this tag; otherwise nothing is consumed.
    pub(super) fn optional(&mut self, tag: u16) -> Result<Option<Object<'a>>, PkiError> {
        match self.tag() {
            Some((found, _)) if found == tag => self.next().map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn finish(&self) -> Result<(), PkiError> {
        if self.position == self.input.len() { Ok(()) } else { Err(self.error("nothing more was expected")) }
    }

    /// The tag that comes next, and its bytes. A second byte follows where the first ends in five ones.
    fn tag(&self) -> Option<(u16, usize)> {
        match *self.input.get(self.position..)? {
            [first, second, ..] if first & 0x1F == 0x1F => Some((u16::from_be_bytes([first, second]), 2)),
            [first, ..] => Some((u16::from(first), 1)),
            [] => None,
        }
    }

    fn next(&mut self) -> Result<Object<'a>, PkiError> {
        let start = self.position;
        let Some((_, tag_len)) = self.tag() else { return Err(self.error("the data end")) };
        let rest = &self.input[start..];
        let (length, header) = match rest[tag_len..] {
            [short @ 0..=0x7F, ..] => (usize::from(short), tag_len + 1),
            [0x81, length, ..] if length >= 0x80 => (usize::from(length), tag_len + 2),
            [0x82, high, low, ..] if high > 0 => (usize::from(u16::from_be_bytes([high, low])), tag_len + 3),
            _ => return Err(self.error("a length in its shortest form, of two bytes at most, expected")),
        };
        let Some(value) = rest.get(header..header + length) else {
            return Err(self.error("a length that reaches past the end of the data"));
        };
        self.position += header + length;
        Ok(Object { value, raw: &rest[..header + length], at: self.base + start })
    }

    fn error(&self, problem: &str) -> PkiError {
        fault(problem, self.base + self.position)
    }
}

/// One object with a tag of one or two bytes.
pub(super) fn write(tag: u16, parts: &[&[u8]]) -> Vec<u8> {
    let [high, low] = tag.to_be_bytes();
    let mut out = if high == 0 { Vec::new() } else { vec![high] };
    out.extend(crate::write::tlv(low, parts));
    out
}
