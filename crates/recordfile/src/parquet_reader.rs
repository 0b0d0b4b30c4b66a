use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader, SerializedFileReader};
use rayon::prelude::*;

use crate::columns::{COLUMNS, Faults, Header, Kind, ROWS, Value, with_text};
use crate::error::Error;
use crate::text_column::TextColumn;
use linkage::Sex;
use linkage::batch::{Block, Texts};

pub(crate) fn read_parquet(file: File, send: &mut dyn FnMut(Block) -> bool) -> Result<Faults, Error> {
    let start = |source| Error::Parquet { row: None, source };
    let reader = Positioned::new(file).and_then(SerializedFileReader::new).map_err(start)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let header = Header::new(schema.columns().iter().map(|column| match column.path().parts() {
        [name] => name.as_str(),
        // A value inside a group or list is none of ours.
        _ => "",
    }))?;
    let (mut before, mut faults) = (0, Faults::default());
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(start)?;
        if !read_group(&*group, &header, &mut before, &mut faults, send)? {
            break;
        }
    }
    Ok(faults)
}

/// A file that several columns are read from at once: each read says where, as copies of a `File` share one
/// position.
struct Positioned {
    file: Arc<File>,
    len: u64,
}

impl Positioned {
    fn new(file: File) -> Result<Positioned, ParquetError> {
        Ok(Positioned { len: file.metadata()?.len(), file: Arc::new(file) })
    }
}

impl Length for Positioned {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Positioned {
    type T = BufReader<PositionedReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(PositionedReader { file: Arc::clone(&self.file), at: start, len: self.len }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // What a damaged file states is not allocated before it is seen to be there.
        if start.checked_add(length as u64).is_none_or(|end| end > self.len) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of a file of {}", self.len)));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

struct PositionedReader {
    file: Arc<File>,
    at: u64,
    len: u64,
}

impl Read for PositionedReader {
    /// Beyond the end is an error: no part of a whole file asks for that, and of a damaged one the library
    /// would skip as many bytes as are said to be there, one by one.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at >= self.len {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Blocks end where a row group ends. `before` counts the rows of earlier blocks.
fn read_group(
    group: &dyn RowGroupReader,
    header: &Header,
    before: &mut u64,
    faults: &mut Faults,
    send: &mut dyn FnMut(Block) -> bool,
) -> Result<bool, Error> {
    let mut columns = Vec::new();
    for (column, position) in header.positions.iter().enumerate() {
        columns.push(match position {
            Some(at) => Some(Source::open(group, *at, COLUMNS[column])?),
            None => None,
        });
    }
    let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    while left > 0 {
        let count = left.min(ROWS);
        // Columns know nothing of each other, so that they are decoded side by side.
        let parts: Vec<Part> = columns
            .par_iter_mut()
            .enumerate()
            .map(|(column, source)| match source {
                Some(source) => source.part(count, *before, column),
                None => Ok(Part::missing(count, *before, column)),
            })
            .collect::<Result<_, Error>>()?;
        if !send(block(parts, faults)) {
            return Ok(false);
        }
        left -= count;
        *before += count as u64;
    }
    Ok(true)
}

/// The rows of one column, as a block holds them.
struct Part {
    values: PartValues,
    faults: Faults,
}

enum PartValues {
    Text(Texts),
    Sex(Vec<Option<Sex>>),
    Number(Vec<u16>),
}

impl Part {
    /// Of a column that the file does not have; rows without a `rec_id` go by their number.
    fn missing(count: usize, before: u64, column: usize) -> Part {
        let values = match Kind::of(column) {
            Kind::Id => {
                let mut texts = Texts::default();
                (1..=count as u64).for_each(|row| texts.push(&(before + row).to_string()));
                PartValues::Text(texts)
            }
            Kind::Text => PartValues::Text(Texts::default()),
            Kind::Sex => PartValues::Sex(vec![None; count]),
            Kind::Number => PartValues::Number(vec![0; count]),
        };
        Part { values, faults: Faults::default() }
    }
}

/// Parts come in the order of `COLUMNS`.
fn block(parts: Vec<Part>, faults: &mut Faults) -> Block {
    let (mut texts, mut numbers, mut block) = (Vec::new(), Vec::new(), Block::default());
    for part in parts {
        faults.join(part.faults);
        match part.values {
            PartValues::Text(column) => texts.push(column),
            PartValues::Sex(column) => block.sex = column,
            PartValues::Number(column) => numbers.push(column),
        }
    }
    let targets = [
        &mut block.rec_id,
        &mut block.full_name,
        &mut block.ethnicity,
        &mut block.birth_province,
        &mut block.hometown,
        &mut block.residence,
        &mut block.address_line,
        &mut block.father_name,
        &mut block.mother_name,
    ];
    for (target, column) in targets.into_iter().zip(texts) {
        *target = column;
    }
    if let [days, months, years] = &numbers[..] {
        let small = |n: u16| u8::try_from(n).unwrap_or(0);
        let dates = days.iter().zip(months).zip(years);
        block.birth = dates.map(|((&day, &month), &year)| (small(day), small(month), year)).collect();
    }
    block
}

/// Where the rows of a column come from.
enum Source {
    Texts(TextColumn),
    Values(Column),
}

impl Source {
    fn open(group: &dyn RowGroupReader, at: usize, name: &'static str) -> Result<Source, Error> {
        let texts = TextColumn::open(group, at).map_err(|source| Error::Parquet { row: None, source })?;
        Ok(match texts {
            Some(texts) => Source::Texts(texts),
            None => Source::Values(Column::open(group, at, name)?),
        })
    }

    /// Decodes the next `count` rows.
    fn part(&mut self, count: usize, before: u64, column: usize) -> Result<Part, Error> {
        let texts = match self {
            Source::Texts(texts) => texts,
            Source::Values(values) => return values.part(count, before, column),
        };
        let row = |at: usize| before + at as u64 + 1;
        let texts = texts.read(count).map_err(|source| Error::Parquet { row: Some(row(0)), source })?;
        let texts = texts.map_err(|at| Error::NotUtf8 { row: row(at), field: COLUMNS[column] })?;
        if texts.len() != count {
            return Err(ends_early(row(texts.len()), COLUMNS[column]));
        }
        let mut faults = Faults::default();
        let value = |at: usize| match texts.get(at) {
            "" => None,
            text => Some(Value::Text(text)),
        };
        let values = match Kind::of(column) {
            Kind::Id if texts.iter().any(str::is_empty) => {
                let mut ids = Texts::default();
                for (at, text) in texts.iter().enumerate() {
                    if text.is_empty() { ids.push(&row(at).to_string()) } else { ids.push(text) }
                }
                PartValues::Text(ids)
            }
            Kind::Id | Kind::Text => PartValues::Text(texts),
            Kind::Sex => {
                let sex = |at| faults.sex(row(at), COLUMNS[column], value(at)?);
                PartValues::Sex((0..count).map(sex).collect())
            }
            Kind::Number => {
                let mut number = |at, value| faults.number(row(at), COLUMNS[column], value);
                let numbers = (0..count).map(|at| value(at).map_or(0, |value| number(at, value)));
                PartValues::Number(numbers.collect())
            }
        };
        Ok(Part { values, faults })
    }
}

fn ends_early(row: u64, column: &'static str) -> Error {
    let source = ParquetError::General(format!("column `{column}` ends before the others"));
    Error::Parquet { row: Some(row), source }
}

/// One column of a row group that the library decodes, and the values of the rows being read.
struct Column {
    values: Values,
    levels: Vec<i16>,
    /// Level of a value that is there; 0 where none can be missing.
    defined: i16,
    /// For each row the place of its value, or none.
    places: Vec<Option<usize>>,
}

enum Values {
    Text(ColumnReaderImpl<parquet::data_type::ByteArrayType>, Vec<ByteArray>),
    Fixed(ColumnReaderImpl<parquet::data_type::FixedLenByteArrayType>, Vec<FixedLenByteArray>),
    Int32(ColumnReaderImpl<parquet::data_type::Int32Type>, Vec<i32>),
    Int64(ColumnReaderImpl<parquet::data_type::Int64Type>, Vec<i64>),
    Float(ColumnReaderImpl<parquet::data_type::FloatType>, Vec<f32>),
    Double(ColumnReaderImpl<parquet::data_type::DoubleType>, Vec<f64>),
}

impl Column {
    fn open(group: &dyn RowGroupReader, at: usize, name: &'static str) -> Result<Column, Error> {
        let descriptor = group.metadata().column(at).column_descr_ptr();
        let reader = group.get_column_reader(at).map_err(|source| Error::Parquet { row: None, source })?;
        let values = match reader {
            ColumnReader::ByteArrayColumnReader(reader) => Values::Text(reader, Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => Values::Fixed(reader, Vec::new()),
            ColumnReader::Int32ColumnReader(reader) => Values::Int32(reader, Vec::new()),
            ColumnReader::Int64ColumnReader(reader) => Values::Int64(reader, Vec::new()),
            ColumnReader::FloatColumnReader(reader) => Values::Float(reader, Vec::new()),
            ColumnReader::DoubleColumnReader(reader) => Values::Double(reader, Vec::new()),
            ColumnReader::BoolColumnReader(_) | ColumnReader::Int96ColumnReader(_) => {
                return Err(Error::ColumnType {
                    column: name,
                    found: Physical::to_string(&descriptor.physical_type()),
                });
            }
        };
        if descriptor.max_rep_level() > 0 {
            return Err(Error::ColumnType { column: name, found: "a list".into() });
        }
        Ok(Column { values, levels: Vec::new(), defined: descriptor.max_def_level(), places: Vec::new() })
    }

    fn read(&mut self, count: usize, row: u64, name: &'static str) -> Result<(), Error> {
        let levels = (self.defined > 0).then_some(&mut self.levels);
        let read = match &mut self.values {
            Values::Text(reader, values) => fill(reader, values, levels, count),
            Values::Fixed(reader, values) => fill(reader, values, levels, count),
            Values::Int32(reader, values) => fill(reader, values, levels, count),
            Values::Int64(reader, values) => fill(reader, values, levels, count),
            Values::Float(reader, values) => fill(reader, values, levels, count),
            Values::Double(reader, values) => fill(reader, values, levels, count),
        };
        let read = read.map_err(|source| Error::Parquet { row: Some(row), source })?;
        if read != count {
            return Err(ends_early(row + read as u64, name));
        }
        self.places.clear();
        let mut next = 0;
        for at in 0..count {
            let is_there = self.defined == 0 || self.levels.get(at) == Some(&self.defined);
            self.places.push(is_there.then_some(next));
            next += usize::from(is_there);
        }
        Ok(())
    }

    /// Decodes the next `count` rows.
    fn part(&mut self, count: usize, before: u64, column: usize) -> Result<Part, Error> {
        self.read(count, before + 1, COLUMNS[column])?;
        let mut faults = Faults::default();
        let row = |at: usize| before + at as u64 + 1;
        let values = match Kind::of(column) {
            Kind::Id | Kind::Text => PartValues::Text(self.texts(count, before, column)?),
            Kind::Sex => {
                let mut sexes = Vec::with_capacity(count);
                for at in 0..count {
                    let value = self.value(at, row(at), column)?;
                    sexes.push(value.and_then(|value| faults.sex(row(at), COLUMNS[column], value)));
                }
                PartValues::Sex(sexes)
            }
            Kind::Number => {
                let mut numbers = Vec::with_capacity(count);
                for at in 0..count {
                    let value = self.value(at, row(at), column)?;
                    numbers.push(value.map_or(0, |value| faults.number(row(at), COLUMNS[column], value)));
                }
                PartValues::Number(numbers)
            }
        };
        Ok(Part { values, faults })
    }

    fn texts(&self, count: usize, before: u64, column: usize) -> Result<Texts, Error> {
        // All bytes are checked at once: to check each value by itself took a third of the time.
        let (mut bytes, mut ends) = (Vec::with_capacity(16 * count), Vec::with_capacity(count));
        for at in 0..count {
            let (row, start) = (before + at as u64 + 1, bytes.len());
            match self.bytes(at) {
                Some(value) => bytes.extend_from_slice(value.trim_ascii()),
                None => {
                    if let Some(value) = self.value(at, row, column)? {
                        with_text(value, |text| bytes.extend_from_slice(text.as_bytes()));
                    }
                }
            }
            if bytes.len() == start && Kind::of(column) == Kind::Id {
                bytes.extend_from_slice(row.to_string().as_bytes());
            }
            ends.push(bytes.len());
        }
        Texts::from_parts(bytes, ends)
            .map_err(|at| Error::NotUtf8 { row: before + at as u64 + 1, field: COLUMNS[column] })
    }

    /// The bytes of a text that is there.
    fn bytes(&self, at: usize) -> Option<&[u8]> {
        let place = self.places.get(at).copied().flatten()?;
        match &self.values {
            Values::Text(_, values) => values.get(place).map(ByteArray::data),
            Values::Fixed(_, values) => values.get(place).map(|value| value.data()),
            _ => None,
        }
    }

    fn value(&self, at: usize, row: u64, column: usize) -> Result<Option<Value<'_>>, Error> {
        let Some(place) = self.places.get(at).copied().flatten() else { return Ok(None) };
        match &self.values {
            Values::Text(..) | Values::Fixed(..) => {
                self.bytes(at).map_or(Ok(None), |bytes| text_of(bytes, row, column))
            }
            Values::Int32(_, values) => Ok(values.get(place).map(|&value| Value::Number(value.into()))),
            Values::Int64(_, values) => Ok(values.get(place).map(|&value| Value::Number(value as f64))),
            Values::Float(_, values) => Ok(values.get(place).map(|&value| Value::Number(value.into()))),
            Values::Double(_, values) => Ok(values.get(place).map(|&value| Value::Number(value))),
        }
    }
}

fn text_of(bytes: &[u8], row: u64, column: usize) -> Result<Option<Value<'_>>, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::NotUtf8 { row, field: COLUMNS[column] })?;
    let text = text.trim_ascii();
    Ok((!text.is_empty()).then_some(Value::Text(text)))
}

/// Reads `count` rows, as a page at a time may hold fewer.
fn fill<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    values: &mut Vec<T::T>,
    mut levels: Option<&mut Vec<i16>>,
    count: usize,
) -> Result<usize, ParquetError> {
    values.clear();
    if let Some(levels) = &mut levels {
        levels.clear();
    }
    let mut read = 0;
    while read < count {
        let (rows, _, _) = reader.read_records(count - read, levels.as_deref_mut(), None, values)?;
        if rows == 0 {
            break;
        }
        read += rows;
    }
    Ok(read)
}
