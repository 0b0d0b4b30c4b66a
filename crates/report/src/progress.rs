//! Target, deadline, and the daily rate that it takes.

use std::collections::BTreeMap;

use time::{Date, Duration};

use crate::Error;
use crate::outlook::{Outlook, Seats, outlook};
use domain::profile::{NoRule, Profile};
use domain::{Deadline, UnitCode};
use store::{PgConnection, UnitScope, report as rows};

/// Where a campaign stands at the end of `as_of`.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub as_of: Date,
    pub target: i64,
    pub starts_on: Date,
    pub deadline: Deadline,
    /// Eligible people with an application that was not rejected, each person once.
    pub done: i64,
    pub printed: i64,
    pub handed_over: i64,
    /// Full days between `as_of`, which is over, and the end of the last day that counts. Zero once that is
    /// past.
    pub days_left: i64,
    /// What is still to do, spread over the days left; infinite when none is left and something is to do.
    pub required_per_day: f64,
    /// Since the first day.
    pub achieved_per_day: f64,
    /// Over the last seven days.
    pub achieved_per_day_7d: f64,
    pub seats: Seats,
}

/// Counts at the end of a day. People are done, cards are printed and handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub done: i64,
    pub done_7_days_before: i64,
    pub printed: i64,
    pub handed_over: i64,
}

/// The share in tenths of a percent, cut off and never clipped: 251 is 25.1%, 1008 is 100.8%. Cutting off
/// means that no share shows as reached before it is. A target of zero or less gives zero.
pub fn share_tenths(done: i64, target: i64) -> i64 {
    if target <= 0 { 0 } else { (i128::from(done) * 1000 / i128::from(target)) as i64 }
}

impl Progress {
    /// As [`share_tenths`] of those who are done in the target.
    pub fn share_tenths(&self) -> i64 {
        share_tenths(self.done, self.target)
    }

    /// People still to come; zero when there are more than the target.
    pub fn missing(&self) -> i64 {
        (self.target - self.done).max(0)
    }

    /// Whether it will be in time, by the seats to come.
    pub fn outlook(&self) -> Outlook {
        outlook(self.missing(), self.days_left, self.seats)
    }
}

/// The figures from the counts; the arithmetic of every report.
pub fn measure(
    target: i64,
    starts_on: Date,
    deadline: Deadline,
    as_of: Date,
    counts: Counts,
    seats: Seats,
) -> Progress {
    let days_left = deadline.days_after(as_of);
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
        seats,
    }
}

/// The progress of `unit`, whose part of the country is `scope`; `None` while it has no target.
pub async fn progress(
    conn: &mut PgConnection,
    unit: UnitCode,
    scope: &UnitScope,
    as_of: Date,
) -> Result<Option<Progress>, Error> {
    let happened = Happened::load(conn, scope).await?;
    progress_of(conn, unit, scope, as_of, &happened).await
}

/// What happened on each day below a unit. Counting it takes longest of all that a commander asks, so that it
/// is done once for everything that is said of it.
pub(crate) struct Happened {
    people: Vec<rows::PeopleRow>,
    cards: Vec<rows::DailyRow>,
}

impl Happened {
    pub(crate) async fn load(conn: &mut PgConnection, scope: &UnitScope) -> Result<Happened, Error> {
        // Each area's people are those who were of the age for a card on the area's own day.
        let born_by = |day| Ok((day, Profile::official().born_by(day)?));
        let days = rows::eligible_days(conn, scope).await?;
        let born_by = days.into_iter().map(born_by).collect::<Result<Vec<_>, NoRule>>()?;
        let people = rows::people_by_day(conn, scope, &born_by).await?;
        Ok(Happened { people, cards: rows::daily(conn, scope).await? })
    }
}

pub(crate) async fn progress_of(
    conn: &mut PgConnection,
    unit: UnitCode,
    scope: &UnitScope,
    as_of: Date,
    happened: &Happened,
) -> Result<Option<Progress>, Error> {
    let Some(target) = rows::target(conn, unit, scope).await? else {
        return Ok(None);
    };
    let Happened { people, cards } = happened;
    let until = |day: Date| people.iter().filter(|row| row.day <= day).map(|row| row.people).sum();
    let made = |of: fn(&rows::DailyRow) -> i64| cards.iter().filter(|row| row.day <= as_of).map(of).sum();
    let counts = Counts {
        done: until(as_of),
        done_7_days_before: until(as_of - Duration::days(7)),
        printed: made(|row| row.printed),
        handed_over: made(|row| row.handed_over),
    };
    let seats = rows::seats(conn, scope, as_of, target.deadline.last_day()).await?;
    let seats = Seats { planned: seats.planned, attended: seats.attended, missed: seats.missed };
    Ok(Some(measure(target.amount, target.starts_on, target.deadline, as_of, counts, seats)))
}

/// Cumulative counts at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub date: Date,
    /// Eligible people with an application that was not rejected: what the target counts.
    pub people: i64,
    pub printed: i64,
    pub handed_over: i64,
}

/// Every day from the first person to the last event, without gaps.
pub async fn burn_up(conn: &mut PgConnection, scope: &UnitScope) -> Result<Vec<Day>, Error> {
    Ok(days_of(&Happened::load(conn, scope).await?))
}

pub(crate) fn days_of(happened: &Happened) -> Vec<Day> {
    // People, printed and handed over on each day on which anything happened.
    let mut daily: BTreeMap<Date, [i64; 3]> = BTreeMap::new();
    for row in &happened.people {
        daily.entry(row.day).or_default()[0] = row.people;
    }
    for row in &happened.cards {
        let [_, printed, handed_over] = daily.entry(row.day).or_default();
        (*printed, *handed_over) = (row.printed, row.handed_over);
    }
    let mut days: Vec<Day> = Vec::new();
    for (date, [people, printed, handed_over]) in daily {
        let mut sum = days.last().copied().unwrap_or(Day { date, people: 0, printed: 0, handed_over: 0 });
        while !days.is_empty() && sum.date + Duration::days(1) < date {
            sum.date += Duration::days(1);
            days.push(sum);
        }
        days.push(Day {
            date,
            people: sum.people + people,
            printed: sum.printed + printed,
            handed_over: sum.handed_over + handed_over,
        });
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const NO_SEATS: Seats = Seats { planned: 0, attended: 0, missed: 0 };

    fn counts(done: i64, done_7_days_before: i64) -> Counts {
        Counts { done, done_7_days_before, printed: 0, handed_over: 0 }
    }

    /// The state of a province that began on 1 March 2021.
    fn province(target: i64, deadline: Deadline, as_of: Date, done: i64) -> Progress {
        measure(target, date!(2021 - 03 - 01), deadline, as_of, counts(done, done), NO_SEATS)
    }

    #[test]
    fn ha_tinh_on_6_april_2021() {
        let deadline = Deadline::before(date!(2021 - 06 - 10));
        let p = province(1_100_000, deadline, date!(2021 - 04 - 06), 276_650);
        assert_eq!(p.share_tenths(), 251);
        assert_eq!(p.days_left, 64);
        assert_eq!((p.required_per_day / 100.0).round() / 10.0, 12.9);
        assert_eq!(p.achieved_per_day.round(), 7_477.0);
        assert_eq!(p.outlook(), Outlook::SeatsMissing);
    }

    #[test]
    fn more_than_all_is_shown_as_more_than_all() {
        assert_eq!(share_tenths(1_539_098, 1_526_289), 1008);
        assert_eq!(share_tenths(999_999, 1_000_000), 999);
        assert_eq!(share_tenths(5, 0), 0);
    }

    #[test]
    fn kien_giang_on_17_april_2021_needs_12_187_a_day_and_more_than_twice_its_rate() {
        let (as_of, done) = (date!(2021 - 04 - 17), 1_171_200 * 23 / 100);
        let p = province(1_171_200, Deadline::through(date!(2021 - 06 - 30)), as_of, done);
        assert_eq!((p.days_left, p.required_per_day.ceil()), (74, 12_187.0));
        let factor = p.required_per_day / p.achieved_per_day;
        assert!((2.1..2.3).contains(&factor), "{factor}");
        // Had the document said "before", there would be a day less.
        let p = province(1_171_200, Deadline::before(date!(2021 - 06 - 30)), as_of, done);
        assert_eq!((p.days_left, p.required_per_day.ceil()), (73, 12_354.0));
    }

    #[test]
    fn each_provinces_days_are_counted_as_its_deadline_is_worded() {
        let days = |deadline| province(1, deadline, date!(2021 - 06 - 01), 0).days_left;
        let table = [
            ("Nam Định, đến 15/6", Deadline::through(date!(2021 - 06 - 15)), 14),
            ("Thanh Hóa, trước 17/6", Deadline::before(date!(2021 - 06 - 17)), 15),
            ("Hà Tĩnh, trước 10/6", Deadline::before(date!(2021 - 06 - 10)), 8),
            ("Hà Nội, đến 5/6", Deadline::through(date!(2021 - 06 - 05)), 4),
        ];
        for (province, deadline, left) in table {
            assert_eq!(days(deadline), left, "{province}");
        }
    }

    #[test]
    fn after_the_deadline_nothing_divides_by_zero() {
        let (deadline, as_of) = (Deadline::through(date!(2021 - 06 - 10)), date!(2021 - 07 - 01));
        let late = province(10, deadline, as_of, 9);
        assert_eq!((late.days_left, late.required_per_day), (0, f64::INFINITY));
        assert_eq!(late.outlook(), Outlook::Overdue);
        let done = province(9, deadline, as_of, 9);
        assert_eq!((done.outlook(), done.required_per_day), (Outlook::Reached, 0.0));
    }

    #[test]
    fn a_good_week_does_not_make_up_for_seats_that_are_not_there() {
        let deadline = Deadline::through(date!(2021 - 06 - 30));
        let week = counts(900, 200);
        let of = |seats| measure(1_000, date!(2021 - 06 - 01), deadline, date!(2021 - 06 - 20), week, seats);
        assert!(of(NO_SEATS).achieved_per_day_7d >= of(NO_SEATS).required_per_day);
        assert_eq!(of(NO_SEATS).outlook(), Outlook::SeatsMissing);
        let seats = Seats { planned: 125, attended: 80, missed: 20 };
        assert_eq!(of(seats).outlook(), Outlook::OnTime);
    }
}
