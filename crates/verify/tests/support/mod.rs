//! Cards of an invented country.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::LazyLock;

use time::OffsetDateTime;
use time::macros::datetime;

use card::{
    data::{CardData, CardFields},
    lds::{DataGroup, card_access, dg3, dg14, dg15},
};
use chip::ChipKeys;
use pki::Name;
use verify::{CheckCode, Outcome, Overall, Verdict, check_files};

pub use specimen::{Country, Files, PHOTO, START, groups, person, serial, token};

pub const NOW: OffsetDateTime = datetime!(2024-01-01 00:00 UTC);

pub static HOME: LazyLock<Country> = LazyLock::new(|| Country::new(1));
pub static FILES: LazyLock<Files> = LazyLock::new(|| files(person(), person()));

pub fn name(common: &str) -> Name {
    Name::new("VN", "dancu", common).unwrap()
}

/// A signed card whose MRZ and whose DG13 may be about different people.
pub fn files(in_mrz: CardFields<'_>, in_dg13: CardFields<'_>) -> Files {
    signed_files(&HOME, in_mrz, in_dg13)
}

pub fn signed_files(country: &Country, in_mrz: CardFields<'_>, in_dg13: CardFields<'_>) -> Files {
    let [dg1, dg2, _] = groups(&CardData::new(in_mrz).unwrap(), PHOTO);
    let [.., dg13] = groups(&CardData::new(in_dg13).unwrap(), PHOTO);
    country.sign(&[dg1, dg2, dg13])
}

/// A card with everything that a chip may hold; `seed` makes its keys, its photo and its fingers its own.
pub fn whole_card(country: &Country, seed: u8, fields: CardFields<'_>) -> Files {
    let data = CardData::new(fields).unwrap();
    let keys = ChipKeys::derive(&[7; 32], &[seed]);
    let photo = [PHOTO, &[seed]].concat();
    let finger = dg3::FingerImage::packed(dg3::Finger::RightIndex, 16, 2, vec![seed; 4]).unwrap();
    let [dg1, dg2, dg13] = groups(&data, &photo);
    let groups = [
        dg1,
        dg2,
        (DataGroup::DG3, dg3::encode(&[finger], &[])),
        dg13,
        (DataGroup::DG14, dg14::encode(&dg14::of_citizen_card(keys.agreement_key().clone()))),
        (DataGroup::DG15, dg15::encode(keys.signature_key())),
    ];
    let mut files = country.sign(&groups);
    files.insert("EF.CardAccess".into(), card_access::encode(&card_access::of_citizen_card()));
    files
}

pub fn judge(files: &Files) -> Verdict {
    check_files(files, &[HOME.csca.der().to_vec()], NOW)
}

/// Exactly these checks fail, and the text of the first says this.
pub fn check_fails(verdict: &Verdict, codes: &[CheckCode], detail: &str) {
    let failed: Vec<_> = verdict.checks.iter().filter(|c| c.outcome == Outcome::Fail).collect();
    assert_eq!(failed.iter().map(|c| c.code).collect::<Vec<_>>(), codes, "{verdict:#?}");
    assert!(failed[0].detail.contains(detail), "{}", failed[0].detail);
    assert_eq!(verdict.overall, Overall::Rejected);
}
