//! Rules without I/O: which personal number a person gets, and what of a record a card is made of. How long a
//! card is valid is in [`domain::profile`].

use domain::field::{Change, FieldFault};
use domain::id::PersonId;
use domain::pin::PinError;
use domain::unit::Units;
use domain::{Field, Pin, ResidentRecord, UnitCode};
use store::cards::Settled;

/// Where the six random digits of a new PIN come from: the centre draws them from the system's generator, a
/// simulation derives them from its seed. Called with the person and the number of the try.
pub trait PinSource: Send + Sync {
    /// 0 to 999,999.
    fn serial(&self, person: PersonId, attempt: u32) -> u32;
}

impl<F: Fn(PersonId, u32) -> u32 + Send + Sync> PinSource for F {
    fn serial(&self, person: PersonId, attempt: u32) -> u32 {
        self(person, attempt)
    }
}

/// Three digits of the place of birth registration. Where it is not known, the province of permanent
/// residence stands for it, as the authority that registers the birth late would be there.
pub fn registration_place(record: &ResidentRecord) -> u16 {
    let province =
        |units: Units<'_>, unit: UnitCode| units.chain(unit).last().map(|top| top.code.number() as u16);
    // A place of birth is written by the list of that day: its code may be another unit's today.
    record
        .birth_registration
        .and_then(|unit| province(Units::on(record.birth.latest()), unit))
        .or_else(|| province(Units::latest(), record.permanent.unit))
        .unwrap_or(record.permanent.unit.number() as u16)
}

/// The record of which a card is made: as it was captured, and in the fields about which a correction was
/// decided since, as the register says. A claim that was refused is not printed, and neither is what the
/// applicant wrote where the paper says something else.
///
/// # Errors
/// When the two make no record.
pub fn as_settled(captured: &ResidentRecord, settled: &Settled) -> Result<ResidentRecord, Vec<FieldFault>> {
    let register = settled.register.values();
    let parts = |field: &Field| field.parts().iter().map(|part| (*field, *part)).collect::<Vec<_>>();
    let changes: Vec<Change> = settled
        .fields
        .iter()
        .flat_map(parts)
        .map(|(field, part)| Change { field, part, value: register.get(&(field, part)).cloned().flatten() })
        .collect();
    captured.with(&changes)
}

/// A candidate PIN for the record.
///
/// # Errors
/// When the number scheme has no code for the birth year.
pub fn pin(
    record: &ResidentRecord,
    person: PersonId,
    attempt: u32,
    source: &dyn PinSource,
) -> Result<Pin, PinError> {
    Pin::compose(
        registration_place(record),
        record.sex,
        record.birth.year(),
        source.serial(person, attempt) % 1_000_000,
    )
}
