//! Administrative units: province, district, commune.
//!
//! A unit is keyed by code *and* date: codes are reused for other territory when units merge (since 1 July
//! 2025 the code 00004 means another area than before). Source, counts and licence of the table:
//! `data/README.md`.

mod lists;
pub mod map;
mod name;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::text::fold_ascii;

pub use lists::{NoUnit, OutsideLists};
pub use map::{Readdressed, UnitMap, readdress};
pub use name::UnitNameError;

/// Why a unit code or a unit table was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    #[error(
        "a unit code has 2, 3 or 5 digits (province, district, commune); this text has {length} characters"
    )]
    Length { length: usize },
    #[error("a unit code has digits only; character {position} is not a digit")]
    NotDigits { position: usize },
    #[error("a unit code cannot be zero")]
    Zero,
    #[error("{packed} is not a packed unit code")]
    NotPacked { packed: u32 },
    #[error("line {line} of the unit table: {reason}")]
    BadTable { line: usize, reason: &'static str },
}

/// Level of a unit; a smaller level is a larger territory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitLevel {
    Province,
    District,
    Commune,
}

impl UnitLevel {
    /// Number of digits of a code at this level.
    pub const fn digits(self) -> usize {
        match self {
            UnitLevel::Province => 2,
            UnitLevel::District => 3,
            UnitLevel::Commune => 5,
        }
    }

    /// The word used in the unit table.
    pub const fn as_str(self) -> &'static str {
        match self {
            UnitLevel::Province => "province",
            UnitLevel::District => "district",
            UnitLevel::Commune => "commune",
        }
    }
}

/// Code of a unit as the General Statistics Office writes it: `42`, `445`, `18562`.
///
/// Only the shape is checked; whether a unit of that code exists on a date is what [`UnitTable::at`] answers.
/// Codes order by level, then by number. In memory the code is one `u32`, see [`UnitCode::packed`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitCode(u32);

/// Room for the five digits of a commune, below the level.
const LEVEL_STEP: u32 = 100_000;

impl UnitCode {
    /// The code of `number` at `level`, or `None` when it is zero or has too many digits.
    pub const fn new(level: UnitLevel, number: u32) -> Option<Self> {
        if number == 0 || number >= 10u32.pow(level.digits() as u32) {
            return None;
        }
        Some(UnitCode(level as u32 * LEVEL_STEP + number))
    }

    /// Province, district or commune: read from the code itself, not from a table.
    pub const fn level(self) -> UnitLevel {
        match self.0 / LEVEL_STEP {
            0 => UnitLevel::Province,
            1 => UnitLevel::District,
            _ => UnitLevel::Commune,
        }
    }

    /// The code without its leading zeros.
    pub const fn number(self) -> u32 {
        self.0 % LEVEL_STEP
    }

    /// Level and number in one integer, for compact storage: level (0, 1, 2) × 100,000 + number.
    pub const fn packed(self) -> u32 {
        self.0
    }

    /// The inverse of [`UnitCode::packed`].
    ///
    /// # Errors
    /// [`UnitError::NotPacked`] when no code packs to this integer.
    pub fn from_packed(packed: u32) -> Result<Self, UnitError> {
        let level = match packed / LEVEL_STEP {
            0 => UnitLevel::Province,
            1 => UnitLevel::District,
            2 => UnitLevel::Commune,
            _ => return Err(UnitError::NotPacked { packed }),
        };
        UnitCode::new(level, packed % LEVEL_STEP).ok_or(UnitError::NotPacked { packed })
    }
}

impl FromStr for UnitCode {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if let Some(position) = text.chars().position(|c| !c.is_ascii_digit()) {
            return Err(UnitError::NotDigits { position: position + 1 });
        }
        let level = match text.len() {
            2 => UnitLevel::Province,
            3 => UnitLevel::District,
            5 => UnitLevel::Commune,
            length => return Err(UnitError::Length { length }),
        };
        let number = text.bytes().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        UnitCode::new(level, number).ok_or(UnitError::Zero)
    }
}

impl TryFrom<String> for UnitCode {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<UnitCode> for String {
    fn from(code: UnitCode) -> String {
        code.to_string()
    }
}

impl fmt::Display for UnitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.number(), width = self.level().digits())
    }
}

impl fmt::Debug for UnitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitCode({self})")
    }
}

/// One unit during one period of validity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub code: UnitCode,
    /// Kind in lower case: thành phố, tỉnh, quận, huyện, thị xã, phường, xã, thị trấn.
    pub kind: Box<str>,
    /// Name without the kind.
    pub name: Box<str>,
    pub parent: Option<UnitCode>,
    /// First day on which this row answers.
    pub valid_from: Date,
    /// First day on which it no longer answers; `None` while it is in force.
    pub valid_to: Option<Date>,
}

impl Unit {
    /// Kind and name as written in an address: "Xã Cò Nòi".
    pub fn full_name(&self) -> String {
        let mut kind = self.kind.chars();
        let first = kind.next().into_iter().flat_map(char::to_uppercase);
        first.chain(kind).chain([' ']).chain(self.name.chars()).collect()
    }

    /// Kind and name inside a sentence: "xã Cò Nòi". The kind is small but where it is a part of the name,
    /// with a number ("Quận 1") and in "Thành phố Hồ Chí Minh" (Decree 30/2020, appendix II).
    pub fn in_sentence(&self) -> String {
        let is_part_of_name = self.name.starts_with(|c: char| c.is_ascii_digit())
            || (&*self.kind, &*self.name) == ("thành phố", "Hồ Chí Minh");
        if is_part_of_name { self.full_name() } else { format!("{} {}", self.kind, self.name) }
    }

    /// Whether this row answers on `date`.
    pub fn is_valid_on(&self, date: Date) -> bool {
        self.valid_from <= date && self.valid_to.is_none_or(|end| date < end)
    }
}

/// All units of a list, each with the days on which it answers.
#[derive(Debug)]
pub struct UnitTable {
    /// Sorted by code, then by `valid_from`.
    units: Vec<Unit>,
    /// Codes of the units that lay below each unit on any day, in ascending order.
    children: BTreeMap<UnitCode, Vec<UnitCode>>,
    /// Name without case and marks, for each entry of `units`.
    folded: Vec<Box<str>>,
    /// The first day of which the list says anything.
    begins: Date,
}

impl UnitTable {
    /// Reads a table in the format of `data/README.md`.
    ///
    /// # Errors
    /// [`UnitError::BadTable`] with the line, when a row is malformed, repeated, or hangs below no row of the
    /// table.
    pub fn parse(csv: &str) -> Result<UnitTable, UnitError> {
        UnitTable::of(rows_in(csv)?)
    }

    /// The table of these rows, each with the line on which it stands.
    fn of(mut rows: Vec<(usize, Unit)>) -> Result<UnitTable, UnitError> {
        rows.sort_by_key(|(_, unit)| (unit.code, unit.valid_from));
        let mut children: BTreeMap<UnitCode, Vec<UnitCode>> = BTreeMap::new();
        for (index, (line, unit)) in rows.iter().enumerate() {
            let bad = |reason| UnitError::BadTable { line: *line, reason };
            if index > 0
                && rows[index - 1].1.code == unit.code
                && rows[index - 1].1.valid_from == unit.valid_from
            {
                return Err(bad("the same code and valid_from stand on an earlier line"));
            }
            let Some(parent) = unit.parent else { continue };
            if rows.binary_search_by_key(&parent, |(_, above)| above.code).is_err() {
                return Err(bad("the parent is not in the table"));
            }
            let below = children.entry(parent).or_default();
            if below.last() != Some(&unit.code) {
                below.push(unit.code);
            }
        }
        let units: Vec<Unit> = rows.into_iter().map(|(_, unit)| unit).collect();
        let folded = units.iter().map(|unit| fold_ascii(&unit.name).into_boxed_str()).collect();
        let begins = units.iter().map(|unit| unit.valid_from).min().unwrap_or(Date::MIN);
        Ok(UnitTable { units, children, folded, begins })
    }

    /// Every row, by code and then by `valid_from`.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The units as they stand on `day`. Of the days before the list begins nobody knows better than that
    /// they stood as on its first.
    pub fn on(&self, day: Date) -> Units<'_> {
        Units { table: self, day: day.max(self.begins) }
    }

    fn rows_of(&self, code: UnitCode) -> &[Unit] {
        let start = self.units.partition_point(|unit| unit.code < code);
        let length = self.units[start..].partition_point(|unit| unit.code == code);
        &self.units[start..start + length]
    }
}

/// The units as they stand on one day: what is given to whoever reads a code, or writes one in words.
#[derive(Debug, Clone, Copy)]
pub struct Units<'a> {
    table: &'a UnitTable,
    day: Date,
}

impl<'a> Units<'a> {
    /// The lists from which they are.
    pub const fn table(self) -> &'a UnitTable {
        self.table
    }

    /// The day on which they stand so.
    pub const fn day(self) -> Date {
        self.day
    }

    /// Units of one level, by code.
    pub fn level(self, level: UnitLevel) -> impl Iterator<Item = &'a Unit> {
        self.table.units.iter().filter(move |unit| unit.code.level() == level && unit.is_valid_on(self.day))
    }

    /// The unit of this code.
    pub fn get(self, code: UnitCode) -> Option<&'a Unit> {
        self.table.rows_of(code).iter().find(|unit| unit.is_valid_on(self.day))
    }

    /// Codes of the units directly below, ascending; none for a commune or an island district.
    pub fn children(self, code: UnitCode) -> Vec<UnitCode> {
        let ever = self.table.children.get(&code).map_or(&[][..], Vec::as_slice);
        let is_below = |unit: &&UnitCode| self.get(**unit).is_some_and(|unit| unit.parent == Some(code));
        ever.iter().filter(is_below).copied().collect()
    }

    /// The unit and the units above it, from the unit itself up to its province; empty for an unknown code.
    pub fn chain(self, code: UnitCode) -> impl Iterator<Item = &'a Unit> {
        let mut next = self.get(code);
        std::iter::from_fn(move || {
            let unit = next?;
            next = unit.parent.and_then(|parent| self.get(parent));
            Some(unit)
        })
    }

    /// Codes from the province down to the unit, each followed by a slash: `42/445/18562/`.
    ///
    /// A scope covers exactly the paths that begin with its own path, so that row-level security is the test
    /// `unit_path LIKE scope || '%'`; the closing slash keeps one code from being the beginning of another.
    /// `None` for an unknown code.
    pub fn path(self, code: UnitCode) -> Option<String> {
        let mut codes: Vec<UnitCode> = self.chain(code).map(|unit| unit.code).collect();
        if codes.is_empty() {
            return None;
        }
        codes.reverse();
        Some(codes.iter().map(|code| format!("{code}/")).collect())
    }

    /// "Thị trấn Thạch Hà, Huyện Thạch Hà, Tỉnh Hà Tĩnh"; `None` for an unknown code.
    pub fn full_name(self, code: UnitCode) -> Option<String> {
        let names: Vec<String> = self.chain(code).map(Unit::full_name).collect();
        if names.is_empty() { None } else { Some(names.join(", ")) }
    }

    /// The units below (or at) `code` where people are registered: communes, and districts that have none.
    pub fn leaves_of(self, code: UnitCode) -> Vec<UnitCode> {
        let mut leaves = Vec::new();
        let mut open = vec![code];
        while let Some(code) = open.pop() {
            let below = self.children(code);
            if below.is_empty() && code.level() != UnitLevel::Province && self.get(code).is_some() {
                leaves.push(code);
            }
            open.extend(below.iter().rev());
        }
        leaves
    }

    /// Units whose name contains `query`, ignoring case and marks, at most `limit`; equal names first, then
    /// names that begin with it, each group by code. The kind may be given or left out.
    pub fn search(self, query: &str, limit: usize) -> Vec<&'a Unit> {
        let query = fold_ascii(query);
        let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
        if query.is_empty() {
            return Vec::new();
        }
        let mut hits: Vec<(u8, &Unit)> = Vec::new();
        for (unit, name) in self.table.units.iter().zip(&self.table.folded) {
            if !unit.is_valid_on(self.day) {
                continue;
            }
            let without_kind = query.strip_prefix(&fold_ascii(&unit.kind)).map_or("", str::trim_start);
            let rank = if **name == *query || **name == *without_kind {
                0
            } else if name.starts_with(&query) {
                1
            } else if name.contains(&query) || (!without_kind.is_empty() && name.starts_with(without_kind)) {
                2
            } else {
                continue;
            };
            hits.push((rank, unit));
        }
        hits.sort_by_key(|(rank, unit)| (*rank, unit.code));
        hits.into_iter().take(limit).map(|(_, unit)| unit).collect()
    }
}

/// The rows of a table, each with its line.
fn rows_in(csv: &str) -> Result<Vec<(usize, Unit)>, UnitError> {
    let mut rows = Vec::with_capacity(csv.len() / 40);
    for (index, row) in csv.lines().enumerate().skip(1) {
        let line = index + 1;
        let unit = parse_row(row).map_err(|reason| UnitError::BadTable { line, reason })?;
        rows.push((line, unit));
    }
    Ok(rows)
}

fn parse_row(row: &str) -> Result<Unit, &'static str> {
    let mut fields = row.split(',');
    let mut next = || fields.next().ok_or("a row has seven fields");
    let (code, level, kind, name) = (next()?, next()?, next()?, next()?);
    let (parent, valid_from, valid_to) = (next()?, next()?, next()?);
    let code: UnitCode = code.parse().map_err(|_| "the code is not a unit code")?;
    if code.level().as_str() != level {
        return Err("the level does not fit the length of the code");
    }
    let parent = match parent {
        "" => None,
        code => Some(code.parse::<UnitCode>().map_err(|_| "the parent is not a unit code")?),
    };
    if parent.is_none() != (code.level() == UnitLevel::Province)
        || parent.is_some_and(|p| p.level() >= code.level())
    {
        return Err("a province has no parent, and any other unit one of a higher level");
    }
    if kind.is_empty() || name.is_empty() {
        return Err("the kind or the name is empty");
    }
    let valid_to = if valid_to.is_empty() { None } else { Some(parse_date(valid_to)?) };
    Ok(Unit {
        code,
        kind: kind.into(),
        name: name.into(),
        parent,
        valid_from: parse_date(valid_from)?,
        valid_to,
    })
}

fn parse_date(text: &str) -> Result<Date, &'static str> {
    const WRONG: &str = "a date is written yyyy-mm-dd";
    let mut parts = text.splitn(3, '-');
    let mut next = || parts.next().ok_or(WRONG);
    let (year, month, day) = (next()?, next()?, next()?);
    let month: u8 = month.parse().map_err(|_| WRONG)?;
    Date::from_calendar_date(
        year.parse().map_err(|_| WRONG)?,
        month.try_into().map_err(|_| WRONG)?,
        day.parse().map_err(|_| WRONG)?,
    )
    .map_err(|_| WRONG)
}

#[cfg(test)]
mod tests;
