//! EF.CardAccess (Doc 9303-10): what everybody may know of the chip before the access protocol. A bare SET
//! without a template tag.

use super::EF_CARD_ACCESS;
use crate::{
    CardError,
    security_info::{SecurityInfo, SecurityInfos, oid},
    tlv::{self, Tag},
};

/// What the citizen card announces: Terminal Authentication 1, Chip Authentication and PACE with generic
/// mapping, both with AES-128, PACE on brainpoolP256r1. The bytes are those of published cards.
pub fn of_citizen_card() -> SecurityInfos {
    SecurityInfos::new([
        SecurityInfo::TerminalAuthentication { version: 1 },
        SecurityInfo::ChipAuthentication {
            protocol: oid::CHIP_AUTHENTICATION_AES_128.to_vec(),
            version: 1,
            key: None,
        },
        SecurityInfo::Pace { protocol: oid::PACE_ECDH_GM_AES_128.to_vec(), version: 2, parameter: Some(13) },
    ])
}

/// The file's bytes: a bare SET in ascending order of its elements' encodings.
pub fn encode(infos: &SecurityInfos) -> Vec<u8> {
    infos.encode()
}

/// Reads the file as a chip sends it.
///
/// # Errors
///
/// When it is not one SET, or one of its entries is malformed.
pub fn parse(file: &[u8]) -> Result<SecurityInfos, CardError> {
    let set = tlv::single(file, Tag::SET, "EF.CardAccess must be one SET of SecurityInfo")?;
    SecurityInfos::parse(&set, EF_CARD_ACCESS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::unhex;

    const PUBLISHED: &str = "3134300d060804007f0007020202020101300f060a04007f00070202030202020101\
        3012060a04007f0007020204020202010202010d";

    #[test]
    fn the_published_file_is_written_and_read() {
        let infos = of_citizen_card();
        assert_eq!(encode(&infos), unhex(PUBLISHED));
        assert_eq!(parse(&unhex(PUBLISHED)).unwrap(), infos);
    }

    #[test]
    fn an_unknown_protocol_is_kept() {
        let infos = parse(&unhex("310730050603550400")).unwrap();
        assert_eq!(infos.iter().collect::<Vec<_>>(), [&SecurityInfo::Other { protocol: vec![0x55, 4, 0] }]);
        assert!(!of_citizen_card().contains_all(&infos) && infos.contains_all(&infos));
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(at in 0usize..54, byte in any::<u8>(), cut in 0usize..54) {
            let mut file = unhex(PUBLISHED);
            file[at] = byte;
            let _ = parse(&file);
            file.truncate(cut);
            let _ = parse(&file);
        }
    }
}
