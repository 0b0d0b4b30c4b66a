//! Columns of texts, page by page. What most writers do with texts is to put the distinct ones into a
//! dictionary: its texts are checked and handed on once, and a row is a place in it. Files that do otherwise
//! are read by the library.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;

use crate::runs::Runs;
use linkage::batch::Texts;

/// The place of a row without a text; no dictionary is as long.
const NOTHING: u32 = u32::MAX;

pub(crate) struct TextColumn {
    pages: Box<dyn PageReader>,
    dictionary: Arc<Texts>,
    /// Whether a value may be missing.
    is_optional: bool,
    /// A page that was looked at to find the dictionary.
    first: Option<Page>,
    /// Rows of the page that are still to be read.
    left: usize,
    /// 1 where a text is there.
    levels: Option<Runs>,
    values: Values,
    scratch: Vec<u32>,
}

enum Values {
    Coded(Runs),
    /// Each text after its length in four bytes, and where the next one begins.
    Plain(Bytes, usize),
}

/// The rows of a block: places in the dictionary, or texts as soon as a page has some of its own.
enum Gathered {
    Codes(Vec<u32>),
    Rows(Vec<u8>, Vec<usize>),
}

impl TextColumn {
    /// `None` where the column is written in another way, or where its dictionary is no text.
    pub(crate) fn open(group: &dyn RowGroupReader, at: usize) -> Result<Option<TextColumn>, ParquetError> {
        let chunk = group.metadata().column(at);
        let descriptor = chunk.column_descr();
        let is_known = |encoding| {
            matches!(
                encoding,
                Encoding::PLAIN | Encoding::RLE | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
            )
        };
        let is_flat = descriptor.max_rep_level() == 0 && descriptor.max_def_level() <= 1;
        if descriptor.physical_type() != Physical::BYTE_ARRAY || !is_flat || !chunk.encodings().all(is_known)
        {
            return Ok(None);
        }
        let mut pages = group.get_column_page_reader(at)?;
        let (mut dictionary, mut first) = (Texts::default(), pages.get_next_page()?);
        if let Some(Page::DictionaryPage { buf, num_values, .. }) = &first {
            match plain_texts(buf, *num_values) {
                Some(texts) => dictionary = texts,
                None => return Ok(None),
            }
            first = None;
        }
        Ok(Some(TextColumn {
            pages,
            dictionary: Arc::new(dictionary),
            is_optional: descriptor.max_def_level() == 1,
            first,
            left: 0,
            levels: None,
            values: Values::Plain(Bytes::new(), 0),
            scratch: Vec::new(),
        }))
    }

    /// The next `count` rows, fewer where the column ends before.
    ///
    /// # Errors
    ///
    /// In the inner result, the first row of these whose text is not UTF-8.
    pub(crate) fn read(&mut self, count: usize) -> Result<Result<Texts, usize>, ParquetError> {
        let (mut gathered, mut read) = (Gathered::Codes(Vec::with_capacity(count)), 0);
        while read < count {
            if self.left == 0 && !self.next_page()? {
                break;
            }
            let some = self.left.min(count - read);
            self.read_rows(some, &mut gathered)?;
            self.left -= some;
            read += some;
        }
        Ok(match gathered {
            Gathered::Codes(codes) => Ok(Texts::coded(Arc::clone(&self.dictionary), codes)),
            Gathered::Rows(bytes, ends) => Texts::from_parts(bytes, ends),
        })
    }

    /// Begins the next page of values; says whether there is one.
    fn next_page(&mut self) -> Result<bool, ParquetError> {
        let page = match self.first.take() {
            Some(page) => Some(page),
            None => self.pages.get_next_page()?,
        };
        let short = || ParquetError::EOF("a page is shorter than it says".into());
        let (values, encoding) = match page {
            None => return Ok(false),
            Some(Page::DictionaryPage { .. }) => {
                return Err(ParquetError::General("a second dictionary".into()));
            }
            Some(Page::DataPage { buf, num_values, encoding, def_level_encoding, .. }) => {
                self.left = num_values as usize;
                let mut values = buf;
                if self.is_optional {
                    if def_level_encoding != Encoding::RLE {
                        let unknown = format!("levels as {def_level_encoding} among others");
                        return Err(ParquetError::General(unknown));
                    }
                    // Levels stand before the values as a text would.
                    let (start, end) = plain_range(&values, 0).ok_or_else(short)?;
                    self.levels = Some(Runs::new(&values[start..end], 1)?);
                    values = values.slice(end..);
                }
                (values, encoding)
            }
            Some(Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            }) => {
                self.left = num_values as usize;
                let (mut values, repeated) = (buf, rep_levels_byte_len as usize);
                let levels = repeated + def_levels_byte_len as usize;
                if levels > values.len() {
                    return Err(short());
                }
                let levels = values.split_to(levels);
                self.levels = self.is_optional.then(|| Runs::new(&levels[repeated..], 1)).transpose()?;
                (values, encoding)
            }
        };
        self.values = match (encoding, values.first()) {
            (Encoding::PLAIN, _) => Values::Plain(values, 0),
            (Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY, Some(&width)) => {
                Values::Coded(Runs::new(&values[1..], width)?)
            }
            // No row of the page has a text.
            (Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY, None) => Values::Plain(values, 0),
            (other, _) => return Err(ParquetError::General(format!("texts as {other} among others"))),
        };
        Ok(true)
    }

    fn read_rows(&mut self, count: usize, gathered: &mut Gathered) -> Result<(), ParquetError> {
        self.scratch.clear();
        match &mut self.levels {
            Some(levels) => levels.read(count, &mut self.scratch)?,
            None => self.scratch.resize(count, 1),
        }
        let levels = &self.scratch[..];
        if matches!(self.values, Values::Plain(..)) && levels.contains(&1) {
            gathered.become_rows(&self.dictionary);
        }
        match &mut self.values {
            Values::Coded(runs) => {
                let there = levels.iter().filter(|&&level| level == 1).count();
                let mut codes = Vec::with_capacity(there);
                runs.read(there, &mut codes)?;
                if codes.iter().any(|&code| code as usize >= self.dictionary.len()) {
                    return Err(ParquetError::General("a place behind the end of the dictionary".into()));
                }
                let mut codes = codes.into_iter();
                for &level in levels {
                    let code = if level == 1 { codes.next() } else { None };
                    gathered.push_code(code.unwrap_or(NOTHING), &self.dictionary);
                }
            }
            Values::Plain(bytes, at) => {
                for &level in levels {
                    if level == 1 {
                        let (text, end) = plain_text(bytes, *at)
                            .ok_or_else(|| ParquetError::EOF("a text is longer than its page".into()))?;
                        gathered.push(text);
                        *at = end;
                    } else {
                        gathered.push_code(NOTHING, &self.dictionary);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Gathered {
    fn become_rows(&mut self, dictionary: &Texts) {
        if let Gathered::Codes(codes) = self {
            let codes = std::mem::take(codes);
            let ends = Vec::with_capacity(codes.capacity());
            *self = Gathered::Rows(Vec::with_capacity(16 * codes.capacity()), ends);
            codes.into_iter().for_each(|code| self.push_code(code, dictionary));
        }
    }

    fn push_code(&mut self, code: u32, dictionary: &Texts) {
        match self {
            Gathered::Codes(codes) => codes.push(code),
            Gathered::Rows(..) => self.push(dictionary.get(code as usize).as_bytes()),
        }
    }

    /// Only texts of a dictionary have codes.
    fn push(&mut self, text: &[u8]) {
        if let Gathered::Rows(bytes, ends) = self {
            bytes.extend_from_slice(text);
            ends.push(bytes.len());
        }
    }
}

/// Where the bytes lie whose length stands in four bytes at `at`.
fn plain_range(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let length = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    let (start, end) = (at + 4, (at + 4).checked_add(length as usize)?);
    (end <= bytes.len()).then_some((start, end))
}

/// The text at `at`, without white space around it, and where the next one begins.
fn plain_text(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (start, end) = plain_range(bytes, at)?;
    Some((bytes[start..end].trim_ascii(), end))
}

/// `None` if the bytes are not as many texts.
fn plain_texts(bytes: &[u8], count: u32) -> Option<Texts> {
    let (mut at, mut texts) = (0, Texts::default());
    for _ in 0..count {
        let (text, end) = plain_text(bytes, at)?;
        texts.push(std::str::from_utf8(text).ok()?);
        at = end;
    }
    Some(texts)
}
