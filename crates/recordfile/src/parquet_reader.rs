use std::fs::File;

use linkage::batch::Block;
use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use crate::columns::{COLUMNS, Faults, Header, ROWS, Rows, Value};
use crate::error::Error;

pub(crate) fn read_parquet(file: File, send: &mut dyn FnMut(Block) -> bool) -> Result<Faults, Error> {
    let start = |source| Error::Parquet { row: None, source };
    let reader = SerializedFileReader::new(file).map_err(start)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let header = Header::new(schema.columns().iter().map(|column| match column.path().parts() {
        [name] => name.as_str(),
        // A value inside a group or list is none of ours.
        _ => "",
    }))?;
    let mut rows = Rows::default();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(start)?;
        if !read_group(&*group, &header, &mut rows, send)? {
            break;
        }
    }
    if !rows.block.is_empty() {
        send(rows.take());
    }
    Ok(rows.faults)
}

fn read_group(
    group: &dyn RowGroupReader,
    header: &Header,
    rows: &mut Rows,
    send: &mut dyn FnMut(Block) -> bool,
) -> Result<bool, Error> {
    let mut columns = Vec::new();
    for (column, position) in header.positions.iter().enumerate() {
        columns.push(match position {
            Some(at) => Some(Column::open(group, *at, COLUMNS[column])?),
            None => None,
        });
    }
    let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    while left > 0 {
        let count = left.min(ROWS - rows.block.len());
        let row = rows.row();
        for (column, name) in columns.iter_mut().zip(COLUMNS) {
            if let Some(column) = column {
                column.read(count, row, name)?;
            }
        }
        for at in 0..count {
            let row = rows.row();
            rows.push(|column| {
                columns[column].as_ref().map_or(Ok(None), |values| values.value(at, row, column))
            })?;
        }
        left -= count;
        if rows.block.len() == ROWS && !send(rows.take()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One column of a row group and the values of the rows being read.
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
            let source = ParquetError::General(format!("column `{name}` ends before the others"));
            return Err(Error::Parquet { row: Some(row + read as u64), source });
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

    fn value(&self, at: usize, row: u64, column: usize) -> Result<Option<Value<'_>>, Error> {
        let Some(place) = self.places.get(at).copied().flatten() else { return Ok(None) };
        match &self.values {
            Values::Text(_, values) => {
                values.get(place).map_or(Ok(None), |value| text_of(value.data(), row, column))
            }
            Values::Fixed(_, values) => {
                values.get(place).map_or(Ok(None), |value| text_of(value.data(), row, column))
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
