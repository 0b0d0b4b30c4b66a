//! The columns of a register, and what their values mean.

use crate::error::Error;
use linkage::Sex;
use linkage::batch::Block;

/// Rows of a block.
pub const ROWS: usize = 8192;

/// The names of the columns that are read.
pub const COLUMNS: [&str; 13] = [
    "rec_id",
    "full_name",
    "sex",
    "birth_day",
    "birth_month",
    "birth_year",
    "ethnicity",
    "birth_province",
    "hometown_commune",
    "residence_commune",
    "address_line",
    "father_name",
    "mother_name",
];

/// What a column of `COLUMNS` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text; where it is missing, the row's number.
    Id,
    Text,
    Sex,
    Number,
}

impl Kind {
    pub(crate) fn of(column: usize) -> Kind {
        match column {
            0 => Kind::Id,
            2 => Kind::Sex,
            3..=5 => Kind::Number,
            _ => Kind::Text,
        }
    }
}

/// Values that could not be read and count as missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub count: u64,
    /// Row, from 1, and column of the first one.
    pub first: Option<(u64, &'static str)>,
}

impl Faults {
    pub(crate) fn add(&mut self, row: u64, column: &'static str) {
        self.count += 1;
        self.first.get_or_insert((row, column));
    }

    /// Adds those of another column.
    pub(crate) fn join(&mut self, other: Faults) {
        self.count += other.count;
        let place = |column| COLUMNS.iter().position(|name| *name == column);
        let earliest = |first: &(u64, &'static str)| (first.0, place(first.1));
        self.first = self.first.into_iter().chain(other.first).min_by_key(earliest);
    }

    pub(crate) fn sex(&mut self, row: u64, column: &'static str, value: Value<'_>) -> Option<Sex> {
        let sex = sex(value);
        if sex.is_none() {
            self.add(row, column);
        }
        sex
    }

    pub(crate) fn number(&mut self, row: u64, column: &'static str, value: Value<'_>) -> u16 {
        let number = match value {
            Value::Number(number) => Some(number),
            Value::Text(text) => text.parse::<f64>().ok(),
        };
        match number {
            // "Not known" is written as 0 or as nothing.
            Some(number) if number.fract() == 0.0 && (0.0..=9999.0).contains(&number) => number as u16,
            Some(number) if number.is_nan() => 0,
            _ => {
                self.add(row, column);
                0
            }
        }
    }
}

/// Where each of `COLUMNS` stands in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub positions: [Option<usize>; COLUMNS.len()],
}

impl Header {
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Result<Header, Error> {
        let mut positions = [None; COLUMNS.len()];
        for (at, name) in names.enumerate() {
            let name = name.trim_start_matches('\u{feff}').trim().to_lowercase();
            if let Some(column) = COLUMNS.iter().position(|column| *column == name) {
                if positions[column].is_some() {
                    return Err(Error::TwiceInHeader { column: name });
                }
                positions[column] = Some(at);
            }
        }
        if positions.iter().all(Option::is_none) {
            return Err(Error::NoColumns { expected: COLUMNS.join(", ") });
        }
        Ok(Header { positions })
    }
}

/// A value as a file has it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(f64),
}

/// Collects rows into a block, column by column in the order of `COLUMNS`.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub block: Block,
    /// Rows of all blocks before this one.
    pub before: u64,
    pub faults: Faults,
    birth: [u16; 3],
}

impl Rows {
    /// The row being read, from 1.
    pub(crate) fn row(&self) -> u64 {
        self.before + self.block.len() as u64 + 1
    }

    /// Takes the block out when it is full or when the file ends.
    pub(crate) fn take(&mut self) -> Block {
        self.before += self.block.len() as u64;
        std::mem::take(&mut self.block)
    }

    /// Adds one row: `value` gives the value of a column, `None` where it is missing.
    pub(crate) fn push<'a>(
        &mut self,
        mut value: impl FnMut(usize) -> Result<Option<Value<'a>>, Error>,
    ) -> Result<(), Error> {
        let row = self.row();
        let id = value(0)?;
        for (column, name) in COLUMNS.iter().enumerate().skip(1) {
            let value = value(column)?;
            match Kind::of(column) {
                Kind::Sex => {
                    let sex = value.and_then(|value| self.faults.sex(row, name, value));
                    self.block.sex.push(sex);
                }
                Kind::Number => {
                    self.birth[column - 3] = value.map_or(0, |value| self.faults.number(row, name, value));
                }
                Kind::Id | Kind::Text => self.text(column, value),
            }
        }
        let [day, month, year] = self.birth;
        let small = |n: u16| u8::try_from(n).unwrap_or(0);
        self.block.birth.push((small(day), small(month), year));
        match id {
            Some(id) => with_text(id, |text| self.block.rec_id.push(text)),
            None => self.block.rec_id.push(&row.to_string()),
        }
        Ok(())
    }

    fn text(&mut self, column: usize, value: Option<Value<'_>>) {
        let block = &mut self.block;
        let texts = match column {
            1 => &mut block.full_name,
            6 => &mut block.ethnicity,
            7 => &mut block.birth_province,
            8 => &mut block.hometown,
            9 => &mut block.residence,
            10 => &mut block.address_line,
            11 => &mut block.father_name,
            _ => &mut block.mother_name,
        };
        match value {
            Some(value) => with_text(value, |text| texts.push(text)),
            None => texts.push(""),
        }
    }
}

pub(crate) fn with_text(value: Value<'_>, use_it: impl FnOnce(&str)) {
    match value {
        Value::Text(text) => use_it(text),
        Value::Number(number) if number.is_nan() => use_it(""),
        Value::Number(number) => use_it(&number.to_string()),
    }
}

fn sex(value: Value<'_>) -> Option<Sex> {
    let number = |number: f64| match number {
        1.0 => Some(Sex::Male),
        0.0 | 2.0 => Some(Sex::Female),
        _ => None,
    };
    match value {
        Value::Number(n) => number(n),
        Value::Text("1" | "M" | "m" | "Nam" | "nam" | "NAM") => Some(Sex::Male),
        Value::Text("2" | "0" | "F" | "f" | "Nữ" | "nữ" | "NỮ" | "Nu" | "nu" | "NU") => {
            Some(Sex::Female)
        }
        Value::Text(text) => match text.to_lowercase().as_str() {
            "male" | "trai" => Some(Sex::Male),
            "female" | "gái" | "nữ" | "nu\u{31b}\u{303}" => Some(Sex::Female),
            other => other.parse().ok().and_then(number),
        },
    }
}
