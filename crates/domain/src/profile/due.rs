//! How long things may take, in working days.

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, Time};

use super::list::{Basis, List};
use super::read::Cells;
use super::rows::{Coverage, Says, find};
use super::{NoRule, Profile};
use crate::application::Kind;
use crate::clock::in_vietnam;

/// What of the unit where an application is made decides how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitTag {
    /// A city or town (thành phố, thị xã).
    City,
    Highland,
    Border,
    Island,
}

/// The areas that the law tells apart (2014 law, art. 25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    City,
    /// A highland, border or island district.
    Remote,
    Elsewhere,
}

impl Area {
    /// In the order of the article.
    pub const ALL: [Area; 3] = [Area::City, Area::Remote, Area::Elsewhere];

    /// The word in the list.
    pub const fn code(self) -> &'static str {
        match self {
            Area::City => "city",
            Area::Remote => "remote",
            Area::Elsewhere => "elsewhere",
        }
    }

    /// The inverse of [`Area::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Area> {
        Area::ALL.into_iter().find(|area| area.code() == code)
    }

    /// The area of a unit with these tags. A city at the border is a city: the article's other clause is
    /// about districts (huyện).
    pub fn of(tags: &[UnitTag]) -> Area {
        let is_remote = |tag: &UnitTag| matches!(tag, UnitTag::Highland | UnitTag::Border | UnitTag::Island);
        if tags.contains(&UnitTag::City) {
            Area::City
        } else if tags.iter().any(is_remote) {
            Area::Remote
        } else {
            Area::Elsewhere
        }
    }
}

/// A part of an application's way that has a limit of its own (Circular 60/2021/TT-BCA, art. 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// District or province process the application and transmit it.
    Transmit,
    /// The centre approves and prints.
    ApproveAndPrint,
    /// The same for what the centre received itself.
    ApproveAndPrintCentral,
    /// The card goes back to where the application was made.
    DeliverBack,
}

impl Stage {
    /// In the order of the way.
    pub const ALL: [Stage; 4] =
        [Stage::Transmit, Stage::ApproveAndPrint, Stage::ApproveAndPrintCentral, Stage::DeliverBack];

    /// The word in the list.
    pub const fn code(self) -> &'static str {
        match self {
            Stage::Transmit => "transmit",
            Stage::ApproveAndPrint => "approve_and_print",
            Stage::ApproveAndPrintCentral => "approve_and_print_central",
            Stage::DeliverBack => "deliver_back",
        }
    }

    /// The inverse of [`Stage::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.code() == code)
    }
}

/// What is done to a record of the register, as far as it has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// What was missing is filled in.
    Supplement,
    /// What was wrong is put right.
    Correction,
    /// The same, where it must be verified with others first.
    CorrectionVerified,
}

impl Correction {
    /// The shortest first.
    pub const ALL: [Correction; 3] =
        [Correction::Supplement, Correction::Correction, Correction::CorrectionVerified];

    /// The word in the list.
    pub const fn code(self) -> &'static str {
        match self {
            Correction::Supplement => "supplement",
            Correction::Correction => "correction",
            Correction::CorrectionVerified => "correction_verified",
        }
    }

    /// The inverse of [`Correction::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Correction> {
        Correction::ALL.into_iter().find(|case| case.code() == code)
    }
}

/// The last day for something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due<'a> {
    /// The last day on which it is in time.
    pub on: Date,
    pub working_days: u32,
    /// The row of the limit.
    pub basis: &'a Basis,
    /// The rows of the calendar that moved it.
    pub days_off: Vec<&'a Basis>,
}

/// A limit by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<'a> {
    pub working_days: u32,
    /// Its row.
    pub basis: &'a Basis,
}

impl Profile {
    /// When the card must be there for an application that was received at an instant. The rule is that of
    /// the day of receipt, in Vietnam, whatever comes into force meanwhile.
    ///
    /// # Errors
    /// When the list has no row for that day, or the calendar none for a day on the way.
    pub fn due_on(
        &self,
        kind: Kind,
        tags: &[UnitTag],
        received_at: OffsetDateTime,
    ) -> Result<Due<'_>, NoRule> {
        let (day, area) = (in_vietnam(received_at).date(), Area::of(tags));
        let row = find(&self.due_days, day, &key(kind, area), |row| (row.kind, row.area) == (kind, area))?;
        self.due(day, row.says.working_days, &row.basis)
    }

    /// How long a stage may take that begins on `day`.
    ///
    /// # Errors
    /// When the list has no row for that day.
    pub fn stage_limit(&self, stage: Stage, day: Date) -> Result<Limit<'_>, NoRule> {
        let row = find(&self.stage_limits, day, stage.code(), |row| row.stage == stage)?;
        Ok(Limit { working_days: row.says.working_days, basis: &row.basis })
    }

    /// When a change of the register must be made that was asked for at an instant. What comes after the
    /// row's hour, in Vietnam, counts as of the next working day.
    ///
    /// # Errors
    /// As [`Profile::due_on`].
    pub fn correction_due(&self, case: Correction, asked_at: OffsetDateTime) -> Result<Due<'_>, NoRule> {
        let at = in_vietnam(asked_at);
        let row = find(&self.correction_limits, at.date(), case.code(), |row| row.case == case)?;
        let is_late = row.says.cut_off.is_some_and(|hour| at.time() > hour);
        let mut from = at.date();
        if is_late && self.working_days().on(from)?.is_worked {
            from = self.working_days().count(from, 1)?.day;
        }
        self.due(from, row.says.working_days, &row.basis)
    }

    fn due<'a>(&'a self, from: Date, working_days: u32, basis: &'a Basis) -> Result<Due<'a>, NoRule> {
        let counted = self.working_days().count(from, working_days)?;
        Ok(Due { on: counted.day, working_days, basis, days_off: counted.by })
    }
}

fn key(kind: Kind, area: Area) -> String {
    format!("{}/{}", kind.code(), area.code())
}

/// No limit of a card is longer.
const MOST_WORKING_DAYS: u32 = 250;

fn in_words(working_days: u32) -> String {
    match working_days {
        0 => "the same working day".to_owned(),
        1 => "1 working day".to_owned(),
        more => format!("{more} working days"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DueDays {
    kind: Kind,
    area: Area,
    working_days: u32,
}

impl Says for DueDays {
    const LIST: List = List::DueDays;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let kind = cells.code("kind", Kind::from_code, &Kind::ALL.map(Kind::code).join(", "));
        let area = cells.code("area", Area::from_code, &Area::ALL.map(Area::code).join(", "));
        let working_days = cells.number("working_days", 1, MOST_WORKING_DAYS);
        Some(DueDays { kind: kind?, area: area?, working_days: working_days? })
    }

    fn subject(&self) -> String {
        key(self.kind, self.area)
    }

    fn value(&self) -> String {
        in_words(self.working_days)
    }

    fn coverage() -> Coverage {
        let of_kind = |kind: Kind| Area::ALL.map(|area| key(kind, area));
        Coverage::Whole(Kind::ALL.map(of_kind).concat())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StageLimit {
    stage: Stage,
    working_days: u32,
}

impl Says for StageLimit {
    const LIST: List = List::StageLimits;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let stage = cells.code("stage", Stage::from_code, &Stage::ALL.map(Stage::code).join(", "));
        let working_days = cells.number("working_days", 1, MOST_WORKING_DAYS);
        Some(StageLimit { stage: stage?, working_days: working_days? })
    }

    fn subject(&self) -> String {
        self.stage.code().to_owned()
    }

    fn value(&self) -> String {
        in_words(self.working_days)
    }

    fn coverage() -> Coverage {
        Coverage::Whole(Stage::ALL.map(|stage| stage.code().to_owned()).to_vec())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CorrectionLimit {
    case: Correction,
    working_days: u32,
    cut_off: Option<Time>,
}

impl Says for CorrectionLimit {
    const LIST: List = List::CorrectionLimits;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let codes = Correction::ALL.map(Correction::code).join(", ");
        let case = cells.code("case", Correction::from_code, &codes);
        let working_days = cells.number("working_days", 0, MOST_WORKING_DAYS);
        let cut_off = cells.time("cut_off");
        Some(CorrectionLimit { case: case?, working_days: working_days?, cut_off: cut_off? })
    }

    fn subject(&self) -> String {
        self.case.code().to_owned()
    }

    fn value(&self) -> String {
        let days = in_words(self.working_days);
        match self.cut_off {
            Some(hour) => {
                format!("{days}; after {:02}:{:02} from the next one on", hour.hour(), hour.minute())
            }
            None => days,
        }
    }

    fn coverage() -> Coverage {
        Coverage::Whole(Correction::ALL.map(|case| case.code().to_owned()).to_vec())
    }
}
