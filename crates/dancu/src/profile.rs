//! `dancu profile`: the rules that change by circular, and whether a list of them can be used.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use time::Date;

use crate::output::{Ending, Form, Table, print_json};
use domain::profile::{self, Checked, Fault, List, MOST_BYTES, Profile};
use ui::say;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Look for days without a rule or with two, unknown codes and missing sources.
    ///
    /// Ends with code 1 when something is found.
    Check {
        /// Files that are to become lists, which their columns name; without any, the lists of this program.
        files: Vec<PathBuf>,
        #[command(flatten)]
        form: Form,
    },
    /// The rows of a list, or of all: what for, what, from when to when, how sure it is, and who says so.
    Show {
        /// fees, fee-exemptions, due-days, stage-limits, correction-limits, validity, ages, card-fields,
        /// forms or holidays.
        #[arg(value_parser = list)]
        list: Option<List>,
        /// Only what holds on this day, such as 2021-07-01.
        #[arg(long, value_name = "DAY", value_parser = crate::cli::date)]
        on: Option<Date>,
        #[command(flatten)]
        form: Form,
    },
}

/// A list by its name.
fn list(text: &str) -> Result<List> {
    let names = || List::ALL.map(List::code).join(", ");
    List::from_code(text).with_context(|| format!("no list is called `{text}`; there are {}", names()))
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check { files, form } => check(files, *form),
        Command::Show { list, on, form } => show(*list, *on, *form),
    }
}

fn show(list: Option<List>, on: Option<Date>, form: Form) -> Result<ExitCode> {
    let mut table = Table::new("rules", &["list", "for", "from", "to", "rule", "mark", "source"]);
    let lists = List::ALL.into_iter().filter(|one| list.is_none_or(|list| list == *one));
    let mut rows = 0;
    for row in lists.flat_map(|list| Profile::official().rows_of(list)) {
        let basis = row.basis;
        if on.is_some_and(|day| !basis.holds_on(day)) {
            continue;
        }
        let to = basis.to.map_or(Value::Null, |day| json!(day.to_string()));
        let (list, from) = (basis.list.code(), basis.from.to_string());
        let (mark, source) = (basis.mark.code(), &basis.source);
        table.push([
            json!(list),
            json!(row.subject),
            json!(from),
            to,
            json!(row.value),
            json!(mark),
            json!(source),
        ]);
        rows += 1;
    }
    if rows == 0 && !form.json {
        say!("none       no row holds on that day; without --on all days are shown");
        return Ok(Ending::Good.into());
    }
    table.print(form)?;
    Ok(Ending::Good.into())
}

fn check(files: &[PathBuf], form: Form) -> Result<ExitCode> {
    let mut lists = Table::new("lists", &["file", "list", "rows", "legal_text", "press", "inference"]);
    let mut findings = Table::new("findings", &["file", "finding", "what"]);
    let mut found = 0;
    let mut judge = |name: String, checked: Result<Checked, Fault>| match checked {
        Ok(Checked { list, rows, findings: all, marks: [legal, press, inference] }) => {
            let code = list.code();
            lists.push([json!(name), json!(code), json!(rows), json!(legal), json!(press), json!(inference)]);
            for finding in &all {
                findings.push([json!(name), json!(finding.code()), json!(finding.to_string())]);
            }
            found += all.len();
        }
        Err(fault) => {
            findings.push([json!(name), json!("fault"), json!(fault.to_string())]);
            found += 1;
        }
    };
    for file in files {
        judge(file.display().to_string(), profile::check(&read(file)?));
    }
    if files.is_empty() {
        for list in List::ALL {
            judge(format!("{list}.csv"), profile::check(list.csv().as_bytes()));
        }
    }
    if form.json {
        let (mut document, findings) = (lists.as_json(), findings.as_json());
        document["findings"] = findings["findings"].clone();
        print_json(&document)?;
    } else {
        lists.print(form)?;
        if found == 0 {
            say!("sound: no day without a rule or with two, no unknown code, every row has a source");
        } else {
            say!();
            findings.print(form)?;
        }
    }
    Ok(if found == 0 { Ending::Good } else { Ending::Bad }.into())
}

/// The file's bytes, one more than a list may have at most, so that the check says that it is too long.
fn read(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reading = || file.display().to_string();
    let opened = File::open(file).with_context(reading)?;
    opened.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(reading)?;
    Ok(bytes)
}
