//! The look at everybody, unit by unit: what is written of one unit is written whole, so that a look that is
//! stopped goes on with the next.

use std::collections::HashSet;

use time::Date;

use super::{Judging, Kin, Rule, Shared, judge};
use crate::Error;
use domain::pin::Pin;
use store::register::quality::{self as rows, Count, Examined};
use store::{Database, UnitScope};

/// What a look came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Units that were looked at now.
    pub units: usize,
    /// Units that were looked at on this day before.
    pub before: usize,
    /// People who live in the units that were looked at now.
    pub people: usize,
    /// What they do not keep.
    pub findings: usize,
}

/// Looks at everybody in a scope, and writes down what is found. Units that were looked at on this day are
/// left out, unless `again` is said. `told` hears which unit this is, and of how many.
///
/// # Errors
/// Those of the database; a row that no event could have written.
pub async fn look_over(
    db: &Database,
    scope: &UnitScope,
    today: Date,
    again: bool,
    mut told: impl FnMut(usize, usize),
) -> Result<Looked, Error> {
    let mut conn = db.read().await?;
    let paths = rows::to_be_looked_at(&mut conn, scope.as_str()).await?;
    let before = if again { HashSet::new() } else { rows::looked_at(&mut conn, today).await? };
    let (pins, old_ids) = rows::shared_numbers(&mut conn).await?;
    drop(conn);
    let shared = Shared { pins, old_ids };
    let mut looked = Looked::default();
    for (at, path) in paths.iter().enumerate() {
        told(at + 1, paths.len());
        if before.contains(path) {
            looked.before += 1;
            continue;
        }
        let mut conn = db.read().await?;
        let people = rows::registered_in(&mut conn, path, today).await?;
        let elsewhere = rows::with_numbers(&mut conn, &stated_elsewhere(&people), today).await?;
        drop(conn);
        let kin = Kin::of(people.iter().cloned().chain(elsewhere));
        let judged = judge(&people, &Judging::on(today, &kin, &shared));
        let findings: Vec<_> = judged.findings.iter().map(|(id, rule)| (*id, rule.code())).collect();
        let mut tx = db.begin().await?;
        rows::write(&mut tx, path, today, &findings, &counts(&judged.tally)).await?;
        store::commit(tx).await?;
        looked.units += 1;
        looked.people += people.iter().filter(|person| person.lives()).count();
        looked.findings += findings.len();
    }
    Ok(looked)
}

/// The counts of every rule: one that applied to nobody is written too, so that the day is known.
fn counts(tally: &std::collections::BTreeMap<Rule, super::Tally>) -> Vec<Count> {
    let count = |rule: &Rule| {
        let tally = tally.get(rule).copied().unwrap_or_default();
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        Count { rule: rule.code().to_owned(), ok: number(tally.ok), of: number(tally.of) }
    };
    Rule::ALL.iter().map(count).collect()
}

/// The numbers that people state for their relatives and that nobody among them has.
fn stated_elsewhere(people: &[Examined]) -> Vec<String> {
    let own: HashSet<&str> =
        people.iter().filter_map(|one| one.record.pin.as_ref().map(Pin::as_str)).collect();
    let stated = people.iter().flat_map(|one| {
        let record = &one.record;
        [&record.father, &record.mother, &record.spouse]
            .into_iter()
            .flatten()
            .filter_map(|kin| kin.pin.as_ref())
    });
    let elsewhere: HashSet<&str> = stated.map(Pin::as_str).filter(|pin| !own.contains(pin)).collect();
    elsewhere.into_iter().map(str::to_owned).collect()
}
