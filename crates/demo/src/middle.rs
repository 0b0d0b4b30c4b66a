//! The day in the middle of a campaign on which a demonstration stops to be looked at: there is work left for
//! everybody.

use anyhow::Result;
use serde_json::json;
use time::{Date, Duration};

use centre::Centre;
use store::UnitScope;
use store::report::work::{self, Waiting};

/// From this share of the first round's days on a day may be the one. Later few communes are left that nobody
/// has been to, earlier few cards are on their way.
const FROM_PERCENT: i64 = 60;
/// Under this name the store keeps the day, once it was reached.
const REACHED: &str = "demo.middle";

/// Whether the campaign, whose last finished day is `finished`, is at or beyond its middle: the first day
/// from 60% of the first round's days on that leaves an open case, a box on its way, somebody who did not
/// come, a rejected form and a commune that nobody has been to; at the latest the first round's last day. The
/// day is remembered: what visitors of the pages do to the work that is left does not move it.
pub async fn is_reached(centre: &Centre, scope: &UnitScope, finished: Date) -> Result<bool> {
    let mut tx = centre.db.begin().await?;
    if store::progress::load(&mut tx, REACHED).await?.is_some() {
        return Ok(true);
    }
    let Some((first, last)) = store::plan::days_of_round(&mut tx, scope, 1).await? else { return Ok(false) };
    if finished < from(first, last) {
        return Ok(false);
    }
    if finished < last && !has_everything(&work::waiting(&mut tx, scope).await?) {
        return Ok(false);
    }
    store::progress::save(&mut tx, REACHED, &json!(finished.to_string())).await?;
    store::commit(tx).await?;
    Ok(true)
}

fn from(first: Date, last: Date) -> Date {
    first + Duration::days((last - first).whole_days() * FROM_PERCENT / 100)
}

fn has_everything(waiting: &Waiting) -> bool {
    let Waiting { open_cases, boxes_under_way, missed_invitations, rejected_forms, unserved_communes } =
        *waiting;
    [open_cases, boxes_under_way, missed_invitations, rejected_forms, unserved_communes]
        .iter()
        .all(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn the_middle_lies_in_the_first_round() {
        assert_eq!(from(date!(2021 - 03 - 01), date!(2021 - 03 - 11)), date!(2021 - 03 - 07));
        assert_eq!(from(date!(2021 - 03 - 01), date!(2021 - 03 - 01)), date!(2021 - 03 - 01));
    }

    #[test]
    fn a_day_without_one_kind_of_work_is_not_the_one() {
        let all = Waiting {
            open_cases: 1,
            boxes_under_way: 2,
            missed_invitations: 3,
            rejected_forms: 4,
            unserved_communes: 5,
        };
        assert!(has_everything(&all));
        for lacking in [
            Waiting { open_cases: 0, ..all },
            Waiting { boxes_under_way: 0, ..all },
            Waiting { missed_invitations: 0, ..all },
            Waiting { rejected_forms: 0, ..all },
            Waiting { unserved_communes: 0, ..all },
        ] {
            assert!(!has_everything(&lacking), "{lacking:?}");
        }
    }
}
