//! DG1: the machine-readable zone (Doc 9303-10, EF.DG1).

use crate::{
    CardError,
    mrz::Mrz,
    tlv::{self, Tag},
};

/// Three lines of 30 characters in a run (Doc 9303-10, DG1 for TD1).
const ZONE_LEN: usize = 90;

/// The file's bytes: the 90 characters of the zone under tag 5F1F (Doc 9303-10).
pub fn encode(mrz: &Mrz) -> Vec<u8> {
    tlv::encode(Tag(0x61), &[&tlv::encode(Tag(0x5F1F), &[mrz.concatenated().as_bytes()])])
}

/// Reads the zone and verifies its check digits.
pub fn parse(file: &[u8]) -> Result<Mrz, CardError> {
    let outer = tlv::single(file, Tag(0x61), "DG1 must be one object with tag 61")?;
    let mut reader = outer.children()?;
    let zone = reader.expect(Tag(0x5F1F), "MRZ (5F1F) expected")?;
    reader.finish()?;
    if zone.value.len() != ZONE_LEN {
        let offset = zone.value_offset();
        return Err(CardError::File { file: "DG1", offset, problem: "the zone must have 90 characters" });
    }
    let text = std::str::from_utf8(zone.value).map_err(|error| CardError::File {
        file: "DG1",
        offset: zone.value_offset() + error.valid_up_to(),
        problem: "not MRZ characters",
    })?;
    Mrz::parse(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{CardData, tests::sample};

    #[test]
    fn reads_back_and_has_the_td1_size() {
        let mrz = Mrz::from_card(&CardData::new(sample()).unwrap());
        let file = encode(&mrz);
        assert_eq!(&file[..5], [0x61, 0x5D, 0x5F, 0x1F, 0x5A]);
        assert_eq!(file.len(), 95);
        assert_eq!(parse(&file).unwrap(), mrz);
    }

    #[test]
    fn a_length_in_the_long_form_is_read_and_lines_apart_are_not() {
        let mrz = Mrz::from_card(&CardData::new(sample()).unwrap());
        // Found by fuzzing: ISO/IEC 7816-4 lets a length below 128 take two bytes.
        let file = encode(&mrz);
        let long = [&[0x61, 0x81, 0x5D], &file[2..]].concat();
        assert_eq!(parse(&long).unwrap(), mrz);
        let lines =
            tlv::encode(Tag(0x61), &[&tlv::encode(Tag(0x5F1F), &[mrz.lines().join("\n").as_bytes()])]);
        assert!(matches!(parse(&lines), Err(CardError::File { offset: 5, .. })));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_an_error_or_another_zone(at in 0usize..95, byte in any::<u8>()) {
            let mrz = Mrz::from_card(&CardData::new(sample()).unwrap());
            let mut file = encode(&mrz);
            let changed = file[at] != byte;
            file[at] = byte;
            if let Ok(read) = parse(&file) {
                prop_assert_eq!(read != mrz, changed);
            }
        }
    }
}
