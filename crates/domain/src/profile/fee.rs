//! What an application costs.

use time::Date;

use super::list::{Basis, List};
use super::read::{Cells, Why};
use super::rows::{Coverage, Says, find};
use super::{NoRule, Profile};
use crate::application::{Kind, Reason};

/// What a citizen may be for whom the circulars waive the fee, each with its paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Under 18, without parents and without support.
    OrphanUnder18,
    /// Parent, spouse or minor child of a martyr (liệt sĩ).
    MartyrFamily,
    /// War invalid or sick soldier, or a minor child of one.
    WarInvalid,
    /// Permanent resident of a border commune or an island district.
    BorderOrIsland,
    /// Of an ethnic minority, in a commune of special difficulty.
    MinorityInHardCommune,
    PoorHousehold,
}

impl Standing {
    /// In the order of Circular 59/2019/TT-BTC, article 5.
    pub const ALL: [Standing; 6] = [
        Standing::OrphanUnder18,
        Standing::MartyrFamily,
        Standing::WarInvalid,
        Standing::BorderOrIsland,
        Standing::MinorityInHardCommune,
        Standing::PoorHousehold,
    ];

    /// Stable code, as in the list.
    pub const fn code(self) -> &'static str {
        match self {
            Standing::OrphanUnder18 => "orphan_under_18",
            Standing::MartyrFamily => "martyr_family",
            Standing::WarInvalid => "war_invalid",
            Standing::BorderOrIsland => "border_or_island",
            Standing::MinorityInHardCommune => "minority_in_hard_commune",
            Standing::PoorHousehold => "poor_household",
        }
    }

    /// The inverse of [`Standing::code`]; `None` for any other text.
    pub fn from_code(code: &str) -> Option<Standing> {
        Standing::ALL.into_iter().find(|standing| standing.code() == code)
    }
}

/// What of the person decides about the fee, as papers show it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Payer<'a> {
    pub standing: &'a [Standing],
}

/// What is to be paid, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee<'a> {
    /// What is to be paid, in đồng; zero when something exempts.
    pub dong: u32,
    /// What is paid by whom nothing exempts.
    pub tariff_dong: u32,
    /// The row of the tariff.
    pub basis: &'a Basis,
    /// The row that exempts.
    pub exempt_by: Option<&'a Basis>,
}

impl Profile {
    /// What an application costs on `day`, the day on which it is made.
    ///
    /// # Errors
    /// When the list has no row, as for a reason that belongs to another kind.
    pub fn fee(&self, kind: Kind, reason: Reason, payer: Payer<'_>, day: Date) -> Result<Fee<'_>, NoRule> {
        let subject = key(kind, reason);
        let tariff = find(&self.fees, day, &subject, |row| row.covers(kind, reason))?;
        let exemption = self
            .fee_exemptions
            .iter()
            .find(|row| row.basis.holds_on(day) && row.says.applies(kind, reason, payer.standing));
        Ok(Fee {
            dong: if exemption.is_some() { 0 } else { tariff.says.dong },
            tariff_dong: tariff.says.dong,
            basis: &tariff.basis,
            exempt_by: exemption.map(|row| &row.basis),
        })
    }
}

fn key(kind: Kind, reason: Reason) -> String {
    format!("{}/{}", kind.code(), reason.code())
}

/// One tariff, for one reason or all of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tariff {
    kind: Kind,
    reason: Option<Reason>,
    dong: u32,
}

impl Tariff {
    fn covers(self, kind: Kind, reason: Reason) -> bool {
        self.kind == kind && reason.kind() == kind && self.reason.is_none_or(|own| own == reason)
    }
}

/// More than any fee of an identity card will be.
const MOST_DONG: u32 = 10_000_000;

impl Says for Tariff {
    const LIST: List = List::Fees;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let (kind, reason) = kind_and_reason(cells);
        let dong = cells.number("dong", 0, MOST_DONG);
        Some(Tariff { kind: kind?, reason: reason?, dong: dong? })
    }

    fn contradicts(&self, _basis: &Basis) -> Option<(&'static str, Why)> {
        of_another_kind(self.kind, self.reason)
    }

    fn subject(&self) -> String {
        format!("{}/{}", self.kind.code(), self.reason.map_or("any", Reason::code))
    }

    fn keys(&self) -> Vec<String> {
        let covered = Reason::ALL.into_iter().filter(|reason| self.covers(self.kind, *reason));
        covered.map(|reason| key(self.kind, reason)).collect()
    }

    fn value(&self) -> String {
        format!("{} đ", self.dong)
    }

    fn coverage() -> Coverage {
        Coverage::Whole(Reason::ALL.map(|reason| key(reason.kind(), reason)).to_vec())
    }
}

/// One exemption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exemption {
    kind: Kind,
    reason: Option<Reason>,
    standing: Option<Standing>,
}

impl Exemption {
    fn applies(self, kind: Kind, reason: Reason, standing: &[Standing]) -> bool {
        self.kind == kind
            && self.reason.is_none_or(|own| own == reason)
            && self.standing.is_none_or(|own| standing.contains(&own))
    }
}

impl Says for Exemption {
    const LIST: List = List::FeeExemptions;

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let (kind, reason) = kind_and_reason(cells);
        let allowed = Standing::ALL.map(Standing::code).join(", ");
        let standing = cells.code_or_any("standing", Standing::from_code, &allowed);
        Some(Exemption { kind: kind?, reason: reason?, standing: standing? })
    }

    fn contradicts(&self, _basis: &Basis) -> Option<(&'static str, Why)> {
        of_another_kind(self.kind, self.reason)
    }

    fn subject(&self) -> String {
        let (reason, standing) =
            (self.reason.map_or("any", Reason::code), self.standing.map_or("any", Standing::code));
        format!("{}/{reason}/{standing}", self.kind.code())
    }

    fn value(&self) -> String {
        "no fee".to_owned()
    }

    fn coverage() -> Coverage {
        Coverage::Free
    }
}

fn kind_and_reason(cells: &mut Cells<'_>) -> (Option<Kind>, Option<Option<Reason>>) {
    let kind = cells.code("kind", Kind::from_code, &Kind::ALL.map(Kind::code).join(", "));
    let reasons = Reason::ALL.map(Reason::code).join(", ");
    (kind, cells.code_or_any("reason", Reason::from_code, &reasons))
}

fn of_another_kind(kind: Kind, reason: Option<Reason>) -> Option<(&'static str, Why)> {
    reason.is_some_and(|reason| reason.kind() != kind).then_some(("reason", Why::OtherKind))
}
