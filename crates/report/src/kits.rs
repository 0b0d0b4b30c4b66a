//! The kits' own counters against the captures that the centre knows: the one count of the ledger that does
//! not come from the centre itself.

use time::OffsetDateTime;

use crate::Error;
use domain::id::KitId;
use domain::unit::Units;
use store::report::{self as rows, KitDay};
use store::{PgConnection, UnitScope};

/// What a kit's newest signed day report says that it captured in all, and what the centre knows of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitTotal {
    pub kit: KitId,
    pub name: String,
    /// The end of what is compared: what was captured later, the kit has not counted yet.
    pub reported_at: OffsetDateTime,
    /// The kit's own counter.
    pub own: i64,
    /// Applications that the centre has a capture of.
    pub known: i64,
    /// The days on which the two differ; empty for a kit that agrees.
    pub days: Vec<KitDay>,
    /// Ranges of the kit's counters, from and to, that no packet has come with; empty for a kit that agrees.
    pub missing: Vec<(u64, u64)>,
}

impl KitTotal {
    /// Whether every capture that the kit counted has reached the centre, and no more.
    pub fn agrees(&self) -> bool {
        self.own == self.known
    }
}

/// The kits of units inside `scope` that have reported, by name. A kit serves a district, so that a commune
/// has none.
pub async fn kits(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<KitTotal>, Error> {
    let units = Units::latest();
    let mut totals = Vec::new();
    for count in rows::kit_counts(conn).await? {
        if !units.path(count.unit).is_some_and(|path| scope.covers(&path)) {
            continue;
        }
        let mut total = KitTotal {
            kit: count.kit,
            name: count.name,
            reported_at: count.reported_at,
            own: count.own,
            known: count.known,
            days: Vec::new(),
            missing: Vec::new(),
        };
        if !total.agrees() {
            total.days = rows::kit_days(conn, total.kit, total.reported_at).await?;
            total.missing = store::applications::kits::sequence_gaps(conn, total.kit).await?;
        }
        totals.push(total);
    }
    Ok(totals)
}
