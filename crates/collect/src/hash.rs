//! The hash by which a form that comes again is told from another form of the same number.

use sha2::{Digest, Sha256};

use domain::record::{Place, Relative, ResidentRecord};

/// SHA-256 over the record's fields as the register holds them, so that the same form has one hash whether it
/// came as CSV or XML, composed or decomposed, with `1` or `01` for a code.
pub(crate) fn form_hash(record: &ResidentRecord) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(512);
    let mut put = |text: &str| {
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    let place = |place: Option<&Place>, put: &mut dyn FnMut(&str)| {
        put(&place.map_or(String::new(), |place| place.unit.to_string()));
        put(place.map_or("", |place| &place.detail));
    };
    let relative = |relative: Option<&Relative>, put: &mut dyn FnMut(&str)| {
        put(relative.map_or("", |relative| relative.name.as_str()));
        put(relative.and_then(|relative| relative.pin.as_ref()).map_or("", |pin| pin.as_str()));
    };
    put("dc01:1");
    put(record.name.as_str());
    put(record.pin.as_ref().map_or("", |pin| pin.as_str()));
    put(record.old_id.as_ref().map_or("", |id| id.as_str()));
    put(&record.nationality);
    put(record.blood.as_deref().unwrap_or(""));
    put(&record.birth_registration.map_or(String::new(), |unit| unit.to_string()));
    put(&record.native_place.map_or(String::new(), |unit| unit.to_string()));
    place(Some(&record.permanent), &mut put);
    place(record.current.as_ref(), &mut put);
    relative(record.father.as_ref(), &mut put);
    relative(record.mother.as_ref(), &mut put);
    relative(record.spouse.as_ref(), &mut put);
    put(record.household.as_deref().unwrap_or(""));
    let optional = |code: Option<u8>| code.unwrap_or(u8::MAX);
    bytes.extend_from_slice(&record.birth.packed().to_be_bytes());
    bytes.extend_from_slice(&[
        record.sex.code() as u8,
        record.ethnicity,
        record.religion,
        optional(record.marital),
        optional(record.relation_to_head),
    ]);
    Sha256::digest(&bytes).into()
}
