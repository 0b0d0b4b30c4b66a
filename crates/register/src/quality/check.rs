//! What each rule looks at. `None` where it does not apply to the person.

use std::collections::HashSet;

use super::household::{House, relation};
use super::{Judging, Rule};
use domain::codes::CodeList;
use domain::date::birthday;
use domain::id::PersonId;
use domain::pin::{PinMismatch, Sex};
use domain::record::Relative;
use domain::unit::{UnitLevel, Units};
use domain::{PartialDate, UnitCode, text};
use store::register::quality::Examined;

/// Ages in years: of a card of the old kind; of an adult; of marriage; of a head of a household; beyond which
/// somebody looks whether the person lives.
const OLD_CARD_AGE: i32 = 14;
const ADULT_AGE: i32 = 18;
const GROOM_AGE: i32 = 20;
const BRIDE_AGE: i32 = 18;
const HEAD_AGE: i32 = 15;
const OLDEST: i32 = 110;
/// Years between a parent and a child: fewer, or of a mother more, are somebody's slip.
const LEAST_YEARS: i32 = 13;
const MOST_YEARS_OF_MOTHER: i32 = 60;
/// Days between an event and its recording: of a birth 60 are the legal time, of a death 15.
const LATE_DAYS: i32 = 60;
/// Marital states: unmarried, married (code list of QCVN 109).
const UNMARRIED: u8 = 1;
const MARRIED: u8 = 2;
/// Ethnic groups: of foreigners, unknown.
const FOREIGNER: u8 = 55;
const UNKNOWN_GROUP: u8 = 56;
const VIETNAM: &str = "VNM";

/// One person with everything that a rule may look at.
pub(super) struct Seen<'a> {
    pub(super) person: &'a Examined,
    pub(super) by: &'a Judging<'a>,
    pub(super) house: House<'a>,
    pub(super) doubles: &'a HashSet<PersonId>,
}

impl<'a> Seen<'a> {
    /// Whether the person keeps the rule; `None` where it does not apply.
    pub(super) fn keeps(&self, rule: Rule) -> Option<bool> {
        let record = &self.person.record;
        match rule {
            Rule::PinMissing
            | Rule::PinSex
            | Rule::PinBirthYear
            | Rule::PinPlace
            | Rule::PinShared
            | Rule::OldIdShared
            | Rule::OldIdOfMinor => self.numbers(rule),
            Rule::NameOneWord => Some(record.name.as_str().split_whitespace().nth(1).is_some()),
            Rule::NameLetters => Some(is_written_right(record.name.as_str())),
            Rule::BirthPartial => Some(record.birth.exact().is_some()),
            Rule::BirthDefaultDate => record.birth.exact().map(|day| day.ordinal() != 1),
            Rule::BirthFuture => Some(record.birth.earliest() <= self.by.today),
            Rule::AgeOver110 => Some(self.age() <= OLDEST),
            Rule::EthnicityCode
            | Rule::EthnicityUnknown
            | Rule::EthnicityOfForeigner
            | Rule::EthnicityOfCitizen
            | Rule::ReligionCode
            | Rule::NationalityCode
            | Rule::MaritalCode
            | Rule::BloodCode
            | Rule::RelationCode => self.codes(rule),
            Rule::MaritalMissing => {
                (self.age() >= ADULT_AGE).then(|| record.marital.is_some_and(|state| state != 0))
            }
            Rule::BirthRegistrationMissing
            | Rule::BirthRegistrationUnit
            | Rule::NativePlaceMissing
            | Rule::NativePlaceUnit
            | Rule::PermanentUnitOver
            | Rule::CommuneMissing
            | Rule::AddressMissing
            | Rule::CurrentUnit
            | Rule::CurrentRepeatsPermanent => self.places(rule),
            Rule::SpouseMissing
            | Rule::SpouseOfUnmarried
            | Rule::MarriedTooYoung
            | Rule::SpouseIsSelf
            | Rule::SpouseSameSex
            | Rule::SpouseNameDiffers
            | Rule::SpouseNamesAnother
            | Rule::SpouseDead => self.marriage(rule),
            Rule::ParentsMissing
            | Rule::ParentsOneNumber
            | Rule::ParentIsSelf
            | Rule::FatherSex
            | Rule::MotherSex
            | Rule::FatherTooYoung
            | Rule::MotherTooYoung
            | Rule::MotherTooOld
            | Rule::FatherNameDiffers
            | Rule::MotherNameDiffers
            | Rule::FatherUnlinked
            | Rule::MotherUnlinked => self.parents(rule),
            Rule::HouseholdMissing
            | Rule::RelationMissing
            | Rule::HouseholdWithoutHead
            | Rule::HouseholdTwoHeads
            | Rule::HeadDead
            | Rule::HeadTooYoung
            | Rule::SpouseOfHeadTwice
            | Rule::SpouseOfHeadSex
            | Rule::ChildOfHeadTooOld
            | Rule::ParentOfHeadTooYoung => self.household(rule),
            Rule::SamePersonTwice => Some(!self.doubles.contains(&self.person.id)),
            Rule::RecordedLate => self.person.late_days.map(|days| days <= LATE_DAYS),
        }
    }

    fn age(&self) -> i32 {
        self.person.record.birth.age_on(self.by.today)
    }

    fn numbers(&self, rule: Rule) -> Option<bool> {
        let record = &self.person.record;
        let place = || record.birth_registration.and_then(|unit| self.province(unit));
        let agrees = |place, with| -> Option<bool> {
            let mismatches = record.pin?.mismatches(record.sex, record.birth.year(), place);
            Some(!mismatches.contains(&with))
        };
        match rule {
            Rule::PinMissing => Some(record.pin.is_some()),
            Rule::PinSex => agrees(None, PinMismatch::Sex),
            Rule::PinBirthYear => agrees(None, PinMismatch::BirthYear),
            Rule::PinPlace => agrees(Some(place()?), PinMismatch::Place),
            Rule::PinShared => Some(!self.by.shared.pins.contains(record.pin?.as_str())),
            Rule::OldIdShared => Some(!self.by.shared.old_ids.contains(record.old_id?.as_str())),
            Rule::OldIdOfMinor => record.old_id.map(|_| self.age() >= OLD_CARD_AGE),
            _ => None,
        }
    }

    /// The province of a unit, as a PIN tells it.
    fn province(&self, unit: UnitCode) -> Option<u16> {
        // The scheme has the codes of the provinces in which people were born.
        let born = Units::on(self.person.record.birth.latest());
        let top = born.chain(unit).last()?;
        u16::try_from(top.code.number()).ok()
    }

    fn codes(&self, rule: Rule) -> Option<bool> {
        let record = &self.person.record;
        let lists = &self.by.lists;
        let is_citizen = record.nationality == VIETNAM;
        match rule {
            Rule::EthnicityCode => Some(lists.has(CodeList::EthnicGroup, record.ethnicity)),
            Rule::EthnicityUnknown => Some(record.ethnicity != UNKNOWN_GROUP),
            Rule::EthnicityOfForeigner => (!is_citizen).then_some(record.ethnicity == FOREIGNER),
            Rule::EthnicityOfCitizen => is_citizen.then_some(record.ethnicity != FOREIGNER),
            Rule::ReligionCode => Some(lists.has(CodeList::Religion, record.religion)),
            Rule::NationalityCode => Some(CodeList::Nationality.find(&record.nationality).is_some()),
            Rule::MaritalCode => record.marital.map(|code| lists.has(CodeList::MaritalState, code)),
            Rule::BloodCode => record
                .blood
                .as_ref()
                .map(|blood| CodeList::BloodType.entries().iter().any(|one| one.code == blood)),
            Rule::RelationCode => {
                record.relation_to_head.map(|code| lists.has(CodeList::RelationToHead, code))
            }
            _ => None,
        }
    }

    fn places(&self, rule: Rule) -> Option<bool> {
        let record = &self.person.record;
        let today = Units::on(self.by.today);
        // A place of birth may lie in a unit of whatever day.
        let was_ever = |unit: UnitCode| self.by.ever.contains(&unit);
        let home = record.permanent.unit;
        match rule {
            Rule::BirthRegistrationMissing => Some(record.birth_registration.is_some()),
            Rule::BirthRegistrationUnit => record.birth_registration.map(was_ever),
            Rule::NativePlaceMissing => Some(record.native_place.is_some()),
            Rule::NativePlaceUnit => record.native_place.map(was_ever),
            Rule::PermanentUnitOver => Some(today.get(home).is_some()),
            Rule::CommuneMissing => {
                today.get(home)?;
                Some(home.level() == UnitLevel::Commune || today.children(home).is_empty())
            }
            Rule::AddressMissing => Some(!record.permanent.detail.trim().is_empty()),
            Rule::CurrentUnit => record.current.as_ref().map(|place| today.get(place.unit).is_some()),
            Rule::CurrentRepeatsPermanent => record.current.as_ref().map(|place| *place != record.permanent),
            _ => None,
        }
    }

    /// Who a relative is, where the register has the number that is stated.
    fn linked(&self, relative: Option<&Relative>) -> Option<&'a Examined> {
        let pin = relative?.pin.as_ref()?;
        let found = self.by.kin.get(pin.as_str())?;
        (found.id != self.person.id).then_some(found)
    }

    /// Whether the number of somebody's relative is their own.
    fn is_own(&self, relative: Option<&Relative>) -> Option<bool> {
        Some(relative?.pin? == self.person.record.pin?)
    }

    fn marriage(&self, rule: Rule) -> Option<bool> {
        let record = &self.person.record;
        let (spouse, married) = (record.spouse.as_ref(), record.marital == Some(MARRIED));
        match rule {
            Rule::SpouseMissing => return married.then_some(spouse.is_some()),
            Rule::SpouseOfUnmarried => {
                return (record.marital == Some(UNMARRIED)).then_some(spouse.is_none());
            }
            Rule::MarriedTooYoung => {
                let least = if record.sex == Sex::Male { GROOM_AGE } else { BRIDE_AGE };
                return married.then(|| self.age() >= least);
            }
            Rule::SpouseIsSelf => return self.is_own(spouse).map(|own| !own),
            _ => {}
        }
        let found = self.linked(spouse)?;
        match rule {
            Rule::SpouseSameSex => Some(found.record.sex != record.sex),
            Rule::SpouseNameDiffers => Some(has_name(found, spouse?)),
            Rule::SpouseNamesAnother => {
                let named = found.record.spouse.as_ref()?.pin?;
                Some(record.pin.is_none_or(|own| own == named))
            }
            Rule::SpouseDead => married.then_some(!found.is_dead()),
            _ => None,
        }
    }

    fn parents(&self, rule: Rule) -> Option<bool> {
        let record = &self.person.record;
        let (father, mother) = (record.father.as_ref(), record.mother.as_ref());
        match rule {
            Rule::ParentsMissing => Some(father.is_some() || mother.is_some()),
            Rule::ParentsOneNumber => Some(father?.pin? != mother?.pin?),
            Rule::ParentIsSelf => {
                let own = [self.is_own(father), self.is_own(mother)];
                own.iter().any(Option::is_some).then(|| !own.contains(&Some(true)))
            }
            Rule::FatherSex => self.linked(father).map(|found| found.record.sex == Sex::Male),
            Rule::MotherSex => self.linked(mother).map(|found| found.record.sex == Sex::Female),
            Rule::FatherTooYoung => {
                self.linked(father).map(|found| is_older(found, self.person, LEAST_YEARS))
            }
            Rule::MotherTooYoung => {
                self.linked(mother).map(|found| is_older(found, self.person, LEAST_YEARS))
            }
            Rule::MotherTooOld => self.linked(mother).map(|found| {
                let (child, oldest) = (record.birth.earliest(), found.record.birth.latest());
                birthday(oldest, MOST_YEARS_OF_MOTHER + 1) > child
            }),
            Rule::FatherNameDiffers => Some(has_name(self.linked(father)?, father?)),
            Rule::MotherNameDiffers => Some(has_name(self.linked(mother)?, mother?)),
            Rule::FatherUnlinked => self.is_linked_at_home(father?, Sex::Male),
            Rule::MotherUnlinked => self.is_linked_at_home(mother?, Sex::Female),
            _ => None,
        }
    }

    /// Of a parent whose number is not stated: whether nobody in the household is that parent.
    fn is_linked_at_home(&self, parent: &Relative, sex: Sex) -> Option<bool> {
        if parent.pin.is_some() {
            return Some(true);
        }
        let fits = |member: &Examined| {
            member.record.pin.is_some()
                && member.record.sex == sex
                && has_name(member, parent)
                && is_older(member, self.person, LEAST_YEARS)
        };
        Some(!self.house.members().any(fits))
    }

    fn household(&self, rule: Rule) -> Option<bool> {
        let record = &self.person.record;
        if rule == Rule::HouseholdMissing {
            return Some(record.household.is_some());
        }
        record.household.as_ref()?;
        let stands = record.relation_to_head;
        let is_head = stands == Some(relation::HEAD);
        let as_is = |of: u8| (stands == Some(of)).then(|| self.house.head()).flatten();
        match rule {
            Rule::RelationMissing => Some(stands.is_some_and(|code| code != relation::UNKNOWN)),
            // Of the household as a whole one is asked about.
            Rule::HouseholdWithoutHead => (self.house.eldest()?.id == self.person.id
                && !self.has_dead_head())
            .then(|| self.house.living_as(relation::HEAD).next().is_some()),
            Rule::HeadDead => (self.house.eldest()?.id == self.person.id).then(|| !self.has_dead_head()),
            Rule::HouseholdTwoHeads => is_head.then(|| self.house.living_as(relation::HEAD).count() == 1),
            Rule::HeadTooYoung => is_head.then(|| self.age() >= HEAD_AGE),
            Rule::SpouseOfHeadTwice => (stands == Some(relation::SPOUSE))
                .then(|| self.house.living_as(relation::SPOUSE).count() == 1),
            Rule::SpouseOfHeadSex => as_is(relation::SPOUSE).map(|head| head.record.sex != record.sex),
            Rule::ChildOfHeadTooOld => {
                as_is(relation::CHILD).map(|head| is_older(head, self.person, LEAST_YEARS))
            }
            Rule::ParentOfHeadTooYoung => {
                as_is(relation::PARENT).map(|head| is_older(self.person, head, LEAST_YEARS))
            }
            _ => None,
        }
    }

    /// Whether the only head of the household is dead.
    fn has_dead_head(&self) -> bool {
        let is_head = |member: &Examined| member.record.relation_to_head == Some(relation::HEAD);
        self.house.living_as(relation::HEAD).next().is_none()
            && self.house.members().any(|member| member.is_dead() && is_head(member))
    }
}

fn has_name(found: &Examined, stated: &Relative) -> bool {
    found.record.name.upper() == stated.name.upper()
}

/// Whether one may be so many years older than the other. Of partial dates the days count that speak for it.
fn is_older(elder: &Examined, younger: &Examined, years: i32) -> bool {
    may_be_older(elder.record.birth, younger.record.birth, years)
}

fn may_be_older(elder: PartialDate, younger: PartialDate, years: i32) -> bool {
    birthday(elder.earliest(), years) <= younger.latest()
}

/// Whether all letters of a name are letters of a Latin alphabet with Vietnamese marks: Ð for Đ, signs that
/// look like letters and leftovers of old encodings are not.
fn is_written_right(name: &str) -> bool {
    let mut buffer = [0; 4];
    name.chars().all(|letter| {
        let folded = text::fold_ascii(letter.encode_utf8(&mut buffer));
        " '-.".contains(letter) || folded.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn names_are_written_with_vietnamese_letters() {
        for right in ["Nguyễn Thị Đường", "H'Mai Niê Kđăm", "Y Nguyên-Ly"] {
            assert!(is_written_right(right), "{right}");
        }
        for wrong in ["\u{D0}ặng Văn", "Nguyen \u{422}hi", "Nguy\u{bd}n", "Ng\u{d8} An"] {
            assert!(!is_written_right(wrong), "{wrong}");
        }
    }

    #[test]
    fn of_partial_dates_the_days_count_that_speak_for_it() {
        let day = |text| PartialDate::parse(text).unwrap();
        assert!(may_be_older(day("1980"), day("1993"), 13));
        assert!(!may_be_older(day("31/12/1980"), day("30/12/1993"), 13));
        assert!(may_be_older(day("31/12/1980"), day("31/12/1993"), 13));
        assert_eq!(birthday(date!(2000 - 02 - 29), 13), date!(2013 - 02 - 28));
    }
}
