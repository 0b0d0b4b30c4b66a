//! A list's text, cell by cell: with limits, and all faults at once.

use std::fmt;

use thiserror::Error;
use time::macros::format_description;
use time::{Date, Time};
use unicode_normalization::is_nfc;

use super::list::{Basis, List, Mark};
use super::rows::Says;
use crate::text;

/// A whole country's rules of a century fit into a part of it.
pub const MOST_BYTES: usize = 256 * 1024;
/// So many rows at most.
pub const MOST_ROWS: usize = 2_000;
/// A title or the name of a source.
pub const MOST_CHARS: usize = 300;
/// Of a file that is something else altogether, the first faults say enough.
pub const MOST_FAULTS: usize = 100;

/// What is wrong with a list, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line of the file, the header being the first.
    pub line: usize,
    /// `None` when it is about the line as a whole.
    pub column: Option<&'static str>,
    pub why: Why,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// What is wrong with a cell or a line. Says what is expected, never what was found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Why {
    #[error("the file is not UTF-8 text")]
    NotText,
    #[error("a list has at most {MOST_BYTES} bytes")]
    TooBig,
    #[error("a list has at most {MOST_ROWS} rows")]
    TooManyRows,
    #[error("the list has no row")]
    NoRow,
    #[error("no list has these columns; `dancu profile show` names the lists, and their README the columns")]
    Header,
    #[error("{expected} cells are expected, and there are {found}")]
    Cells { expected: usize, found: usize },
    #[error("a quotation mark is not closed, or stands inside a cell that does not begin with one")]
    Quotes,
    #[error("it is empty")]
    Missing,
    #[error("it is no code of its list; the codes are {0}")]
    Unknown(String),
    #[error("a day is written yyyy-mm-dd, from 1945 to 2199")]
    Day,
    #[error("a time of day is written hh:mm")]
    Time,
    #[error("the last day lies before the first")]
    Order,
    #[error("a whole number from {least} to {most} is expected")]
    Number { least: u32, most: u32 },
    #[error("at most {MOST_CHARS} characters are expected")]
    TooLong,
    #[error("it holds a control character, an invisible mark or a decomposed letter")]
    Character,
    #[error("the day of the week speaks against it: {0}")]
    DayOfWeek(&'static str),
    #[error("a row of days off has at most {0} of them")]
    ManyDays(i64),
    #[error("the reason is one for another kind of application")]
    OtherKind,
}

/// The list whose columns the text begins with.
pub(super) fn recognise(text: &str) -> Result<List, Fault> {
    let at_top = |why| Fault { line: 1, column: None, why };
    let header = split(text.lines().next().unwrap_or_default()).map_err(at_top)?;
    let is_it = |list: &List| list.columns().iter().copied().eq(header.iter().map(String::as_str));
    List::ALL.into_iter().find(is_it).ok_or(at_top(Why::Header))
}

/// A file's bytes as text, without the mark that some programs put before it.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, Fault> {
    let at_top = |why| Fault { line: 1, column: None, why };
    if bytes.len() > MOST_BYTES {
        return Err(at_top(Why::TooBig));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| at_top(Why::NotText))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// One row of a list: what it says, and what that stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<T> {
    pub says: T,
    pub basis: Basis,
}

/// Every sound row of a list whose header was recognised; what is wrong with the others is added to `faults`.
pub(super) fn rows<T: Says>(text: &str, faults: &mut Vec<Fault>) -> Vec<Row<T>> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        if index > MOST_ROWS {
            faults.push(Fault { line: index + 1, column: None, why: Why::TooManyRows });
            break;
        }
        if faults.len() >= MOST_FAULTS {
            break;
        }
        rows.extend(row(index + 1, line, faults));
    }
    if rows.is_empty() && faults.is_empty() {
        faults.push(Fault { line: 1, column: None, why: Why::NoRow });
    }
    rows
}

fn row<T: Says>(line: usize, text: &str, faults: &mut Vec<Fault>) -> Option<Row<T>> {
    let mut whole = |why| faults.push(Fault { line, column: None, why });
    let columns = T::LIST.columns();
    let values = match split(text) {
        Ok(values) if values.len() == columns.len() => values,
        Ok(values) => {
            whole(Why::Cells { expected: columns.len(), found: values.len() });
            return None;
        }
        Err(why) => {
            whole(why);
            return None;
        }
    };
    let mut cells = Cells { line, columns, values: &values, faults };
    cells.look_at_texts();
    // All cells are read before any is judged missing, so that all faults of a row are told at once.
    let (from, to) = (cells.day("from"), cells.last_day());
    let says = T::read(&mut cells);
    let (source, mark) = (cells.words("source"), cells.code("mark", Mark::from_code, &codes(Mark::ALL)));
    let (from, to) = (from?, to?);
    if to.is_some_and(|last| last < from) {
        cells.fault("to", Why::Order);
        return None;
    }
    let basis = Basis { list: T::LIST, line, from, to, source: source?.into(), mark: mark? };
    let row = Row { says: says?, basis };
    match row.says.contradicts(&row.basis) {
        Some((column, why)) => {
            cells.fault(column, why);
            None
        }
        None => Some(row),
    }
}

fn codes(marks: [Mark; 3]) -> String {
    marks.map(Mark::code).join(", ")
}

/// The cells of one line, by column; what is wrong with them is noted.
pub(super) struct Cells<'a> {
    line: usize,
    columns: &'static [&'static str],
    values: &'a [String],
    faults: &'a mut Vec<Fault>,
}

impl Cells<'_> {
    fn fault(&mut self, column: &'static str, why: Why) {
        self.faults.push(Fault { line: self.line, column: Some(column), why });
    }

    fn look_at_texts(&mut self) {
        let values = self.values;
        for (column, value) in self.columns.iter().zip(values) {
            if value.chars().count() > MOST_CHARS {
                self.fault(column, Why::TooLong);
            } else if text::forbidden(value).is_some() || !is_nfc(value) {
                self.fault(column, Why::Character);
            }
        }
    }

    fn raw(&self, column: &'static str) -> &str {
        let at = self.columns.iter().position(|name| *name == column);
        at.map_or("", |at| self.values[at].trim())
    }

    /// A text that must be there.
    pub(super) fn words(&mut self, column: &'static str) -> Option<String> {
        let text = self.raw(column).to_owned();
        if text.is_empty() {
            self.fault(column, Why::Missing);
            return None;
        }
        Some(text)
    }

    /// A code of a list.
    pub(super) fn code<T>(
        &mut self,
        column: &'static str,
        from_code: impl Fn(&str) -> Option<T>,
        allowed: &str,
    ) -> Option<T> {
        let found = from_code(&self.words(column)?);
        if found.is_none() {
            self.fault(column, Why::Unknown(allowed.to_owned()));
        }
        found
    }

    /// A code of a list, or `any` for all of them, which is the inner `None`.
    pub(super) fn code_or_any<T>(
        &mut self,
        column: &'static str,
        from_code: impl Fn(&str) -> Option<T>,
        allowed: &str,
    ) -> Option<Option<T>> {
        if self.raw(column) == "any" {
            return Some(None);
        }
        self.code(column, from_code, &format!("any, {allowed}")).map(Some)
    }

    /// A whole number between two, written with digits only.
    pub(super) fn number(&mut self, column: &'static str, least: u32, most: u32) -> Option<u32> {
        let text = self.words(column)?;
        let digits = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && (least..=most).contains(number));
        if number.is_none() {
            self.fault(column, Why::Number { least, most });
        }
        number
    }

    /// A time of day; the inner `None` when the cell is empty.
    pub(super) fn time(&mut self, column: &'static str) -> Option<Option<Time>> {
        let text = self.raw(column);
        if text.is_empty() {
            return Some(None);
        }
        let time = Time::parse(text, format_description!("[hour]:[minute]")).ok();
        if time.is_none() {
            self.fault(column, Why::Time);
        }
        time.map(Some)
    }

    fn day(&mut self, column: &'static str) -> Option<Date> {
        let text = self.words(column)?;
        let day = Date::parse(&text, format_description!("[year]-[month]-[day]")).ok();
        let day = day.filter(|day| text.len() == 10 && (1945..2200).contains(&day.year()));
        if day.is_none() {
            self.fault(column, Why::Day);
        }
        day
    }

    fn last_day(&mut self) -> Option<Option<Date>> {
        if self.raw("to").is_empty() { Some(None) } else { self.day("to").map(Some) }
    }
}

/// The cells of a line: separated by commas, in quotation marks where they hold one (RFC 4180, without line
/// breaks inside a cell).
fn split(line: &str) -> Result<Vec<String>, Why> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut chars = line.chars().peekable();
    loop {
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_some() => cell.push('"'),
                    Some('"') => break,
                    Some(c) => cell.push(c),
                    None => return Err(Why::Quotes),
                }
            }
            if chars.peek().is_some_and(|c| *c != ',') {
                return Err(Why::Quotes);
            }
        }
        while let Some(c) = chars.next_if(|c| *c != ',') {
            if c == '"' {
                return Err(Why::Quotes);
            }
            cell.push(c);
        }
        cells.push(std::mem::take(&mut cell));
        if chars.next().is_none() {
            return Ok(cells);
        }
    }
}
