//! EF.COM: which data groups the chip carries (Doc 9303-10, EF.COM).

use super::{DataGroup, EF_COM};
use crate::{
    CardError,
    sod::LdsVersion,
    tlv::{self, Tag},
};

const UNICODE_VERSION: &[u8] = b"040000";

/// What EF.COM says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Com {
    /// Four digits, such as `0107`.
    pub lds_version: String,
    /// Six digits, such as `040000`.
    pub unicode_version: String,
    /// In file order.
    pub groups: Vec<DataGroup>,
}

/// LDS 1.7, Unicode 4.0.0, the groups in the order given.
pub fn encode(groups: &[DataGroup]) -> Vec<u8> {
    encode_version(groups, LdsVersion::V1_7)
}

/// The same in another version of the Logical Data Structure.
pub fn encode_version(groups: &[DataGroup], version: LdsVersion) -> Vec<u8> {
    let tags: Vec<u8> = groups.iter().map(|group| group.tag_byte()).collect();
    tlv::encode(
        Tag(0x60),
        &[
            &tlv::encode(Tag(0x5F01), &[version.digits().as_bytes()]),
            &tlv::encode(Tag(0x5F36), &[UNICODE_VERSION]),
            &tlv::encode(Tag(0x5C), &[&tags]),
        ],
    )
}

/// Reads the file as a chip sends it.
///
/// # Errors
///
/// When an object is missing or out of order, or a tag in the list is of no data group or is listed twice.
pub fn parse(file: &[u8]) -> Result<Com, CardError> {
    let outer = tlv::single(file, Tag(0x60), "EF.COM must be one object with tag 60")?;
    let mut reader = outer.children()?;
    let lds = reader.expect(Tag(0x5F01), "LDS version (5F01) expected")?;
    let unicode = reader.expect(Tag(0x5F36), "Unicode version (5F36) expected")?;
    let list = reader.expect(Tag(0x5C), "tag list (5C) expected")?;
    reader.finish()?;
    let mut groups = Vec::new();
    for (index, &tag) in list.value.iter().enumerate() {
        let error = |problem| CardError::File { file: EF_COM, offset: list.value_offset() + index, problem };
        let group = DataGroup::from_tag(tag).ok_or_else(|| error("not the tag of a data group"))?;
        if groups.contains(&group) {
            return Err(error("data group listed twice"));
        }
        groups.push(group);
    }
    Ok(Com { lds_version: digits(&lds, 4)?, unicode_version: digits(&unicode, 6)?, groups })
}

fn digits(field: &tlv::Tlv<'_>, length: usize) -> Result<String, CardError> {
    if field.value.len() != length || !field.value.iter().all(u8::is_ascii_digit) {
        let offset = field.value_offset();
        return Err(CardError::File { file: EF_COM, offset, problem: "version must be digits only" });
    }
    Ok(field.value.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_file() {
        let file = encode(&[DataGroup::DG1, DataGroup::DG2, DataGroup::DG13]);
        assert_eq!(file, b"\x60\x15\x5F\x01\x040107\x5F\x36\x06040000\x5C\x03\x61\x75\x6D");
        assert_eq!(parse(&file).unwrap().groups, [DataGroup::DG1, DataGroup::DG2, DataGroup::DG13]);
        assert!(parse(&file[..file.len() - 1]).is_err());
    }

    #[test]
    fn unknown_and_repeated_groups_are_placed() {
        for last in [0x62, 0x61] {
            let mut file = encode(&[DataGroup::DG1, DataGroup::DG2]);
            *file.last_mut().unwrap() = last;
            let error = parse(&file).unwrap_err();
            assert!(matches!(error, CardError::File { offset: 21, .. }), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_list_reads_back(
            numbers in proptest::sample::subsequence((1u8..=16).collect::<Vec<_>>(), 0..=16),
        ) {
            let groups: Vec<_> = numbers.into_iter().map(|n| DataGroup::from_number(n).unwrap()).collect();
            prop_assert_eq!(parse(&encode(&groups)).unwrap().groups, groups);
        }

        #[test]
        fn damaged_files_never_panic(at in 0usize..22, byte in any::<u8>()) {
            let mut file = encode(&[DataGroup::DG1, DataGroup::DG2]);
            let index = at % file.len();
            file[index] = byte;
            let _ = parse(&file);
        }
    }
}
