//! DG14: everything that the chip can do to prove itself, under the document signer's signature (Doc 9303-10,
//! EF.DG14).

use crate::{
    CardError,
    ec_key::EcPublicKey,
    security_info::{SecurityInfo, SecurityInfos, oid},
    tlv::{self, Tag},
};

/// The infos of EF.CardAccess again, which a reader may compare, with the key for Chip Authentication and the
/// algorithm of Active Authentication.
pub fn of_citizen_card(chip_key: EcPublicKey) -> SecurityInfos {
    let open = super::card_access::of_citizen_card();
    let closed = [
        SecurityInfo::ChipPublicKey { key: chip_key, id: None },
        SecurityInfo::ActiveAuthentication { version: 1, algorithm: oid::ECDSA_PLAIN_SHA256.to_vec() },
    ];
    SecurityInfos::new(open.iter().cloned().chain(closed))
}

/// The file's bytes: the SET of SecurityInfo under tag 6E (Doc 9303-11 §9.2).
pub fn encode(infos: &SecurityInfos) -> Vec<u8> {
    tlv::encode(Tag(0x6E), &[&infos.encode()])
}

/// Reads the file as a chip sends it.
///
/// # Errors
///
/// When it is not one SET under tag 6E, or one of its entries is malformed.
pub fn parse(file: &[u8]) -> Result<SecurityInfos, CardError> {
    let outer = tlv::single(file, Tag(0x6E), "DG14 must be one object with tag 6E")?;
    let mut reader = outer.children()?;
    let set = reader.expect(Tag::SET, "SET of SecurityInfo expected")?;
    reader.finish()?;
    SecurityInfos::parse(&set, "DG14")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ec_key::Curve, lds::card_access};

    fn sample() -> SecurityInfos {
        let key = EcPublicKey::new(Curve::BrainpoolP256r1, &[4; 65]).unwrap();
        of_citizen_card(key)
    }

    #[test]
    fn reads_back_and_holds_all_of_card_access() {
        let infos = sample();
        let file = encode(&infos);
        assert_eq!(file[0], 0x6E);
        assert_eq!(parse(&file).unwrap(), infos);
        assert!(infos.contains_all(&card_access::of_citizen_card()));
        assert_eq!(infos.iter().count(), 5);
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in 0usize..200,
        ) {
            let mut file = encode(&sample());
            let index = at.index(file.len());
            file[index] = byte;
            let _ = parse(&file);
            file.truncate(cut);
            let _ = parse(&file);
        }
    }
}
