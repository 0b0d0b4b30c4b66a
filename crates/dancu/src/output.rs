//! How commands answer: the codes they end with, and lists that people and programs read.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Map, Value};

use ui::say;

/// How a command ends, the same for all of them. `dancu --help` and docs/operations.md tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// Done; where the command judges: genuine, intact, in agreement, nothing refused.
    Good = 0,
    /// It judged, and the answer is no: rejected, broken, differing, spoiled.
    Bad = 1,
    /// It judged, and the answer is not the whole: unproven, or some rows were refused.
    Open = 2,
    /// It did not come to an answer: a file is missing, the database is not there.
    Failed = 3,
    /// The command line was not understood.
    Usage = 4,
}

/// What `dancu --help` says of [`Ending`].
pub const ENDINGS: &str = "\
Exit codes:
  0  done; genuine, intact, in agreement
  1  judged, and the answer is no: rejected, broken, differing, spoiled
  2  judged, and something stays open: unproven, or some rows were refused
  3  no answer: something failed, such as a file that is missing
  4  the command line was not understood";

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        ExitCode::from(ending as u8)
    }
}

/// In which form a list is printed.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Form {
    /// Print one JSON document instead of lines.
    #[arg(long)]
    pub json: bool,
    /// Leave out the line with the names of the columns.
    #[arg(long, conflicts_with = "json")]
    pub no_header: bool,
}

/// A list: a line with the names of its columns, then a line each. As JSON an object with the list under its
/// name, whose elements have a field for each column.
#[derive(Debug)]
pub struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
    total: Option<Vec<Value>>,
}

impl Table {
    /// A list without lines. Names of columns are those of the JSON fields; people read a blank for `_`.
    pub fn new(name: &'static str, columns: &'static [&'static str]) -> Table {
        Table { name, columns, rows: Vec::new(), total: None }
    }

    /// Adds a line, with a value for each column.
    pub fn push<const N: usize>(&mut self, row: [Value; N]) {
        assert_eq!(N, self.columns.len(), "a line has a value for each column");
        self.rows.push(row.into());
    }

    /// Sets the line of sums at the end, which is the field `total` in JSON.
    pub fn total<const N: usize>(&mut self, row: [Value; N]) {
        assert_eq!(N, self.columns.len(), "a line has a value for each column");
        self.total = Some(row.into());
    }

    /// Prints the list.
    ///
    /// # Errors
    /// Values that are no JSON, which there are none of.
    pub fn print(&self, form: Form) -> Result<()> {
        if form.json {
            return print_json(&self.as_json());
        }
        for line in self.lines(!form.no_header) {
            say!("{line}");
        }
        Ok(())
    }

    /// The list as JSON, with its total.
    pub fn as_json(&self) -> Value {
        let object = |row: &Vec<Value>| {
            let fields = self.columns.iter().map(|name| (*name).to_owned()).zip(row.iter().cloned());
            Value::Object(fields.collect())
        };
        let mut document = Map::new();
        document.insert(self.name.to_owned(), self.rows.iter().map(object).collect());
        if let Some(total) = &self.total {
            document.insert("total".to_owned(), object(total));
        }
        Value::Object(document)
    }

    fn lines(&self, with_header: bool) -> Vec<String> {
        let header: Vec<String> = self.columns.iter().map(|name| name.replace('_', " ")).collect();
        let told = self.rows.iter().chain(&self.total).map(|row| row.iter().map(cell).collect());
        let mut lines: Vec<Vec<String>> = with_header.then_some(header).into_iter().collect();
        lines.extend(told);
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        // Numbers end below one another, and the name of their column with them.
        let is_number = |column: usize| self.rows.first().is_some_and(|row| row[column].is_number());
        let told = lines.iter().map(|line| {
            let cells = line.iter().enumerate().map(|(column, text)| {
                let width = widths[column];
                if is_number(column) { format!("{text:>width$}") } else { format!("{text:<width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        });
        told.collect()
    }
}

/// A value as people read it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Prints one JSON document.
///
/// # Errors
/// Values that are no JSON, which there are none of.
pub fn print_json(document: &Value) -> Result<()> {
    say!("{}", serde_json::to_string_pretty(document)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn boxes() -> Table {
        let mut table = Table::new("boxes", &["box", "in_stock", "key"]);
        table.push([json!("7"), json!(10), json!(true)]);
        table.push([json!("8"), json!(9_000), Value::Null]);
        table
    }

    #[test]
    fn a_list_has_a_header_and_its_numbers_end_below_one_another() {
        assert_eq!(boxes().lines(true), ["box  in stock  key", "7          10  yes", "8        9000  -"]);
        assert_eq!(boxes().lines(false), ["7    10  yes", "8  9000  -"]);
    }

    #[test]
    fn a_list_is_one_json_document() {
        let mut table = boxes();
        table.total([json!("all"), json!(9_010), Value::Null]);
        let expected = json!({
            "boxes": [
                {"box": "7", "in_stock": 10, "key": true},
                {"box": "8", "in_stock": 9_000, "key": null},
            ],
            "total": {"box": "all", "in_stock": 9_010, "key": null},
        });
        assert_eq!(table.as_json(), expected);
    }
}
