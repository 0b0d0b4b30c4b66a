//! Forms from CSV (RFC 4180), one at a time, with the byte at which each ends.
//!
//! A reader of our own, because an import names the byte of what is wrong, goes on at a byte where it
//! stopped, and bounds a row whose quote is lost.

use std::io::Read;
use std::path::Path;

use crate::Error;
use crate::fault::{Fault, FaultCode};
use crate::row::{MAX_ROW_BYTES, REJECT_COLUMNS, RawRow};
use domain::form::{self, DC01, DC01_COLUMNS, Presence};

const BUFFER_BYTES: usize = 256 * 1024;

/// What a column of the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Form(usize),
    Errors,
    SourceRow,
    SourceImport,
}

/// The file's header: which column is what, and what separates them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    separator: u8,
    slots: Vec<Slot>,
    /// Where the first row begins.
    pub end: u64,
}

impl Header {
    /// Reads the header from the beginning of the file, after `bom` bytes. `None` when the first line has no
    /// column name in it, whatever the separator.
    pub fn read(head: &[u8], bom: u64) -> Result<Option<Header>, Error> {
        let text = &head[bom as usize..];
        let mut best: Option<(usize, u8, Vec<String>, usize)> = None;
        for separator in [b',', b';'] {
            let mut fields = Vec::new();
            let Scan::Record { length } = scan(text, separator, true, &mut fields) else { continue };
            let names: Vec<String> = fields.iter().map(|field| column_name(&field.value(text))).collect();
            let known = names.iter().filter(|name| slot(name).is_some()).count();
            if known > best.as_ref().map_or(0, |best| best.0) {
                best = Some((known, separator, names, length));
            }
        }
        let Some((_, separator, names, length)) = best else { return Ok(None) };
        Ok(Some(Header { separator, slots: slots(&names)?, end: bom + length as u64 }))
    }
}

fn column_name(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

fn slot(name: &str) -> Option<Slot> {
    match REJECT_COLUMNS.iter().position(|column| *column == name) {
        Some(0) => Some(Slot::Errors),
        Some(1) => Some(Slot::SourceRow),
        Some(_) => Some(Slot::SourceImport),
        None => form::column(name).map(Slot::Form),
    }
}

fn slots(names: &[String]) -> Result<Vec<Slot>, Error> {
    let mut slots = Vec::with_capacity(names.len());
    for name in names {
        let Some(slot) = slot(name) else {
            let name = name.chars().take(40).collect();
            return Err(Error::UnknownColumn { name, known: DC01_COLUMNS.join(", ") });
        };
        if slots.contains(&slot) {
            let name = match slot {
                Slot::Form(column) => DC01_COLUMNS[column],
                Slot::Errors => REJECT_COLUMNS[0],
                Slot::SourceRow => REJECT_COLUMNS[1],
                Slot::SourceImport => REJECT_COLUMNS[2],
            };
            return Err(Error::RepeatedColumn { name });
        }
        slots.push(slot);
    }
    let is_missing = |column: &usize| {
        DC01[*column].presence == Presence::Mandatory && !slots.contains(&Slot::Form(*column))
    };
    let missing: Vec<&str> = (0..DC01.len()).filter(is_missing).map(|column| DC01_COLUMNS[column]).collect();
    if missing.is_empty() { Ok(slots) } else { Err(Error::MissingColumns { names: missing.join(", ") }) }
}

/// The rows of a CSV file.
pub(crate) struct CsvRows<'a, R> {
    input: R,
    path: &'a Path,
    header: Header,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    from: usize,
    to: usize,
    /// Offset in the file of `buffer[from]`.
    offset: u64,
    number: u64,
    at_end: bool,
    fields: Vec<Field>,
}

impl<'a, R: Read> CsvRows<'a, R> {
    /// `input` stands at byte `offset`, where the row after row `number` begins.
    pub fn new(input: R, path: &'a Path, header: Header, offset: u64, number: u64) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        CsvRows {
            input,
            path,
            header,
            buffer,
            from: 0,
            to: 0,
            offset,
            number,
            at_end: false,
            fields: Vec::new(),
        }
    }

    /// Reads the next row into `row`; `false` at the end of the file.
    pub fn next(&mut self, row: &mut RawRow) -> Result<bool, Error> {
        loop {
            let unread = &self.buffer[self.from..self.to];
            let scanned = scan(unread, self.header.separator, self.at_end, &mut self.fields);
            let length = match scanned {
                Scan::Record { length } if length <= MAX_ROW_BYTES => length,
                Scan::End => return Ok(false),
                Scan::More if unread.len() <= MAX_ROW_BYTES && !self.at_end => {
                    self.fill()?;
                    continue;
                }
                _ => return Err(self.unreadable()),
            };
            let record = &self.buffer[self.from..self.from + length];
            let blank = matches!(self.fields.as_slice(), [only] if only.from == only.to);
            if !blank {
                self.number += 1;
                row.clear(self.number);
                row.end = self.offset + length as u64;
                if std::str::from_utf8(record).is_err() {
                    return Err(Error::Changed { path: self.path.to_owned() });
                }
                take_fields(row, record, &self.fields, &self.header, self.offset);
            }
            self.from += length;
            self.offset += length as u64;
            if !blank {
                return Ok(true);
            }
        }
    }

    /// The row at hand has no end within the limit.
    fn unreadable(&self) -> Error {
        let row = self.number + 1;
        match self.fields.last() {
            Some(field) if field.kind == Kind::Open => {
                let byte = self.offset + field.from as u64 - 1;
                Error::UnclosedQuote { row, column: self.fields.len(), byte }
            }
            _ => Error::RowTooLong { row, byte: self.offset, limit: MAX_ROW_BYTES },
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        let read =
            self.input.read(&mut self.buffer[self.to..]).map_err(Error::file("cannot read", self.path))?;
        self.to += read;
        self.at_end = read == 0;
        Ok(())
    }
}

fn take_fields(row: &mut RawRow, record: &[u8], fields: &[Field], header: &Header, offset: u64) {
    let expected = header.slots.len();
    if fields.len() != expected {
        let message = format!(
            "it has {} fields (from byte {offset} on), and the header has {expected}: put values that hold \
             the separator in quotes, and give every column its place",
            fields.len()
        );
        row.faults.push(Fault::new("row", FaultCode::FieldCount, message));
    }
    for (index, (field, slot)) in fields.iter().zip(&header.slots).enumerate() {
        let value = field.value(record);
        if let Kind::Stray { at } = field.kind {
            let byte = offset + at as u64;
            let message = format!(
                "a quote stands inside the value (column {}, byte {byte}): double it, and put the whole \
                 value in quotes",
                index + 1
            );
            let name = if let Slot::Form(column) = slot { DC01_COLUMNS[*column] } else { "row" };
            row.faults.push(Fault::new(name, FaultCode::StrayQuote, message));
        }
        match slot {
            Slot::Form(column) => row.set(*column, &value),
            Slot::Errors => {}
            Slot::SourceRow => row.source_row = value.trim().parse().ok(),
            Slot::SourceImport => row.source_import = value.trim().parse().ok(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Quoted,
    /// Quoted, with doubled quotes inside.
    Doubled,
    /// With a quote where none can stand; the text is taken as it is.
    Stray {
        at: usize,
    },
    /// Its closing quote was not found.
    Open,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    /// The value, without the quotes around it.
    from: usize,
    to: usize,
    kind: Kind,
}

impl Field {
    fn value<'r>(&self, record: &'r [u8]) -> std::borrow::Cow<'r, str> {
        let text = String::from_utf8_lossy(&record[self.from..self.to]);
        if self.kind == Kind::Doubled { text.replace("\"\"", "\"").into() } else { text }
    }
}

enum Scan {
    /// A record of this many bytes, its line end included.
    Record { length: usize },
    /// The record may go on behind these bytes.
    More,
    /// There is no record.
    End,
}

/// Finds the first record of `bytes` and its fields. `at_end`: nothing comes behind these bytes.
fn scan(bytes: &[u8], separator: u8, at_end: bool, fields: &mut Vec<Field>) -> Scan {
    fields.clear();
    if bytes.is_empty() {
        return if at_end { Scan::End } else { Scan::More };
    }
    let mut start = 0;
    loop {
        let (mut field, mut i) = match bytes.get(start) {
            Some(b'"') => match quoted(bytes, start + 1, at_end) {
                Some((field, next)) => (field, next),
                None => {
                    fields.push(Field { from: start + 1, to: bytes.len(), kind: Kind::Open });
                    return Scan::More;
                }
            },
            _ => (Field { from: start, to: start, kind: Kind::Plain }, start),
        };
        loop {
            let Some(found) = memchr::memchr3(separator, b'\n', b'"', &bytes[i..]) else {
                if !at_end {
                    return Scan::More;
                }
                fields.push(closed(bytes, field, start, i, bytes.len()));
                return Scan::Record { length: bytes.len() };
            };
            let at = i + found;
            match bytes[at] {
                b'"' => {
                    if !matches!(field.kind, Kind::Stray { .. }) {
                        field = Field { from: start, to: at, kind: Kind::Stray { at } };
                    }
                    i = at + 1;
                }
                b'\n' => {
                    let end = if at > i && bytes[at - 1] == b'\r' { at - 1 } else { at };
                    fields.push(closed(bytes, field, start, i, end));
                    return Scan::Record { length: at + 1 };
                }
                _ => {
                    fields.push(closed(bytes, field, start, i, at));
                    start = at + 1;
                    break;
                }
            }
        }
    }
}

/// A quoted field whose text begins at `from`, and the byte behind its closing quote.
fn quoted(bytes: &[u8], from: usize, at_end: bool) -> Option<(Field, usize)> {
    let mut kind = Kind::Quoted;
    let mut i = from;
    loop {
        let at = i + memchr::memchr(b'"', &bytes[i..])?;
        match bytes.get(at + 1) {
            Some(b'"') => {
                kind = Kind::Doubled;
                i = at + 2;
            }
            None if !at_end => return None,
            _ => return Some((Field { from, to: at, kind }, at + 1)),
        }
    }
}

/// The field that ends at `end`; `i` is where the part began that was looked at last.
fn closed(bytes: &[u8], field: Field, start: usize, i: usize, end: usize) -> Field {
    match field.kind {
        Kind::Plain | Kind::Stray { .. } => Field { to: end, ..field },
        // Text between a closing quote and the separator: the quotes belong to the value or are a slip.
        _ if end > i && !bytes[i..end].iter().all(|byte| *byte == b'\r') => {
            Field { from: start, to: end, kind: Kind::Stray { at: i - 1 } }
        }
        _ => field,
    }
}

#[cfg(test)]
mod tests;
