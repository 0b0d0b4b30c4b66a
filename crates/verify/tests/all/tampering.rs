//! Each way to cheat with a card, and the check that says so.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use time::Duration;
use time::macros::date;

use crate::support::*;
use card::{
    data::{CardData, CardFields, Expiry},
    lds::{DataGroup, card_access, dg13::Dg13},
    mrz::Mrz,
    qr::QrText,
    security_info::{SecurityInfo, SecurityInfos, oid},
    sod::Sod,
    tlv,
};
use pki::{
    Certificate, Profile, Revocation as Revoked, Signer, prepare_crl, prepare_document_signer,
    prepare_master_list_signer,
};
use specimen::Country;
use verify::CheckCode::{self, *};
use verify::{
    CardStatus, ChipProof, Evidence, ListNeed, Outcome, Overall, Verdict, Worded, check_card, check_files,
};

static CARD: LazyLock<Files> = LazyLock::new(|| whole_card(&HOME, 1, person()));
static OTHER: LazyLock<Files> = LazyLock::new(|| whole_card(&HOME, 2, other_person()));

fn other_person() -> CardFields<'static> {
    CardFields { pin: "001199054321", name: "Trần Thị Khác", ..person() }
}

fn trust() -> [Vec<u8>; 1] {
    [HOME.csca.der().to_vec()]
}

/// The card with some files replaced.
fn with(files: &[(&str, &[u8])]) -> Files {
    let mut all = CARD.clone();
    all.extend(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())));
    all
}

fn failed(verdict: &Verdict) -> Vec<CheckCode> {
    verdict.checks.iter().filter(|c| c.outcome == Outcome::Fail).map(|c| c.code).collect()
}

fn outcome(verdict: &Verdict, code: CheckCode) -> Outcome {
    verdict.checks.iter().find(|check| check.code == code).map(|check| check.outcome).unwrap()
}

#[test]
fn the_whole_card_is_genuine_and_says_what_nobody_asked() {
    let verdict = judge(&CARD);
    let open: Vec<_> = verdict.checks.iter().filter(|c| c.outcome != Outcome::Pass).map(|c| c.code).collect();
    assert_eq!(open, [Revocation, RegisterStatus, ActiveAuthentication, ChipAuthentication], "{verdict:#?}");
    assert_eq!(verdict.overall, Overall::Genuine);
}

#[test]
fn a_flipped_byte_in_any_file_is_found_by_the_check_of_that_file() {
    for (name, file) in CARD.iter() {
        // Nobody signs the version digits in the middle of EF.COM.
        let middle = if name == "EF.COM" { 1 } else { file.len() / 2 };
        for at in [0, middle, file.len() - 1] {
            let mut changed = file.clone();
            changed[at] ^= 0x01;
            let verdict = judge(&with(&[(name, &changed)]));
            let found = failed(&verdict);
            let expected: &[CheckCode] = match name.as_str() {
                "EF.COM" => &[FileList],
                "EF.CardAccess" => &[SecurityInfos],
                "EF.SOD" => &[SodStructure, SodSignature, Chain],
                _ => &[DataGroupHashes],
            };
            assert!(found.iter().any(|code| expected.contains(code)), "{name} byte {at}: {found:?}");
            assert_eq!(verdict.overall, Overall::Rejected, "{name} byte {at}");
            let hashes = verdict.checks.iter().find(|check| check.code == DataGroupHashes).unwrap();
            assert_eq!(hashes.detail == format!("{name} hash differs"), name.starts_with("DG"), "{name}");
        }
    }
}

#[test]
fn files_of_another_genuine_card_are_not_this_cards() {
    for name in ["DG1", "DG2", "DG3", "DG13", "DG14", "DG15"] {
        let verdict = judge(&with(&[(name, &OTHER[name])]));
        assert!(failed(&verdict).contains(&DataGroupHashes), "{name}: {verdict:#?}");
    }
    let verdict = judge(&with(&[("DG13", &OTHER["DG13"])]));
    assert_eq!(failed(&verdict), [DataGroupHashes, MrzDg13Agreement]);
    // Another card's files with their own security object, in this card's frame: everything is that other
    // card's.
    let mut all = OTHER.clone();
    all.insert("DG2".to_owned(), CARD["DG2"].clone());
    check_fails(&judge(&all), &[DataGroupHashes], "DG2 hash differs");
}

#[test]
fn what_card_access_offers_must_be_signed() {
    let weaker =
        SecurityInfo::Pace { protocol: oid::PACE_ECDH_GM_AES_128.to_vec(), version: 2, parameter: Some(12) };
    let offered = card_access::of_citizen_card();
    let infos = SecurityInfos::new(offered.iter().cloned().chain([weaker]));
    let verdict = judge(&with(&[("EF.CardAccess", &card_access::encode(&infos))]));
    check_fails(&verdict, &[SecurityInfos], "DG14 does not");
}

#[test]
fn print_of_another_card_does_not_agree() {
    let trust = trust();
    let other = CardData::new(other_person()).unwrap();
    let (qr, mrz) = (QrText::from_card(&other).encode(), Mrz::from_card(&other).lines().join("\n"));
    let evidence = Evidence::new(&CARD, &trust, NOW);
    let verdict = check_card(&Evidence { qr: Some(&qr), ..evidence });
    check_fails(&verdict, &[QrAgreement], "differ in: personal number, name");
    let verdict = check_card(&Evidence { printed_mrz: Some(&mrz), ..evidence });
    check_fails(&verdict, &[PrintedMrzAgreement], "not the one in the chip");
}

#[test]
fn an_expired_card_and_an_expired_signer() {
    let never = CardFields { expires: Expiry::Never, ..person() };
    let after = HOME.ds.not_after() + Duration::DAY;
    let verdict = check_files(&whole_card(&HOME, 1, never), &trust(), after);
    check_fails(&verdict, &[Validity], "the document signer's certificate has expired");
    let short = CardFields { expires: Expiry::On(date!(2023 - 12 - 31)), ..person() };
    check_fails(&judge(&whole_card(&HOME, 1, short)), &[CardValidity], "expired on 2023-12-31");
}

#[test]
fn a_revoked_signer_and_a_list_that_is_out_of_date() {
    let list = |at, revoked: &[Revoked]| {
        prepare_crl(&HOME.csca, HOME.suite.algorithm, 1, at, at + Duration::days(90), revoked)
            .and_then(|prepared| prepared.sign(&HOME.csca_key))
            .unwrap()
    };
    let trust = trust();
    let judge = |crl: Vec<u8>| check_card(&Evidence { crls: &[crl], ..Evidence::new(&CARD, &trust, NOW) });
    let revoked = [Revoked { serial: serial(2), at: START, reason: Some(1) }];
    check_fails(&judge(list(NOW, &revoked)), &[Revocation], "revoked on 2021-04-01");
    let verdict = judge(list(NOW - Duration::days(91), &[]));
    assert_eq!(verdict.overall, Overall::Unproven);
    let detail = "out of date: the newest is of 2023-10-02 and the next was due on 2023-12-31";
    let check = verdict.checks.iter().find(|check| check.code == Revocation).unwrap();
    assert!(check.outcome == Outcome::NotChecked && check.detail.contains(detail), "{}", check.detail);
    // A list that came later knows what was revoked until now.
    assert_eq!(judge(list(NOW + Duration::DAY, &[])).overall, Overall::Genuine);
    check_fails(&judge(list(NOW + Duration::DAY, &revoked)), &[Revocation], "revoked on 2021-04-01");
}

/// Somebody with a stolen key waits until the lists are over, or sees to it that the check gets another.
#[test]
fn without_a_list_in_force_a_card_is_unproven_unless_the_caller_says_otherwise() {
    let list = |country: &Country, at| {
        prepare_crl(&country.csca, HOME.suite.algorithm, 1, at, at + Duration::days(90), &[])
            .and_then(|prepared| prepared.sign(&country.csca_key))
            .unwrap()
    };
    let three_years_late = list(&HOME, NOW - Duration::days(3 * 365 + 90));
    let of_another = list(&Country::of("VN", HOME.suite, 2), NOW);
    let trust = trust();
    let judge = |crls: &[Vec<u8>], need| {
        let verdict = check_card(&Evidence { crls, need, ..Evidence::new(&CARD, &trust, NOW) });
        assert!(failed(&verdict).is_empty(), "{verdict:#?}");
        assert_eq!(verdict.lacks_list_alone(), verdict.overall == Overall::Unproven);
        verdict.overall
    };
    for lists in [vec![three_years_late.clone()], vec![of_another], vec![b"no list".to_vec()]] {
        assert_eq!(judge(&lists, ListNeed::InForce), Overall::Unproven);
        assert_eq!(judge(&lists, ListNeed::IfGiven), Overall::Unproven);
        assert_eq!(judge(&lists, ListNeed::No), Overall::Genuine);
    }
    assert_eq!(judge(&[], ListNeed::InForce), Overall::Unproven);
    assert_eq!(judge(&[], ListNeed::IfGiven), Overall::Genuine, "whoever gives none judges without");
    let both = [three_years_late.clone(), list(&HOME, NOW)];
    assert_eq!(judge(&both, ListNeed::InForce), Overall::Genuine);
    // That the register has the card in force says nothing about the key.
    let evidence = Evidence { crls: &[three_years_late], ..Evidence::new(&CARD, &trust, NOW) };
    let verdict = verify::with_status(check_card(&evidence), CardStatus::Active);
    assert_eq!(verdict.overall, Overall::Unproven);
    // Nobody's signature is no matter of lists.
    let verdict = check_card(&Evidence { trust: &[], ..evidence });
    assert!(verdict.overall == Overall::Unproven && !verdict.lacks_list_alone(), "{verdict:#?}");
}

#[test]
fn a_signer_must_have_been_made_for_it_by_somebody_trusted() {
    let groups = || {
        let groups = [1, 2, 3, 13, 14, 15].map(|number| DataGroup::from_number(number).unwrap());
        groups.map(|group| (group, CARD[&group.file_name()].clone()))
    };
    let judged = |certificate: &Certificate, key| {
        let mut files = HOME.sign_with(certificate, key, &groups());
        files.insert("EF.CardAccess".to_owned(), CARD["EF.CardAccess"].clone());
        judge(&files)
    };
    // A country that calls itself the same.
    let stranger = Country::of("VN", HOME.suite, 2);
    check_fails(&judged(&stranger.ds, &stranger.ds_key), &[Chain], "no trusted CSCA");
    // The authority's own key, and the key for master lists, in a document signer's place.
    check_fails(&judged(&HOME.csca, &HOME.csca_key), &[Chain], "key usage is not digitalSignature alone");
    let profile = HOME.suite.master_list_signer();
    let public = HOME.ds_key.public_key();
    let lists = prepare_master_list_signer(&profile, &HOME.csca, &name("ML"), serial(5), START, public)
        .and_then(|prepared| prepared.lint()?.sign(token(5), &HOME.csca_key))
        .unwrap();
    let verdict = judged(&lists, &HOME.ds_key);
    assert!(failed(&verdict).contains(&Chain), "{verdict:#?}");
    assert!(verdict.checks.iter().any(|check| check.detail.contains("for signing master lists")));
    // A key for passports of the same country.
    let passports = Profile { document_types: &["P"], ..HOME.suite.document_signer() };
    let signer = prepare_document_signer(&passports, &HOME.csca, &name("DS"), serial(6), START, public)
        .and_then(|prepared| prepared.lint()?.sign(token(6), &HOME.csca_key))
        .unwrap();
    check_fails(&judged(&signer, &HOME.ds_key), &[Country], "may not sign documents of type ID");
    // The right certificate, and somebody else's signature.
    check_fails(&judged(&HOME.ds, &stranger.ds_key), &[SodSignature], "signature");
}

/// The bytes with one element replaced, and the lengths of all around it.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut reader = tlv::Reader::new(bytes);
    let mut all = Vec::new();
    while let Some(element) = reader.read().unwrap() {
        if element.raw == old {
            all.extend_from_slice(new);
        } else if element.tag.is_constructed() {
            all.extend(tlv::encode(element.tag, &[&replaced(element.value, old, new)]));
        } else {
            all.extend_from_slice(element.raw);
        }
    }
    all
}

/// The card, signed once more with a signingTime (UTCTime) among the signed attributes.
fn signed_at(time: &str) -> Files {
    let sod = Sod::parse(&CARD["EF.SOD"]).unwrap();
    let old = sod.signed_message();
    let attribute =
        [&b"\x30\x1C\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x09\x05\x31\x0F\x17\x0D"[..], time.as_bytes()]
            .concat();
    let content = tlv::single(old, tlv::Tag::SET, "attributes").unwrap().value;
    let new = tlv::encode(tlv::Tag::SET, &[content, &attribute]);
    let signature = HOME.ds_key.sign(&new).unwrap();
    let implicit = |set: &[u8]| [&[0xA0], &set[1..]].concat();
    let octets = |value: &[u8]| tlv::encode(tlv::Tag::OCTET_STRING, &[value]);
    let file = replaced(&CARD["EF.SOD"], &implicit(old), &implicit(&new));
    with(&[("EF.SOD", &replaced(&file, &octets(sod.signature()), &octets(&signature)))])
}

#[test]
fn a_moment_of_signing_that_is_stated_must_lie_in_the_certificates_time() {
    let verdict = judge(&signed_at("210501000000Z"));
    assert_eq!(verdict.overall, Overall::Genuine, "{verdict:#?}");
    check_fails(&judge(&signed_at("210702000000Z")), &[KeyUsePeriod], "at the time of signing");
    let before = judge(&signed_at("210331000000Z"));
    check_fails(&before, &[Validity, KeyUsePeriod], "at the time of signing");
}

#[test]
fn another_country_that_is_trusted_too_may_not_sign_our_cards() {
    let laos = Country::of("LA", HOME.suite, 4);
    let files = whole_card(&laos, 1, person());
    let trust = [HOME.csca.der().to_vec(), laos.csca.der().to_vec()];
    check_fails(
        &check_files(&files, &trust, NOW),
        &[Country],
        "the card is of VNM and the document signer of LA",
    );
    assert_eq!(check_files(&CARD, &trust, NOW).overall, Overall::Genuine);
}

#[test]
fn ber_with_indefinite_length_is_refused_where_it_stands() {
    let inner = tlv::single(&CARD["EF.SOD"], tlv::Tag(0x77), "EF.SOD").unwrap().value;
    let content = tlv::single(inner, tlv::Tag::SEQUENCE, "CMS").unwrap().value;
    let indefinite = [&[0x30, 0x80], content, &[0, 0]].concat();
    let sod = tlv::encode(tlv::Tag(0x77), &[&indefinite]);
    check_fails(&judge(&with(&[("EF.SOD", &sod)])), &[SodStructure], "indefinite length");
}

#[test]
fn files_that_are_left_out_prove_nothing_and_accuse_nobody() {
    for name in CARD.keys() {
        let mut files = CARD.clone();
        files.remove(name);
        let verdict = judge(&files);
        let (overall, told) = match name.as_str() {
            // What an ordinary reader may not read, what is not signed.
            "DG3" => (Overall::Genuine, FingerStructure),
            "EF.COM" => (Overall::Genuine, FileList),
            "EF.CardAccess" => (Overall::Genuine, SecurityInfos),
            "EF.SOD" => {
                check_fails(&verdict, &[SodStructure], "missing");
                continue;
            }
            _ => (Overall::Unproven, DataGroupHashes),
        };
        assert_eq!(verdict.overall, overall, "{name}: {verdict:#?}");
        assert_eq!(outcome(&verdict, told), Outcome::NotChecked, "{name}");
    }
    // A reader that asked the chip for a listed file and got none knows more.
    let (trust, absent) = (trust(), ["DG15".to_owned()]);
    let mut files = CARD.clone();
    files.remove("DG15");
    let verdict = check_card(&Evidence { absent: &absent, ..Evidence::new(&files, &trust, NOW) });
    check_fails(&verdict, &[FileList], "DG15 is listed and the chip has not got it");
}

#[test]
fn a_copy_is_found_by_the_proofs() {
    let trust = trust();
    let evidence = Evidence::new(&CARD, &trust, NOW);
    let judge = |active, chip| {
        check_card(&Evidence { active_authentication: active, chip_authentication: chip, ..evidence })
    };
    let proven = judge(Some(ChipProof::Proven), Some(ChipProof::Proven));
    assert_eq!(proven.overall, Overall::Genuine);
    assert_eq!(outcome(&proven, ActiveAuthentication), Outcome::Pass);
    // The two proofs are two: whoever reads the verdict must not find one sentence twice.
    for verdict in [proven, judge(Some(ChipProof::Refuted), Some(ChipProof::Refuted)), judge(None, None)] {
        let details: BTreeSet<_> = verdict.checks.iter().map(|check| check.detail.clone()).collect();
        assert_eq!(details.len(), verdict.checks.len(), "{verdict:#?}");
        let words: BTreeSet<_> = verdict.checks.iter().map(|check| check.words_key()).collect();
        assert_eq!(words.len(), verdict.checks.len(), "{verdict:#?}");
    }
    check_fails(&judge(Some(ChipProof::Refuted), None), &[ActiveAuthentication], "copy");
    check_fails(&judge(None, Some(ChipProof::Refuted)), &[ChipAuthentication], "copy");
    // A forger's own key proves nothing: it is not signed.
    let plain = signed_files(&HOME, person(), person());
    let forged =
        Evidence { active_authentication: Some(ChipProof::Proven), ..Evidence::new(&plain, &trust, NOW) };
    check_fails(&check_card(&forged), &[ActiveAuthentication], "not signed");
}

#[test]
fn civil_data_of_thirteen_to_fifteen_fields_is_taken() {
    let old_number = CardFields { cmnd: Some("012345678"), ..person() };
    let full = whole_card(&HOME, 1, old_number)["DG13"].clone();
    let parse = |file: &[u8]| Dg13::parse(file).unwrap().fields().len();
    assert_eq!(parse(&full), 15);
    // The fields of the spouse and of the old number, each with the value that this card has.
    let spouse = [0x30, 0x03, 0x02, 0x01, 0x0E];
    let number = [&[0x30, 0x0E, 0x02, 0x01, 0x0F, 0x13, 0x09][..], b"012345678"].concat();
    let fourteen = replaced(&full, &number, &[]);
    let thirteen = replaced(&fourteen, &spouse, &[]);
    assert_eq!((parse(&fourteen), parse(&thirteen)), (14, 13));
    for file in [full, fourteen, thirteen] {
        let groups = [1, 2, 13].map(|number| DataGroup::from_number(number).unwrap());
        let groups = groups.map(|group| match group {
            DataGroup::DG13 => (group, file.clone()),
            _ => (group, CARD[&group.file_name()].clone()),
        });
        let verdict = judge(&HOME.sign(&groups));
        assert_eq!(verdict.overall, Overall::Genuine, "{verdict:#?}");
    }
}

#[test]
fn a_verdict_in_json_says_everything_and_nothing_personal() {
    let json = serde_json::to_value(Worded { verdict: &judge(&CARD), words: ui::checks::both }).unwrap();
    assert_eq!(json["overall"], "genuine");
    let checks = json["checks"].as_array().unwrap();
    let first = &checks[0];
    assert_eq!((&first["code"], &first["outcome"]), (&"sod-structure".into(), &"passed".into()));
    assert!(checks.iter().all(|check| check["words"]["vi"].is_string() && check["detail"].is_string()));
    let text = json.to_string();
    for personal in ["001199012345", "Mẫu", "NGUYEN", "1999"] {
        assert!(!text.contains(personal), "{personal}");
    }
}
