//! The lists: their names, columns and compiled texts, and how sure a row is.

use std::fmt;

use time::Date;

/// Which list of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    /// What an application costs.
    Fees,
    /// Who pays nothing, and for what.
    FeeExemptions,
    /// Working days from the application to the card.
    DueDays,
    /// Working days of that which each stage may use.
    StageLimits,
    /// Working days for changing the register.
    CorrectionLimits,
    /// The ages at which cards end.
    Validity,
    /// From which age a card is due, or given when asked for, and fingers are taken.
    Ages,
    /// Which fields of a record a card shows or stores.
    CardFields,
    /// Which form a code means.
    Forms,
    /// Days off, and which years are known.
    Holidays,
}

impl List {
    /// In the order in which they are shown.
    pub const ALL: [List; 10] = [
        List::Fees,
        List::FeeExemptions,
        List::DueDays,
        List::StageLimits,
        List::CorrectionLimits,
        List::Validity,
        List::Ages,
        List::CardFields,
        List::Forms,
        List::Holidays,
    ];

    /// Its name, which is that of its file without `.csv`.
    pub const fn code(self) -> &'static str {
        match self {
            List::Fees => "fees",
            List::FeeExemptions => "fee-exemptions",
            List::DueDays => "due-days",
            List::StageLimits => "stage-limits",
            List::CorrectionLimits => "correction-limits",
            List::Validity => "validity",
            List::Ages => "ages",
            List::CardFields => "card-fields",
            List::Forms => "forms",
            List::Holidays => "holidays",
        }
    }

    /// The inverse of [`List::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<List> {
        List::ALL.into_iter().find(|list| list.code() == code)
    }

    /// The header of its file. No two lists have the same, so that a file says which list it is.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            List::Fees => &["kind", "reason", "from", "to", "dong", "source", "mark"],
            List::FeeExemptions => &["kind", "reason", "standing", "from", "to", "source", "mark"],
            List::DueDays => &["kind", "area", "from", "to", "working_days", "source", "mark"],
            List::StageLimits => &["stage", "from", "to", "working_days", "source", "mark"],
            List::CorrectionLimits => &["case", "from", "to", "working_days", "cut_off", "source", "mark"],
            List::Validity => &["age", "from", "to", "margin_years", "source", "mark"],
            List::Ages => &["rule", "from", "to", "years", "source", "mark"],
            List::CardFields => &["field", "from", "to", "place", "source", "mark"],
            List::Forms => &["form", "from", "to", "title", "source", "mark"],
            List::Holidays => &["day", "from", "to", "name", "source", "mark"],
        }
    }

    /// The text that is compiled in.
    pub const fn csv(self) -> &'static str {
        match self {
            List::Fees => include_str!("../../data/profiles/fees.csv"),
            List::FeeExemptions => include_str!("../../data/profiles/fee-exemptions.csv"),
            List::DueDays => include_str!("../../data/profiles/due-days.csv"),
            List::StageLimits => include_str!("../../data/profiles/stage-limits.csv"),
            List::CorrectionLimits => include_str!("../../data/profiles/correction-limits.csv"),
            List::Validity => include_str!("../../data/profiles/validity.csv"),
            List::Ages => include_str!("../../data/profiles/ages.csv"),
            List::CardFields => include_str!("../../data/profiles/card-fields.csv"),
            List::Forms => include_str!("../../data/profiles/forms.csv"),
            List::Holidays => include_str!("../../data/profiles/holidays.csv"),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// How sure a row is (`data/profiles/README.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Taken from the text of the law or circular.
    LegalText,
    /// From the press or a legal site; the text itself was not compared.
    Press,
    /// What we conclude or remember; nobody has confirmed it.
    Inference,
}

impl Mark {
    /// The surest first.
    pub const ALL: [Mark; 3] = [Mark::LegalText, Mark::Press, Mark::Inference];

    /// The words in the column `mark`.
    pub const fn code(self) -> &'static str {
        match self {
            Mark::LegalText => "legal text",
            Mark::Press => "press",
            Mark::Inference => "inference",
        }
    }

    /// The inverse of [`Mark::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Mark> {
        Mark::ALL.into_iter().find(|mark| mark.code() == code)
    }
}

/// What an answer stands on: the row that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    pub list: List,
    /// The line of the file, the header being the first.
    pub line: usize,
    /// The first day on which the row holds.
    pub from: Date,
    /// The last day on which it holds; `None` while no end is known.
    pub to: Option<Date>,
    /// Law or circular, and its article.
    pub source: Box<str>,
    pub mark: Mark,
}

impl Basis {
    /// Whether the row answers for `day`.
    pub fn holds_on(&self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|last| day <= last)
    }
}
