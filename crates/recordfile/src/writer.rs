//! Writes registers, for the generator of the benchmark.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::columns::COLUMNS;
use crate::error::Error;
use linkage::Sex;
use linkage::batch::{Block, Texts};

const SCHEMA: &str = "message register {
    required binary rec_id (UTF8); optional binary full_name (UTF8); optional binary sex (UTF8);
    optional int32 birth_day; optional int32 birth_month; optional int32 birth_year;
    optional binary ethnicity (UTF8); optional binary birth_province (UTF8);
    optional binary hometown_commune (UTF8); optional binary residence_commune (UTF8);
    optional binary address_line (UTF8); optional binary father_name (UTF8); optional binary mother_name \
    (UTF8);
}";

/// A register being written: Parquet (Snappy) if the path ends in `.parquet`, else CSV.
pub struct Writer {
    path: PathBuf,
    out: Out,
}

enum Out {
    Csv(Box<csv::Writer<BufWriter<File>>>),
    Parquet(Box<SerializedFileWriter<File>>),
}

impl Writer {
    /// Begins a file, replacing one that is there.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Writer, Error> {
        let file = File::create(path).map_err(|source| Error::Write { path: path.to_owned(), source })?;
        let broken = |source| Error::WriteParquet { path: path.to_owned(), source };
        let out = if path.extension().is_some_and(|extension| extension == "parquet") {
            let schema = Arc::new(parse_message_type(SCHEMA).map_err(broken)?);
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            Out::Parquet(Box::new(
                SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(broken)?,
            ))
        } else {
            Out::Csv(Box::new(csv::Writer::from_writer(BufWriter::new(file))))
        };
        let mut writer = Writer { path: path.to_owned(), out };
        if let Out::Csv(out) = &mut writer.out {
            out.write_record(COLUMNS).map_err(|error| csv_error(path, error))?;
        }
        Ok(writer)
    }

    /// Writes a block; in Parquet it is a row group, so that blocks should be large.
    pub fn write(&mut self, block: &Block) -> Result<(), Error> {
        match &mut self.out {
            Out::Csv(out) => write_csv(out, block).map_err(|error| csv_error(&self.path, error)),
            Out::Parquet(out) => {
                let broken = |source| Error::WriteParquet { path: self.path.clone(), source };
                let mut group = out.next_row_group().map_err(broken)?;
                write_columns(&mut group, block).map_err(broken)?;
                group.close().map(|_| ()).map_err(broken)
            }
        }
    }

    /// Writes what is left and closes the file, which is incomplete until then.
    ///
    /// # Errors
    ///
    /// When the last rows cannot be written.
    pub fn finish(self) -> Result<(), Error> {
        match self.out {
            Out::Csv(mut out) => {
                let flushed = out.flush().and_then(|()| out.get_ref().get_ref().sync_data());
                flushed.map_err(|source| Error::Write { path: self.path, source })
            }
            Out::Parquet(out) => {
                out.close().map(|_| ()).map_err(|source| Error::WriteParquet { path: self.path, source })
            }
        }
    }
}

fn csv_error(path: &Path, error: csv::Error) -> Error {
    Error::Write { path: path.to_owned(), source: error.into() }
}

fn sex_text(sex: Option<Sex>) -> &'static str {
    match sex {
        None => "",
        Some(Sex::Male) => "M",
        Some(Sex::Female) => "F",
    }
}

fn write_csv(out: &mut csv::Writer<impl Write>, block: &Block) -> Result<(), csv::Error> {
    let number = |n: u16| if n == 0 { String::new() } else { n.to_string() };
    for row in 0..block.len() {
        let (day, month, year) = block.birth.get(row).copied().unwrap_or_default();
        out.write_record([
            block.rec_id.get(row),
            block.full_name.get(row),
            sex_text(block.sex.get(row).copied().flatten()),
            &number(day.into()),
            &number(month.into()),
            &number(year),
            block.ethnicity.get(row),
            block.birth_province.get(row),
            block.hometown.get(row),
            block.residence.get(row),
            block.address_line.get(row),
            block.father_name.get(row),
            block.mother_name.get(row),
        ])?;
    }
    Ok(())
}

fn write_columns(group: &mut SerializedRowGroupWriter<'_, File>, block: &Block) -> Result<(), ParquetError> {
    let rows = block.len();
    let texts: [Option<&Texts>; COLUMNS.len()] = [
        Some(&block.rec_id),
        Some(&block.full_name),
        None,
        None,
        None,
        None,
        Some(&block.ethnicity),
        Some(&block.birth_province),
        Some(&block.hometown),
        Some(&block.residence),
        Some(&block.address_line),
        Some(&block.father_name),
        Some(&block.mother_name),
    ];
    for (column, texts) in texts.into_iter().enumerate() {
        let Some(mut writer) = group.next_column()? else { break };
        let birth = |row: usize| block.birth.get(row).copied().unwrap_or_default();
        let text = |row: usize| match texts {
            Some(texts) => texts.get(row),
            None => sex_text(block.sex.get(row).copied().flatten()),
        };
        if (3..=5).contains(&column) {
            let pick = |row: usize| match (column, birth(row)) {
                (3, (day, ..)) => i32::from(day),
                (4, (_, month, _)) => i32::from(month),
                (_, (.., year)) => i32::from(year),
            };
            let levels: Vec<i16> = (0..rows).map(|row| i16::from(pick(row) != 0)).collect();
            let values: Vec<i32> = (0..rows).map(pick).filter(|&value| value != 0).collect();
            writer.typed::<Int32Type>().write_batch(&values, Some(&levels), None)?;
        } else {
            let is_required = column == 0;
            let levels: Vec<i16> = (0..rows).map(|row| i16::from(!text(row).is_empty())).collect();
            let there = (0..rows).map(text).filter(|text| is_required || !text.is_empty());
            let values: Vec<ByteArray> = there.map(ByteArray::from).collect();
            let levels = (!is_required).then_some(levels.as_slice());
            writer.typed::<ByteArrayType>().write_batch(&values, levels, None)?;
        }
        writer.close()?;
    }
    Ok(())
}
