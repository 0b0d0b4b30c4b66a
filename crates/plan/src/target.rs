//! The provinces' targets and deadlines, as data.

use crate::Error;
use domain::UnitCode;
use time::Date;
use time::macros::format_description;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// "At least": more is better.
    Floor,
    Exact,
}

impl TargetKind {
    pub const fn code(self) -> &'static str {
        match self {
            TargetKind::Floor => "floor",
            TargetKind::Exact => "exact",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub unit: UnitCode,
    pub name: String,
    /// Cards; `None` where every eligible resident counts.
    pub amount: Option<i64>,
    pub kind: TargetKind,
    pub starts_on: Date,
    pub deadline: Date,
}

/// The five provinces of the 2021 programme.
pub fn of_2021() -> Vec<Target> {
    parse(include_str!("../data/targets-2021.csv")).expect("the profile in the program was tested")
}

/// Reads a profile: `unit_code,name,amount,kind,starts_on,deadline`; lines that begin with `#` are comments.
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
        let [unit, name, amount, kind, starts_on, deadline] = fields[..] else {
            return Err(bad("six fields are expected"));
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
            deadline: date(deadline)?,
        };
        if target.deadline < target.starts_on {
            return Err(Error::Deadline { starts_on: target.starts_on, deadline: target.deadline });
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
        let kien_giang = &targets[0];
        assert_eq!((kien_giang.amount, kien_giang.deadline), (Some(1_171_200), date!(2021 - 06 - 30)));
        assert!(targets.iter().all(|t| domain::unit::UnitTable::official_2021().current(t.unit).is_some()));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("h\n42,Hà Tĩnh,ten,exact,2021-03-01,2021-06-10\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2 "), "{error}");
        assert!(matches!(parse("h\n42,x,1,exact,2021-07-01,2021-06-10\n"), Err(Error::Deadline { .. })));
    }
}
