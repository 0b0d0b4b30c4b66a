//! Target, deadline, and the daily rate that it takes.

use crate::Error;
use domain::UnitCode;
use store::{PgConnection, UnitScope, report as rows};
use time::{Date, Duration};

/// Where a campaign stands at the end of `as_of`.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub as_of: Date,
    pub target: i64,
    pub starts_on: Date,
    pub deadline: Date,
    /// Applications captured.
    pub done: i64,
    pub printed: i64,
    pub handed_over: i64,
    /// Full days between `as_of` and the deadline: the day of the report is over, and all must be in when the day of
    /// the deadline begins. Zero once that is past.
    pub days_left: i64,
    /// What is still to do, spread over the days left; infinite when none is left and something is to do.
    pub required_per_day: f64,
    /// Since the first day.
    pub achieved_per_day: f64,
    /// Over the last seven days.
    pub achieved_per_day_7d: f64,
}

/// Counts at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub done: i64,
    pub done_7_days_before: i64,
    pub printed: i64,
    pub handed_over: i64,
}

/// The share in tenths of a percent, cut off and never clipped: 251 is 25.1%, 1008 is 100.8%. Cutting off means that no
/// share shows as reached before it is. A target of zero or less gives zero.
pub fn share_tenths(done: i64, target: i64) -> i64 {
    if target <= 0 { 0 } else { (i128::from(done) * 1000 / i128::from(target)) as i64 }
}

impl Progress {
    pub fn share_tenths(&self) -> i64 {
        share_tenths(self.done, self.target)
    }

    /// Whether the last seven days' rate finishes in time.
    pub fn on_time(&self) -> bool {
        self.done >= self.target || self.achieved_per_day_7d >= self.required_per_day
    }
}

/// The figures from the counts; the arithmetic of every report.
pub fn measure(target: i64, starts_on: Date, deadline: Date, as_of: Date, counts: Counts) -> Progress {
    let days_left = ((deadline - as_of).whole_days() - 1).max(0);
    let days_done = ((as_of - starts_on).whole_days() + 1).max(1);
    let to_do = (target - counts.done).max(0);
    let required_per_day = match (to_do, days_left) {
        (0, _) => 0.0,
        (_, 0) => f64::INFINITY,
        (to_do, days) => to_do as f64 / days as f64,
    };
    Progress {
        as_of,
        target,
        starts_on,
        deadline,
        done: counts.done,
        printed: counts.printed,
        handed_over: counts.handed_over,
        days_left,
        required_per_day,
        achieved_per_day: counts.done as f64 / days_done as f64,
        achieved_per_day_7d: (counts.done - counts.done_7_days_before) as f64 / days_done.min(7) as f64,
    }
}

/// The progress of `unit`, whose part of the country is `scope`; `None` while it has no target.
pub async fn progress(
    conn: &mut PgConnection,
    unit: UnitCode,
    scope: &UnitScope,
    as_of: Date,
) -> Result<Option<Progress>, Error> {
    let Some(target) = rows::target(conn, unit, scope).await? else {
        return Ok(None);
    };
    let day = rows::counts_by(conn, scope, as_of, as_of - Duration::days(7)).await?;
    let counts = Counts {
        done: day.captured,
        done_7_days_before: day.captured_before,
        printed: day.printed,
        handed_over: day.handed_over,
    };
    Ok(Some(measure(target.amount, target.starts_on, target.deadline, as_of, counts)))
}

/// Cumulative counts at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub date: Date,
    pub captured: i64,
    pub printed: i64,
    pub handed_over: i64,
}

/// Every day from the first capture to the last event, without gaps.
pub async fn burn_up(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<Day>, Error> {
    let daily = rows::daily(conn, scope).await?;
    let mut days: Vec<Day> = Vec::new();
    for row in daily {
        let mut sum =
            days.last().copied().unwrap_or(Day { date: row.day, captured: 0, printed: 0, handed_over: 0 });
        while !days.is_empty() && sum.date + Duration::days(1) < row.day {
            sum.date += Duration::days(1);
            days.push(sum);
        }
        days.push(Day {
            date: row.day,
            captured: sum.captured + row.captured,
            printed: sum.printed + row.printed,
            handed_over: sum.handed_over + row.handed_over,
        });
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn ha_tinh_on_6_april_2021() {
        let counts = Counts { done: 276_650, done_7_days_before: 224_311, printed: 0, handed_over: 5_753 };
        let p =
            measure(1_100_000, date!(2021 - 03 - 01), date!(2021 - 06 - 10), date!(2021 - 04 - 06), counts);
        assert_eq!(p.share_tenths(), 251);
        assert_eq!(p.handed_over, 5_753);
        assert_eq!(p.days_left, 64);
        assert_eq!((p.required_per_day / 100.0).round() / 10.0, 12.9);
        assert_eq!(p.achieved_per_day.round(), 7_477.0);
        assert!(!p.on_time());
    }

    #[test]
    fn more_than_all_is_shown_as_more_than_all() {
        assert_eq!(share_tenths(1_539_098, 1_526_289), 1008);
        assert_eq!(share_tenths(999_999, 1_000_000), 999);
        assert_eq!(share_tenths(5, 0), 0);
    }

    #[test]
    fn kien_giang_on_17_april_2021_needs_more_than_twice_its_rate() {
        let done = 1_171_200 * 23 / 100;
        let counts = Counts { done, done_7_days_before: done - 7 * 5_612, printed: 0, handed_over: 0 };
        let p =
            measure(1_171_200, date!(2021 - 03 - 01), date!(2021 - 06 - 30), date!(2021 - 04 - 17), counts);
        let factor = p.required_per_day / p.achieved_per_day_7d;
        assert!((2.1..2.3).contains(&factor), "{factor}");
    }

    #[test]
    fn after_the_deadline_nothing_divides_by_zero() {
        let counts = Counts { done: 9, done_7_days_before: 9, printed: 9, handed_over: 9 };
        let late = measure(10, date!(2021 - 03 - 01), date!(2021 - 06 - 10), date!(2021 - 07 - 01), counts);
        assert_eq!((late.days_left, late.required_per_day), (0, f64::INFINITY));
        let done = measure(9, date!(2021 - 03 - 01), date!(2021 - 06 - 10), date!(2021 - 07 - 01), counts);
        assert!(done.on_time() && done.required_per_day == 0.0);
    }
}
