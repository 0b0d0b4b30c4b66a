//! What becomes of a sound form: a new person, a form that came before, or one that contradicts the register.
//!
//! Whether two forms with different numbers and different PINs are of one person is not asked here; that is
//! linkage.

use crate::fault::{Fault, FaultCode};
use domain::id::PersonId;
use domain::record::ResidentRecord;
use domain::text::tone_free_placement_key;
use store::imports::known::{Known, PinHolder};

/// A sound form, with what identifies it.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    pub form_no: &'a str,
    pub person_id: PersonId,
    pub form_hash: [u8; 32],
    pub record: &'a ResidentRecord,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Registered,
    /// The register has this very form.
    Repeated,
    /// Another form of this person, to be kept beside theirs.
    AnotherFormOf(PersonId),
    Rejected(Fault),
}

/// Decides about one form and adds it to what is known.
pub(crate) fn decide(form: &Candidate<'_>, known: &mut Known) -> Outcome {
    if let Some(hash) = known.forms.get(&form.person_id) {
        return if *hash == form.form_hash { Outcome::Repeated } else { conflict(form.form_no) };
    }
    if known.repeats.get(form.form_no) == Some(&form.form_hash) {
        return Outcome::Repeated;
    }
    if let Some(pin) = &form.record.pin {
        if let Some(holder) = known.holders.get(pin.as_str()) {
            if !is_same_person(form.record, holder) {
                return taken(form.form_no, &holder.form_no);
            }
            known.repeats.insert(form.form_no.to_owned(), form.form_hash);
            return Outcome::AnotherFormOf(holder.person_id);
        }
        known.holders.insert(pin.as_str().to_owned(), holder(form));
    }
    known.forms.insert(form.person_id, form.form_hash);
    Outcome::Registered
}

fn holder(form: &Candidate<'_>) -> PinHolder {
    PinHolder {
        person_id: form.person_id,
        form_no: form.form_no.to_owned(),
        full_name: form.record.name.as_str().to_owned(),
        sex: form.record.sex.code(),
        birth: form.record.birth.packed(),
    }
}

/// The same number, name, sex and birth, as far as both know it. Less is for a person to look at: a mistyped
/// number meets a stranger's.
fn is_same_person(record: &ResidentRecord, holder: &PinHolder) -> bool {
    record.sex.code() == holder.sex
        && may_be_one_day(record.birth.packed(), holder.birth)
        && tone_free_placement_key(record.name.as_str()) == tone_free_placement_key(&holder.full_name)
}

/// Packed dates (yyyymmdd) that agree in every part that both know.
fn may_be_one_day(a: i32, b: i32) -> bool {
    let agree = |a: i32, b: i32| a == b || a == 0 || b == 0;
    a / 10_000 == b / 10_000 && agree(a / 100 % 100, b / 100 % 100) && agree(a % 100, b % 100)
}

fn conflict(form_no: &str) -> Outcome {
    let message = format!(
        "form {form_no} is in the register with other content: give this form its own number, or have the \
         register corrected with the legal document"
    );
    Outcome::Rejected(Fault::new("form_no", FaultCode::FormConflict, message))
}

fn taken(form_no: &str, holder: &str) -> Outcome {
    let message = format!(
        "form {form_no} states the personal number that form {holder} states for a person of another name, \
         sex or birth: compare both with the documents and correct the wrong one"
    );
    Outcome::Rejected(Fault::new("pin", FaultCode::PinTaken, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::tests::record;

    fn form<'a>(form_no: &'a str, record: &'a ResidentRecord) -> Candidate<'a> {
        let form_hash = crate::hash::form_hash(record);
        Candidate { form_no, person_id: crate::person_id(form_no), form_hash, record }
    }

    fn code(outcome: &Outcome) -> Option<FaultCode> {
        if let Outcome::Rejected(fault) = outcome { Some(fault.code) } else { None }
    }

    #[test]
    fn the_same_form_is_repeated_and_another_of_its_number_contradicts_it() {
        let first = record(&[]);
        let other = record(&[("permanent_detail", "Thôn 9")]);
        let mut known = Known::default();
        assert_eq!(decide(&form("A-1", &first), &mut known), Outcome::Registered);
        assert_eq!(decide(&form("A-1", &first), &mut known), Outcome::Repeated);
        assert_eq!(code(&decide(&form("A-1", &other), &mut known)), Some(FaultCode::FormConflict));
    }

    #[test]
    fn one_number_under_two_forms_is_one_person_only_when_all_agrees() {
        let first = record(&[("full_name", "NGUYỄN THỊ HÒA")]);
        let mut known = Known::default();
        assert_eq!(decide(&form("A-1", &first), &mut known), Outcome::Registered);
        let moved =
            record(&[("full_name", "NGUYỄN THỊ HOÀ"), ("permanent_unit", "18565"), ("birth_date", "1990")]);
        let another = Outcome::AnotherFormOf(crate::person_id("A-1"));
        assert_eq!(decide(&form("B-1", &moved), &mut known), another);
        assert_eq!(decide(&form("B-1", &moved), &mut known), Outcome::Repeated);
        for change in [("full_name", "NGUYỄN THỊ HÓA"), ("birth_date", "13/04/1990")] {
            let stranger = record(&[("full_name", "NGUYỄN THỊ HÒA"), change]);
            let outcome = decide(&form("B-2", &stranger), &mut known);
            assert_eq!(code(&outcome), Some(FaultCode::PinTaken));
            let Outcome::Rejected(fault) = outcome else { panic!() };
            assert!(fault.message.contains("B-2") && fault.message.contains("A-1"), "{}", fault.message);
        }
        let without_number = record(&[("pin", "")]);
        assert_eq!(decide(&form("B-3", &without_number), &mut known), Outcome::Registered);
    }
}
