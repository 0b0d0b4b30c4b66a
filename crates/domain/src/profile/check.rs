//! Whether a list can be used: every cell sound, no day with two answers, none with no answer between others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::Date;

use super::calendar::CalendarDays;
use super::card::{AgeFrom, FormVersion, Milestone};
use super::contents::OnCard;
use super::due::{CorrectionLimit, DueDays, StageLimit};
use super::fee::{Exemption, Tariff};
use super::list::{List, Mark};
use super::read::{self, Fault, MOST_FAULTS, Row};
use super::rows::{Coverage, Says};

/// What was found in one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub list: List,
    /// Rows that could be read.
    pub rows: usize,
    /// Empty when the list can be used; at most a hundred faults and as many gaps and overlaps.
    pub findings: Vec<Finding>,
    /// How many rows have each mark, in the order of [`Mark::ALL`].
    pub marks: [usize; 3],
}

/// Why a list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A line that cannot be read.
    Fault(Fault),
    /// Days for which two rows answer.
    Overlap { subject: String, lines: [usize; 2], days: Days },
    /// Days for which no row answers, between others that have one.
    Gap { subjects: Vec<String>, days: Days },
}

/// From the first to the last day; `None` while no end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days {
    pub first: Date,
    pub last: Option<Date>,
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            Some(last) if last == self.first => write!(f, "on {last}"),
            Some(last) => write!(f, "from {} to {last}", self.first),
            None => write!(f, "from {} on", self.first),
        }
    }
}

impl Finding {
    /// Stable code: `fault`, `overlap`, `gap`.
    pub const fn code(&self) -> &'static str {
        match self {
            Finding::Fault(_) => "fault",
            Finding::Overlap { .. } => "overlap",
            Finding::Gap { .. } => "gap",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Fault(fault) => fault.fmt(f),
            Finding::Overlap { subject, lines: [one, other], days } => {
                write!(f, "line {other}: line {one} answers for {subject} too, {days}")
            }
            Finding::Gap { subjects, days } => {
                let told: Vec<&str> = subjects.iter().take(3).map(String::as_str).collect();
                write!(f, "no row answers for {}", told.join(", "))?;
                if subjects.len() > told.len() {
                    write!(f, " and {} more", subjects.len() - told.len())?;
                }
                write!(f, ", {days}")
            }
        }
    }
}

/// Looks at a whole file of a list, which its header names.
///
/// # Errors
/// When it is no text, too big, or has the columns of no list.
pub fn check(bytes: &[u8]) -> Result<Checked, Fault> {
    let text = read::text_of(bytes)?;
    let list = read::recognise(text)?;
    Ok(match list {
        List::Fees => checked::<Tariff>(text),
        List::FeeExemptions => checked::<Exemption>(text),
        List::DueDays => checked::<DueDays>(text),
        List::StageLimits => checked::<StageLimit>(text),
        List::CorrectionLimits => checked::<CorrectionLimit>(text),
        List::Validity => checked::<Milestone>(text),
        List::Ages => checked::<AgeFrom>(text),
        List::CardFields => checked::<OnCard>(text),
        List::Forms => checked::<FormVersion>(text),
        List::Holidays => checked::<CalendarDays>(text),
    })
}

fn checked<T: Says>(text: &str) -> Checked {
    let mut faults = Vec::new();
    let rows: Vec<Row<T>> = read::rows(text, &mut faults);
    faults.truncate(MOST_FAULTS);
    let mut findings: Vec<Finding> = faults.into_iter().map(Finding::Fault).collect();
    // Between rows of which some could not be read, days seem to be missing that are not.
    if findings.is_empty() {
        findings.extend(overlaps(&rows).into_iter().chain(gaps(&rows)).take(MOST_FAULTS));
    }
    let marks = Mark::ALL.map(|mark| rows.iter().filter(|row| row.basis.mark == mark).count());
    Checked { list: T::LIST, rows: rows.len(), findings, marks }
}

/// A row's days for one of the things that it answers for, and its line.
#[derive(Clone, Copy)]
struct Span {
    first: Date,
    /// [`Date::MAX`] while no end is known.
    last: Date,
    line: usize,
}

fn spans<T: Says>(rows: &[Row<T>]) -> BTreeMap<String, Vec<Span>> {
    let mut spans: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for row in rows {
        let basis = &row.basis;
        let span = Span { first: basis.from, last: basis.to.unwrap_or(Date::MAX), line: basis.line };
        for key in row.says.keys() {
            spans.entry(key).or_default().push(span);
        }
    }
    spans.values_mut().for_each(|spans| spans.sort_by_key(|span| span.first));
    spans
}

fn days(first: Date, last: Date) -> Days {
    Days { first, last: (last != Date::MAX).then_some(last) }
}

/// Of two rows that overlap in several things the first is told.
fn overlaps<T: Says>(rows: &[Row<T>]) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for (key, spans) in spans(rows) {
        let mut longest: Option<Span> = None;
        for span in spans {
            if let Some(before) = longest.filter(|before| span.first <= before.last) {
                let days = days(span.first, span.last.min(before.last));
                if told.insert((before.line, span.line)) {
                    let lines = [before.line, span.line];
                    found.push(Finding::Overlap { subject: key.clone(), lines, days });
                }
            }
            longest = longest.filter(|before| before.last >= span.last).or(Some(span));
        }
    }
    found
}

/// Things that lack the same days are told together.
fn gaps<T: Says>(rows: &[Row<T>]) -> Vec<Finding> {
    let spans = spans(rows);
    let all = || spans.values().flatten();
    let (Some(first), Some(last)) = (all().map(|span| span.first).min(), all().map(|span| span.last).max())
    else {
        return Vec::new();
    };
    let mut missing: BTreeMap<Days, Vec<String>> = BTreeMap::new();
    let mut note = |key: &str, gaps: Vec<Days>| {
        gaps.into_iter().for_each(|gap| missing.entry(gap).or_default().push(key.to_owned()));
    };
    match T::coverage() {
        Coverage::Whole(keys) => {
            let none = Vec::new();
            for key in keys {
                note(&key, between(spans.get(&key).unwrap_or(&none), first, last));
            }
        }
        Coverage::Between => {
            for (key, spans) in &spans {
                let end = spans.iter().map(|span| span.last).max().unwrap_or(last);
                note(key, between(spans, spans.first().map_or(first, |span| span.first), end));
            }
        }
        Coverage::Free => {}
    }
    missing.into_iter().map(|(days, subjects)| Finding::Gap { subjects, days }).collect()
}

/// The days from `first` to `last` that no span has.
fn between(spans: &[Span], first: Date, last: Date) -> Vec<Days> {
    let mut gaps = Vec::new();
    // The first day for which no span so far answers; `None` behind the end of the calendar.
    let mut next = Some(first);
    for span in spans {
        let Some(from) = next else { break };
        if span.first > from {
            gaps.push(days(from, span.first.previous_day().unwrap_or(from)));
        }
        next = span.last.next_day().map(|day| day.max(from));
    }
    gaps.extend(next.filter(|from| *from <= last).map(|from| days(from, last)));
    gaps
}
