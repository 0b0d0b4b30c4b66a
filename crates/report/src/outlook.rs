//! Will everyone who is missing be captured in time? Judged by what is planned: the seats that are still to
//! come, and how many of the people who were invited have come so far.

/// The seats of a campaign at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// Of the slots after the day, until the last day that counts.
    pub planned: i64,
    /// Invitations until the day whose guest came.
    pub attended: i64,
    /// Invitations until the day whose guest did not come.
    pub missed: i64,
}

/// Whether the target is reached in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Nobody is missing.
    Reached,
    /// The last day is over and people are missing.
    Overdue,
    /// There are fewer seats than people missing, whoever comes.
    SeatsMissing,
    /// The seats would do, but not with as few people coming as until now: so many are to be expected.
    Behind { expected: i64 },
    /// As many are to be expected as are missing.
    OnTime,
    /// The seats would do if everybody came; no invitation was closed yet, so nobody knows how many come.
    Unmeasured,
}

impl Seats {
    /// The share of the invited who came, in tenths of a percent, cut off; `None` before anybody could come.
    pub fn attendance_tenths(self) -> Option<i64> {
        let invited = self.attended + self.missed;
        (invited > 0).then(|| crate::share_tenths(self.attended, invited))
    }
}

/// Judges a campaign with `missing` people to go and `days_left` days to do it. Every seat is taken for one
/// that somebody will be invited to, and rounding is downwards: in time is said only when nobody is missing
/// by what was seen so far.
pub fn outlook(missing: i64, days_left: i64, seats: Seats) -> Outlook {
    if missing <= 0 {
        return Outlook::Reached;
    }
    if days_left <= 0 {
        return Outlook::Overdue;
    }
    if seats.planned < missing {
        return Outlook::SeatsMissing;
    }
    let invited = i128::from(seats.attended) + i128::from(seats.missed);
    if invited == 0 {
        return Outlook::Unmeasured;
    }
    let expected = (i128::from(seats.planned) * i128::from(seats.attended) / invited) as i64;
    if expected < missing { Outlook::Behind { expected } } else { Outlook::OnTime }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_to_come_times_attendance_is_held_against_who_is_missing() {
        // Missing, days left, seats planned, came, did not come.
        let table = [
            ((0, 5, 0, 0, 0), Outlook::Reached),
            ((-3, 0, 0, 0, 0), Outlook::Reached),
            ((1, 0, 0, 90, 10), Outlook::Overdue),
            ((1, 0, 500, 90, 10), Outlook::Overdue),
            // After the last slot nobody who is missing comes any more, whatever the rate of the last days
            // was.
            ((415, 20, 0, 14_774, 1_000), Outlook::SeatsMissing),
            ((415, 20, 414, 100, 0), Outlook::SeatsMissing),
            ((415, 20, 415, 100, 0), Outlook::OnTime),
            ((415, 20, 415, 99, 1), Outlook::Behind { expected: 410 }),
            ((900, 20, 1_000, 90, 10), Outlook::OnTime),
            ((901, 20, 1_000, 90, 10), Outlook::Behind { expected: 900 }),
            ((900, 20, 1_000, 0, 0), Outlook::Unmeasured),
            ((1_001, 20, 1_000, 0, 0), Outlook::SeatsMissing),
            ((1, 20, 1_000, 0, 7), Outlook::Behind { expected: 0 }),
        ];
        for ((missing, days_left, planned, attended, missed), expected) in table {
            let seats = Seats { planned, attended, missed };
            assert_eq!(
                outlook(missing, days_left, seats),
                expected,
                "{missing} in {days_left} days, {seats:?}"
            );
        }
    }

    #[test]
    fn attendance_is_unknown_before_anybody_could_come() {
        let of = |attended, missed| Seats { planned: 0, attended, missed }.attendance_tenths();
        assert_eq!((of(0, 0), of(0, 4), of(999, 1_001), of(7, 0)), (None, Some(0), Some(499), Some(1_000)));
    }
}
