//! What becomes of a sound form: a new person, a form that came before, or one that contradicts the register.
//!
//! Whether two forms with different numbers and different PINs are of one person is not asked here; that is linkage.

use crate::fault::{Fault, FaultCode};
use domain::id::PersonId;
use domain::record::ResidentRecord;
use domain::text::tone_free_placement_key;
use store::collect::{Known, PinHolder};

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

/// The same number, name, sex and birth. Less is for a person to look at: mistyped numbers meet strangers.
fn is_same_person(record: &ResidentRecord, holder: &PinHolder) -> bool {
    record.sex.code() == holder.sex
        && record.birth.packed() == holder.birth
        && tone_free_placement_key(record.name.as_str()) == tone_free_placement_key(&holder.full_name)
}

fn conflict(form_no: &str) -> Outcome {
    let message = format!(
        "form {form_no} is in the register with other content: give this form its own number, or have the register \
         corrected with the legal document"
    );
    Outcome::Rejected(Fault::new("form_no", FaultCode::FormConflict, message))
}

fn taken(form_no: &str, holder: &str) -> Outcome {
    let message = format!(
        "form {form_no} states the personal number that form {holder} states for a person of another name, sex or birth: \
         compare both with the documents and correct the wrong one"
    );
    Outcome::Rejected(Fault::new("pin", FaultCode::PinTaken, message))
}
