//! Is the card still in force? By its own date, and by the issuer's register.

use time::{Date, OffsetDateTime};

use crate::{
    CardStatus, Check,
    CheckCode::{CardValidity, RegisterStatus},
    Outcome,
    verdict::Record,
};
use card::{
    data::{Expiry, parse_printed},
    lds::dg13::{Dg13, FieldNumber},
    mrz::Mrz,
};
use domain::clock::day_in_vietnam;

/// A card is valid through its last day, in Vietnam.
pub(crate) fn expiry(mrz: Option<&Mrz>, dg13: Option<&Dg13>, at: OffsetDateTime, checks: &mut Vec<Check>) {
    let today = day_in_vietnam(at);
    let stated = dg13.and_then(|dg13| dg13.text(FieldNumber::EXPIRES));
    match (stated, mrz) {
        (Some(text), _) => match parse_printed(text) {
            Some(last) => judge(last, today, checks),
            None => checks.pass(CardValidity, "the card bears no date of expiry"),
        },
        (None, Some(mrz)) if mrz.expiry() == Expiry::Never.mrz() => {
            checks.pass(CardValidity, "the card bears no date of expiry");
        }
        (None, Some(mrz)) => match two_digit_year(mrz.expiry()) {
            Some(last) => judge(last, today, checks),
            None => checks.fail(CardValidity, "the date of expiry is no date"),
        },
        (None, None) => checks.skip(CardValidity, "needs a readable DG1 or DG13"),
    }
}

fn judge(last: Date, today: Date, checks: &mut Vec<Check>) {
    if today <= last {
        checks.pass(CardValidity, "the card has not expired");
    } else {
        checks.fail(CardValidity, format!("the card expired on {last}"));
    }
}

/// Cards with a machine-readable zone are of this century, and so are the days on which they expire.
fn two_digit_year(yymmdd: &str) -> Option<Date> {
    let number = |at: usize| yymmdd.get(at..at + 2)?.parse::<u8>().ok();
    let month = time::Month::try_from(number(2)?).ok()?;
    Date::from_calendar_date(2000 + i32::from(number(0)?), month, number(4)?).ok()
}

pub(crate) fn register(status: Option<CardStatus>, checks: &mut Vec<Check>) {
    let (outcome, detail) = match status {
        None => (Outcome::NotChecked, "the issuer's register was not asked"),
        Some(CardStatus::Active) => (Outcome::Pass, "the register has this card as the one in force"),
        Some(CardStatus::Suspended) => (Outcome::Fail, "this card is out of force for the time being"),
        Some(CardStatus::Expired) => (Outcome::Fail, "the register has the last day of this card as over"),
        Some(CardStatus::Replaced) => (Outcome::Fail, "another card has replaced this one"),
        Some(CardStatus::Revoked) => (Outcome::Fail, "this card was revoked"),
        Some(CardStatus::NotHandedOver) => (Outcome::Fail, "this card was never handed to its holder"),
        Some(CardStatus::Unknown) => (Outcome::Fail, "the register knows no such card"),
    };
    checks.push(Check { status, ..Check::new(RegisterStatus, outcome, detail) });
}
