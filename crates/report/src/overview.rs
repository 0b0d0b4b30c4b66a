//! All that a commander looks at, counted together.

use time::Date;

use crate::progress::{Happened, days_of, progress_of};
use crate::{Day, Error, FunnelRow, Identity, KitTotal, Progress, StageAge, ages, funnel, kits, ledger};
use domain::UnitCode;
use store::{PgConnection, UnitScope};

/// Where a unit stands.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Against the target; `None` where none is set.
    pub progress: Option<Progress>,
    /// Each part of the unit.
    pub funnel: Vec<FunnelRow>,
    /// Every day so far.
    pub days: Vec<Day>,
    /// Whether nothing is lost between the stages.
    pub ledger: Vec<Identity>,
    /// Whether the kits count as the centre does.
    pub kits: Vec<KitTotal>,
    /// What waits in each stage, and how long.
    pub ages: Vec<StageAge>,
}

/// Counts everything below `scope` at the end of `as_of`.
///
/// # Errors
/// Those of the database.
pub async fn overview(
    conn: &mut PgConnection,
    unit: Option<UnitCode>,
    scope: &UnitScope,
    as_of: Date,
) -> Result<Overview, Error> {
    let happened = Happened::load(conn, scope).await?;
    let progress = match unit {
        Some(unit) => progress_of(conn, unit, scope, as_of, &happened).await?,
        None => None,
    };
    Ok(Overview {
        progress,
        funnel: funnel(conn, scope).await?,
        days: days_of(&happened),
        ledger: ledger(conn, scope).await?,
        kits: kits(conn, scope).await?,
        ages: ages(conn, scope).await?,
    })
}
