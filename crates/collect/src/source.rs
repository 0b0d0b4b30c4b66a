//! A file of forms in whichever format it is: told apart by content, proved whole, then read row by row.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::Error;
use crate::csv::{CsvRows, Header};
use crate::encoding::{self, Digested, MAX_FILE_BYTES};
use crate::row::{MAX_ROW_BYTES, RawRow};
use crate::xml::XmlRows;

/// The formats that forms come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    /// QCVN 109:2017/BTTTT.
    Qcvn109,
}

impl Format {
    /// As stored in `import_file.format`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Qcvn109 => "qcvn109",
        }
    }
}

/// A file that was read once and found to be text of a known format.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    pub path: PathBuf,
    pub digested: Digested,
    layout: Layout,
    /// Size and time of change when it was read: it must stay the same while it is imported.
    stamp: (u64, Option<SystemTime>),
}

#[derive(Debug, Clone)]
enum Layout {
    Csv(Header),
    Xml,
}

pub(crate) enum Rows<'a> {
    Csv(CsvRows<'a, File>),
    Xml(Box<XmlRows<BufReader<File>>>),
}

impl Rows<'_> {
    pub(crate) fn next(&mut self, row: &mut RawRow) -> Result<bool, Error> {
        match self {
            Rows::Csv(rows) => rows.next(row),
            Rows::Xml(rows) => rows.next(row),
        }
    }
}

impl SourceFile {
    /// Reads the whole file once.
    pub fn open(path: &Path) -> Result<SourceFile, Error> {
        let mut file = File::open(path).map_err(Error::file("cannot open", path))?;
        let stamp = stamp(path)?;
        if stamp.0 == 0 {
            return Err(Error::Empty);
        }
        if stamp.0 > MAX_FILE_BYTES {
            return Err(Error::TooLarge { found: stamp.0, limit: MAX_FILE_BYTES });
        }
        let digested = encoding::digest(&mut file, path)?;
        file.seek(SeekFrom::Start(0)).map_err(Error::file("cannot read", path))?;
        let mut head = Vec::new();
        let limit = (MAX_ROW_BYTES as u64).min(digested.bytes);
        file.take(limit).read_to_end(&mut head).map_err(Error::file("cannot read", path))?;
        let layout = layout(&head, digested.bom)?;
        Ok(SourceFile { path: path.to_owned(), digested, layout, stamp })
    }

    /// As the beginning of the file says; the name does not matter.
    pub fn format(&self) -> Format {
        match self.layout {
            Layout::Csv(_) => Format::Csv,
            Layout::Xml => Format::Qcvn109,
        }
    }

    /// The rows behind row `after`, which ends at byte `offset`.
    pub fn rows(&self, after: u64, offset: u64) -> Result<Rows<'_>, Error> {
        let path = &self.path;
        let mut file = File::open(path).map_err(Error::file("cannot open", path))?;
        match &self.layout {
            Layout::Csv(header) => {
                let offset = if after == 0 { header.end } else { offset };
                file.seek(SeekFrom::Start(offset)).map_err(Error::file("cannot read", path))?;
                Ok(Rows::Csv(CsvRows::new(file, path, header.clone(), offset, after)))
            }
            Layout::Xml => {
                let bom = self.digested.bom;
                file.seek(SeekFrom::Start(bom)).map_err(Error::file("cannot read", path))?;
                let mut rows = XmlRows::new(BufReader::with_capacity(64 * 1024, file), bom);
                // A record means what the elements around it say, so the ones that are done are read again.
                let mut row = RawRow::default();
                while row.number < after && rows.next(&mut row)? {}
                Ok(Rows::Xml(Box::new(rows)))
            }
        }
    }

    /// Reads every record without believing it: whatever would stop the import is found before anything is
    /// written.
    pub fn prove_whole(&self) -> Result<u64, Error> {
        let mut rows = self.rows(0, 0)?;
        let mut row = RawRow::default();
        while rows.next(&mut row)? {}
        Ok(row.number)
    }

    /// That nobody wrote to the file since it was read first.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        if stamp(&self.path)? == self.stamp {
            Ok(())
        } else {
            Err(Error::Changed { path: self.path.clone() })
        }
    }
}

fn stamp(path: &Path) -> Result<(u64, Option<SystemTime>), Error> {
    let metadata = std::fs::metadata(path).map_err(Error::file("cannot read", path))?;
    Ok((metadata.len(), metadata.modified().ok()))
}

fn layout(head: &[u8], bom: u64) -> Result<Layout, Error> {
    let text = head.get(bom as usize..).unwrap_or(&[]).trim_ascii_start();
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text.starts_with(b"<") {
        return Ok(Layout::Xml);
    }
    Header::read(head, bom)?.map(Layout::Csv).ok_or(Error::UnknownFormat)
}
