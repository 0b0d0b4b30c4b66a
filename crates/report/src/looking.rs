//! Who looked at more than the work seems to ask for: a list for whoever supervises, and no judgement. Every
//! line says against what it was measured.

use time::{Date, Duration, Time};

use crate::Error;
use domain::clock::VIETNAM;
use store::shown::{self, AccountDay, Hours};
use store::{PgConnection, UnitScope};

/// Work begins and ends at these hours, in Vietnam; campaigns work in the evening too.
const OPENS: Time = time::macros::time!(06:00);
const CLOSES: Time = time::macros::time!(22:00);
/// So many times what the middle one of the same role was shown, or opened with a reason, is far above it.
const FAR_ABOVE: i64 = 3;
/// And at least so many people: of few accounts the middle one says little.
const FEWEST_SHOWN: i64 = 100;
/// Records opened without work at hand, at least.
const FEWEST_REASONS: i64 = 20;
/// Searches that led to no record, at least.
const FEWEST_SEARCHES: i64 = 40;
/// Sign-ins refused of one account or address.
const FEWEST_REFUSED: i64 = 10;

/// Why an account's day is worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// It reached its quota of people.
    Quota,
    /// It was shown far more people than others of its role.
    Shown,
    /// It opened far more records than others of its role without having work with the people.
    WithoutWork,
    /// It searched often and opened next to nothing.
    Searches,
    /// It looked at people outside the hours of work.
    Outside,
    /// Signing in was refused many times.
    Refused,
}

impl Anomaly {
    /// Every one.
    pub const ALL: [Anomaly; 6] = [
        Anomaly::Quota,
        Anomaly::Shown,
        Anomaly::WithoutWork,
        Anomaly::Searches,
        Anomaly::Outside,
        Anomaly::Refused,
    ];

    /// A stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Anomaly::Quota => "quota",
            Anomaly::Shown => "shown",
            Anomaly::WithoutWork => "without_work",
            Anomaly::Searches => "searches",
            Anomaly::Outside => "outside_hours",
            Anomaly::Refused => "refused_sign_ins",
        }
    }
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusual {
    pub anomaly: Anomaly,
    /// The login; for refused sign-ins, what the trail names: an account or an address.
    pub who: String,
    /// Empty where it is no account.
    pub role: String,
    /// How many.
    pub count: i64,
    /// What the middle one of the role did; `None` where nothing is compared.
    pub usual: Option<i64>,
}

/// What was unusual on a day, among the accounts of a unit.
///
/// # Errors
/// Those of the database.
pub async fn anomalies(conn: &mut PgConnection, scope: &UnitScope, day: Date) -> Result<Vec<Unusual>, Error> {
    let at = |time: Time| day.with_time(time).assume_offset(VIETNAM);
    let begins = at(Time::MIDNIGHT);
    let hours = Hours {
        day,
        begins,
        ends: begins.saturating_add(Duration::DAY),
        opens: at(OPENS),
        closes: at(CLOSES),
    };
    let mut found = unusual(&shown::account_days(&mut *conn, scope, &hours).await?);
    // Whoever did not sign in has no unit: these are for whoever sees the whole country or the machine.
    if scope.as_str().is_empty() {
        for (who, count) in shown::refused_sign_ins(conn, begins, hours.ends, FEWEST_REFUSED).await? {
            found.push(Unusual { anomaly: Anomaly::Refused, who, role: String::new(), count, usual: None });
        }
    }
    Ok(found)
}

/// The unusual among the days of accounts, anomaly by anomaly, the most first.
fn unusual(days: &[AccountDay]) -> Vec<Unusual> {
    let mut found = Vec::new();
    for day in days {
        let usual = |of: fn(&AccountDay) -> i64| middle(days.iter().filter(|d| d.role == day.role).map(of));
        let mut add = |anomaly, count, usual| {
            let (who, role) = (day.login.clone(), day.role.clone());
            found.push(Unusual { anomaly, who, role, count, usual });
        };
        if day.quota > 0 {
            add(Anomaly::Quota, day.shown, None);
        }
        let shown = usual(|day| day.shown);
        if day.shown >= FEWEST_SHOWN && day.shown > FAR_ABOVE * shown {
            add(Anomaly::Shown, day.shown, Some(shown));
        }
        let reasons = usual(|day| day.reasons);
        if day.reasons >= FEWEST_REASONS && day.reasons > FAR_ABOVE * reasons {
            add(Anomaly::WithoutWork, day.reasons, Some(reasons));
        }
        if day.searches >= FEWEST_SEARCHES && day.reads * 10 < day.searches {
            add(Anomaly::Searches, day.searches, None);
        }
        if day.outside > 0 {
            add(Anomaly::Outside, day.outside, None);
        }
    }
    found.sort_by(|a, b| (a.anomaly, -a.count, &a.who).cmp(&(b.anomaly, -b.count, &b.who)));
    found
}

/// The middle one; of an even number the lower, so that one of two can be above the other.
fn middle(values: impl Iterator<Item = i64>) -> i64 {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(login: &str, role: &str) -> AccountDay {
        AccountDay { login: login.to_owned(), role: role.to_owned(), ..AccountDay::default() }
    }

    fn found(days: &[AccountDay]) -> Vec<(&'static str, String, i64, Option<i64>)> {
        unusual(days).into_iter().map(|u| (u.anomaly.code(), u.who, u.count, u.usual)).collect()
    }

    #[test]
    fn whoever_is_far_above_the_others_of_the_role_is_named() {
        let shown = |login: &str, role: &str, shown| AccountDay { shown, ..day(login, role) };
        let clerks = [shown("an", "clerk", 60), shown("ba", "clerk", 70), shown("chi", "clerk", 211)];
        assert_eq!(found(&clerks), [("shown", "chi".to_owned(), 211, Some(70))]);
        // Three times is not more than three times; another role is another measure; few people are few.
        assert_eq!(found(&[shown("an", "clerk", 70), shown("ba", "clerk", 210)]), []);
        assert_eq!(found(&[shown("an", "officer", 1), shown("ba", "clerk", 500)]), []);
        assert_eq!(found(&[shown("an", "clerk", 1), shown("ba", "clerk", 99)]), []);
    }

    #[test]
    fn a_quota_a_night_and_fruitless_searches_are_named_by_themselves() {
        let an =
            AccountDay { quota: 2, shown: 600, outside: 3, searches: 122, reads: 1, ..day("an", "clerk") };
        let expected = [("quota", 600, None), ("searches", 122, None), ("outside_hours", 3, None)];
        assert_eq!(found(&[an]), expected.map(|(what, n, usual)| (what, "an".to_owned(), n, usual)));
        let works = AccountDay { searches: 122, reads: 80, reasons: 19, ..day("ba", "clerk") };
        assert_eq!(found(&[works]), []);
    }

    #[test]
    fn records_opened_without_work_are_compared() {
        let with = |login: &str, reasons| AccountDay { reasons, ..day(login, "officer") };
        let officers = [with("an", 2), with("ba", 5), with("chi", 40)];
        assert_eq!(found(&officers), [("without_work", "chi".to_owned(), 40, Some(5))]);
        assert_eq!(middle([].into_iter()), 0);
    }
}
