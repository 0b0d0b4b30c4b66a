//! How many people of each commune have reached each stage.

use crate::Error;
use domain::UnitCode;
use domain::application::State;
use domain::unit::UnitTable;
use std::collections::BTreeMap;
use store::report as rows;
use store::{PgConnection, UnitScope};
use time::OffsetDateTime;

/// Cumulative counts: whoever is at a stage is counted at all stages before it. `in_case` and `rejected` stand beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelRow {
    pub unit: UnitCode,
    pub name: String,
    pub eligible: i64,
    pub invited: i64,
    pub captured: i64,
    pub transmitted: i64,
    pub accepted: i64,
    /// Accepted and not yet printed.
    pub in_production: i64,
    pub printed: i64,
    pub dispatched: i64,
    pub at_unit: i64,
    pub handed_over: i64,
    pub in_case: i64,
    pub rejected: i64,
}

/// One row per commune below `scope`, by code.
pub async fn funnel(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<FunnelRow>, Error> {
    let mut by_unit: BTreeMap<UnitCode, FunnelRow> = BTreeMap::new();
    for area in rows::areas(conn, scope).await? {
        let row = row(&mut by_unit, area.unit);
        row.eligible = area.eligible;
        row.invited = area.invited;
    }
    for count in rows::state_counts(conn, scope).await? {
        let row = row(&mut by_unit, count.unit);
        add(row, count.state, count.count);
    }
    Ok(by_unit.into_values().collect())
}

fn row(by_unit: &mut BTreeMap<UnitCode, FunnelRow>, unit: UnitCode) -> &mut FunnelRow {
    by_unit.entry(unit).or_insert_with(|| FunnelRow {
        unit,
        name: UnitTable::official_2021().current(unit).map_or_else(|| unit.to_string(), |u| u.full_name()),
        eligible: 0,
        invited: 0,
        captured: 0,
        transmitted: 0,
        accepted: 0,
        in_production: 0,
        printed: 0,
        dispatched: 0,
        at_unit: 0,
        handed_over: 0,
        in_case: 0,
        rejected: 0,
    })
}

fn add(row: &mut FunnelRow, state: State, count: i64) {
    row.captured += count;
    row.transmitted += if state > State::Captured { count } else { 0 };
    row.in_case += if state == State::InCase { count } else { 0 };
    row.rejected += if state == State::Rejected { count } else { 0 };
    row.accepted += if state >= State::Accepted { count } else { 0 };
    row.in_production += if matches!(state, State::Accepted | State::Batched) { count } else { 0 };
    row.printed += if state >= State::Printed { count } else { 0 };
    row.dispatched += if state >= State::ToDistrict { count } else { 0 };
    row.at_unit += if state >= State::AtUnit { count } else { 0 };
    row.handed_over += if state == State::HandedOver { count } else { 0 };
}

/// The sum of the rows, under the unit that they belong to.
pub fn total(rows: &[FunnelRow], unit: UnitCode) -> FunnelRow {
    let mut sums = BTreeMap::new();
    let sum = row(&mut sums, unit);
    for r in rows {
        sum.eligible += r.eligible;
        sum.invited += r.invited;
        sum.captured += r.captured;
        sum.transmitted += r.transmitted;
        sum.accepted += r.accepted;
        sum.in_production += r.in_production;
        sum.printed += r.printed;
        sum.dispatched += r.dispatched;
        sum.at_unit += r.at_unit;
        sum.handed_over += r.handed_over;
        sum.in_case += r.in_case;
        sum.rejected += r.rejected;
    }
    sum.clone()
}

/// How many applications stand in a state, and since when the one that has stood there longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageAge {
    pub state: State,
    pub count: i64,
    pub oldest: OffsetDateTime,
}

/// The stages in which something waits, in the order of the flow. In ramp-up the oldest item tells more than an average.
pub async fn ages(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<StageAge>, Error> {
    let mut ages: Vec<StageAge> = rows::state_ages(conn, scope)
        .await?
        .into_iter()
        .filter(|age| !matches!(age.state, State::Rejected | State::HandedOver))
        .map(|age| StageAge { state: age.state, count: age.count, oldest: age.oldest })
        .collect();
    ages.sort_by_key(|age| age.state);
    Ok(ages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_counts_at_all_stages_before_it() {
        let unit = "445".parse().unwrap();
        let mut sums = BTreeMap::new();
        let row = row(&mut sums, unit);
        for state in State::ALL {
            add(row, state, 1);
        }
        assert_eq!((row.captured, row.transmitted, row.in_case, row.rejected), (12, 11, 1, 1));
        assert_eq!((row.accepted, row.in_production, row.printed), (8, 2, 6));
        assert_eq!(row.accepted, row.in_production + row.printed);
        assert_eq!((row.dispatched, row.at_unit, row.handed_over), (5, 2, 1));
        assert_eq!(total(&[row.clone(), row.clone()], unit).captured, 24);
    }
}
