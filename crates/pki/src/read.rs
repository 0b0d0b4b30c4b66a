//! Reading DER (X.690 §10) with the offset of every fault. Structures that `x509-cert` knows are read by it;
//! this reads the rest: explicit curve parameters, RSASSA-PSS parameters, CMS.

use crate::PkiError;

/// Bytes that one structure may have. The largest that is read here is a master list, some hundred
/// certificates.
const LONGEST: usize = 1 << 24;

/// One element. `raw` is tag, length and value; `at` counts from the start of the outermost input.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) value: &'a [u8],
    pub(crate) raw: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Element<'a> {
    pub(crate) fn children(&self) -> Reader<'a> {
        let base = self.at + self.raw.len() - self.value.len();
        Reader { input: self.value, position: 0, base, what: self.what }
    }

    pub(crate) fn error(&self, problem: &str) -> PkiError {
        PkiError::Malformed { what: self.what, problem: format!("{problem}, at byte {}", self.at) }
    }
}

/// Reads elements one after the other. It never recurses: callers name each level, so depth is bounded by
/// code.
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    position: usize,
    base: usize,
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader { input, position: 0, base: 0, what }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.position == self.input.len()
    }

    pub(crate) fn expect(&mut self, tag: u8, name: &str) -> Result<Element<'a>, PkiError> {
        match self.peek() {
            Some(found) if found == tag => self.next(),
            Some(found) => {
                Err(self.error(&format!("{name} (tag {tag:02X}) expected and tag {found:02X} found")))
            }
            None => Err(self.error(&format!("{name} (tag {tag:02X}) expected and the end found"))),
        }
    }

    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, PkiError> {
        if self.peek() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    pub(crate) fn finish(&self) -> Result<(), PkiError> {
        if self.is_empty() { Ok(()) } else { Err(self.error("nothing more was expected")) }
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.position).copied()
    }

    fn next(&mut self) -> Result<Element<'a>, PkiError> {
        let start = self.position;
        let rest = &self.input[start..];
        if rest[0] & 0x1F == 0x1F {
            return Err(self.error("a tag of several bytes"));
        }
        let (length, header) = match rest.get(1) {
            None => return Err(self.error("the data end inside a header")),
            Some(&short @ 0..=0x7F) => (usize::from(short), 2),
            Some(0x80) => return Err(self.error("an indefinite length, which DER has not")),
            Some(&long) => {
                let count = usize::from(long & 0x7F);
                let Some(bytes) = rest.get(2..2 + count).filter(|_| count <= 4) else {
                    return Err(self.error("a length of more than four bytes, or cut short"));
                };
                let length = bytes.iter().fold(0usize, |length, &b| length << 8 | usize::from(b));
                if length < 0x80 || bytes[0] == 0 {
                    return Err(self.error("a length that is not written in its shortest form"));
                }
                (length, 2 + count)
            }
        };
        if length > LONGEST || rest.len() - header < length {
            return Err(self.error("a length that reaches past the end of the data"));
        }
        self.position += header + length;
        let (raw, value) = (&rest[..header + length], &rest[header..header + length]);
        Ok(Element { value, raw, at: self.base + start, what: self.what })
    }

    pub(crate) fn error(&self, problem: &str) -> PkiError {
        let at = self.base + self.position;
        PkiError::Malformed { what: self.what, problem: format!("{problem}, at byte {at}") }
    }
}

pub(crate) fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(bytes: &[u8]) -> String {
        let mut reader = Reader::new(bytes, "it");
        reader.expect(0x30, "SEQUENCE").and_then(|_| reader.finish()).unwrap_err().to_string()
    }

    #[test]
    fn faults_have_their_place() {
        assert!(fault(&[]).contains("the end found, at byte 0"));
        assert!(fault(&[0x31, 0]).contains("tag 31 found, at byte 0"));
        assert!(fault(&[0x30, 0x80, 0, 0]).contains("indefinite"));
        assert!(fault(&[0x30, 0x81, 0x05, 1, 2, 3, 4, 5]).contains("shortest"));
        assert!(fault(&[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]).contains("past the end"));
        assert!(fault(&[0x30, 0x85, 1, 1, 1, 1, 1]).contains("more than four"));
        assert!(fault(&[0x30, 0, 5]).contains("nothing more was expected, at byte 2"));
        let nested = [0x30, 0x02, 0x02, 0x05];
        let element = Reader::new(&nested, "it").expect(0x30, "SEQUENCE").unwrap();
        let error = element.children().expect(0x02, "INTEGER").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("at byte 2"), "{error}");
    }
}
