//! How many people of each commune have reached each stage.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::Serialize;
use time::OffsetDateTime;

use crate::Error;
use domain::UnitCode;
use domain::application::State;
use domain::unit::Units;
use store::{PgConnection, UnitScope, report as rows};

/// Cumulative counts: whoever is at a stage is counted at all stages before it. `in_case` and `rejected`
/// stand beside.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
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

/// The counts of one commune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelRow {
    pub unit: UnitCode,
    pub name: String,
    pub counts: Counts,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.eligible += other.eligible;
        self.invited += other.invited;
        self.captured += other.captured;
        self.transmitted += other.transmitted;
        self.accepted += other.accepted;
        self.in_production += other.in_production;
        self.printed += other.printed;
        self.dispatched += other.dispatched;
        self.at_unit += other.at_unit;
        self.handed_over += other.handed_over;
        self.in_case += other.in_case;
        self.rejected += other.rejected;
    }
}

/// One row per commune below `scope`, by code.
pub async fn funnel(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<FunnelRow>, Error> {
    let mut by_unit: BTreeMap<UnitCode, Counts> = BTreeMap::new();
    for area in rows::areas(conn, scope).await? {
        let counts = by_unit.entry(area.unit).or_default();
        counts.eligible = area.eligible;
        counts.invited = area.invited;
    }
    for count in rows::state_counts(conn, scope).await? {
        add(by_unit.entry(count.unit).or_default(), count.state, count.count);
    }
    Ok(by_unit.into_iter().map(row).collect())
}

fn row((unit, counts): (UnitCode, Counts)) -> FunnelRow {
    let known = Units::latest().get(unit);
    FunnelRow { unit, name: known.map_or_else(|| unit.to_string(), |known| known.full_name()), counts }
}

fn add(row: &mut Counts, state: State, count: i64) {
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

/// The sum of the rows.
pub fn total(rows: &[FunnelRow]) -> Counts {
    let mut sum = Counts::default();
    rows.iter().for_each(|row| sum += row.counts);
    sum
}

/// How many applications stand in a state, and since when the one that has stood there longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageAge {
    pub state: State,
    pub count: i64,
    pub oldest: OffsetDateTime,
}

/// The stages in which something waits, in the order of the flow. In ramp-up the oldest item tells more than
/// an average.
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
        let mut counts = Counts::default();
        let row = &mut counts;
        for state in State::ALL {
            add(row, state, 1);
        }
        assert_eq!((row.captured, row.transmitted, row.in_case, row.rejected), (12, 11, 1, 1));
        assert_eq!((row.accepted, row.in_production, row.printed), (8, 2, 6));
        assert_eq!(row.accepted, row.in_production + row.printed);
        assert_eq!((row.dispatched, row.at_unit, row.handed_over), (5, 2, 1));
        let row = super::row(("445".parse().unwrap(), counts));
        assert_eq!(total(&[row.clone(), row]).captured, 24);
    }
}
