//! The provinces' targets and deadlines, as data.

use time::Date;
use time::macros::format_description;

use crate::Error;
use domain::UnitCode;
use domain::deadline::{Deadline, Wording};

/// Whether more cards than the target are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// "At least": more is better.
    Floor,
    Exact,
}

impl TargetKind {
    /// The word in the target profile and in the store.
    pub const fn code(self) -> &'static str {
        match self {
            TargetKind::Floor => "floor",
            TargetKind::Exact => "exact",
        }
    }
}

/// What a unit is to reach, between two days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub unit: UnitCode,
    pub name: String,
    /// Cards; `None` where every eligible resident counts.
    pub amount: Option<i64>,
    pub kind: TargetKind,
    pub starts_on: Date,
    pub deadline: Deadline,
}

/// The five provinces of the 2021 programme.
pub fn of_2021() -> Vec<Target> {
    parse(include_str!("../data/targets-2021.csv")).expect("the profile in the program was tested")
}

/// Reads a profile: `unit_code,name,amount,kind,starts_on,deadline,wording`; lines that begin with `#` are
/// comments.
///
/// # Errors
/// The line and what is wrong with it.
pub fn parse(csv: &str) -> Result<Vec<Target>, Error> {
    let mut targets = Vec::new();
    let rows =
        csv.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty()).skip(1);
    for (i, row) in rows {
        let bad = |reason: &str| Error::Profile { line: i + 1, reason: reason.to_owned() };
        let fields: Vec<&str> = row.split(',').map(str::trim).collect();
        let [unit, name, amount, kind, starts_on, deadline, wording] = fields[..] else {
            return Err(bad("seven fields are expected"));
        };
        let date = |text: &str| {
            Date::parse(text, format_description!("[year]-[month]-[day]"))
                .map_err(|_| bad("a date is written yyyy-mm-dd"))
        };
        let amount = match amount {
            "" => None,
            text => Some(
                text.parse()
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or_else(|| bad("the amount is a positive whole number or empty"))?,
            ),
        };
        let target = Target {
            unit: unit.parse().map_err(|e| bad(&format!("unit code: {e}")))?,
            name: name.to_owned(),
            amount,
            kind: match kind {
                "floor" => TargetKind::Floor,
                "exact" => TargetKind::Exact,
                _ => return Err(bad("kind is `floor` or `exact`")),
            },
            starts_on: date(starts_on)?,
            deadline: Deadline {
                date: date(deadline)?,
                wording: Wording::from_code(wording).ok_or_else(|| {
                    bad("wording is `before` (the day no longer counts) or `through` (it does)")
                })?,
            },
        };
        let (starts_on, last_day) = (target.starts_on, target.deadline.last_day());
        if last_day < starts_on {
            return Err(Error::Deadline { starts_on, last_day });
        }
        targets.push(target);
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn the_five_provinces_are_there() {
        let targets = of_2021();
        assert_eq!(targets.len(), 5);
        assert_eq!(targets[0].amount, Some(1_171_200));
        let last_days: Vec<_> = targets.iter().map(|t| (t.name.as_str(), t.deadline.last_day())).collect();
        let expected = [
            ("Kiên Giang", date!(2021 - 06 - 30)),
            ("Nam Định", date!(2021 - 06 - 15)),
            ("Thanh Hóa", date!(2021 - 06 - 16)),
            ("Hà Tĩnh", date!(2021 - 06 - 09)),
            ("Hà Nội", date!(2021 - 06 - 05)),
        ];
        assert_eq!(last_days, expected, "each deadline as its document words it");
        assert!(targets.iter().all(|t| domain::unit::Units::latest().get(t.unit).is_some()));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("h\n42,Hà Tĩnh,ten,exact,2021-03-01,2021-06-10,before\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2 "), "{error}");
        let with = |dates: &str| parse(&format!("h\n42,x,1,exact,{dates}\n"));
        assert!(matches!(with("2021-07-01,2021-06-10,through"), Err(Error::Deadline { .. })));
        assert!(matches!(with("2021-06-10,2021-06-10,before"), Err(Error::Deadline { .. })));
        assert!(with("2021-06-10,2021-06-10,through").is_ok());
        let error = with("2021-03-01,2021-06-10,until").unwrap_err().to_string();
        assert!(error.contains("`before`") && error.contains("`through`"), "{error}");
    }
}
