//! Forms from QCVN 109:2017/BTTTT XML, one `CongDan` at a time.
//!
//! Elements that the standard has and the form lacks (`GhiChu`, `TenGoi`, `QuocGia` …) are passed over; an
//! unknown element of our own namespace is an error. There is no DTD: its entities are how a small file
//! becomes a huge one.

use std::collections::HashMap;
use std::io::{BufRead, Read};

use quick_xml::NsReader;
use quick_xml::errors::{Error as XmlError, SyntaxError};
use quick_xml::events::{BytesRef, Event};
use quick_xml::name::{Namespace, ResolveResult};

use crate::Error;
use crate::fault::{Fault, FaultCode};
use crate::row::{MAX_ROW_BYTES, RawRow};
use domain::form::{DC01, DC01_COLUMNS, FORM_NAMESPACE, QCVN_109_NAMESPACE};

/// The deepest nesting below `CongDan`; the standard needs four.
const MAX_DEPTH: usize = 12;

/// An element whose text is a part of a column.
struct Leaf {
    column: usize,
    /// Which part, in the order of the column's paths.
    part: usize,
}

/// The rows of an XML file.
pub(crate) struct XmlRows<R> {
    reader: NsReader<Limited<R>>,
    event: Vec<u8>,
    leaves: Vec<Leaf>,
    by_path: HashMap<&'static str, usize>,
    /// Texts of the leaves of the record at hand.
    texts: Vec<Option<String>>,
    /// Bytes of a byte order mark, which the reader does not see.
    skipped: u64,
    number: u64,
    in_collection: bool,
    finished: bool,
}

enum Step {
    Open(Element),
    Close,
    Text,
    Nothing,
    End,
}

#[derive(PartialEq, Eq)]
enum Element {
    Standard(String),
    Form(String),
    Foreign,
}

impl<R: BufRead> XmlRows<R> {
    /// `input` stands behind a byte order mark of `bom` bytes.
    pub fn new(input: R, bom: u64) -> Self {
        let mut reader = NsReader::from_reader(Limited { input, since_mark: 0, limit: MAX_ROW_BYTES as u64 });
        reader.config_mut().expand_empty_elements = true;
        let (leaves, by_path) = leaves();
        let texts = leaves.iter().map(|_| None).collect();
        let event = Vec::with_capacity(4096);
        XmlRows {
            reader,
            event,
            leaves,
            by_path,
            texts,
            skipped: bom,
            number: 0,
            in_collection: false,
            finished: false,
        }
    }

    /// Reads the next record into `row`; `false` behind the last.
    pub fn next(&mut self, row: &mut RawRow) -> Result<bool, Error> {
        let mut text = String::new();
        while !self.finished {
            self.reader.get_mut().since_mark = 0;
            match self.step(&mut text)? {
                Step::Open(Element::Standard(name)) if !self.in_collection && name == "CongdanCollection" => {
                    self.in_collection = true;
                }
                Step::Open(_) if !self.in_collection => {
                    let expected = "The root element is CongdanCollection in the namespace of QCVN 109:2017, \
                                    http://www.mic.gov.vn/dancu/1.0";
                    return Err(self.element("of the root", expected));
                }
                Step::Open(Element::Standard(name)) if name == "CongDan" => {
                    self.number += 1;
                    row.clear(self.number);
                    self.record(row)?;
                    row.end = self.position();
                    return Ok(true);
                }
                Step::Open(_) => self.pass_over(&mut text)?,
                Step::Close => {
                    self.in_collection = false;
                    self.after_root(&mut text)?;
                }
                Step::End => return Err(self.truncated()),
                Step::Text | Step::Nothing => {}
            }
            text.clear();
        }
        Ok(false)
    }

    /// Behind the root's closing tag nothing may come but comments and white space.
    fn after_root(&mut self, text: &mut String) -> Result<(), Error> {
        self.finished = true;
        loop {
            text.clear();
            match self.step(text)? {
                Step::End => return Ok(()),
                Step::Nothing => {}
                Step::Text if text.trim().is_empty() => {}
                _ => {
                    return Err(self
                        .broken("there is something behind the closing tag of the root element".to_owned()));
                }
            }
        }
    }

    /// Reads up to the closing tag of the `CongDan` that has just been opened.
    fn record(&mut self, row: &mut RawRow) -> Result<(), Error> {
        self.texts.iter_mut().for_each(|text| *text = None);
        let mut path = String::new();
        let mut lengths: Vec<usize> = Vec::new();
        let mut text = String::new();
        loop {
            match self.step(&mut text)? {
                Step::Open(element) => {
                    lengths.push(path.len());
                    if lengths.len() > MAX_DEPTH {
                        let why = "no form nests so deeply";
                        return Err(Error::XmlRefused {
                            byte: self.position(),
                            what: "nesting deeper than 12",
                            why,
                        });
                    }
                    if !path.is_empty() {
                        path.push('/');
                    }
                    match element {
                        Element::Standard(name) => path.push_str(&name),
                        Element::Form(name) => {
                            path.push_str("f:");
                            path.push_str(&name);
                            if !self.by_path.contains_key(path.as_str()) {
                                return Err(
                                    self.element(&name, "The form adds SoPhieu, SoHo and QuanHeVoiChuHo")
                                );
                            }
                        }
                        Element::Foreign => path.push('?'),
                    }
                    text.clear();
                }
                Step::Close => {
                    let Some(length) = lengths.pop() else { break };
                    if let Some(leaf) = self.by_path.get(path.as_str()) {
                        if self.texts[*leaf].is_some() {
                            let message = "the element stands twice in the record: keep one";
                            let column = DC01_COLUMNS[self.leaves[*leaf].column];
                            row.faults.push(Fault::new(column, FaultCode::Repeated, message));
                        } else {
                            self.texts[*leaf] = Some(text.trim().to_owned());
                        }
                    }
                    path.truncate(length);
                    text.clear();
                }
                Step::Text | Step::Nothing => {}
                Step::End => return Err(self.truncated()),
            }
        }
        self.assemble(row);
        Ok(())
    }

    /// Puts the parts of each column together.
    fn assemble(&self, row: &mut RawRow) {
        let mut parts: [&str; 3] = [""; 3];
        for (index, leaf) in self.leaves.iter().enumerate() {
            parts[leaf.part] = self.texts[index].as_deref().unwrap_or("");
            if self.leaves.get(index + 1).is_some_and(|next| next.column == leaf.column) {
                continue;
            }
            if DC01_COLUMNS[leaf.column] == "birth_date" {
                row.set(leaf.column, &birth_date(parts));
            } else {
                row.set_joined(leaf.column, &parts[..=leaf.part]);
            }
            parts = [""; 3];
        }
    }

    /// Reads over an element that the form has no use for.
    fn pass_over(&mut self, text: &mut String) -> Result<(), Error> {
        let mut depth = 1;
        while depth > 0 {
            match self.step(text)? {
                Step::Open(_) if depth == MAX_DEPTH => {
                    let why = "no form nests so deeply";
                    return Err(Error::XmlRefused {
                        byte: self.position(),
                        what: "nesting deeper than 12",
                        why,
                    });
                }
                Step::Open(_) => depth += 1,
                Step::Close => depth -= 1,
                Step::End => return Err(self.truncated()),
                Step::Text | Step::Nothing => {}
            }
            text.clear();
        }
        Ok(())
    }

    /// One event; text is appended to `text`.
    fn step(&mut self, text: &mut String) -> Result<Step, Error> {
        self.event.clear();
        let (namespace, event) = match self.reader.read_resolved_event_into(&mut self.event) {
            Ok(found) => found,
            Err(e) => return Err(self.failed(e)),
        };
        let position = self.skipped;
        Ok(match event {
            Event::Start(tag) => {
                let name = tag.local_name().as_ref().to_owned();
                Step::Open(match namespace {
                    ResolveResult::Bound(Namespace(QCVN_109_NAMESPACE)) => Element::Standard(name),
                    ResolveResult::Bound(Namespace(FORM_NAMESPACE)) => Element::Form(name),
                    _ => Element::Foreign,
                })
            }
            Event::End(_) => Step::Close,
            Event::Text(part) => {
                text.push_str(&part.xml10_content());
                Step::Text
            }
            Event::CData(part) => {
                text.push_str(&part.xml10_content());
                Step::Text
            }
            Event::GeneralRef(reference) => match referred(&reference) {
                Some(c) => {
                    text.push(c);
                    Step::Text
                }
                None => {
                    let (what, why) =
                        ("an entity that XML does not define", "nothing says what it stands for");
                    return Err(Error::XmlRefused {
                        byte: position + self.reader.buffer_position(),
                        what,
                        why,
                    });
                }
            },
            Event::DocType(_) => {
                let why = "entities that it may define can make a small file endless";
                let byte = position + self.reader.buffer_position();
                return Err(Error::XmlRefused { byte, what: "a document type (DOCTYPE)", why });
            }
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(name)) if !name.eq_ignore_ascii_case("utf-8") => {
                    let byte = position + self.reader.buffer_position();
                    let (what, why) =
                        ("an encoding other than UTF-8 in the XML declaration", "the file is UTF-8");
                    return Err(Error::XmlRefused { byte, what, why });
                }
                _ => Step::Nothing,
            },
            Event::Eof => Step::End,
            Event::Empty(_) | Event::Comment(_) | Event::PI(_) => Step::Nothing,
        })
    }

    fn position(&self) -> u64 {
        self.skipped + self.reader.buffer_position()
    }

    fn failed(&self, error: XmlError) -> Error {
        let byte = self.skipped + self.reader.error_position();
        match error {
            XmlError::Io(e) if e.get_ref().is_some_and(|inner| inner.is::<OverLimit>()) => {
                Error::XmlRefused {
                    byte,
                    what: "a record, tag or attribute longer than 64 KiB",
                    why: "no form is so long",
                }
            }
            XmlError::Syntax(SyntaxError::InvalidBangMarkup) => {
                self.broken("unknown markup after <!".to_owned())
            }
            XmlError::Syntax(_) => self.truncated(),
            // These messages name tags and positions of the markup, and no text.
            XmlError::IllFormed(_) | XmlError::Namespace(_) => self.broken(error.to_string()),
            _ => self.broken("the markup cannot be read".to_owned()),
        }
    }

    fn broken(&self, reason: String) -> Error {
        Error::Xml {
            byte: self.skipped + self.reader.error_position(),
            rows: self.number.saturating_sub(1),
            reason,
        }
    }

    fn truncated(&self) -> Error {
        Error::XmlTruncated { byte: self.position(), rows: self.number.saturating_sub(1) }
    }

    fn element(&self, name: &str, expected: &'static str) -> Error {
        Error::XmlElement { byte: self.position(), name: name.chars().take(40).collect(), expected }
    }
}

/// The predefined entities and character references; XML 1.0 §4.6 and §2.2.
fn referred(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference
            .resolve_char_ref()
            .ok()
            .flatten()
            .filter(|c| *c >= ' ' || matches!(c, '\t' | '\n' | '\r')),
    }
}

/// `NgayThangNam` (yyyymmdd), `Nam`, `Thang` as the date that the CSV column holds. What has another shape is
/// passed on for the check of dates to refuse.
fn birth_date([whole, year, month]: [&str; 3]) -> String {
    match (whole, year, month) {
        (whole, ..) if whole.len() == 8 && whole.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{}/{}/{}", &whole[6..], &whole[4..6], &whole[..4])
        }
        ("", year, "") => year.to_owned(),
        ("", year, month) => format!("{month}/{year}"),
        (whole, ..) => whole.to_owned(),
    }
}

/// The elements that hold text, from the form's own description.
fn leaves() -> (Vec<Leaf>, HashMap<&'static str, usize>) {
    let mut leaves = Vec::new();
    let mut by_path = HashMap::new();
    for (column, form_column) in DC01.iter().enumerate() {
        let mut add = |part, path: &'static str| {
            by_path.insert(path, leaves.len());
            leaves.push(Leaf { column, part });
        };
        match form_column.xml {
            "Cha/HoVaTen" => FATHER.into_iter().enumerate().for_each(|(part, path)| add(part, path)),
            "Me/HoVaTen" => MOTHER.into_iter().enumerate().for_each(|(part, path)| add(part, path)),
            "VoChong/HoVaTen" => SPOUSE.into_iter().enumerate().for_each(|(part, path)| add(part, path)),
            paths => paths.split(' ').enumerate().for_each(|(part, path)| add(part, path)),
        }
    }
    (leaves, by_path)
}

const FATHER: [&str; 3] = ["Cha/HoVaTen/Ho", "Cha/HoVaTen/ChuDem", "Cha/HoVaTen/Ten"];
const MOTHER: [&str; 3] = ["Me/HoVaTen/Ho", "Me/HoVaTen/ChuDem", "Me/HoVaTen/Ten"];
const SPOUSE: [&str; 3] = ["VoChong/HoVaTen/Ho", "VoChong/HoVaTen/ChuDem", "VoChong/HoVaTen/Ten"];

/// A reader that refuses to go on when too much was read since the last mark, so that no tag, attribute or
/// record can fill the memory.
struct Limited<R> {
    input: R,
    since_mark: u64,
    limit: u64,
}

#[derive(Debug)]
struct OverLimit;

impl std::fmt::Display for OverLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("over the limit")
    }
}

impl std::error::Error for OverLimit {}

impl<R: BufRead> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let available = self.fill_buf()?;
        let taken = available.len().min(out.len());
        out[..taken].copy_from_slice(&available[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.since_mark > self.limit {
            return Err(std::io::Error::other(OverLimit));
        }
        let available = self.input.fill_buf()?;
        let room = (self.limit + 1 - self.since_mark) as usize;
        Ok(&available[..available.len().min(room)])
    }

    fn consume(&mut self, amount: usize) {
        self.since_mark += amount as u64;
        self.input.consume(amount);
    }
}

#[cfg(test)]
mod tests;
