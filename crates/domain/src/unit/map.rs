//! What becomes of units when one list takes the place of another: the map between the two, and where an
//! address lies by it.
//!
//! Units merge and are divided at once, so that both sides of the map occur several times. A map that leaves
//! out an old unit would lose its people, and is refused as a whole, with everything that is wrong with it.
//! The file's columns are explained in `data/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{UnitCode, UnitLevel, Units};
use crate::text::fold_ascii;

/// The first line of a map's file.
pub const HEADER: &str = "from,to,how,hamlets,basis";

/// Lines of a map's file at most: the whole country needs a tenth of it.
pub const MOST_LINES: usize = 100_000;

/// Faults that are told at most; the first ones say what is wrong with a file.
const MOST_FAULTS: usize = 200;

/// One line of a map: an old unit goes to a new one, or a part of it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRow {
    /// Where it stands in the file.
    pub line: usize,
    /// The code in the old list.
    pub from: UnitCode,
    /// The code in the new list.
    pub to: UnitCode,
    /// Whether all of the old unit goes there.
    pub is_whole: bool,
    /// The hamlets of the old unit that go there, as addresses name them; none when nobody wrote them down.
    pub hamlets: Vec<String>,
}

/// What is wrong with a map, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFault {
    /// The line of the file; of what is missing from it, none.
    pub line: Option<usize>,
    /// The unit that it is about, if the line tells one.
    pub code: Option<UnitCode>,
    /// What is wrong.
    pub kind: FaultKind,
}

/// Kinds of faults of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// The first line is another one.
    Header,
    /// There are more lines than any map has.
    TooLong,
    /// A line has not five fields.
    Fields,
    /// A code is none.
    Code,
    /// Neither `whole` nor `divided`.
    How,
    /// The old code is not in force on the day before.
    NotBefore,
    /// The new code is not in force on the day.
    NotAfter,
    /// Nobody is registered in such a unit: it has others below it.
    NotALeaf,
    /// The pair stands on an earlier line.
    Twice,
    /// The unit goes whole to one place, and to another.
    WholeAndMore,
    /// The unit is divided and goes to one place only.
    DividedAlone,
    /// One hamlet goes to two units.
    HamletTwice,
    /// The old unit goes nowhere.
    Lost,
    /// Nobody comes to the new unit.
    FromNowhere,
}

impl FaultKind {
    /// What is wrong, and what to do.
    pub const fn says(self) -> &'static str {
        match self {
            FaultKind::Header => "the first line must be `from,to,how,hamlets,basis`",
            FaultKind::TooLong => "the file has more lines than a map of the country; it is another file",
            FaultKind::Fields => "a line has five fields with commas between; hamlets are parted by |",
            FaultKind::Code => "a code has 2, 3 or 5 digits; write it with its zeros",
            FaultKind::How => "the third field is `whole` or `divided`",
            FaultKind::NotBefore => {
                "no unit bears this code on the day before the change; write the old list's code"
            }
            FaultKind::NotAfter => {
                "no unit bears this code on the day of the change; write the new list's code"
            }
            FaultKind::NotALeaf => "there are units below it; write a line for each of them",
            FaultKind::Twice => "the same two codes stand on an earlier line; leave one out",
            FaultKind::WholeAndMore => {
                "the unit goes whole to one place and also to another; write `divided` on each line"
            }
            FaultKind::DividedAlone => {
                "the unit is divided and goes to one place only; add the others, or write `whole`"
            }
            FaultKind::HamletTwice => "the hamlet goes to two units; write it once",
            FaultKind::Lost => "the map has no line for this old unit: its people would be lost; add one",
            FaultKind::FromNowhere => "no old unit goes to this new one; add the line that is missing",
        }
    }
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(code) = self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(self.kind.says())
    }
}

/// Where one part of an old unit goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    to: UnitCode,
    /// Without case and marks.
    hamlets: Vec<String>,
}

/// A checked map: every old unit where people are registered goes somewhere, and every new one gets somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitMap {
    /// Of each old leaf; one part when it goes whole.
    leaves: BTreeMap<UnitCode, Vec<Part>>,
    /// Of each old unit above them, where its leaves go.
    above: BTreeMap<UnitCode, Vec<UnitCode>>,
    /// Of each old province, the new ones that its leaves go to.
    provinces: BTreeMap<UnitCode, Vec<UnitCode>>,
}

/// Where an address lies after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readdressed {
    /// The old unit went there as a whole.
    Whole(UnitCode),
    /// The old unit was divided, and the address names a hamlet that went there.
    ByHamlet(UnitCode),
    /// The old unit was divided, or is one above them, and the address does not tell: somebody must be asked.
    Ask(Vec<UnitCode>),
    /// The map says nothing of this unit.
    NotInMap,
}

/// Where an address lies after the change. Nothing is guessed: of a divided unit the address must name a
/// hamlet that the map knows, and of one part only.
pub fn readdress(unit: UnitCode, detail: &str, map: &UnitMap) -> Readdressed {
    let Some(parts) = map.leaves.get(&unit) else {
        return match map.above.get(&unit) {
            Some(candidates) => Readdressed::Ask(candidates.clone()),
            None => Readdressed::NotInMap,
        };
    };
    if let [only] = parts.as_slice() {
        return Readdressed::Whole(only.to);
    }
    let detail = words(detail);
    let names = |part: &&Part| part.hamlets.iter().any(|hamlet| detail.contains(hamlet.as_str()));
    let mut named = parts.iter().filter(names);
    match (named.next(), named.next()) {
        (Some(part), None) => Readdressed::ByHamlet(part.to),
        _ => Readdressed::Ask(parts.iter().map(|part| part.to).collect()),
    }
}

/// Words between single spaces, without case and marks, with a space at both ends: one text is found in
/// another only where words begin and end, so that hamlet 1 is not found in hamlet 10.
fn words(text: &str) -> String {
    let folded = fold_ascii(text);
    let parts = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once("").chain(parts).chain([""]).collect::<Vec<_>>().join(" ")
}

impl UnitMap {
    /// Reads a map's file and checks it against the units of the day before the change and of its day.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the lines, then what is missing.
    pub fn read(text: &str, before: Units<'_>, after: Units<'_>) -> Result<UnitMap, Vec<MapFault>> {
        let (rows, mut faults) = parse(text);
        // Of a file with unreadable lines nobody can say what is missing from it.
        match UnitMap::check(&rows, before, after) {
            Ok(map) if faults.is_empty() => return Ok(map),
            Ok(_) => {}
            Err(more) if faults.is_empty() => faults = more,
            Err(more) => faults.extend(more.into_iter().filter(|fault| fault.line.is_some())),
        }
        faults.sort_by_key(|fault| (fault.line.unwrap_or(usize::MAX), fault.kind, fault.code));
        faults.truncate(MOST_FAULTS);
        Err(faults)
    }

    /// A map of these rows.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn check(rows: &[MapRow], before: Units<'_>, after: Units<'_>) -> Result<UnitMap, Vec<MapFault>> {
        let (old, new) = (leaves(before), leaves(after));
        let mut faults = Vec::new();
        let mut of: BTreeMap<UnitCode, Vec<&MapRow>> = BTreeMap::new();
        for row in rows {
            let mut fault =
                |code, kind| faults.push(MapFault { line: Some(row.line), code: Some(code), kind });
            match (before.get(row.from).is_some(), old.contains(&row.from)) {
                (true, true) => {}
                (true, false) => fault(row.from, FaultKind::NotALeaf),
                (false, _) => fault(row.from, FaultKind::NotBefore),
            }
            match (after.get(row.to).is_some(), new.contains(&row.to)) {
                (true, true) => {}
                (true, false) => fault(row.to, FaultKind::NotALeaf),
                (false, _) => fault(row.to, FaultKind::NotAfter),
            }
            let of = of.entry(row.from).or_default();
            if of.iter().any(|earlier| earlier.to == row.to) {
                fault(row.from, FaultKind::Twice);
            } else {
                of.push(row);
            }
        }
        for rows in of.values() {
            faults.extend(of_one(rows));
        }
        let missing = |code: &UnitCode, kind| MapFault { line: None, code: Some(*code), kind };
        faults.extend(old.iter().filter(|c| !of.contains_key(c)).map(|c| missing(c, FaultKind::Lost)));
        let reached: BTreeSet<UnitCode> = rows.iter().map(|row| row.to).collect();
        faults
            .extend(new.iter().filter(|c| !reached.contains(c)).map(|c| missing(c, FaultKind::FromNowhere)));
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(UnitMap::of(&of, before, after))
    }

    fn of(rows: &BTreeMap<UnitCode, Vec<&MapRow>>, before: Units<'_>, after: Units<'_>) -> UnitMap {
        let (mut leaves, mut above) = (BTreeMap::new(), BTreeMap::<UnitCode, BTreeSet<UnitCode>>::new());
        let mut provinces = BTreeMap::<UnitCode, BTreeSet<UnitCode>>::new();
        let top = |units: Units<'_>, code| units.chain(code).last().map(|unit| unit.code);
        for (from, rows) in rows {
            let part = |row: &&MapRow| Part {
                to: row.to,
                hamlets: row.hamlets.iter().map(|hamlet| words(hamlet)).collect(),
            };
            leaves.insert(*from, rows.iter().map(part).collect());
            for unit in before.chain(*from).skip(1) {
                above.entry(unit.code).or_default().extend(rows.iter().map(|row| row.to));
            }
            if let Some(province) = top(before, *from) {
                let to = rows.iter().filter_map(|row| top(after, row.to));
                provinces.entry(province).or_default().extend(to);
            }
        }
        let sorted = |map: BTreeMap<UnitCode, BTreeSet<UnitCode>>| {
            map.into_iter().map(|(code, to)| (code, to.into_iter().collect())).collect()
        };
        UnitMap { leaves, above: sorted(above), provinces: sorted(provinces) }
    }

    /// The old units where people are registered, ascending.
    pub fn leaves(&self) -> impl Iterator<Item = UnitCode> {
        self.leaves.keys().copied()
    }

    /// Where the parts of an old unit go: one for a unit that goes whole. Of a province these are provinces,
    /// of everything below it the new leaves; none when the map says nothing of it.
    pub fn successors(&self, code: UnitCode) -> Vec<UnitCode> {
        if code.level() == UnitLevel::Province {
            return self.provinces.get(&code).cloned().unwrap_or_default();
        }
        match self.leaves.get(&code) {
            Some(parts) => parts.iter().map(|part| part.to).collect(),
            None => self.above.get(&code).cloned().unwrap_or_default(),
        }
    }

    /// The pairs of the map, by the old code: from, to, and how many parts the old unit has.
    pub fn pairs(&self) -> impl Iterator<Item = (UnitCode, UnitCode, usize)> {
        self.leaves.iter().flat_map(|(from, parts)| parts.iter().map(|part| (*from, part.to, parts.len())))
    }
}

/// The faults of the lines of one old unit.
fn of_one(rows: &[&MapRow]) -> Vec<MapFault> {
    let mut faults = Vec::new();
    let mut hamlets = BTreeSet::new();
    for row in rows {
        let mut fault = |kind| faults.push(MapFault { line: Some(row.line), code: Some(row.from), kind });
        match (row.is_whole, rows.len()) {
            (true, 1) | (false, 2..) => {}
            (true, _) => fault(FaultKind::WholeAndMore),
            (false, _) => fault(FaultKind::DividedAlone),
        }
        for hamlet in &row.hamlets {
            if !hamlets.insert(words(hamlet)) {
                fault(FaultKind::HamletTwice);
            }
        }
    }
    faults
}

/// The units where people are registered: communes, and districts without any.
fn leaves(units: Units<'_>) -> BTreeSet<UnitCode> {
    units.level(UnitLevel::Province).flat_map(|province| units.leaves_of(province.code)).collect()
}

/// The lines of a file that can be read, and the faults of the others.
pub fn parse(text: &str) -> (Vec<MapRow>, Vec<MapFault>) {
    let mut faults = Vec::new();
    let mut fault = |line, kind| faults.push(MapFault { line: Some(line), code: None, kind });
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().zip(1..);
    if lines.next().map(|(first, _)| first.trim_end()) != Some(HEADER) {
        fault(1, FaultKind::Header);
    }
    let mut rows = Vec::new();
    for (text, line) in lines {
        if line > MOST_LINES {
            fault(line, FaultKind::TooLong);
            break;
        }
        if text.trim().is_empty() {
            continue;
        }
        match row(text, line) {
            Ok(row) => rows.push(row),
            Err(kind) => fault(line, kind),
        }
    }
    faults.truncate(MOST_FAULTS);
    (rows, faults)
}

fn row(text: &str, line: usize) -> Result<MapRow, FaultKind> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let [from, to, how, hamlets, _] = fields[..] else { return Err(FaultKind::Fields) };
    let code = |text: &str| text.parse().map_err(|_| FaultKind::Code);
    let is_whole = match how {
        "whole" => true,
        "divided" => false,
        _ => return Err(FaultKind::How),
    };
    let hamlets = hamlets.split('|').map(str::trim).filter(|name| !words(name).trim().is_empty());
    let hamlets = hamlets.map(str::to_owned).collect();
    Ok(MapRow { line, from: code(from)?, to: code(to)?, is_whole, hamlets })
}

/// The map of the change of 1 July 2025.
pub fn of_2025() -> &'static str {
    include_str!("../../data/unit-map-2025.csv")
}

#[cfg(test)]
mod tests;
