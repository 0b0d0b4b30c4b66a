//! One synthetic card, damaged in every way that a check is for.

use proptest::prelude::*;
use time::macros::{date, datetime};
use time::{Duration, OffsetDateTime};

use crate::support::*;
use card::{
    data::{CardData, CardFields, Expiry, Sex},
    lds::{DataGroup, com},
    mrz::Mrz,
    qr::QrText,
    sod::hash,
};
use pki::*;
use verify::{
    CardStatus, CheckCode, ChipProof, Evidence, Outcome, Overall, Verdict, check_card, check_files,
    check_mrz, check_paper, check_qr, with_status,
};

#[test]
fn a_genuine_card_passes_every_check() {
    let verdict = judge(&FILES);
    let not_made: Vec<_> =
        verdict.checks.iter().filter(|c| c.outcome != Outcome::Pass).map(|c| c.code).collect();
    assert_eq!(not_made, [CheckCode::Revocation, CheckCode::RegisterStatus], "{verdict:#?}");
    assert_eq!(verdict.overall, Overall::Genuine);
    assert_eq!(verdict.checks.len(), 15);
}

#[test]
fn a_flipped_byte_names_its_file() {
    let mut files = FILES.clone();
    let dg13 = files.get_mut("DG13").unwrap();
    let at = dg13.windows(5).position(|w| w == b"Kinh\x30").unwrap();
    dg13[at] = b'R';
    check_fails(&judge(&files), &[CheckCode::DataGroupHashes], "DG13 hash differs");

    let mut files = FILES.clone();
    *files.get_mut("DG2").unwrap().last_mut().unwrap() ^= 1;
    check_fails(&judge(&files), &[CheckCode::DataGroupHashes], "DG2 hash differs");
}

#[test]
fn an_exchanged_hash_breaks_the_signed_digest() {
    let mut files = FILES.clone();
    let wanted = hash(&files["DG1"]);
    let sod = files.get_mut("EF.SOD").unwrap();
    let at = sod.windows(32).position(|w| w == wanted).unwrap();
    sod[at] ^= 1;
    let codes = [CheckCode::SodStructure, CheckCode::DataGroupHashes];
    check_fails(&judge(&files), &codes, "not the one that was signed");
}

#[test]
fn a_changed_signature_fails_alone() {
    let mut files = FILES.clone();
    *files.get_mut("EF.SOD").unwrap().last_mut().unwrap() ^= 1;
    check_fails(&judge(&files), &[CheckCode::SodSignature], "signature");
}

#[test]
fn another_countrys_trust_is_no_trust() {
    let other = Country::of("VN", Suite::ALL[0], 2);
    // Same name, other key.
    let verdict = check_files(&FILES, &[other.csca.der().to_vec()], NOW);
    check_fails(&verdict, &[CheckCode::Chain], "no trusted CSCA");
    check_fails(&check_files(&FILES, &[b"garbage".to_vec()], NOW), &[CheckCode::Chain], "no trusted CSCA");
    // Whoever trusts nobody learns nothing, and accuses nobody.
    assert_eq!(check_files(&FILES, &[], NOW).overall, Overall::Unproven);
    let both = [b"garbage".to_vec(), other.csca.der().to_vec(), HOME.csca.der().to_vec()];
    assert_eq!(check_files(&FILES, &both, NOW).overall, Overall::Genuine);
}

#[test]
fn certificates_have_their_time() {
    let trust = [HOME.csca.der().to_vec()];
    let late = check_files(&FILES, &trust, START + Duration::days(43 * 366));
    check_fails(&late, &[CheckCode::Validity, CheckCode::CardValidity], "expired");
    let early = check_files(&FILES, &trust, START - Duration::DAY);
    check_fails(&early, &[CheckCode::Validity], "not yet valid");
}

#[test]
fn files_must_be_listed_and_signed() {
    let mut more = FILES.clone();
    more.insert("DG16".into(), vec![0x6F, 0]);
    let verdict = judge(&more);
    check_fails(&verdict, &[CheckCode::DataGroupHashes, CheckCode::FileList], "DG16 is not in EF.SOD");

    let mut other_list = FILES.clone();
    other_list.insert("EF.COM".into(), com::encode(&[DataGroup::DG1, DataGroup::DG2]));
    check_fails(&judge(&other_list), &[CheckCode::FileList], "DG13 is in EF.SOD but not in EF.COM");
}

#[test]
fn mrz_and_dg13_must_be_one_person() {
    let other = CardFields { pin: "001199012346", sex: Sex::Male, ..person() };
    let verdict = judge(&files(other, person()));
    check_fails(&verdict, &[CheckCode::MrzDg13Agreement], "personal number, sex");
}

#[test]
fn what_was_not_read_is_not_passed() {
    let mut without_sod = FILES.clone();
    without_sod.remove("EF.SOD");
    check_fails(&judge(&without_sod), &[CheckCode::SodStructure], "missing");

    let mut without_face = FILES.clone();
    without_face.remove("DG2");
    let verdict = judge(&without_face);
    assert_eq!(verdict.overall, Overall::Unproven, "{verdict:#?}");

    let mut only_sod = FILES.clone();
    only_sod.retain(|name, _| name == "EF.SOD");
    let verdict = judge(&only_sod);
    assert_eq!(verdict.overall, Overall::Unproven, "{verdict:#?}");
}

#[test]
fn every_suite_is_accepted_explicit_parameters_too_and_a_flipped_byte_is_not() {
    for suite in Suite::ALL {
        let country = Country::of("VN", suite, 7);
        let mut files = signed_files(&country, person(), person());
        let trust = [country.csca.der().to_vec()];
        let verdict = check_files(&files, &trust, NOW);
        assert_eq!(verdict.overall, Overall::Genuine, "{}: {verdict:#?}", suite.name);
        *files.get_mut("EF.SOD").unwrap().last_mut().unwrap() ^= 1;
        check_fails(&check_files(&files, &trust, NOW), &[CheckCode::SodSignature], "signature");
    }
}

#[test]
fn trust_in_the_old_key_reaches_the_new_one_over_a_link() {
    let old = Country::of("VN", HOME.suite, 8);
    let new = &*HOME;
    let link = prepare_csca_link(&new.suite.csca_link(), &old.csca, &new.csca, serial(9), START)
        .and_then(|prepared| prepared.lint()?.sign(token(9), &old.csca_key))
        .unwrap();
    let (trust, links) = ([old.csca.der().to_vec()], [link.der().to_vec()]);
    check_fails(&check_files(&FILES, &trust, NOW), &[CheckCode::Chain], "no trusted CSCA");
    let linked = Evidence { links: &links, ..Evidence::new(&FILES, &trust, NOW) };
    let verdict = check_card(&linked);
    assert_eq!(verdict.overall, Overall::Genuine, "{verdict:#?}");
    assert!(verdict.checks.iter().any(|c| c.code == CheckCode::Chain && c.detail.contains("link")));
}

#[test]
fn a_revoked_signer_is_found_and_an_old_list_proves_nothing() {
    let list = |revoked: &[Revocation], at: OffsetDateTime| {
        prepare_crl(&HOME.csca, HOME.suite.algorithm, 1, at, at + Duration::days(90), revoked)
            .and_then(|prepared| prepared.sign(&HOME.csca_key))
            .unwrap()
    };
    let revocation = [Revocation { serial: serial(2), at: START, reason: Some(1) }];
    let trust = [HOME.csca.der().to_vec()];
    let judge = |crls: &[Vec<u8>]| check_card(&Evidence { crls, ..Evidence::new(&FILES, &trust, NOW) });
    let outcome = |verdict: &Verdict| {
        verdict.checks.iter().find(|c| c.code == CheckCode::Revocation).map(|c| c.outcome).unwrap()
    };
    assert_eq!(outcome(&judge(&[list(&[], NOW)])), Outcome::Pass);
    assert_eq!(outcome(&judge(&[list(&[], START)])), Outcome::NotChecked, "years old");
    assert_eq!(outcome(&judge(&[b"garbage".to_vec()])), Outcome::NotChecked);
    check_fails(&judge(&[list(&revocation, NOW)]), &[CheckCode::Revocation], "revoked on 2021-04-01");
    // A revocation stays one however old the list.
    let both = [list(&[], NOW), list(&revocation, START)];
    check_fails(&judge(&both), &[CheckCode::Revocation], "revoked");
    // Somebody else's list says nothing about our signer.
    let other = Country::of("VN", HOME.suite, 2);
    let foreign = prepare_crl(&other.csca, HOME.suite.algorithm, 1, NOW, NOW + Duration::DAY, &revocation)
        .and_then(|prepared| prepared.sign(&other.csca_key))
        .unwrap();
    assert_eq!(outcome(&judge(&[foreign])), Outcome::NotChecked);
}

#[test]
fn a_key_that_was_to_sign_no_more_is_found_by_the_day_of_issue() {
    let late = CardFields { issued: date!(2021 - 07 - 02), ..person() };
    check_fails(&judge(&files(person(), late)), &[CheckCode::KeyUsePeriod], "was not to sign any more");
    let last = CardFields { issued: date!(2021 - 07 - 01), ..person() };
    assert_eq!(judge(&files(person(), last)).overall, Overall::Genuine);
}

#[test]
fn expired_and_replaced_cards_are_not_in_force() {
    let trust = [HOME.csca.der().to_vec()];
    let last_moment = datetime!(2039-01-01 23:59:59 +7);
    assert_eq!(check_files(&FILES, &trust, last_moment).overall, Overall::Genuine);
    let after = check_files(&FILES, &trust, last_moment + Duration::SECOND);
    check_fails(&after, &[CheckCode::CardValidity], "expired on 2039-01-01");
    let never = || CardFields { expires: Expiry::Never, ..person() };
    let verdict = check_files(&files(never(), never()), &trust, datetime!(2062-01-01 00:00 UTC));
    assert_eq!(verdict.overall, Overall::Genuine, "{verdict:#?}");

    let evidence = Evidence::new(&FILES, &trust, NOW);
    let with = |status| check_card(&Evidence { status: Some(status), ..evidence });
    assert_eq!(with(CardStatus::Active).overall, Overall::Genuine);
    for status in CardStatus::ALL.into_iter().filter(|status| *status != CardStatus::Active) {
        check_fails(&with(status), &[CheckCode::RegisterStatus], "card");
    }
    for (status, overall) in
        [(CardStatus::Active, Overall::Genuine), (CardStatus::Revoked, Overall::Rejected)]
    {
        assert_eq!(with_status(with(CardStatus::Unknown), status), with(status));
        assert_eq!(with(status).overall, overall);
    }
    let copied = Evidence { active_authentication: Some(ChipProof::Refuted), ..evidence };
    check_fails(&check_card(&copied), &[CheckCode::ActiveAuthentication], "copy");
}

#[test]
fn print_must_agree_with_the_chip() {
    let trust = [HOME.csca.der().to_vec()];
    let qr = |fields| QrText::from_card(&CardData::new(fields).unwrap()).encode();
    let mrz = |fields| Mrz::from_card(&CardData::new(fields).unwrap()).lines().join("\n");
    let evidence = Evidence::new(&FILES, &trust, NOW);
    let (own_qr, own_mrz) = (qr(person()), mrz(person()));
    let same = check_card(&Evidence { qr: Some(&own_qr), printed_mrz: Some(&own_mrz), ..evidence });
    assert_eq!(same.overall, Overall::Genuine, "{same:#?}");
    let other = || CardFields { name: "Nguyễn Thị Khác", residence: "Xã Khác", ..person() };
    let (other_qr, other_mrz) = (qr(other()), mrz(other()));
    let verdict = check_card(&Evidence { qr: Some(&other_qr), ..evidence });
    check_fails(&verdict, &[CheckCode::QrAgreement], "differ in: name, residence");
    let verdict = check_card(&Evidence { printed_mrz: Some(&other_mrz), ..evidence });
    check_fails(&verdict, &[CheckCode::PrintedMrzAgreement], "not the one in the chip");
}

#[test]
fn paper_alone_is_never_proof() {
    let card = CardData::new(person()).unwrap();
    let (qr, mrz) = (QrText::from_card(&card).encode(), Mrz::from_card(&card).lines().join("\n"));
    for verdict in
        [check_qr(&qr, NOW, Some(CardStatus::Active)), check_mrz(&mrz, NOW, Some(CardStatus::Active))]
    {
        assert_eq!(verdict.overall, Overall::Unproven, "{verdict:#?}");
        let little = verdict.checks.iter().find(|c| c.code == CheckCode::PaperOnly).unwrap();
        assert_eq!(little.words_key(), "check.paper-only.not_checked");
    }
    let both = check_paper(Some(&format!("{qr}\r\n")), Some(&format!(" {mrz}\n")), NOW, None);
    assert_eq!(both.overall, Overall::Unproven, "{both:#?}");
    let other = CardData::new(CardFields { name: "Nguyễn Thị Khác", ..person() }).unwrap();
    let other = Mrz::from_card(&other).lines().join("\n");
    let both = check_paper(Some(&qr), Some(&other), NOW, None);
    check_fails(&both, &[CheckCode::PrintAgreement], "differ in: name");
    assert_eq!(check_qr("a|b", NOW, None).overall, Overall::Rejected);
    assert_eq!(check_qr(&qr, START - Duration::days(30), None).overall, Overall::Rejected, "issued tomorrow");
    assert_eq!(check_qr(&qr, NOW, Some(CardStatus::Replaced)).overall, Overall::Rejected);
    assert_eq!(check_mrz(&mrz.replace('9', "8"), NOW, None).overall, Overall::Rejected);
    let expired = check_mrz(&mrz, datetime!(2040-01-01 00:00 UTC), None);
    assert_eq!(expired.overall, Overall::Rejected);
}

#[test]
fn indefinite_lengths_are_refused_with_their_place() {
    let mut files = FILES.clone();
    // The outer SEQUENCE of the CMS with an indefinite length and its end mark, as one collected SOD has it.
    let sod = &files["EF.SOD"];
    let inner = card::tlv::single(sod, card::tlv::Tag(0x77), "EF.SOD").unwrap().value;
    let content = card::tlv::single(inner, card::tlv::Tag::SEQUENCE, "CMS").unwrap().value;
    let indefinite = [&[0x30, 0x80], content, &[0, 0]].concat();
    files.insert("EF.SOD".into(), card::tlv::encode(card::tlv::Tag(0x77), &[&indefinite]));
    check_fails(&judge(&files), &[CheckCode::SodStructure], "indefinite length");
}

#[test]
fn every_flipped_bit_of_the_security_object_is_noticed() {
    let mut files = FILES.clone();
    // The signed digest, signature and frame; the hashes and the certificate are the property test's.
    let length = files["EF.SOD"].len();
    for at in (0..50).chain(length - 240..length) {
        for bit in 0..8 {
            files.get_mut("EF.SOD").unwrap()[at] ^= 1 << bit;
            assert_eq!(judge(&files).overall, Overall::Rejected, "byte {at}, bit {bit}");
            files.get_mut("EF.SOD").unwrap()[at] ^= 1 << bit;
        }
    }
    assert_eq!(judge(&files).overall, Overall::Genuine);
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(name in 0usize..4, at in any::<usize>(), bit in 0u8..8) {
        let mut files = FILES.clone();
        // EF.COM is not signed: its version digits can be changed unnoticed.
        let name = files.keys().filter(|name| *name != "EF.COM").nth(name).unwrap().clone();
        let file = files.get_mut(&name).unwrap();
        let index = at % file.len();
        file[index] ^= 1 << bit;
        prop_assert_eq!(judge(&files).overall, Overall::Rejected);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), name in 0usize..5) {
        let mut files = FILES.clone();
        let name = files.keys().nth(name).unwrap().clone();
        files.insert(name, bytes.clone());
        let _ = check_files(&files, &[bytes], NOW);
    }
}
