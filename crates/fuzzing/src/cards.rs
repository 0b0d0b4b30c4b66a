//! What is read off a card and its chip.

use std::str;

use crate::material::FILES;
use card::lds::{DataGroup, com as ef_com, dg1 as mrz_file, dg2 as face_file, dg13::Dg13};
use card::mrz::Mrz;
use card::qr::{QrText, symbol};
use card::sod::Sod;
use card::tlv::{Reader, Tlv};

/// A zone that was taken holds only its letters, and reads the same again.
pub fn mrz(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(mrz) = Mrz::parse(text) else { return false };
    same_zone(&mrz);
    true
}

fn same_zone(mrz: &Mrz) {
    let again = Mrz::parse(mrz.concatenated()).expect("what was taken is taken again");
    assert_eq!(again.lines(), mrz.lines());
    assert!(mrz.lines().iter().all(|line| line.len() == 30 && line.is_ascii()));
    assert!(mrz.pin().bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!((mrz.birth().len(), mrz.expiry().len()), (6, 6));
}

pub(crate) fn mrz_seeds() -> Vec<Vec<u8>> {
    let mrz = mrz_file::parse(&FILES["DG1"]).expect("our own card");
    vec![mrz.concatenated().as_bytes().to_vec(), mrz.lines().join("\n").into_bytes()]
}

/// A text that was taken is written the same, and can be drawn.
pub fn qr(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(read) = QrText::parse(text) else { return false };
    assert_eq!(read.encode(), text);
    let _ = symbol(text);
    true
}

pub(crate) fn qr_seeds() -> Vec<Vec<u8>> {
    [
        "001199012345|183456789|Nguyễn Thị Mẫu|01011999|Nữ|Xã Mẫu, Huyện Thử|06042021",
        "001099012345||A|00001999|Nam||06042021",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Every element lies inside its parent, whose end is reached exactly.
pub fn tlv(data: &[u8]) -> bool {
    walk(Reader::new(data), data.len())
}

fn walk(mut reader: Reader<'_>, room: usize) -> bool {
    let mut sound = room > 0;
    let mut used = 0;
    loop {
        match reader.read() {
            Ok(None) => break,
            Err(_) => return false,
            Ok(Some(element)) => {
                used += element.value.len() + 2;
                assert!(used <= room, "elements lie beside each other");
                sound &= inside(&element);
            }
        }
    }
    assert!(reader.is_empty());
    sound
}

fn inside(element: &Tlv<'_>) -> bool {
    if !element.tag.is_constructed() {
        return true;
    }
    element.children().is_ok_and(|children| walk(children, element.value.len()) || element.value.is_empty())
}

pub(crate) fn tlv_seeds() -> Vec<Vec<u8>> {
    ["EF.COM", "DG13"].map(|name| FILES[name].clone()).to_vec()
}

/// The object as such, and a card that holds it.
pub fn sod(data: &[u8]) -> bool {
    let mut files = FILES.clone();
    files.insert("EF.SOD".to_owned(), data.to_vec());
    let verdict = crate::material::judge(&files);
    let genuine = verdict.overall == verify::Overall::Genuine;
    let Ok(sod) = Sod::parse(data) else {
        assert!(!genuine, "a card whose security object cannot be read is not genuine");
        return false;
    };
    let _ = (sod.signer_certificate(), sod.content_is_what_was_signed(), sod.signature_algorithm());
    for group in sod.hashes().keys() {
        assert!(sod.matches(*group, b"").is_some());
    }
    genuine
}

pub(crate) fn com(data: &[u8]) -> bool {
    let Ok(com) = ef_com::parse(data) else { return false };
    assert_eq!((com.lds_version.len(), com.unicode_version.len()), (4, 6));
    let again = ef_com::parse(&ef_com::encode(&com.groups)).expect("what we write can be read");
    assert_eq!(again.groups, com.groups);
    true
}

pub(crate) fn dg1(data: &[u8]) -> bool {
    let Ok(mrz) = mrz_file::parse(data) else { return false };
    same_zone(&mrz);
    // Lengths may be written in more than one way; the zone may not.
    assert!(data.ends_with(mrz.concatenated().as_bytes()), "the zone is in the file as it was read");
    assert_eq!(mrz_file::parse(&mrz_file::encode(&mrz)).as_ref(), Ok(&mrz));
    true
}

pub(crate) fn dg2(data: &[u8]) -> bool {
    let Ok(face) = face_file::parse(data) else { return false };
    assert!(face.image.len() < data.len());
    true
}

pub(crate) fn dg13(data: &[u8]) -> bool {
    let Ok(read) = Dg13::parse(data) else { return false };
    let written = read.encode();
    let again = Dg13::parse(&written).expect("what we write can be read");
    assert!(again.fields() == read.fields());
    let _ = (read.father(), read.mother(), read.spouse());
    true
}

pub(crate) fn file_seeds(name: &str) -> Vec<Vec<u8>> {
    assert!(name.starts_with("EF.") || DataGroup::from_file_name(name).is_some());
    vec![FILES[name].clone()]
}
