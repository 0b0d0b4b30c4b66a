//! Do the files of one chip agree with each other?

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Check,
    CheckCode::{
        ChipKey, Dg13Structure, FaceStructure, FileList, FingerStructure, MrzCheckDigits, MrzDg13Agreement,
        PrintedMrzAgreement, QrAgreement, SecurityInfos,
    },
    Evidence, status,
    verdict::Record,
};
use card::{
    data::{BirthDate, Expiry, Sex, parse_printed},
    lds::{
        DataGroup, EF_CARD_ACCESS, EF_COM, card_access, com, dg1, dg2, dg3,
        dg13::{Dg13, FieldNumber},
        dg14, dg15,
    },
    mrz::{Mrz, name_line},
    qr::QrText,
    sod::Sod,
};

pub(crate) fn check(evidence: &Evidence<'_>, sod: Option<&Sod>, checks: &mut Vec<Check>) {
    let files = evidence.files;
    file_list(evidence, sod, checks);
    let mrz = parsed(files, checks, DataGroup::DG1, MrzCheckDigits, "all check digits hold", dg1::parse);
    let dg13 = parsed(files, checks, DataGroup::DG13, Dg13Structure, "DG13 is well formed", Dg13::parse);
    let face = |file: &[u8]| dg2::parse(file).map(|_| ());
    parsed(files, checks, DataGroup::DG2, FaceStructure, "DG2 holds a face image", face);
    fingers(files, sod, checks);
    match (&mrz, &dg13) {
        (Some(mrz), Some(dg13)) => same_person(mrz, dg13, checks),
        (None, _) | (_, None) => {
            checks.skip(MrzDg13Agreement, "needs both a readable DG1 and a readable DG13")
        }
    }
    security_infos(files, checks);
    status::expiry(mrz.as_ref(), dg13.as_ref(), evidence.at, checks);
    if let Some(text) = evidence.printed_mrz {
        printed_mrz(text, mrz.as_ref(), checks);
    }
    if let Some(text) = evidence.qr {
        qr(text, dg13.as_ref(), checks);
    }
}

/// A reader takes the protocols from EF.CardAccess before anything is proven; what it took must be in DG14,
/// whose hash is signed (Doc 9303-11, EF.CardAccess and DG14), or somebody talked it into a weaker one.
fn security_infos(files: &BTreeMap<String, Vec<u8>>, checks: &mut Vec<Check>) {
    if let Some(file) = files.get(&DataGroup::DG15.file_name()) {
        match dg15::parse(file) {
            Ok(_) => checks.pass(ChipKey, "DG15 holds a key for Active Authentication"),
            Err(error) => checks.fail(ChipKey, format!("DG15: {error}")),
        }
    }
    let access = files.get(EF_CARD_ACCESS);
    if access.is_none() && files.contains_key(&DataGroup::DG14.file_name()) {
        checks.skip(SecurityInfos, "DG14 was read and EF.CardAccess was not");
    }
    let Some(access) = access else { return };
    let Some(dg14) = files.get(&DataGroup::DG14.file_name()) else {
        return checks.skip(SecurityInfos, "EF.CardAccess was read and DG14 was not");
    };
    match (card_access::parse(access), dg14::parse(dg14)) {
        (Ok(access), Ok(signed)) if signed.contains_all(&access) => {
            checks.pass(SecurityInfos, "everything in EF.CardAccess is in DG14");
        }
        (Ok(_), Ok(_)) => checks.fail(SecurityInfos, "EF.CardAccess says something that DG14 does not"),
        (Err(error), _) => checks.fail(SecurityInfos, format!("EF.CardAccess: {error}")),
        (_, Err(error)) => checks.fail(SecurityInfos, format!("DG14: {error}")),
    }
}

fn printed_mrz(text: &str, chip: Option<&Mrz>, checks: &mut Vec<Check>) {
    match (Mrz::parse(text.trim()), chip) {
        (Err(error), _) => checks.fail(PrintedMrzAgreement, format!("the printed zone: {error}")),
        (Ok(_), None) => checks.skip(PrintedMrzAgreement, "needs a readable DG1"),
        (Ok(printed), Some(chip)) if printed == *chip => {
            checks.pass(PrintedMrzAgreement, "the zone printed on the card is the one in the chip");
        }
        (Ok(_), Some(_)) => {
            checks.fail(PrintedMrzAgreement, "the zone printed on the card is not the one in the chip");
        }
    }
}

fn qr(text: &str, dg13: Option<&Dg13>, checks: &mut Vec<Check>) {
    let qr = match QrText::parse(text.trim_end_matches(['\r', '\n'])) {
        Ok(qr) => qr,
        Err(error) => return checks.fail(QrAgreement, error.to_string()),
    };
    let Some(dg13) = dg13 else { return checks.skip(QrAgreement, "needs a readable DG13") };
    let field = |number| dg13.text(number);
    let differing: Vec<&str> = [
        ("personal number", field(FieldNumber::PIN) != Some(&qr.pin)),
        ("name", field(FieldNumber::NAME).map(str::to_lowercase) != Some(qr.name.to_lowercase())),
        (
            "date of birth",
            field(FieldNumber::BIRTH)
                .and_then(BirthDate::parse_printed)
                .is_some_and(|birth| birth != qr.birth),
        ),
        ("sex", field(FieldNumber::SEX).and_then(Sex::from_vietnamese).is_some_and(|sex| sex != qr.sex)),
        ("residence", field(FieldNumber::RESIDENCE).is_some_and(|residence| residence != qr.address)),
        (
            "day of issue",
            field(FieldNumber::ISSUED).and_then(parse_printed).is_some_and(|issued| issued != qr.issued),
        ),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect();
    if differing.is_empty() {
        checks.pass(QrAgreement, "the QR code and DG13 are about the same person");
    } else {
        checks.fail(QrAgreement, format!("the QR code and DG13 differ in: {}", differing.join(", ")));
    }
}

fn parsed<'a, T>(
    files: &'a BTreeMap<String, Vec<u8>>,
    checks: &mut Vec<Check>,
    group: DataGroup,
    code: crate::CheckCode,
    passed: &str,
    parse: impl Fn(&'a [u8]) -> Result<T, card::CardError>,
) -> Option<T> {
    let Some(file) = files.get(&group.file_name()) else {
        checks.skip(code, format!("{group} was not read"));
        return None;
    };
    match parse(file) {
        Ok(value) => {
            checks.pass(code, passed);
            Some(value)
        }
        Err(error) => {
            checks.fail(code, format!("{group}: {error}"));
            None
        }
    }
}

/// The chip shows fingerprints only to readers that prove a right to them (Doc 9303-11, Terminal
/// Authentication), so that a card without DG3 among its files is an ordinary card read by an ordinary
/// reader.
fn fingers(files: &BTreeMap<String, Vec<u8>>, sod: Option<&Sod>, checks: &mut Vec<Check>) {
    let group = DataGroup::DG3;
    let signed = sod.is_some_and(|sod| sod.hashes().contains_key(&group));
    match files.get(&group.file_name()).map(|file| dg3::parse(file)) {
        Some(Ok(_)) => checks.pass(FingerStructure, "DG3 holds fingerprints or says that there are none"),
        Some(Err(error)) => checks.fail(FingerStructure, format!("DG3: {error}")),
        None if signed => {
            let why =
                "DG3 is signed and was not read: the chip keeps it back from readers without a right to it";
            checks.skip(FingerStructure, why);
        }
        None => {}
    }
}

fn file_list(evidence: &Evidence<'_>, sod: Option<&Sod>, checks: &mut Vec<Check>) {
    let files = evidence.files;
    let mut problems: Vec<String> =
        evidence.absent.iter().map(|name| format!("{name} is listed and the chip has not got it")).collect();
    let Some(file) = files.get(EF_COM) else {
        return match problems.is_empty() {
            true => checks.skip(FileList, "EF.COM was not read"),
            false => checks.fail(FileList, problems.join("; ")),
        };
    };
    let com = match com::parse(file) {
        Ok(com) => com,
        Err(error) => return checks.fail(FileList, format!("EF.COM: {error}")),
    };
    let Some(sod) = sod else {
        return checks.skip(FileList, "EF.SOD cannot be read");
    };
    let listed: BTreeSet<DataGroup> = com.groups.into_iter().collect();
    let signed: BTreeSet<DataGroup> = sod.hashes().keys().copied().collect();
    let present = files.keys().filter_map(|name| DataGroup::from_file_name(name));
    problems.extend(listed.difference(&signed).map(|g| format!("{g} is in EF.COM but not in EF.SOD")));
    problems.extend(signed.difference(&listed).map(|g| format!("{g} is in EF.SOD but not in EF.COM")));
    problems.extend(present.filter(|g| !listed.contains(g)).map(|g| format!("{g} is not in EF.COM")));
    // Doc 9303-10, Data Groups: the two that every document has.
    let always = [DataGroup::DG1, DataGroup::DG2];
    problems.extend(always.into_iter().filter(|g| !signed.contains(g)).map(|g| format!("{g} is not signed")));
    if let Some(version) = sod.lds_version().filter(|version| *version != com.lds_version) {
        problems.push(format!("EF.SOD was signed for LDS {version} and EF.COM says {}", com.lds_version));
    }
    if problems.is_empty() {
        checks.pass(FileList, "EF.COM and EF.SOD name the same data groups");
    } else {
        checks.fail(FileList, problems.join("; "));
    }
}

fn same_person(mrz: &Mrz, dg13: &Dg13, checks: &mut Vec<Check>) {
    let text = |number| dg13.text(number);
    let birth = text(FieldNumber::BIRTH).and_then(BirthDate::parse_printed).map(BirthDate::mrz);
    let sex = text(FieldNumber::SEX).and_then(Sex::from_vietnamese);
    let expiry = text(FieldNumber::EXPIRES).map(|expires| match parse_printed(expires) {
        Some(date) => Expiry::On(date).mrz(),
        None => Expiry::Never.mrz(),
    });
    let name = text(FieldNumber::NAME).map(name_line);
    // A field that DG13 lacks says nothing; the number and the name must be there.
    let differing: Vec<&str> = [
        ("personal number", text(FieldNumber::PIN) != Some(mrz.pin())),
        ("name", name.as_deref() != Some(mrz.name())),
        ("date of birth", birth.is_some_and(|birth| birth != mrz.birth())),
        ("sex", sex.is_some() && sex != mrz.sex()),
        ("date of expiry", expiry.is_some_and(|expiry| expiry != mrz.expiry())),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect();
    if differing.is_empty() {
        checks.pass(MrzDg13Agreement, "DG1 and DG13 are about the same person");
    } else {
        checks.fail(MrzDg13Agreement, format!("DG1 and DG13 differ in: {}", differing.join(", ")));
    }
}
