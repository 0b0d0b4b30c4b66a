use std::io::Read;

use crate::columns::{COLUMNS, Faults, Header, ROWS, Rows, Value};
use crate::error::Error;
use linkage::batch::Block;

/// A row of a register has a few hundred bytes; beyond this a quote was left open.
const LONGEST_ROW: usize = 1 << 20;
/// Read from the disk at once.
const BUFFER: usize = 1 << 18;

/// Reads CSV and gives blocks to `send` until it says that it wants no more.
pub fn read_csv(file: impl Read, send: &mut dyn FnMut(Block) -> bool) -> Result<Faults, Error> {
    let mut file = std::io::BufReader::with_capacity(BUFFER, file);
    let separator = separator(&mut file)?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .buffer_capacity(BUFFER)
        .from_reader(file);
    let names = reader.headers().map_err(|source| Error::Header { source })?.clone();
    let header = Header::new(names.iter())?;
    let expected = names.len() as u64;
    let mut rows = Rows::default();
    let mut record = csv::ByteRecord::new();
    loop {
        let row = rows.row();
        if !reader.read_byte_record(&mut record).map_err(|source| Error::Read { row, source })? {
            break;
        }
        if record.as_slice().len() > LONGEST_ROW {
            return Err(Error::LongRow { row, limit: LONGEST_ROW });
        }
        let found = record.len() as u64;
        if found != expected {
            return Err(Error::RowLength { row, found, expected });
        }
        rows.push(|column| {
            let Some(bytes) = header.positions[column].and_then(|at| record.get(at)) else { return Ok(None) };
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Error::NotUtf8 { row, field: COLUMNS[column] })?
                .trim_ascii();
            Ok((!text.is_empty()).then_some(Value::Text(text)))
        })?;
        if rows.block.len() == ROWS && !send(rows.take()) {
            return Ok(rows.faults);
        }
    }
    if !rows.block.is_empty() {
        send(rows.take());
    }
    Ok(rows.faults)
}

/// The separator that the header has most of.
fn separator(file: &mut std::io::BufReader<impl Read>) -> Result<u8, Error> {
    use std::io::BufRead;
    let start = file.fill_buf().map_err(|source| Error::Header { source: source.into() })?;
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|&&byte| byte == separator).count();
    // Of equals the last wins.
    Ok([b'\t', b';', b','].into_iter().max_by_key(|&separator| count(separator)).unwrap_or(b','))
}
