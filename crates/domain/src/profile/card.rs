//! Who is given a card, until when it is valid, and on which form it is asked for.

use time::Date;

use super::list::{Basis, List};
use super::read::Cells;
use super::rows::{Coverage, Says, find};
use super::{NoRule, Profile};
use crate::PartialDate;
use crate::date::birthday;

/// Until when a card is valid, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity<'a> {
    /// The last day; `None` for a card that does not expire.
    pub until: Option<Date>,
    /// The row of the milestone that it runs to, or of the last milestone, which the holder is past.
    pub basis: &'a Basis,
}

/// From which ages, in full years, something holds on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardAges<'a> {
    /// From it on everyone must have a card.
    pub due: Age<'a>,
    /// From it on whoever asks is given one.
    pub on_request: Age<'a>,
    /// From it on a photo and fingers are taken.
    pub biometrics: Age<'a>,
}

/// One age, and its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age<'a> {
    pub years: i32,
    pub basis: &'a Basis,
}

/// What the code of a form means on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form<'a> {
    /// Its Vietnamese title.
    pub title: &'a str,
    /// The row, whose source is the circular that the form is annexed to.
    pub basis: &'a Basis,
}

impl Profile {
    /// Until when a card is valid that is issued on `issued`, by the law of that day: later law does not
    /// shorten it.
    ///
    /// A card runs to the next milestone birthday; one issued within the milestone's margin before it runs to
    /// the one after, and behind the last it does not expire. Of a partial birth date the latest possible day
    /// counts.
    ///
    /// # Errors
    /// When no milestone holds on that day.
    pub fn expiry(&self, birth: PartialDate, issued: Date) -> Result<Validity<'_>, NoRule> {
        let born = birth.latest();
        let mut milestones: Vec<_> = self.validity.iter().filter(|row| row.basis.holds_on(issued)).collect();
        milestones.sort_unstable_by_key(|row| row.says.age);
        let next = milestones
            .iter()
            .find(|row| issued < birthday(born, i32::from(row.says.age) - i32::from(row.says.margin_years)));
        let last = milestones.last().ok_or_else(|| NoRule {
            list: List::Validity,
            subject: "the ages at which cards end".to_owned(),
            day: issued,
        })?;
        Ok(Validity {
            until: next.map(|row| birthday(born, row.says.age.into())),
            basis: &next.unwrap_or(last).basis,
        })
    }

    /// From which ages a card is due, given and has fingers, on `day`.
    ///
    /// # Errors
    /// When the list has no row for that day.
    pub fn ages_for_card(&self, day: Date) -> Result<CardAges<'_>, NoRule> {
        let age = |rule: AgeRule| -> Result<Age<'_>, NoRule> {
            let row = find(&self.ages, day, rule.code(), |row| row.rule == rule)?;
            Ok(Age { years: row.says.years.into(), basis: &row.basis })
        };
        Ok(CardAges {
            due: age(AgeRule::Due)?,
            on_request: age(AgeRule::OnRequest)?,
            biometrics: age(AgeRule::Biometrics)?,
        })
    }

    /// The latest birth date, as yyyymmdd, with which a card is due on `day`.
    ///
    /// # Errors
    /// As [`Profile::ages_for_card`].
    pub fn born_by(&self, day: Date) -> Result<i32, NoRule> {
        let years = self.ages_for_card(day)?.due.years;
        Ok((day.year() - years) * 10_000 + i32::from(day.month() as u8) * 100 + i32::from(day.day()))
    }

    /// What a form's code means on `day`: later circulars gave codes to other forms.
    ///
    /// # Errors
    /// When the list has no row for that day.
    pub fn form(&self, code: FormCode, day: Date) -> Result<Form<'_>, NoRule> {
        let row = find(&self.forms, day, code.code(), |row| row.code == code)?;
        Ok(Form { title: &row.says.title, basis: &row.basis })
    }
}

/// An age at which a card ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Milestone {
    age: u8,
    margin_years: u8,
}

/// Nobody's card ends on a later birthday.
const MOST_YEARS: u32 = 120;
/// A margin that reaches from one milestone to the one before would leave out the latter.
const MOST_MARGIN: u32 = 10;

impl Says for Milestone {
    const LIST: List = List::Validity;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let age = cells.number("age", 1, MOST_YEARS);
        let margin = cells.number("margin_years", 0, MOST_MARGIN);
        Some(Milestone { age: age? as u8, margin_years: margin? as u8 })
    }

    fn subject(&self) -> String {
        self.age.to_string()
    }

    fn value(&self) -> String {
        format!("exchange at {}; issued in the {} years before, at the next", self.age, self.margin_years)
    }

    fn coverage() -> Coverage {
        Coverage::Between
    }
}

/// What an age is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AgeRule {
    Due,
    OnRequest,
    Biometrics,
}

impl AgeRule {
    const ALL: [AgeRule; 3] = [AgeRule::Due, AgeRule::OnRequest, AgeRule::Biometrics];

    const fn code(self) -> &'static str {
        match self {
            AgeRule::Due => "due",
            AgeRule::OnRequest => "on_request",
            AgeRule::Biometrics => "biometrics",
        }
    }

    fn from_code(code: &str) -> Option<AgeRule> {
        AgeRule::ALL.into_iter().find(|rule| rule.code() == code)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AgeFrom {
    rule: AgeRule,
    years: u8,
}

impl Says for AgeFrom {
    const LIST: List = List::Ages;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let rule = cells.code("rule", AgeRule::from_code, &AgeRule::ALL.map(AgeRule::code).join(", "));
        let years = cells.number("years", 0, MOST_YEARS);
        Some(AgeFrom { rule: rule?, years: years? as u8 })
    }

    fn subject(&self) -> String {
        self.rule.code().to_owned()
    }

    fn value(&self) -> String {
        format!("from {} years of age on", self.years)
    }

    fn coverage() -> Coverage {
        Coverage::Whole(AgeRule::ALL.map(|rule| rule.code().to_owned()).to_vec())
    }
}

/// The code of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FormCode {
    /// With which residents are counted.
    Dc01,
    /// With which a card is asked for.
    Cc01,
    /// What the intake took down, which the citizen signs.
    Cc02,
    /// When to come for the card.
    Cc03,
}

impl FormCode {
    /// Those that the campaign of 2021 uses.
    pub const ALL: [FormCode; 4] = [FormCode::Dc01, FormCode::Cc01, FormCode::Cc02, FormCode::Cc03];

    /// As it is printed on the form.
    pub const fn code(self) -> &'static str {
        match self {
            FormCode::Dc01 => "DC01",
            FormCode::Cc01 => "CC01",
            FormCode::Cc02 => "CC02",
            FormCode::Cc03 => "CC03",
        }
    }

    /// The inverse of [`FormCode::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<FormCode> {
        FormCode::ALL.into_iter().find(|form| form.code() == code)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormVersion {
    code: FormCode,
    title: String,
}

impl Says for FormVersion {
    const LIST: List = List::Forms;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let codes = FormCode::ALL.map(FormCode::code).join(", ");
        let code = cells.code("form", FormCode::from_code, &codes);
        let title = cells.words("title");
        Some(FormVersion { code: code?, title: title? })
    }

    fn subject(&self) -> String {
        self.code.code().to_owned()
    }

    fn value(&self) -> String {
        self.title.clone()
    }

    fn coverage() -> Coverage {
        Coverage::Between
    }
}
