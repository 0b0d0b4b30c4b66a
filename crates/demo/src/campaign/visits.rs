//! Who comes on a day, and to which kit.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use time::macros::time;
use time::{Date, Duration};

use super::{Campaign, at};
use crate::kits::Visit;
use domain::id::PersonId;

impl Campaign {
    /// Who stands before which kit today, in the order of time; and whose invitations that answers.
    pub(super) async fn visits(&mut self, day: Date) -> Result<(Vec<Vec<Visit>>, Vec<PersonId>)> {
        let mut conn = self.centre.db.read().await?;
        let expected = store::plan::expected_on(&mut conn, self.scope.as_str(), day).await?;
        let (expected, strangers): (Vec<_>, Vec<_>) =
            expected.into_iter().partition(|invited| self.world.by_person.contains_key(&invited.person_id));
        self.strangers.extend(strangers.iter().map(|invited| invited.person_id));
        let mut today = HashSet::new();
        let coming: Vec<_> = expected
            .into_iter()
            .filter(|invited| {
                let truth = self.world.by_person[&invited.person_id];
                let first = self.captured.get(&truth).is_none_or(|captured| *captured == day);
                first
                    && self.world.draws.attends(truth, self.world.person(truth), invited.round, day)
                    && today.insert(truth)
            })
            .collect();
        let ids: Vec<PersonId> = coming.iter().map(|invited| invited.person_id).collect();
        let records: HashMap<_, _> =
            store::register::people::records(&mut conn, &ids).await?.into_iter().collect();
        drop(conn);
        let mut visits = vec![Vec::new(); self.fleet.len()];
        for invited in &coming {
            let kit = self
                .fleet
                .ids
                .iter()
                .position(|id| *id == invited.kit_id)
                .context("a kit of another plan")?;
            let register = &records[&invited.person_id];
            let truth = self.world.by_person[&invited.person_id];
            visits[kit].push(Visit {
                truth,
                number: 1,
                at: invited.starts_at + Duration::minutes(5 * i64::from(invited.seat - 1)),
                unit: register.permanent.unit,
                register: Some((invited.person_id, register.clone())),
                declared: self.world.draws.declared(truth, register),
            });
        }
        self.uninvited(day, &mut visits)?;
        for kit in &mut visits {
            kit.sort_by_key(|visit| (visit.at, visit.truth));
        }
        Ok((visits, ids))
    }

    /// People who come without an invitation: the unregistered, and those who apply again.
    fn uninvited(&self, day: Date, visits: &mut [Vec<Visit>]) -> Result<()> {
        let again = self.again.get(&day).into_iter().flatten().map(|truth| (*truth, 2));
        let unregistered = self.walk_ins.get(&day).into_iter().flatten().map(|truth| (*truth, 1));
        for (truth, number) in unregistered.chain(again) {
            let record = self.world.population.record(self.world.person(truth));
            let kit = truth.index() % visits.len();
            let declared =
                if number == 1 { record.clone() } else { self.world.draws.second_record(truth, &record)? };
            visits[kit].push(Visit {
                truth,
                number,
                at: at(day, time!(21:50)) + Duration::seconds((truth.index() % 600) as i64),
                unit: record.permanent.unit,
                register: None,
                declared,
            });
        }
        Ok(())
    }
}
