//! Units that are rearranged by law: what a change would do, doing it, and settling what it left.
//!
//! A change is its day, on which one list of units takes the place of another, with the map between the two
//! ([decision 0040](../../docs/decisions/0040-units-change.md)). [`preview`] counts; [`apply`] moves people
//! in batches, each a transaction that counts what it did; [`settle_person`] and [`settle_unit`] take the
//! answers that no map has.

mod apply;
mod error;
mod settle;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use time::Date;

use domain::UnitCode;
use domain::unit::{Readdressed, UnitMap, UnitTable, Units, readdress};
use store::plan::denominator::{self, Running};
use store::register::quality::inhabited;
use store::register::rearranged::{self, Placed, Way};
use store::{Database, UnitScope};

pub use apply::{Applied, BATCH, Progress, apply};
pub use error::Error;
pub use settle::{Answer, candidates, settle_person, settle_unit};

/// The decrees of the changes that the program has lists for, by their days.
const DECREES: [(&str, &str); 1] = [("2025-07-01", "19/2025/QĐ-TTg")];

/// A change that can be applied: its map fits its lists.
#[derive(Debug, Clone)]
pub struct Change {
    /// The first day of the new list.
    pub effective_on: Date,
    /// What orders it.
    pub decree: String,
    /// Where everybody goes.
    pub map: UnitMap,
    /// SHA-256 of the map's file.
    pub map_sha256: [u8; 32],
    /// The units of the day before.
    pub before: Units<'static>,
    /// The units of the day.
    pub after: Units<'static>,
}

impl Change {
    /// Reads a map and checks it against the lists of the day before and of the day.
    ///
    /// # Errors
    /// [`Error::NoList`] on a day on which no list takes the place of another; [`Error::Map`] with everything
    /// that is wrong with the map.
    pub fn read(effective_on: Date, map: &str) -> Result<Change, Error> {
        let [_, changes @ ..] = UnitTable::first_days();
        let no_list = || Error::NoList { day: effective_on, days: changes.to_vec() };
        let eve = effective_on.previous_day().filter(|_| changes.contains(&effective_on));
        let units = |day| UnitTable::within(day).map_err(|_| no_list());
        let (before, after) = (units(eve.ok_or_else(no_list)?)?, units(effective_on)?);
        let checked = UnitMap::read(map, before, after).map_err(Error::Map)?;
        let day = effective_on.to_string();
        let decree = DECREES.iter().find(|(of, _)| *of == day).map_or("", |(_, decree)| decree);
        let map_sha256 = Sha256::digest(map.as_bytes()).into();
        let decree = decree.to_owned();
        Ok(Change { effective_on, decree, map: checked, map_sha256, before, after })
    }

    /// The change that the program has a map for, on this day.
    ///
    /// # Errors
    /// [`Error::NoList`] when it has none.
    pub fn shipped(effective_on: Date) -> Result<Change, Error> {
        Change::read(effective_on, domain::unit::map::of_2025())
    }

    /// The old unit whose rows have this path; `None` for a path of the new list, and for one that stays.
    fn old_unit(&self, path: &str) -> Option<UnitCode> {
        let code: UnitCode = path.trim_end_matches('/').rsplit('/').next()?.parse().ok()?;
        let is_old = self.before.path(code).as_deref() == Some(path);
        let stays = self.map.successors(code) == [code] && self.after.path(code).as_deref() == Some(path);
        (is_old && !stays).then_some(code)
    }

    fn ways(&self) -> Vec<Way> {
        let way = |(from, to, parts): (UnitCode, UnitCode, usize)| Way {
            from_code: from.to_string(),
            to_code: to.to_string(),
            parts: i32::try_from(parts).unwrap_or(i32::MAX),
            people: 0,
        };
        self.map.pairs().map(way).collect()
    }
}

/// Where somebody goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Destination {
    /// The new unit of the permanent residence; `None`: somebody must be asked.
    permanent: Option<UnitCode>,
    /// Whether the address told it, of a divided unit.
    by_hamlet: bool,
    current: CurrentResidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CurrentResidence {
    /// None is stated, or the map says nothing of it.
    Stays,
    Goes(UnitCode),
    Asked(UnitCode),
}

/// Where somebody goes, by both addresses.
fn destination(person: &Placed, map: &UnitMap) -> Destination {
    let (permanent, by_hamlet) = match readdress(person.permanent, &person.permanent_detail, map) {
        Readdressed::Whole(to) => (Some(to), false),
        Readdressed::ByHamlet(to) => (Some(to), true),
        Readdressed::Ask(_) | Readdressed::NotInMap => (None, false),
    };
    let current = match &person.current {
        None => CurrentResidence::Stays,
        Some((unit, detail)) => match readdress(*unit, detail, map) {
            Readdressed::Whole(to) | Readdressed::ByHamlet(to) => CurrentResidence::Goes(to),
            Readdressed::Ask(_) => CurrentResidence::Asked(*unit),
            Readdressed::NotInMap => CurrentResidence::Stays,
        },
    };
    Destination { permanent, by_hamlet, current }
}

/// What a change would do.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// The old units in which somebody is registered, by their paths.
    pub units: Vec<UnitPreview>,
    /// Campaigns that are under way on the day: the change waits for them.
    pub campaigns: Vec<Running>,
}

/// What it would do to the people of one old unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitPreview {
    /// Its code in the old list.
    pub code: UnitCode,
    /// Where it goes, or may go.
    pub successors: Vec<UnitCode>,
    /// Who is registered there.
    pub people: u64,
    /// How many of them go where.
    pub to: BTreeMap<UnitCode, u64>,
    /// Of those, how many by the hamlet of their address.
    pub by_hamlet: u64,
    /// How many must be asked.
    pub ask: u64,
}

impl UnitPreview {
    /// Whether it is divided, or was above communes.
    pub fn is_divided(&self) -> bool {
        self.successors.len() > 1
    }
}

impl Preview {
    /// All people of these units.
    pub fn people(&self) -> u64 {
        self.units.iter().map(|unit| unit.people).sum()
    }

    /// Those who must be asked.
    pub fn ask(&self) -> u64 {
        self.units.iter().map(|unit| unit.ask).sum()
    }

    /// Those whose hamlet tells where they go.
    pub fn by_hamlet(&self) -> u64 {
        self.units.iter().map(|unit| unit.by_hamlet).sum()
    }

    /// Units that are divided.
    pub fn divided(&self) -> usize {
        self.units.iter().filter(|unit| unit.is_divided()).count()
    }
}

/// What a change would do to the people of a scope who are still in old units. Nothing is changed.
///
/// # Errors
/// Those of the database.
pub async fn preview(db: &Database, change: &Change, scope: &UnitScope) -> Result<Preview, Error> {
    let mut conn = db.read().await?;
    let campaigns = under_way(&mut conn, change, scope).await?;
    let mut units = Vec::new();
    for path in inhabited(&mut conn, scope.as_str()).await? {
        let Some(code) = change.old_unit(&path) else { continue };
        let successors = change.map.successors(code);
        let (mut to, mut by_hamlet, mut ask) = (BTreeMap::new(), 0, 0);
        let people = if let [only] = successors[..] {
            let people = count(rearranged::count_at(&mut conn, change.effective_on, &path).await?.0);
            to.insert(only, people);
            people
        } else {
            let people = rearranged::all_at(&mut conn, &path).await?;
            for person in &people {
                let destination = destination(person, &change.map);
                by_hamlet += u64::from(destination.by_hamlet);
                match destination.permanent {
                    Some(unit) => *to.entry(unit).or_default() += 1,
                    None => ask += 1,
                }
            }
            people.len() as u64
        };
        units.push(UnitPreview { code, successors, people, to, by_hamlet, ask });
    }
    Ok(Preview { units, campaigns })
}

/// Campaigns that count by the old units and are not over on the day.
async fn under_way(
    conn: &mut store::PgConnection,
    change: &Change,
    scope: &UnitScope,
) -> Result<Vec<Running>, Error> {
    let mut running = denominator::running(conn, change.effective_on).await?;
    let meets = |path: &str| scope.covers(path) || path.is_empty() || scope.as_str().starts_with(path);
    running.retain(|one| one.starts_on < change.effective_on && meets(&one.unit_path));
    Ok(running)
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}
